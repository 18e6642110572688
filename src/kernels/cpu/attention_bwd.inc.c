/* Attention backward, a (sequence, kv head) a thread.  Formulas: kernels.h.
 *
 * For each query head of the kv head in order, and for each page of keys in order, blocks of
 * query rows pass by in order.  So every chain runs as the reference runs it: dq over pages, dk
 * and dv over heads and, inside a head, over rows.  Between blocks the sums rest in dq, dk and
 * dv; the scores of a block are computed again from q and the keys.  Rows that see only a part
 * of a page (the diagonal, the edge of a window) go one by one over just the positions that they
 * see. */

/* Query rows of a block. */
#define BACKWARD_ROWS 48

typedef struct backward_scratch {
    float *delta;  /* (T) row sum of dout o                */
    float *key;    /* (16, D) the page's keys, transposed  */
    float *value;  /* (D, 16) its values, transposed       */
    float *p, *ds; /* (BACKWARD_ROWS, 16)                  */
} backward_scratch;

typedef struct backward_head {
    const ls_attention_bwd_args *a;
    const ls_attention_seq *seq;
    int64_t h, g;
    backward_scratch s;
} backward_head;

static void compute_delta(const backward_head *b)
{
    const ls_attention_bwd_args *a = b->a;
    for (int64_t i = 0; i < b->seq->n_rows; i++) {
        int64_t at = ((b->seq->row0 + i) * a->H + b->h) * a->D;
        vf lanes = v_set1(0);
        for (int64_t d = 0; d < a->D; d += 16)
            lanes = v_fma(load_upto(a->dout + at + d, a->D - d), load_upto(a->o + at + d, a->D - d),
                          lanes);
        b->s.delta[i] = v_add_lanes(lanes);
    }
}

/* Copies a page into the two layouts that the forward does not need. */
static void transpose_page(const backward_head *b, const float *page)
{
    int64_t D = b->a->D;
    const float *key = page + b->g * D * LS_KV_PAGE,
                *value = page + (b->a->G + b->g) * D * LS_KV_PAGE;
    for (int64_t d = 0; d < D; d++) {
        for (int64_t slot = 0; slot < LS_KV_PAGE; slot++) {
            b->s.key[slot * D + d] = key[d * LS_KV_PAGE + slot];
            b->s.value[d * LS_KV_PAGE + slot] = value[slot * D + d];
        }
    }
}

/* c (M,N) += or = a b, unpacked. */
static void multiply_small(const ls_gemm_args *g)
{
    multiply_block(g, (range){0, g->M}, (range){0, g->N}, (range){0, g->K}, NULL);
}

/* Query rows [i, i + n) against the positions [begin, end) of a page, all of which they see. */
static void backward_block(const backward_head *b, int64_t page, int64_t i, int64_t n,
                           int64_t begin, int64_t end)
{
    const ls_attention_bwd_args *a = b->a;
    int64_t D = a->D, row = a->H * D, at = ((b->seq->row0 + i) * a->H + b->h) * D;
    float *p = b->s.p, *ds = b->s.ds;
    multiply_small(&(ls_gemm_args){.c = p,
                                   .a = a->q + at,
                                   .b = b->seq->pages[page] + b->g * D * LS_KV_PAGE,
                                   .M = n,
                                   .N = LS_KV_PAGE,
                                   .K = D,
                                   .a_row = row,
                                   .a_k = 1,
                                   .ldb = LS_KV_PAGE,
                                   .ldc = 16});
    multiply_small(&(ls_gemm_args){.c = ds,
                                   .a = a->dout + at,
                                   .b = b->s.value,
                                   .M = n,
                                   .N = LS_KV_PAGE,
                                   .K = D,
                                   .a_row = row,
                                   .a_k = 1,
                                   .ldb = LS_KV_PAGE,
                                   .ldc = 16});
    for (int64_t r = 0; r < n; r++) {
        vf lse = v_set1(a->lse[(b->seq->row0 + i + r) * a->H + b->h]),
           delta = v_set1(b->s.delta[i + r]);
        vf prob = v_exp(v_sub(v_mul(v_set1(a->scale), v_load(p + r * 16)), lse));
        v_store(p + r * 16, prob);
        v_store(ds + r * 16,
                v_mul(v_mul(prob, v_sub(v_load(ds + r * 16), delta)), v_set1(a->scale)));
    }
    int64_t kv = ((b->seq->row0 + page * LS_KV_PAGE + begin) * a->G + b->g) * D, kv_row = a->G * D;
    multiply_small(&(ls_gemm_args){.c = a->dq + at,
                                   .a = ds + begin,
                                   .b = b->s.key + begin * D,
                                   .M = n,
                                   .N = D,
                                   .K = end - begin,
                                   .a_row = 16,
                                   .a_k = 1,
                                   .ldb = D,
                                   .ldc = row,
                                   .accumulate = true});
    multiply_small(&(ls_gemm_args){.c = a->dk + kv,
                                   .a = ds + begin,
                                   .b = a->q + at,
                                   .M = end - begin,
                                   .N = D,
                                   .K = n,
                                   .a_row = 1,
                                   .a_k = 16,
                                   .ldb = row,
                                   .ldc = kv_row,
                                   .accumulate = true});
    multiply_small(&(ls_gemm_args){.c = a->dv + kv,
                                   .a = p + begin,
                                   .b = a->dout + at,
                                   .M = end - begin,
                                   .N = D,
                                   .K = n,
                                   .a_row = 1,
                                   .a_k = 16,
                                   .ldb = row,
                                   .ldc = kv_row,
                                   .accumulate = true});
}

static void backward_page(const backward_head *b, int64_t page)
{
    int64_t T = b->seq->n_rows, window = b->a->window, first = page * LS_KV_PAGE,
            last = first + LS_KV_PAGE - 1;
    /* Rows below `whole` see the page in part, rows from `edge` on begin to lose it. */
    int64_t whole = last < T ? last : T,
            edge = window > 0 && first + window < T ? first + window : T;
    int64_t end = window > 0 && last + window < T ? last + window : T;
    transpose_page(b, b->seq->pages[page]);
    for (int64_t i = first, n; i < end; i += n) {
        n = 1;
        if (i >= whole && i < edge)
            n = edge - i < BACKWARD_ROWS ? edge - i : BACKWARD_ROWS;
        int64_t seen = first_seen(i, window), begin = seen > first ? seen - first : 0;
        backward_block(b, page, i, n, begin, i < last ? i - first + 1 : LS_KV_PAGE);
    }
}

typedef struct attention_bwd_job {
    const ls_device *dev;
    const ls_attention_bwd_args *a;
} attention_bwd_job;

static void attention_bwd_heads(void *context, int64_t begin, int64_t end, int worker)
{
    const attention_bwd_job *job = context;
    const ls_attention_bwd_args *a = job->a;
    float *scratch = ls_cpu_scratch(job->dev, worker);
    backward_scratch s = {.delta = scratch};
    s.p = scratch + LS_ATTENTION_MAX;
    s.ds = s.p + BACKWARD_ROWS * 16;
    s.key = s.ds + BACKWARD_ROWS * 16;
    s.value = s.key + LS_KV_PAGE * a->D;
    for (int64_t unit = begin; unit < end; unit++) {
        const ls_attention_seq *seq = &a->seqs[unit / a->G];
        int64_t g = unit % a->G, group = a->H / a->G;
        for (int64_t h = g * group; h < (g + 1) * group; h++) {
            backward_head b = {.a = a, .seq = seq, .h = h, .g = g, .s = s};
            compute_delta(&b);
            for (int64_t page = 0; page * LS_KV_PAGE < seq->n_rows; page++)
                backward_page(&b, page);
        }
    }
}

static void attention_bwd(ls_device *dev, const ls_attention_bwd_args *a)
{
    int64_t work = 0;
    for (int64_t s = 0; s < a->n_seqs; s++) {
        LS_ASSERT_EQ(a->seqs[s].pos0, 0);
        LS_ASSERT(a->seqs[s].n_rows <= LS_ATTENTION_MAX);
        work += a->seqs[s].n_rows * a->seqs[s].n_rows * a->H * a->D;
    }
    /* Two transposed pages must fit in what the scores leave free. */
    LS_ASSERT(a->D <= 4096);
    attention_bwd_job job = {.dev = dev, .a = a};
    ls_parallel_for(pool_for(dev, work), a->n_seqs * a->G, 1, attention_bwd_heads, &job);
    ls_count_attention_bwd(dev, a);
}
