/* A trust region in probabilities: a token whose probability has moved far enough in the direction
 * of its advantage is left alone.
 *
 *     l_t = -rho_t A_t,     0 where A_t > 0 and p_t - p_old_t > dppo_epsilon,
 *                              or A_t < 0 and p_t - p_old_t < -dppo_epsilon
 *     dl_t/dlogp_t = l_t                      p = e^logp, rho_t = p_t / p_old_t
 *
 * A bound on rho allows a rare token almost no change and a likely one any; a bound on p treats
 * both alike.  The value of the loss jumps at the bound; its gradient is what is meant.   Units:
 * dppo_epsilon is a difference of probabilities.   Source: the mask of prime-rl's default loss,
 * without its KL term. */
#include "rl/objective.h"

#include <math.h>

static void run(float *dlogp, ls_objective_sums *sums, const ls_objective_options *options,
                const ls_objective_seq *seq)
{
    for (int64_t t = 0; t < seq->n; t++) {
        double weight = (double)seq->weight[t];
        if (weight == 0)
            continue;
        bool is_clamped;
        double logp = (double)seq->logp[t], old_logp = (double)seq->old_logp[t];
        double advantage = (double)seq->advantage[t], moved = exp(logp) - exp(old_logp);
        double rho = ls_objective_ratio(sums, logp - old_logp, &is_clamped);
        bool is_low = advantage < 0 && moved < -options->dppo_epsilon;
        bool is_high = advantage > 0 && moved > options->dppo_epsilon;
        sums->n_clip_low += is_low;
        sums->n_clip_high += is_high;
        if (is_low || is_high)
            continue;
        sums->policy_loss += weight * (-rho * advantage);
        dlogp[t] = is_clamped ? 0.0f : (float)(weight * (-rho * advantage));
    }
}

static leash_status check(const ls_objective_options *options)
{
    if (!(options->dppo_epsilon > 0))
        return ls_fail(LEASH_USAGE,
                       "dppo_epsilon is %g, expected a change of probability of more than 0",
                       options->dppo_epsilon);
    return LEASH_OK;
}

const ls_objective ls_objective_dppo = {
    .name = "dppo",
    .help = "importance ratio, masked where the probability itself moved too far",
    .source = "prime-rl default loss",
    .needs = LS_NEED_OLD_LOGP | LS_NEED_ADVANTAGE,
    .run = run,
    .check = check,
};
