/* REINFORCE: the score-function gradient, without ratio and without clip.
 *
 *     l_t = -A_t logp_t        dl_t/dlogp_t = -A_t            A_t is detached
 *
 * Right only for tokens that the current policy sampled: one optimiser step a rollout.  The value
 * of the loss has no meaning. */
#include "rl/objective.h"

static void run(float *dlogp, ls_objective_sums *sums, const ls_objective_options *options,
                const ls_objective_seq *seq)
{
    (void)options;
    for (int64_t t = 0; t < seq->n; t++) {
        double weight = (double)seq->weight[t];
        if (weight == 0)
            continue;
        double advantage = (double)seq->advantage[t];
        sums->policy_loss += weight * (-advantage * (double)seq->logp[t]);
        dlogp[t] = (float)(-weight * advantage);
    }
}

const ls_objective ls_objective_reinforce = {
    .name = "reinforce",
    .help = "score-function gradient, one step a rollout",
    .source = "Williams 1992",
    .needs = LS_NEED_ADVANTAGE,
    .run = run,
};
