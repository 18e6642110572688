/* Centred rewards: A_i = R_i - mean of the group.  Keeps the size of the differences, so a group
 * that is nearly solved or nearly hopeless weighs less.   Source: arXiv:2503.20783 (Dr. GRPO). */
#include "rl/advantage.h"

static void run(double *advantage, const ls_advantage_options *options,
                const ls_reward_batch *batch, const ls_group_stats *groups)
{
    (void)options;
    for (int64_t i = 0; i < batch->n_seqs; i++)
        advantage[i] = batch->reward[i] - groups[batch->group[i]].mean;
}

const ls_advantage ls_advantage_group_mean = {
    .name = "group-mean",
    .help = "reward minus the mean of its group (Dr. GRPO)",
    .source = "arXiv:2503.20783",
    .has_group_baseline = true,
    .run = run,
};
