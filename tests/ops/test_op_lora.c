/* The low-rank term of ls_op_linear: formula and central differences in double, splits, the switch.
 * */
#include "op_check.h"

enum { N = 7, IN = 19, OUT = 21, R = 3 };

static const float SCALE = 0.75f;

typedef struct {
    double x[N * IN], w[OUT * IN], a[R * IN], b[OUT * R], y[N * OUT];
    const float *dy;
} formula;

static double loss(void *context)
{
    formula *f = context;
    double sum = 0;
    for (int i = 0; i < N; i++)
        for (int o = 0; o < OUT; o++) {
            double y = 0;
            for (int k = 0; k < IN; k++)
                y += f->x[i * IN + k] * f->w[o * IN + k];
            for (int r = 0; r < R; r++) {
                double u = 0;
                for (int k = 0; k < IN; k++)
                    u += f->x[i * IN + k] * f->a[r * IN + k];
                y += (double)SCALE * u * f->b[o * R + r];
            }
            f->y[i * OUT + o] = y;
            sum += y * (double)f->dy[i * OUT + o];
        }
    return sum;
}

typedef struct {
    ls_weight w, a, b;
    ls_lora lora;
} layer;

/* A frozen matrix with a trained pair. */
static void open_layer(layer *l, op_bench *b, const float *w, const float *a, const float *bb)
{
    l->w = bench_weight(b, w, OUT, IN);
    l->w.grad = NULL;
    l->w.is_trainable = false;
    l->a = bench_weight(b, a, R, IN);
    l->b = bench_weight(b, bb, OUT, R);
    l->lora = (ls_lora){.a = &l->a, .b = &l->b, .scale = SCALE};
    l->w.lora = &l->lora;
}

typedef struct {
    float x[N * IN], w[OUT * IN], a[R * IN], b[OUT * R], dy[N * OUT];
} inputs;

static void fill(inputs *in)
{
    fill_normal(in->x, N * IN, 1, 1.0f);
    fill_normal(in->w, OUT * IN, 2, 0.5f);
    fill_normal(in->a, R * IN, 3, 0.5f);
    fill_normal(in->b, OUT * R, 4, 0.5f);
    fill_normal(in->dy, N * OUT, 5, 1.0f);
}

static void product_and_gradients_equal_the_formula_and_its_differences(void **state)
{
    (void)state;
    static inputs in;
    static formula f;
    double dx[N * IN], da[R * IN], db[OUT * R];
    fill(&in);
    to_double(f.x, in.x, N * IN);
    to_double(f.w, in.w, OUT * IN);
    to_double(f.a, in.a, R * IN);
    to_double(f.b, in.b, OUT * R);
    f.dy = in.dy;
    central_differences(dx, f.x, N * IN, loss, &f);
    central_differences(da, f.a, R * IN, loss, &f);
    central_differences(db, f.b, OUT * R, loss, &f);
    (void)loss(&f);
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++) {
        op_bench b;
        layer l;
        op_bench_open(&b, tables[t], 1);
        open_layer(&l, &b, in.w, in.a, in.b);
        ls_tensor *x = bench_tensor(&b, in.x, N, IN), *y = ls_op_linear(&b.tape, x, &l.w);
        check_forward(y->data, f.y, N * OUT);
        bench_backward(&b, y, in.dy);
        check_gradient(x->grad, dx, N * IN);
        check_gradient(l.a.grad, da, R * IN);
        check_gradient(l.b.grad, db, OUT * R);
        op_bench_close(&b);
    }
}

/* An input that nothing upstream trains (the first layer of a frozen model) gets no gradient; the
 * pair gets its own all the same. */
static void an_input_without_gradient_leaves_those_of_the_pair(void **state)
{
    (void)state;
    static inputs in;
    float da[R * IN], db[OUT * R];
    fill(&in);
    for (int needs = 1; needs >= 0; needs--) {
        op_bench b;
        layer l;
        op_bench_open(&b, &ls_kernels_ref, 1);
        open_layer(&l, &b, in.w, in.a, in.b);
        ls_tensor *x = bench_tensor(&b, in.x, N, IN);
        x->needs_grad = needs;
        bench_backward(&b, ls_op_linear(&b.tape, x, &l.w), in.dy);
        assert_true((x->grad != NULL) == (needs == 1));
        if (needs) {
            memcpy(da, l.a.grad, sizeof da);
            memcpy(db, l.b.grad, sizeof db);
        } else {
            assert_memory_equal(da, l.a.grad, sizeof da);
            assert_memory_equal(db, l.b.grad, sizeof db);
        }
        op_bench_close(&b);
    }
}

static void rows_and_gradients_do_not_depend_on_where_a_batch_is_cut(void **state)
{
    (void)state;
    static inputs in;
    float y[N * OUT], da[R * IN], db[OUT * R];
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    fill(&in);
    for (int t = 0; t < n_tables; t++)
        for (int cut = 0; cut < N; cut++) {
            op_bench b;
            layer l;
            float out[N * OUT];
            op_bench_open(&b, tables[t], 1);
            open_layer(&l, &b, in.w, in.a, in.b);
            for (int first = 0, n = cut; first < N; first += n, n = N - cut) {
                if (n == 0)
                    continue;
                ls_tensor *x = bench_tensor(&b, in.x + first * IN, n, IN);
                ls_tensor *part = ls_op_linear(&b.tape, x, &l.w);
                memcpy(out + first * OUT, part->data, (size_t)(n * OUT) * sizeof *out);
                bench_backward(&b, part, in.dy + first * OUT);
            }
            if (t == 0 && cut == 0) {
                memcpy(y, out, sizeof y);
                memcpy(da, l.a.grad, sizeof da);
                memcpy(db, l.b.grad, sizeof db);
            }
            assert_memory_equal(y, out, sizeof y);
            assert_memory_equal(da, l.a.grad, sizeof da);
            assert_memory_equal(db, l.b.grad, sizeof db);
            op_bench_close(&b);
        }
}

static void a_pair_that_is_skipped_is_as_if_it_were_not_there(void **state)
{
    (void)state;
    static inputs in;
    fill(&in);
    op_bench b;
    layer l;
    op_bench_open(&b, &ls_kernels_ref, 1);
    open_layer(&l, &b, in.w, in.a, in.b);
    ls_weight alone = l.w;
    alone.lora = NULL;
    b.tape.is_recording = false;
    ls_tensor *x = bench_tensor(&b, in.x, N, IN);
    ls_tensor *with = ls_op_linear(&b.tape, x, &l.w), *want = ls_op_linear(&b.tape, x, &alone);
    b.tape.skips_lora = true;
    ls_tensor *without = ls_op_linear(&b.tape, x, &l.w);
    assert_memory_equal(without->data, want->data, N * OUT * sizeof(float));
    assert_memory_not_equal(with->data, want->data, N * OUT * sizeof(float));
    op_bench_close(&b);
}

/* Scores of a model whose B is still zero are those of the model underneath, bit for bit. */
static void a_pair_with_a_zero_b_changes_no_bit(void **state)
{
    (void)state;
    static inputs in;
    fill(&in);
    memset(in.b, 0, sizeof in.b);
    op_bench b;
    layer l;
    op_bench_open(&b, &ls_kernels_ref, 1);
    open_layer(&l, &b, in.w, in.a, in.b);
    ls_tensor *x = bench_tensor(&b, in.x, N, IN), *with = ls_op_linear(&b.tape, x, &l.w);
    b.tape.skips_lora = true;
    ls_tensor *without = ls_op_linear(&b.tape, x, &l.w);
    assert_memory_equal(without->data, with->data, N * OUT * sizeof(float));
    op_bench_close(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(product_and_gradients_equal_the_formula_and_its_differences),
        cmocka_unit_test(an_input_without_gradient_leaves_those_of_the_pair),
        cmocka_unit_test(rows_and_gradients_do_not_depend_on_where_a_batch_is_cut),
        cmocka_unit_test(a_pair_that_is_skipped_is_as_if_it_were_not_there),
        cmocka_unit_test(a_pair_with_a_zero_b_changes_no_bit),
    };
    return cmocka_run_group_tests(tests, NULL, print_worst);
}
