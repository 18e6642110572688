/* Sixteen float lanes in one AVX-512 register: the names of simd_avx2.h, where they are
 * explained. */
#ifndef LS_KERNELS_CPU_SIMD_AVX512_H
#define LS_KERNELS_CPU_SIMD_AVX512_H

#include <immintrin.h>
#include "base/compiler.h"
#include "kernels/cpu/cpu.h"

#define SIMD_NAME "avx512"
#define SIMD_TABLE ls_kernels_avx512
#define SIMD_IS_SUPPORTED ls_cpu_has_avx512

/* 12 rows of 32 columns fill 24 of 32 registers with sums. */
#define TILE_ROWS 12
#define TILE_VECS 2

typedef __m512 vf;

LS_ALWAYS_INLINE vf v_load(const float *p)
{
    return _mm512_loadu_ps(p);
}

LS_ALWAYS_INLINE void v_store(float *p, vf x)
{
    _mm512_storeu_ps(p, x);
}

LS_ALWAYS_INLINE __mmask16 v_tail_mask(int64_t n)
{
    return (__mmask16)((1u << n) - 1);
}

LS_ALWAYS_INLINE vf v_load_n(const float *p, int64_t n)
{
    return _mm512_maskz_loadu_ps(v_tail_mask(n), p);
}

LS_ALWAYS_INLINE void v_store_n(float *p, vf x, int64_t n)
{
    _mm512_mask_storeu_ps(p, v_tail_mask(n), x);
}

LS_ALWAYS_INLINE void v_copy_tile_row(float *to, const float *from, int64_t n)
{
    _mm512_storeu_ps(to, _mm512_maskz_loadu_ps(v_tail_mask(n), from));
}

LS_ALWAYS_INLINE vf v_set1(float x)
{
    return _mm512_set1_ps(x);
}

LS_ALWAYS_INLINE vf v_add(vf x, vf y)
{
    return _mm512_add_ps(x, y);
}

LS_ALWAYS_INLINE vf v_sub(vf x, vf y)
{
    return _mm512_sub_ps(x, y);
}

LS_ALWAYS_INLINE vf v_mul(vf x, vf y)
{
    return _mm512_mul_ps(x, y);
}

LS_ALWAYS_INLINE vf v_div(vf x, vf y)
{
    return _mm512_div_ps(x, y);
}

LS_ALWAYS_INLINE vf v_fma(vf x, vf y, vf z)
{
    return _mm512_fmadd_ps(x, y, z);
}

LS_ALWAYS_INLINE vf v_sqrt(vf x)
{
    return _mm512_sqrt_ps(x);
}

LS_ALWAYS_INLINE vf v_neg(vf x)
{
    return _mm512_xor_ps(x, _mm512_set1_ps(-0.0f));
}

LS_ALWAYS_INLINE vf v_minus_abs(vf x)
{
    return _mm512_or_ps(x, _mm512_set1_ps(-0.0f));
}

LS_ALWAYS_INLINE vf v_with_sign(vf x, vf y)
{
    return _mm512_or_ps(x, _mm512_and_ps(y, _mm512_set1_ps(-0.0f)));
}

LS_ALWAYS_INLINE vf v_max(vf x, vf y)
{
    return _mm512_max_ps(x, y);
}

LS_ALWAYS_INLINE vf v_first_n(vf x, int64_t n, float fill)
{
    return _mm512_mask_blend_ps(v_tail_mask(n), _mm512_set1_ps(fill), x);
}

LS_ALWAYS_INLINE vf v_where_nonzero(vf condition, vf x)
{
    return _mm512_maskz_mov_ps(_mm512_cmp_ps_mask(condition, _mm512_setzero_ps(), _CMP_NEQ_UQ), x);
}

LS_ALWAYS_INLINE vf v_if_greater(vf x, vf y, vf yes, vf no)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, y, _CMP_GT_OQ), no, yes);
}

LS_ALWAYS_INLINE vf v_nan_or(vf x, vf y)
{
    return _mm512_mask_blend_ps(_mm512_cmp_ps_mask(x, x, _CMP_UNORD_Q), y, x);
}

LS_ALWAYS_INLINE vf v_add_exponent(vf x, vf n)
{
    __m512i shift = _mm512_slli_epi32(_mm512_castps_si512(n), 23);
    return _mm512_castsi512_ps(_mm512_add_epi32(_mm512_castps_si512(x), shift));
}

LS_ALWAYS_INLINE void v_split(vf *e, vf *m, vf x)
{
    const __m512i sqrt_half = _mm512_set1_epi32(0x3f3504f3), mask = _mm512_set1_epi32(0x007fffff);
    __m512i d = _mm512_sub_epi32(_mm512_castps_si512(x), sqrt_half);
    *e = _mm512_cvtepi32_ps(_mm512_srai_epi32(d, 23));
    *m = _mm512_castsi512_ps(_mm512_add_epi32(_mm512_and_epi32(d, mask), sqrt_half));
}

LS_ALWAYS_INLINE float v_add_lanes(vf x)
{
    __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

LS_ALWAYS_INLINE float v_max_lanes(vf x)
{
    __m256 eight = _mm256_max_ps(_mm512_castps512_ps256(x), _mm512_extractf32x8_ps(x, 1));
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

typedef struct vd {
    __m512d low, high; /* lanes 0-7, lanes 8-15 */
} vd;

LS_ALWAYS_INLINE void v_add_squares(vd *sum, int64_t *n_bad, vf x)
{
    __mmask16 is_finite = _mm512_cmp_ps_mask(_mm512_sub_ps(x, x), _mm512_setzero_ps(), _CMP_EQ_OQ);
    vf kept = _mm512_maskz_mov_ps(is_finite, x);
    __m512d low = _mm512_cvtps_pd(_mm512_castps512_ps256(kept));
    __m512d high = _mm512_cvtps_pd(_mm512_extractf32x8_ps(kept, 1));
    sum->low = _mm512_add_pd(sum->low, _mm512_mul_pd(low, low));
    sum->high = _mm512_add_pd(sum->high, _mm512_mul_pd(high, high));
    *n_bad += 16 - __builtin_popcount(is_finite);
}

LS_ALWAYS_INLINE double v_add_lanes_d(vd x)
{
    __m512d eight = _mm512_add_pd(x.low, x.high);
    __m256d four = _mm256_add_pd(_mm512_castpd512_pd256(eight), _mm512_extractf64x4_pd(eight, 1));
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

#endif
