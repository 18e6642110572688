/* Advantages: how much better a completion did than its baseline.
 *
 *     ls_group_stats *groups = ...(n_groups);
 *     LS_TRY(ls_group_stats_compute(groups, &batch));
 *     ls_group_report report = ls_group_report_make(groups, &batch);
 *     LS_TRY(ls_advantage_compute(advantage, estimator, &options, &batch, groups));
 *     ls_advantage_tokens(token_advantage, advantage, estimator, &options, &batch);
 *
 * Advantages are computed over the whole batch, before it is cut into micro-batches, in double.
 * A reward of NaN means that nobody could judge the completion: advantage 0, and no part in any
 * statistic. A group whose scored rewards are all equal (spread < 1e-6 * max(1, |mean|)) is
 * degenerate: an estimator with a group baseline gives it exactly 0.
 * An estimator gives one advantage a sequence, and every token has its sequence's, unless it also
 * says what each token has (run_tokens).
 * To add an estimator: one file in rl/advantage/ that ends with its descriptor, one row in
 * advantage.def. */
#ifndef LS_RL_ADVANTAGE_H
#define LS_RL_ADVANTAGE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"

typedef struct ls_reward_batch {
    int64_t n_seqs, n_groups;
    const double *reward; /* (n_seqs); NaN: unscorable                                       */
    const int32_t *group; /* (n_seqs) in 0 .. n_groups-1, in any order                       */
    /* (n_seqs) for the all-correct counts; NULL: a reward > 0 is correct. */
    const uint8_t *is_correct;
    /* (n_seqs + 1) as of leash_streams, for estimators that count tokens; NULL: one each. */
    const int64_t *seq_start;
    /* Per token, what it alone took from the reward of its sequence (beta k1, from
     * ls_kl_shape_rewards); NULL: nothing. */
    const double *token_cost;
    const float *value;  /* per token, a critic's value before it; NULL: there is none    */
    const uint8_t *mask; /* per token, for estimators with a value: 0 = stepped over; NULL: none */
    /* (n_groups) reward of the greedy completion of a group's prompt; NULL: not sampled. */
    const double *greedy_reward;
} ls_reward_batch;

typedef struct ls_group_stats { /* over the scored sequences of one group */
    int64_t n_seqs, n_scored, n_correct;
    double mean, std, min, max; /* std with n-1 below; 0 when fewer than 2 are scored */
    bool is_degenerate;         /* no signal: all scored rewards equal, or none scored */
} ls_group_stats;

typedef struct ls_group_report {
    int64_t n_groups, n_degenerate, n_all_correct, n_all_wrong;
    int64_t n_unscored; /* sequences whose reward is NaN */
    /* Means over groups of the group's mean and standard deviation; NaN without any. */
    double reward_mean, reward_std;
    double frac_reward_zero_std; /* n_degenerate / n_groups */
} ls_group_report;

typedef struct ls_advantage_options {
    double std_epsilon; /* added to a standard deviation before dividing by it, 1e-4 */
    double quantile;    /* of the estimator of that name, in (0, 1); 0.4                 */
    double gamma, lam;  /* of gae, 1 and 0.95                                            */
} ls_advantage_options;
#define LS_ADVANTAGE_OPTIONS_INIT                                       \
    {                                                                   \
        .std_epsilon = 1e-4, .quantile = 0.4, .gamma = 1.0, .lam = 0.95 \
    }

typedef void ls_advantage_fn(double *advantage, const ls_advantage_options *options,
                             const ls_reward_batch *batch, const ls_group_stats *groups);

/* token_advantage of all tokens of the batch; seq_start is there. */
typedef void ls_advantage_tokens_fn(float *token_advantage, const ls_advantage_options *options,
                                    const ls_reward_batch *batch);

typedef struct ls_advantage {
    const char *name, *help, *source;
    bool has_group_baseline; /* groups of one sequence are an error, degenerate groups get 0 */
    bool needs_value;        /* batch->value is there                                        */
    bool needs_greedy;       /* batch->greedy_reward is there                                */
    ls_advantage_fn *run;
    ls_advantage_tokens_fn *run_tokens; /* NULL: each token has its sequence's advantage */
} ls_advantage;

#define LS_ADVANTAGE_ROW(symbol, name) extern const ls_advantage symbol;
#include "rl/advantage.def"
#undef LS_ADVANTAGE_ROW
extern const ls_advantage *const ls_advantages[];
extern const int64_t ls_n_advantages;
const ls_advantage *ls_advantage_find(const char *name); /* NULL when there is none */

/* groups (n_groups).  Errors: LEASH_DATA for a group id out of range, a reward that is infinite, or
 * an empty group. */
leash_status ls_group_stats_compute(ls_group_stats *groups,
                                    const ls_reward_batch *batch) LEASH_MUST_USE;
/* The same numbers over the whole batch as if it were one group. */
ls_group_stats ls_batch_stats(const ls_reward_batch *batch);
ls_group_report ls_group_report_make(const ls_group_stats *groups, const ls_reward_batch *batch);
/* advantage (n_seqs).  Errors: LEASH_USAGE for a group of one sequence under a group baseline. */
leash_status ls_advantage_compute(double *advantage, const ls_advantage *estimator,
                                  const ls_advantage_options *options, const ls_reward_batch *batch,
                                  const ls_group_stats *groups) LEASH_MUST_USE;
/* Tokens of sequence i; 1 without seq_start. */
int64_t ls_reward_batch_length(const ls_reward_batch *batch, int64_t i);

/* The advantage of each token, from the result of ls_advantage_compute; batch->seq_start is needed.
 * Tokens of unscorable sequences have 0. */
void ls_advantage_tokens(float *token_advantage, const double *advantage,
                         const ls_advantage *estimator, const ls_advantage_options *options,
                         const ls_reward_batch *batch);
/* Gives each token its sequence's advantage. */
void ls_advantage_broadcast(float *token_advantage, const double *advantage,
                            const int64_t *seq_start, int64_t n_seqs);

#endif
