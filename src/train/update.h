/* One optimiser update: weights of the whole update, micro-batches (forward, objective, backward),
 * finite check, clip, step.
 *
 * Cutting into micro-batches changes no bit: weights are computed before the first forward, sums
 * run in token order, gradients are one chain over rows.  Sequences that an objective couples (its
 * unit) are never parted, neither by a micro-batch nor by a leaf of the gradient.  Sequences whose
 * seeds are known to be zero (advantage 0, no KL, no entropy term) are not run backward, and on the
 * first pass over a rollout not forward either: their scores are those the rollout recorded, bit
 * for bit. */
#ifndef LS_TRAIN_UPDATE_H
#define LS_TRAIN_UPDATE_H

#include "rl/options.h"
#include "train/optimizer.h"
#include "train/sequences.h"

typedef struct ls_updater {
    ls_model *model;
    ls_optimizer *optimizer;
    ls_arena *pass;
    const ls_rl_plan *plan;
    double temperature;
    int64_t micro_batch;  /* sequences at once                                        */
    int64_t micro_tokens; /* and tokens at once                                       */
    int64_t fixed_length; /* of the aggregation of that name                          */
    bool recomputes;      /* gradient_checkpointing                                   */
    bool wants_argmax;    /* token accuracy                                           */
    const char *dump_dir; /* where a micro-batch that is not finite is saved, or NULL */
} ls_updater;

typedef struct ls_update_result {
    ls_objective_sums sums;
    ls_update_report report;
    /* targets whose training logp was compared with the rollout's; bits that differed */
    int64_t n_compared, n_mismatched;
    int64_t n_argmax_hits; /* targets that were the most likely token */
    int64_t n_rows;        /* rows of the forward                     */
} ls_update_result;

/* Neighbours that the plan's objective couples: 1, 2 for pairs, 3, or all `n` of an update. */
int64_t ls_unit_sequences(const ls_rl_plan *plan, int64_t n);
/* The first sequence of part k of `parts` of n sequences, in whole units. */
int64_t ls_unit_cut(int64_t n, int64_t unit, int64_t k, int64_t parts);

/* Sequences [first, end), whole units.  `is_on_policy`: the weights are those that sampled the
 * rollout. Errors: LEASH_NUMERIC naming tensor, layer and sequence; the weights are then untouched.
 * */
leash_status ls_update_run(const ls_updater *u, ls_sequences *s, int64_t first, int64_t end,
                           double learning_rate, bool is_on_policy,
                           ls_update_result *result) LEASH_MUST_USE;

/* Passes the sequences through the model one by one with every op looking at its output:
 * LEASH_NUMERIC names op, layer, position and dataset row of the first number that is not
 * finite. */
leash_status ls_update_check_finite(const ls_updater *u, const ls_sequences *s) LEASH_MUST_USE;

#endif
