/* Building a run, dry or real: options become data, models, moments, engine and buffers, each in
 * the arena of its role. */
#include "train/run.h"

#include <math.h>
#include <string.h>

/* What a step logs, and one completion as text, seldom need more than this, and then once. */
#define LINES_ROOM ((size_t)1 << 16)
#define TEXT_ROOM ((size_t)1 << 14)

const char *const ls_role_names[LS_ROLE_COUNT] = {
    [LS_ROLE_POLICY] = "policy",       [LS_ROLE_OPTIMIZER] = "optimizer",
    [LS_ROLE_REFERENCE] = "reference", [LS_ROLE_REWARD] = "reward_model",
    [LS_ROLE_CRITIC] = "critic",       [LS_ROLE_TEACHER] = "teacher",
    [LS_ROLE_CACHE] = "rollout",       [LS_ROLE_STEP] = "step",
    [LS_ROLE_PASS] = "activations"};

static leash_status open_arenas(ls_run *run)
{
    for (int role = 0; role < LS_ROLE_COUNT; role++) {
        if (run->is_dry)
            LS_TRY(ls_arena_init_dry(&run->arena[role], ls_role_names[role]));
        else
            LS_TRY(ls_arena_init(&run->arena[role], ls_role_names[role], 0));
    }
    return ls_arena_init(&run->taken, "taken rows", 0);
}

static leash_status check_prompts(const ls_run *run, int64_t limit)
{
    const ls_dataset *data = &run->data;
    if (data->max_prompt >= limit)
        return ls_fail(LEASH_DATA,
                       "%s:%lld: the prompt has %d tokens, the model's context is %lld: shorten "
                       "it, set max_length to at most %lld and truncation to drop, or use a model "
                       "with more max_position_embeddings",
                       data->name, (long long)data->longest_prompt_line, (int)data->max_prompt,
                       (long long)limit, (long long)limit);
    if (run->max_length > limit)
        return ls_fail(LEASH_USAGE,
                       "%s:%lld: a prompt of %d tokens and max_completion_length = %lld do not fit "
                       "the model's context of %lld: lower max_completion_length",
                       data->name, (long long)data->longest_prompt_line, (int)data->max_prompt,
                       (long long)run->o->sampling.max_completion_length, (long long)limit);
    return LEASH_OK;
}

/* Lengths: the longest sequence a step may hold, and whether the model has positions for it. */
static leash_status check_lengths(ls_run *run)
{
    const ls_dataset *data = &run->data;
    bool has_rollouts = ls_run_has_rollouts(run->o);
    if (has_rollouts)
        run->max_length = data->max_prompt + run->o->sampling.max_completion_length;
    else
        run->max_length = run->o->data.packing ? run->o->data.max_length : data->max_tokens;
    int64_t written = data->max_prompt + run->o->sampling.max_completion_length;
    bool is_written = run->o->train.lmbda > 0 && written > run->max_length;
    if (is_written)
        run->max_length = written;
    run->source.config.longest_sequence = run->max_length;
    int64_t limit = ls_model_context(&run->source.config);
    if (has_rollouts || is_written)
        return check_prompts(run, limit);
    if (run->max_length <= limit)
        return LEASH_OK;
    if (run->o->data.packing)
        return ls_fail(LEASH_USAGE,
                       "max_length = %lld is more than the model's context of %lld: lower it",
                       (long long)run->max_length, (long long)limit);
    return ls_fail(LEASH_DATA,
                   "%s:%lld: the row has %d tokens, the model's context is %lld: set max_length to "
                   "at most %lld and truncation to keep_start or drop",
                   data->name, (long long)data->longest_line, (int)data->max_tokens,
                   (long long)limit, (long long)limit);
}

static void count_steps(ls_run *run)
{
    const ls_run_options *o = run->o;
    int64_t draws = ls_step_sequences(o) / ls_row_sequences(o);
    run->n_steps = o->train.max_steps;
    if (run->n_steps == 0)
        run->n_steps =
            (int64_t)ceil(o->train.num_train_epochs * (double)run->data.n_rows / (double)draws);
    run->schedule = (ls_schedule){.learning_rate = o->train.learning_rate,
                                  .floor = o->train.lr_floor,
                                  .warmup = o->train.warmup_steps,
                                  .decay = o->train.decay_steps,
                                  .total = run->n_steps * ls_step_updates(o)};
    static const char *const names[] = {"constant", "linear", "cosine", "wsd"};
    for (size_t i = 0; i < LS_COUNT(names); i++)
        if (strcmp(o->train.lr_scheduler_type, names[i]) == 0)
            run->schedule.kind = (ls_schedule_kind)i;
}

static leash_status build_models(ls_run *run)
{
    const ls_run_options *o = run->o;
    uint64_t seed = (uint64_t)o->train.seed;
    LS_TRY(ls_model_source_make(&run->model, &run->source, &run->dev, &run->arena[LS_ROLE_POLICY],
                                LS_MODEL_TRAINED, o->train.grad_leaves, seed));
    ls_optimizer_options adam = {.adam_beta1 = o->train.adam_beta1,
                                 .adam_beta2 = o->train.adam_beta2,
                                 .adam_epsilon = o->train.adam_epsilon,
                                 .weight_decay = o->train.weight_decay,
                                 .max_grad_norm = o->train.max_grad_norm};
    ls_optimizer_init(&run->optimizer, run->model, &run->arena[LS_ROLE_OPTIMIZER], &adam);
    if (ls_run_has_rollouts(o))
        LS_TRY(ls_run_build_reward_model(run));
    LS_TRY(ls_run_build_critic(run));
    LS_TRY(ls_run_build_teacher(run));
    return ls_run_build_reference(run);
}

/* Held-out problems: a file, or the test split of the task. */
static leash_status load_held_out(ls_run *run)
{
    ls_data_options data = run->o->data;
    data.split = "test";
    data.dataset_num_rows = run->o->eval.eval_num_rows;
    if (run->o->eval.eval_dataset[0]) {
        data.dataset = run->o->eval.eval_dataset;
        data.task = data.task_args = "";
        if (!ls_dir_exists(data.dataset))
            data.split = "train"; /* a file has no other */
    } else if (data.dataset[0]) {
        return ls_fail(LEASH_USAGE, "eval_steps needs held-out problems: give --eval_dataset a "
                                    "JSONL file (a --task brings its own)");
    }
    LS_TRY(ls_reward_resolve(&run->rewards, &run->o->reward));
    LS_TRY(ls_reward_check_accuracy(&run->rewards));
    ls_dataset_input input = {.options = &data,
                              .tokenizer = run->source.tokenizer,
                              .chat = run->source.chat,
                              .use = LS_DATA_PROMPTS,
                              .seed = (uint64_t)run->o->train.seed,
                              .in_order = true};
    LS_TRY(ls_dataset_load(&run->held_out, &input));
    int64_t longest = ls_eval_max_length(&run->held_out, &run->o->sampling),
            limit = ls_model_context(&run->source.config);
    if (longest > limit)
        return ls_fail(LEASH_USAGE,
                       "held-out prompts and completions of up to %lld tokens do not fit the "
                       "model's context of %lld: lower max_completion_length",
                       (long long)longest, (long long)limit);
    return LEASH_OK;
}

static leash_status build_engine(ls_run *run)
{
    bool samples = ls_run_has_rollouts(run->o) || run->o->train.lmbda > 0;
    int64_t longest = samples ? run->max_length : 0;
    if (run->held_out.n_rows > 0 && ls_eval_max_length(&run->held_out, &run->o->sampling) > longest)
        longest = ls_eval_max_length(&run->held_out, &run->o->sampling);
    return longest > 0 ? ls_engine_new(&run->engine, run->model, &run->arena[LS_ROLE_CACHE],
                                       &run->o->engine, longest)
                       : LEASH_OK;
}

/* Sequences of a step and what its rollouts leave behind. */
static void build_buffers(ls_run *run)
{
    const ls_run_options *o = run->o;
    ls_arena *step = &run->arena[LS_ROLE_STEP];
    int64_t n_seqs = ls_step_sequences(o), micro = ls_micro_sequences(o);
    if (o->data.packing) /* a packed row holds at most one sequence for each two tokens */
        n_seqs *= run->max_length / 2 + 1;
    ls_sequences_init(&run->sequences, step, n_seqs, ls_step_sequences(o) * run->max_length);
    run->trained = &run->sequences;
    run->sequences.reads_own_row = ls_run_head(o) != LS_HEAD_TOKENS;
    if (run->model->score)
        ls_sequences_take_values(&run->sequences, step);
    if (ls_run_has_rollouts(o))
        run->scores = ls_arena_alloc(step, (size_t)(n_seqs * run->rewards.n) * sizeof *run->scores);
    if (ls_run_regroups(run))
        ls_sequences_init(&run->regrouped, step, n_seqs, n_seqs * run->max_length);
    run->scratch = ls_arena_alloc(step, 3 * (size_t)n_seqs * sizeof *run->scratch);
    run->updater =
        (ls_updater){.model = run->model,
                     .optimizer = &run->optimizer,
                     .pass = &run->arena[LS_ROLE_PASS],
                     .plan = &run->plan,
                     .temperature = ls_run_has_rollouts(o) || (run->plan.needs & LS_NEED_TEACHER)
                                        ? o->sampling.temperature
                                        : 1.0,
                     .micro_batch = o->data.packing ? n_seqs : micro,
                     .micro_tokens = micro * run->max_length,
                     .fixed_length = ls_run_has_rollouts(o) ? o->sampling.max_completion_length
                                                            : run->max_length,
                     .recomputes = o->train.gradient_checkpointing,
                     .wants_argmax = !ls_run_has_rollouts(o) && run->model->head};
    ls_run_build_critic_updater(run);
    ls_run_take_teacher_buffers(run);
}

/* A gate is no score of its own: it can shut a sum, but not be normalised and added. */
static leash_status check_rewards(const ls_run *run)
{
    for (int64_t k = 0; run->plan.normalises_each_reward && k < run->rewards.n; k++)
        if (run->rewards.is_gate[k])
            return ls_fail(LEASH_USAGE,
                           "multi_objective_aggregation normalize_then_sum adds the advantages of "
                           "each reward, but reward %s is a gate; set format_as_gate: false",
                           run->rewards.reward[k]->name);
    return LEASH_OK;
}

static leash_status commit_arenas(ls_run *run, const ls_run_cost *cost)
{
    for (int role = 0; role < LS_ROLE_COUNT; role++)
        LS_TRY(ls_arena_commit(&run->arena[role], cost->bytes[role]));
    return LEASH_OK;
}

static ls_data_use data_use(const ls_run_options *o)
{
    switch (ls_run_method(o)) {
    case LS_METHOD_PAIRS: return LS_DATA_PAIRS;
    case LS_METHOD_LABELS: return LS_DATA_LABELS;
    case LS_METHOD_ROLLOUTS: return LS_DATA_PROMPTS;
    case LS_METHOD_STEPS: return LS_DATA_STEPS;
    case LS_METHOD_ROWS: break;
    }
    return LS_DATA_SEQUENCES;
}

static leash_status build(ls_run *run, const ls_run_cost *cost)
{
    const ls_run_options *o = run->o;
    LS_TRY(ls_run_options_check(o));
    LS_TRY(ls_rl_resolve(&run->plan, &o->rl));
    LS_TRY(open_arenas(run));
    LS_TRY(ls_device_open(&run->dev, &o->system, run->is_dry));
    LS_TRY(ls_model_source_open(&run->source, "model", o->model.model, o));
    LS_TRY(ls_model_source_want_head(&run->source, "model", ls_run_head(o)));
    if (run->source.has_adapter)
        LS_TRY(ls_adapter_check_given(run->config, run->source.adapter_path));
    LS_TRY(ls_model_source_add_adapter(&run->source, o));
    if (ls_run_has_rollouts(o)) {
        LS_TRY(ls_reward_resolve(&run->rewards, &o->reward));
        LS_TRY(check_rewards(run));
    }
    ls_dataset_input input = {.options = &o->data,
                              .tokenizer = run->source.tokenizer,
                              .chat = run->source.chat,
                              .use = data_use(o),
                              .seed = (uint64_t)o->train.seed};
    LS_TRY(ls_dataset_load(&run->data, &input));
    ls_run_check_labels(run);
    LS_TRY(check_lengths(run));
    count_steps(run);
    if (ls_run_has_evaluations(o))
        LS_TRY(load_held_out(run));
    if (cost)
        LS_TRY(commit_arenas(run, cost));
    LS_TRY(build_models(run));
    build_buffers(run);
    return build_engine(run);
}

leash_status ls_run_build(ls_run *run, const ls_config *config, const ls_run_options *options,
                          const ls_train_hooks *hooks, const ls_run_cost *cost)
{
    memset(run, 0, sizeof *run);
    run->config = config;
    run->o = options;
    run->is_dry = !cost;
    ls_str_init(&run->lines);
    ls_str_init(&run->text);
    ls_str_reserve(&run->lines, LINES_ROOM);
    ls_str_reserve(&run->text, TEXT_ROOM);
    if (hooks)
        run->hooks = *hooks;
    leash_status status = build(run, cost);
    if (status != LEASH_OK)
        ls_run_release(run);
    return status;
}

void ls_run_release(ls_run *run)
{
    ls_str_release(&run->lines);
    ls_str_release(&run->text);
    ls_arena_release(&run->taken);
    ls_dataset_release(&run->data);
    ls_dataset_release(&run->held_out);
    ls_model_source_close(&run->source);
    ls_model_source_close(&run->reference_source);
    ls_model_source_close(&run->reward_source);
    ls_model_source_close(&run->critic_source);
    ls_model_source_close(&run->teacher_source);
    ls_device_release(&run->dev);
    for (int role = 0; role < LS_ROLE_COUNT; role++)
        ls_arena_release(&run->arena[role]);
}
