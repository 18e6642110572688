/* ls_op_rmsnorm against central differences of its formula in double. */
#include "op_check.h"

enum { MOST = 7 * 33 };
/* Large enough that the gradient of a row of one element, proportional to it, is no difference of
 * two equal numbers. */
static const float EPS = 0.25f;

typedef struct {
    double x[MOST], w[33], dy[MOST], y[MOST];
    int64_t N, C; /* C: width of a part */
    double one;   /* added to the gain */
} problem;

static double loss(void *context)
{
    problem *p = context;
    double sum = 0.0;
    for (int64_t i = 0; i < p->N; i++) {
        double squares = 0.0;
        for (int64_t j = 0; j < p->C; j++)
            squares += p->x[i * p->C + j] * p->x[i * p->C + j];
        double r = 1.0 / sqrt(squares / (double)p->C + (double)EPS);
        for (int64_t j = 0; j < p->C; j++) {
            p->y[i * p->C + j] = p->x[i * p->C + j] * r * (p->one + p->w[j]);
            sum += p->y[i * p->C + j] * p->dy[i * p->C + j];
        }
    }
    return sum;
}

/* N rows of P parts of C. */
static void check_shape(int64_t N, int64_t P, int64_t C, bool adds_one)
{
    int64_t rows = N;
    N *= P;
    float x[MOST], w[33], dy[MOST];
    double dx[MOST], dw[33], y[MOST];
    fill_normal(x, N * C, 1, 1.0f);
    fill_normal(w, C, 2, 1.0f);
    fill_normal(dy, N * C, 3, 1.0f);
    static problem p;
    p.N = N, p.C = C, p.one = adds_one;
    to_double(p.x, x, N * C);
    to_double(p.w, w, C);
    to_double(p.dy, dy, N * C);
    central_differences(dx, p.x, N * C, loss, &p);
    central_differences(dw, p.w, C, loss, &p);
    loss(&p);
    memcpy(y, p.y, sizeof y);
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++) {
        op_bench b;
        op_bench_open(&b, tables[t], 1);
        ls_weight weight = bench_weight(&b, w, 1, C);
        weight.adds_one = adds_one;
        ls_tensor *in = bench_tensor(&b, x, rows, P * C);
        ls_tensor *out = ls_op_rmsnorm(&b.tape, in, &weight, EPS);
        check_forward(out->data, y, N * C);
        bench_backward(&b, out, dy);
        check_gradient(in->grad, dx, N * C);
        check_gradient(weight.grad, dw, C);
        op_bench_close(&b);
    }
}

static void gradients_equal_central_differences(void **state)
{
    (void)state;
    static const int64_t widths[] = {1, 3, 17, 33};
    for (size_t c = 0; c < LS_COUNT(widths); c++)
        for (int64_t n = 1; n <= 7; n++)
            check_shape(n, 1, widths[c], n % 2 == 0);
}

static void parts_of_a_row_are_normed_by_themselves(void **state)
{
    (void)state;
    check_shape(2, 3, 10, false);
    check_shape(1, 5, 17, true);
    check_shape(7, 2, 3, true);
}

static void frozen_gain_passes_the_gradient_of_x_alone(void **state)
{
    (void)state;
    op_bench b;
    op_bench_open(&b, &ls_kernels_ref, 1);
    const float one[3] = {1, 1, 1}, x[3] = {1, 2, 3};
    ls_weight weight = bench_weight(&b, one, 1, 3);
    weight.grad = NULL;
    ls_tensor *in = bench_tensor(&b, x, 1, 3);
    ls_tensor *out = ls_op_rmsnorm(&b.tape, in, &weight, 0.0f);
    bench_backward(&b, out, one);
    assert_non_null(in->grad);
    op_bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_equal_central_differences),
        cmocka_unit_test(parts_of_a_row_are_normed_by_themselves),
        cmocka_unit_test(frozen_gain_passes_the_gradient_of_x_alone),
    };
    return cmocka_run_group_tests(tests, NULL, print_worst);
}
