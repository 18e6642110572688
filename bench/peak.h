/* The FMA rate of the registers: what a matrix product is compared with. */
#ifndef LS_BENCH_PEAK_H
#define LS_BENCH_PEAK_H

#include <stdint.h>
#include "kernels/kernels.h"

/* Runs `rounds` rounds of fma on independent chains in registers and returns the FLOPs done (2
 * an fma and lane). */
double ls_peak_avx2(int64_t rounds);
double ls_peak_avx512(int64_t rounds);
/* FLOP/s of all threads of a device, in a burst of about half a millisecond. */
double ls_peak_rate(const ls_device *dev);

#endif
