/* CISPO: the score function, weighted by a clipped importance ratio that is detached.
 *
 *     w_t   = clip(rho_t, 1 - epsilon, bound),   rho_t = e^(logp_t - old_logp_t)
 *     l_t   = -w_t A_t logp_t          dl_t/dlogp_t = -w_t A_t         w_t is detached
 *
 * No token loses its gradient, as it does under the clip of PPO.  The bound is written in one of
 * two ways, never both:
 *     1 + epsilon_high      the paper (epsilon_high unpublished; no lower bound: epsilon 1)
 *     cispo_max_ratio       the bound itself, what TRL calls epsilon_high under cispo (5 in
 *                           arXiv:2510.13786)
 * The value of the loss has no meaning.  A token counts as clipped high where rho_t is above the
 * bound and A_t > 0.   Units: all of them are ratios.   Source: arXiv:2506.13585 eq. 4 and 5. */
#include "rl/objective.h"

static void run(float *dlogp, ls_objective_sums *sums, const ls_objective_options *options,
                const ls_objective_seq *seq)
{
    double low = 1 - options->epsilon;
    double bound = options->cispo_max_ratio > 0 ? options->cispo_max_ratio
                                                : 1 + ls_objective_epsilon_high(options);
    for (int64_t t = 0; t < seq->n; t++) {
        double weight = (double)seq->weight[t];
        if (weight == 0)
            continue;
        bool is_clamped;
        double logp = (double)seq->logp[t], advantage = (double)seq->advantage[t];
        double rho = ls_objective_ratio(sums, logp - (double)seq->old_logp[t], &is_clamped);
        double clipped = rho < low ? low : rho > bound ? bound : rho;
        sums->policy_loss += weight * (-clipped * advantage * logp);
        sums->n_clip_low += rho < low && advantage < 0;
        sums->n_clip_high += rho > bound && advantage > 0;
        dlogp[t] = (float)(weight * (-clipped * advantage));
    }
}

static leash_status check(const ls_objective_options *options)
{
    if (options->cispo_max_ratio > 0 && options->epsilon_high >= 0)
        return ls_fail(LEASH_USAGE,
                       "cispo_max_ratio is %g and epsilon_high is %g, but both are the upper bound "
                       "of cispo (the ratio itself, or 1 + epsilon_high); set one of them",
                       options->cispo_max_ratio, options->epsilon_high);
    if (options->cispo_max_ratio != 0 && !(options->cispo_max_ratio >= 1))
        return ls_fail(LEASH_USAGE,
                       "cispo_max_ratio is %g, expected 0 (1 + epsilon_high) or a "
                       "ratio of 1 or more",
                       options->cispo_max_ratio);
    return LEASH_OK;
}

const ls_objective ls_objective_cispo = {
    .name = "cispo",
    .help = "score function with a clipped, detached importance weight",
    .source = "arXiv:2506.13585",
    .needs = LS_NEED_OLD_LOGP | LS_NEED_ADVANTAGE,
    .run = run,
    .check = check,
};
