/* Sixteen float lanes in two AVX2 registers: the vocabulary of the shared kernel bodies
 * (*.inc.c). simd_avx512.h has the same names on one register.  Every operation is the IEEE
 * operation of each lane, so both give the bits of a scalar loop over the lanes. */
#ifndef LS_KERNELS_CPU_SIMD_AVX2_H
#define LS_KERNELS_CPU_SIMD_AVX2_H

#include <immintrin.h>
#include "base/compiler.h"
#include "kernels/cpu/cpu.h"

#define SIMD_NAME "avx2"
#define SIMD_TABLE ls_kernels_avx2
#define SIMD_IS_SUPPORTED ls_cpu_has_avx2

/* Shape of a gemm tile: 6 rows of 16 columns fill 12 of 16 registers with sums. */
#define TILE_ROWS 6
#define TILE_VECS 1

typedef struct vf {
    __m256 a, b; /* lanes 0-7, lanes 8-15 */
} vf;

LS_ALWAYS_INLINE vf v_load(const float *p)
{
    return (vf){_mm256_loadu_ps(p), _mm256_loadu_ps(p + 8)};
}

LS_ALWAYS_INLINE void v_store(float *p, vf x)
{
    _mm256_storeu_ps(p, x.a);
    _mm256_storeu_ps(p + 8, x.b);
}

/* Lanes l < n of eight that begin with lane `first`. */
LS_ALWAYS_INLINE __m256i v_tail_mask(int64_t n, int first)
{
    __m256i lane =
        _mm256_add_epi32(_mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7), _mm256_set1_epi32(first));
    return _mm256_cmpgt_epi32(_mm256_set1_epi32((int)n), lane);
}

/* The first n of 16 lanes, 0 <= n <= 16; memory behind them is not touched, missing lanes are 0. */
LS_ALWAYS_INLINE vf v_load_n(const float *p, int64_t n)
{
    return (vf){_mm256_maskload_ps(p, v_tail_mask(n, 0)),
                _mm256_maskload_ps(p + 8, v_tail_mask(n, 8))};
}

LS_ALWAYS_INLINE void v_store_n(float *p, vf x, int64_t n)
{
    _mm256_maskstore_ps(p, v_tail_mask(n, 0), x.a);
    _mm256_maskstore_ps(p + 8, v_tail_mask(n, 8), x.b);
}

/* Copies n <= TILE_ROWS floats; may write up to 16. */
LS_ALWAYS_INLINE void v_copy_tile_row(float *to, const float *from, int64_t n)
{
    _mm256_storeu_ps(to, _mm256_maskload_ps(from, v_tail_mask(n, 0)));
}

LS_ALWAYS_INLINE vf v_set1(float x)
{
    __m256 v = _mm256_set1_ps(x);
    return (vf){v, v};
}

LS_ALWAYS_INLINE vf v_add(vf x, vf y)
{
    return (vf){_mm256_add_ps(x.a, y.a), _mm256_add_ps(x.b, y.b)};
}

LS_ALWAYS_INLINE vf v_sub(vf x, vf y)
{
    return (vf){_mm256_sub_ps(x.a, y.a), _mm256_sub_ps(x.b, y.b)};
}

LS_ALWAYS_INLINE vf v_mul(vf x, vf y)
{
    return (vf){_mm256_mul_ps(x.a, y.a), _mm256_mul_ps(x.b, y.b)};
}

LS_ALWAYS_INLINE vf v_div(vf x, vf y)
{
    return (vf){_mm256_div_ps(x.a, y.a), _mm256_div_ps(x.b, y.b)};
}

/* x y + z, rounded once. */
LS_ALWAYS_INLINE vf v_fma(vf x, vf y, vf z)
{
    return (vf){_mm256_fmadd_ps(x.a, y.a, z.a), _mm256_fmadd_ps(x.b, y.b, z.b)};
}

LS_ALWAYS_INLINE vf v_sqrt(vf x)
{
    return (vf){_mm256_sqrt_ps(x.a), _mm256_sqrt_ps(x.b)};
}

LS_ALWAYS_INLINE vf v_neg(vf x)
{
    __m256 sign = _mm256_set1_ps(-0.0f);
    return (vf){_mm256_xor_ps(x.a, sign), _mm256_xor_ps(x.b, sign)};
}

LS_ALWAYS_INLINE vf v_minus_abs(vf x)
{
    __m256 sign = _mm256_set1_ps(-0.0f);
    return (vf){_mm256_or_ps(x.a, sign), _mm256_or_ps(x.b, sign)};
}

/* x >= +0 with the sign bit of y. */
LS_ALWAYS_INLINE vf v_with_sign(vf x, vf y)
{
    __m256 sign = _mm256_set1_ps(-0.0f);
    return (vf){_mm256_or_ps(x.a, _mm256_and_ps(y.a, sign)),
                _mm256_or_ps(x.b, _mm256_and_ps(y.b, sign))};
}

/* x > y ? x : y */
LS_ALWAYS_INLINE vf v_max(vf x, vf y)
{
    return (vf){_mm256_max_ps(x.a, y.a), _mm256_max_ps(x.b, y.b)};
}

/* The first n lanes of x, the others `fill`. */
LS_ALWAYS_INLINE vf v_first_n(vf x, int64_t n, float fill)
{
    __m256 f = _mm256_set1_ps(fill);
    return (vf){_mm256_blendv_ps(f, x.a, _mm256_castsi256_ps(v_tail_mask(n, 0))),
                _mm256_blendv_ps(f, x.b, _mm256_castsi256_ps(v_tail_mask(n, 8)))};
}

/* Where condition is 0, 0; else x. */
LS_ALWAYS_INLINE vf v_where_nonzero(vf condition, vf x)
{
    __m256 zero = _mm256_setzero_ps();
    return (vf){_mm256_and_ps(_mm256_cmp_ps(condition.a, zero, _CMP_NEQ_UQ), x.a),
                _mm256_and_ps(_mm256_cmp_ps(condition.b, zero, _CMP_NEQ_UQ), x.b)};
}

/* x > y ? yes : no */
LS_ALWAYS_INLINE vf v_if_greater(vf x, vf y, vf yes, vf no)
{
    return (vf){_mm256_blendv_ps(no.a, yes.a, _mm256_cmp_ps(x.a, y.a, _CMP_GT_OQ)),
                _mm256_blendv_ps(no.b, yes.b, _mm256_cmp_ps(x.b, y.b, _CMP_GT_OQ))};
}

/* x is NaN ? x : y */
LS_ALWAYS_INLINE vf v_nan_or(vf x, vf y)
{
    return (vf){_mm256_blendv_ps(y.a, x.a, _mm256_cmp_ps(x.a, x.a, _CMP_UNORD_Q)),
                _mm256_blendv_ps(y.b, x.b, _mm256_cmp_ps(x.b, x.b, _CMP_UNORD_Q))};
}

/* Adds the low 9 bits of n to the exponent of x, as integers. */
LS_ALWAYS_INLINE vf v_add_exponent(vf x, vf n)
{
    __m256i a = _mm256_slli_epi32(_mm256_castps_si256(n.a), 23);
    __m256i b = _mm256_slli_epi32(_mm256_castps_si256(n.b), 23);
    return (vf){_mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x.a), a)),
                _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(x.b), b))};
}

LS_ALWAYS_INLINE void v_split_eight(__m256 *e, __m256 *m, __m256 x)
{
    const __m256i sqrt_half = _mm256_set1_epi32(0x3f3504f3), mask = _mm256_set1_epi32(0x007fffff);
    __m256i d = _mm256_sub_epi32(_mm256_castps_si256(x), sqrt_half);
    *e = _mm256_cvtepi32_ps(_mm256_srai_epi32(d, 23));
    *m = _mm256_castsi256_ps(_mm256_add_epi32(_mm256_and_si256(d, mask), sqrt_half));
}

/* x = 2^e m with m in [sqrt(1/2), sqrt(2)), as ls_logf does it on the bits. */
LS_ALWAYS_INLINE void v_split(vf *e, vf *m, vf x)
{
    v_split_eight(&e->a, &m->a, x.a);
    v_split_eight(&e->b, &m->b, x.b);
}

/* The tree of a row sum from 8 lanes on: l + l+4, +2, +1. */
LS_ALWAYS_INLINE float v_add_eight(__m256 x)
{
    __m128 four = _mm_add_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_add_ss(two, _mm_movehdup_ps(two)));
}

LS_ALWAYS_INLINE float v_add_lanes(vf x)
{
    return v_add_eight(_mm256_add_ps(x.a, x.b));
}

LS_ALWAYS_INLINE float v_max_eight(__m256 x)
{
    __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ss(two, _mm_movehdup_ps(two)));
}

LS_ALWAYS_INLINE float v_max_lanes(vf x)
{
    return v_max_eight(_mm256_max_ps(x.a, x.b));
}

/* Sixteen double lanes for sums of squares. */
typedef struct vd {
    __m256d lane[4];
} vd;

LS_ALWAYS_INLINE void v_square_quarter(__m256d *sum, int64_t *n_bad, __m128 x)
{
    __m128 is_finite = _mm_cmpeq_ps(_mm_sub_ps(x, x), _mm_setzero_ps());
    __m256d wide = _mm256_cvtps_pd(_mm_and_ps(x, is_finite));
    *sum = _mm256_add_pd(*sum, _mm256_mul_pd(wide, wide));
    *n_bad += 4 - __builtin_popcount((unsigned)_mm_movemask_ps(is_finite));
}

/* Adds the squares of the finite lanes and counts the others. */
LS_ALWAYS_INLINE void v_add_squares(vd *sum, int64_t *n_bad, vf x)
{
    v_square_quarter(&sum->lane[0], n_bad, _mm256_castps256_ps128(x.a));
    v_square_quarter(&sum->lane[1], n_bad, _mm256_extractf128_ps(x.a, 1));
    v_square_quarter(&sum->lane[2], n_bad, _mm256_castps256_ps128(x.b));
    v_square_quarter(&sum->lane[3], n_bad, _mm256_extractf128_ps(x.b, 1));
}

LS_ALWAYS_INLINE double v_add_lanes_d(vd x)
{
    __m256d low = _mm256_add_pd(x.lane[0], x.lane[2]), high = _mm256_add_pd(x.lane[1], x.lane[3]);
    __m256d four = _mm256_add_pd(low, high);
    __m128d two = _mm_add_pd(_mm256_castpd256_pd128(four), _mm256_extractf128_pd(four, 1));
    return _mm_cvtsd_f64(_mm_add_sd(two, _mm_unpackhi_pd(two, two)));
}

#endif
