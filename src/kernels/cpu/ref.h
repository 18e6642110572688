/* The reference kernels: plain scalar loops that say what every table must compute, bit for
 * bit.  Read these first. They run on one thread and are slow; LEASH_ISA=ref runs a whole
 * training on them. */
#ifndef LS_KERNELS_CPU_REF_H
#define LS_KERNELS_CPU_REF_H

#include "kernels/cpu/cpu.h"

/* The end of a row sum: lanes l and l+8 are added, then +4, +2, +1. */
float ls_ref_add_lanes(const float lanes[LS_LANES]);

size_t ls_ref_pack_bytes(int64_t N, int64_t K);
void ls_ref_pack(ls_device *dev, float *packed, const float *w, int64_t N, int64_t K);
void ls_ref_unpack(ls_device *dev, float *w, const float *packed, int64_t N, int64_t K,
                   int64_t begin, int64_t end);
void ls_ref_gemm(ls_device *dev, const ls_gemm_args *a);
void ls_ref_rmsnorm(ls_device *dev, const ls_rmsnorm_args *a);
void ls_ref_rmsnorm_bwd(ls_device *dev, const ls_rmsnorm_bwd_args *a);
void ls_ref_layernorm(ls_device *dev, const ls_layernorm_args *a);
void ls_ref_layernorm_bwd(ls_device *dev, const ls_layernorm_bwd_args *a);
void ls_ref_gelu(ls_device *dev, const ls_gelu_args *a);
void ls_ref_gelu_bwd(ls_device *dev, const ls_gelu_bwd_args *a);
void ls_ref_softcap(ls_device *dev, const ls_softcap_args *a);
void ls_ref_softcap_bwd(ls_device *dev, const ls_softcap_bwd_args *a);
void ls_ref_scale(ls_device *dev, const ls_scale_args *a);
void ls_ref_add_row(ls_device *dev, const ls_add_row_args *a);
void ls_ref_add_row_bwd(ls_device *dev, const ls_add_row_bwd_args *a);
void ls_ref_copy_columns(ls_device *dev, const ls_copy_columns_args *a);
void ls_ref_rope(ls_device *dev, const ls_rope_args *a);
void ls_ref_swiglu(ls_device *dev, const ls_swiglu_args *a);
void ls_ref_swiglu_bwd(ls_device *dev, const ls_swiglu_bwd_args *a);
void ls_ref_add(ls_device *dev, float *y, const float *a, const float *b, int64_t n);
void ls_ref_embed(ls_device *dev, const ls_embed_args *a);
void ls_ref_embed_bwd(ls_device *dev, const ls_embed_bwd_args *a);
void ls_ref_kv_store(ls_device *dev, const ls_kv_store_args *a);
void ls_ref_attention(ls_device *dev, const ls_attention_args *a);
void ls_ref_attention_bwd(ls_device *dev, const ls_attention_bwd_args *a);
void ls_ref_softmax_stats(ls_device *dev, const ls_softmax_stats_args *a);
void ls_ref_softmax_probs(ls_device *dev, const ls_softmax_probs_args *a);
void ls_ref_softmax_bwd(ls_device *dev, const ls_softmax_bwd_args *a);
void ls_ref_adamw(ls_device *dev, const ls_adamw_args *a);
double ls_ref_sum_squares(ls_device *dev, const float *x, int64_t n, int64_t *n_bad);
void ls_ref_zero(ls_device *dev, float *x, int64_t n);
void ls_ref_copy(ls_device *dev, float *y, const float *x, int64_t n);

#endif
