/* One small batch with published numbers: 4 sequences, 10 tokens, one group with rewards 1 0 0
 * 0. */
#ifndef LS_TESTS_COMMON_VECTOR_H
#define LS_TESTS_COMMON_VECTOR_H

#include "rl/aggregation.h"
#include "rl/objective.h"

/* Log-probabilities are floats here and decimals in the published numbers: 1e-7 relative in each
 * input. */
#define FLOAT_INPUT 2e-6

static const int64_t common_start[] = {0, 3, 5, 9, 10};
static const float common_old[] = {-1.0f, -0.5f, -2.0f, -0.8f, -1.2f,
                                   -0.3f, -0.9f, -1.5f, -0.2f, -2.5f};
static const float common_new[] = {-0.7f, -0.55f, -1.7f, -1.2f, -1.1f,
                                   -0.3f, -0.9f,  -1.5f, -0.2f, -1.1f};
static const float common_ref[] = {-1.1f, -0.6f, -1.9f, -0.9f, -1.0f,
                                   -0.4f, -0.8f, -1.5f, -0.3f, -2.0f};
static const float common_advantage[] = {1.5f,  1.5f,  1.5f,  -0.5f, -0.5f,
                                         -0.5f, -0.5f, -0.5f, -0.5f, -0.5f};
static const int32_t common_group[] = {0, 0, 0, 0};
static const double common_reward[] = {1, 0, 0, 0};

typedef struct common_result {
    float weight[10], dlogp[10], dentropy[10];
    ls_objective_sums sums;
    ls_objective_metrics metrics;
} common_result;

static inline common_result common_run(const char *objective, const char *aggregation,
                                       const ls_objective_options *options, const float *advantage)
{
    common_result r;
    ls_aggregation_totals totals;
    ls_aggregation_input input = {.n_seqs = 4, .seq_start = common_start, .fixed_length = 8};
    leash_status status =
        ls_aggregation_weights(r.weight, &totals, ls_aggregation_find(aggregation), &input);
    LS_ASSERT_EQ(status, LEASH_OK);
    leash_streams streams = {.n_tokens = 10,
                             .n_seqs = 4,
                             .n_groups = 1,
                             .seq_start = common_start,
                             .group = common_group,
                             .old_logp = common_old,
                             .ref_logp = common_ref,
                             .advantage = advantage,
                             .weight = r.weight};
    leash_scores scores = {.logp = common_new};
    leash_seeds seeds = {.dlogp = r.dlogp, .dentropy = r.dentropy};
    ls_objective_sums_init(&r.sums);
    ls_objective_run(ls_objective_find(objective), options, &streams, &scores, &seeds, &r.sums);
    r.metrics = ls_objective_finish(&r.sums, options);
    return r;
}

#endif
