/* The update, and the search for the first number that is not finite. */
#include "train/update.h"

#include <math.h>
#include <string.h>

#include "base/file.h"

typedef struct pass { /* what the micro-batches of one update share */
    const ls_updater *u;
    ls_sequences *s;
    leash_streams streams; /* of all sequences */
    bool is_rollout, is_on_policy;
    int64_t unit; /* sequences that stay together */
    ls_update_result *result;
} pass;

int64_t ls_unit_sequences(const ls_rl_plan *plan, int64_t n)
{
    switch (ls_objective_unit(plan->objective, &plan->objective_options)) {
    case LS_UNIT_PAIR: return 2;
    case LS_UNIT_TRIPLE: return 3;
    case LS_UNIT_STEP: return n > 0 ? n : 1;
    case LS_UNIT_SEQUENCE:
    case LS_UNIT_GROUP: break;
    }
    return 1;
}

int64_t ls_unit_cut(int64_t n, int64_t unit, int64_t k, int64_t parts)
{
    LS_ASSERT_EQ(n % unit, 0);
    return n / unit * k / parts * unit;
}

/* Whether the seeds of sequence i are zero whatever its scores are. */
static bool sequence_is_idle(const pass *p, int64_t i)
{
    const ls_objective_options *o = &p->u->plan->objective_options;
    if (p->s->flags[i] & (LS_SEQ_MASKED | LS_SEQ_DROPPED))
        return true;
    bool has_terms = o->entropy_coef != 0 || (o->beta != 0 && o->kl_in == LS_KL_IN_LOSS);
    if (!p->is_rollout || has_terms)
        return false;
    for (int64_t t = p->s->target_start[i]; t < p->s->target_start[i + 1]; t++)
        if (p->s->token_advantage[t] != 0 || (p->streams.anchor && p->s->anchor[t] != 0))
            return false;
    return true;
}

/* Saves ids of a micro-batch as JSON, so that the step can be studied. */
static void dump_micro_batch(const ls_updater *u, const ls_sequences *s, int64_t first, int64_t end)
{
    if (!u->dump_dir)
        return;
    ls_str json = LS_STR_INIT;
    char path[LS_PATH_MAX];
    ls_str_append(&json, "[");
    for (int64_t i = first; i < end; i++) {
        ls_str_appendf(&json, "%s{\"row\": %lld, \"sample\": %d, \"ids\": [",
                       i > first ? ",\n " : "", (long long)s->line[i], s->sample[i]);
        for (int64_t t = s->start[i]; t < s->start[i + 1]; t++)
            ls_str_appendf(&json, "%s%d", t > s->start[i] ? ", " : "", s->ids[t]);
        ls_str_append(&json, "]}");
    }
    ls_str_append(&json, "]\n");
    if (ls_file_write_atomic(ls_path_join(path, u->dump_dir, "not-finite.json"), json.data,
                             json.len) != LEASH_OK)
        ls_error_clear(); /* the error that is reported is the number, not the dump */
    ls_str_release(&json);
}

/* Names op, layer and position of the first bad number and finds its sequence; false when every
 * op's output is finite. */
static bool find_not_finite(const ls_updater *u, const ls_sequences *s, int64_t first, int64_t end,
                            char where[128], int64_t *sequence)
{
    ls_arena_mark mark = ls_arena_get_mark(u->pass);
    ls_packed packed;
    ls_tape tape;
    ls_sequences_pack(&packed, s, first, end, u->pass);
    ls_tape_init(&tape, u->model->dev, u->pass, false);
    tape.checks_finite = true;
    (void)ls_model_forward(u->model, &tape, &packed.batch);
    if (tape.bad.op) {
        const ls_batch_seq *seqs = packed.batch.seqs;
        int64_t k = 0;
        char layer[32] = "";
        while (k + 1 < packed.batch.n_seqs && seqs[k + 1].row0 <= tape.bad.row)
            k++;
        *sequence = first + k;
        if (tape.bad.layer >= 0)
            snprintf(layer, sizeof layer, " of layer %d", (int)tape.bad.layer);
        snprintf(where, 128, "%s%s, position %lld", tape.bad.op, layer,
                 (long long)(tape.bad.row - seqs[k].row0));
    }
    ls_arena_rewind(u->pass, mark);
    return tape.bad.op != NULL;
}

static leash_status fail_at(const ls_updater *u, const ls_sequences *s, int64_t first, int64_t end,
                            const char *where, int64_t i)
{
    dump_micro_batch(u, s, first, end);
    return ls_fail(
        LEASH_NUMERIC,
        "the forward pass is not finite: first in %s, of dataset row %lld, sample %d; the weights "
        "were not changed%s: lower learning_rate, or look for such numbers in the model file",
        where, (long long)s->line[i], s->sample[i],
        u->dump_dir ? " and the sequences are saved in not-finite.json" : "");
}

/* Runs the micro-batch again with every op looking at its output, and tells where the first bad
 * number is. */
static leash_status fail_not_finite(const pass *p, int64_t first, int64_t end, int64_t target)
{
    int64_t i = ls_sequences_of_target(p->s, target);
    char where[128] = "the head";
    (void)find_not_finite(p->u, p->s, first, end, where, &i);
    return fail_at(p->u, p->s, first, end, where, i);
}

leash_status ls_update_check_finite(const ls_updater *u, const ls_sequences *s)
{
    char where[128];
    int64_t i;
    for (int64_t first = 0; first < s->n_seqs; first++)
        if (find_not_finite(u, s, first, first + 1, where, &i))
            return fail_at(u, s, first, first + 1, where, i);
    return LEASH_OK;
}

static void count_mismatches(const pass *p, int64_t target0, int64_t n)
{
    const ls_sequences *s = p->s;
    for (int64_t t = target0; t < target0 + n; t++)
        p->result->n_mismatched += memcmp(&s->logp[t], &s->old_logp[t], sizeof(float)) != 0;
    p->result->n_compared += n;
}

static void count_argmax(const pass *p, const ls_packed *packed)
{
    for (int64_t t = 0; t < packed->n_targets; t++)
        p->result->n_argmax_hits += p->s->argmax[packed->target0 + t] == packed->targets[t];
}

typedef struct target_jobs { /* of the heads that the model has */
    ls_head_job tokens;
    ls_value_job value;
} target_jobs;

static target_jobs make_jobs(const pass *p, const ls_packed *packed)
{
    const ls_updater *u = p->u;
    ls_sequences *s = p->s;
    int64_t at = packed->target0, given = at * s->n_ids;
    return (target_jobs){.tokens = {.weight = u->model->head,
                                    .rows = packed->rows,
                                    .targets = packed->targets,
                                    .n = packed->n_targets,
                                    .temperature = (float)u->temperature,
                                    .logp = s->logp + at,
                                    .entropy = s->entropy + at,
                                    .argmax = u->wants_argmax ? s->argmax + at : NULL,
                                    .ids = s->n_ids ? s->teacher_ids + given : NULL,
                                    .n_ids = s->n_ids,
                                    .ids_logp = s->n_ids ? s->ids_logp + given : NULL},
                         .value = {.weight = u->model->score,
                                   .bias = u->model->score_bias,
                                   .rows = packed->rows,
                                   .n = packed->n_targets,
                                   .value = s->value ? s->value + at : NULL}};
}

/* Forward and heads; returns the first target whose number is not finite, or -1.  A model that
 * scores has no likelihoods: they are NaN. */
static int64_t score_targets(const pass *p, ls_tape *tape, const ls_packed *packed,
                             target_jobs *jobs)
{
    jobs->tokens.hidden = jobs->value.hidden = ls_model_forward(p->u->model, tape, &packed->batch);
    p->result->n_rows += packed->batch.n_rows;
    if (jobs->value.weight) {
        ls_op_value(tape, &jobs->value);
        for (int64_t t = 0; t < packed->n_targets; t++)
            jobs->tokens.logp[t] = NAN;
        return ls_first_not_finite(jobs->value.value, packed->n_targets);
    }
    ls_op_head_score(tape, &jobs->tokens);
    return ls_first_not_finite(jobs->tokens.logp, packed->n_targets);
}

static void walk_back(const pass *p, ls_tape *tape, const target_jobs *jobs,
                      const leash_seeds *seeds)
{
    bool has_entropy = p->u->plan->objective_options.entropy_coef != 0;
    if (jobs->value.weight)
        ls_op_value_backward(tape, &jobs->value, seeds->dvalue);
    else
        ls_op_head_backward_ids(tape, &jobs->tokens, seeds->dlogp,
                                has_entropy ? seeds->dentropy : NULL, seeds->dids);
    ls_tape_backward(tape, NULL);
}

/* Forward, objective and, unless the sequences are idle, backward of [first, end). */
static leash_status run_micro_batch(const pass *p, int64_t first, int64_t end, bool is_idle)
{
    const ls_updater *u = p->u;
    ls_sequences *s = p->s;
    ls_arena_mark mark = ls_arena_get_mark(u->pass);
    ls_packed packed;
    ls_tape tape;
    ls_sequences_pack(&packed, s, first, end, u->pass);
    int64_t at = packed.target0;
    ls_tape_init(&tape, u->model->dev, u->pass, !is_idle);
    tape.recomputes_blocks = u->recomputes;
    target_jobs jobs = make_jobs(p, &packed);
    if (is_idle && p->is_on_policy) {
        memcpy(s->logp + at, s->old_logp + at, (size_t)packed.n_targets * sizeof(float));
        memcpy(s->entropy + at, s->old_entropy + at, (size_t)packed.n_targets * sizeof(float));
    } else {
        int64_t bad = score_targets(p, &tape, &packed, &jobs);
        if (bad >= 0) {
            ls_arena_rewind(u->pass, mark);
            return fail_not_finite(p, first, end, at + bad);
        }
        if (p->is_on_policy)
            count_mismatches(p, at, packed.n_targets);
        if (u->wants_argmax)
            count_argmax(p, &packed);
    }
    leash_streams view = ls_streams_range(&p->streams, first, end);
    bool has_values = u->model->score != NULL;
    leash_scores scores = {.logp = s->logp + at,
                           .entropy = has_values ? NULL : s->entropy + at,
                           .value = has_values ? s->value + at : NULL,
                           .ids_logp = s->n_ids ? s->ids_logp + at * s->n_ids : NULL};
    leash_seeds seeds = {.dlogp = s->dlogp + at,
                         .dentropy = has_values ? NULL : s->dentropy + at,
                         .dvalue = has_values ? s->dvalue + at : NULL,
                         .dids = s->n_ids ? s->dids + at * s->n_ids : NULL};
    ls_objective_run(u->plan->objective, &u->plan->objective_options, &view, &scores, &seeds,
                     &p->result->sums);
    if (!is_idle) {
        walk_back(p, &tape, &jobs, &seeds);
    }
    ls_arena_rewind(u->pass, mark);
    return LEASH_OK;
}

/* Whether the unit that begins with `next` still fits a micro-batch that begins with `first`. */
static bool fits_micro_batch(const pass *p, int64_t first, int64_t next)
{
    return next + p->unit - first <= p->u->micro_batch &&
           p->s->start[next + p->unit] - p->s->start[first] <= p->u->micro_tokens;
}

static bool unit_is_idle(const pass *p, int64_t first)
{
    for (int64_t i = first; i < first + p->unit; i++)
        if (!sequence_is_idle(p, i))
            return false;
    return true;
}

static bool unit_is_dropped(const pass *p, int64_t first)
{
    for (int64_t i = first; i < first + p->unit; i++)
        if (!(p->s->flags[i] & LS_SEQ_DROPPED))
            return false;
    return true;
}

/* The sequences of one leaf, in micro-batches of neighbours that are all idle or all active. */
static leash_status run_leaf(const pass *p, int64_t first, int64_t end)
{
    for (int64_t i = first; i < end;) {
        if (unit_is_dropped(p, i)) {
            i += p->unit;
            continue;
        }
        bool is_idle = unit_is_idle(p, i);
        int64_t stop = i + p->unit;
        while (stop < end && fits_micro_batch(p, i, stop) && unit_is_idle(p, stop) == is_idle &&
               !unit_is_dropped(p, stop))
            stop += p->unit;
        LS_TRY(run_micro_batch(p, i, stop, is_idle));
        i = stop;
    }
    return LEASH_OK;
}

static leash_status compute_weights(const pass *p, int64_t first, int64_t end)
{
    ls_sequences *s = p->s;
    ls_aggregation_input input = {.n_seqs = end - first,
                                  .seq_start = s->target_start + first,
                                  .flags = s->flags + first,
                                  .fixed_length = p->u->fixed_length};
    ls_aggregation_totals totals;
    return ls_aggregation_weights(s->weight + s->target_start[first], &totals,
                                  p->u->plan->aggregation, &input);
}

leash_status ls_update_run(const ls_updater *u, ls_sequences *s, int64_t first, int64_t end,
                           double learning_rate, bool is_on_policy, ls_update_result *result)
{
    memset(result, 0, sizeof *result);
    ls_objective_sums_init(&result->sums);
    bool is_rollout = (u->plan->needs & LS_NEED_OLD_LOGP) || (u->plan->needs & LS_NEED_ADVANTAGE);
    int64_t n_seqs = end - first;
    pass p = {.u = u,
              .s = s,
              .is_rollout = is_rollout,
              .is_on_policy = is_on_policy,
              .unit = ls_unit_sequences(u->plan, n_seqs),
              .result = result};
    p.streams = ls_sequences_streams(s, is_rollout, (u->plan->needs & LS_NEED_REF_LOGP) != 0);
    if (u->plan->correction_options.kl_cov_ratio > 0)
        p.streams.anchor = s->anchor;
    p.streams.label = u->plan->needs & LS_NEED_LABEL ? s->label : NULL;
    p.streams.baseline = s->baseline;
    p.streams.margin = u->model->score ? s->margin : NULL;
    if (u->plan->needs & LS_NEED_RETURN) {
        p.streams.ret = s->ret;
        p.streams.old_value = s->old_value;
    }
    p.streams.n_ids = s->n_ids;
    p.streams.teacher_logp = s->teacher_logp;
    p.streams.ids_are_all = s->n_ids == u->model->config.vocab_size;
    p.streams.step_label = u->plan->needs & LS_NEED_STEP_LABEL ? s->step_label : NULL;
    LS_TRY(compute_weights(&p, first, end));
    ls_model_zero_grads(u->model);
    for (int64_t leaf = 0, n = u->model->n_leaves; leaf < n; leaf++) {
        ls_model_use_leaf(u->model, leaf);
        LS_TRY(run_leaf(&p, first + ls_unit_cut(n_seqs, p.unit, leaf, n),
                        first + ls_unit_cut(n_seqs, p.unit, leaf + 1, n)));
    }
    ls_model_use_leaf(u->model, 0);
    ls_model_fold_grads(u->model);
    return ls_optimizer_update(u->optimizer, u->model, learning_rate, &result->report);
}
