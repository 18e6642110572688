/* The fused ops.  Each stands in its own file with its backward; each is checked against finite
 * differences in double by tests/ops.  Shapes: N packed rows, C width, H heads, G kv heads, D head
 * size, F ffn, V vocabulary. */
#ifndef LS_OPS_OPS_H
#define LS_OPS_OPS_H

#include "ops/tape.h"

/* y (N,C) = table[ids] * scale */
ls_tensor *ls_op_embed(ls_tape *tape, ls_weight *table, const int32_t *ids, int64_t n, float scale);
/* y (N,P*C) = x / sqrt(mean(x^2) + eps) * w, each of the P parts of a row (heads; mostly one) by
 * itself, w (C); the gain is 1 + w when w->adds_one     arXiv:1910.07467 */
ls_tensor *ls_op_rmsnorm(ls_tape *tape, ls_tensor *x, ls_weight *w, float eps);
/* y (N,C) = (x - mean(x)) / sqrt(var(x) + eps) * w + b     arXiv:1607.06450 */
ls_tensor *ls_op_layernorm(ls_tape *tape, ls_tensor *x, ls_weight *w, ls_weight *b, float eps);
/* y + b (C) on every row, in place: y is the output of the op recorded last, which does not read it
 * in its backward (a matrix).  Returns y. */
ls_tensor *ls_op_bias(ls_tape *tape, ls_tensor *y, ls_weight *b);
/* y (N,C) = x * s */
ls_tensor *ls_op_scale(ls_tape *tape, ls_tensor *x, float s);
/* y (N,P*C): columns first .. first+C-1 of each of the P equal parts of a row of x. */
ls_tensor *ls_op_columns(ls_tape *tape, ls_tensor *x, int64_t P, int64_t first, int64_t C);
/* y (N,out) = x W^T */
ls_tensor *ls_op_linear(ls_tape *tape, ls_tensor *x, ls_weight *w);
/* y = a + b; the gradient of y is handed to both without a copy.  b is the end of a branch: the
 * output of the op recorded last (with the bias on it, if any), used by nothing else.  a (the
 * residual stream) may have been used by ops before b's, and by none after. */
ls_tensor *ls_op_add(ls_tape *tape, ls_tensor *a, ls_tensor *b);
/* y (N,F) = silu(gate) * up */
ls_tensor *ls_op_swiglu(ls_tape *tape, ls_tensor *gate, ls_tensor *up);

/* y (N,F) = gelu(x) * up, or gelu(x) when up is NULL; exact (erf) or in tanh form */
ls_tensor *ls_op_gelu(ls_tape *tape, ls_tensor *x, ls_tensor *up, bool is_exact);

typedef struct ls_expert { /* (F,C), (F,C), (C,F) */
    ls_weight *gate, *up, *down;
} ls_expert;

typedef struct ls_experts_config {
    ls_weight *router;        /* (E,C) */
    const ls_expert *experts; /* (E)   */
    int64_t E, K, F;          /* experts, chosen for a row, width of each */
    bool renormalises;        /* the K weights of a row are divided by their sum */
} ls_experts_config;
/* y (N,C): each row through the K experts that its router finds likeliest, weighted. */
ls_tensor *ls_op_experts(ls_tape *tape, ls_tensor *x, const ls_experts_config *config);

typedef struct ls_rope_table { /* cos and sin (n_positions, R/2), in the run arena */
    const float *cos, *sin;
    int64_t n_positions, R;
} ls_rope_table;

typedef struct ls_attention_config {
    int64_t H, G, D, window;
    float scale, softcap;      /* softcap 0: none   */
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
 *     z = softcap(hidden W^T) / temperature
 *     logp[i] = z[target[i]] - lse;   entropy[i] = H(softmax(z)) */
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
    const int32_t *ids;    /* (n,n_ids) tokens besides the target, or NULL */
    int64_t n_ids;
    float *ids_logp; /* out (n,n_ids) */
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
/* The same with d(loss)/d(ids_logp) (n,n_ids). */
void ls_op_head_backward_ids(ls_tape *tape, const ls_head_job *job, const float *dlogp,
                             const float *dentropy, const float *dids);
/* The K most likely tokens of each row, best first, lower ids first among equals, and their
 * log-probabilities: ids, logp (n,K). */
void ls_op_head_top(ls_tape *tape, const ls_head_job *job, int64_t K, int32_t *ids, float *logp);
/* Scaled logits z of n <= max rows for sampling: logits (n,V), lse (n), entropy (n). The same bits
 * as ls_op_head_score. */
void ls_op_head_logits(ls_tape *tape, const ls_head_job *job, float *logits, float *lse,
                       float *entropy);

/* The scalar head of critics and reward models: value[i] = hidden[rows[i]] . w + b; of two labels
 * the log-odds of the second. */
typedef struct ls_value_job {
    ls_tensor *hidden;        /* (N,C) after the final norm                   */
    ls_weight *weight, *bias; /* (1,C) or (2,C); (1,labels) or NULL           */
    const int32_t *rows;      /* (n) rows of hidden, each at most once         */
    int64_t n;
    float *value; /* out (n) */
} ls_value_job;
void ls_op_value(ls_tape *tape, const ls_value_job *job);
/* Adds d(loss)/d(hidden) to hidden->grad and the gradients of weight and bias.  Call before
 * ls_tape_backward; beside ls_op_head_backward where both heads stand on one trunk. */
void ls_op_value_backward(ls_tape *tape, const ls_value_job *job, const float *dvalue);

#endif
