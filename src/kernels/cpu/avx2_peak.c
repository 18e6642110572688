/* The peak loop in avx2 registers. */
#include "kernels/cpu/simd_avx2.h"

#include "kernels/cpu/peak.inc.c"

double ls_cpu_peak_avx2(int64_t rounds)
{
    return run_chains(rounds);
}
