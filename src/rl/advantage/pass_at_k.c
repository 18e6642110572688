/* Only the best completion of a group learns, from what it has over the second best:
 *
 *     A_i = R_i - max of the others where R_i is above all of them, else 0
 *
 * The gradient of the expected best of n: a group with two equal winners is solved and teaches
 * nothing.   Source: arXiv:2503.19595, without division by the group's deviation. */
#include "rl/advantage.h"

#include <math.h>

static double best_of_others(const ls_reward_batch *batch, int64_t i)
{
    double best = -INFINITY;
    for (int64_t j = 0; j < batch->n_seqs; j++) {
        if (j != i && batch->group[j] == batch->group[i])
            best = fmax(best, batch->reward[j]); /* fmax passes over NaN */
    }
    return best;
}

static void run(double *advantage, const ls_advantage_options *options,
                const ls_reward_batch *batch, const ls_group_stats *groups)
{
    (void)options;
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        bool may_win = batch->reward[i] == groups[batch->group[i]].max;
        double second = may_win ? best_of_others(batch, i) : batch->reward[i];
        advantage[i] = batch->reward[i] > second ? batch->reward[i] - second : 0.0;
    }
}

const ls_advantage ls_advantage_pass_at_k = {
    .name = "pass-at-k",
    .help = "the best of a group gets what it has over the second best, the rest 0",
    .source = "arXiv:2503.19595",
    .has_group_baseline = true,
    .run = run,
};
