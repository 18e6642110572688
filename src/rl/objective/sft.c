/* Supervised fine-tuning: maximum likelihood of the given tokens.
 *
 *     l_t = -logp_t            dl_t/dlogp_t = -1
 *
 * With the token-mean aggregation this is the mean over all trained tokens of the optimiser step,
 * whatever the micro-batches. */
#include "rl/objective.h"

static void run(float *dlogp, ls_objective_sums *sums, const ls_objective_options *options,
                const ls_objective_seq *seq)
{
    (void)options;
    for (int64_t t = 0; t < seq->n; t++) {
        double weight = (double)seq->weight[t];
        if (weight == 0)
            continue;
        sums->policy_loss += weight * -(double)seq->logp[t];
        dlogp[t] = (float)-weight;
    }
}

const ls_objective ls_objective_sft = {
    .name = "sft",
    .help = "negative log-likelihood of the given tokens",
    .source = "maximum likelihood",
    .run = run,
};
