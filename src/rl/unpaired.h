/* Numbers that the losses of single labelled completions are compared with: made once a step, over
 * all its sequences, and detached. */
#ifndef LS_RL_UNPAIRED_H
#define LS_RL_UNPAIRED_H

#include <stdint.h>
#include "rl/normalise.h"

/* KTO's estimate of KL(policy || reference): max(0, mean of logp - ref_logp), over completions that
 * were given to prompts which are not theirs (prompt i with completion i + 1 of the batch, the last
 * one with the first).  logp, ref_logp (n): sums over such a completion.  0 when n is 0. */
double ls_kto_baseline(const double *logp, const double *ref_logp, int64_t n);
/* desirable_weight n_desirable / (undesirable_weight n_undesirable), which the paper wants within
 * [1, 3/2]; NaN without an undesirable one. */
double ls_kto_balance(double desirable_weight, int64_t n_desirable, double undesirable_weight,
                      int64_t n_undesirable);
/* BCO's shift: takes beta (logp - ref_logp) of all completions of a step into the running mean and
 * returns it. */
double ls_bco_baseline(ls_running *running, const double *reward, int64_t n);

#endif
