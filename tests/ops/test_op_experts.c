/* ls_op_experts against central differences of its formula in double, and its bits row by row. */
#include "op_check.h"

enum { MOST_N = 9, MOST_C = 17, MOST_F = 11, MOST_E = 7, MOST_X = MOST_N * MOST_C };

typedef struct {
    double x[MOST_X], router[MOST_E * MOST_C], dy[MOST_X], y[MOST_X];
    double gate[MOST_E][MOST_F * MOST_C], up[MOST_E][MOST_F * MOST_C],
        down[MOST_E][MOST_C * MOST_F];
    int64_t N, C, F, E, K;
    bool renormalises;
} problem;

static double dot(const double *a, const double *b, int64_t n)
{
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* y += weight * expert(x) */
static void add_expert(double *y, double weight, const double *x, const problem *p, int64_t e)
{
    double h[MOST_F];
    for (int64_t f = 0; f < p->F; f++) {
        double g = dot(x, &p->gate[e][f * p->C], p->C);
        h[f] = g / (1.0 + exp(-g)) * dot(x, &p->up[e][f * p->C], p->C);
    }
    for (int64_t c = 0; c < p->C; c++)
        y[c] += weight * dot(h, &p->down[e][c * p->F], p->F);
}

static void route_row(problem *p, int64_t i)
{
    const double *x = &p->x[i * p->C];
    double prob[MOST_E], total = 0.0, chosen = 0.0;
    int64_t slots[MOST_E];
    for (int64_t e = 0; e < p->E; e++)
        total += prob[e] = exp(dot(x, &p->router[e * p->C], p->C));
    for (int64_t k = 0; k < p->K; k++) {
        slots[k] = -1;
        for (int64_t e = 0; e < p->E; e++) {
            bool is_taken = false;
            for (int64_t j = 0; j < k; j++)
                is_taken |= slots[j] == e;
            if (!is_taken && (slots[k] < 0 || prob[e] > prob[slots[k]]))
                slots[k] = e;
        }
        chosen += prob[slots[k]];
    }
    for (int64_t c = 0; c < p->C; c++)
        p->y[i * p->C + c] = 0.0;
    for (int64_t k = 0; k < p->K; k++)
        add_expert(&p->y[i * p->C], prob[slots[k]] / (p->renormalises ? chosen : total), x, p,
                   slots[k]);
}

static double loss(void *context)
{
    problem *p = context;
    for (int64_t i = 0; i < p->N; i++)
        route_row(p, i);
    return dot(p->y, p->dy, p->N * p->C);
}

typedef struct { /* the same in float, with a bench */
    op_bench b;
    ls_weight router, gate[MOST_E], up[MOST_E], down[MOST_E];
    ls_expert experts[MOST_E];
    ls_experts_config config;
} experts_case;

static ls_weight random_weight(op_bench *b, double *copy, int64_t rows, int64_t cols,
                               uint32_t stream)
{
    float w[MOST_C * MOST_C];
    fill_normal(w, rows * cols, stream, 0.5f);
    to_double(copy, w, rows * cols);
    return bench_weight(b, w, rows, cols);
}

static void open_case(experts_case *t, problem *p, const ls_kernels *k, int n_threads)
{
    op_bench_open(&t->b, k, n_threads);
    t->router = random_weight(&t->b, p->router, p->E, p->C, 10);
    for (int64_t e = 0; e < p->E; e++) {
        uint32_t stream = 20 + 3 * (uint32_t)e;
        t->gate[e] = random_weight(&t->b, p->gate[e], p->F, p->C, stream);
        t->up[e] = random_weight(&t->b, p->up[e], p->F, p->C, stream + 1);
        t->down[e] = random_weight(&t->b, p->down[e], p->C, p->F, stream + 2);
        t->experts[e] = (ls_expert){&t->gate[e], &t->up[e], &t->down[e]};
    }
    t->config = (ls_experts_config){.router = &t->router,
                                    .experts = t->experts,
                                    .E = p->E,
                                    .K = p->K,
                                    .F = p->F,
                                    .renormalises = p->renormalises};
}

static void check_weight(problem *p, const ls_weight *w, double *values)
{
    double expected[MOST_C * MOST_C];
    central_differences(expected, values, w->rows * w->cols, loss, p);
    check_gradient(w->grad, expected, w->rows * w->cols);
}

static void check_shape(int64_t N, int64_t C, int64_t F, int64_t E, int64_t K, bool renormalises)
{
    static problem p;
    static experts_case t;
    float x[MOST_X], dy[MOST_X];
    double dx[MOST_X];
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    p.N = N, p.C = C, p.F = F, p.E = E, p.K = K, p.renormalises = renormalises;
    fill_normal(x, N * C, 1, 1.0f);
    fill_normal(dy, N * C, 2, 1.0f);
    to_double(p.x, x, N * C);
    to_double(p.dy, dy, N * C);
    for (int i = 0; i < n_tables; i++) {
        open_case(&t, &p, tables[i], 1);
        ls_tensor *in = bench_tensor(&t.b, x, N, C);
        ls_tensor *out = ls_op_experts(&t.b.tape, in, &t.config);
        bench_backward(&t.b, out, dy);
        central_differences(dx, p.x, N * C, loss, &p);
        loss(&p);
        check_forward(out->data, p.y, N * C);
        check_gradient(in->grad, dx, N * C);
        check_weight(&p, &t.router, p.router);
        for (int64_t e = 0; e < E; e++) {
            check_weight(&p, &t.gate[e], p.gate[e]);
            check_weight(&p, &t.up[e], p.up[e]);
            check_weight(&p, &t.down[e], p.down[e]);
        }
        op_bench_close(&t.b);
    }
}

static void gradients_equal_central_differences(void **state)
{
    (void)state;
    check_shape(1, 3, 2, 1, 1, false);
    check_shape(1, 5, 4, 4, 2, true);
    check_shape(9, 17, 11, 7, 3, true);
    check_shape(7, 4, 3, 5, 2, false);
    check_shape(3, 16, 8, 3, 3, true);
}

/* Alone, a row goes to the same experts with the same bits, and adds the same to every gradient. */
static void rows_one_by_one_give_the_same_bits(void **state)
{
    (void)state;
    static problem p;
    static experts_case whole, single;
    float x[MOST_X], dy[MOST_X];
    p.N = 9, p.C = 13, p.F = 10, p.E = 6, p.K = 2, p.renormalises = true;
    fill_normal(x, p.N * p.C, 1, 1.0f);
    fill_normal(dy, p.N * p.C, 2, 1.0f);
    open_case(&whole, &p, &ls_kernels_ref, 1);
    ls_tensor *in = bench_tensor(&whole.b, x, p.N, p.C);
    ls_tensor *out = ls_op_experts(&whole.b.tape, in, &whole.config);
    bench_backward(&whole.b, out, dy);
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++) {
        open_case(&single, &p, tables[t], 1 + t);
        size_t bytes = (size_t)p.C * sizeof(float);
        for (int64_t i = 0; i < p.N; i++) {
            ls_tensor *row = bench_tensor(&single.b, x + i * p.C, 1, p.C);
            ls_tensor *y = ls_op_experts(&single.b.tape, row, &single.config);
            assert_memory_equal(y->data, out->data + i * p.C, bytes);
            bench_backward(&single.b, y, dy + i * p.C);
            assert_memory_equal(row->grad, in->grad + i * p.C, bytes);
        }
        size_t matrix = (size_t)(p.F * p.C) * sizeof(float);
        assert_memory_equal(single.router.grad, whole.router.grad, (size_t)p.E * bytes);
        for (int64_t e = 0; e < p.E; e++) {
            assert_memory_equal(single.gate[e].grad, whole.gate[e].grad, matrix);
            assert_memory_equal(single.up[e].grad, whole.up[e].grad, matrix);
            assert_memory_equal(single.down[e].grad, whole.down[e].grad, matrix);
        }
        op_bench_close(&single.b);
    }
    op_bench_close(&whole.b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_equal_central_differences),
        cmocka_unit_test(rows_one_by_one_give_the_same_bits),
    };
    return cmocka_run_group_tests(tests, NULL, print_worst);
}
