/* REINFORCE with the batch's mean reward as baseline: A_i = R_i - mean over all scored completions
 * of the batch. Needs no groups; 0 when all rewards of the batch are equal. */
#include "rl/advantage.h"

static void run(double *advantage, const ls_advantage_options *options,
                const ls_reward_batch *batch, const ls_group_stats *groups)
{
    (void)options;
    (void)groups;
    ls_group_stats all = ls_batch_stats(batch);
    for (int64_t i = 0; i < batch->n_seqs; i++)
        advantage[i] = all.is_degenerate ? 0.0 : batch->reward[i] - all.mean;
}

const ls_advantage ls_advantage_batch_mean = {
    .name = "batch-mean",
    .help = "reward minus the mean of the batch",
    .source = "Williams 1992",
    .run = run,
};
