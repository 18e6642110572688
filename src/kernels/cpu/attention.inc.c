/* Attention forward over pages, and the storing of keys and values.  Formulas and the layout of
 * a page: kernels.h.
 *
 * Work is cut into blocks of up to TILE_ROWS queries that share a kv head: neighbouring
 * positions of one query head in training and prefill, the query heads of one kv head in
 * decoding.  A block computes its scores page by page into rows of scratch, turns each row into
 * probabilities, and mixes the values.  Every row keeps its own range of positions, so a masked
 * position is never multiplied in.  Blocks are dealt to the threads in turn, which levels the
 * triangle of causal work. */

static int64_t first_seen(int64_t pos, int64_t window)
{
    return window > 0 && pos >= window ? pos - window + 1 : 0;
}

typedef struct query_block {
    const float *q; /* rows `stride` apart, D elements each */
    float *o;       /* as q */
    float *lse;     /* rows `lse_stride` apart, or NULL */
    const ls_attention_seq *seq;
    int64_t n_rows, stride, lse_stride;
    int64_t g;              /* kv head */
    int64_t pos0, pos_step; /* row r stands at pos0 + r*pos_step */
} query_block;

/* Up to 3 queries against several pages side by side, so that there are enough chains to hide
 * the latency of fma.  The next pages are fetched meanwhile: in decoding, keys come from memory
 * once a token. */
LS_ALWAYS_INLINE void score_side_by_side(const int rows, const int n_pages, float *score,
                                         int64_t stride, const query_block *b, float *const *pages,
                                         int64_t n_left, int64_t D)
{
    vf sum[3][4];
    const float *key[4], *ahead[4];
    LS_UNROLL
    for (int p = 0; p < n_pages; p++) {
        key[p] = pages[p] + b->g * D * LS_KV_PAGE;
        ahead[p] = pages[p + n_pages < n_left ? p + n_pages : p] + b->g * D * LS_KV_PAGE;
        LS_UNROLL
        for (int r = 0; r < rows; r++)
            sum[r][p] = v_set1(0);
    }
    for (int64_t d = 0; d < D; d++) {
        LS_UNROLL
        for (int p = 0; p < n_pages; p++) {
            vf column = v_load(key[p] + d * LS_KV_PAGE);
            _mm_prefetch((const char *)(ahead[p] + d * LS_KV_PAGE), _MM_HINT_T0);
            LS_UNROLL
            for (int r = 0; r < rows; r++)
                sum[r][p] = v_fma(v_set1(b->q[r * b->stride + d]), column, sum[r][p]);
        }
    }
    LS_UNROLL
    for (int p = 0; p < n_pages; p++) {
        LS_UNROLL
        for (int r = 0; r < rows; r++)
            v_store(score + r * stride + p * LS_KV_PAGE, sum[r][p]);
    }
}

/* score[r*stride + 16*(page - first) + slot] for the pages [first, end). */
static void score_pages(float *score, int64_t stride, const query_block *b, int64_t D,
                        int64_t first, int64_t end)
{
    int64_t offset = b->g * D * LS_KV_PAGE, page = first,
            step = b->n_rows <= 3 ? tile_wide_panels[b->n_rows] : 0;
    for (; step > 0 && page + step <= end; page += step) {
        float *const *pages = b->seq->pages + page;
        float *to = score + (page - first) * LS_KV_PAGE;
        if (b->n_rows == 1)
            score_side_by_side(1, 4, to, stride, b, pages, end - page, D);
        else if (b->n_rows == 2)
            score_side_by_side(2, 2, to, stride, b, pages, end - page, D);
        else
            score_side_by_side(3, 2, to, stride, b, pages, end - page, D);
    }
    tile_args t = {.ldc = stride,
                   .a = b->q,
                   .a_row = b->stride,
                   .a_k = 1,
                   .ldb = LS_KV_PAGE,
                   .K = D,
                   .next_c = score,
                   .later_c = score};
    t.ahead_step = LS_KV_PAGE * (int64_t)sizeof(float);
    for (; page < end; page++) {
        t.b = b->seq->pages[page] + offset;
        t.ahead = (const char *)(b->seq->pages[page + 1 < end ? page + 1 : page] + offset);
        t.c = score + (page - first) * LS_KV_PAGE;
        tile_vector[b->n_rows](&t);
    }
}

/* Scores s[0..n) and the rest of the last vector are scaled and bent by the soft cap. */
static void bend_scores(float *s, int64_t n, float scale, float softcap)
{
    const vf cap = v_set1(softcap);
    for (int64_t j = 0; j < n; j += 16) {
        vf scaled = v_mul(v_set1(scale), v_load(s + j));
        v_store(s + j, v_mul(cap, v_tanh(v_div(scaled, cap))));
    }
}

/* Scores s[0..n) become exp(scale*s - max) with max over [skip, n), the skipped ones and the
 * rest of the last vector 0. Returns the row sum; `max` gets the maximum. */
static float exponentiate(float *max, float *s, int64_t skip, int64_t n, float scale)
{
    for (int64_t j = 0; j < skip; j++)
        s[j] = -INFINITY;
    vf highest = v_set1(-INFINITY);
    for (int64_t j = 0; j < n; j += 16) {
        vf scaled = v_mul(v_set1(scale), v_load(s + j));
        if (n - j < 16)
            scaled = v_first_n(scaled, n - j, -INFINITY);
        v_store(s + j, scaled);
        highest = v_max(scaled, highest);
    }
    *max = v_max_lanes(highest);
    vf lanes = v_set1(0);
    for (int64_t j = 0; j < n; j += 16) {
        vf p = v_exp(v_sub(v_load(s + j), v_set1(*max)));
        v_store(s + j, p);
        lanes = v_add(lanes, p);
    }
    return v_add_lanes(lanes);
}

/* o[r] = chain over j in [begin, end) of p[r][j] v[j], from o[r]; p is indexed from position
 * `first`. */
static void mix_values(float *o, int64_t n_rows, const query_block *b, const float *p,
                       int64_t p_stride, const ls_attention_args *a, int64_t first, int64_t begin,
                       int64_t end)
{
    tile_args t = {.ldc = b->stride,
                   .a_row = p_stride,
                   .a_k = 1,
                   .ldb = a->D,
                   .panel = TILE_COLUMNS,
                   .accumulate = true};
    t.ahead_step = a->D * (int64_t)sizeof(float);
    for (int64_t j = begin, n; j < end; j += n) {
        int64_t slot = j % LS_KV_PAGE, width, of_head = (a->G + b->g) * LS_KV_PAGE * a->D;
        n = LS_KV_PAGE - slot < end - j ? LS_KV_PAGE - slot : end - j;
        const float *value = b->seq->pages[j / LS_KV_PAGE] + of_head + slot * a->D;
        const float *ahead = j + n < end ? b->seq->pages[j / LS_KV_PAGE + 1] + of_head : value;
        t.K = n;
        t.a = p + (j - first);
        for (int64_t d = 0; d < a->D; d += width) {
            tile_fn *const *tiles = choose_tiles(&width, n_rows, false, d, a->D);
            t.b = value + d;
            t.ahead = (const char *)(ahead + d);
            t.c = o + d;
            t.next_c = t.later_c = t.c;
            t.n_tail = width;
            tiles[n_rows](&t);
        }
    }
}

/* o[r] = chain over the positions from the block's first on, up to each row's own. */
static void mix_triangle(const ls_attention_args *a, const query_block *b, const float *p,
                         int64_t p_stride)
{
    const float *values[TILE_ROWS];
    for (int64_t s = 0; s < b->n_rows; s++) {
        int64_t pos = b->pos0 + s;
        values[s] = b->seq->pages[pos / LS_KV_PAGE] +
                    ((a->G + b->g) * LS_KV_PAGE + pos % LS_KV_PAGE) * a->D;
    }
    triangle_lower[b->n_rows](&(triangle_args){.c = b->o,
                                               .a = p,
                                               .b = values,
                                               .ldc = b->stride,
                                               .a_row = p_stride,
                                               .a_step = 1,
                                               .D = a->D});
}

/* Probabilities times values, not yet divided.  What all rows see goes as one product, the diagonal
 * as a triangle; what a window takes from some of the rows goes row by row. */
static void mix_block(const ls_attention_args *a, const query_block *b, const float *score,
                      int64_t stride, int64_t first)
{
    int64_t last = b->pos0 + (b->n_rows - 1) * b->pos_step, common = first_seen(last, a->window);
    bool is_shared = common <= b->pos0;
    for (int64_t r = 0; r < b->n_rows && b->pos_step > 0; r++) {
        int64_t pos = b->pos0 + r * b->pos_step, begin = first_seen(pos, a->window);
        mix_values(b->o + r * b->stride, 1, b, score + r * stride, stride, a, first, begin,
                   is_shared ? common : pos + 1);
    }
    if (!is_shared)
        return;
    int64_t shared_end = b->pos_step > 0 ? b->pos0 : b->pos0 + 1;
    mix_values(b->o, b->n_rows, b, score, stride, a, first, common, shared_end);
    if (b->pos_step > 0)
        mix_triangle(a, b, score + (b->pos0 - first), stride);
}

/* The row's log-sum-exp: max + log(sum). */
static void store_lse(const query_block *b, const float *max, const float *sum)
{
    float lse[16];
    v_store(lse, v_add(v_load(max), v_log(v_load(sum))));
    for (int64_t r = 0; r < b->n_rows; r++)
        b->lse[r * b->lse_stride] = lse[r];
}

static void attend_block(const ls_attention_args *a, const query_block *b, float *score)
{
    int64_t last = b->pos0 + (b->n_rows - 1) * b->pos_step, end_page = last / LS_KV_PAGE + 1;
    int64_t first_page = first_seen(b->pos0, a->window) / LS_KV_PAGE,
            first = first_page * LS_KV_PAGE;
    /* 16 more than a whole number of pages: rows must not lie a power of two apart. */
    int64_t stride = (end_page - first_page) * LS_KV_PAGE + 16;
    float sum[16] = {0}, max[16] = {0};
    score_pages(score, stride, b, a->D, first_page, end_page);
    for (int64_t r = 0; r < b->n_rows; r++) {
        int64_t pos = b->pos0 + r * b->pos_step, begin = first_seen(pos, a->window);
        int64_t from = begin / LS_KV_PAGE * LS_KV_PAGE;
        float *s = score + r * stride + (from - first), scale = a->scale;
        if (a->softcap > 0) {
            bend_scores(s, pos + 1 - from, scale, a->softcap);
            scale = 1.0f;
        }
        sum[r] = exponentiate(&max[r], s, begin - from, pos + 1 - from, scale);
        memset(b->o + r * b->stride, 0, (size_t)a->D * sizeof(float));
    }
    if (b->lse)
        store_lse(b, max, sum);
    mix_block(a, b, score, stride, first);
    for (int64_t r = 0; r < b->n_rows; r++)
        for (int64_t d = 0; d < a->D; d += 16) {
            float *o = b->o + r * b->stride + d;
            store_upto(o, v_div(load_upto(o, a->D - d), v_set1(sum[r])), a->D - d);
        }
}

_Static_assert(TILE_ROWS <= 16, "the rows of a block fit in a vector");

/* Few rows: the heads of a kv head stand together. */
static bool is_by_heads(const ls_attention_args *a, const ls_attention_seq *seq)
{
    return seq->n_rows < a->H / a->G;
}

static int64_t count_blocks(const ls_attention_args *a, const ls_attention_seq *seq)
{
    if (is_by_heads(a, seq))
        return seq->n_rows * a->G * ceil_div(a->H / a->G, TILE_ROWS);
    return a->H * ceil_div(seq->n_rows, TILE_ROWS);
}

static query_block make_block(const ls_attention_args *a, const ls_attention_seq *seq,
                              int64_t index)
{
    int64_t group = a->H / a->G, head, row;
    query_block b = {.seq = seq};
    if (is_by_heads(a, seq)) {
        int64_t n_parts = ceil_div(group, TILE_ROWS), part = index % n_parts;
        b.g = index / n_parts % a->G;
        row = index / n_parts / a->G;
        head = b.g * group + group * part / n_parts;
        b.n_rows = group * (part + 1) / n_parts - group * part / n_parts;
        b.stride = a->D;
        b.lse_stride = 1;
    } else {
        int64_t n_parts = ceil_div(seq->n_rows, TILE_ROWS), part = index % n_parts;
        head = index / n_parts;
        b.g = head / group;
        row = seq->n_rows * part / n_parts;
        b.n_rows = seq->n_rows * (part + 1) / n_parts - row;
        b.stride = a->H * a->D;
        b.lse_stride = a->H;
        b.pos_step = 1;
    }
    int64_t at = (seq->row0 + row) * a->H + head;
    b.pos0 = seq->pos0 + row;
    b.q = a->q + at * a->D;
    b.o = a->o + at * a->D;
    b.lse = a->lse ? a->lse + at : NULL;
    return b;
}

typedef struct attention_job {
    const ls_device *dev;
    const ls_attention_args *a;
    int64_t n_shares;
} attention_job;

static void attention_shares(void *context, int64_t begin, int64_t end, int worker)
{
    const attention_job *job = context;
    const ls_attention_args *a = job->a;
    float *score = ls_cpu_scratch(job->dev, worker);
    int64_t index = 0;
    for (int64_t s = 0; s < a->n_seqs; s++) {
        int64_t n_blocks = count_blocks(a, &a->seqs[s]);
        for (int64_t i = 0; i < n_blocks; i++, index++) {
            int64_t share = index % job->n_shares;
            if (share < begin || share >= end)
                continue;
            query_block b = make_block(a, &a->seqs[s], i);
            attend_block(a, &b, score);
        }
    }
}

static void attention(ls_device *dev, const ls_attention_args *a)
{
    int64_t work = 0;
    for (int64_t s = 0; s < a->n_seqs; s++) {
        LS_ASSERT(a->seqs[s].pos0 + a->seqs[s].n_rows <= LS_ATTENTION_MAX);
        work += a->seqs[s].n_rows * (a->seqs[s].pos0 + a->seqs[s].n_rows) * a->H * a->D;
    }
    attention_job job = {.dev = dev, .a = a, .n_shares = ls_pool_size(dev->pool)};
    ls_parallel_for(pool_for(dev, work), job.n_shares, 1, attention_shares, &job);
    ls_count_attention(dev, a);
}

static void kv_store_seqs(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_kv_store_args *a = context;
    for (int64_t s = begin; s < end; s++) {
        const ls_attention_seq *seq = &a->seqs[s];
        for (int64_t r = 0; r < seq->n_rows; r++) {
            int64_t pos = seq->pos0 + r, slot = pos % LS_KV_PAGE;
            const float *k = a->k + (seq->row0 + r) * a->G * a->D,
                        *v = a->v + (seq->row0 + r) * a->G * a->D;
            float *key = seq->pages[pos / LS_KV_PAGE] + slot;
            float *value = seq->pages[pos / LS_KV_PAGE] + a->G * a->D * LS_KV_PAGE + slot * a->D;
            /* The keys of all heads are one column of G*D elements. */
            for (int64_t d = 0; d < a->G * a->D; d++)
                key[d * LS_KV_PAGE] = k[d];
            for (int64_t g = 0; g < a->G; g++)
                memcpy(value + g * LS_KV_PAGE * a->D, v + g * a->D, (size_t)a->D * sizeof(float));
        }
    }
}

static void kv_store(ls_device *dev, const ls_kv_store_args *a)
{
    ls_kv_store_args args = *a;
    int64_t n_floats = ls_count_rows(a->seqs, a->n_seqs) * a->G * a->D;
    ls_parallel_for(pool_for(dev, 2 * n_floats), a->n_seqs, 1, kv_store_seqs, &args);
    ls_count(dev, 0, 4 * (double)n_floats);
}
