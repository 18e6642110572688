/* OPO: the baseline that has the least variance when the gradient of a completion grows with its
 * length.
 *
 *     A_i = R_i - sum_j n_j R_j / sum_j n_j    over the scored completions of the group, n tokens
 *
 * Source: arXiv:2505.23585 sec. 3. */
#include "rl/advantage.h"

#include <math.h>

static double baseline(const ls_reward_batch *batch, int32_t group)
{
    double sum = 0, n_tokens = 0;
    for (int64_t j = 0; j < batch->n_seqs; j++) {
        if (batch->group[j] != group || isnan(batch->reward[j]))
            continue;
        double n = (double)ls_reward_batch_length(batch, j);
        sum += n * batch->reward[j];
        n_tokens += n;
    }
    return n_tokens > 0 ? sum / n_tokens : 0.0;
}

static void run(double *advantage, const ls_advantage_options *options,
                const ls_reward_batch *batch, const ls_group_stats *groups)
{
    (void)options;
    (void)groups;
    for (int64_t i = 0; i < batch->n_seqs; i++)
        advantage[i] = batch->reward[i] - baseline(batch, batch->group[i]);
}

const ls_advantage ls_advantage_opo = {
    .name = "opo",
    .help = "reward minus the group's mean weighted by length (OPO)",
    .source = "arXiv:2505.23585",
    .has_group_baseline = true,
    .run = run,
};
