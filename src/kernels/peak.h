/* The FMA rate of the registers at this moment: what products, steps and rollouts are compared
 * with. */
#ifndef LS_KERNELS_PEAK_H
#define LS_KERNELS_PEAK_H

#include "kernels/kernels.h"

/* FLOP/s of all threads of a device together, in a burst of about half a millisecond with the
 * instruction set of its table; 0 for a table without one (ref, null). */
double ls_peak_rate(const ls_device *dev);

#endif
