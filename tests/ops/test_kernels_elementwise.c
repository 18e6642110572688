/* Norms, rotary positions, SwiGLU, embedding and moves: formulas against double and finite
 * differences, every table against the reference bit for bit, sums over rows cut anywhere. */
#include "kernel_fixture.h"

#include <math.h>
#include "base/vmath.h"

#define N_VALUES 300000

/* --- rmsnorm --- */

static double norm_in_double(const float *x, const float *w, int64_t C, int64_t j, double eps)
{
    double sum = 0;
    for (int64_t i = 0; i < C; i++)
        sum += (double)x[i] * x[i];
    return x[j] / sqrt(sum / (double)C + eps) * w[j];
}

static void rmsnorm_is_close_to_its_formula(void **state)
{
    (void)state;
    ls_device dev = ref_device();
    int64_t N = 5, C = 83;
    float *x = random_floats(N * C, -3, 3), *w = random_floats(C, 0.5f, 1.5f), *y = guarded(N * C),
          *rstd = guarded(N);
    dev.k->rmsnorm(&dev, &(ls_rmsnorm_args){
                             .y = y, .rstd = rstd, .x = x, .w = w, .N = N, .C = C, .eps = 1e-5f});
    for (int64_t i = 0; i < N; i++)
        for (int64_t j = 0; j < C; j++)
            assert_close(y[i * C + j], norm_in_double(x + i * C, w, C, j, 1e-5), 1e-6, 3);
    assert_guard(y, N * C);
    ls_free(x), ls_free(w), ls_free(y), ls_free(rstd);
    ls_device_release(&dev);
}

/* sum_j dy[j] y[j](x, w) in double. */
static double norm_loss(const float *dy, const float *x, const float *w, int64_t C)
{
    double loss = 0;
    for (int64_t j = 0; j < C; j++)
        loss += dy[j] * norm_in_double(x, w, C, j, 1e-5);
    return loss;
}

static void rmsnorm_gradients_agree_with_finite_differences(void **state)
{
    (void)state;
    ls_device dev = ref_device();
    int64_t C = 21;
    float *x = random_floats(C, -2, 2), *w = random_floats(C, 0.5f, 1.5f),
          *dy = random_floats(C, -1, 1);
    float *y = guarded(C), *dx = guarded(C), *dw = guarded(C), rstd[1];
    dev.k->rmsnorm(&dev, &(ls_rmsnorm_args){
                             .y = y, .rstd = rstd, .x = x, .w = w, .N = 1, .C = C, .eps = 1e-5f});
    dev.k->rmsnorm_bwd(
        &dev, &(ls_rmsnorm_bwd_args){
                  .dx = dx, .dw = dw, .dy = dy, .x = x, .w = w, .rstd = rstd, .N = 1, .C = C});
    for (int64_t j = 0; j < C; j++) {
        float *const at[2] = {&x[j], &w[j]}, got[2] = {dx[j], dw[j]};
        for (int k = 0; k < 2; k++) {
            float old = *at[k], step = 0x1p-10f;
            *at[k] = old + step;
            double up = norm_loss(dy, x, w, C);
            *at[k] = old - step;
            double down = norm_loss(dy, x, w, C);
            *at[k] = old;
            assert_close(got[k], (up - down) / (2 * (double)step), 1e-5, 1 + fabs((double)got[k]));
        }
    }
    ls_free(x), ls_free(w), ls_free(dy), ls_free(y), ls_free(dx), ls_free(dw);
    ls_device_release(&dev);
}

typedef struct norm_case {
    ls_rmsnorm_args forward;
    ls_rmsnorm_bwd_args backward;
    const float *dx, *dw; /* before the backward */
} norm_case;

static void check_norm(ls_device *dev, void *context)
{
    const norm_case *t = context;
    int64_t n = t->forward.N * t->forward.C;
    ls_rmsnorm_args f = t->forward;
    f.y = guarded(n), f.rstd = guarded(f.N);
    dev->k->rmsnorm(dev, &f);
    assert_same_bits(f.y, t->forward.y, n);
    assert_same_bits(f.rstd, t->forward.rstd, f.N);
    ls_rmsnorm_bwd_args b = t->backward;
    b.dx = clone(t->dx, n), b.dw = clone(t->dw, f.C);
    dev->k->rmsnorm_bwd(dev, &b);
    assert_same_bits(b.dx, t->backward.dx, n);
    assert_same_bits(b.dw, t->backward.dw, f.C);
    /* Rows one by one, and each gradient alone: the same bits. */
    float *dx = clone(t->dx, n), *dw = clone(t->dw, f.C), *row = b.dx;
    ls_free(b.dw);
    b.N = 1;
    for (int64_t i = 0; i < f.N; i++) {
        b.dy = t->backward.dy + i * f.C, b.x = t->backward.x + i * f.C,
        b.rstd = t->backward.rstd + i;
        memcpy(b.dx, dx + i * f.C, (size_t)f.C * sizeof(float));
        b.dw = NULL;
        dev->k->rmsnorm_bwd(dev, &b);
        memcpy(dx + i * f.C, row, (size_t)f.C * sizeof(float));
        b.dx = NULL, b.dw = dw;
        dev->k->rmsnorm_bwd(dev, &b);
        b.dx = row;
    }
    assert_same_bits(dx, t->backward.dx, n);
    assert_same_bits(dw, t->backward.dw, f.C);
    ls_free(f.y), ls_free(f.rstd), ls_free(row), ls_free(dx), ls_free(dw);
}

static void compare_norm(int64_t N, int64_t C, bool adds_one)
{
    ls_device ref = ref_device();
    int64_t n = N * C;
    float *x = random_floats(n, -2, 2), *w = random_floats(C, 0, 2), *y = guarded(n),
          *rstd = guarded(N);
    float *dy = random_floats(n, -1, 1), *dx = random_floats(n, -1, 1),
          *dw = random_floats(C, -1, 1);
    norm_case t = {.dx = dx, .dw = dw};
    t.forward = (ls_rmsnorm_args){
        .y = y, .rstd = rstd, .x = x, .w = w, .N = N, .C = C, .eps = 1e-5f, .adds_one = adds_one};
    ref.k->rmsnorm(&ref, &t.forward);
    t.backward = (ls_rmsnorm_bwd_args){.dx = clone(dx, n),
                                       .dw = clone(dw, C),
                                       .dy = dy,
                                       .x = x,
                                       .w = w,
                                       .rstd = rstd,
                                       .N = N,
                                       .C = C,
                                       .adds_one = adds_one};
    ref.k->rmsnorm_bwd(&ref, &t.backward);
    for_each_device(check_norm, &t);
    ls_free(x), ls_free(w), ls_free(y), ls_free(rstd), ls_free(dy), ls_free(dx), ls_free(dw);
    ls_free(t.backward.dx), ls_free(t.backward.dw);
    ls_device_release(&ref);
}

static void every_table_norms_with_the_reference_bits(void **state)
{
    (void)state;
    const int64_t widths[] = {1, 5, 15, 16, 17, 33, 128, 130, 576};
    for (size_t i = 0; i < LS_COUNT(widths); i++)
        compare_norm(3, widths[i], i % 2 == 1);
    compare_norm(0, 8, false);
    compare_norm(101, 200, false); /* enough work for all threads */
    compare_norm(500, 37, true);
}

/* --- rope --- */

typedef struct rope_case {
    ls_rope_args args;
    const float *start;
} rope_case;

static void check_rope(ls_device *dev, void *context)
{
    const rope_case *t = context;
    ls_rope_args args = t->args;
    int64_t n = args.N * args.H * args.D;
    args.x = clone(t->start, n);
    dev->k->rope(dev, &args);
    assert_same_bits(args.x, t->args.x, n);
    ls_free(args.x);
}

static void compare_rope(int64_t N, int64_t H, int64_t D, int64_t R, bool inverse)
{
    ls_device ref = ref_device();
    enum { POSITIONS = 50 };
    float *start = random_floats(N * H * D, -1, 1), *cosine = guarded(POSITIONS * R / 2);
    float *sine = guarded(POSITIONS * R / 2);
    int32_t pos[600];
    for (int64_t i = 0; i < N; i++)
        pos[i] = (int32_t)between(0, POSITIONS - 1);
    for (int64_t p = 0; p < POSITIONS; p++)
        for (int64_t i = 0; i < R / 2; i++)
            ls_sincosf(&sine[p * (R / 2) + i], &cosine[p * (R / 2) + i],
                       (double)p * pow(10000, -2.0 * (double)i / (double)R));
    rope_case t = {.start = start,
                   .args = {.x = clone(start, N * H * D),
                            .cos = cosine,
                            .sin = sine,
                            .pos = pos,
                            .N = N,
                            .H = H,
                            .D = D,
                            .R = R,
                            .inverse = inverse}};
    ref.k->rope(&ref, &t.args);
    for_each_device(check_rope, &t);
    ls_free(start), ls_free(cosine), ls_free(sine), ls_free(t.args.x);
    ls_device_release(&ref);
}

static void every_table_rotates_with_the_reference_bits(void **state)
{
    (void)state;
    compare_rope(7, 3, 8, 8, false);
    compare_rope(7, 2, 32, 32, true);
    compare_rope(5, 3, 64, 64, false);
    compare_rope(5, 3, 80, 20, true); /* a part of the head */
    compare_rope(4, 1, 128, 96, false);
    compare_rope(600, 4, 16, 16, false);
}

static void rope_turns_pairs_and_inverse_turns_them_back(void **state)
{
    (void)state;
    ls_device dev = ref_device();
    const float cosine[] = {1, 0, 0.6f}, sine[] = {0, 1, 0.8f};
    const int32_t pos[] = {1, 2};
    float x[] = {1, 2, 9, 3, 4, 9}; /* two rows, one head of 3, the first 2 rotate */
    ls_rope_args args = {
        .x = x, .cos = cosine, .sin = sine, .pos = pos, .N = 2, .H = 1, .D = 3, .R = 2};
    dev.k->rope(&dev, &args);
    assert_true(x[0] == -2 && x[1] == 1 && x[2] == 9);
    assert_close(x[3], 3 * 0.6 - 4 * 0.8, 1e-6, 5);
    assert_close(x[4], 4 * 0.6 + 3 * 0.8, 1e-6, 5);
    args.inverse = true;
    dev.k->rope(&dev, &args);
    assert_true(x[0] == 1 && x[1] == 2);
    assert_close(x[3], 3, 1e-6, 5);
    assert_close(x[4], 4, 1e-6, 5);
    ls_device_release(&dev);
}

/* --- swiglu --- */

static void swiglu_gradients_agree_with_finite_differences(void **state)
{
    (void)state;
    ls_device dev = ref_device();
    for (int i = 0; i < 200; i++) {
        float gate = uniform(-8, 8), up = uniform(-2, 2), dy = uniform(-1, 1), dgate = 0, dup = 0,
              y;
        dev.k->swiglu(&dev, &(ls_swiglu_args){.y = &y, .gate = &gate, .up = &up, .n = 1});
        assert_close(y, gate / (1 + exp(-(double)gate)) * up, 1e-6, fabs((double)gate * up));
        dev.k->swiglu_bwd(
            &dev, &(ls_swiglu_bwd_args){
                      .dgate = &dgate, .dup = &dup, .dy = &dy, .gate = &gate, .up = &up, .n = 1});
        double h = 1e-5, up_side = (gate + h) / (1 + exp(-(gate + h))),
               down = (gate - h) / (1 + exp(-(gate - h)));
        assert_close(dgate, dy * up * (up_side - down) / (2 * h), 1e-5, 2);
        assert_close(dup, dy * gate / (1 + exp(-(double)gate)), 1e-6, 8);
    }
    ls_device_release(&dev);
}

typedef struct swiglu_case {
    const float *gate, *up, *dy, *start, *y, *dgate, *dup;
    int64_t n;
} swiglu_case;

static void check_swiglu(ls_device *dev, void *context)
{
    const swiglu_case *t = context;
    float *y = guarded(t->n), *dgate = clone(t->start, t->n), *dup = clone(t->start, t->n);
    dev->k->swiglu(dev, &(ls_swiglu_args){.y = y, .gate = t->gate, .up = t->up, .n = t->n});
    dev->k->swiglu_bwd(
        dev, &(ls_swiglu_bwd_args){
                 .dgate = dgate, .dup = dup, .dy = t->dy, .gate = t->gate, .up = t->up, .n = t->n});
    assert_same_bits(y, t->y, t->n);
    assert_same_bits(dgate, t->dgate, t->n);
    assert_same_bits(dup, t->dup, t->n);
    ls_free(y), ls_free(dgate), ls_free(dup);
}

/* With gates from the whole range of float this also compares exp and sigmoid lane by lane. */
static void compare_swiglu(int64_t n, const float *gate)
{
    ls_device ref = ref_device();
    float *up = random_floats(n, -1, 1), *dy = random_floats(n, -1, 1),
          *start = random_floats(n, -1, 1);
    float *y = guarded(n), *dgate = clone(start, n), *dup = clone(start, n);
    ref.k->swiglu(&ref, &(ls_swiglu_args){.y = y, .gate = gate, .up = up, .n = n});
    ref.k->swiglu_bwd(&ref,
                      &(ls_swiglu_bwd_args){
                          .dgate = dgate, .dup = dup, .dy = dy, .gate = gate, .up = up, .n = n});
    swiglu_case t = {.gate = gate,
                     .up = up,
                     .dy = dy,
                     .start = start,
                     .y = y,
                     .dgate = dgate,
                     .dup = dup,
                     .n = n};
    for_each_device(check_swiglu, &t);
    ls_free(up), ls_free(dy), ls_free(start), ls_free(y), ls_free(dgate), ls_free(dup);
    ls_device_release(&ref);
}

static void every_table_gates_with_the_reference_bits(void **state)
{
    (void)state;
    float *gate = random_floats(N_VALUES, -95, 95);
    const int64_t sizes[] = {0, 1, 15, 16, 17, 31, 1023, 1025, 50001};
    for (size_t i = 0; i < LS_COUNT(sizes); i++)
        compare_swiglu(sizes[i], gate);
    compare_swiglu(N_VALUES, gate);
    /* Finite floats of every magnitude. */
    for (int64_t i = 0; i < N_VALUES; i++) {
        gate[i] = ldexpf(uniform(-2, 2), (int)between(-126, 100));
    }
    compare_swiglu(N_VALUES, gate);
    ls_free(gate);
}

/* --- embedding, add, copy, zero --- */

typedef struct embed_case {
    const float *table, *dy, *y, *start, *dtable;
    const int32_t *ids;
    int64_t N, V, C;
} embed_case;

static void check_embed(ls_device *dev, void *context)
{
    const embed_case *t = context;
    float *y = guarded(t->N * t->C), *dtable = clone(t->start, t->V * t->C);
    dev->k->embed(
        dev, &(ls_embed_args){
                 .y = y, .table = t->table, .ids = t->ids, .N = t->N, .C = t->C, .scale = 1.7f});
    assert_same_bits(y, t->y, t->N * t->C);
    /* The rows in two calls: the chain over equal ids goes on. */
    int64_t half = t->N / 2;
    ls_embed_bwd_args args = {
        .dtable = dtable, .dy = t->dy, .ids = t->ids, .N = half, .C = t->C, .scale = 1.7f};
    dev->k->embed_bwd(dev, &args);
    args.dy += half * t->C, args.ids += half, args.N = t->N - half;
    dev->k->embed_bwd(dev, &args);
    assert_same_bits(dtable, t->dtable, t->V * t->C);
    ls_free(y), ls_free(dtable);
}

static void compare_embed(int64_t N, int64_t V, int64_t C)
{
    ls_device ref = ref_device();
    float *table = random_floats(V * C, -1, 1), *dy = random_floats(N * C, -1, 1),
          *start = random_floats(V * C, -1, 1);
    float *y = guarded(N * C), *dtable = clone(start, V * C);
    int32_t *ids = ls_malloc((size_t)N * sizeof *ids);
    for (int64_t i = 0; i < N; i++)
        ids[i] = (int32_t)between(0, V - 1);
    ref.k->embed(
        &ref, &(ls_embed_args){.y = y, .table = table, .ids = ids, .N = N, .C = C, .scale = 1.7f});
    ref.k->embed_bwd(&ref,
                     &(ls_embed_bwd_args){
                         .dtable = dtable, .dy = dy, .ids = ids, .N = N, .C = C, .scale = 1.7f});
    embed_case t = {.table = table,
                    .dy = dy,
                    .y = y,
                    .start = start,
                    .dtable = dtable,
                    .ids = ids,
                    .N = N,
                    .V = V,
                    .C = C};
    for_each_device(check_embed, &t);
    ls_free(table), ls_free(dy), ls_free(start), ls_free(y), ls_free(dtable), ls_free(ids);
    ls_device_release(&ref);
}

static void every_table_embeds_with_the_reference_bits(void **state)
{
    (void)state;
    compare_embed(9, 4, 1);
    compare_embed(20, 3, 19);
    compare_embed(300, 11, 128);
    compare_embed(1, 2, 16);
}

static void check_moves(ls_device *dev, void *context)
{
    (void)context;
    const int64_t sizes[] = {0, 1, 16, 37, 1024, 100003};
    for (size_t s = 0; s < LS_COUNT(sizes); s++) {
        int64_t n = sizes[s];
        float *a = random_floats(n, -1, 1), *b = random_floats(n, -1, 1), *y = guarded(n),
              *expected = guarded(n);
        for (int64_t i = 0; i < n; i++)
            expected[i] = a[i] + b[i];
        dev->k->add(dev, y, a, b, n);
        assert_same_bits(y, expected, n);
        dev->k->copy(dev, y, a, n);
        assert_same_bits(y, a, n);
        dev->k->add(dev, y, y, b, n); /* in place */
        assert_same_bits(y, expected, n);
        dev->k->zero(dev, y, n);
        for (int64_t i = 0; i < n; i++)
            assert_true(y[i] == 0);
        assert_guard(y, n);
        ls_free(a), ls_free(b), ls_free(y), ls_free(expected);
    }
}

typedef struct rows_case {
    int64_t N, C;
} rows_case;

/* Rows with something between them: columns copied out of wider rows and added into them. */
static void check_rows(ls_device *dev, void *context)
{
    const rows_case *t = context;
    int64_t n = t->N * t->C, wide = t->C + 5;
    float *x = random_floats(n, -1, 1), *b = random_floats(t->C, -1, 1), *y = clone(x, n),
          *expected = clone(x, n), *db = clone(b, t->C), *sum = clone(b, t->C),
          *rows = random_floats(t->N * wide, -1, 1), *added = clone(rows, t->N * wide);
    for (int64_t i = 0; i < n; i++) {
        expected[i] = x[i] + b[i % t->C];
        sum[i % t->C] = sum[i % t->C] + x[i];
        float *to = &added[i / t->C * wide + 3 + i % t->C];
        *to = *to + x[i];
    }
    dev->k->add_row(dev, &(ls_add_row_args){.y = y, .b = b, .N = t->N, .C = t->C});
    assert_same_bits(y, expected, n);
    dev->k->add_row_bwd(dev, &(ls_add_row_bwd_args){.db = db, .dy = x, .N = t->N, .C = t->C});
    assert_same_bits(db, sum, t->C);
    ls_copy_columns_args columns = {
        .y = rows + 3, .x = x, .N = t->N, .C = t->C, .ldy = wide, .ldx = t->C, .accumulate = true};
    dev->k->copy_columns(dev, &columns);
    assert_same_bits(rows, added, t->N * wide);
    columns = (ls_copy_columns_args){
        .y = y, .x = rows + 3, .N = t->N, .C = t->C, .ldy = t->C, .ldx = wide};
    dev->k->copy_columns(dev, &columns);
    for (int64_t i = 0; i < n; i++)
        assert_true(y[i] == added[i / t->C * wide + 3 + i % t->C]);
    assert_guard(y, n);
    dev->k->scale(dev, &(ls_scale_args){.y = y, .x = x, .n = n, .s = 0.3f});
    for (int64_t i = 0; i < n; i++)
        expected[i] = x[i] * 0.3f;
    assert_same_bits(y, expected, n);
    dev->k->scale(dev, &(ls_scale_args){.y = y, .x = x, .n = n, .s = -7, .accumulate = true});
    for (int64_t i = 0; i < n; i++)
        expected[i] = expected[i] + x[i] * -7.0f;
    assert_same_bits(y, expected, n);
    ls_free(x), ls_free(b), ls_free(y), ls_free(expected), ls_free(db), ls_free(sum), ls_free(rows),
        ls_free(added);
}

static void every_table_moves_and_scales_rows_alike(void **state)
{
    (void)state;
    const rows_case cases[] = {{0, 3}, {1, 1}, {7, 15}, {3, 16}, {5, 33}, {700, 41}};
    ls_device ref = ref_device();
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        rows_case t = cases[i];
        check_rows(&ref, &t);
        for_each_device(check_rows, &t);
    }
    ls_device_release(&ref);
}

static void add_copy_and_zero_do_just_that(void **state)
{
    (void)state;
    ls_device ref = ref_device();
    check_moves(&ref, NULL);
    ls_device_release(&ref);
    for_each_device(check_moves, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rmsnorm_is_close_to_its_formula),
        cmocka_unit_test(rmsnorm_gradients_agree_with_finite_differences),
        cmocka_unit_test(every_table_norms_with_the_reference_bits),
        cmocka_unit_test(rope_turns_pairs_and_inverse_turns_them_back),
        cmocka_unit_test(every_table_rotates_with_the_reference_bits),
        cmocka_unit_test(swiglu_gradients_agree_with_finite_differences),
        cmocka_unit_test(every_table_gates_with_the_reference_bits),
        cmocka_unit_test(every_table_embeds_with_the_reference_bits),
        cmocka_unit_test(every_table_moves_and_scales_rows_alike),
        cmocka_unit_test(add_copy_and_zero_do_just_that),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
