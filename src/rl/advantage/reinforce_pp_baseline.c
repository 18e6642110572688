/* REINFORCE++-baseline: centred in the group, then whitened over all tokens of the batch.
 *
 *     A'_i = R_i - mean of the group
 *     A_i  = (A'_i - mean) / sqrt(variance + std_epsilon^2)     over tokens: i counts n_i times
 *
 * One scale for all groups, as batch-std, but measured where the loss is: over tokens.  Degenerate
 * groups take part in the statistics with 0, as in the paper's code, and keep exactly 0.   Source:
 * arXiv:2501.03262; epsilon^2 = 1e-8 as there. */
#include "rl/advantage.h"

#include <math.h>
#include "rl/whiten.h"

static void run(double *advantage, const ls_advantage_options *options,
                const ls_reward_batch *batch, const ls_group_stats *groups)
{
    ls_whitening w = LS_WHITENING_INIT;
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        advantage[i] = batch->reward[i] - groups[batch->group[i]].mean;
        if (!isnan(batch->reward[i]))
            ls_whitening_add(&w, advantage[i], (double)ls_reward_batch_length(batch, i));
    }
    for (int64_t i = 0; i < batch->n_seqs; i++)
        advantage[i] = ls_whitening_apply(&w, advantage[i], options->std_epsilon);
}

const ls_advantage ls_advantage_reinforce_pp_baseline = {
    .name = "reinforce-pp-baseline",
    .help = "reward minus the mean of its group, whitened over the batch's tokens "
            "(REINFORCE++-baseline)",
    .source = "arXiv:2501.03262",
    .has_group_baseline = true,
    .run = run,
};
