/* GMPO: the geometric mean of clipped token ratios.
 *
 *     d'_t = min(d_t, epsilon_high) where A > 0, max(d_t, -epsilon) where A < 0
 *     d    = logp - old_logp
 *     l    = -A e^(1/n sum_t d'_t)
 *     dl/dlogp_t = l / n where d_t is not clipped, else 0
 *
 * A is the advantage of the sequence: the weighted sum of its tokens', which under the aggregation
 * seq-mean is their mean over the number of sequences.  A clipped token holds its share of the
 * ratio still and leaves the other tokens theirs.  The ratio that is logged is the geometric mean.
 * Units: epsilon and epsilon_high are log ratios, in nats (0.4 in the paper, where both are one
 * number).   Source: arXiv:2507.20673 eq. 4. */
#include "rl/objective.h"

static double clip(double d, double advantage, const ls_objective_options *options)
{
    double high = ls_objective_epsilon_high(options);
    if (advantage > 0)
        return d > high ? high : d;
    return d < -options->epsilon ? -options->epsilon : d;
}

static void run(float *dlogp, ls_objective_sums *sums, const ls_objective_options *options,
                const ls_objective_seq *seq)
{
    double advantage = 0, sum = 0, n = 0;
    for (int64_t t = 0; t < seq->n; t++) {
        if (seq->weight[t] != 0)
            advantage += (double)seq->weight[t] * (double)seq->advantage[t];
    }
    for (int64_t t = 0; t < seq->n; t++) {
        if (seq->weight[t] == 0)
            continue;
        sum += clip((double)seq->logp[t] - (double)seq->old_logp[t], advantage, options);
        n++;
    }
    double rho = 1;
    for (int64_t t = 0; t < seq->n; t++) {
        if (seq->weight[t] == 0)
            continue;
        bool is_clamped;
        double d = (double)seq->logp[t] - (double)seq->old_logp[t];
        rho = ls_objective_ratio(sums, sum / n, &is_clamped);
        bool is_clipped = clip(d, advantage, options) != d;
        sums->n_clip_low += is_clipped && advantage < 0;
        sums->n_clip_high += is_clipped && advantage > 0;
        dlogp[t] = is_clipped || is_clamped ? 0.0f : (float)(-advantage * rho / n);
    }
    sums->policy_loss -= advantage * rho;
}

const ls_objective ls_objective_gmpo = {
    .name = "gmpo",
    .help = "geometric mean of token ratios, each clipped in log space",
    .source = "arXiv:2507.20673",
    .needs = LS_NEED_OLD_LOGP | LS_NEED_ADVANTAGE,
    .run = run,
};
