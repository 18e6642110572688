/* The scalar head: values and gradients against the formula in double; cutting, threads and rows
 * left out, exact. */
#include "op_check.h"

enum { ROWS = 40, C_MOST = 300, LABELS = 2 };

typedef struct {
    double hidden[2 * ROWS * C_MOST], w[LABELS * C_MOST], b[LABELS];
    double value[ROWS], dvalue[ROWS];
    int64_t n, C, labels;
} problem;

static double loss(void *context)
{
    problem *p = context;
    double sum = 0.0;
    for (int64_t i = 0; i < p->n; i++) {
        double z[LABELS] = {0.0};
        for (int64_t k = 0; k < p->labels; k++) {
            z[k] = p->b[k];
            for (int64_t c = 0; c < p->C; c++)
                z[k] += p->hidden[2 * i * p->C + c] * p->w[k * p->C + c];
        }
        /* log-odds of two classes from their probabilities */
        p->value[i] = p->labels == 1 ? z[0]
                                     : log(exp(z[1]) / (exp(z[0]) + exp(z[1]))) -
                                           log(exp(z[0]) / (exp(z[0]) + exp(z[1])));
        sum += p->dvalue[i] * p->value[i];
    }
    return sum;
}

typedef struct { /* a job with its arrays; every second row of hidden is scored */
    op_bench b;
    ls_weight w, bias;
    ls_value_job job;
    float value[ROWS], dvalue[ROWS];
    int32_t rows[ROWS];
} value_case;

static float hidden[2 * ROWS * C_MOST], weights[LABELS * C_MOST];
static const float biases[LABELS] = {0.3f, -0.2f};

static void open_case(value_case *v, int n_threads, int64_t n, int64_t C, int64_t labels,
                      bool is_biased)
{
    const ls_kernels *k;
    assert_int_equal(ls_kernels_select(&k, ""), LEASH_OK);
    op_bench_open(&v->b, k, n_threads);
    fill_normal(hidden, 2 * n * C, 1, 1.0f);
    fill_normal(weights, labels * C, 2, 0.3f);
    v->w = bench_weight(&v->b, weights, labels, C);
    v->bias = bench_weight(&v->b, biases, 1, labels);
    for (int64_t i = 0; i < n; i++)
        v->rows[i] = (int32_t)(2 * i);
    fill_normal(v->dvalue, n, 3, 1.0f);
    v->job = (ls_value_job){.hidden = bench_tensor(&v->b, hidden, 2 * n, C),
                            .weight = &v->w,
                            .bias = is_biased ? &v->bias : NULL,
                            .rows = v->rows,
                            .n = n,
                            .value = v->value};
}

static void check_shape(int64_t n, int64_t C, int64_t labels, bool is_biased)
{
    static problem p;
    static value_case v;
    static double dhidden[2 * ROWS * C_MOST], dw[LABELS * C_MOST], db[LABELS];
    open_case(&v, 1, n, C, labels, is_biased);
    p.n = n, p.C = C, p.labels = labels;
    to_double(p.hidden, hidden, 2 * n * C);
    to_double(p.w, weights, labels * C);
    for (int k = 0; k < LABELS; k++)
        p.b[k] = is_biased ? (double)biases[k] : 0;
    to_double(p.dvalue, v.dvalue, n);
    central_differences(dhidden, p.hidden, 2 * n * C, loss, &p);
    central_differences(dw, p.w, labels * C, loss, &p);
    central_differences(db, p.b, labels, loss, &p);
    loss(&p);
    ls_op_value(&v.b.tape, &v.job);
    check_forward(v.value, p.value, n);
    ls_op_value_backward(&v.b.tape, &v.job, v.dvalue);
    check_gradient(v.job.hidden->grad, dhidden, 2 * n * C);
    check_gradient(v.w.grad, dw, labels * C);
    if (is_biased)
        check_gradient(v.bias.grad, db, labels);
    op_bench_close(&v.b);
}

static void values_and_gradients_equal_the_formula(void **state)
{
    (void)state;
    check_shape(1, 1, 1, false);
    check_shape(5, 17, 1, false);
    check_shape(3, 8, 1, true);
    check_shape(5, 17, 2, true);
    check_shape(2, 16, 2, false);
}

static void no_bit_depends_on_the_cut_or_the_threads(void **state)
{
    (void)state;
    enum { N = ROWS, C = C_MOST };
    static value_case whole, cut;
    open_case(&whole, 1, N, C, 2, true);
    ls_op_value(&whole.b.tape, &whole.job);
    ls_op_value_backward(&whole.b.tape, &whole.job, whole.dvalue);
    open_case(&cut, 2, N, C, 2, true);
    for (int64_t first = 0, n; first < N; first += n) {
        n = first == 0 ? 7 : 11;
        ls_value_job job = cut.job;
        job.rows += first, job.value += first, job.n = n;
        ls_op_value(&cut.b.tape, &job);
        ls_op_value_backward(&cut.b.tape, &job, cut.dvalue + first);
    }
    assert_memory_equal(whole.value, cut.value, sizeof whole.value);
    assert_memory_equal(whole.w.grad, cut.w.grad, 2 * C * sizeof(float));
    assert_memory_equal(whole.bias.grad, cut.bias.grad, 2 * sizeof(float));
    assert_memory_equal(whole.job.hidden->grad, cut.job.hidden->grad, 2 * N * C * sizeof(float));
    op_bench_close(&whole.b);
    op_bench_close(&cut.b);
}

static void a_value_is_a_function_of_its_row_alone(void **state)
{
    (void)state;
    static value_case all, one;
    open_case(&all, 1, ROWS, C_MOST, 1, false);
    ls_op_value(&all.b.tape, &all.job);
    open_case(&one, 1, ROWS, C_MOST, 1, false);
    for (int64_t i = 0; i < ROWS; i++) {
        ls_value_job job = one.job;
        job.rows += i, job.n = 1;
        ls_op_value(&one.b.tape, &job);
        assert_memory_equal(one.value, all.value + i, sizeof(float));
    }
    op_bench_close(&all.b);
    op_bench_close(&one.b);
}

static void rows_without_a_seed_are_left_out(void **state)
{
    (void)state;
    static value_case v;
    open_case(&v, 1, 4, 9, 1, false);
    for (int c = 0; c < 9; c++)
        v.job.hidden->data[2 * 9 * 2 + c] = NAN; /* scored row 2 */
    v.dvalue[2] = 0.0f;
    ls_op_value_backward(&v.b.tape, &v.job, v.dvalue);
    for (int c = 0; c < 9; c++)
        assert_true(isfinite(v.w.grad[c]));
    op_bench_close(&v.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_gradients_equal_the_formula),
        cmocka_unit_test(no_bit_depends_on_the_cut_or_the_threads),
        cmocka_unit_test(a_value_is_a_function_of_its_row_alone),
        cmocka_unit_test(rows_without_a_seed_are_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
