/* ls_op_add and ls_op_block: gradients of a residual stack in double, and exact equality of all
 * ways to run it. */
#include "op_check.h"

enum { N = 5, C = 6, F = 7, LAYERS = 3 };

typedef struct { /* x + down(silu(gate(norm x)) * up(norm x)) */
    ls_weight norm, gate, up, down;
} layer;

static ls_tensor *residual_body(ls_tape *tape, ls_tensor *x, void *context)
{
    layer *l = *(layer **)context;
    ls_tensor *n = ls_op_rmsnorm(tape, x, &l->norm, 1e-3f);
    ls_tensor *gate = ls_op_linear(tape, n, &l->gate), *up = ls_op_linear(tape, n, &l->up);
    ls_tensor *f = ls_op_swiglu(tape, gate, up);
    return ls_op_add(tape, x, ls_op_linear(tape, f, &l->down));
}

/* A body without a residual stream: the gradient of x is a buffer of its own. */
static ls_tensor *norm_body(ls_tape *tape, ls_tensor *x, void *context)
{
    layer *l = *(layer **)context;
    return ls_op_rmsnorm(tape, x, &l->norm, 1e-3f);
}

static float inputs[N * C], seeds[N * C], norms[LAYERS][C], gates[LAYERS][F * C],
    ups[LAYERS][F * C], downs[LAYERS][C * F];

static void fill_inputs(void)
{
    fill_normal(inputs, N * C, 1, 1.0f);
    fill_normal(seeds, N * C, 2, 1.0f);
    for (uint32_t l = 0; l < LAYERS; l++) {
        fill_normal(norms[l], C, 10 + l, 1.0f);
        fill_normal(gates[l], F * C, 20 + l, 0.5f);
        fill_normal(ups[l], F * C, 30 + l, 0.5f);
        fill_normal(downs[l], C * F, 40 + l, 0.5f);
    }
}

typedef enum { PLAIN, KEPT_BLOCKS, RECOMPUTED_BLOCKS } way;

typedef struct { /* everything that must not depend on the way */
    float y[N * C], dx[N * C];
    float dnorm[LAYERS][C], dgate[LAYERS][F * C], dup[LAYERS][F * C], ddown[LAYERS][C * F];
} outcome;

/* Runs the stack and its backward; returns the peak of the pass arena. */
static size_t run(outcome *out, const ls_kernels *k, ls_block_fn *body, way how)
{
    op_bench b;
    op_bench_open(&b, k, 1);
    b.tape.recomputes_blocks = how == RECOMPUTED_BLOCKS;
    layer layers[LAYERS];
    ls_tensor *x = bench_tensor(&b, inputs, N, C), *y = x;
    for (int l = 0; l < LAYERS; l++) {
        layers[l] = (layer){.norm = bench_weight(&b, norms[l], 1, C),
                            .gate = bench_weight(&b, gates[l], F, C),
                            .up = bench_weight(&b, ups[l], F, C),
                            .down = bench_weight(&b, downs[l], C, F)};
        layer *context = &layers[l];
        y = how == PLAIN ? body(&b.tape, y, &context)
                         : ls_op_block(&b.tape, y, body, &context, sizeof context);
    }
    memcpy(out->y, y->data, sizeof out->y);
    bench_backward(&b, y, seeds);
    memcpy(out->dx, x->grad, sizeof out->dx);
    for (int l = 0; l < LAYERS; l++) {
        memcpy(out->dnorm[l], layers[l].norm.grad, sizeof out->dnorm[l]);
        memcpy(out->dgate[l], layers[l].gate.grad, sizeof out->dgate[l]);
        memcpy(out->dup[l], layers[l].up.grad, sizeof out->dup[l]);
        memcpy(out->ddown[l], layers[l].down.grad, sizeof out->ddown[l]);
    }
    size_t peak = b.pass.peak;
    op_bench_close(&b);
    return peak;
}

typedef struct {
    double x[N * C], y[N * C], dy[N * C];
    double norm[LAYERS][C], gate[LAYERS][F * C], up[LAYERS][F * C], down[LAYERS][C * F];
} problem;

static void layer_row(double *y, const problem *p, int l)
{
    double n[C], f[F], squares = 0.0;
    for (int j = 0; j < C; j++)
        squares += y[j] * y[j];
    for (int j = 0; j < C; j++)
        n[j] = y[j] / sqrt(squares / C + (double)1e-3f) * p->norm[l][j];
    for (int i = 0; i < F; i++) {
        double gate = 0.0, up = 0.0;
        for (int j = 0; j < C; j++) {
            gate += p->gate[l][i * C + j] * n[j];
            up += p->up[l][i * C + j] * n[j];
        }
        f[i] = gate / (1.0 + exp(-gate)) * up;
    }
    for (int j = 0; j < C; j++)
        for (int i = 0; i < F; i++)
            y[j] += p->down[l][j * F + i] * f[i];
}

static double loss(void *context)
{
    problem *p = context;
    double sum = 0.0;
    memcpy(p->y, p->x, sizeof p->y);
    for (int i = 0; i < N; i++)
        for (int l = 0; l < LAYERS; l++)
            layer_row(p->y + i * C, p, l);
    for (int i = 0; i < N * C; i++)
        sum += p->y[i] * p->dy[i];
    return sum;
}

static void residual_stack_has_the_gradients_of_the_formula(void **state)
{
    (void)state;
    static problem p;
    static outcome out;
    double d[F * C];
    fill_inputs();
    to_double(p.x, inputs, N * C);
    to_double(p.dy, seeds, N * C);
    to_double(p.norm[0], norms[0], LAYERS * C);
    to_double(p.gate[0], gates[0], LAYERS * F * C);
    to_double(p.up[0], ups[0], LAYERS * F * C);
    to_double(p.down[0], downs[0], LAYERS * C * F);
    run(&out, &ls_kernels_ref, residual_body, PLAIN);
    central_differences(d, p.x, N * C, loss, &p);
    check_gradient(out.dx, d, N * C);
    for (int l = 0; l < LAYERS; l++) {
        central_differences(d, p.norm[l], C, loss, &p);
        check_gradient(out.dnorm[l], d, C);
        central_differences(d, p.gate[l], F * C, loss, &p);
        check_gradient(out.dgate[l], d, F * C);
        central_differences(d, p.up[l], F * C, loss, &p);
        check_gradient(out.dup[l], d, F * C);
        central_differences(d, p.down[l], C * F, loss, &p);
        check_gradient(out.ddown[l], d, C * F);
    }
    loss(&p);
    check_forward(out.y, p.y, N * C);
}

static void check_ways_agree(ls_block_fn *body)
{
    static outcome plain, kept, recomputed;
    fill_inputs();
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++) {
        run(&plain, tables[t], body, PLAIN);
        run(&kept, tables[t], body, KEPT_BLOCKS);
        run(&recomputed, tables[t], body, RECOMPUTED_BLOCKS);
        assert_memory_equal(&plain, &kept, sizeof plain);
        assert_memory_equal(&plain, &recomputed, sizeof plain);
    }
}

static void blocks_change_no_bit_of_a_residual_stack(void **state)
{
    (void)state;
    check_ways_agree(residual_body);
}

static void blocks_change_no_bit_without_a_residual_stream(void **state)
{
    (void)state;
    check_ways_agree(norm_body);
}

static void recomputation_needs_less_memory(void **state)
{
    (void)state;
    static outcome out;
    fill_inputs();
    size_t plain = run(&out, &ls_kernels_ref, residual_body, PLAIN);
    size_t kept = run(&out, &ls_kernels_ref, residual_body, KEPT_BLOCKS);
    size_t recomputed = run(&out, &ls_kernels_ref, residual_body, RECOMPUTED_BLOCKS);
    print_message("peak bytes of a pass: plain %zu, blocks %zu, recomputed %zu\n", plain, kept,
                  recomputed);
    assert_true(kept < plain);
    assert_true(recomputed < kept);
}

/* Scoring: each block writes over its input, so depth costs no memory. */
static void unrecorded_blocks_take_the_memory_of_one(void **state)
{
    (void)state;
    fill_inputs();
    op_bench b;
    op_bench_open(&b, &ls_kernels_ref, 1);
    layer l = {.norm = bench_weight(&b, norms[0], 1, C),
               .gate = bench_weight(&b, gates[0], F, C),
               .up = bench_weight(&b, ups[0], F, C),
               .down = bench_weight(&b, downs[0], C, F)};
    layer *context = &l;
    ls_tensor *expected = residual_body(&b.tape, bench_tensor(&b, inputs, N, C), &context);
    b.tape.is_recording = false;
    ls_tensor *x = bench_tensor(&b, inputs, N, C);
    size_t before = b.pass.used;
    ls_tensor *y = ls_op_block(&b.tape, x, residual_body, &context, sizeof context);
    assert_ptr_equal(x, y);
    assert_int_equal(b.pass.used, before);
    assert_memory_equal(y->data, expected->data, N * C * sizeof(float));
    op_bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(residual_stack_has_the_gradients_of_the_formula),
        cmocka_unit_test(blocks_change_no_bit_of_a_residual_stack),
        cmocka_unit_test(blocks_change_no_bit_without_a_residual_stream),
        cmocka_unit_test(recomputation_needs_less_memory),
        cmocka_unit_test(unrecorded_blocks_take_the_memory_of_one),
    };
    return cmocka_run_group_tests(tests, NULL, print_worst);
}
