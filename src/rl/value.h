/* A critic's side: the loss of values against returns.
 *
 *     l_t = max((V - R)^2, (V_clipped - R)^2) / 2
 *     V_clipped = V kept within cliprange_value of old_value
 *
 * Clipping is around the value when the returns were made; where the clipped error is the larger,
 * the slope is that of the clipped value: 0 outside of the range.  Without old_value, or with
 * cliprange_value 0, the loss is the squared error.  Source: arXiv:1707.06347's code; TRL, verl. */
#ifndef LS_RL_VALUE_H
#define LS_RL_VALUE_H

#include "rl/objective.h"

typedef struct ls_value_term {
    double value, slope; /* loss; its derivative by the value */
} ls_value_term;

/* The loss of token t, before its weight; also adds it, weighted, to sums. */
ls_value_term ls_value_add(ls_value_sums *sums, const ls_objective_options *options,
                           const leash_streams *streams, const float *value, int64_t t);

#endif
