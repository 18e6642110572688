/* The null table: touches no array, counts what the other tables would do.  A dry run on it,
 * with dry arenas, gives the plan's memory, FLOPs and bytes.  Only the descriptions of sequences
 * (ls_attention_seq, without its pages) are read. */
#include "kernels/cpu/cpu.h"

static bool is_supported(void)
{
    return true;
}

static size_t pack_bytes(int64_t N, int64_t K)
{
    /* Whole vectors of 16 columns, as in the CPU tables. */
    return (size_t)((N + 15) / 16 * 16) * (size_t)K * sizeof(float);
}

static void pack(ls_device *dev, float *packed, const float *w, int64_t N, int64_t K)
{
    (void)packed, (void)w;
    ls_count(dev, 0, 2 * (double)N * (double)K);
}

static void unpack(ls_device *dev, float *w, const float *packed, int64_t N, int64_t K,
                   int64_t begin, int64_t end)
{
    (void)w, (void)packed, (void)N;
    ls_count(dev, 0, 2 * (double)(end - begin) * (double)K);
}

static void rmsnorm(ls_device *dev, const ls_rmsnorm_args *a)
{
    ls_count(dev, 0, (double)a->C + (double)a->N * (2 * (double)a->C + 1));
}

static void rmsnorm_bwd(ls_device *dev, const ls_rmsnorm_bwd_args *a)
{
    double rows = (double)a->N, width = (double)a->C;
    ls_count(dev, 0, rows * (1 + width * (a->dx ? 4 : 2)) + width * (a->dw ? 3 : 1));
}

static void layernorm(ls_device *dev, const ls_layernorm_args *a)
{
    ls_count(dev, 0, 2 * (double)a->C + (double)a->N * (2 * (double)a->C + 2));
}

static void layernorm_bwd(ls_device *dev, const ls_layernorm_bwd_args *a)
{
    double rows = (double)a->N, width = (double)a->C;
    ls_count(dev, 0, rows * (2 + width * (a->dx ? 4 : 2)) + width * (a->dw ? 5 : 1));
}

static void gelu(ls_device *dev, const ls_gelu_args *a)
{
    ls_count(dev, 0, (a->up ? 3 : 2) * (double)a->n);
}

static void gelu_bwd(ls_device *dev, const ls_gelu_bwd_args *a)
{
    ls_count(dev, 0, (a->up ? 7 : 4) * (double)a->n);
}

static void softcap(ls_device *dev, const ls_softcap_args *a)
{
    ls_count(dev, 0, 2 * (double)a->n);
}

static void softcap_bwd(ls_device *dev, const ls_softcap_bwd_args *a)
{
    ls_count(dev, 0, 3 * (double)a->n);
}

static void scale(ls_device *dev, const ls_scale_args *a)
{
    ls_count(dev, 0, (a->accumulate ? 3 : 2) * (double)a->n);
}

static void add_row(ls_device *dev, const ls_add_row_args *a)
{
    ls_count(dev, 0, (double)a->C * (2 * (double)a->N + 1));
}

static void add_row_bwd(ls_device *dev, const ls_add_row_bwd_args *a)
{
    ls_count(dev, 0, (double)a->C * ((double)a->N + 2));
}

static void copy_columns(ls_device *dev, const ls_copy_columns_args *a)
{
    ls_count(dev, 0, (a->accumulate ? 3 : 2) * (double)a->N * (double)a->C);
}

static void rope(ls_device *dev, const ls_rope_args *a)
{
    ls_count(dev, 0, (double)a->N * (double)a->R * (1 + 2 * (double)a->H));
}

static void swiglu(ls_device *dev, const ls_swiglu_args *a)
{
    ls_count(dev, 0, 3 * (double)a->n);
}

static void swiglu_bwd(ls_device *dev, const ls_swiglu_bwd_args *a)
{
    ls_count(dev, 0, 7 * (double)a->n);
}

static void add(ls_device *dev, float *y, const float *a, const float *b, int64_t n)
{
    (void)y, (void)a, (void)b;
    ls_count(dev, 0, 3 * (double)n);
}

static void embed(ls_device *dev, const ls_embed_args *a)
{
    ls_count(dev, 0, (double)a->N * (1 + 2 * (double)a->C));
}

static void embed_bwd(ls_device *dev, const ls_embed_bwd_args *a)
{
    ls_count(dev, 0, (double)a->N * (1 + 3 * (double)a->C));
}

static void kv_store(ls_device *dev, const ls_kv_store_args *a)
{
    ls_count(dev, 0, 4 * (double)(ls_count_rows(a->seqs, a->n_seqs) * a->G * a->D));
}

static void softmax_stats(ls_device *dev, const ls_softmax_stats_args *a)
{
    ls_count(dev, 0, (double)a->N * (2 * (double)a->V + (a->entropy ? 2 : 1)));
}

static void softmax_probs(ls_device *dev, const ls_softmax_probs_args *a)
{
    ls_count(dev, 0, (double)a->N * (2 * (double)a->V + 1));
}

static void softmax_bwd(ls_device *dev, const ls_softmax_bwd_args *a)
{
    ls_count(dev, 0, (double)a->N * (2 * (double)a->V + 2 * (double)a->K + (a->dentropy ? 3 : 1)));
}

static void adamw(ls_device *dev, const ls_adamw_args *a)
{
    ls_count(dev, 0, 7 * (double)a->n);
}

static double sum_squares(ls_device *dev, const float *x, int64_t n, int64_t *n_bad)
{
    (void)x;
    *n_bad = 0;
    ls_count(dev, 0, (double)n);
    return 0;
}

static void zero(ls_device *dev, float *x, int64_t n)
{
    (void)x;
    ls_count(dev, 0, (double)n);
}

static void copy(ls_device *dev, float *y, const float *x, int64_t n)
{
    (void)y, (void)x;
    ls_count(dev, 0, 2 * (double)n);
}

const ls_kernels ls_kernels_null = {
    .name = "null",
    .dtype = LS_F32,
    .is_null = true,
    .is_supported = is_supported,
    .pack_bytes = pack_bytes,
    .pack = pack,
    .unpack = unpack,
    .gemm = ls_count_gemm,
    .rmsnorm = rmsnorm,
    .rmsnorm_bwd = rmsnorm_bwd,
    .layernorm = layernorm,
    .layernorm_bwd = layernorm_bwd,
    .rope = rope,
    .swiglu = swiglu,
    .swiglu_bwd = swiglu_bwd,
    .gelu = gelu,
    .gelu_bwd = gelu_bwd,
    .softcap = softcap,
    .softcap_bwd = softcap_bwd,
    .scale = scale,
    .add_row = add_row,
    .add_row_bwd = add_row_bwd,
    .copy_columns = copy_columns,
    .add = add,
    .embed = embed,
    .embed_bwd = embed_bwd,
    .kv_store = kv_store,
    .attention = ls_count_attention,
    .attention_bwd = ls_count_attention_bwd,
    .softmax_stats = softmax_stats,
    .softmax_probs = softmax_probs,
    .softmax_bwd = softmax_bwd,
    .adamw = adamw,
    .sum_squares = sum_squares,
    .zero = zero,
    .copy = copy,
};
