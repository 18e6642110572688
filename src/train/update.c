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
    ls_update_result *result;
} pass;

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
    ls_head_job job = {.weight = u->model->head,
                       .rows = packed.rows,
                       .targets = packed.targets,
                       .n = packed.n_targets,
                       .temperature = (float)u->temperature,
                       .logp = s->logp + at,
                       .entropy = s->entropy + at,
                       .argmax = u->wants_argmax ? s->argmax + at : NULL};
    if (is_idle && p->is_on_policy) {
        memcpy(s->logp + at, s->old_logp + at, (size_t)packed.n_targets * sizeof(float));
        memcpy(s->entropy + at, s->old_entropy + at, (size_t)packed.n_targets * sizeof(float));
    } else {
        job.hidden = ls_model_forward(u->model, &tape, &packed.batch);
        ls_op_head_score(&tape, &job);
        p->result->n_rows += packed.batch.n_rows;
        int64_t bad = ls_first_not_finite(s->logp + at, packed.n_targets);
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
    leash_scores scores = {.logp = s->logp + at, .entropy = s->entropy + at};
    leash_seeds seeds = {.dlogp = s->dlogp + at, .dentropy = s->dentropy + at};
    ls_objective_run(u->plan->objective, &u->plan->objective_options, &view, &scores, &seeds,
                     &p->result->sums);
    if (!is_idle) {
        bool has_entropy = u->plan->objective_options.entropy_coef != 0;
        ls_op_head_backward(&tape, &job, seeds.dlogp, has_entropy ? seeds.dentropy : NULL);
        ls_tape_backward(&tape, NULL);
    }
    ls_arena_rewind(u->pass, mark);
    return LEASH_OK;
}

/* Whether sequence `next` still fits a micro-batch that begins with `first`. */
static bool fits_micro_batch(const pass *p, int64_t first, int64_t next)
{
    return next - first < p->u->micro_batch &&
           p->s->start[next + 1] - p->s->start[first] <= p->u->micro_tokens;
}

/* The sequences of one leaf, in micro-batches of neighbours that are all idle or all active. */
static leash_status run_leaf(const pass *p, int64_t first, int64_t end)
{
    for (int64_t i = first; i < end;) {
        if (p->s->flags[i] & LS_SEQ_DROPPED) {
            i++;
            continue;
        }
        bool is_idle = sequence_is_idle(p, i);
        int64_t stop = i + 1;
        while (stop < end && fits_micro_batch(p, i, stop) && sequence_is_idle(p, stop) == is_idle &&
               !(p->s->flags[stop] & LS_SEQ_DROPPED))
            stop++;
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
    pass p = {
        .u = u, .s = s, .is_rollout = is_rollout, .is_on_policy = is_on_policy, .result = result};
    p.streams = ls_sequences_streams(s, is_rollout, (u->plan->needs & LS_NEED_REF_LOGP) != 0);
    if (u->plan->correction_options.kl_cov_ratio > 0)
        p.streams.anchor = s->anchor;
    LS_TRY(compute_weights(&p, first, end));
    ls_model_zero_grads(u->model);
    for (int64_t leaf = 0, n = u->model->n_leaves; leaf < n; leaf++) {
        ls_model_use_leaf(u->model, leaf);
        LS_TRY(
            run_leaf(&p, first + (end - first) * leaf / n, first + (end - first) * (leaf + 1) / n));
    }
    ls_model_use_leaf(u->model, 0);
    ls_model_fold_grads(u->model);
    return ls_optimizer_update(u->optimizer, u->model, learning_rate, &result->report);
}
