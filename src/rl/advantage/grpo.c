/* GRPO: z-score inside the group.
 *
 *     A_i = (R_i - mean) / (std + std_epsilon)         std with n - 1
 *
 * Every group that is not degenerate gets the same total weight, however small its spread: sum A^2
 * = n - 1. Source: arXiv:2402.03300 sec. 4.1.2, which leaves n or n - 1 and epsilon open; these are
 * the values of TRL. */
#include "rl/advantage.h"

static void run(double *advantage, const ls_advantage_options *options,
                const ls_reward_batch *batch, const ls_group_stats *groups)
{
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        const ls_group_stats *g = &groups[batch->group[i]];
        advantage[i] = (batch->reward[i] - g->mean) / (g->std + options->std_epsilon);
    }
}

const ls_advantage ls_advantage_grpo = {
    .name = "grpo",
    .help = "z-score of the reward inside its group",
    .source = "arXiv:2402.03300",
    .has_group_baseline = true,
    .run = run,
};
