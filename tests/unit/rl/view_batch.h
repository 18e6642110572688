/* Random batches for objectives that take a view: 12 sequences, which are 6 pairs, 4 triples or 4
 * groups of 3.  Log-probabilities and values are multiples of 2^-11, so that a step of 2^-11 in a
 * float is exact. */
#ifndef LS_TESTS_VIEW_BATCH_H
#define LS_TESTS_VIEW_BATCH_H

#include <string.h>
#include "base/rng.h"
#include "rl/objective.h"

#define VIEW_SEQS 12
#define VIEW_TOKENS 60
#define VIEW_IDS 3
#define VIEW_STEP (1.0f / 2048)

typedef struct view_batch {
    int64_t start[VIEW_SEQS + 1];
    int32_t group[VIEW_SEQS];
    uint8_t flags[VIEW_SEQS];
    float label[VIEW_SEQS], margin[VIEW_SEQS];
    float ref_logp[VIEW_TOKENS], weight[VIEW_TOKENS], advantage[VIEW_TOKENS];
    float old_value[VIEW_TOKENS], ret[VIEW_TOKENS], step_label[VIEW_TOKENS];
    float teacher[VIEW_TOKENS * VIEW_IDS];
    float logp[VIEW_TOKENS], value[VIEW_TOKENS], sum_sq[VIEW_TOKENS];
    float ids[VIEW_TOKENS * VIEW_IDS];
    float dlogp[VIEW_TOKENS], dvalue[VIEW_TOKENS], dids[VIEW_TOKENS * VIEW_IDS];
} view_batch;

static inline int64_t view_below(uint32_t trial, uint32_t i, uint64_t n)
{
    ls_rng_name name = {.seed = 17, .purpose = LS_RNG_TEST, .step = trial, .position = i};
    return (int64_t)ls_rng_below(&name, n);
}

static inline void view_fill_seqs(view_batch *b, uint32_t trial)
{
    static const int64_t lengths[VIEW_SEQS] = {3, 7, 5, 5, 1, 9, 4, 6, 8, 2, 6, 4};
    b->start[0] = 0;
    for (uint32_t i = 0; i < VIEW_SEQS; i++) {
        b->start[i + 1] = b->start[i] + lengths[i];
        b->group[i] = (int32_t)i / 3;
        b->flags[i] = view_below(trial, 3 * i, 3) == 0 ? LS_SEQ_FROM_REFERENCE : 0;
        b->label[i] = (float)view_below(trial, 3 * i + 1, 65) / 64.0f;
        b->margin[i] = (float)view_below(trial, 3 * i + 2, 64) / 64.0f;
    }
}

static inline void view_fill(view_batch *b, uint32_t trial)
{
    view_fill_seqs(b, trial);
    for (uint32_t t = 0; t < VIEW_TOKENS; t++) {
        uint32_t at = 100 + 20 * t;
        b->logp[t] = -(float)view_below(trial, at, 3000) * VIEW_STEP;
        b->ref_logp[t] = b->logp[t] + (float)(view_below(trial, at + 1, 2048) - 1024) * VIEW_STEP;
        b->value[t] = (float)(view_below(trial, at + 2, 8192) - 4096) * VIEW_STEP;
        b->old_value[t] = b->value[t] + (float)(view_below(trial, at + 3, 1024) - 512) * VIEW_STEP;
        b->ret[t] = (float)(view_below(trial, at + 4, 8192) - 4096) * VIEW_STEP;
        b->step_label[t] = (float)view_below(trial, at + 5, 3) / 2.0f;
        b->sum_sq[t] = -(float)view_below(trial, at + 6, 2000) * VIEW_STEP;
        b->advantage[t] = (float)view_below(trial, at + 7, 1000) / 250.0f - 2.0f;
        /* Sequence 4 has one token: its pair, triple and group keep it. */
        bool is_masked = view_below(trial, at + 8, 4) == 0 && t != 20;
        b->weight[t] = is_masked ? 0.0f : 1.0f / 16;
        for (uint32_t k = 0; k < VIEW_IDS; k++) {
            b->ids[VIEW_IDS * t + k] =
                -1.25f - (float)view_below(trial, at + 9 + k, 4000) * VIEW_STEP;
            b->teacher[VIEW_IDS * t + k] =
                -1.25f - (float)view_below(trial, at + 12 + k, 4000) * VIEW_STEP;
        }
        if (is_masked)
            b->logp[t] = b->ref_logp[t] = b->value[t] = b->ret[t] = b->sum_sq[t] = NAN;
    }
}

static inline ls_objective_sums view_run_range(view_batch *b, const ls_objective *objective,
                                               const ls_objective_options *options,
                                               ls_objective_sums sums, int64_t first, int64_t end)
{
    int64_t at = b->start[first];
    leash_streams all = {.n_tokens = VIEW_TOKENS,
                         .n_seqs = VIEW_SEQS,
                         .n_groups = VIEW_SEQS / 3,
                         .seq_start = b->start,
                         .group = b->group,
                         .flags = b->flags,
                         .old_logp = b->ref_logp,
                         .ref_logp = b->ref_logp,
                         .advantage = b->advantage,
                         .weight = b->weight,
                         .old_value = b->old_value,
                         .ret = b->ret,
                         .label = b->label,
                         .margin = b->margin,
                         .baseline = 0.25,
                         .step_label = b->step_label,
                         .n_ids = VIEW_IDS,
                         .teacher_logp = b->teacher};
    leash_streams view = ls_streams_range(&all, first, end);
    leash_scores scores = {.logp = b->logp + at,
                           .value = b->value + at,
                           .ids_logp = b->ids + VIEW_IDS * at,
                           .log_sum_sq = b->sum_sq + at};
    leash_seeds seeds = {
        .dlogp = b->dlogp + at, .dvalue = b->dvalue + at, .dids = b->dids + VIEW_IDS * at};
    ls_objective_run(objective, options, &view, &scores, &seeds, &sums);
    return sums;
}

static inline ls_objective_sums view_run(view_batch *b, const ls_objective *objective,
                                         const ls_objective_options *options)
{
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    return view_run_range(b, objective, options, sums, 0, VIEW_SEQS);
}

/* How many neighbours a view must hold together. */
static inline int64_t view_members(const ls_objective *objective,
                                   const ls_objective_options *options)
{
    switch (ls_objective_unit(objective, options)) {
    case LS_UNIT_PAIR: return 2;
    case LS_UNIT_TRIPLE:
    case LS_UNIT_GROUP: return 3;
    case LS_UNIT_STEP: return VIEW_SEQS;
    case LS_UNIT_SEQUENCE: break;
    }
    return 1;
}

#endif
