/* Leave-one-out: A_i = R_i - mean of the others in the group = n / (n - 1) (R_i - mean), an
 * unbiased baseline. n counts scored completions; with fewer than 2 there is no other, and the
 * group is degenerate. Source: arXiv:2402.14740 sec. 2.2. */
#include "rl/advantage.h"

static void run(double *advantage, const ls_advantage_options *options,
                const ls_reward_batch *batch, const ls_group_stats *groups)
{
    (void)options;
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        const ls_group_stats *g = &groups[batch->group[i]];
        double n = (double)g->n_scored;
        advantage[i] = g->n_scored > 1 ? n / (n - 1) * (batch->reward[i] - g->mean) : 0.0;
    }
}

const ls_advantage ls_advantage_rloo = {
    .name = "rloo",
    .help = "reward minus the mean of the others in its group",
    .source = "arXiv:2402.14740",
    .has_group_baseline = true,
    .run = run,
};
