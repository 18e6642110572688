/* The plan's numbers: a dry build, the worst micro-batch forward and backward on null kernels,
 * arena peaks and counted FLOPs. */
#include "train/run.h"

#include <string.h>

/* The batch of n sequences of the greatest length with every token a target; only seqs is real
 * memory. */
static void worst_batch(ls_packed *out, const ls_run *run, int64_t n_seqs, ls_batch_seq *seqs)
{
    ls_arena *pass = run->updater.pass;
    int64_t length = run->max_length - 1, n_rows = n_seqs * length;
    int64_t n_targets =
        ls_run_has_rollouts(run->o) ? n_seqs * run->o->sampling.max_completion_length : n_rows;
    for (int64_t i = 0; i < n_seqs; i++)
        seqs[i] = (ls_batch_seq){.row0 = i * length, .n_rows = length};
    out->batch.ids = ls_arena_ints(pass, n_rows);
    out->batch.pos = ls_arena_ints(pass, n_rows);
    (void)ls_arena_alloc(pass, (size_t)n_seqs * sizeof *seqs);
    out->rows = ls_arena_ints(pass, n_targets);
    out->targets = ls_arena_ints(pass, n_targets);
    out->batch.n_rows = n_rows;
    out->batch.seqs = seqs;
    out->batch.n_seqs = n_seqs;
    out->n_targets = n_targets;
    out->target0 = 0;
}

/* Sequences of the largest micro-batch: none reaches over the end of a leaf. */
static int64_t largest_micro_batch(const ls_run *run)
{
    int64_t micro = run->o->train.per_device_train_batch_size, leaves = run->o->train.grad_leaves;
    int64_t leaf = (ls_update_sequences(run->o) + leaves - 1) / leaves;
    return run->o->data.packing || micro < leaf ? micro : leaf;
}

/* FLOPs of one pass over n_seqs sequences of the greatest length; the arena keeps its peak. */
static double dry_pass(ls_run *run, ls_model *model, int64_t n_seqs, bool trains)
{
    ls_batch_seq *seqs = ls_malloc((size_t)n_seqs * sizeof *seqs);
    ls_arena_mark mark = ls_arena_get_mark(run->updater.pass);
    ls_sequences *s = &run->sequences;
    ls_packed packed;
    ls_tape tape;
    run->dev.counters.flops = 0;
    worst_batch(&packed, run, n_seqs, seqs);
    ls_tape_init(&tape, &run->dev, run->updater.pass, trains);
    tape.recomputes_blocks = run->updater.recomputes;
    ls_head_job job = {.hidden = ls_model_forward(model, &tape, &packed.batch),
                       .weight = model->head,
                       .rows = packed.rows,
                       .targets = packed.targets,
                       .n = packed.n_targets,
                       .temperature = 1.0f,
                       .logp = s->logp,
                       .entropy = s->entropy,
                       .argmax = run->updater.wants_argmax ? s->argmax : NULL};
    ls_op_head_score(&tape, &job);
    if (trains) {
        ls_op_head_backward(&tape, &job, s->dlogp,
                            run->plan.needs & LS_NEED_ENTROPY ? s->dentropy : NULL);
        ls_tape_backward(&tape, NULL);
    }
    ls_arena_rewind(run->updater.pass, mark);
    ls_free(seqs);
    return run->dev.counters.flops;
}

static double rollout_flops(const ls_run *run)
{
    int64_t n = ls_step_sequences(run->o), group = run->o->rl.num_generations;
    double n_tokens =
        (double)(n * run->o->sampling.max_completion_length + n / group * run->data.max_prompt);
    return 2.0 * (double)run->model->n_params * n_tokens;
}

static leash_status measure(ls_run *run, ls_run_cost *cost)
{
    int64_t micro = run->o->train.per_device_train_batch_size, trained = largest_micro_batch(run);
    double n = (double)ls_step_sequences(run->o),
           passes = (double)(ls_run_has_rollouts(run->o) ? run->o->rl.num_iterations : 1);
    if (ls_run_has_rollouts(run->o)) {
        LS_TRY(ls_run_measure_rollouts(run));
        cost->rollout_flops = rollout_flops(run);
    }
    if (ls_run_has_evaluations(run->o))
        LS_TRY(ls_run_measure_evaluation(run));
    cost->train_flops = dry_pass(run, run->model, trained, true) * n / (double)trained * passes;
    if (run->reference)
        cost->reference_flops = dry_pass(run, run->reference, micro, false) * n / (double)micro;
    for (int role = 0; role < LS_ROLE_COUNT; role++)
        cost->bytes[role] = run->arena[role].peak;
    cost->n_params = run->model->n_params;
    cost->n_steps = run->n_steps;
    cost->step_sequences = ls_step_sequences(run->o);
    cost->step_updates = ls_step_updates(run->o);
    cost->max_length = run->max_length;
    cost->data_bytes = run->data.arena.peak;
    return LEASH_OK;
}

leash_status ls_run_measure(ls_run_cost *cost, const ls_config *config,
                            const ls_run_options *options)
{
    memset(cost, 0, sizeof *cost);
    ls_run *run = ls_malloc(sizeof *run);
    leash_status status = ls_run_build(run, config, options, NULL, NULL);
    if (status == LEASH_OK) {
        status = measure(run, cost);
        ls_run_release(run);
    }
    ls_free(run);
    return status;
}
