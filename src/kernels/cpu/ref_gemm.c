/* Reference matrix product.  A packed weight is W transposed, (K,N) row-major. */
#include "kernels/cpu/ref.h"

#include <math.h>

size_t ls_ref_pack_bytes(int64_t N, int64_t K)
{
    return (size_t)N * (size_t)K * sizeof(float);
}

void ls_ref_pack(ls_device *dev, float *packed, const float *w, int64_t N, int64_t K)
{
    for (int64_t n = 0; n < N; n++)
        for (int64_t k = 0; k < K; k++)
            packed[k * N + n] = w[n * K + k];
    ls_count(dev, 0, 2 * (double)N * (double)K);
}

void ls_ref_unpack(ls_device *dev, float *w, const float *packed, int64_t N, int64_t K,
                   int64_t begin, int64_t end)
{
    for (int64_t n = begin; n < end; n++)
        for (int64_t k = 0; k < K; k++)
            w[(n - begin) * K + k] = packed[k * N + n];
    ls_count(dev, 0, 2 * (double)(end - begin) * (double)K);
}

/* c[i,j] = fma(a[i,K-1], b[K-1,j], ... fma(a[i,0], b[0,j], start)): one chain over k in order. */
void ls_ref_gemm(ls_device *dev, const ls_gemm_args *a)
{
    int64_t ldb = a->b_packed ? a->N : a->ldb;
    for (int64_t i = 0; i < a->M; i++) {
        for (int64_t j = 0; j < a->N; j++) {
            float sum = a->accumulate ? a->c[i * a->ldc + j] : 0.0f;
            for (int64_t k = 0; k < a->K; k++)
                sum = fmaf(a->a[i * a->a_row + k * a->a_k], a->b[k * ldb + j], sum);
            a->c[i * a->ldc + j] = sum;
        }
    }
    ls_count_gemm(dev, a);
}
