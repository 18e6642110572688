/* The clipped surrogate of PPO, on token ratios: also the policy term of GRPO, DAPO and Dr. GRPO.
 *
 *     rho_t = e^(logp_t - old_logp_t)
 *     l_t   = -min( rho_t A_t, clip(rho_t, 1 - epsilon, 1 + epsilon_high) A_t )
 *     dl_t/dlogp_t = -rho_t A_t on the first branch (and where both are equal), 0 on the second
 *
 * Deviations, both off by default:
 *     delta       rho_t in the first branch is capped at delta (arXiv:2505.07291); slope 0 above it
 *     dual_clip   l_t <= -dual_clip A_t where A_t < 0 (arXiv:1912.09729); slope 0 there
 * They bound the side that the minimum leaves open: A < 0 with a large ratio.
 * Units: epsilon, epsilon_high, delta and dual_clip are ratios, without unit.   Source:
 * arXiv:1707.06347 eq. 7. */
#include "rl/objective.h"

typedef struct term {
    double value, slope;
} term;

static term clipped_term(const ls_objective_options *options, double rho, double advantage,
                         bool is_clamped)
{
    double high = options->epsilon_high < 0 ? options->epsilon : options->epsilon_high;
    double rho_clipped = rho < 1 - options->epsilon ? 1 - options->epsilon : rho;
    rho_clipped = rho_clipped > 1 + high ? 1 + high : rho_clipped;
    bool is_capped = options->delta > 0 && rho > options->delta;
    double first = (is_capped ? options->delta : rho) * advantage;
    double second = rho_clipped * advantage;

    term l = {-first, is_capped || is_clamped ? 0.0 : -first};
    if (second < first)
        l = (term){-second, 0.0};
    if (options->dual_clip > 0 && advantage < 0 && l.value > -options->dual_clip * advantage)
        l = (term){-options->dual_clip * advantage, 0.0};
    return l;
}

static void run(float *dlogp, ls_objective_sums *sums, const ls_objective_options *options,
                const ls_objective_seq *seq)
{
    double high = options->epsilon_high < 0 ? options->epsilon : options->epsilon_high;
    for (int64_t t = 0; t < seq->n; t++) {
        double weight = (double)seq->weight[t];
        if (weight == 0)
            continue;
        bool is_clamped;
        double advantage = (double)seq->advantage[t];
        double rho = ls_objective_ratio(sums, seq->logp[t], seq->old_logp[t], &is_clamped);
        term l = clipped_term(options, rho, advantage, is_clamped);
        sums->policy_loss += weight * l.value;
        sums->n_clip_low += rho < 1 - options->epsilon && advantage < 0;
        sums->n_clip_high += rho > 1 + high && advantage > 0;
        dlogp[t] = (float)(weight * l.slope);
    }
}

const ls_objective ls_objective_ppo_clip = {
    .name = "ppo-clip",
    .help = "clipped surrogate on token ratios (PPO, GRPO, DAPO, Dr. GRPO)",
    .source = "arXiv:1707.06347",
    .needs = LS_NEED_OLD_LOGP | LS_NEED_ADVANTAGE,
    .run = run,
};
