/* Held-out evaluation: completions of held-out problems, judged strictly and leniently.
 *
 * Accuracy is the mean over problems of the share of correct samples.  Its interval is Wilson's for
 * one sample a problem and a bootstrap over problems otherwise.  pass@k is unbiased; maj@k is the
 * exact expectation over subsets of the samples.  A completion that cannot be judged is left out
 * and counted. */
#ifndef LS_EVAL_EVALUATE_H
#define LS_EVAL_EVALUATE_H

#include "data/dataset.h"
#include "eval/stats.h"
#include "reward/options.h"
#include "rollout/rollout.h"

#define LS_EVAL_K_MAX 12 /* k = 1, 2, 4, ... 2^(LS_EVAL_K_MAX-1) */

typedef struct ls_eval_request {
    ls_engine *engine;
    const ls_dataset *problems;
    const ls_tokenizer *tokenizer;
    const ls_reward_plan *rewards;
    ls_sampling_options sampling;
    int64_t n_samples;
    uint64_t seed;
    uint32_t step;
    ls_arena *arena; /* for completions; rewound by the caller */
    void (*on_progress)(void *user, int64_t done, int64_t total, int64_t tokens);
    void *user;
    bool (*should_stop)(void);
} ls_eval_request;

typedef struct ls_eval_result {
    int64_t n_problems, n_samples, n_judged, n_cannot_judge;
    ls_interval strict, lenient; /* accuracy with 95 % interval              */
    int64_t n_k;                 /* values of k below: 1, 2, 4, ... <= n_samples */
    int64_t k[LS_EVAL_K_MAX];
    int64_t n_at_k[LS_EVAL_K_MAX]; /* problems with at least k judged samples */
    double pass_at_k[LS_EVAL_K_MAX], maj_at_k[LS_EVAL_K_MAX], pass_at_k_lenient[LS_EVAL_K_MAX];
    double mean_length, clipped_ratio, entropy, no_answer; /* tokens; shares; nats */
    int64_t n_tokens;
    double seconds;
    ls_rollout rollout;   /* in the request's arena */
    double *strict_score; /* (n_problems * n_samples) 1, 0, NaN: cannot judge; in the arena */
} ls_eval_result;

leash_status ls_evaluate(ls_eval_result *out, const ls_eval_request *request) LEASH_MUST_USE;
/* For the plan: takes from request->arena what an evaluation with completions of full length
 * takes, and finds what no evaluation of this kind could do. */
leash_status ls_eval_measure(const ls_eval_request *request) LEASH_MUST_USE;
/* Longest prompt + completion. */
int64_t ls_eval_max_length(const ls_dataset *problems, const ls_sampling_options *sampling);
/* A table for people, at most 80 columns; or one JSON object. */
void ls_eval_print(const ls_eval_result *result, ls_str *out);
void ls_eval_json(const ls_eval_result *result, ls_str *out);

#endif
