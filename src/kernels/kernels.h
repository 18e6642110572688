/* Functions on raw arrays, one table of slots a backend.
 *
 * The scalar table `ls_kernels_ref` is the specification: every other table of the same dtype gives
 * the same bits for the same arguments (tests/ops/test_kernels_*.c compares them all).  The null
 * table touches no memory and counts bytes and FLOPs.
 *
 * The row contract.  The bits of output row i of a forward kernel depend on input row i, the
 * weights and (attention only) on the keys and values of its own sequence at positions 0..pos_i;
 * never on the number of rows, the row's place, chunking, threads, or the table.  Backward kernels
 * that sum over rows do it as one chain in row order, starting from the value that is already
 * there, so a batch may be cut anywhere between rows.
 *
 * What fixes the bits:
 *   gemm         c = fma(a[K-1], b[K-1], ... fma(a[0], b[0], start)): one chain over k in order,
 *                SIMD lanes along outputs
 *   row sums     16 lanes: lane l adds elements l, l+16, ... in order; then the lanes are added in
 *                a tree (l + l+8, +4, +2, +1)
 *   maxima       any order (exact)
 *   exp and kin  base/vmath.h, operation by operation
 * Multiplications and additions written separately below are separate roundings; fma is written
 * where it is meant.
 *
 * Shapes are in the comments; (N, C) is indexed x[i*C + j]; rows are contiguous unless a stride is
 * given.  Pointers do not alias unless said.  All sizes may be 0 or odd.  Counting: a backend adds
 * to dev->counters. */
#ifndef LS_KERNELS_KERNELS_H
#define LS_KERNELS_KERNELS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/threads.h"

/* Tokens in a page of the KV cache = length of an attention tile, aligned to position 0 of the
 * sequence. */
#define LS_KV_PAGE 16
/* Lanes of a row sum. */
#define LS_LANES 16
/* Longest context that the score scratch of attention holds; a longer one is refused before kernels
 * are called. */
#define LS_ATTENTION_MAX 32768

typedef enum ls_dtype { LS_F32, LS_BF16, LS_F16 } ls_dtype;

typedef struct ls_counters { /* what the null backend (and the others) have been asked for */
    double flops;            /* 2 per multiply-add of gemm and attention */
    double bytes;            /* operands read + written, each once       */
    uint64_t calls;
} ls_counters;

struct ls_kernels;

/* Where kernels run: the table, the threads, scratch for packing, and counters.  One per process or
 * per simulated rank, used by one thread at a time (the kernels start the others). */
typedef struct ls_device {
    const struct ls_kernels *k;
    ls_pool *pool; /* NULL: one thread */
    ls_counters counters;
    void *scratch; /* owned by the backend, grown outside of steps; see ls_device_init */
    size_t scratch_bytes;
} ls_device;

/* C (M,N) = start + A (M,K) B (K,N), start = 0 or, with `accumulate`, the old C.
 * Element (i,p) of A is a[i*a_row + p*a_k]; row p of B starts at b + p*ldb with its N columns
 * contiguous.
 *   forward   Y = X W^T     A = X, B = packed W (see pack), N = out, K = in
 *   dX       += dY W        A = dY, B = W (out,in) row-major
 *   dW       += dY^T X      A = dY with a_row = 1, a_k = out;  B = X
 * With `b_packed` set, b comes from `pack` and ldb is unused. */
typedef struct ls_gemm_args {
    float *c;
    const float *a, *b;
    int64_t M, N, K;
    int64_t a_row, a_k, ldb, ldc;
    bool accumulate, b_packed;
} ls_gemm_args;

/* y (N,C) = x * rstd * w,  rstd = 1 / sqrt(mean(x^2) + eps);  sum of squares: row sum of fma(x, x,
 * lane) */
typedef struct {
    float *y, *rstd;    /* out: y (N,C), rstd (N)                        */
    const float *x, *w; /* in:  x (N,C), w (C); y = (x * rstd) * w       */
    int64_t N, C;
    float eps;
    bool adds_one; /* the gain is 1 + w instead of w */
} ls_rmsnorm_args;

/* dx[j] += r * (dy[j] w[j] - x[j] r^2 t / C),  t = sum_j dy[j] w[j] x[j];  dw[j] chain over rows of
 * dy x r */
typedef struct {
    float *dx, *dw; /* in/out, accumulated into: dx (N,C), dw (C); either may be NULL */
    const float *dy, *x, *w, *rstd;
    int64_t N, C;
    bool adds_one;
} ls_rmsnorm_bwd_args;

/* y (N,C) = fma((x - mean) * rstd, w, b):  mean = row sum of x / C,  rstd = 1 / sqrt(row sum of
 * fma(d, d, lane) / C + eps) with d = x - mean */
typedef struct {
    float *y, *mean, *rstd; /* out: y (N,C), mean (N), rstd (N) */
    const float *x, *w, *b; /* in:  x (N,C), w (C), b (C)       */
    int64_t N, C;
    float eps;
} ls_layernorm_args;

/* With n = (x - mean) rstd and g = dy w:  dx += rstd ((g - row sum of g / C) - n (row sum of
 * fma(g, n, lane) / C));  dw = fma(dy, n, dw),  db = db + dy, rows in order */
typedef struct {
    float *dx, *dw, *db; /* in/out, accumulated into: (N,C), (C), (C); each may be NULL */
    const float *dy, *x, *w, *mean, *rstd;
    int64_t N, C;
} ls_layernorm_bwd_args;

/* rotate_half RoPE in place on heads: x (N, H, D), pairs (i, i+R/2) of the first R of D. */
typedef struct {
    float *x;
    const float *cos, *sin; /* (positions, R/2), row pos[i] is used           */
    const int32_t *pos;     /* (N)                                            */
    int64_t N, H, D, R;
    bool inverse; /* rotate by the negative angle: the backward            */
} ls_rope_args;
/* forward: a = x[i], b = x[i+R/2]:  x[i] = fma(a, c, -(b*s)), x[i+R/2] = fma(b, c, a*s); inverse: s
 * -> -s */

typedef struct { /* y (N,F) = silu(gate) * up,  silu(g) = g * sigmoid(g) */
    float *y;
    const float *gate, *up;
    int64_t n; /* elements */
} ls_swiglu_args;

/* dgate = dy up s (1 + gate (1 - s)),  dup = dy gate s,  s = sigmoid(gate); both accumulated
 * into */
typedef struct {
    float *dgate, *dup;
    const float *dy, *gate, *up;
    int64_t n;
} ls_swiglu_bwd_args;

/* y = gelu(x) * up, or gelu(x) without up.  gelu(x) = x s:
 *     tanh form   s = sigmoid(x fma(a, x x, c)),  c = 2 sqrt(2/pi),  a = 0.044715 c
 *                 (which is x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2)
 *     exact       s = fma(0.5, erf(x sqrt(1/2)), 0.5)                       arXiv:1606.08415 */
typedef struct {
    float *y;
    const float *x, *up; /* up may be NULL */
    int64_t n;           /* elements */
    bool is_exact;
} ls_gelu_args;

/* g = dy up (or dy):  dx = dx + g slope,  dup = dup + dy (x s)
 *     tanh form   slope = fma((x s) (1 - s), fma(3 a, x x, c), s)
 *     exact       slope = fma(x, exp(-0.5 (x x)) / sqrt(2 pi), s) */
typedef struct {
    float *dx, *dup; /* accumulated into; dup is NULL without up */
    const float *dy, *x, *up;
    int64_t n;
    bool is_exact;
} ls_gelu_bwd_args;

typedef struct { /* x = cap tanh(x / cap), in place */
    float *x;
    int64_t n;
    float cap;
} ls_softcap_args;

typedef struct { /* d = d fma(-t, t, 1),  t = y unit;  unit = 1 / cap for y as softcap left it */
    float *d;
    const float *y;
    int64_t n;
    float unit;
} ls_softcap_bwd_args;

typedef struct { /* y = x s, or y = y + x s; y may be x */
    float *y;
    const float *x;
    int64_t n;
    float s;
    bool accumulate;
} ls_scale_args;

typedef struct { /* y[i,j] = y[i,j] + b[j] */
    float *y;
    const float *b;
    int64_t N, C;
} ls_add_row_args;

typedef struct { /* db[j] = db[j] + dy[i,j], rows in order */
    float *db;
    const float *dy;
    int64_t N, C;
} ls_add_row_bwd_args;

typedef struct { /* y[i*ldy + j] = x[i*ldx + j], or added to it;  j < C */
    float *y;
    const float *x;
    int64_t N, C, ldy, ldx;
    bool accumulate;
} ls_copy_columns_args;

typedef struct { /* y (N,C) = table[ids[i]] * scale */
    float *y;
    const float *table; /* (V,C) */
    const int32_t *ids; /* (N)   */
    int64_t N, C;
    float scale;
} ls_embed_args;

typedef struct { /* dtable[ids[i]] += dy[i] * scale, rows in order */
    float *dtable;
    const float *dy;
    const int32_t *ids;
    int64_t N, C;
    float scale;
} ls_embed_bwd_args;

/* One sequence's part in a call of attention: rows row0 .. row0+n_rows-1 of q and o stand at
 * positions pos0 .. pos0+n_rows-1, and keys and values of positions 0 .. pos0+n_rows-1 lie in
 * pages.  A page holds LS_KV_PAGE positions for all G kv heads:
 *     keys   page[g*D*LS_KV_PAGE + d*LS_KV_PAGE + slot]            (columns are positions: a panel
 *            for q k^T)
 *     values page[G*D*LS_KV_PAGE + g*LS_KV_PAGE*D + slot*D + d]
 * so one page is 2*G*D*LS_KV_PAGE floats.  Slots beyond the last position hold anything finite
 * (pages are zeroed when taken). */
typedef struct ls_attention_seq {
    int64_t row0, n_rows;
    int64_t pos0;
    float *const *pages; /* ceil((pos0+n_rows)/LS_KV_PAGE) pages of this layer */
} ls_attention_seq;

typedef struct { /* stores k, v (N, G, D) of the sequences' rows into their pages */
    const float *k, *v;
    const ls_attention_seq *seqs;
    int64_t n_seqs, G, D;
} ls_kv_store_args;

/* o (N,H,D): per head h with kv head g = h / (H/G):
 *     s_j = scale * (chain over d of q_d k_jd), j = 0 .. pos;   m = max s_j;   p_j = exp(s_j - m)
 *     l = row sum of p over j;   o_d = (chain over j in order of p_j v_jd, from 0) / l;   lse = m +
 *                                log(l)
 * window > 0 keeps only j > pos - window.  softcap > 0 bends the scores first: s = softcap *
 * tanh(s / softcap). */
typedef struct {
    float *o, *lse; /* o (N,H,D), lse (N,H); lse may be NULL */
    const float *q; /* (N,H,D) */
    const ls_attention_seq *seqs;
    int64_t n_seqs, H, G, D, window;
    float scale, softcap;
} ls_attention_args;

/* Backward for sequences that start at position 0 (training).  p_ij = exp(s_ij - lse_i);  delta_i =
 * row sum over d of do o; dp_ij = chain over d of do_id v_jd;  ds_ij = p_ij (dp_ij - delta_i)
 * scale, with softcap p_ij (dp_ij - delta_i) fma(-t, t, 1) scale for t = tanh(scale q k / softcap);
 *     dq_id = chain over j in order of fma(ds_ij, k_jd, dq_id)
 *     dk_jd = chain of fma(ds_ij, q_id, dk_jd),  dv_jd = chain of fma(p_ij, do_id, dv_jd):  over
 *       the query heads of the kv head
 *             in order, inside a head over the rows i in order
 * all starting from what is there.  No T x T memory. */
typedef struct {
    float *dq, *dk, *dv; /* (N,H,D), (N,G,D), (N,G,D), accumulated into */
    const float *q, *k, *v, *o, *dout, *lse;
    const ls_attention_seq *seqs; /* pages as in the forward */
    int64_t n_seqs, H, G, D, window;
    float scale, softcap;
} ls_attention_bwd_args;

/* Rows of logits (N,V), raw:  z = logit * inv_temperature (in place), m = max z, l = row sum of
 * exp(z - m), lse = m + log(l), entropy = lse - (row sum of exp(z - m) * z) / l.  logp of token v
 * is z[v] - lse.  In these row sums a lane keeps what its additions round off (two-sum) and adds it
 * at the end: a vocabulary has more terms than a float has room for. */
typedef struct {
    float *logits;        /* in/out (N,V): scaled in place */
    float *lse, *entropy; /* out (N); entropy may be NULL  */
    int64_t N, V;
    float inv_temperature;
} ls_softmax_stats_args;

typedef struct {      /* p (N,V) = exp(z - lse) */
    float *p;         /* out (N,V)              */
    const float *z;   /* (N,V) scaled logits    */
    const float *lse; /* (N)                    */
    int64_t N, V;
} ls_softmax_probs_args;

/* In place, scaled logits become d(raw logits):
 *     d[v] = (sum_k g_logp[k] (1[v = id_k] - p_v) - g_entropy p_v (log p_v + H)) * inv_temperature,
 *       log p_v = z[v] - lse */
typedef struct {
    float *logits; /* in: z (N,V); out: gradient */
    const float *lse, *entropy;
    const int32_t *ids;    /* (N,K) */
    const float *dlogp;    /* (N,K) */
    const float *dentropy; /* (N) or NULL */
    int64_t N, V, K;
    float inv_temperature;
} ls_softmax_bwd_args;

/* PyTorch's order (Loshchilov & Hutter):  w *= 1 - lr wd;  m = fma(b1, m, (1-b1) g);  v = fma(b2,
 * v, (1-b2) g g); w -= (lr / bias1) * m / (sqrt(v) / sqrt(bias2) + eps).  g is multiplied by
 * grad_scale first (clipping). */
typedef struct {
    float *w, *m, *v;
    const float *g;
    int64_t n;
    float lr, beta1, beta2, eps, weight_decay, bias1, sqrt_bias2, grad_scale;
} ls_adamw_args;

typedef struct ls_kernels {
    const char *name; /* "ref", "avx2", "avx512", "null" */
    ls_dtype dtype;
    bool is_null;
    bool (*is_supported)(void);
    /* weights (N out, K in) row-major -> the layout that `gemm` reads with b_packed */
    size_t (*pack_bytes)(int64_t N, int64_t K);
    void (*pack)(ls_device *dev, float *packed, const float *w, int64_t N, int64_t K);
    /* back: w (end - begin, K) = the rows of W from begin to end */
    void (*unpack)(ls_device *dev, float *w, const float *packed, int64_t N, int64_t K,
                   int64_t begin, int64_t end);
    void (*gemm)(ls_device *dev, const ls_gemm_args *a);
    void (*rmsnorm)(ls_device *dev, const ls_rmsnorm_args *a);
    void (*rmsnorm_bwd)(ls_device *dev, const ls_rmsnorm_bwd_args *a);
    void (*layernorm)(ls_device *dev, const ls_layernorm_args *a);
    void (*layernorm_bwd)(ls_device *dev, const ls_layernorm_bwd_args *a);
    void (*rope)(ls_device *dev, const ls_rope_args *a);
    void (*swiglu)(ls_device *dev, const ls_swiglu_args *a);
    void (*swiglu_bwd)(ls_device *dev, const ls_swiglu_bwd_args *a);
    void (*gelu)(ls_device *dev, const ls_gelu_args *a);
    void (*gelu_bwd)(ls_device *dev, const ls_gelu_bwd_args *a);
    void (*softcap)(ls_device *dev, const ls_softcap_args *a);
    void (*softcap_bwd)(ls_device *dev, const ls_softcap_bwd_args *a);
    void (*scale)(ls_device *dev, const ls_scale_args *a);
    void (*add_row)(ls_device *dev, const ls_add_row_args *a);
    void (*add_row_bwd)(ls_device *dev, const ls_add_row_bwd_args *a);
    void (*copy_columns)(ls_device *dev, const ls_copy_columns_args *a);
    void (*add)(ls_device *dev, float *y, const float *a, const float *b,
                int64_t n); /* y = a + b; y may be a */
    void (*embed)(ls_device *dev, const ls_embed_args *a);
    void (*embed_bwd)(ls_device *dev, const ls_embed_bwd_args *a);
    void (*kv_store)(ls_device *dev, const ls_kv_store_args *a);
    void (*attention)(ls_device *dev, const ls_attention_args *a);
    void (*attention_bwd)(ls_device *dev, const ls_attention_bwd_args *a);
    void (*softmax_stats)(ls_device *dev, const ls_softmax_stats_args *a);
    void (*softmax_probs)(ls_device *dev, const ls_softmax_probs_args *a);
    void (*softmax_bwd)(ls_device *dev, const ls_softmax_bwd_args *a);
    void (*adamw)(ls_device *dev, const ls_adamw_args *a);
    /* sum of squares in double over fixed chunks of 4096 elements, chunks added in order; *n_bad
     * counts values not finite */
    double (*sum_squares)(ls_device *dev, const float *x, int64_t n, int64_t *n_bad);
    void (*zero)(ls_device *dev, float *x, int64_t n);
    void (*copy)(ls_device *dev, float *y, const float *x, int64_t n);
} ls_kernels;

extern const ls_kernels ls_kernels_ref, ls_kernels_avx2, ls_kernels_avx512, ls_kernels_null;

/* The table for `isa`: "ref", "avx2", "avx512", "null"; NULL or "" takes LEASH_ISA from the
 * environment, else the best the processor has.  Errors: LEASH_USAGE for an unknown name,
 * LEASH_UNSUPPORTED for one this processor lacks. */
leash_status ls_kernels_select(const ls_kernels **out, const char *isa) LEASH_MUST_USE;
/* The tables this machine can run, slowest first (without null); returns how many (at most 3). */
int ls_kernels_available(const ls_kernels *out[3]);

/* Starts threads (0: all) and takes scratch for the widest packing. */
leash_status ls_device_init(ls_device *dev, const ls_kernels *k, int n_threads) LEASH_MUST_USE;
void ls_device_release(ls_device *dev);

#endif
