/* The page pool: holders, copies on write, reuse. */
#include "rollout/pages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

#include "base/rng.h"

#define PAGE 32

typedef struct {
    ls_arena arena;
    ls_device dev;
    ls_pages pool;
} fixture;

static void begin(fixture *f, int64_t n_pages)
{
    assert_int_equal(ls_arena_init(&f->arena, "test", 1 << 24), LEASH_OK);
    assert_int_equal(ls_device_init(&f->dev, &ls_kernels_ref, 1), LEASH_OK);
    ls_pages_init(&f->pool, &f->dev, &f->arena, n_pages, PAGE);
}

static void end(fixture *f)
{
    ls_device_release(&f->dev);
    ls_arena_release(&f->arena);
}

static bool is_all(const float *page, float value)
{
    for (int i = 0; i < PAGE; i++)
        if (page[i] != value)
            return false;
    return true;
}

static void fill(float *page, float value)
{
    for (int i = 0; i < PAGE; i++)
        page[i] = value;
}

static void pages_are_zero_when_taken_even_after_use(void **state)
{
    (void)state;
    fixture f;
    begin(&f, 1);
    for (int i = 0; i < 3; i++) {
        float *page = ls_pages_take(&f.pool);
        assert_true(is_all(page, 0.0f));
        fill(page, 5.0f);
        ls_pages_drop(&f.pool, page);
    }
    end(&f);
}

static void all_pages_can_be_taken_and_differ(void **state)
{
    (void)state;
    fixture f;
    float *pages[7];
    begin(&f, 7);
    for (int i = 0; i < 7; i++) {
        pages[i] = ls_pages_take(&f.pool);
        fill(pages[i], (float)i);
    }
    assert_int_equal(f.pool.n_free, 0);
    for (int i = 0; i < 7; i++)
        assert_true(is_all(pages[i], (float)i));
    ls_pages_clear(&f.pool);
    assert_int_equal(f.pool.n_free, 7);
    end(&f);
}

static void a_page_is_free_when_its_last_holder_drops_it(void **state)
{
    (void)state;
    fixture f;
    begin(&f, 2);
    float *page = ls_pages_take(&f.pool);
    ls_pages_share(&f.pool, page);
    ls_pages_share(&f.pool, page);
    ls_pages_drop(&f.pool, page);
    ls_pages_drop(&f.pool, page);
    assert_int_equal(f.pool.n_free, 1);
    ls_pages_drop(&f.pool, page);
    assert_int_equal(f.pool.n_free, 2);
    end(&f);
}

static void a_writer_copies_a_shared_page_and_keeps_an_unshared_one(void **state)
{
    (void)state;
    fixture f;
    begin(&f, 3);
    float *page = ls_pages_take(&f.pool);
    fill(page, 1.5f);
    assert_ptr_equal(ls_pages_own(&f.pool, page), page);
    ls_pages_share(&f.pool, page);
    float *copy = ls_pages_own(&f.pool, page);
    assert_ptr_not_equal(copy, page);
    assert_true(is_all(copy, 1.5f));
    fill(copy, 2.5f);
    assert_true(is_all(page, 1.5f));
    /* The other holder is alone now and writes in place. */
    assert_ptr_equal(ls_pages_own(&f.pool, page), page);
    assert_int_equal(f.pool.n_free, 1);
    end(&f);
}

/* Random operations on a few holders that each write their own number: nobody ever sees
 * another's. */
static void random_holders_never_see_each_others_writes(void **state)
{
    (void)state;
    enum { HOLDERS = 9 };
    fixture f;
    float *held[HOLDERS] = {NULL}, value[HOLDERS] = {0};
    begin(&f, HOLDERS);
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t w[4];
        ls_rng_words(w, &(ls_rng_name){.seed = 3, .purpose = LS_RNG_TEST, .position = i});
        int h = (int)(w[0] % HOLDERS), other = (int)(w[1] % HOLDERS);
        if (held[h] == NULL && held[other] && w[2] % 2) {
            ls_pages_share(&f.pool, held[other]);
            held[h] = held[other];
            value[h] = value[other];
        } else if (held[h] == NULL) {
            held[h] = ls_pages_take(&f.pool);
            value[h] = 0.0f;
        } else if (w[2] % 2) {
            held[h] = ls_pages_own(&f.pool, held[h]);
            value[h] = (float)i;
            fill(held[h], value[h]);
        } else {
            ls_pages_drop(&f.pool, held[h]);
            held[h] = NULL;
        }
        for (int k = 0; k < HOLDERS; k++)
            assert_true(held[k] == NULL || is_all(held[k], value[k]));
    }
    for (int k = 0; k < HOLDERS; k++)
        if (held[k])
            ls_pages_drop(&f.pool, held[k]);
    assert_int_equal(f.pool.n_free, HOLDERS);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pages_are_zero_when_taken_even_after_use),
        cmocka_unit_test(all_pages_can_be_taken_and_differ),
        cmocka_unit_test(a_page_is_free_when_its_last_holder_drops_it),
        cmocka_unit_test(a_writer_copies_a_shared_page_and_keeps_an_unshared_one),
        cmocka_unit_test(random_holders_never_see_each_others_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
