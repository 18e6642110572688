/* The small ops of a branch together: columns of a product with bias, scaled, added to the residual
 * stream that the product read:
 *     y = x + s * columns(x W^T + b)
 * against central differences in double.  Each op's gradient passes through the others, and the
 * addition hands its gradient on without a copy, which bias and scale must respect. */
#include "op_check.h"

enum { MOST = 7 * 30, MOST_W = 60 * 30 };

typedef struct {
    double x[MOST], w[MOST_W], b[60], dy[MOST], y[MOST];
    int64_t N, P,
        C; /* x (N,P*C); W (2*P*C, P*C); the second half of each of the P parts is taken */
} problem;

static double loss(void *context)
{
    problem *p = context;
    double sum = 0.0;
    int64_t width = p->P * p->C;
    for (int64_t i = 0; i < p->N; i++)
        for (int64_t j = 0; j < width; j++) {
            int64_t row = j / p->C * 2 * p->C + p->C + j % p->C;
            double dot = p->b[row];
            for (int64_t k = 0; k < width; k++)
                dot += p->x[i * width + k] * p->w[row * width + k];
            p->y[i * width + j] = p->x[i * width + j] + 0.75 * dot;
            sum += p->y[i * width + j] * p->dy[i * width + j];
        }
    return sum;
}

static void check_shape(int64_t N, int64_t P, int64_t C)
{
    static problem p;
    static float x[MOST], w[MOST_W], bias[60], dy[MOST];
    static double dx[MOST], dw[MOST_W], db[60], y[MOST];
    int64_t width = P * C;
    p.N = N, p.P = P, p.C = C;
    fill_normal(x, N * width, 1, 1.0f);
    fill_normal(w, 2 * width * width, 2, 0.3f);
    fill_normal(bias, 2 * width, 3, 1.0f);
    fill_normal(dy, N * width, 4, 1.0f);
    to_double(p.x, x, N * width);
    to_double(p.w, w, 2 * width * width);
    to_double(p.b, bias, 2 * width);
    to_double(p.dy, dy, N * width);
    central_differences(dx, p.x, N * width, loss, &p);
    central_differences(dw, p.w, 2 * width * width, loss, &p);
    central_differences(db, p.b, 2 * width, loss, &p);
    loss(&p);
    memcpy(y, p.y, sizeof y);
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++) {
        op_bench b;
        op_bench_open(&b, tables[t], 1);
        ls_weight matrix = bench_weight(&b, w, 2 * width, width);
        ls_weight shift = bench_weight(&b, bias, 1, 2 * width);
        ls_tensor *in = bench_tensor(&b, x, N, width);
        ls_tensor *product = ls_op_bias(&b.tape, ls_op_linear(&b.tape, in, &matrix), &shift);
        ls_tensor *part = ls_op_columns(&b.tape, product, P, C, C);
        ls_tensor *out = ls_op_add(&b.tape, in, ls_op_scale(&b.tape, part, 0.75f));
        check_forward(out->data, y, N * width);
        bench_backward(&b, out, dy);
        check_gradient(in->grad, dx, N * width);
        check_gradient(matrix.grad, dw, 2 * width * width);
        check_gradient(shift.grad, db, 2 * width);
        op_bench_close(&b);
    }
}

static void gradients_equal_central_differences(void **state)
{
    (void)state;
    check_shape(1, 1, 1);
    check_shape(2, 1, 3);
    check_shape(7, 3, 5);
    check_shape(3, 1, 17);
    check_shape(5, 2, 15);
}

/* The bias alone is trained: the product's output had no gradient before. */
static void a_bias_on_a_frozen_product_gets_its_gradient(void **state)
{
    (void)state;
    op_bench b;
    op_bench_open(&b, &ls_kernels_ref, 1);
    const float w[6] = {1, 2, 3, 4, 5, 6}, x[4] = {1, 0, 0, 1}, bias[3] = {1, 1, 1},
                dy[6] = {1, 2, 3, 4, 5, 6};
    ls_weight matrix = bench_weight(&b, w, 3, 2), shift = bench_weight(&b, bias, 1, 3);
    matrix.grad = NULL;
    ls_tensor *in = bench_tensor(&b, x, 2, 2);
    in->needs_grad = false;
    ls_tensor *y = ls_op_bias(&b.tape, ls_op_linear(&b.tape, in, &matrix), &shift);
    const float expected[6] = {2, 4, 6, 3, 5, 7}, db[3] = {5, 7, 9};
    assert_memory_equal(y->data, expected, sizeof expected);
    bench_backward(&b, y, dy);
    assert_memory_equal(shift.grad, db, sizeof db);
    assert_null(in->grad);
    op_bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_equal_central_differences),
        cmocka_unit_test(a_bias_on_a_frozen_product_gets_its_gradient),
    };
    return cmocka_run_group_tests(tests, NULL, print_worst);
}
