/* The table of the reference kernels. */
#include "kernels/cpu/ref.h"

const ls_kernels ls_kernels_ref = {
    .name = "ref",
    .dtype = LS_F32,
    .is_supported = ls_cpu_has_any,
    .pack_bytes = ls_ref_pack_bytes,
    .pack = ls_ref_pack,
    .gemm = ls_ref_gemm,
    .rmsnorm = ls_ref_rmsnorm,
    .rmsnorm_bwd = ls_ref_rmsnorm_bwd,
    .rope = ls_ref_rope,
    .swiglu = ls_ref_swiglu,
    .swiglu_bwd = ls_ref_swiglu_bwd,
    .add = ls_ref_add,
    .embed = ls_ref_embed,
    .embed_bwd = ls_ref_embed_bwd,
    .kv_store = ls_ref_kv_store,
    .attention = ls_ref_attention,
    .attention_bwd = ls_ref_attention_bwd,
    .softmax_stats = ls_ref_softmax_stats,
    .softmax_probs = ls_ref_softmax_probs,
    .softmax_bwd = ls_ref_softmax_bwd,
    .adamw = ls_ref_adamw,
    .sum_squares = ls_ref_sum_squares,
    .zero = ls_ref_zero,
    .copy = ls_ref_copy,
};
