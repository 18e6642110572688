/* REINFORCE++: the return of each token, whitened over all tokens of the batch.
 *
 *     G_it = R_i - beta sum_{u >= t} k1_iu          the KL in the reward is charged where it arises
 *     A_it = (G_it - mean) / sqrt(variance + std_epsilon^2)                over all scored tokens
 *
 * batch->reward already has the KL of the whole completion taken off, which is the return of its
 * first token; a later token is given back what was charged before it.  The sequence's own number
 * is that of its first token.  Needs no groups.
 * Source: arXiv:2501.03262; epsilon^2 = 1e-8 as there. */
#include "rl/advantage.h"

#include <math.h>
#include "rl/whiten.h"

static double cost_of(const ls_reward_batch *batch, int64_t t)
{
    return batch->token_cost ? batch->token_cost[t] : 0.0;
}

static ls_whitening whitening_of_returns(const ls_reward_batch *batch)
{
    ls_whitening w = LS_WHITENING_INIT;
    int64_t t = 0;
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        int64_t end = t + ls_reward_batch_length(batch, i);
        double value = batch->reward[i];
        for (; t < end; t++) {
            if (!isnan(value))
                ls_whitening_add(&w, value, 1);
            value += cost_of(batch, t);
        }
    }
    return w;
}

static void run(double *advantage, const ls_advantage_options *options,
                const ls_reward_batch *batch, const ls_group_stats *groups)
{
    (void)groups;
    ls_whitening w = whitening_of_returns(batch);
    for (int64_t i = 0; i < batch->n_seqs; i++)
        advantage[i] = ls_whitening_apply(&w, batch->reward[i], options->std_epsilon);
}

static void run_tokens(float *token_advantage, const ls_advantage_options *options,
                       const ls_reward_batch *batch)
{
    ls_whitening w = whitening_of_returns(batch);
    int64_t t = 0;
    for (int64_t i = 0; i < batch->n_seqs; i++) {
        int64_t end = t + ls_reward_batch_length(batch, i);
        double value = batch->reward[i];
        for (; t < end; t++) {
            token_advantage[t] = (float)ls_whitening_apply(&w, value, options->std_epsilon);
            value += cost_of(batch, t);
        }
    }
}

const ls_advantage ls_advantage_reinforce_pp = {
    .name = "reinforce-pp",
    .help = "return of each token with the KL charged where it arises, whitened over the batch's "
            "tokens (REINFORCE++)",
    .source = "arXiv:2501.03262",
    .run = run,
    .run_tokens = run_tokens,
};
