/* Triple preference optimisation: a pair, and a gold answer that is learned from itself.
 *
 *     L = 1/n sum over triples of loss_type(chosen, rejected) + tpo_alpha (-sum_t logp_t / n_gold)
 *
 * The paper's pair loss is sigmoid with reference_free (TPO), or simpo (TPO-L): no reference model.
 * Sequences 3i, 3i + 1, 3i + 2 of a view are chosen, rejected and gold.  A triple weighs what its
 * three sequences weigh: its pair is given the whole.
 * Deviation: TRL's likelihood is the mean over the tokens of all gold answers of a device batch;
 * here it is the mean over triples of the mean over tokens.
 * Units as in rl/pair/.   Source: arXiv:2405.16681; TRL. */
#include "rl/objective/preference.h"

#include <stddef.h>

/* The view of one triple, so that sums take triples one by one however the step is cut. */
static void run_triple(ls_objective_sums *sums, const ls_objective_options *options,
                       const leash_streams *streams, const leash_scores *scores,
                       const leash_seeds *seeds)
{
    ls_preference_run(sums, options, streams, scores, seeds, 3);
    ls_objective_span gold = ls_objective_span_of(streams, 2);
    if (gold.n_active == 0)
        return;
    double weight = 3 * gold.weight * options->tpo_alpha, n = (double)gold.n_active;
    sums->policy_loss += weight * -ls_objective_span_sum(streams, &gold, scores->logp) / n;
    for (int64_t t = gold.first; t < gold.end; t++) {
        if (streams->weight[t] != 0)
            seeds->dlogp[t] = (float)(-weight / n);
    }
}

static void run_view(ls_objective_sums *sums, const ls_objective_options *options,
                     const leash_streams *streams, const leash_scores *scores,
                     const leash_seeds *seeds)
{
    LS_ASSERT_EQ(streams->n_seqs % 3, 0);
    for (int64_t i = 0; i < streams->n_seqs; i += 3) {
        int64_t at = streams->seq_start[i] - streams->seq_start[0];
        leash_streams triple = ls_streams_range(streams, i, i + 3);
        leash_scores its_scores = {.logp = scores->logp + at,
                                   .log_sum_sq =
                                       scores->log_sum_sq ? scores->log_sum_sq + at : NULL};
        leash_seeds its_seeds = {.dlogp = seeds->dlogp + at};
        run_triple(sums, options, &triple, &its_scores, &its_seeds);
    }
}

static leash_status check(const ls_objective_options *options)
{
    if (ls_pair_sorts(&options->pair))
        return ls_fail(LEASH_USAGE, "loss_type aot sorts over the whole update; use objective "
                                    "preference for it");
    if (!(options->tpo_alpha >= 0))
        return ls_fail(LEASH_USAGE, "tpo_alpha is %g, expected 0 or more", options->tpo_alpha);
    return ls_pair_options_check(options);
}

const ls_objective ls_objective_preference_triple = {
    .name = "preference-triple",
    .help = "a pair loss and the likelihood of a third, gold completion (TPO)",
    .source = "arXiv:2405.16681",
    .owns_beta = true,
    .unit = LS_UNIT_TRIPLE,
    .is_unit_mean = true,
    .run_view = run_view,
    .needs_of = ls_preference_needs,
    .check = check,
};
