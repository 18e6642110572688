/* AdamW and the sum of squares: hand-computed steps, double, and every table against the
 * reference bit for bit. */
#include "kernel_fixture.h"

#include <math.h>

static void first_adamw_step_moves_by_the_learning_rate(void **state)
{
    (void)state;
    ls_device dev = ref_device();
    /* With bias correction the first step is lr * g / (|g| + eps), after the decay of lr *
     * weight_decay. */
    float w = 2, m = 0, v = 0, g = -0.5f;
    float beta1 = 0.9f, beta2 = 0.999f;
    dev.k->adamw(&dev, &(ls_adamw_args){.w = &w,
                                        .m = &m,
                                        .v = &v,
                                        .g = &g,
                                        .n = 1,
                                        .lr = 0.1f,
                                        .beta1 = beta1,
                                        .beta2 = beta2,
                                        .eps = 1e-8f,
                                        .weight_decay = 0.5f,
                                        .bias1 = 1 - beta1,
                                        .sqrt_bias2 = sqrtf(1 - beta2),
                                        .grad_scale = 1});
    assert_close(w, 2 * (1 - 0.05) + 0.1, 1e-6, 2);
    assert_close(m, -0.05, 1e-6, 1);
    /* 1 - 0.999f is 0.001 to 5e-5. */
    assert_close(v, 0.001 * 0.25, 1e-4, 0.001 * 0.25);
    ls_device_release(&dev);
}

typedef struct adamw_case {
    ls_adamw_args args; /* after the reference's step */
    const float *w, *m, *v;
} adamw_case;

static void check_adamw(ls_device *dev, void *context)
{
    const adamw_case *t = context;
    ls_adamw_args args = t->args;
    args.w = clone(t->w, args.n), args.m = clone(t->m, args.n), args.v = clone(t->v, args.n);
    dev->k->adamw(dev, &args);
    assert_same_bits(args.w, t->args.w, args.n);
    assert_same_bits(args.m, t->args.m, args.n);
    assert_same_bits(args.v, t->args.v, args.n);
    ls_free(args.w), ls_free(args.m), ls_free(args.v);
}

static void every_table_steps_with_the_reference_bits(void **state)
{
    (void)state;
    ls_device ref = ref_device();
    const int64_t sizes[] = {0, 1, 15, 17, 1000, 70001};
    for (size_t i = 0; i < LS_COUNT(sizes); i++) {
        int64_t n = sizes[i];
        float *w = random_floats(n, -1, 1), *m = random_floats(n, -1, 1),
              *v = random_floats(n, 0, 1);
        float *g = random_floats(n, -1, 1);
        adamw_case t = {.w = w, .m = m, .v = v};
        t.args = (ls_adamw_args){.w = clone(w, n),
                                 .m = clone(m, n),
                                 .v = clone(v, n),
                                 .g = g,
                                 .n = n,
                                 .lr = 3e-4f,
                                 .beta1 = 0.9f,
                                 .beta2 = 0.95f,
                                 .eps = 1e-8f,
                                 .weight_decay = 0.1f,
                                 .bias1 = 0.271f,
                                 .sqrt_bias2 = 0.3775f,
                                 .grad_scale = 0.37f};
        ref.k->adamw(&ref, &t.args);
        for_each_device(check_adamw, &t);
        ls_free(w), ls_free(m), ls_free(v), ls_free(g), ls_free(t.args.w), ls_free(t.args.m),
            ls_free(t.args.v);
    }
    ls_device_release(&ref);
}

typedef struct squares_case {
    const float *x;
    int64_t n, n_bad;
    double sum;
} squares_case;

static void check_squares(ls_device *dev, void *context)
{
    const squares_case *t = context;
    int64_t n_bad = -1;
    double sum = dev->k->sum_squares(dev, t->x, t->n, &n_bad);
    assert_memory_equal(&sum, &t->sum, sizeof sum);
    assert_int_equal(n_bad, t->n_bad);
}

static void sum_of_squares_is_exact_enough_and_the_same_everywhere(void **state)
{
    (void)state;
    ls_device ref = ref_device();
    const int64_t sizes[] = {0, 1, 15, 16, 33, 4095, 4096, 4097, 100000};
    for (size_t i = 0; i < LS_COUNT(sizes); i++) {
        squares_case t = {.n = sizes[i]};
        float *x = random_floats(t.n, -1, 1);
        double expected = 0;
        for (int64_t j = 0; j < t.n; j++)
            expected += (double)x[j] * x[j];
        t.x = x;
        t.sum = ref.k->sum_squares(&ref, x, t.n, &t.n_bad);
        assert_int_equal(t.n_bad, 0);
        assert_close(t.sum, expected, 1e-12, expected);
        for_each_device(check_squares, &t);
        if (t.n > 3) {
            x[0] = NAN, x[t.n / 2] = INFINITY, x[t.n - 1] = -INFINITY;
            t.sum = ref.k->sum_squares(&ref, x, t.n, &t.n_bad);
            assert_int_equal(t.n_bad, 3);
            assert_true(isfinite(t.sum));
            for_each_device(check_squares, &t);
        }
        ls_free(x);
    }
    ls_device_release(&ref);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_adamw_step_moves_by_the_learning_rate),
        cmocka_unit_test(every_table_steps_with_the_reference_bits),
        cmocka_unit_test(sum_of_squares_is_exact_enough_and_the_same_everywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
