/* The fused ops.  Each stands in its own file with its backward; each is checked against finite
 * differences in double by tests/ops.  Shapes: N packed rows, C width, H heads, G kv heads, D head
 * size, F ffn, V vocabulary. */
#ifndef LS_OPS_OPS_H
#define LS_OPS_OPS_H

#include "ops/tape.h"

/* y (N,C) = table[ids] * scale */
ls_tensor *ls_op_embed(ls_tape *tape, ls_weight *table, const int32_t *ids, int64_t n, float scale);
/* y (N,C) = x / sqrt(mean(x^2) + eps) * w     arXiv:1910.07467 */
ls_tensor *ls_op_rmsnorm(ls_tape *tape, ls_tensor *x, ls_weight *w, float eps);
/* y (N,out) = x W^T */
ls_tensor *ls_op_linear(ls_tape *tape, ls_tensor *x, ls_weight *w);
/* y = a + b; the gradient of y is handed to both without a copy.  b is the end of a branch: the
 * output of the op recorded last, used by nothing else.  a (the residual stream) may have been used
 * by ops before b's, and by none after. */
ls_tensor *ls_op_add(ls_tape *tape, ls_tensor *a, ls_tensor *b);
/* y (N,F) = silu(gate) * up */
ls_tensor *ls_op_swiglu(ls_tape *tape, ls_tensor *gate, ls_tensor *up);

typedef struct ls_rope_table { /* cos and sin (n_positions, R/2), in the run arena */
    const float *cos, *sin;
    int64_t n_positions, R;
} ls_rope_table;

typedef struct ls_attention_config {
    int64_t H, G, D, window;
    float scale;
    const ls_rope_table *rope; /* NULL: no rotation */
} ls_attention_config;
/* o (N,H*D): rotates q (N,H*D) and k (N,G*D) in place, stores k and v into pages (those of the
 * batch or of the pass arena), attends causally inside each sequence. */
ls_tensor *ls_op_attention(ls_tape *tape, ls_tensor *q, ls_tensor *k, ls_tensor *v,
                           const ls_batch *batch, const ls_attention_config *config);

/* One layer, y = body(x) of x's shape, so that passes hold the temporary memory of one layer alone.
 *   not recording     the body's memory is given back and y takes x's place: the returned tensor is
 *                     x, overwritten
 *   recording         the body's records are kept; gradients inside the layer are given back when
 *                     its backward is done
 *   recomputes_blocks only x is kept and the backward calls body again: the same bits
 * Bodies do not contain blocks.  context is copied; what it points to stays until the backward is
 * over. */
typedef ls_tensor *ls_block_fn(ls_tape *tape, ls_tensor *x, void *context);
ls_tensor *ls_op_block(ls_tape *tape, ls_tensor *x, ls_block_fn *body, void *context,
                       size_t context_bytes);

/* The head: scores of chosen rows, in chunks of rows; never holds tokens x vocabulary (at most
 * LS_HEAD_BYTES of logits).
 *     z = hidden W^T / temperature;   logp[i] = z[target[i]] - lse;   entropy[i] = H(softmax(z)) */
#define LS_HEAD_BYTES (32 << 20)
typedef struct ls_head_job {
    ls_tensor *hidden;      /* (N,C) after the final norm             */
    ls_weight *weight;      /* (V,C)                                  */
    const int32_t *rows;    /* (n) rows of hidden that are scored, ascending */
    const int32_t *targets; /* (n) ids                                */
    int64_t n;
    float temperature;
    float *logp, *entropy; /* out (n); entropy may be NULL           */
    int32_t *argmax;       /* out (n): most likely id (lowest of equals), may be NULL */
    /* Starts as NULL; ls_op_head_score sets it (pass arena) while recording when z of all rows fits
     * in LS_HEAD_BYTES, and the backward then need not compute z again.  The bits are the same with
     * and without. */
    struct ls_head_kept *kept;
} ls_head_job;
void ls_op_head_score(ls_tape *tape, ls_head_job *job);
/* Adds d(loss)/d(hidden) to hidden->grad and the weight's gradient, given d(loss)/d(logp) and
 * d(loss)/d(entropy) (NULL: none); rows whose seeds are all zero are not computed.  Call before
 * ls_tape_backward. */
void ls_op_head_backward(ls_tape *tape, const ls_head_job *job, const float *dlogp,
                         const float *dentropy);
/* Scaled logits z of n <= max rows for sampling: logits (n,V), lse (n), entropy (n). The same bits
 * as ls_op_head_score. */
void ls_op_head_logits(ls_tape *tape, const ls_head_job *job, float *logits, float *lse,
                       float *entropy);

#endif
