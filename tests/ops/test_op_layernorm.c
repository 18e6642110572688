/* ls_op_layernorm against central differences of its formula in double. */
#include "op_check.h"

enum { MOST = 7 * 33 };
/* As large as the variance, so that rows of one or two elements have a gradient. */
static const float EPS = 0.25f;

typedef struct {
    double x[MOST], w[33], b[33], dy[MOST], y[MOST];
    int64_t N, C;
} problem;

static double loss(void *context)
{
    problem *p = context;
    double sum = 0.0, C = (double)p->C;
    for (int64_t i = 0; i < p->N; i++) {
        const double *x = p->x + i * p->C;
        double mean = 0.0, variance = 0.0;
        for (int64_t j = 0; j < p->C; j++)
            mean += x[j] / C;
        for (int64_t j = 0; j < p->C; j++)
            variance += (x[j] - mean) * (x[j] - mean) / C;
        for (int64_t j = 0; j < p->C; j++) {
            double *y = &p->y[i * p->C + j];
            *y = (x[j] - mean) / sqrt(variance + (double)EPS) * p->w[j] + p->b[j];
            sum += *y * p->dy[i * p->C + j];
        }
    }
    return sum;
}

static void check_shape(int64_t N, int64_t C)
{
    static problem p;
    float x[MOST], w[33], bias[33], dy[MOST];
    double dx[MOST], dw[33], db[33], y[MOST];
    fill_normal(x, N * C, 1, 1.0f);
    fill_normal(w, C, 2, 1.0f);
    fill_normal(bias, C, 4, 1.0f);
    fill_normal(dy, N * C, 3, 1.0f);
    p.N = N, p.C = C;
    to_double(p.x, x, N * C);
    to_double(p.w, w, C);
    to_double(p.b, bias, C);
    to_double(p.dy, dy, N * C);
    central_differences(dx, p.x, N * C, loss, &p);
    central_differences(dw, p.w, C, loss, &p);
    central_differences(db, p.b, C, loss, &p);
    loss(&p);
    memcpy(y, p.y, sizeof y);
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++) {
        op_bench b;
        op_bench_open(&b, tables[t], 1);
        ls_weight gain = bench_weight(&b, w, 1, C), shift = bench_weight(&b, bias, 1, C);
        ls_tensor *in = bench_tensor(&b, x, N, C);
        ls_tensor *out = ls_op_layernorm(&b.tape, in, &gain, &shift, EPS);
        check_forward(out->data, y, N * C);
        bench_backward(&b, out, dy);
        check_gradient(in->grad, dx, N * C);
        check_gradient(gain.grad, dw, C);
        check_gradient(shift.grad, db, C);
        op_bench_close(&b);
    }
}

static void gradients_equal_central_differences(void **state)
{
    (void)state;
    static const int64_t widths[] = {1, 3, 17, 33};
    for (size_t c = 0; c < LS_COUNT(widths); c++)
        for (int64_t n = 1; n <= 7; n++)
            check_shape(n, widths[c]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_equal_central_differences)};
    return cmocka_run_group_tests(tests, NULL, print_worst);
}
