/* ReMax: A_i = R_i - R(greedy completion of the same prompt).  The baseline costs one greedy
 * rollout a prompt; groups may hold one completion.  A group whose greedy completion nobody could
 * score has advantage 0.   Source: arXiv:2310.10505 eq. 7. */
#include "rl/advantage.h"

#include <math.h>

static void run(double *advantage, const ls_advantage_options *options,
                const ls_reward_batch *batch, const ls_group_stats *groups)
{
    (void)options, (void)groups;
    LS_ASSERT(batch->greedy_reward);
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        double greedy = batch->greedy_reward[batch->group[i]];
        advantage[i] = isnan(greedy) ? 0 : batch->reward[i] - greedy;
    }
}

const ls_advantage ls_advantage_remax = {
    .name = "remax",
    .help = "reward minus that of the greedy completion of the same prompt (ReMax)",
    .source = "arXiv:2310.10505",
    .needs_greedy = true,
    .run = run,
};
