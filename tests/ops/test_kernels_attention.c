/* Attention over pages: the reference against double and finite differences, every table against
 * the reference bit for bit, and rows whose bits do not depend on how their sequence is cut. */
#include "kernel_fixture.h"

#include <math.h>

/* A few sequences with random q, k, v, packed one after the other, and pages that hold garbage
 * where nothing was stored. */
typedef struct world {
    int64_t n_seqs, H, G, D, N, window;
    float scale, softcap;
    float *q, *k, *v, *dout;
    float *o, *lse, *dq, *dk, *dv; /* of the reference; gradients start from `start` */
    float *start;
    float **pages, *store; /* pages of all sequences; their memory */
    int64_t store_floats;
    ls_attention_seq *seqs;
} world;

static int64_t pages_of(int64_t n_positions)
{
    return (n_positions + LS_KV_PAGE - 1) / LS_KV_PAGE;
}

static world make_world(int64_t n_seqs, const int64_t *lengths, int64_t H, int64_t G, int64_t D,
                        int64_t window)
{
    world w = {
        .n_seqs = n_seqs, .H = H, .G = G, .D = D, .window = window, .scale = 1 / sqrtf((float)D)};
    int64_t n_pages = 0, page_floats = 2 * G * D * LS_KV_PAGE;
    for (int64_t s = 0; s < n_seqs; s++) {
        w.N += lengths[s];
        n_pages += pages_of(lengths[s]);
    }
    w.q = random_floats(w.N * H * D, -2, 2);
    w.k = random_floats(w.N * G * D, -2, 2);
    w.v = random_floats(w.N * G * D, -1, 1);
    w.dout = random_floats(w.N * H * D, -1, 1);
    w.start = random_floats(w.N * H * D, -1, 1);
    w.o = guarded(w.N * H * D), w.lse = guarded(w.N * H);
    w.dq = clone(w.start, w.N * H * D), w.dk = clone(w.start, w.N * G * D),
    w.dv = clone(w.start, w.N * G * D);
    w.store_floats = n_pages * page_floats;
    w.store = random_floats(w.store_floats, -1000, 1000);
    w.pages = ls_malloc((size_t)n_pages * sizeof *w.pages + 1);
    w.seqs = ls_malloc((size_t)n_seqs * sizeof *w.seqs + 1);
    int64_t row = 0, page = 0;
    for (int64_t s = 0; s < n_seqs; s++) {
        w.seqs[s] = (ls_attention_seq){.row0 = row, .n_rows = lengths[s], .pages = w.pages + page};
        /* Pages of a sequence lie backwards in memory: nothing may rely on their order. */
        for (int64_t p = 0; p < pages_of(lengths[s]); p++, page++)
            w.pages[page] = w.store + (n_pages - 1 - page) * page_floats;
        row += lengths[s];
    }
    return w;
}

static void free_world(world *w)
{
    float *const all[] = {w->q,  w->k,  w->v,  w->dout,  w->o,    w->lse,
                          w->dq, w->dk, w->dv, w->start, w->store};
    for (size_t i = 0; i < LS_COUNT(all); i++)
        ls_free(all[i]);
    ls_free(w->pages), ls_free(w->seqs);
}

static ls_kv_store_args store_args(const world *w)
{
    return (ls_kv_store_args){
        .k = w->k, .v = w->v, .seqs = w->seqs, .n_seqs = w->n_seqs, .G = w->G, .D = w->D};
}

static ls_attention_args forward_args(const world *w)
{
    return (ls_attention_args){.o = w->o,
                               .lse = w->lse,
                               .q = w->q,
                               .seqs = w->seqs,
                               .n_seqs = w->n_seqs,
                               .H = w->H,
                               .G = w->G,
                               .D = w->D,
                               .window = w->window,
                               .scale = w->scale,
                               .softcap = w->softcap};
}

static ls_attention_bwd_args backward_args(const world *w)
{
    return (ls_attention_bwd_args){.dq = w->dq,
                                   .dk = w->dk,
                                   .dv = w->dv,
                                   .q = w->q,
                                   .k = w->k,
                                   .v = w->v,
                                   .o = w->o,
                                   .dout = w->dout,
                                   .lse = w->lse,
                                   .seqs = w->seqs,
                                   .n_seqs = w->n_seqs,
                                   .H = w->H,
                                   .G = w->G,
                                   .D = w->D,
                                   .window = w->window,
                                   .scale = w->scale,
                                   .softcap = w->softcap};
}

static void run_reference(const world *w)
{
    ls_device ref = ref_device();
    ls_kv_store_args store = store_args(w);
    ls_attention_args forward = forward_args(w);
    ls_attention_bwd_args backward = backward_args(w);
    ref.k->kv_store(&ref, &store);
    ref.k->attention(&ref, &forward);
    ref.k->attention_bwd(&ref, &backward);
    assert_guard(w->o, w->N * w->H * w->D);
    ls_device_release(&ref);
}

/* --- the reference against double --- */

/* Attention of one query in double; returns the log-sum-exp. */
static double attend_in_double(double *o, const world *w, int64_t s, int64_t i, int64_t h)
{
    int64_t D = w->D, g = h / (w->H / w->G), row0 = w->seqs[s].row0;
    int64_t first = w->window > 0 && i >= w->window ? i - w->window + 1 : 0;
    double scores[256], max = -INFINITY, sum = 0;
    for (int64_t j = first; j <= i; j++) {
        scores[j] = 0;
        for (int64_t d = 0; d < D; d++)
            scores[j] += (double)w->q[((row0 + i) * w->H + h) * D + d] *
                         w->k[((row0 + j) * w->G + g) * D + d];
        scores[j] *= w->scale;
        if (w->softcap > 0)
            scores[j] = w->softcap * tanh(scores[j] / w->softcap);
        max = fmax(max, scores[j]);
    }
    for (int64_t j = first; j <= i; j++)
        sum += exp(scores[j] - max);
    for (int64_t d = 0; d < D; d++) {
        o[d] = 0;
        for (int64_t j = first; j <= i; j++)
            o[d] += exp(scores[j] - max) / sum * w->v[((row0 + j) * w->G + g) * D + d];
    }
    return max + log(sum);
}

static void reference_is_close_to_attention_in_double(void **state)
{
    (void)state;
    for (int64_t window = 0; window <= 20; window += 10) {
        world w = make_world(2, (const int64_t[]){37, 5}, 4, 2, 12, window);
        run_reference(&w);
        for (int64_t s = 0; s < w.n_seqs; s++)
            for (int64_t i = 0; i < w.seqs[s].n_rows; i++)
                for (int64_t h = 0; h < w.H; h++) {
                    double o[12], lse = attend_in_double(o, &w, s, i, h);
                    int64_t at = (w.seqs[s].row0 + i) * w.H + h;
                    assert_close(w.lse[at], lse, 2e-6, 10);
                    for (int64_t d = 0; d < w.D; d++)
                        assert_close(w.o[at * w.D + d], o[d], 1e-5, 1);
                }
        free_world(&w);
    }
}

/* sum of dout * o in double. */
static double loss_in_double(const world *w)
{
    double loss = 0, o[8];
    for (int64_t s = 0; s < w->n_seqs; s++)
        for (int64_t i = 0; i < w->seqs[s].n_rows; i++)
            for (int64_t h = 0; h < w->H; h++) {
                attend_in_double(o, w, s, i, h);
                for (int64_t d = 0; d < w->D; d++)
                    loss += o[d] * w->dout[((w->seqs[s].row0 + i) * w->H + h) * w->D + d];
            }
    return loss;
}

static void check_differences(const world *w, float *x, const float *gradient, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        float old = x[i], step = 0x1p-9f;
        x[i] = old + step;
        double up = loss_in_double(w);
        x[i] = old - step;
        double down = loss_in_double(w);
        x[i] = old;
        double slope = (up - down) / (2 * (double)step);
        /* The third derivative times step^2 / 6 is the error of the difference. */
        assert_close((double)gradient[i] - w->start[i], slope, 3e-5, 1 + fabs(slope));
    }
}

static void gradients_agree_with_finite_differences(void **state)
{
    (void)state;
    for (int64_t window = 0; window <= 6; window += 6) {
        world w = make_world(2, (const int64_t[]){18, 3}, 4, 2, 8, window);
        run_reference(&w);
        check_differences(&w, w.q, w.dq, w.N * w.H * w.D);
        check_differences(&w, w.k, w.dk, w.N * w.G * w.D);
        check_differences(&w, w.v, w.dv, w.N * w.G * w.D);
        free_world(&w);
    }
}

/* --- every table --- */

static void check_world(ls_device *dev, void *context)
{
    const world *t = context;
    world w = *t;
    int64_t n_q = w.N * w.H * w.D, n_kv = w.N * w.G * w.D;
    float *stored = clone(w.store, w.store_floats);
    ls_kv_store_args store = store_args(&w);
    dev->k->kv_store(dev, &store); /* over what the reference stored: must change nothing */
    assert_same_bits(w.store, stored, w.store_floats);
    w.o = guarded(n_q), w.lse = guarded(w.N * w.H);
    w.dq = clone(w.start, n_q), w.dk = clone(w.start, n_kv), w.dv = clone(w.start, n_kv);
    ls_attention_args forward = forward_args(&w);
    dev->k->attention(dev, &forward);
    assert_same_bits(w.o, t->o, n_q);
    assert_same_bits(w.lse, t->lse, w.N * w.H);
    ls_attention_bwd_args backward = backward_args(&w);
    dev->k->attention_bwd(dev, &backward);
    assert_same_bits(w.dq, t->dq, n_q);
    assert_same_bits(w.dk, t->dk, n_kv);
    assert_same_bits(w.dv, t->dv, n_kv);
    ls_free(stored), ls_free(w.o), ls_free(w.lse), ls_free(w.dq), ls_free(w.dk), ls_free(w.dv);
}

static void compare_world(int64_t n_seqs, const int64_t *lengths, int64_t H, int64_t G, int64_t D,
                          int64_t window)
{
    world w = make_world(n_seqs, lengths, H, G, D, window);
    run_reference(&w);
    for_each_device(check_world, &w);
    free_world(&w);
}

static void every_table_attends_with_the_reference_bits(void **state)
{
    (void)state;
    compare_world(1, (const int64_t[]){1}, 1, 1, 1, 0);
    compare_world(1, (const int64_t[]){16}, 1, 1, 16, 0);
    compare_world(3, (const int64_t[]){17, 1, 40}, 2, 2, 8, 0);
    compare_world(2, (const int64_t[]){33, 50}, 4, 2, 20, 0);
    compare_world(2, (const int64_t[]){130, 65}, 3, 1, 64, 0);
    compare_world(4, (const int64_t[]){0, 9, 2, 100}, 9, 3, 32, 0);
    compare_world(1, (const int64_t[]){5}, 16, 1, 24, 0); /* more heads than rows */
    compare_world(1, (const int64_t[]){3}, 26, 2, 72, 0);
    compare_world(1, (const int64_t[]){140}, 2, 1, 96, 0);
}

static void windows_keep_the_reference_bits(void **state)
{
    (void)state;
    const int64_t windows[] = {1, 2, 15, 16, 17, 30, 48, 77, 1000};
    for (size_t i = 0; i < LS_COUNT(windows); i++) {
        compare_world(2, (const int64_t[]){100, 21}, 2, 1, 16, windows[i]);
        compare_world(1, (const int64_t[]){2}, 6, 2, 17, windows[i]);
    }
}

static void random_shapes_keep_the_reference_bits(void **state)
{
    (void)state;
    for (int i = 0; i < 12; i++) {
        int64_t G = between(1, 3), lengths[3] = {between(1, 60), between(0, 90), between(1, 20)};
        compare_world(3, lengths, G * between(1, 4), G, between(1, 40),
                      between(0, 1) * between(1, 80));
    }
}

/* --- the row contract --- */

/* The sequences again, in pieces: each call takes the next few rows of some of the sequences. */
static void check_pieces(ls_device *dev, void *context)
{
    const world *t = context;
    world w = *t;
    w.o = guarded(w.N * w.H * w.D), w.lse = guarded(w.N * w.H);
    float *store = w.store;
    int64_t done[8] = {0}, left = w.N;
    ls_attention_seq pieces[8];
    while (left > 0) {
        int64_t n = 0;
        for (int64_t s = w.n_seqs - 1; s >= 0; s--) {
            int64_t rest = t->seqs[s].n_rows - done[s],
                    take = between(0, 3) == 0 ? between(0, rest) : between(0, 1);
            take = take < rest ? take : rest;
            if (take == 0)
                continue;
            pieces[n++] = (ls_attention_seq){.row0 = t->seqs[s].row0 + done[s],
                                             .n_rows = take,
                                             .pos0 = done[s],
                                             .pages = t->seqs[s].pages};
            done[s] += take;
            left -= take;
        }
        ls_kv_store_args into = store_args(&w);
        ls_attention_args forward = forward_args(&w);
        into.seqs = forward.seqs = pieces;
        into.n_seqs = forward.n_seqs = n;
        dev->k->kv_store(dev, &into);
        dev->k->attention(dev, &forward);
    }
    assert_same_bits(w.o, t->o, w.N * w.H * w.D);
    assert_same_bits(w.lse, t->lse, w.N * w.H);
    assert_ptr_equal(store, w.store);
    ls_free(w.o), ls_free(w.lse);
}

static void a_row_has_the_same_bits_in_prefill_chunks_and_decoding(void **state)
{
    (void)state;
    const int64_t windows[] = {0, 23};
    for (size_t i = 0; i < LS_COUNT(windows); i++) {
        world w = make_world(5, (const int64_t[]){70, 1, 33, 16, 48}, 6, 2, 32, windows[i]);
        run_reference(&w);
        for_each_device(check_pieces, &w);
        free_world(&w);
    }
}

static void soft_caps_keep_the_reference_bits(void **state)
{
    (void)state;
    for (int i = 0; i < 6; i++) {
        int64_t G = between(1, 3), lengths[3] = {between(1, 60), between(0, 90), between(1, 20)};
        world w = make_world(3, lengths, G * between(1, 4), G, between(1, 40),
                             between(0, 1) * between(1, 80));
        w.softcap = uniform(0.5f, 4);
        run_reference(&w);
        for_each_device(check_world, &w);
        for_each_device(check_pieces, &w);
        free_world(&w);
    }
}

static void gradients_of_capped_scores_agree_with_finite_differences(void **state)
{
    (void)state;
    world w = make_world(2, (const int64_t[]){18, 3}, 4, 2, 8, 0);
    w.softcap = 1.25f;
    run_reference(&w);
    check_differences(&w, w.q, w.dq, w.N * w.H * w.D);
    check_differences(&w, w.k, w.dk, w.N * w.G * w.D);
    check_differences(&w, w.v, w.dv, w.N * w.G * w.D);
    free_world(&w);
}

static void lse_may_be_left_out(void **state)
{
    (void)state;
    world w = make_world(1, (const int64_t[]){20}, 2, 1, 8, 0);
    run_reference(&w);
    const ls_kernels *tables[3];
    int n = ls_kernels_available(tables);
    for (int i = 0; i < n; i++) {
        ls_device dev;
        assert_int_equal(ls_device_init(&dev, tables[i], 2), LEASH_OK);
        ls_attention_args forward = forward_args(&w);
        forward.o = guarded(w.N * w.H * w.D);
        forward.lse = NULL;
        dev.k->attention(&dev, &forward);
        assert_same_bits(forward.o, w.o, w.N * w.H * w.D);
        ls_free(forward.o);
        ls_device_release(&dev);
    }
    free_world(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reference_is_close_to_attention_in_double),
        cmocka_unit_test(gradients_agree_with_finite_differences),
        cmocka_unit_test(every_table_attends_with_the_reference_bits),
        cmocka_unit_test(windows_keep_the_reference_bits),
        cmocka_unit_test(random_shapes_keep_the_reference_bits),
        cmocka_unit_test(a_row_has_the_same_bits_in_prefill_chunks_and_decoding),
        cmocka_unit_test(soft_caps_keep_the_reference_bits),
        cmocka_unit_test(gradients_of_capped_scores_agree_with_finite_differences),
        cmocka_unit_test(lse_may_be_left_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
