/* The peak loop in avx512 registers. */
#include "kernels/cpu/simd_avx512.h"

#include "kernels/cpu/peak.inc.c"

double ls_cpu_peak_avx512(int64_t rounds)
{
    return run_chains(rounds);
}
