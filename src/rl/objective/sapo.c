/* SAPO: a smooth gate in place of the clip.
 *
 *     l_t = -A_t (4 / tau) sigmoid(tau (rho_t - 1)),      rho_t = e^(logp_t - old_logp_t)
 *     tau = sapo_temperature_pos where A_t > 0, else sapo_temperature_neg
 *     dl_t/dlogp_t = -4 A_t s (1 - s) rho_t,      s = sigmoid(tau (rho_t - 1))
 *
 * At rho_t = 1 the slope is that of the importance ratio itself, -A_t; away from it, it fades
 * instead of stopping.  The larger tau, the sooner.   Units: tau is per ratio.   Source:
 * arXiv:2511.20347. */
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
        double advantage = (double)seq->advantage[t];
        double tau = advantage > 0 ? options->sapo_temperature_pos : options->sapo_temperature_neg;
        double rho =
            ls_objective_ratio(sums, (double)seq->logp[t] - (double)seq->old_logp[t], &is_clamped);
        double s = 1 / (1 + exp(-tau * (rho - 1)));
        sums->policy_loss += weight * (-advantage * (4 / tau) * s);
        dlogp[t] = is_clamped ? 0.0f : (float)(weight * (-4 * advantage * s * (1 - s) * rho));
    }
}

static leash_status check(const ls_objective_options *options)
{
    if (!(options->sapo_temperature_pos > 0) || !(options->sapo_temperature_neg > 0))
        return ls_fail(LEASH_USAGE,
                       "sapo_temperature_pos is %g and sapo_temperature_neg %g, expected more than "
                       "0",
                       options->sapo_temperature_pos, options->sapo_temperature_neg);
    return LEASH_OK;
}

const ls_objective ls_objective_sapo = {
    .name = "sapo",
    .help = "importance ratio through a sigmoid gate instead of a clip",
    .source = "arXiv:2511.20347",
    .needs = LS_NEED_OLD_LOGP | LS_NEED_ADVANTAGE,
    .run = run,
    .check = check,
};
