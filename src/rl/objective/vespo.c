/* VESPO: the score function, weighted by a gamma kernel of the sequence's importance weight.
 *
 *     W     = e^(sum_t logp_t - old_logp_t), log W kept in [log 1e-8, 20]
 *     phi   = e^(lambda + k log W - lambda W)                        detached; 1 at W = 1
 *     l_t   = -phi A_t logp_t          dl_t/dlogp_t = -phi A_t
 *     k, lambda = vespo_k_pos, vespo_lambda_pos where A_t >= 0, else vespo_k_neg, vespo_lambda_neg
 *
 * phi vanishes on both sides of W = k / lambda, without a clip.  The value of the loss has no
 * meaning.  The ratio that is logged is W; only its upper clamp is counted.
 * Units: W is a ratio, k and lambda are numbers.   Source: arXiv:2602.10693. */
#include "rl/objective.h"

#include <math.h>

#define LOG_WEIGHT_MIN (-18.420680743952367) /* log 1e-8 */

static double kernel(double log_weight, double k, double lambda)
{
    return exp(lambda + k * log_weight - lambda * exp(log_weight));
}

static void run(float *dlogp, ls_objective_sums *sums, const ls_objective_options *options,
                const ls_objective_seq *seq)
{
    int64_t n_active;
    double log_weight = ls_objective_log_ratio(seq, &n_active);
    if (log_weight < LOG_WEIGHT_MIN)
        log_weight = LOG_WEIGHT_MIN;
    double bounded = log_weight > LS_LOG_RATIO_MAX ? LS_LOG_RATIO_MAX : log_weight;
    double phi_pos = kernel(bounded, options->vespo_k_pos, options->vespo_lambda_pos);
    double phi_neg = kernel(bounded, options->vespo_k_neg, options->vespo_lambda_neg);
    for (int64_t t = 0; t < seq->n; t++) {
        double weight = (double)seq->weight[t];
        if (weight == 0)
            continue;
        bool is_clamped;
        double advantage = (double)seq->advantage[t], phi = advantage >= 0 ? phi_pos : phi_neg;
        (void)ls_objective_ratio(sums, log_weight, &is_clamped);
        sums->policy_loss += weight * (-phi * advantage * (double)seq->logp[t]);
        dlogp[t] = (float)(weight * (-phi * advantage));
    }
}

const ls_objective ls_objective_vespo = {
    .name = "vespo",
    .help = "score function with a detached gamma kernel of the sequence's importance weight",
    .source = "arXiv:2602.10693",
    .needs = LS_NEED_OLD_LOGP | LS_NEED_ADVANTAGE,
    .run = run,
};
