/* The plan's numbers: a dry build, the worst micro-batch forward and backward on null kernels,
 * arena peaks and counted FLOPs. */
#include "train/run.h"

#include <string.h>

/* The batch of n sequences of the greatest length with every token a target; only seqs is real
 * memory. */
static void worst_batch(ls_packed *out, const ls_run *run, int64_t n_seqs, bool reads_all,
                        ls_batch_seq *seqs)
{
    ls_arena *pass = run->updater.pass;
    int64_t length = run->max_length - (reads_all ? 0 : 1), n_rows = n_seqs * length;
    int64_t n_targets =
        ls_run_has_rollouts(run->o) ? n_seqs * run->o->sampling.max_completion_length : n_rows;
    if (reads_all && ls_run_head(run->o) != LS_HEAD_TOKEN_SCORES)
        n_targets = n_seqs; /* a sequence is scored where it ends */
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
    int64_t micro = ls_micro_sequences(run->o), leaves = run->o->train.grad_leaves,
            update = ls_update_sequences(run->o),
            unit = ls_run_method(run->o) == LS_METHOD_PAIRS ? 2 : 1,
            leaf = (update / unit + leaves - 1) / leaves * unit;
    return run->o->data.packing || micro < leaf ? micro : leaf;
}

static void dry_value(const ls_run *run, ls_model *model, ls_tape *tape, const ls_packed *packed,
                      ls_tensor *hidden, bool trains)
{
    ls_value_job job = {.hidden = hidden,
                        .weight = model->score,
                        .bias = model->score_bias,
                        .rows = packed->rows,
                        .n = packed->n_targets,
                        .value = run->sequences.value};
    ls_op_value(tape, &job);
    if (trains)
        ls_op_value_backward(tape, &job, run->sequences.dvalue);
}

static void dry_head(const ls_run *run, ls_model *model, ls_tape *tape, const ls_packed *packed,
                     ls_tensor *hidden, bool trains)
{
    const ls_sequences *s = &run->sequences;
    ls_head_job job = {.hidden = hidden,
                       .weight = model->head,
                       .rows = packed->rows,
                       .targets = packed->targets,
                       .n = packed->n_targets,
                       .temperature = 1.0f,
                       .logp = s->logp,
                       .entropy = s->entropy,
                       .argmax = run->updater.wants_argmax ? s->argmax : NULL,
                       .ids = s->teacher_ids,
                       .n_ids = s->n_ids,
                       .ids_logp = s->ids_logp};
    ls_op_head_score(tape, &job);
    if (trains)
        ls_op_head_backward_ids(tape, &job, s->dlogp,
                                run->plan.needs & LS_NEED_ENTROPY ? s->dentropy : NULL, s->dids);
}

/* FLOPs of one pass over n_seqs sequences of the greatest length; the arena keeps its peak. */
static double dry_pass(ls_run *run, ls_model *model, int64_t n_seqs, bool trains)
{
    ls_batch_seq *seqs = ls_malloc((size_t)n_seqs * sizeof *seqs);
    ls_arena_mark mark = ls_arena_get_mark(run->updater.pass);
    ls_packed packed;
    ls_tape tape;
    run->dev.counters.flops = 0;
    bool reads_all = run->sequences.reads_own_row || model == run->reward_model;
    worst_batch(&packed, run, n_seqs, reads_all, seqs);
    ls_tape_init(&tape, &run->dev, run->updater.pass, trains);
    tape.recomputes_blocks = run->updater.recomputes;
    ls_tensor *hidden = ls_model_forward(model, &tape, &packed.batch);
    if (model->score)
        dry_value(run, model, &tape, &packed, hidden, trains);
    else
        dry_head(run, model, &tape, &packed, hidden, trains);
    if (trains)
        ls_tape_backward(&tape, NULL);
    ls_arena_rewind(run->updater.pass, mark);
    ls_free(seqs);
    return run->dev.counters.flops;
}

static double dry_reward(ls_run *run, int64_t n_seqs)
{
    ls_arena_mark mark = ls_arena_get_mark(run->updater.pass);
    ls_run_measure_reward_model(run);
    double flops = dry_pass(run, run->reward_model, n_seqs, false);
    ls_arena_rewind(run->updater.pass, mark);
    return flops;
}

static double rollout_flops(const ls_run *run)
{
    int64_t n = ls_step_sequences(run->o), group = run->o->rl.num_generations;
    double n_tokens =
        (double)(n * run->o->sampling.max_completion_length + n / group * run->data.max_prompt);
    return 2.0 * (double)run->model->n_params * n_tokens;
}

/* Sequences of a step that its updates run over: all, or the selected ones. */
static double trained_sequences(const ls_run *run)
{
    const ls_rl_options *rl = &run->o->rl;
    double n = (double)ls_step_sequences(run->o), group = (double)rl->num_generations;
    if (!ls_run_has_rollouts(run->o) || (run->plan.needs & LS_NEED_ADVANTAGE))
        return n;
    if (run->plan.objective->unit == LS_UNIT_PAIR)
        return 2 * n / group;
    return rl->select_best > 0 && rl->select_best < rl->num_generations
               ? n / group * (double)rl->select_best
               : n;
}

/* Passes of the policy and of the reference before an update: KTO's completions under other
 * prompts, BCO's rewards, beta-DPO's gaps. */
static void add_baseline(ls_run *run, ls_run_cost *cost, int64_t micro, double n)
{
    bool is_kto = run->plan.objective == &ls_objective_kto;
    if (is_kto || run->plan.objective == &ls_objective_bco || run->o->rl.beta_dpo)
        cost->train_flops += dry_pass(run, run->model, micro, false) * n / (double)micro;
    if (is_kto)
        cost->reference_flops *= 2;
}

static leash_status measure(ls_run *run, ls_run_cost *cost)
{
    int64_t micro = ls_micro_sequences(run->o), trained = largest_micro_batch(run);
    double n = trained_sequences(run),
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
    add_baseline(run, cost, micro, n);
    if (run->teacher)
        cost->teacher_flops = dry_pass(run, run->teacher, micro, false) * n / (double)micro;
    if (run->o->train.lmbda > 0) {
        LS_TRY(ls_run_measure_student(run));
        cost->rollout_flops =
            run->o->train.lmbda * 2.0 * (double)run->model->n_params * n * (double)run->max_length;
    }
    if (run->critic) {
        cost->critic_flops =
            dry_pass(run, run->critic, trained, true) * n / (double)trained * passes;
        cost->critic_flops += dry_pass(run, run->critic, micro, false) * n / (double)micro;
    }
    if (run->reward_model)
        cost->reward_flops = dry_reward(run, micro) * n / (double)micro;
    for (int role = 0; role < LS_ROLE_COUNT; role++)
        cost->bytes[role] = run->arena[role].peak;
    cost->n_params = run->model->n_params;
    cost->n_trained_params = run->model->n_trained_params;
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
