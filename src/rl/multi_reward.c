/* Advantages of each reward, summed, and brought to one scale over the batch. */
#include "rl/multi_reward.h"

#include <math.h>

static bool has_score(const ls_multi_reward *rewards, int64_t i)
{
    for (int64_t k = 0; k < rewards->n_rewards; k++) {
        if (!isnan(rewards->score[i * rewards->n_rewards + k]))
            return true;
    }
    return false;
}

leash_status ls_multi_reward_advantage(double *advantage, const ls_advantage *estimator,
                                       const ls_advantage_options *options,
                                       const ls_reward_batch *batch, const ls_multi_reward *rewards,
                                       ls_group_stats *groups, double *scratch)
{
    int64_t n = batch->n_seqs;
    double *column = scratch, *one = scratch + n;
    ls_reward_batch alone = *batch;
    LS_ASSERT(!estimator->run_tokens);
    alone.reward = column;
    for (int64_t i = 0; i < n; i++)
        advantage[i] = has_score(rewards, i) ? 0.0 : NAN;
    for (int64_t k = 0; k < rewards->n_rewards; k++) {
        for (int64_t i = 0; i < n; i++)
            column[i] = rewards->score[i * rewards->n_rewards + k];
        LS_TRY(ls_group_stats_compute(groups, &alone));
        LS_TRY(ls_advantage_compute(one, estimator, options, &alone, groups));
        for (int64_t i = 0; i < n; i++)
            advantage[i] += rewards->weight[k] * one[i];
    }
    alone.reward = advantage;
    ls_group_stats all = ls_batch_stats(&alone);
    for (int64_t i = 0; i < n; i++) {
        bool has_signal = !all.is_degenerate && !isnan(advantage[i]);
        advantage[i] =
            has_signal ? (advantage[i] - all.mean) / (all.std + options->std_epsilon) : 0.0;
    }
    return LEASH_OK;
}
