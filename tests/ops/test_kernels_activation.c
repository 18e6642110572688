/* GELU and soft caps: the reference against formulas in double, every table against the reference.
 * With arguments of every magnitude this also compares tanh and erf lane by lane. */
#include "kernel_fixture.h"

#include <math.h>

enum { N_VALUES = 120000 };

static double gelu_in_double(double x, bool is_exact)
{
    if (is_exact)
        return 0.5 * x * (1 + erf(x / sqrt(2.0)));
    return 0.5 * x * (1 + tanh(sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x)));
}

static void gelu_is_close_to_its_formula_and_slope(void **state)
{
    (void)state;
    ls_device dev = ref_device();
    for (int i = 0; i < 2000; i++) {
        bool is_exact = i % 2;
        float x = uniform(-9, 9), up = uniform(-2, 2), dy = uniform(-1, 1), y, dx = 0, dup = 0;
        dev.k->gelu(&dev,
                    &(ls_gelu_args){.y = &y, .x = &x, .up = &up, .n = 1, .is_exact = is_exact});
        assert_close(y, gelu_in_double(x, is_exact) * up, 1e-6, 1 + fabs((double)x));
        dev.k->gelu_bwd(&dev, &(ls_gelu_bwd_args){.dx = &dx,
                                                  .dup = &dup,
                                                  .dy = &dy,
                                                  .x = &x,
                                                  .up = &up,
                                                  .n = 1,
                                                  .is_exact = is_exact});
        double h = 1e-5,
               slope =
                   (gelu_in_double(x + h, is_exact) - gelu_in_double(x - h, is_exact)) / (2 * h);
        assert_close(dx, dy * up * slope, 2e-6, 2);
        assert_close(dup, dy * gelu_in_double(x, is_exact), 1e-6, 1 + fabs((double)x));
    }
    ls_device_release(&dev);
}

typedef struct gelu_case {
    const float *x, *up, *dy, *start, *y, *dx, *dup;
    int64_t n;
    bool is_exact;
} gelu_case;

static void check_gelu(ls_device *dev, void *context)
{
    const gelu_case *t = context;
    float *y = guarded(t->n), *dx = clone(t->start, t->n), *dup = clone(t->start, t->n);
    dev->k->gelu(
        dev, &(ls_gelu_args){.y = y, .x = t->x, .up = t->up, .n = t->n, .is_exact = t->is_exact});
    dev->k->gelu_bwd(dev, &(ls_gelu_bwd_args){.dx = dx,
                                              .dup = t->up ? dup : NULL,
                                              .dy = t->dy,
                                              .x = t->x,
                                              .up = t->up,
                                              .n = t->n,
                                              .is_exact = t->is_exact});
    assert_same_bits(y, t->y, t->n);
    assert_same_bits(dx, t->dx, t->n);
    if (t->up)
        assert_same_bits(dup, t->dup, t->n);
    ls_free(y), ls_free(dx), ls_free(dup);
}

static void compare_gelu(int64_t n, const float *x, bool has_up, bool is_exact)
{
    ls_device ref = ref_device();
    float *up = has_up ? random_floats(n, -1, 1) : NULL, *dy = random_floats(n, -1, 1),
          *start = random_floats(n, -1, 1), *y = guarded(n), *dx = clone(start, n),
          *dup = clone(start, n);
    ref.k->gelu(&ref, &(ls_gelu_args){.y = y, .x = x, .up = up, .n = n, .is_exact = is_exact});
    ref.k->gelu_bwd(&ref, &(ls_gelu_bwd_args){.dx = dx,
                                              .dup = up ? dup : NULL,
                                              .dy = dy,
                                              .x = x,
                                              .up = up,
                                              .n = n,
                                              .is_exact = is_exact});
    gelu_case t = {.x = x,
                   .up = up,
                   .dy = dy,
                   .start = start,
                   .y = y,
                   .dx = dx,
                   .dup = dup,
                   .n = n,
                   .is_exact = is_exact};
    for_each_device(check_gelu, &t);
    ls_free(up), ls_free(dy), ls_free(start), ls_free(y), ls_free(dx), ls_free(dup);
    ls_device_release(&ref);
}

static void every_table_computes_gelu_with_the_reference_bits(void **state)
{
    (void)state;
    float *x = random_floats(N_VALUES, -8, 8);
    const int64_t sizes[] = {0, 1, 15, 16, 17, 1025};
    for (size_t i = 0; i < LS_COUNT(sizes); i++)
        for (int form = 0; form < 4; form++)
            compare_gelu(sizes[i], x, form & 1, form & 2);
    for (int form = 0; form < 4; form++)
        compare_gelu(N_VALUES, x, form & 1, form & 2);
    for (int64_t i = 0; i < N_VALUES; i++) /* squares that neither overflow nor vanish */
        x[i] = ldexpf(uniform(-2, 2), (int)between(-60, 60));
    for (int form = 0; form < 4; form++)
        compare_gelu(N_VALUES, x, form & 1, form & 2);
    ls_free(x);
}

static void soft_caps_bend_and_pass_the_slope(void **state)
{
    (void)state;
    ls_device dev = ref_device();
    for (int i = 0; i < 500; i++) {
        float start = uniform(-90, 90), x = start, cap = uniform(1, 40), d = 1;
        dev.k->softcap(&dev, &(ls_softcap_args){.x = &x, .n = 1, .cap = cap});
        assert_close(x, cap * tanh((double)start / cap), 1e-6, cap);
        dev.k->softcap_bwd(&dev, &(ls_softcap_bwd_args){.d = &d, .y = &x, .n = 1, .unit = 1 / cap});
        double t = tanh((double)start / cap);
        assert_close(d, 1 - t * t, 1e-6, 1);
    }
    ls_device_release(&dev);
}

typedef struct cap_case {
    const float *x, *y, *d, *back;
    int64_t n;
} cap_case;

static void check_cap(ls_device *dev, void *context)
{
    const cap_case *t = context;
    float *y = clone(t->x, t->n), *d = clone(t->d, t->n);
    dev->k->softcap(dev, &(ls_softcap_args){.x = y, .n = t->n, .cap = 30});
    dev->k->softcap_bwd(dev, &(ls_softcap_bwd_args){.d = d, .y = y, .n = t->n, .unit = 1 / 30.0f});
    assert_same_bits(y, t->y, t->n);
    assert_same_bits(d, t->back, t->n);
    ls_free(y), ls_free(d);
}

static void every_table_caps_with_the_reference_bits(void **state)
{
    (void)state;
    const int64_t sizes[] = {0, 1, 17, N_VALUES};
    ls_device ref = ref_device();
    for (size_t i = 0; i < LS_COUNT(sizes); i++) {
        int64_t n = sizes[i];
        float *x = random_floats(n, -200, 200), *d = random_floats(n, -1, 1);
        for (int64_t j = 0; j < n; j += 3)
            x[j] = ldexpf(uniform(-2, 2), (int)between(-126, 120));
        float *y = clone(x, n), *back = clone(d, n);
        ref.k->softcap(&ref, &(ls_softcap_args){.x = y, .n = n, .cap = 30});
        ref.k->softcap_bwd(&ref,
                           &(ls_softcap_bwd_args){.d = back, .y = y, .n = n, .unit = 1 / 30.0f});
        cap_case t = {.x = x, .y = y, .d = d, .back = back, .n = n};
        for_each_device(check_cap, &t);
        ls_free(x), ls_free(d), ls_free(y), ls_free(back);
    }
    ls_device_release(&ref);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gelu_is_close_to_its_formula_and_slope),
        cmocka_unit_test(every_table_computes_gelu_with_the_reference_bits),
        cmocka_unit_test(soft_caps_bend_and_pass_the_slope),
        cmocka_unit_test(every_table_caps_with_the_reference_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
