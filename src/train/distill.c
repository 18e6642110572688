/* The teacher of distillation: a frozen model with the student's tokenizer that says, at each
 * target, which tokens it finds most likely and how likely; and GKD's share of steps in which the
 * student writes the completions itself.
 *
 * Whether a step is the student's is drawn by its number, so a resumed run draws the same.  A
 * sampled completion stands in for the row's own; its sampling is not differentiated. */
#include "train/run.h"

#include "base/clock.h"
#include "base/rng.h"

static bool has_teacher(const ls_run *run)
{
    return run->plan.needs & LS_NEED_TEACHER;
}

leash_status ls_run_build_teacher(ls_run *run)
{
    const ls_run_options *o = run->o;
    if (!has_teacher(run))
        return LEASH_OK;
    LS_TRY(ls_run_open_named(run, &run->teacher_source, "teacher_model", o->model.teacher_model));
    LS_TRY(ls_model_source_want_head(&run->teacher_source, "teacher_model", LS_HEAD_TOKENS));
    return ls_model_source_make(&run->teacher, &run->teacher_source, &run->dev,
                                &run->arena[LS_ROLE_TEACHER], ls_adapter_frozen_use(&o->adapter), 1,
                                (uint64_t)o->train.seed);
}

void ls_run_take_teacher_buffers(ls_run *run)
{
    int64_t V = run->source.config.vocab_size, k = run->o->train.teacher_top_k;
    if (has_teacher(run))
        ls_sequences_take_ids(&run->sequences, &run->arena[LS_ROLE_STEP], k > 0 && k < V ? k : V);
}

/* Whether [first, end) is no more than a micro-batch of the student. */
static bool fits(const ls_run *run, int64_t first, int64_t end)
{
    const int64_t *start = run->sequences.start;
    return end - first <= run->updater.micro_batch &&
           start[end] - start[first] <= run->updater.micro_tokens;
}

leash_status ls_run_ask_teacher(ls_run *run, ls_metrics *metrics)
{
    ls_sequences *s = &run->sequences;
    ls_arena *pass = &run->arena[LS_ROLE_PASS];
    double started = ls_clock_seconds();
    if (!has_teacher(run))
        return LEASH_OK;
    for (int64_t first = 0, end; first < s->n_seqs; first = end) {
        end = first + 1;
        while (end < s->n_seqs && fits(run, first, end + 1))
            end++;
        ls_arena_mark mark = ls_arena_get_mark(pass);
        ls_packed packed;
        ls_tape tape;
        ls_sequences_pack(&packed, s, first, end, pass);
        ls_tape_init(&tape, &run->dev, pass, false);
        ls_head_job job = {.hidden = ls_model_forward(run->teacher, &tape, &packed.batch),
                           .weight = run->teacher->head,
                           .rows = packed.rows,
                           .n = packed.n_targets,
                           .temperature = (float)run->updater.temperature};
        int64_t at = packed.target0 * s->n_ids;
        ls_op_head_top(&tape, &job, s->n_ids, s->teacher_ids + at, s->teacher_logp + at);
        ls_arena_rewind(pass, mark);
    }
    int64_t bad = ls_first_not_finite(s->teacher_logp, s->n_targets * s->n_ids);
    if (bad >= 0)
        return ls_fail(LEASH_NUMERIC,
                       "teacher_model: a log-probability in dataset row %lld is not finite; look "
                       "for such numbers in its file",
                       (long long)s->line[ls_sequences_of_target(s, bad / s->n_ids)]);
    ls_metrics_set(metrics, "time/teacher_s", ls_clock_seconds() - started);
    return LEASH_OK;
}

/* --- the student's own completions --- */

bool ls_run_student_writes(const ls_run *run)
{
    ls_rng_name name = {.seed = (uint64_t)run->o->train.seed,
                        .purpose = LS_RNG_STUDENT,
                        .step = (uint32_t)run->state.step};
    return run->o->train.lmbda > 0 && ls_rng_uniform(&name) < run->o->train.lmbda;
}

static ls_prompt *take_prompts(ls_run *run)
{
    size_t n = (size_t)ls_step_sequences(run->o);
    return ls_arena_alloc(&run->arena[LS_ROLE_STEP], n * sizeof(ls_prompt));
}

leash_status ls_run_measure_student(ls_run *run)
{
    ls_arena *step = &run->arena[LS_ROLE_STEP];
    ls_arena_mark mark = ls_arena_get_mark(step);
    (void)take_prompts(run);
    LS_TRY(ls_engine_measure(run->engine, step, ls_step_sequences(run->o),
                             run->o->sampling.max_completion_length));
    ls_arena_rewind(step, mark);
    return LEASH_OK;
}

static leash_status sample(ls_run *run, const ls_prompt *prompts, int64_t n, ls_rollout *out)
{
    ls_rollout_request request = ls_run_rollout_request(run, prompts, n);
    return ls_engine_run(run->engine, &request, &run->arena[LS_ROLE_STEP], out);
}

/* The completions of the sequences that were taken, which go in place of those. */
static void replace(ls_run *run, const ls_rollout *rollout, const ls_prompt *prompts)
{
    ls_sequences *s = &run->sequences;
    int64_t n = s->n_seqs;
    ls_sequences_clear(s);
    for (int64_t i = 0; i < n; i++) {
        const ls_completion *c = &rollout->completions[i];
        const ls_example *e = s->example[i];
        int64_t k =
            ls_sequences_add_completion(s, prompts[i].ids, prompts[i].n_ids, c->ids, c->n_tokens);
        s->example[k] = e;
        s->line[k] = e->line;
        s->flags[k] = c->finish == LS_FINISH_LENGTH ? LS_SEQ_TRUNCATED : 0;
    }
}

leash_status ls_run_let_student_write(ls_run *run, ls_metrics *metrics)
{
    ls_sequences *s = &run->sequences;
    ls_arena *step = &run->arena[LS_ROLE_STEP];
    ls_arena_mark mark = ls_arena_get_mark(step);
    double started = ls_clock_seconds();
    ls_prompt *prompts = take_prompts(run);
    ls_rollout rollout;
    for (int64_t i = 0; i < s->n_seqs; i++) {
        const ls_example *e = s->example[i];
        if (e->n_prompt == 0)
            return ls_fail(LEASH_DATA,
                           "%s:%lld: the row has no prompt from which the student could write; "
                           "give \"prompt\" and \"completion\", or set lmbda to 0",
                           e->file, (long long)e->line);
        prompts[i] = (ls_prompt){.ids = e->ids,
                                 .n_ids = e->n_prompt,
                                 .prompt_id = (uint32_t)(run->state.draws - s->n_seqs + i),
                                 .n_samples = 1};
    }
    LS_TRY(sample(run, prompts, s->n_seqs, &rollout));
    replace(run, &rollout, prompts);
    ls_arena_rewind(step, mark);
    ls_metrics_set(metrics, "time/rollout_s", ls_clock_seconds() - started);
    return LEASH_OK;
}
