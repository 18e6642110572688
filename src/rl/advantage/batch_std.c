/* Group mean, batch deviation:
 *
 *     A_i = (R_i - mean of the group) / (std of all rewards of the batch + std_epsilon)
 *
 * std with n - 1.  One scale for all groups: a group with a tiny spread stays small.
 * Source: arXiv:2508.08221 (Lite PPO), arXiv:2510.13786. */
#include "rl/advantage.h"

static void run(double *advantage, const ls_advantage_options *options,
                const ls_reward_batch *batch, const ls_group_stats *groups)
{
    double scale = ls_batch_stats(batch).std + options->std_epsilon;
    for (int64_t i = 0; i < batch->n_seqs; i++)
        advantage[i] = (batch->reward[i] - groups[batch->group[i]].mean) / scale;
}

const ls_advantage ls_advantage_batch_std = {
    .name = "batch-std",
    .help = "reward minus the group's mean, over the batch's standard deviation (Lite PPO)",
    .source = "arXiv:2508.08221",
    .has_group_baseline = true,
    .run = run,
};
