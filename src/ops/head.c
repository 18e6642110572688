/* The head: log-probability, entropy and most likely tokens of chosen rows; d(loss)/d(hidden) and
 * d(loss)/d(weight) from seeds.
 *
 *     z[i,v] = c(hidden[rows[i]] . w[v]) / temperature;  lse = log sum_v exp z;  logp[i] =
 *       z[i,target] - lse;  H = entropy;  c(x) = x, or softcap tanh(x / softcap) where the head has
 *       a soft cap
 *     dz[v] = (sum_k d_k (1[v = id_k] - p_v) - dentropy p_v (log p_v + H)) c' / temperature
 *       over the target (d = dlogp) and the given ids (d = dids), if any
 *     dhidden[rows[i]] += dz W         dw += dz^T hidden
 *
 * Shapes: hidden (N,C), w (V,C), z (n,V) held for some rows at a time.  Rows are gathered and
 * scattered with the embedding's kernels.  Order: a row of dhidden is its own chain; dw is one
 * chain over the scored rows in order, across chunks, so neither the chunk length nor the keeping
 * of z is seen in the bits.  Rows whose seeds are all zero are left out before anything is
 * computed: they cost nothing and may even hold values that are not finite.  In a dry run (null
 * kernels) seeds cannot be read: every row counts. */
#include "ops/ops.h"
#include "ops/weight.h"

/* Rows of a chunk: enough to make the weight's way through the caches cheap, few enough for z to
 * stay in them. */
#define CHUNK_ROWS 256
/* Tokens whose part of d(loss)/d(hidden) is one chain of additions. */
#define PART_TOKENS 1024

struct ls_head_kept { /* z, lse and entropy of all rows */
    float *logits, *lse, *entropy;
};

typedef struct { /* what a chunk of at most `rows` rows works in */
    int64_t rows;
    float *x, *logits, *lse, *entropy;
    float *bent; /* the logits once more, for the slope of the soft cap; NULL without one */
} chunk_space;

static int64_t chunk_rows(const ls_head_job *job)
{
    int64_t fitting = LS_HEAD_BYTES / (int64_t)sizeof(float) / job->weight->rows;
    int64_t rows = fitting < 1 ? 1 : fitting < CHUNK_ROWS ? fitting : CHUNK_ROWS;
    return job->n < rows ? job->n : rows;
}

static chunk_space take_chunk(ls_arena *arena, const ls_head_job *job)
{
    int64_t rows = chunk_rows(job);
    return (chunk_space){
        .rows = rows,
        .x = ls_arena_floats(arena, rows * job->hidden->cols),
        .logits = ls_arena_floats(arena, rows * job->weight->rows),
        .bent = job->weight->softcap > 0 ? ls_arena_floats(arena, rows * job->weight->rows) : NULL,
        .lse = ls_arena_floats(arena, rows),
        .entropy = ls_arena_floats(arena, rows)};
}

/* out (n,width) = table[ids] */
static void gather(ls_tape *tape, float *out, const float *table, const int32_t *ids, int64_t n,
                   int64_t width)
{
    ls_embed_args args = {.y = out, .table = table, .ids = ids, .N = n, .C = width, .scale = 1.0f};
    tape->dev->k->embed(tape->dev, &args);
}

/* z (n,V), lse and entropy (may be NULL) of gathered rows x (n,C). */
static void compute_logits(ls_tape *tape, const ls_head_job *job, float *logits, float *lse,
                           float *entropy, const float *x, int64_t n)
{
    const ls_weight *w = job->weight;
    ls_weight_multiply(tape, logits, x, n, w, false);
    if (w->softcap > 0) {
        ls_softcap_args bend = {.x = logits, .n = n * w->rows, .cap = w->softcap};
        tape->dev->k->softcap(tape->dev, &bend);
    }
    ls_softmax_stats_args stats = {.logits = logits,
                                   .lse = lse,
                                   .entropy = entropy,
                                   .N = n,
                                   .V = w->rows,
                                   .inv_temperature = 1.0f / job->temperature};
    tape->dev->k->softmax_stats(tape->dev, &stats);
}

typedef struct {
    float *logp;     /* (n) */
    int32_t *argmax; /* (n) or NULL */
    const float *logits, *lse;
    const int32_t *targets;
    int64_t V;
    const int32_t *ids; /* (n,n_ids) or NULL */
    int64_t n_ids;
    float *ids_logp;
} pick_work;

static void pick_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    pick_work *w = context;
    for (int64_t i = begin; i < end; i++) {
        const float *z = w->logits + i * w->V;
        LS_ASSERT(w->targets[i] >= 0 && w->targets[i] < w->V);
        w->logp[i] = z[w->targets[i]] - w->lse[i];
        for (int64_t k = i * w->n_ids; k < (i + 1) * w->n_ids; k++)
            w->ids_logp[k] = z[w->ids[k]] - w->lse[i];
        if (w->argmax == NULL)
            continue;
        int64_t best = 0;
        for (int64_t v = 1; v < w->V; v++)
            if (z[v] > z[best])
                best = v;
        w->argmax[i] = (int32_t)best;
    }
}

void ls_op_head_score(ls_tape *tape, ls_head_job *job)
{
    LS_ASSERT_EQ(job->weight->cols, job->hidden->cols);
    LS_ASSERT(job->temperature > 0.0f);
    int64_t V = job->weight->rows, C = job->hidden->cols;
    job->kept = NULL;
    if (tape->is_recording && job->n * V <= LS_HEAD_BYTES / (int64_t)sizeof(float)) {
        job->kept = ls_arena_alloc(tape->arena, sizeof *job->kept);
        *job->kept = (struct ls_head_kept){.logits = ls_arena_floats(tape->arena, job->n * V),
                                           .lse = ls_arena_floats(tape->arena, job->n),
                                           .entropy = ls_arena_floats(tape->arena, job->n)};
    }
    ls_arena_mark mark = ls_arena_get_mark(tape->arena);
    chunk_space chunk = take_chunk(tape->arena, job);
    for (int64_t i = 0; i < job->n; i += chunk.rows) {
        int64_t n = job->n - i < chunk.rows ? job->n - i : chunk.rows;
        float *logits = job->kept ? job->kept->logits + i * V : chunk.logits;
        float *lse = job->kept ? job->kept->lse + i : chunk.lse;
        float *entropy = job->kept ? job->kept->entropy + i : job->entropy ? chunk.entropy : NULL;
        gather(tape, chunk.x, job->hidden->data, job->rows + i, n, C);
        compute_logits(tape, job, logits, lse, entropy, chunk.x, n);
        if (job->entropy)
            tape->dev->k->copy(tape->dev, job->entropy + i, entropy, n);
        if (tape->dev->k->is_null)
            continue;
        pick_work work = {.logp = job->logp + i,
                          .argmax = job->argmax ? job->argmax + i : NULL,
                          .logits = logits,
                          .lse = lse,
                          .targets = job->targets + i,
                          .V = V,
                          .n_ids = job->n_ids};
        if (job->n_ids > 0) {
            work.ids = job->ids + i * job->n_ids;
            work.ids_logp = job->ids_logp + i * job->n_ids;
        }
        ls_parallel_for(tape->dev->pool, n, 1, pick_rows, &work);
    }
    ls_arena_rewind(tape->arena, mark);
}

typedef struct head_seeds { /* of all rows; NULL: none */
    const float *dlogp, *dentropy, *dids;
} head_seeds;

static bool has_seed(const head_seeds *seeds, int64_t i, int64_t n_ids)
{
    if ((seeds->dlogp && seeds->dlogp[i] != 0.0f) ||
        (seeds->dentropy && seeds->dentropy[i] != 0.0f))
        return true;
    for (int64_t k = i * n_ids; seeds->dids && k < (i + 1) * n_ids; k++)
        if (seeds->dids[k] != 0.0f)
            return true;
    return false;
}

/* The rows with a seed that is not zero, in order; returns how many. */
static int64_t choose_rows(int32_t *chosen, const ls_tape *tape, const ls_head_job *job,
                           const head_seeds *seeds)
{
    if (tape->dev->k->is_null)
        return job->n;
    int64_t n = 0;
    for (int64_t i = 0; i < job->n; i++)
        if (has_seed(seeds, i, job->n_ids))
            chosen[n++] = (int32_t)i;
    return n;
}

typedef struct { /* per-row inputs of one chunk of the backward, gathered */
    int64_t K;   /* tokens of a row: the target, and the given ones when they have seeds */
    int32_t *rows, *targets;
    float *dlogp, *dentropy;
} chunk_seeds;

static void gather_seeds(chunk_seeds *out, const ls_tape *tape, const ls_head_job *job,
                         const int32_t *chosen, int64_t n, const head_seeds *seeds)
{
    if (tape->dev->k->is_null)
        return;
    for (int64_t i = 0; i < n; i++) {
        int64_t row = chosen[i], at = i * out->K, given = row * job->n_ids;
        out->rows[i] = job->rows[row];
        out->targets[at] = job->targets[row];
        out->dlogp[at] = seeds->dlogp ? seeds->dlogp[row] : 0.0f;
        for (int64_t k = 1; k < out->K; k++) {
            out->targets[at + k] = job->ids[given + k - 1];
            out->dlogp[at + k] = seeds->dids[given + k - 1];
        }
        if (seeds->dentropy)
            out->dentropy[i] = seeds->dentropy[row];
    }
}

/* dx (n,C) = dz W, a part of the vocabulary at a time: the parts' sums start from zero, so that a
 * likely token does not swallow the tail (which pulls in one direction, and gradients would be
 * wrong from the fourth digit on). */
static void multiply_back(ls_tape *tape, float *dx, const float *dz, int64_t n, const ls_weight *w)
{
    ls_arena_mark mark = ls_arena_get_mark(tape->arena);
    float *part = ls_arena_floats(tape->arena, n * w->cols);
    for (int64_t first = 0; first < w->rows; first += PART_TOKENS) {
        int64_t end = w->rows - first < PART_TOKENS ? w->rows : first + PART_TOKENS;
        ls_weight_multiply_back_rows(tape, first == 0 ? dx : part, dz, n, w, first, end, false);
        if (first > 0)
            tape->dev->k->add(tape->dev, dx, dx, part, n * w->cols);
    }
    ls_arena_rewind(tape->arena, mark);
}

/* The chunk's logits hold dz (n,V), its x the hidden rows (n,C): adds to the gradients of the
 * weight and of hidden. */
static void add_gradients(ls_tape *tape, const ls_head_job *job, chunk_space *chunk,
                          const int32_t *rows, int64_t n)
{
    const ls_weight *w = job->weight;
    if (w->grad)
        ls_weight_add_grad(tape, w->grad, chunk->logits, chunk->x, n, w);
    if (!job->hidden->needs_grad)
        return;
    multiply_back(tape, chunk->x, chunk->logits, n, w);
    ls_embed_bwd_args scatter = {.dtable = job->hidden->grad,
                                 .dy = chunk->x,
                                 .ids = rows,
                                 .N = n,
                                 .C = w->cols,
                                 .scale = 1.0f};
    tape->dev->k->embed_bwd(tape->dev, &scatter);
}

void ls_op_head_backward(ls_tape *tape, const ls_head_job *job, const float *dlogp,
                         const float *dentropy)
{
    ls_op_head_backward_ids(tape, job, dlogp, dentropy, NULL);
}

void ls_op_head_backward_ids(ls_tape *tape, const ls_head_job *job, const float *dlogp,
                             const float *dentropy, const float *dids)
{
    const head_seeds all = {dlogp, dentropy, dids};
    int64_t K = dids ? 1 + job->n_ids : 1;
    int64_t V = job->weight->rows, C = job->hidden->cols;
    if (job->hidden->needs_grad)
        ls_tape_grad(tape, job->hidden);
    ls_arena_mark mark = ls_arena_get_mark(tape->arena);
    int32_t *chosen = ls_arena_ints(tape->arena, job->n);
    int64_t n_chosen = choose_rows(chosen, tape, job, &all);
    chunk_space chunk = take_chunk(tape->arena, job);
    chunk_seeds seeds = {.K = K,
                         .rows = ls_arena_ints(tape->arena, chunk.rows),
                         .targets = ls_arena_ints(tape->arena, chunk.rows * K),
                         .dlogp = ls_arena_floats(tape->arena, chunk.rows * K),
                         .dentropy = ls_arena_floats(tape->arena, chunk.rows)};
    for (int64_t i = 0; i < n_chosen; i += chunk.rows) {
        int64_t n = n_chosen - i < chunk.rows ? n_chosen - i : chunk.rows;
        gather_seeds(&seeds, tape, job, chosen + i, n, &all);
        gather(tape, chunk.x, job->hidden->data, seeds.rows, n, C);
        if (job->kept) {
            gather(tape, chunk.logits, job->kept->logits, chosen + i, n, V);
            gather(tape, chunk.lse, job->kept->lse, chosen + i, n, 1);
            gather(tape, chunk.entropy, job->kept->entropy, chosen + i, n, 1);
        } else {
            compute_logits(tape, job, chunk.logits, chunk.lse, chunk.entropy, chunk.x, n);
        }
        if (chunk.bent)
            tape->dev->k->copy(tape->dev, chunk.bent, chunk.logits, n * V);
        ls_softmax_bwd_args args = {.logits = chunk.logits,
                                    .lse = chunk.lse,
                                    .entropy = chunk.entropy,
                                    .ids = seeds.targets,
                                    .dlogp = seeds.dlogp,
                                    .dentropy = dentropy ? seeds.dentropy : NULL,
                                    .N = n,
                                    .V = V,
                                    .K = K,
                                    .inv_temperature = 1.0f / job->temperature};
        tape->dev->k->softmax_bwd(tape->dev, &args);
        if (chunk.bent) {
            /* What was kept is divided by the temperature. */
            ls_softcap_bwd_args bend = {.d = chunk.logits,
                                        .y = chunk.bent,
                                        .n = n * V,
                                        .unit = job->temperature / job->weight->softcap};
            tape->dev->k->softcap_bwd(tape->dev, &bend);
        }
        add_gradients(tape, job, &chunk, seeds.rows, n);
    }
    ls_arena_rewind(tape->arena, mark);
}

void ls_op_head_logits(ls_tape *tape, const ls_head_job *job, float *logits, float *lse,
                       float *entropy)
{
    ls_arena_mark mark = ls_arena_get_mark(tape->arena);
    float *x = ls_arena_floats(tape->arena, job->n * job->hidden->cols);
    gather(tape, x, job->hidden->data, job->rows, job->n, job->hidden->cols);
    compute_logits(tape, job, logits, lse, entropy, x, job->n);
    ls_arena_rewind(tape->arena, mark);
}

typedef struct {
    const float *logits, *lse;
    int64_t V, K;
    int32_t *ids; /* (n,K) */
    float *logp;
} top_work;

static bool is_better(const float *z, int32_t a, int32_t b)
{
    return z[a] > z[b] || (z[a] == z[b] && a < b);
}

/* Moves the token at i down to its place in the heap of n whose root is the worst. */
static void sink(int32_t *heap, int64_t n, int64_t i, const float *z)
{
    for (int64_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && is_better(z, heap[child], heap[child + 1]))
            child++;
        if (!is_better(z, heap[i], heap[child]))
            return;
        int32_t id = heap[i];
        heap[i] = heap[child];
        heap[child] = id;
    }
}

/* The K best of z, best first: a heap of them, then a heap sort. */
static void top_of_row(int32_t *heap, const float *z, int64_t V, int64_t K)
{
    for (int64_t k = 0; k < K; k++)
        heap[k] = (int32_t)k;
    for (int64_t k = K / 2 - 1; k >= 0; k--)
        sink(heap, K, k, z);
    for (int64_t v = K; v < V; v++) {
        if (!is_better(z, (int32_t)v, heap[0]))
            continue;
        heap[0] = (int32_t)v;
        sink(heap, K, 0, z);
    }
    for (int64_t n = K - 1; n > 0; n--) {
        int32_t worst = heap[0];
        heap[0] = heap[n];
        heap[n] = worst;
        sink(heap, n, 0, z);
    }
}

static void top_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const top_work *w = context;
    for (int64_t i = begin; i < end; i++) {
        const float *z = w->logits + i * w->V;
        int32_t *ids = w->ids + i * w->K;
        top_of_row(ids, z, w->V, w->K);
        for (int64_t k = 0; k < w->K; k++)
            w->logp[i * w->K + k] = z[ids[k]] - w->lse[i];
    }
}

void ls_op_head_top(ls_tape *tape, const ls_head_job *job, int64_t K, int32_t *ids, float *logp)
{
    int64_t V = job->weight->rows, C = job->hidden->cols;
    LS_ASSERT(K >= 1 && K <= V);
    ls_arena_mark mark = ls_arena_get_mark(tape->arena);
    chunk_space chunk = take_chunk(tape->arena, job);
    for (int64_t i = 0; i < job->n; i += chunk.rows) {
        int64_t n = job->n - i < chunk.rows ? job->n - i : chunk.rows;
        gather(tape, chunk.x, job->hidden->data, job->rows + i, n, C);
        compute_logits(tape, job, chunk.logits, chunk.lse, NULL, chunk.x, n);
        if (tape->dev->k->is_null)
            continue;
        top_work work = {.logits = chunk.logits,
                         .lse = chunk.lse,
                         .V = V,
                         .K = K,
                         .ids = ids + i * K,
                         .logp = logp + i * K};
        ls_parallel_for(tape->dev->pool, n, 1, top_rows, &work);
    }
    ls_arena_rewind(tape->arena, mark);
}
