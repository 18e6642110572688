/* Which source gives the next row of a mixture: a function of seed and position.
 *
 * In an epoch each source gives a fixed number of rows, and every order of them is equally likely:
 * position i takes source k with probability (rows k still owes) / (rows all still owe). */
#ifndef LS_DATA_MIX_H
#define LS_DATA_MIX_H

#include "data/dataset.h"

/* Sets per_epoch of all parts by weight: the scarcest source is seen once, whole, in an epoch.
 * Returns the rows of an epoch.  Without weights (one part) these are all rows. */
int64_t ls_mix_plan(ls_dataset_part *parts, const double *weights, int64_t n_parts);

typedef struct ls_mix { /* the walk through an epoch */
    const ls_dataset_part *parts;
    int64_t n_parts, position, n_left;
    uint64_t seed;
    int64_t *taken; /* (n_parts) in this epoch */
} ls_mix;
void ls_mix_init(ls_mix *mix, const ls_dataset_part *parts, int64_t n_parts, uint64_t seed);
void ls_mix_release(ls_mix *mix);
/* The part of the next position; after an epoch the next one begins. */
int64_t ls_mix_next(ls_mix *mix);

#endif
