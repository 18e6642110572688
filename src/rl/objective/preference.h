/* What preference and preference-triple share: the walk over pairs. */
#ifndef LS_RL_OBJECTIVE_PREFERENCE_H
#define LS_RL_OBJECTIVE_PREFERENCE_H

#include "rl/objective.h"

/* Adds the losses of all pairs of a view whose units have n_members sequences, of which the first
 * two are the chosen and the rejected one. */
void ls_preference_run(ls_objective_sums *sums, const ls_objective_options *options,
                       const leash_streams *streams, const leash_scores *scores,
                       const leash_seeds *seeds, int64_t n_members);
/* What the losses need besides log-probabilities: LS_NEED_ bits. */
unsigned ls_preference_needs(const ls_objective_options *options);

#endif
