/* Attention backward, a (sequence, kv head) a thread.  Formulas: kernels.h.
 *
 * For each query head of the kv head in order, and for each page of keys in order, blocks of
 * query rows pass by in order.  So every chain runs as the reference runs it: dq over pages, dk
 * and dv over heads and, inside a head, over rows.  Between blocks the sums rest in dq, dk and
 * dv; the scores of a block are computed again from q and the keys.  The diagonal of a page goes as
 * triangles; rows at the edge of a window go one by one over just the positions that they see. */

/* Query rows of a block. */
#define BACKWARD_ROWS 48

typedef struct backward_scratch {
    float *delta;  /* (T) row sum of dout o                */
    float *value;  /* (D, 16) the page's values, transposed */
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

/* The page's values as (D, 16), which the forward does not need. */
static void transpose_values(const backward_head *b, const float *page)
{
    int64_t D = b->a->D;
    const float *value = page + (b->a->G + b->g) * D * LS_KV_PAGE;
    for (int64_t d = 0; d < D; d++)
        for (int64_t slot = 0; slot < LS_KV_PAGE; slot++)
            b->s.value[d * LS_KV_PAGE + slot] = value[slot * D + d];
}

/* c (M,N) += or = a b, unpacked. */
static void multiply_small(const ls_gemm_args *g)
{
    multiply_block(g, (range){0, g->M}, (range){0, g->N}, (range){0, g->K}, (packed_block){0});
}

/* Some query rows against some positions of one page. */
typedef struct backward_block {
    const backward_head *head;
    int64_t i, n;       /* query rows                                   */
    int64_t begin, end; /* positions, counted from the page's first     */
    int64_t at, row;    /* of the rows in q, dq and dout; from one to the next */
    int64_t kv, kv_row; /* of the page's position 0 in k, dk and dv     */
} backward_block;

static backward_block make_backward_block(const backward_head *b, int64_t page, int64_t i,
                                          int64_t n, int64_t begin, int64_t end)
{
    int64_t D = b->a->D, row0 = b->seq->row0;
    return (backward_block){.head = b,
                            .i = i,
                            .n = n,
                            .begin = begin,
                            .end = end,
                            .at = ((row0 + i) * b->a->H + b->h) * D,
                            .row = b->a->H * D,
                            .kv = ((row0 + page * LS_KV_PAGE) * b->a->G + b->g) * D,
                            .kv_row = b->a->G * D};
}

/* p and ds of the rows against all positions of the page, the masked ones included: nobody reads
 * those. */
static void compute_scores(const backward_block *k, const float *page)
{
    const backward_head *b = k->head;
    const ls_attention_bwd_args *a = b->a;
    float *p = b->s.p, *ds = b->s.ds;
    ls_gemm_args product = {.c = p,
                            .a = a->q + k->at,
                            .b = page + b->g * a->D * LS_KV_PAGE,
                            .M = k->n,
                            .N = LS_KV_PAGE,
                            .K = a->D,
                            .a_row = k->row,
                            .a_k = 1,
                            .ldb = LS_KV_PAGE,
                            .ldc = 16};
    multiply_small(&product);
    product.c = ds;
    product.a = a->dout + k->at;
    product.b = b->s.value;
    multiply_small(&product);
    for (int64_t r = 0; r < k->n; r++) {
        vf lse = v_set1(a->lse[(b->seq->row0 + k->i + r) * a->H + b->h]),
           delta = v_set1(b->s.delta[k->i + r]);
        vf score = v_mul(v_set1(a->scale), v_load(p + r * 16)), slope = v_set1(1.0f);
        if (a->softcap > 0) {
            vf t = v_tanh(v_div(score, v_set1(a->softcap)));
            slope = v_fma(v_neg(t), t, slope);
            score = v_mul(v_set1(a->softcap), t);
        }
        vf prob = v_exp(v_sub(score, lse));
        v_store(p + r * 16, prob);
        vf dscore = v_mul(v_mul(prob, v_sub(v_load(ds + r * 16), delta)), slope);
        v_store(ds + r * 16, v_mul(dscore, v_set1(a->scale)));
    }
}

/* Rows [r, r + n) of the block: dq += ds k over the positions [begin, end) of the page. */
static void add_dq(const backward_block *k, int64_t r, int64_t n, int64_t begin, int64_t end)
{
    const ls_attention_bwd_args *a = k->head->a;
    if (begin == end)
        return;
    multiply_small(&(ls_gemm_args){.c = a->dq + k->at + r * k->row,
                                   .a = k->head->s.ds + r * 16 + begin,
                                   .b = a->k + k->kv + begin * k->kv_row,
                                   .M = n,
                                   .N = a->D,
                                   .K = end - begin,
                                   .a_row = 16,
                                   .a_k = 1,
                                   .ldb = k->kv_row,
                                   .ldc = k->row,
                                   .accumulate = true});
}

/* Positions [begin, end) of the page: dk += ds^T q and dv += p^T dout over the rows from r on. */
static void add_dkv(const backward_block *k, int64_t r, int64_t begin, int64_t end)
{
    const ls_attention_bwd_args *a = k->head->a;
    if (r == k->n)
        return;
    ls_gemm_args product = {.c = a->dk + k->kv + begin * k->kv_row,
                            .a = k->head->s.ds + r * 16 + begin,
                            .b = a->q + k->at + r * k->row,
                            .M = end - begin,
                            .N = a->D,
                            .K = k->n - r,
                            .a_row = 1,
                            .a_k = 16,
                            .ldb = k->row,
                            .ldc = k->kv_row,
                            .accumulate = true};
    multiply_small(&product);
    product.c = a->dv + k->kv + begin * k->kv_row;
    product.a = k->head->s.p + r * 16 + begin;
    product.b = a->dout + k->at + r * k->row;
    multiply_small(&product);
}

/* Query rows that all see the positions [begin, end). */
static void add_square(const backward_block *k)
{
    add_dq(k, 0, k->n, k->begin, k->end);
    add_dkv(k, 0, k->begin, k->end);
}

/* The rows that stand at the page's own positions: row r sees the positions 0 to r. */
static void add_diagonal(const backward_block *k)
{
    const ls_attention_bwd_args *a = k->head->a;
    int64_t n_parts = ceil_div(k->n, TILE_ROWS);
    for (int64_t part = 0; part < n_parts; part++) {
        int64_t r = k->n * part / n_parts, next = k->n * (part + 1) / n_parts, n = next - r;
        const float *keys[TILE_ROWS], *queries[TILE_ROWS], *douts[TILE_ROWS];
        for (int64_t s = 0; s < n; s++) {
            keys[s] = a->k + k->kv + (r + s) * k->kv_row;
            queries[s] = a->q + k->at + (r + s) * k->row;
            douts[s] = a->dout + k->at + (r + s) * k->row;
        }
        triangle_args t = {.c = a->dq + k->at + r * k->row,
                           .a = k->head->s.ds + r * 16 + r,
                           .b = keys,
                           .ldc = k->row,
                           .a_row = 16,
                           .a_step = 1,
                           .D = a->D};
        add_dq(k, r, n, 0, r);
        triangle_lower[n](&t);
        t.a_row = 1;
        t.a_step = 16;
        t.ldc = k->kv_row;
        t.b = queries;
        t.c = a->dk + k->kv + r * k->kv_row;
        triangle_upper[n](&t);
        t.b = douts;
        t.a = k->head->s.p + r * 16 + r;
        t.c = a->dv + k->kv + r * k->kv_row;
        triangle_upper[n](&t);
        add_dkv(k, next, r, next);
    }
}

static void backward_page(const backward_head *b, int64_t page)
{
    int64_t T = b->seq->n_rows, window = b->a->window, first = page * LS_KV_PAGE,
            last = first + LS_KV_PAGE - 1;
    const float *memory = b->seq->pages[page];
    /* Rows below `whole` see the page in part, rows from `edge` on begin to lose it. */
    int64_t whole = last < T ? last + 1 : T,
            edge = window > 0 && first + window < T ? first + window : T;
    int64_t end = window > 0 && last + window < T ? last + window : T;
    transpose_values(b, memory);
    for (int64_t i = first, n; i < end; i += n) {
        bool is_diagonal = i == first && edge >= whole;
        n = 1;
        if (is_diagonal)
            n = whole - first;
        else if (i >= whole && i < edge)
            n = edge - i < BACKWARD_ROWS ? edge - i : BACKWARD_ROWS;
        int64_t seen = first_seen(i, window), begin = seen > first ? seen - first : 0;
        backward_block block =
            make_backward_block(b, page, i, n, begin, i < last ? i - first + 1 : LS_KV_PAGE);
        compute_scores(&block, memory);
        if (is_diagonal)
            add_diagonal(&block);
        else
            add_square(&block);
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
    s.value = s.ds + BACKWARD_ROWS * 16;
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
    /* A transposed page must fit in what the scores leave free. */
    LS_ASSERT(a->D <= 4096);
    attention_bwd_job job = {.dev = dev, .a = a};
    ls_parallel_for(pool_for(dev, work), a->n_seqs * a->G, 1, attention_bwd_heads, &job);
    ls_count_attention_bwd(dev, a);
}
