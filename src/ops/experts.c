/* A mixture of experts in place of a feed-forward part.
 *     z = x W_r^T;  p = softmax(z);  the K largest z of a row (of equals the lower index), in
 *     falling order, are its slots;  w_k = p_k, or p_k / sum_slots p
 *     y = sum over the slots in order of w_k o_k,   o_k = W_down (silu(W_gate x) * W_up x)  of the
 *       slot's expert
 *   backward:  dw_k = dy . o_k;  do_k = w_k dy;  through the expert;
 *     dp_k = dw_k, or (dw_k - sum_j dw_j w_j) / sum_slots p;
 *     dz_e = p_e (dp_e - sum_slots dp_j p_j)
 * The choice of experts has no gradient.  Shapes: x, y (N,C), z, p (N,E), w (N,K); W_r (E,C),
 * W_gate, W_up (F,C), W_down (C,F) of each expert.
 *
 * The N*K pairs of row and slot are sorted by expert, and inside an expert by row: one product for
 * each matrix of an expert, and gradients of weights that are one chain over the rows in order.  A
 * row's bits depend on that row alone, so the experts chosen in a rollout are those of training.
 * In a dry run (null kernels) nothing can be chosen: the pairs are spread evenly.
 * Source: arXiv:2006.16668, 2409.02060 (OLMoE); names as in Qwen3-MoE. */
#include "ops/ops.h"
#include "ops/weight.h"

typedef struct {
    ls_tensor *x, *y;
    ls_experts_config config;
    float *p;                          /* (N,E) */
    float *w;                          /* (N,K) */
    int32_t *slots;                    /* (N,K) experts */
    int32_t *place;                    /* (N,K) where the pair stands in the sorted order */
    int32_t *rows;                     /* (N*K) sorted: the row of x */
    int64_t *begin;                    /* (E+1) of each expert in the sorted order */
    float *in, *gate, *up, *mid, *out; /* (N*K, C F F F C) sorted */
} experts_saved;

/* ---- routing ---- */

/* The K experts of a row by falling z. */
static void choose(int32_t *slots, const float *z, int64_t E, int64_t K)
{
    for (int64_t k = 0; k < K; k++) {
        int32_t best = -1;
        for (int32_t e = 0; e < E; e++) {
            bool is_taken = false;
            for (int64_t j = 0; j < k; j++)
                is_taken |= slots[j] == e;
            if (!is_taken && (best < 0 || z[e] > z[best]))
                best = e;
        }
        slots[k] = best;
    }
}

/* The sum of the chosen probabilities that weights are divided by. */
static float chosen_sum(const experts_saved *s, int64_t i)
{
    const ls_experts_config *c = &s->config;
    float sum = 0.0f;
    if (!c->renormalises)
        return 1.0f;
    for (int64_t k = 0; k < c->K; k++)
        sum = sum + s->p[i * c->E + s->slots[i * c->K + k]];
    return sum;
}

typedef struct {
    experts_saved *s;
    const float *z; /* (N,E) */
} route_work;

static void route_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const route_work *work = context;
    experts_saved *s = work->s;
    int64_t E = s->config.E, K = s->config.K;
    for (int64_t i = begin; i < end; i++) {
        choose(s->slots + i * K, work->z + i * E, E, K);
        float sum = chosen_sum(s, i);
        for (int64_t k = 0; k < K; k++)
            s->w[i * K + k] = s->p[i * E + s->slots[i * K + k]] / sum;
    }
}

/* Counting sort of the pairs by expert. */
static void sort_pairs(experts_saved *s, int64_t *next)
{
    int64_t E = s->config.E, K = s->config.K, N = s->x->rows;
    for (int64_t e = 0; e <= E; e++)
        s->begin[e] = 0;
    for (int64_t j = 0; j < N * K; j++)
        s->begin[s->slots[j] + 1]++;
    for (int64_t e = 0; e < E; e++) {
        s->begin[e + 1] += s->begin[e];
        next[e] = s->begin[e];
    }
    for (int64_t j = 0; j < N * K; j++) {
        s->place[j] = (int32_t)next[s->slots[j]]++;
        s->rows[s->place[j]] = (int32_t)(j / K);
    }
}

static void route(ls_tape *tape, experts_saved *s)
{
    const ls_kernels *k = tape->dev->k;
    int64_t E = s->config.E, K = s->config.K, N = s->x->rows;
    ls_arena_mark mark = ls_arena_get_mark(tape->arena);
    float *z = ls_arena_floats(tape->arena, N * E), *lse = ls_arena_floats(tape->arena, N);
    int64_t *next = ls_arena_alloc(tape->arena, (size_t)E * sizeof *next);
    ls_weight_multiply(tape, z, s->x->data, N, s->config.router, false);
    ls_softmax_stats_args stats = {
        .logits = z, .lse = lse, .N = N, .V = E, .inv_temperature = 1.0f};
    k->softmax_stats(tape->dev, &stats);
    k->softmax_probs(tape->dev,
                     &(ls_softmax_probs_args){.p = s->p, .z = z, .lse = lse, .N = N, .V = E});
    if (k->is_null) {
        for (int64_t e = 0; e <= E; e++)
            s->begin[e] = N * K * e / E;
    } else {
        route_work work = {.s = s, .z = z};
        ls_parallel_for(tape->dev->pool, N, 16, route_rows, &work);
        sort_pairs(s, next);
    }
    ls_arena_rewind(tape->arena, mark);
}

/* ---- forward ---- */

static void combine_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const experts_saved *s = context;
    int64_t K = s->config.K, C = s->x->cols;
    for (int64_t i = begin; i < end; i++) {
        float *restrict y = s->y->data + i * C;
        for (int64_t k = 0; k < K; k++) {
            const float *restrict o = s->out + s->place[i * K + k] * C;
            float w = s->w[i * K + k];
            for (int64_t j = 0; j < C; j++)
                y[j] = k == 0 ? w * o[j] : y[j] + w * o[j];
        }
    }
}

/* Counts a loop of this file as the kernels count themselves. */
static void count(ls_tape *tape, int64_t n_floats)
{
    tape->dev->counters.bytes += 4 * (double)n_floats;
    tape->dev->counters.calls++;
}

static void run_experts(ls_tape *tape, experts_saved *s)
{
    const ls_kernels *k = tape->dev->k;
    int64_t C = s->x->cols, F = s->config.F, n_pairs = s->x->rows * s->config.K;
    ls_embed_args gather = {
        .y = s->in, .table = s->x->data, .ids = s->rows, .N = n_pairs, .C = C, .scale = 1.0f};
    k->embed(tape->dev, &gather);
    for (int64_t e = 0; e < s->config.E; e++) {
        const ls_expert *expert = &s->config.experts[e];
        int64_t at = s->begin[e], n = s->begin[e + 1] - at;
        if (n == 0)
            continue;
        ls_weight_multiply(tape, s->gate + at * F, s->in + at * C, n, expert->gate, false);
        ls_weight_multiply(tape, s->up + at * F, s->in + at * C, n, expert->up, false);
        ls_swiglu_args act = {
            .y = s->mid + at * F, .gate = s->gate + at * F, .up = s->up + at * F, .n = n * F};
        k->swiglu(tape->dev, &act);
        ls_weight_multiply(tape, s->out + at * C, s->mid + at * F, n, expert->down, false);
    }
    count(tape, (n_pairs + s->x->rows) * C);
    if (!k->is_null)
        ls_parallel_for(tape->dev->pool, s->x->rows, 16, combine_rows, s);
}

/* ---- backward ---- */

typedef struct {
    const experts_saved *s;
    float *dout;   /* (N*K,C) sorted */
    float *dlogit; /* (N,E) */
    float *din;    /* (N*K,C) sorted */
} backward_work;

static float dot(const float *a, const float *b, int64_t n)
{
    float lanes[LS_LANES] = {0};
    for (int64_t j = 0; j < n; j++)
        lanes[j % LS_LANES] = lanes[j % LS_LANES] + a[j] * b[j];
    for (int64_t half = LS_LANES / 2; half > 0; half /= 2)
        for (int64_t l = 0; l < half; l++)
            lanes[l] = lanes[l] + lanes[l + half];
    return lanes[0];
}

/* do of the row's slots, and dz. */
static void spread_row(const backward_work *work, int64_t i)
{
    const experts_saved *s = work->s;
    int64_t E = s->config.E, K = s->config.K, C = s->x->cols;
    const float *dy = s->y->grad + i * C, *p = s->p + i * E, *w = s->w + i * K;
    const int32_t *slots = s->slots + i * K;
    float *dz = work->dlogit + i * E, mean = 0.0f, sum = chosen_sum(s, i), inner = 0.0f;
    for (int64_t e = 0; e < E; e++)
        dz[e] = 0.0f;
    for (int64_t k = 0; k < K; k++) { /* dz holds dw, then dp, then itself */
        int64_t at = s->place[i * K + k];
        dz[slots[k]] = dot(dy, s->out + at * C, C);
        mean = mean + dz[slots[k]] * w[k];
        for (int64_t j = 0; j < C; j++)
            work->dout[at * C + j] = w[k] * dy[j];
    }
    for (int64_t k = 0; k < K; k++) {
        if (s->config.renormalises)
            dz[slots[k]] = (dz[slots[k]] - mean) / sum;
        inner = inner + dz[slots[k]] * p[slots[k]];
    }
    for (int64_t e = 0; e < E; e++)
        dz[e] = p[e] * (dz[e] - inner);
}

static void spread_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    for (int64_t i = begin; i < end; i++)
        spread_row(context, i);
}

static void gather_dx_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const backward_work *work = context;
    const experts_saved *s = work->s;
    int64_t K = s->config.K, C = s->x->cols;
    for (int64_t i = begin; i < end; i++)
        for (int64_t k = 0; k < K; k++) {
            float *restrict dx = s->x->grad + i * C;
            const float *restrict din = work->din + s->place[i * K + k] * C;
            for (int64_t j = 0; j < C; j++)
                dx[j] = dx[j] + din[j];
        }
}

typedef struct {
    float *dmid, *dgate, *dup; /* (N*K,F) sorted */
} hidden_grads;

static void expert_backward(ls_tape *tape, const backward_work *work, const hidden_grads *h,
                            int64_t e)
{
    const experts_saved *s = work->s;
    const ls_expert *expert = &s->config.experts[e];
    int64_t C = s->x->cols, F = s->config.F, at = s->begin[e], n = s->begin[e + 1] - at;
    float *dgate = h->dgate + at * F, *dup = h->dup + at * F, *din = work->din + at * C;
    const float *dout = work->dout + at * C, *in = s->in + at * C;
    if (n == 0)
        return;
    if (expert->down->grad)
        ls_weight_add_grad(tape, expert->down->grad, dout, s->mid + at * F, n, expert->down);
    ls_weight_multiply_back(tape, h->dmid + at * F, dout, n, expert->down, false);
    ls_swiglu_bwd_args act = {.dgate = dgate,
                              .dup = dup,
                              .dy = h->dmid + at * F,
                              .gate = s->gate + at * F,
                              .up = s->up + at * F,
                              .n = n * F};
    tape->dev->k->swiglu_bwd(tape->dev, &act);
    if (expert->gate->grad)
        ls_weight_add_grad(tape, expert->gate->grad, dgate, in, n, expert->gate);
    if (expert->up->grad)
        ls_weight_add_grad(tape, expert->up->grad, dup, in, n, expert->up);
    if (!s->x->needs_grad)
        return;
    ls_weight_multiply_back(tape, din, dgate, n, expert->gate, false);
    ls_weight_multiply_back(tape, din, dup, n, expert->up, true);
}

static void experts_backward(ls_tape *tape, void *saved)
{
    experts_saved *s = saved;
    const ls_kernels *k = tape->dev->k;
    if (s->y->grad == NULL)
        return;
    int64_t N = s->x->rows, C = s->x->cols, F = s->config.F, E = s->config.E;
    int64_t n_pairs = N * s->config.K;
    if (s->x->needs_grad)
        ls_tape_grad(tape, s->x);
    ls_arena_mark mark = ls_arena_get_mark(tape->arena);
    backward_work work = {.s = s,
                          .dout = ls_arena_floats(tape->arena, n_pairs * C),
                          .dlogit = ls_arena_floats(tape->arena, N * E),
                          .din = ls_arena_floats(tape->arena, n_pairs * C)};
    hidden_grads h = {.dmid = ls_arena_floats(tape->arena, n_pairs * F),
                      .dgate = ls_arena_floats(tape->arena, n_pairs * F),
                      .dup = ls_arena_floats(tape->arena, n_pairs * F)};
    k->zero(tape->dev, h.dgate, n_pairs * F);
    k->zero(tape->dev, h.dup, n_pairs * F);
    count(tape, 2 * n_pairs * C + N * (C + 2 * E));
    if (!k->is_null)
        ls_parallel_for(tape->dev->pool, N, 16, spread_rows, &work);
    for (int64_t e = 0; e < E; e++)
        expert_backward(tape, &work, &h, e);
    ls_weight *router = s->config.router;
    if (router->grad)
        ls_weight_add_grad(tape, router->grad, work.dlogit, s->x->data, N, router);
    if (s->x->needs_grad) {
        ls_weight_multiply_back(tape, s->x->grad, work.dlogit, N, router, true);
        count(tape, (n_pairs + 2 * N) * C);
        if (!k->is_null)
            ls_parallel_for(tape->dev->pool, N, 16, gather_dx_rows, &work);
    }
    ls_arena_rewind(tape->arena, mark);
}

ls_tensor *ls_op_experts(ls_tape *tape, ls_tensor *x, const ls_experts_config *config)
{
    ls_arena *arena = tape->arena;
    int64_t N = x->rows, C = x->cols, n_pairs = N * config->K;
    LS_ASSERT(config->K >= 1 && config->K <= config->E);
    LS_ASSERT_EQ(config->router->cols, C);
    bool needs_grad = x->needs_grad || config->router->grad || config->experts[0].gate->grad;
    ls_tensor *y = ls_tape_tensor(tape, N, C, needs_grad);
    ls_arena_mark mark = ls_arena_get_mark(arena);
    experts_saved *s = ls_arena_alloc(arena, sizeof *s);
    *s = (experts_saved){.x = x, .y = y, .config = *config};
    s->p = ls_arena_floats(arena, N * config->E);
    s->w = ls_arena_floats(arena, n_pairs);
    s->slots = ls_arena_ints(arena, n_pairs);
    s->place = ls_arena_ints(arena, n_pairs);
    s->rows = ls_arena_ints(arena, n_pairs);
    s->begin = ls_arena_alloc(arena, (size_t)(config->E + 1) * sizeof *s->begin);
    s->in = ls_arena_floats(arena, n_pairs * C);
    s->gate = ls_arena_floats(arena, n_pairs * config->F);
    s->up = ls_arena_floats(arena, n_pairs * config->F);
    s->mid = ls_arena_floats(arena, n_pairs * config->F);
    s->out = ls_arena_floats(arena, n_pairs * C);
    route(tape, s);
    run_experts(tape, s);
    ls_tape_check(tape, "experts", y);
    if (tape->is_recording && needs_grad)
        ls_tape_record(tape, "experts", experts_backward, s);
    else
        ls_arena_rewind(arena, mark);
    return y;
}
