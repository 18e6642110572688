/* ls_op_gelu, in both forms, alone and as a gate, against central differences in double. */
#include "op_check.h"

enum { MOST = 7 * 33 };

typedef struct {
    double x[MOST], up[MOST], dy[MOST], y[MOST];
    int64_t n;
    bool is_exact;
} problem;

static double loss(void *context)
{
    problem *p = context;
    double sum = 0.0;
    for (int64_t i = 0; i < p->n; i++) {
        double x = p->x[i], t = sqrt(2.0 / acos(-1.0)) * (x + 0.044715 * x * x * x);
        p->y[i] = 0.5 * x * (1.0 + (p->is_exact ? erf(x / sqrt(2.0)) : tanh(t))) * p->up[i];
        sum += p->y[i] * p->dy[i];
    }
    return sum;
}

static void check_shape(int64_t N, int64_t F, bool has_up, bool is_exact)
{
    static problem p;
    float x[MOST], up[MOST], dy[MOST];
    double dx[MOST], dup[MOST], y[MOST];
    p.n = N * F;
    p.is_exact = is_exact;
    fill_normal(x, p.n, 1, 2.0f);
    fill_normal(up, p.n, 2, 1.0f);
    fill_normal(dy, p.n, 3, 1.0f);
    for (int64_t i = 0; i < p.n && !has_up; i++)
        up[i] = 1.0f;
    to_double(p.x, x, p.n);
    to_double(p.up, up, p.n);
    to_double(p.dy, dy, p.n);
    central_differences(dx, p.x, p.n, loss, &p);
    central_differences(dup, p.up, p.n, loss, &p);
    loss(&p);
    memcpy(y, p.y, sizeof y);
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++) {
        op_bench b;
        op_bench_open(&b, tables[t], 1);
        ls_tensor *g = bench_tensor(&b, x, N, F), *u = has_up ? bench_tensor(&b, up, N, F) : NULL;
        ls_tensor *out = ls_op_gelu(&b.tape, g, u, is_exact);
        check_forward(out->data, y, p.n);
        bench_backward(&b, out, dy);
        check_gradient(g->grad, dx, p.n);
        if (u)
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
            for (int form = 0; form < 4; form++)
                check_shape(n, widths[c], form & 1, form & 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(gradients_equal_central_differences)};
    return cmocka_run_group_tests(tests, NULL, print_worst);
}
