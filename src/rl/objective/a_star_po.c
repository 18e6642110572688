/* A*-PO: regression of the implicit reward onto the optimal advantage; no ratio, no clip, no group.
 *
 *     L = 1/B sum_i (beta sum_t (logp_t - ref_logp_t) - A_i)^2,      A_i = r_i - V*(x_i)
 *     V*(x) = beta_1 log mean_j e^(r_j / beta_1)      over completions of the reference:
 *     ls_soft_value
 *
 * A is the advantage of the sequence, the same at all its tokens.  With exact V* and beta = beta_1
 * the loss is 0 at the optimum of E r - beta KL, whoever wrote the completions.  A mean over
 * completions: aggregation seq-sum.   Units: beta is reward per nat.   Source: arXiv:2505.20686;
 * TRL a2po. */
#include "rl/objective.h"

static void run_view(ls_objective_sums *sums, const ls_objective_options *options,
                     const leash_streams *streams, const leash_scores *scores,
                     const leash_seeds *seeds)
{
    for (int64_t i = 0; i < streams->n_seqs; i++) {
        ls_objective_span span = ls_objective_span_of(streams, i);
        if (span.n_active == 0)
            continue;
        double c = ls_objective_span_sum(streams, &span, scores->logp) -
                   ls_objective_span_sum(streams, &span, streams->ref_logp);
        double gap = options->beta * c - (double)streams->advantage[span.last];
        sums->policy_loss += span.weight * gap * gap;
        for (int64_t t = span.first; t < span.end; t++) {
            if (streams->weight[t] != 0)
                seeds->dlogp[t] = (float)(span.weight * 2 * options->beta * gap);
        }
    }
}

static leash_status check(const ls_objective_options *options)
{
    if (!(options->beta > 0))
        return ls_fail(LEASH_USAGE,
                       "beta is %g, but objective a-star-po regresses beta times a log "
                       "ratio onto advantages; set it above 0, e.g. 0.001",
                       options->beta);
    return LEASH_OK;
}

const ls_objective ls_objective_a_star_po = {
    .name = "a-star-po",
    .help =
        "squared distance of the implicit reward to the advantage over the optimal value (A*-PO)",
    .source = "arXiv:2505.20686",
    .needs = LS_NEED_REF_LOGP | LS_NEED_ADVANTAGE,
    .owns_beta = true,
    .is_unit_mean = true,
    .run_view = run_view,
    .check = check,
};
