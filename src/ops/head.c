/* The head: log-probability, entropy and most likely token of chosen rows; d(loss)/d(hidden) and
 * d(loss)/d(weight) from seeds.
 *
 *     z[i,v] = hidden[rows[i]] . w[v] / temperature;  lse = log sum_v exp z;  logp[i] = z[i,target]
 *       - lse;  H = entropy
 *     dz[v] = (dlogp (1[v = target] - p_v) - dentropy p_v (log p_v + H)) / temperature
 *     dhidden[rows[i]] += dz W         dw += dz^T hidden
 *
 * Shapes: hidden (N,C), w (V,C), z (n,V) held for some rows at a time.  Rows are gathered and
 * scattered with the embedding's kernels.  Order: a row of dhidden is its own chain; dw is one
 * chain over the scored rows in order, across chunks, so neither the chunk length nor the keeping
 * of z is seen in the bits.  Rows whose seeds are all zero are left out before anything is
 * computed: they cost nothing and may even hold values that are not finite.  In a dry run (null
 * kernels) seeds cannot be read: every row counts. */
#include "ops/ops.h"

/* Rows of a chunk: enough to make the weight's way through the caches cheap, few enough for z to
 * stay in them. */
#define CHUNK_ROWS 256

struct ls_head_kept { /* z, lse and entropy of all rows */
    float *logits, *lse, *entropy;
};

typedef struct { /* what a chunk of at most `rows` rows works in */
    int64_t rows;
    float *x, *logits, *lse, *entropy;
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
    return (chunk_space){.rows = rows,
                         .x = ls_arena_floats(arena, rows * job->hidden->cols),
                         .logits = ls_arena_floats(arena, rows * job->weight->rows),
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
    LS_ASSERT(w->packed);
    ls_gemm_args gemm = {.c = logits,
                         .a = x,
                         .b = w->packed,
                         .M = n,
                         .N = w->rows,
                         .K = w->cols,
                         .a_row = w->cols,
                         .a_k = 1,
                         .ldc = w->rows,
                         .b_packed = true};
    tape->dev->k->gemm(tape->dev, &gemm);
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
} pick_work;

static void pick_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    pick_work *w = context;
    for (int64_t i = begin; i < end; i++) {
        const float *z = w->logits + i * w->V;
        LS_ASSERT(w->targets[i] >= 0 && w->targets[i] < w->V);
        w->logp[i] = z[w->targets[i]] - w->lse[i];
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
                          .V = V};
        ls_parallel_for(tape->dev->pool, n, 1, pick_rows, &work);
    }
    ls_arena_rewind(tape->arena, mark);
}

/* The rows with a seed that is not zero, in order; returns how many. */
static int64_t choose_rows(int32_t *chosen, const ls_tape *tape, const ls_head_job *job,
                           const float *dlogp, const float *dentropy)
{
    if (tape->dev->k->is_null)
        return job->n;
    int64_t n = 0;
    for (int64_t i = 0; i < job->n; i++)
        if ((dlogp && dlogp[i] != 0.0f) || (dentropy && dentropy[i] != 0.0f))
            chosen[n++] = (int32_t)i;
    return n;
}

typedef struct { /* per-row inputs of one chunk of the backward, gathered */
    int32_t *rows, *targets;
    float *dlogp, *dentropy;
} chunk_seeds;

static void gather_seeds(chunk_seeds *seeds, const ls_tape *tape, const ls_head_job *job,
                         const int32_t *chosen, int64_t n, const float *dlogp,
                         const float *dentropy)
{
    if (tape->dev->k->is_null)
        return;
    for (int64_t i = 0; i < n; i++) {
        seeds->rows[i] = job->rows[chosen[i]];
        seeds->targets[i] = job->targets[chosen[i]];
        seeds->dlogp[i] = dlogp ? dlogp[chosen[i]] : 0.0f;
        if (dentropy)
            seeds->dentropy[i] = dentropy[chosen[i]];
    }
}

/* The chunk's logits hold dz (n,V), its x the hidden rows (n,C): adds to the gradients of the
 * weight and of hidden. */
static void add_gradients(ls_tape *tape, const ls_head_job *job, chunk_space *chunk,
                          const int32_t *rows, int64_t n)
{
    const ls_weight *w = job->weight;
    int64_t V = w->rows, C = w->cols;
    if (w->grad) {
        ls_gemm_args dw = {.c = w->grad,
                           .a = chunk->logits,
                           .b = chunk->x,
                           .M = V,
                           .N = C,
                           .K = n,
                           .a_row = 1,
                           .a_k = V,
                           .ldb = C,
                           .ldc = C,
                           .accumulate = true};
        tape->dev->k->gemm(tape->dev, &dw);
    }
    if (!job->hidden->needs_grad)
        return;
    ls_gemm_args dx = {.c = chunk->x,
                       .a = chunk->logits,
                       .b = w->data,
                       .M = n,
                       .N = C,
                       .K = V,
                       .a_row = V,
                       .a_k = 1,
                       .ldb = C,
                       .ldc = C};
    tape->dev->k->gemm(tape->dev, &dx);
    ls_embed_bwd_args scatter = {
        .dtable = job->hidden->grad, .dy = chunk->x, .ids = rows, .N = n, .C = C, .scale = 1.0f};
    tape->dev->k->embed_bwd(tape->dev, &scatter);
}

void ls_op_head_backward(ls_tape *tape, const ls_head_job *job, const float *dlogp,
                         const float *dentropy)
{
    int64_t V = job->weight->rows, C = job->hidden->cols;
    if (job->hidden->needs_grad)
        ls_tape_grad(tape, job->hidden);
    ls_arena_mark mark = ls_arena_get_mark(tape->arena);
    int32_t *chosen = ls_arena_ints(tape->arena, job->n);
    int64_t n_chosen = choose_rows(chosen, tape, job, dlogp, dentropy);
    chunk_space chunk = take_chunk(tape->arena, job);
    chunk_seeds seeds = {.rows = ls_arena_ints(tape->arena, chunk.rows),
                         .targets = ls_arena_ints(tape->arena, chunk.rows),
                         .dlogp = ls_arena_floats(tape->arena, chunk.rows),
                         .dentropy = ls_arena_floats(tape->arena, chunk.rows)};
    for (int64_t i = 0; i < n_chosen; i += chunk.rows) {
        int64_t n = n_chosen - i < chunk.rows ? n_chosen - i : chunk.rows;
        gather_seeds(&seeds, tape, job, chosen + i, n, dlogp, dentropy);
        gather(tape, chunk.x, job->hidden->data, seeds.rows, n, C);
        if (job->kept) {
            gather(tape, chunk.logits, job->kept->logits, chosen + i, n, V);
            gather(tape, chunk.lse, job->kept->lse, chosen + i, n, 1);
            gather(tape, chunk.entropy, job->kept->entropy, chosen + i, n, 1);
        } else {
            compute_logits(tape, job, chunk.logits, chunk.lse, chunk.entropy, chunk.x, n);
        }
        ls_softmax_bwd_args args = {.logits = chunk.logits,
                                    .lse = chunk.lse,
                                    .entropy = chunk.entropy,
                                    .ids = seeds.targets,
                                    .dlogp = seeds.dlogp,
                                    .dentropy = dentropy ? seeds.dentropy : NULL,
                                    .N = n,
                                    .V = V,
                                    .K = 1,
                                    .inv_temperature = 1.0f / job->temperature};
        tape->dev->k->softmax_bwd(tape->dev, &args);
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
