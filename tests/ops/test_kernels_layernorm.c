/* LayerNorm: every table against the reference, whole and row by row. */
#include "kernel_fixture.h"

#include <math.h>

typedef struct norm_case {
    ls_layernorm_args forward;
    ls_layernorm_bwd_args backward;
    const float *dx, *dw, *db; /* what the gradients start from */
} norm_case;

static void check_norm(ls_device *dev, void *context)
{
    const norm_case *t = context;
    ls_layernorm_args f = t->forward;
    int64_t n = f.N * f.C;
    f.y = guarded(n), f.mean = guarded(f.N), f.rstd = guarded(f.N);
    dev->k->layernorm(dev, &f);
    assert_same_bits(f.y, t->forward.y, n);
    assert_same_bits(f.mean, t->forward.mean, f.N);
    assert_same_bits(f.rstd, t->forward.rstd, f.N);
    ls_layernorm_bwd_args b = t->backward;
    b.dx = clone(t->dx, n), b.dw = clone(t->dw, f.C), b.db = clone(t->db, f.C);
    dev->k->layernorm_bwd(dev, &b);
    assert_same_bits(b.dx, t->backward.dx, n);
    assert_same_bits(b.dw, t->backward.dw, f.C);
    assert_same_bits(b.db, t->backward.db, f.C);
    /* Rows one by one: the same chains. */
    float *dx = clone(t->dx, n), *dw = clone(t->dw, f.C), *db = clone(t->db, f.C);
    for (int64_t i = 0; i < f.N; i++) {
        ls_layernorm_bwd_args row = {.dx = dx + i * f.C,
                                     .dw = dw,
                                     .db = db,
                                     .dy = b.dy + i * f.C,
                                     .x = b.x + i * f.C,
                                     .w = b.w,
                                     .mean = b.mean + i,
                                     .rstd = b.rstd + i,
                                     .N = 1,
                                     .C = f.C};
        dev->k->layernorm_bwd(dev, &row);
    }
    assert_same_bits(dx, t->backward.dx, n);
    assert_same_bits(dw, t->backward.dw, f.C);
    assert_same_bits(db, t->backward.db, f.C);
    ls_free(f.y), ls_free(f.mean), ls_free(f.rstd), ls_free(b.dx), ls_free(b.dw), ls_free(b.db);
    ls_free(dx), ls_free(dw), ls_free(db);
}

static void compare_norm(int64_t N, int64_t C)
{
    ls_device ref = ref_device();
    int64_t n = N * C;
    float *x = random_floats(n, -2, 3), *w = random_floats(C, 0, 2), *b = random_floats(C, -1, 1);
    float *dy = random_floats(n, -1, 1), *dx = random_floats(n, -1, 1),
          *dw = random_floats(C, -1, 1), *db = random_floats(C, -1, 1);
    norm_case t = {.dx = dx, .dw = dw, .db = db};
    t.forward = (ls_layernorm_args){.y = guarded(n),
                                    .mean = guarded(N),
                                    .rstd = guarded(N),
                                    .x = x,
                                    .w = w,
                                    .b = b,
                                    .N = N,
                                    .C = C,
                                    .eps = 1e-5f};
    ref.k->layernorm(&ref, &t.forward);
    t.backward = (ls_layernorm_bwd_args){.dx = clone(dx, n),
                                         .dw = clone(dw, C),
                                         .db = clone(db, C),
                                         .dy = dy,
                                         .x = x,
                                         .w = w,
                                         .mean = t.forward.mean,
                                         .rstd = t.forward.rstd,
                                         .N = N,
                                         .C = C};
    ref.k->layernorm_bwd(&ref, &t.backward);
    for_each_device(check_norm, &t);
    ls_free(x), ls_free(w), ls_free(b), ls_free(dy), ls_free(dx), ls_free(dw), ls_free(db);
    ls_free(t.forward.y), ls_free(t.forward.mean), ls_free(t.forward.rstd);
    ls_free(t.backward.dx), ls_free(t.backward.dw), ls_free(t.backward.db);
    ls_device_release(&ref);
}

static void every_table_norms_with_the_reference_bits(void **state)
{
    (void)state;
    const int64_t widths[] = {1, 5, 15, 16, 17, 33, 128, 130, 576};
    for (size_t i = 0; i < LS_COUNT(widths); i++)
        compare_norm(3, widths[i]);
    compare_norm(0, 8);
    compare_norm(101, 200); /* enough work for all threads */
    compare_norm(500, 37);
}

static void a_normed_row_has_mean_zero_and_variance_one(void **state)
{
    (void)state;
    ls_device dev = ref_device();
    enum { C = 50 };
    float *x = random_floats(C, 3, 5), one[C], zero[C] = {0}, y[C], mean, rstd;
    for (int j = 0; j < C; j++)
        one[j] = 1;
    dev.k->layernorm(
        &dev,
        &(ls_layernorm_args){
            .y = y, .mean = &mean, .rstd = &rstd, .x = x, .w = one, .b = zero, .N = 1, .C = C});
    double sum = 0, squares = 0;
    for (int j = 0; j < C; j++)
        sum += y[j], squares += (double)y[j] * y[j];
    assert_close(sum, 0, 1e-5, C);
    assert_close(squares / C, 1, 1e-5, 1);
    ls_free(x);
    ls_device_release(&dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_normed_row_has_mean_zero_and_variance_one),
        cmocka_unit_test(every_table_norms_with_the_reference_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
