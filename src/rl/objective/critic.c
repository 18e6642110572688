/* A critic that is a model of its own: the value loss alone (rl/value.h).
 *
 *     l_t = max((V_t - R_t)^2, (V_clipped - R_t)^2) / 2
 *
 * A value head on the policy's trunk has the same term beside the policy's, weighted by vf_coef, in
 * every objective that learns from advantages.   Unit of cliprange_value: the reward's. */
#include "rl/value.h"

static void run_view(ls_objective_sums *sums, const ls_objective_options *options,
                     const leash_streams *streams, const leash_scores *scores,
                     const leash_seeds *seeds)
{
    for (int64_t t = 0; t < streams->n_tokens; t++) {
        double weight = (double)streams->weight[t];
        if (weight == 0)
            continue;
        ls_value_term l = ls_value_add(&sums->value, options, streams, scores->value, t);
        sums->policy_loss += weight * l.value;
        seeds->dvalue[t] = (float)(weight * l.slope);
    }
}

const ls_objective ls_objective_critic = {
    .name = "critic",
    .help = "squared error of values against returns, clipped around the old values (PPO's critic)",
    .source = "arXiv:1707.06347",
    .needs = LS_NEED_VALUE | LS_NEED_RETURN,
    .run_view = run_view,
};
