/* Causal attention inside each sequence, with rotary positions, grouped kv heads and an optional
 * window.
 *
 *     q, k rotated in place;   s_ij = scale q_i k_j, with a soft cap c bent to c tanh(s_ij / c);
 *     p_ij = softmax_j;   o_i = sum_j p_ij v_j,   j <= i (j > i - window)
 *     delta_i = do_i o_i;  ds_ij = p_ij (do_i v_j - delta_i) scale;  dq_i = sum_j ds_ij k_j;  dk_j
 *       = sum_i ds_ij q_i;
 *     dv_j = sum_i p_ij do_i;  then dq and dk are rotated back.
 *
 * Shapes: q, o (N,H*D), k, v (N,G*D), head h reads kv head h / (H/G).  Keys and values are read
 * from pages of LS_KV_PAGE positions in every use: training and scoring take pages from the pass
 * arena, sequences with a KV cache bring theirs, so the bits of a row do not depend on how its
 * sequence was cut into calls.  q and k hold the rotated values afterwards, which is why no other
 * op may read them; their gradients come from here alone.
 * Source: arXiv:1706.03762, 2104.09864 (rotate_half form), 2305.13245; the backward follows
 * arXiv:2205.14135 without tiles. */
#include "ops/ops.h"

typedef struct {
    ls_tensor *q, *k, *v, *o;
    float *lse; /* (N,H) */
    const int32_t *pos;
    ls_attention_seq *seqs;
    int64_t n_seqs;
    ls_attention_config config;
} attention_saved;

static int64_t count_pages(int64_t n_positions)
{
    return (n_positions + LS_KV_PAGE - 1) / LS_KV_PAGE;
}

static void rotate(ls_tape *tape, float *x, int64_t n, int64_t heads, const int32_t *pos,
                   const ls_attention_config *config, bool inverse)
{
    ls_rope_args args = {.x = x,
                         .cos = config->rope->cos,
                         .sin = config->rope->sin,
                         .pos = pos,
                         .N = n,
                         .H = heads,
                         .D = config->D,
                         .R = config->rope->R,
                         .inverse = inverse};
    tape->dev->k->rope(tape->dev, &args);
}

/* Pages of the pass arena for a sequence that starts at 0.  Every slot of a full page is about to
 * be stored; the last page is zeroed, since slots beyond the last position must be finite. */
static float *const *take_pages(ls_tape *tape, const ls_batch_seq *seq, int64_t page_floats)
{
    LS_ASSERT_EQ(seq->pos0, 0);
    int64_t n_pages = count_pages(seq->n_rows);
    float **pages = ls_arena_alloc(tape->arena, (size_t)n_pages * sizeof *pages);
    float *block = ls_arena_floats(tape->arena, n_pages * page_floats);
    for (int64_t p = 0; p < n_pages; p++)
        pages[p] = block + p * page_floats;
    if (seq->n_rows % LS_KV_PAGE != 0)
        tape->dev->k->zero(tape->dev, pages[n_pages - 1], page_floats);
    return pages;
}

/* This layer's part of the pages of a cached sequence. */
static float *const *find_pages(ls_tape *tape, const ls_batch_seq *seq, int64_t page_floats)
{
    LS_ASSERT(tape->layer >= 0);
    int64_t n_pages = count_pages(seq->pos0 + seq->n_rows);
    float **pages = ls_arena_alloc(tape->arena, (size_t)n_pages * sizeof *pages);
    for (int64_t p = 0; p < n_pages; p++)
        pages[p] = seq->pages[p] + tape->layer * page_floats;
    return pages;
}

static ls_attention_seq *describe_seqs(ls_tape *tape, const ls_batch *batch,
                                       const ls_attention_config *config)
{
    int64_t page_floats = 2 * config->G * config->D * LS_KV_PAGE;
    ls_attention_seq *seqs = ls_arena_alloc(tape->arena, (size_t)batch->n_seqs * sizeof *seqs);
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        const ls_batch_seq *seq = &batch->seqs[i];
        if (config->rope)
            LS_ASSERT(seq->pos0 + seq->n_rows <= config->rope->n_positions);
        seqs[i] = (ls_attention_seq){.row0 = seq->row0,
                                     .n_rows = seq->n_rows,
                                     .pos0 = seq->pos0,
                                     .pages = seq->pages ? find_pages(tape, seq, page_floats)
                                                         : take_pages(tape, seq, page_floats)};
    }
    return seqs;
}

static void attention_backward(ls_tape *tape, void *saved)
{
    attention_saved *s = saved;
    if (s->o->grad == NULL)
        return;
    LS_ASSERT(s->q->grad == NULL && s->k->grad == NULL); /* rotated back below */
    int64_t n = s->q->rows;
    ls_attention_bwd_args args = {.dq = ls_tape_grad(tape, s->q),
                                  .dk = ls_tape_grad(tape, s->k),
                                  .dv = ls_tape_grad(tape, s->v),
                                  .q = s->q->data,
                                  .k = s->k->data,
                                  .v = s->v->data,
                                  .o = s->o->data,
                                  .dout = s->o->grad,
                                  .lse = s->lse,
                                  .seqs = s->seqs,
                                  .n_seqs = s->n_seqs,
                                  .H = s->config.H,
                                  .G = s->config.G,
                                  .D = s->config.D,
                                  .window = s->config.window,
                                  .scale = s->config.scale,
                                  .softcap = s->config.softcap};
    tape->dev->k->attention_bwd(tape->dev, &args);
    if (s->config.rope) {
        rotate(tape, s->q->grad, n, s->config.H, s->pos, &s->config, true);
        rotate(tape, s->k->grad, n, s->config.G, s->pos, &s->config, true);
    }
}

ls_tensor *ls_op_attention(ls_tape *tape, ls_tensor *q, ls_tensor *k, ls_tensor *v,
                           const ls_batch *batch, const ls_attention_config *config)
{
    const ls_kernels *kernels = tape->dev->k;
    LS_ASSERT_EQ(q->rows, batch->n_rows);
    LS_ASSERT_EQ(q->cols, config->H * config->D);
    LS_ASSERT_EQ(k->cols, config->G * config->D);
    LS_ASSERT_EQ(v->cols, config->G * config->D);
    bool needs_grad = q->needs_grad || k->needs_grad || v->needs_grad;
    bool is_recorded = tape->is_recording && needs_grad;
    ls_tensor *o = ls_tape_tensor(tape, q->rows, q->cols, needs_grad);
    float *lse = is_recorded ? ls_arena_floats(tape->arena, q->rows * config->H) : NULL;
    if (config->rope) {
        rotate(tape, q->data, q->rows, config->H, batch->pos, config, false);
        rotate(tape, k->data, k->rows, config->G, batch->pos, config, false);
    }
    ls_attention_seq *seqs = describe_seqs(tape, batch, config);
    ls_kv_store_args store = {.k = k->data,
                              .v = v->data,
                              .seqs = seqs,
                              .n_seqs = batch->n_seqs,
                              .G = config->G,
                              .D = config->D};
    kernels->kv_store(tape->dev, &store);
    ls_attention_args args = {.o = o->data,
                              .lse = lse,
                              .q = q->data,
                              .seqs = seqs,
                              .n_seqs = batch->n_seqs,
                              .H = config->H,
                              .G = config->G,
                              .D = config->D,
                              .window = config->window,
                              .scale = config->scale,
                              .softcap = config->softcap};
    kernels->attention(tape->dev, &args);
    ls_tape_check(tape, "attention", o);
    if (is_recorded) {
        attention_saved *s = ls_arena_alloc(tape->arena, sizeof *s);
        *s = (attention_saved){.q = q,
                               .k = k,
                               .v = v,
                               .o = o,
                               .lse = lse,
                               .pos = batch->pos,
                               .seqs = seqs,
                               .n_seqs = batch->n_seqs,
                               .config = *config};
        ls_tape_record(tape, "attention", attention_backward, s);
    }
    return o;
}
