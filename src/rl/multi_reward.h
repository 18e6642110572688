/* Several rewards as one advantage without summing them first (GDPO):
 *
 *     Z_i = sum_k weight_k A_ik          A_k: the estimator on the scores of reward k alone
 *     A_i = (Z_i - mean) / (std + std_epsilon)        over the scored sequences of the batch, n - 1
 *
 * A sum of rewards takes its order from the reward with the largest spread; here each has the same
 * say, times its weight.  A score of NaN (not judged, or not applicable) adds nothing; a sequence
 * without any score has advantage 0 and no part in the statistics.  Source: TRL's
 * multi_objective_aggregation normalize_then_sum. */
#ifndef LS_RL_MULTI_REWARD_H
#define LS_RL_MULTI_REWARD_H

#include "rl/advantage.h"

typedef struct ls_multi_reward {
    int64_t n_rewards;
    const double *score;  /* (n_seqs, n_rewards); NaN: no score */
    const double *weight; /* (n_rewards)                        */
} ls_multi_reward;

/* As ls_advantage_compute, but from the scores; batch->reward is not read.  groups (n_groups) and
 * scratch (2 n_seqs) are overwritten.  The estimator may not be one of tokens. */
leash_status ls_multi_reward_advantage(double *advantage, const ls_advantage *estimator,
                                       const ls_advantage_options *options,
                                       const ls_reward_batch *batch, const ls_multi_reward *rewards,
                                       ls_group_stats *groups, double *scratch) LEASH_MUST_USE;

#endif
