/* The loop: take sequences, update, measure, save.  One screen (run_step); the rest opens and
 * closes the run around it. */
#include "train/run.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "base/hash.h"
#include "base/log.h"
#include "eval/completion_json.h"
#include "train/card.h"

typedef enum fold { FOLD_MEAN, FOLD_SUM, FOLD_MIN, FOLD_MAX } fold;

/* How a metric of several updates becomes one of the step. */
static fold fold_of(const ls_objective_metric_row *row)
{
    if (ls_ends_with(row->name, "min"))
        return FOLD_MIN;
    if (ls_ends_with(row->name, "max"))
        return FOLD_MAX;
    return strcmp(row->unit, "tokens") == 0 ? FOLD_SUM : FOLD_MEAN;
}

/* Takes update number n_done (from 0) into the step's values; means are running means. */
static void fold_objective(ls_metrics *m, const ls_objective_metrics *add, int64_t n_done)
{
    for (int64_t i = 0; i < ls_n_objective_metrics; i++) {
        const ls_objective_metric_row *row = &ls_objective_metric_rows[i];
        double value = *(const double *)((const char *)add + row->offset),
               old = n_done ? ls_metrics_get(m, row->name) : NAN;
        if (isnan(value))
            continue;
        if (!isnan(old)) {
            switch (fold_of(row)) {
            case FOLD_MEAN: value = old + (value - old) / (double)(n_done + 1); break;
            case FOLD_SUM: value += old; break;
            case FOLD_MIN: value = fmin(old, value); break;
            case FOLD_MAX: value = fmax(old, value); break;
            }
        }
        ls_metrics_set(m, row->name, value);
    }
}

static void report_update(ls_metrics *m, const ls_update_result *r, double learning_rate)
{
    ls_metrics_set(m, "grad_norm", r->report.grad_norm);
    ls_metrics_set(m, "param_change_norm", r->report.change_norm);
    ls_metrics_set(m, "param_norm", r->report.param_norm);
    ls_metrics_set(m, "learning_rate", learning_rate);
}

static bool has_targets(const ls_sequences *s, int64_t first, int64_t end)
{
    for (int64_t i = first; i < end; i++)
        if (!(s->flags[i] & (LS_SEQ_MASKED | LS_SEQ_DROPPED)) &&
            s->target_start[i + 1] > s->target_start[i])
            return true;
    return false;
}

/* All updates of a step over the sequences that were taken. */
static leash_status run_updates(ls_run *run, ls_metrics *m)
{
    ls_sequences *s = run->trained;
    bool has_rollouts = ls_run_has_rollouts(run->o);
    int64_t passes = has_rollouts ? run->o->rl.num_iterations : 1, rows = 0, hits = 0, targets = 0,
            n_done = 0;
    int64_t slices = ls_step_slices(run->o), unit = ls_unit_sequences(&run->plan, s->n_seqs);
    double started = ls_clock_seconds();
    for (int64_t k = 0; k < passes * slices; k++) {
        int64_t first = ls_unit_cut(s->n_seqs, unit, k % slices, slices),
                end = ls_unit_cut(s->n_seqs, unit, k % slices + 1, slices);
        double learning_rate = ls_schedule_at(&run->schedule, run->state.updates);
        if (!has_targets(s, first, end))
            continue;
        ls_update_result r;
        LS_TRY(ls_update_run(&run->updater, s, first, end, learning_rate,
                             has_rollouts && n_done == 0, &r));
        if (has_rollouts && n_done == 0) {
            ls_metrics_set(m, "rollout/compared", (double)r.n_compared);
            ls_metrics_set(m, "rollout/mismatched", (double)r.n_mismatched);
        }
        LS_TRY(ls_run_update_critic(run, first, end, &r, m));
        ls_objective_metrics metrics = ls_objective_finish(&r.sums, &run->plan.objective_options);
        fold_objective(m, &metrics, n_done++);
        report_update(m, &r, learning_rate);
        run->state.updates++;
        ls_run_move_reference(run);
        rows += r.n_rows;
        hits += r.n_argmax_hits;
        targets += r.sums.n_tokens;
        if (run->hooks.on_progress)
            run->hooks.on_progress(run->hooks.user, run, "update",
                                   (double)(k + 1) / (double)(passes * slices));
    }
    double seconds = ls_clock_seconds() - started;
    ls_metrics_set(m, "time/train_s", seconds);
    if (rows > 0 && seconds > 0)
        ls_metrics_set(m, "tokens_per_second/train", (double)rows / seconds);
    if (run->updater.wants_argmax && targets > 0)
        ls_metrics_set(m, "mean_token_accuracy", (double)hits / (double)targets);
    return LEASH_OK;
}

static void append_completion(ls_run *run, int64_t i)
{
    ls_str *line = &run->lines;
    const ls_sequences *s = &run->sequences;
    int64_t n = s->start[i + 1] - s->start[i] - s->n_prompt[i];
    ls_completion_json completion = {.step = run->state.step + 1,
                                     .example = s->example[i],
                                     .has_answer = true,
                                     .sample = s->sample[i],
                                     .ids = s->ids + s->start[i] + s->n_prompt[i],
                                     .n_ids = n};
    char number[32];
    ls_completion_json_begin(line, &completion, run->source.tokenizer, &run->text);
    ls_str_appendf(line, ", \"reward\": %s",
                   isnan(s->reward[i]) ? "null" : ls_format_double(number, s->reward[i]));
    ls_str_appendf(line, ", \"advantage\": %s, \"n_tokens\": %lld, \"truncated\": %s}\n",
                   ls_format_double(number, s->advantage[i]), (long long)n,
                   s->flags[i] & LS_SEQ_TRUNCATED ? "true" : "false");
}

/* Sampled completions, spread evenly over the step. */
static leash_status log_completions(ls_run *run)
{
    int64_t n = run->o->log.num_completions_to_log, n_seqs = run->sequences.n_seqs;
    if (!ls_run_has_rollouts(run->o) || n == 0 || n_seqs == 0)
        return LEASH_OK;
    n = n < n_seqs ? n : n_seqs;
    ls_str_clear(&run->lines);
    for (int64_t k = 0; k < n; k++)
        append_completion(run, n_seqs * k / n);
    return ls_rundir_append_completions(&run->dir, run->lines.data, run->lines.len);
}

static leash_status log_metrics(ls_run *run, const ls_metrics *m)
{
    ls_str_clear(&run->lines);
    ls_metrics_json(m, &run->lines);
    return ls_rundir_append_metrics(&run->dir, run->lines.data, run->lines.len);
}

static leash_status save(ls_run *run)
{
    run->state.metrics_bytes = run->dir.metrics_bytes;
    run->state.completions_bytes = run->dir.completions_bytes;
    ls_checkpoint_beside beside = ls_run_beside(run);
    ls_str_clear(&run->text);
    ls_run_card(&run->text, run);
    beside.card = run->text.data;
    return ls_checkpoint_save(run->dir.path, &run->state, run->model, &run->optimizer, &beside,
                              run->source.tokenizer, run->source.chat,
                              run->o->log.save_total_limit);
}

static leash_status check_idle(ls_run *run, const ls_metrics *m)
{
    double useful = ls_metrics_get(m, "tokens/useful");
    bool is_idle = ls_run_has_rollouts(run->o) ? !(useful > 0) : false;
    run->state.idle_steps = is_idle ? run->state.idle_steps + 1 : 0;
    if (run->o->train.max_idle_steps > 0 && run->state.idle_steps >= run->o->train.max_idle_steps)
        return ls_fail(LEASH_STOPPED,
                       "%lld steps in a row had no useful token (every group had equal rewards): "
                       "nothing is learnt.  Look at reward, "
                       "completions/clipped_ratio and groups/all_wrong in metrics.jsonl; easier "
                       "problems, more num_generations or a longer "
                       "max_completion_length help",
                       (long long)run->state.idle_steps);
    return LEASH_OK;
}

/* The bonus for the entropy of this step, and the coefficient of the next. */
static void adapt_entropy(ls_run *run, double entropy)
{
    const ls_entropy_controller *c = &run->plan.entropy_controller;
    run->plan.objective_options.entropy_coef =
        ls_entropy_bonus(c, run->state.entropy_coef, entropy);
    run->state.entropy_coef = ls_entropy_adapt(c, run->state.entropy_coef, entropy);
}

static leash_status take_step(ls_run *run, ls_metrics *m)
{
    switch (ls_run_method(run->o)) {
    case LS_METHOD_ROWS: return ls_run_take_rows(run, m);
    case LS_METHOD_ROLLOUTS: return ls_run_take_rollouts(run, m);
    case LS_METHOD_PAIRS:
    case LS_METHOD_LABELS:
    case LS_METHOD_STEPS: break;
    }
    return ls_run_take_completions(run, m);
}

/* One step.  Everything that a step changes is in run->state, the weights and the moments. */
static leash_status run_step(ls_run *run, ls_metrics *m)
{
    double started = ls_clock_seconds();
    ls_metrics_clear(m, run->state.step + 1);
    run->plan.objective_options.beta = run->state.beta;
    LS_TRY(take_step(run, m));
    if (run->plan.has_entropy_controller)
        adapt_entropy(run, ls_metrics_get(m, "entropy/rollout"));
    LS_TRY(run_updates(run, m));
    LS_TRY(log_completions(run));
    if (run->plan.has_kl_controller)
        run->state.beta =
            ls_kl_adapt(run->state.beta, ls_metrics_get(m, "kl/seq_k1"), run->o->rl.kl_target,
                        run->o->rl.kl_horizon, run->sequences.n_seqs);
    run->state.step++;
    int64_t every = run->o->eval.eval_steps;
    if (every > 0 && (run->state.step % every == 0 || run->state.step == run->n_steps))
        LS_TRY(ls_run_evaluate(run, m));
    ls_metrics_set(m, "num_tokens", (double)run->state.tokens);
    ls_metrics_set(m, "episodes", (double)run->state.episodes);
    ls_metrics_set(m, "updates", (double)run->state.updates);
    ls_metrics_set(m, "memory/peak_rss", (double)ls_memory_peak_rss());
    ls_metrics_set(m, "memory/events", (double)ls_memory_events());
    ls_metrics_set(m, "step_time", ls_clock_seconds() - started);
    LS_TRY(log_metrics(run, m));
    if (run->hooks.on_step)
        run->hooks.on_step(run->hooks.user, run, m);
    return check_idle(run, m);
}

/* Saves the step at which a monitor stopped the run; its text stays the error. */
static leash_status save_stopped(ls_run *run)
{
    char *text = ls_strdup(leash_error());
    leash_status status = save(run);
    if (status == LEASH_OK)
        status = ls_fail(LEASH_STOPPED, "%s", text);
    ls_free(text);
    return status;
}

static leash_status run_steps(ls_run *run)
{
    ls_metrics *m = ls_malloc(sizeof *m);
    leash_status status = LEASH_OK;
    bool is_new = run->state.step == 0 && run->dir.metrics_bytes == 0;
    if (is_new && run->o->eval.eval_on_start) {
        ls_metrics_clear(m, 0);
        LS_TRY_OUT(ls_run_evaluate(run, m));
        LS_TRY_OUT(log_metrics(run, m));
    }
    while (run->state.step < run->n_steps) {
        ls_train_state before = run->state;
        status = run_step(run, m);
        if (status == LEASH_INTERRUPTED)
            run->state = before; /* a rollout was cut short: the step has changed nothing yet */
        else if (status == LEASH_STOPPED)
            status = save_stopped(run);
        if (status != LEASH_OK && status != LEASH_INTERRUPTED)
            goto out;
        bool stops =
            status == LEASH_INTERRUPTED || (run->hooks.should_stop && run->hooks.should_stop());
        if (run->state.step == run->n_steps)
            break;
        int64_t every = run->o->log.save_steps;
        if (stops || (every > 0 && run->state.step % every == 0))
            LS_TRY_OUT(save(run));
        if (stops) {
            status = ls_fail(
                LEASH_INTERRUPTED,
                "stopped at step %lld of %lld and saved: continue with --resume --output_dir %s",
                (long long)run->state.step, (long long)run->n_steps, run->dir.path);
            goto out;
        }
    }
    LS_TRY_OUT(save(run));
    char newest[LS_PATH_MAX];
    LS_TRY_OUT(ls_checkpoint_latest(newest, run->dir.path));
    status = ls_checkpoint_publish(run->dir.path, newest);
out:
    ls_free(m);
    return status;
}

/* What must be equal for a resume to be the same run. */
static uint64_t run_identity(const ls_run *run)
{
    uint64_t hash = ls_config_hash(run->config, ls_run_free_keys);
    int64_t update = ls_update_sequences(run->o);
    return ls_hash64_more(hash, &update, sizeof update);
}

static uint64_t data_identity(const ls_run *run)
{
    if (run->held_out.n_rows == 0)
        return run->data.hash;
    return ls_hash64_more(run->data.hash, &run->held_out.hash, sizeof run->held_out.hash);
}

static leash_status open_directory(ls_run *run)
{
    const ls_log_options *log = &run->o->log;
    char *path = run->dir.path;
    LS_TRY(ls_rundir_open(&run->dir, log->output_dir, log->resume, log->overwrite));
    run->updater.dump_dir = path;
    LS_TRY(ls_checkpoint_clean(path));
    LS_TRY(ls_run_precompute_reference(run));
    if (log->resume) {
        char newest[LS_PATH_MAX];
        int64_t n;
        LS_TRY(ls_checkpoint_count(&n, path));
        if (n > 0) {
            leash_status status = ls_checkpoint_latest(newest, path);
            if (status != LEASH_OK)
                return ls_fail_in(status, "--resume (restore a checkpoint, or start again with "
                                          "--overwrite)");
            return ls_run_resume(run, newest);
        }
        ls_info("%s holds no whole checkpoint: starting from the beginning", path);
    }
    LS_TRY(ls_rundir_cut(&run->dir, 0, 0));
    ls_str yaml = LS_STR_INIT;
    ls_config_dump_yaml(run->config, &yaml);
    leash_status status = ls_rundir_write_config(&run->dir, yaml.data, yaml.len);
    ls_str_release(&yaml);
    return status;
}

leash_status ls_run_train(const ls_config *config, const ls_run_options *options,
                          const ls_train_hooks *hooks)
{
    ls_run_cost cost;
    LS_TRY(ls_run_measure(&cost, config, options));
    ls_run *run = ls_malloc(sizeof *run);
    leash_status status = ls_run_build(run, config, options, hooks, &cost);
    if (status != LEASH_OK) {
        ls_free(run);
        return status;
    }
    run->state.beta = run->plan.objective_options.beta;
    run->state.entropy_coef = run->plan.objective_options.entropy_coef;
    run->state.config_hash = run_identity(run);
    run->state.data_hash = data_identity(run);
    status = open_directory(run);
    if (status == LEASH_OK)
        status = run_steps(run);
    ls_rundir_close(&run->dir);
    ls_run_release(run);
    ls_free(run);
    return status;
}
