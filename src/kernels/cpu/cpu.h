/* What the CPU tables share: the scratch of a thread, and counting.
 *
 * Scratch.  ls_device_init takes LS_CPU_SCRATCH_BYTES for each worker, so that no kernel
 * allocates; a kernel owns the whole block of its worker while it runs and leaves nothing in
 * it.  Three users, one at a time:
 *     gemm           a block of packed A rows and a panel of packed B
 *     attention      LS_CPU_SCORE_ROWS rows of scores over LS_ATTENTION_MAX positions
 *     attention_bwd  one value a position, and small tiles */
#ifndef LS_KERNELS_CPU_CPU_H
#define LS_KERNELS_CPU_CPU_H

#include "kernels/kernels.h"

/* Query rows that read a page of keys together, at the most. */
#define LS_CPU_SCORE_ROWS 12
#define LS_CPU_SCRATCH_BYTES \
    (((size_t)LS_CPU_SCORE_ROWS * (LS_ATTENTION_MAX + 32) + 65536) * sizeof(float))
/* Elements of a chunk of sum_squares. */
#define LS_SUM_CHUNK 4096

/* GELU: 2 sqrt(2/pi), 0.044715 times that, sqrt(1/2), 1/sqrt(2 pi). */
#define LS_GELU_LINEAR 1.5957691216f
#define LS_GELU_CUBIC 0.071354816273f
#define LS_SQRT_HALF 0.70710678119f
#define LS_INV_SQRT_2PI 0.39894228040f

bool ls_cpu_has_avx2(void);
bool ls_cpu_has_avx512(void);
bool ls_cpu_has_any(void); /* the reference runs everywhere */

/* The block of a worker, aligned to 64 bytes (ls_device_init takes 64 bytes more). */
static inline float *ls_cpu_scratch(const ls_device *dev, int worker)
{
    uintptr_t aligned = ((uintptr_t)dev->scratch + 63) & ~(uintptr_t)63;
    return (float *)(aligned + (size_t)worker * LS_CPU_SCRATCH_BYTES);
}

/* Counts one call: `floats` operands read or written, each once. */
static inline void ls_count(ls_device *dev, double flops, double floats)
{
    dev->counters.flops += flops;
    dev->counters.bytes += floats * (double)sizeof(float);
    dev->counters.calls++;
}

/* Runs `rounds` rounds of fma on independent chains in registers and returns the FLOPs done (2 an
 * fma and lane).  For peak.c alone. */
double ls_cpu_peak_avx2(int64_t rounds);
double ls_cpu_peak_avx512(int64_t rounds);

void ls_count_gemm(ls_device *dev, const ls_gemm_args *a);
void ls_count_attention(ls_device *dev, const ls_attention_args *a);
void ls_count_attention_bwd(ls_device *dev, const ls_attention_bwd_args *a);
/* Rows in all sequences together. */
int64_t ls_count_rows(const ls_attention_seq *seqs, int64_t n_seqs);

#endif
