/* ls_op_swiglu against central differences of its formula in double. */
#include "op_check.h"

enum { MOST = 7 * 33 };

typedef struct {
    double gate[MOST], up[MOST], dy[MOST], y[MOST];
    int64_t n;
} problem;

static double loss(void *context)
{
    problem *p = context;
    double sum = 0.0;
    for (int64_t i = 0; i < p->n; i++) {
        p->y[i] = p->gate[i] / (1.0 + exp(-p->gate[i])) * p->up[i];
        sum += p->y[i] * p->dy[i];
    }
    return sum;
}

static void check_shape(int64_t N, int64_t F)
{
    static problem p;
    float gate[MOST], up[MOST], dy[MOST];
    double dgate[MOST], dup[MOST], y[MOST];
    p.n = N * F;
    fill_normal(gate, p.n, 1, 3.0f);
    fill_normal(up, p.n, 2, 1.0f);
    fill_normal(dy, p.n, 3, 1.0f);
    to_double(p.gate, gate, p.n);
    to_double(p.up, up, p.n);
    to_double(p.dy, dy, p.n);
    central_differences(dgate, p.gate, p.n, loss, &p);
    central_differences(dup, p.up, p.n, loss, &p);
    loss(&p);
    memcpy(y, p.y, sizeof y);
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++) {
        op_bench b;
        op_bench_open(&b, tables[t], 1);
        ls_tensor *g = bench_tensor(&b, gate, N, F), *u = bench_tensor(&b, up, N, F);
        ls_tensor *out = ls_op_swiglu(&b.tape, g, u);
        check_forward(out->data, y, p.n);
        bench_backward(&b, out, dy);
        check_gradient(g->grad, dgate, p.n);
        check_gradient(u->grad, dup, p.n);
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
