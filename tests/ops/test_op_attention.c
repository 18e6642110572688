/* ls_op_attention, with rotation, against central differences of its formula in double; and pages
 * against no pages. */
#include "op_check.h"

enum { ROWS = 60, WIDTH = 20, MOST = ROWS * WIDTH };

typedef struct {
    int64_t H, G, D, window, n_seqs;
    int64_t lengths[4];
    bool is_rotated;
    float softcap; /* 0: none */
} shape;

typedef struct {
    const shape *s;
    const float *cosines, *sines; /* (positions, D/2) */
    double q[MOST], k[MOST], v[MOST], dout[MOST], o[MOST];
    int64_t N;
} problem;

static void rotate(double *out, const double *x, const problem *p, int64_t pos)
{
    int64_t D = p->s->D, half = D / 2;
    for (int64_t i = 0; i < D; i++)
        out[i] = x[i];
    for (int64_t i = 0; i < half && p->s->is_rotated; i++) {
        double c = (double)p->cosines[pos * half + i], s = (double)p->sines[pos * half + i];
        out[i] = x[i] * c - x[i + half] * s;
        out[i + half] = x[i + half] * c + x[i] * s;
    }
}

/* o of one row and head; the row stands at position pos of a sequence that begins at row0. */
static void attend(problem *p, int64_t row0, int64_t pos, int64_t h)
{
    int64_t H = p->s->H, G = p->s->G, D = p->s->D, g = h / (H / G);
    double q[WIDTH], k[WIDTH], weight[ROWS], total = 0.0;
    double *o = &p->o[(row0 + pos) * H * D + h * D];
    rotate(q, &p->q[(row0 + pos) * H * D + h * D], p, pos);
    int64_t first = p->s->window > 0 && pos >= p->s->window ? pos - p->s->window + 1 : 0;
    for (int64_t j = first; j <= pos; j++) {
        rotate(k, &p->k[(row0 + j) * G * D + g * D], p, j);
        double score = 0.0;
        for (int64_t d = 0; d < D; d++)
            score += q[d] * k[d];
        score *= 0.6;
        if (p->s->softcap > 0)
            score = (double)p->s->softcap * tanh(score / (double)p->s->softcap);
        weight[j] = exp(score);
        total += weight[j];
    }
    for (int64_t d = 0; d < D; d++)
        o[d] = 0.0;
    for (int64_t j = first; j <= pos; j++)
        for (int64_t d = 0; d < D; d++)
            o[d] += weight[j] / total * p->v[(row0 + j) * G * D + g * D + d];
}

static double loss(void *context)
{
    problem *p = context;
    int64_t row0 = 0;
    for (int64_t s = 0; s < p->s->n_seqs; row0 += p->s->lengths[s++])
        for (int64_t pos = 0; pos < p->s->lengths[s]; pos++)
            for (int64_t h = 0; h < p->s->H; h++)
                attend(p, row0, pos, h);
    double sum = 0.0;
    for (int64_t i = 0; i < p->N * p->s->H * p->s->D; i++)
        sum += p->o[i] * p->dout[i];
    return sum;
}

typedef struct { /* a batch of whole sequences */
    int32_t ids[ROWS], pos[ROWS];
    ls_batch_seq seqs[4];
    ls_batch batch;
} whole_batch;

static void make_batch(whole_batch *w, const shape *s)
{
    int64_t row = 0;
    for (int64_t i = 0; i < s->n_seqs; i++) {
        w->seqs[i] = (ls_batch_seq){.row0 = row, .n_rows = s->lengths[i]};
        for (int64_t j = 0; j < s->lengths[i]; j++)
            w->pos[row++] = (int32_t)j;
    }
    w->batch = (ls_batch){
        .ids = w->ids, .pos = w->pos, .n_rows = row, .seqs = w->seqs, .n_seqs = s->n_seqs};
}

static void check_shape(const shape *s)
{
    static float q[MOST], k[MOST], v[MOST], dout[MOST], cosines[MOST], sines[MOST];
    static double dq[MOST], dk[MOST], dv[MOST], o[MOST];
    static problem p;
    whole_batch w;
    make_batch(&w, s);
    int64_t N = w.batch.n_rows, n_q = N * s->H * s->D, n_kv = N * s->G * s->D, half = s->D / 2;
    p = (problem){.s = s, .cosines = cosines, .sines = sines, .N = N};
    for (int64_t i = 0; i < N * half; i++) {
        double angle = (double)(i / half) * pow(10.0, -(double)(i % half));
        cosines[i] = (float)cos(angle);
        sines[i] = (float)sin(angle);
    }
    fill_normal(q, n_q, 1, 1.0f);
    fill_normal(k, n_kv, 2, 1.0f);
    fill_normal(v, n_kv, 3, 1.0f);
    fill_normal(dout, n_q, 4, 1.0f);
    to_double(p.q, q, n_q);
    to_double(p.k, k, n_kv);
    to_double(p.v, v, n_kv);
    to_double(p.dout, dout, n_q);
    central_differences(dq, p.q, n_q, loss, &p);
    central_differences(dk, p.k, n_kv, loss, &p);
    central_differences(dv, p.v, n_kv, loss, &p);
    loss(&p);
    memcpy(o, p.o, sizeof o);
    ls_rope_table rope = {.cos = cosines, .sin = sines, .n_positions = N, .R = s->D};
    ls_attention_config config = {.H = s->H,
                                  .G = s->G,
                                  .D = s->D,
                                  .window = s->window,
                                  .scale = 0.6f,
                                  .softcap = s->softcap,
                                  .rope = s->is_rotated ? &rope : NULL};
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++) {
        op_bench b;
        op_bench_open(&b, tables[t], 1);
        ls_tensor *tq = bench_tensor(&b, q, N, s->H * s->D);
        ls_tensor *tk = bench_tensor(&b, k, N, s->G * s->D);
        ls_tensor *tv = bench_tensor(&b, v, N, s->G * s->D);
        ls_tensor *to = ls_op_attention(&b.tape, tq, tk, tv, &w.batch, &config);
        check_forward(to->data, o, n_q);
        bench_backward(&b, to, dout);
        check_gradient(tq->grad, dq, n_q);
        check_gradient(tk->grad, dk, n_kv);
        check_gradient(tv->grad, dv, n_kv);
        op_bench_close(&b);
    }
}

static void gradients_equal_central_differences(void **state)
{
    (void)state;
    static const shape shapes[] = {
        {1, 1, 1, 0, 1, {1}, false, 0},           {1, 1, 2, 0, 1, {7}, true, 0},
        {2, 1, 6, 0, 3, {1, 5, 3}, true, 0},      {3, 3, 2, 0, 2, {17, 2}, true, 0},
        {4, 2, 4, 0, 4, {1, 16, 7, 20}, true, 0}, {2, 2, 3, 0, 2, {4, 18}, false, 0},
        {4, 1, 2, 5, 2, {19, 6}, true, 0},        {2, 1, 4, 0, 2, {21, 3}, true, 1.5f},
        {4, 1, 2, 5, 2, {19, 6}, false, 0.5f},
    };
    for (size_t i = 0; i < LS_COUNT(shapes); i++)
        check_shape(&shapes[i]);
}

/* 35 positions in calls of 11, 1 and 23 rows over given pages: the bits of one call with pages of
 * its own. */
static void cached_pages_give_the_bits_of_one_call(void **state)
{
    (void)state;
    const shape s = {4, 2, 4, 0, 1, {35}, false, 0};
    static float q[MOST], k[MOST], v[MOST], blocks[3][2 * 2 * 2 * 4 * LS_KV_PAGE];
    fill_normal(q, 35 * 16, 1, 1.0f);
    fill_normal(k, 35 * 8, 2, 1.0f);
    fill_normal(v, 35 * 8, 3, 1.0f);
    ls_attention_config config = {.H = 4, .G = 2, .D = 4, .scale = 0.5f};
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++) {
        op_bench b;
        op_bench_open(&b, tables[t], 1);
        b.tape.is_recording = false;
        whole_batch w;
        make_batch(&w, &s);
        ls_tensor *whole =
            ls_op_attention(&b.tape, bench_tensor(&b, q, 35, 16), bench_tensor(&b, k, 35, 8),
                            bench_tensor(&b, v, 35, 8), &w.batch, &config);
        /* Layer 1 of two: pages hold both layers. */
        memset(blocks, 0, sizeof blocks);
        float *pages[3] = {blocks[2], blocks[0], blocks[1]};
        b.tape.layer = 1;
        const int64_t cuts[] = {0, 11, 12, 35};
        for (int c = 0; c < 3; c++) {
            int64_t at = cuts[c], n = cuts[c + 1] - at;
            ls_batch_seq seq = {.n_rows = n, .pos0 = at, .pages = pages};
            ls_batch batch = {.pos = w.pos + at, .n_rows = n, .seqs = &seq, .n_seqs = 1};
            ls_tensor *part = ls_op_attention(&b.tape, bench_tensor(&b, q + at * 16, n, 16),
                                              bench_tensor(&b, k + at * 8, n, 8),
                                              bench_tensor(&b, v + at * 8, n, 8), &batch, &config);
            assert_memory_equal(part->data, whole->data + at * 16, (size_t)n * 16 * sizeof(float));
        }
        op_bench_close(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_equal_central_differences),
        cmocka_unit_test(cached_pages_give_the_bits_of_one_call),
    };
    return cmocka_run_group_tests(tests, NULL, print_worst);
}
