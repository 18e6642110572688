/* ls_op_linear against its formula in double; the formula is bilinear, so its gradients are written
 * down directly. */
#include "op_check.h"

enum { MOST = 33 * 33 };

static void check_shape(int64_t N, int64_t in, int64_t out)
{
    float x[MOST], w[MOST], dy[MOST];
    double y[MOST] = {0}, dx[MOST] = {0}, dw[MOST] = {0};
    fill_normal(x, N * in, 1, 1.0f);
    fill_normal(w, out * in, 2, 1.0f);
    fill_normal(dy, N * out, 3, 1.0f);
    for (int64_t i = 0; i < N; i++)
        for (int64_t o = 0; o < out; o++)
            for (int64_t k = 0; k < in; k++) {
                y[i * out + o] += (double)x[i * in + k] * (double)w[o * in + k];
                dx[i * in + k] += (double)dy[i * out + o] * (double)w[o * in + k];
                dw[o * in + k] += (double)dy[i * out + o] * (double)x[i * in + k];
            }
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++) {
        op_bench b;
        op_bench_open(&b, tables[t], 1);
        ls_weight weight = bench_weight(&b, w, out, in);
        ls_tensor *input = bench_tensor(&b, x, N, in);
        ls_tensor *output = ls_op_linear(&b.tape, input, &weight);
        check_forward(output->data, y, N * out);
        bench_backward(&b, output, dy);
        check_gradient(input->grad, dx, N * in);
        check_gradient(weight.grad, dw, out * in);
        op_bench_close(&b);
    }
}

static void products_and_gradients_equal_the_formula(void **state)
{
    (void)state;
    static const int64_t widths[] = {1, 3, 17, 33};
    for (size_t i = 0; i < LS_COUNT(widths); i++)
        for (size_t o = 0; o < LS_COUNT(widths); o++)
            for (int64_t n = 1; n <= 7; n++)
                check_shape(n, widths[i], widths[o]);
}

/* Two matrices on one input: the second gradient is added to the first, also when the first found
 * no buffer. */
static void users_of_one_input_add_their_gradients(void **state)
{
    (void)state;
    op_bench b;
    op_bench_open(&b, &ls_kernels_ref, 1);
    const float x[2] = {1, 2}, w1[2] = {3, 4}, w2[2] = {10, 20}, one[1] = {1};
    ls_weight a = bench_weight(&b, w1, 1, 2), c = bench_weight(&b, w2, 1, 2);
    c.grad = NULL;
    ls_tensor *in = bench_tensor(&b, x, 1, 2);
    ls_tensor *ya = ls_op_linear(&b.tape, in, &a), *yc = ls_op_linear(&b.tape, in, &c);
    ls_tape_grad(&b.tape, ya)[0] = 1;
    bench_backward(&b, yc, one);
    const float want_dx[2] = {13, 24}, want_dw[2] = {1, 2};
    assert_memory_equal(in->grad, want_dx, sizeof want_dx);
    assert_memory_equal(a.grad, want_dw, sizeof want_dw);
    op_bench_close(&b);
}

/* Rows that no loss reaches cost nothing and give no gradient. */
static void output_without_gradient_is_passed_over(void **state)
{
    (void)state;
    op_bench b;
    op_bench_open(&b, &ls_kernels_ref, 1);
    const float x[2] = {1, 2}, w[2] = {3, 4};
    ls_weight weight = bench_weight(&b, w, 1, 2);
    ls_tensor *in = bench_tensor(&b, x, 1, 2);
    ls_op_linear(&b.tape, in, &weight);
    ls_tape_backward(&b.tape, NULL);
    assert_null(in->grad);
    assert_true(weight.grad[0] == 0.0f);
    op_bench_close(&b);
}

static void scoring_records_nothing(void **state)
{
    (void)state;
    op_bench b;
    op_bench_open(&b, &ls_kernels_ref, 1);
    b.tape.is_recording = false;
    const float x[2] = {1, 2}, w[2] = {3, 4};
    ls_weight weight = bench_weight(&b, w, 1, 2);
    ls_op_linear(&b.tape, bench_tensor(&b, x, 1, 2), &weight);
    assert_null(b.tape.last);
    op_bench_close(&b);
}

static void first_bad_value_is_named(void **state)
{
    (void)state;
    op_bench b;
    op_bench_open(&b, &ls_kernels_ref, 1);
    b.tape.checks_finite = true;
    b.tape.layer = 3;
    const float x[4] = {1, 2, 3, 4}, w[2] = {INFINITY, 4};
    ls_weight weight = bench_weight(&b, w, 2, 1);
    ls_tensor *y = ls_op_linear(&b.tape, bench_tensor(&b, x, 4, 1), &weight);
    ls_op_swiglu(&b.tape, y, y);
    assert_string_equal(b.tape.bad.op, "linear");
    assert_int_equal(b.tape.bad.layer, 3);
    assert_int_equal(b.tape.bad.row, 0);
    assert_int_equal(b.tape.bad.column, 0);
    assert_true(isinf(b.tape.bad.value));
    op_bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(products_and_gradients_equal_the_formula),
        cmocka_unit_test(users_of_one_input_add_their_gradients),
        cmocka_unit_test(output_without_gradient_is_passed_over),
        cmocka_unit_test(scoring_records_nothing),
        cmocka_unit_test(first_bad_value_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, print_worst);
}
