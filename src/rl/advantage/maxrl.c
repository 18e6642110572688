/* MaxRL: the advantage relative to the group's success.
 *
 *     A_i = (R_i - mean of the group) / mean of the group
 *
 * For rewards of 0 and 1 this is the gradient of an estimate of log pass rate: rare successes count
 * as much as they are rare.  Rewards must not be negative; a group with a mean of 0 or less has no
 * success to weigh and gets 0.   Source: arXiv:2602.02710. */
#include "rl/advantage.h"

static void run(double *advantage, const ls_advantage_options *options,
                const ls_reward_batch *batch, const ls_group_stats *groups)
{
    (void)options;
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        double mean = groups[batch->group[i]].mean;
        advantage[i] = mean > 0 ? (batch->reward[i] - mean) / mean : 0.0;
    }
}

const ls_advantage ls_advantage_maxrl = {
    .name = "maxrl",
    .help = "reward minus the group's mean, over that mean (MaxRL)",
    .source = "arXiv:2602.02710",
    .has_group_baseline = true,
    .run = run,
};
