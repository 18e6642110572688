/* The clipped surrogate of PPO: also the policy term of GRPO, DAPO, Dr. GRPO, GSPO, LUSPO and RLOO.
 *
 *     l_t   = -min( rho A_t, clip(rho, 1 - epsilon, 1 + epsilon_high) A_t )
 *     dl_t/dlog rho = -rho A_t on the first branch (and where both are equal), 0 on the second
 *
 * rho is chosen by importance_sampling_level; d_t = logp_t - old_logp_t, n trained tokens:
 *     token              e^(d_t)             PPO, GRPO                      arXiv:1707.06347 eq. 7
 *     sequence           e^(1/n sum_t d_t)   GSPO: dlog rho/dlogp_t = 1/n   arXiv:2507.18071 eq. 5
 *     sequence-token     the same value, but token t has the gradient of l_t alone: GSPO-token,
 *                        which differs from GSPO only where A_t varies inside of a sequence
 *     sequence-product   e^(sum_t d_t)       the completion as one action     arXiv:2402.14740
 * The clip widths belong to the level: geometric means move a hundred times less than tokens do.
 * With the aggregation seq-mean the tokens of a sequence share its one term, as in the papers;
 * seq-sum multiplies it by n (LUSPO).
 *
 * Deviations, both off by default:
 *     delta       rho in the first branch is capped at delta (arXiv:2505.07291); slope 0 above it
 *     dual_clip   l_t <= -dual_clip A_t where A_t < 0 (arXiv:1912.09729); slope 0 there
 * They bound the side that the minimum leaves open: A < 0 with a large ratio.
 * Units: epsilon, epsilon_high, delta and dual_clip are ratios, without unit. */
#include "rl/objective.h"

typedef struct term {
    double value, slope; /* slope: by log rho */
} term;

static term clipped_term(const ls_objective_options *options, double rho, double advantage,
                         bool is_clamped)
{
    double high = ls_objective_epsilon_high(options);
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
    ls_ratio_level level = options->importance_sampling_level;
    int64_t n_active;
    double sum = ls_objective_log_ratio(seq, &n_active), high = ls_objective_epsilon_high(options);
    double share = level == LS_RATIO_SEQUENCE_PRODUCT ? 1.0 : 1.0 / (double)n_active;
    double slope = 0; /* of the whole sequence by log rho */
    for (int64_t t = 0; t < seq->n; t++) {
        double weight = (double)seq->weight[t];
        if (weight == 0)
            continue;
        bool is_clamped;
        double advantage = (double)seq->advantage[t];
        double d = (double)seq->logp[t] - (double)seq->old_logp[t];
        double rho =
            ls_objective_ratio(sums, level == LS_RATIO_TOKEN ? d : share * sum, &is_clamped);
        term l = clipped_term(options, rho, advantage, is_clamped);
        sums->policy_loss += weight * l.value;
        sums->n_clip_low += rho < 1 - options->epsilon && advantage < 0;
        sums->n_clip_high += rho > 1 + high && advantage > 0;
        slope += weight * l.slope;
        dlogp[t] = (float)(weight * l.slope);
    }
    if (level != LS_RATIO_SEQUENCE && level != LS_RATIO_SEQUENCE_PRODUCT)
        return;
    for (int64_t t = 0; t < seq->n; t++) {
        if (seq->weight[t] != 0)
            dlogp[t] = (float)(share * slope);
    }
}

const ls_objective ls_objective_ppo_clip = {
    .name = "ppo-clip",
    .help = "clipped surrogate on ratios of tokens or, with importance_sampling_level, of whole "
            "sequences (PPO, GRPO, DAPO, Dr. GRPO, GSPO, LUSPO, RLOO)",
    .source = "arXiv:1707.06347",
    .needs = LS_NEED_OLD_LOGP | LS_NEED_ADVANTAGE,
    .has_ratio_level = true,
    .run = run,
};
