/* Option rows of the sections that the training loop owns, and the checks between sections. */
#include "train/options.h"

#include <string.h>

#define ROW(struct_type, field, option_type, default_text, ...)                     \
    {                                                                               \
        .key = #field, .type = option_type, .offset = offsetof(struct_type, field), \
        .def = default_text, __VA_ARGS__                                            \
    }

static const ls_option model_rows[] = {
    ROW(ls_model_options, model, LS_OPT_PATH, "",
        .help = "Model folder (Hugging Face layout), GGUF file, hf:OWNER/NAME of the hub, or a "
                "built-in shape with random weights: tiny, 1m, 15m, 135m."),
    ROW(ls_model_options, tokenizer, LS_OPT_STRING, "",
        .help = "Tokenizer of a built-in shape: byte, char:ALPHABET, or task (the characters of "
                "the task).",
        .more = "A model folder brings its own tokenizer; the key is then an error."),
    ROW(ls_model_options, ref_model, LS_OPT_PATH, "",
        .help = "Reference policy of the KL term; empty: the model as it was before this run."),
    ROW(ls_model_options, teacher_model, LS_OPT_PATH, "",
        .help = "Teacher of distillation; it has the model's tokenizer."),
    ROW(ls_model_options, value_model, LS_OPT_PATH, "",
        .help = "What the critic of PPO begins as; empty: the reward model, else the model with a "
                "new score."),
    ROW(ls_model_options, max_position_embeddings, LS_OPT_INT, "1024", .min = 8, .max = 1 << 20,
        .unit = "tokens", .help = "Longest sequence of a built-in shape.", .is_advanced = true),
};
static const ls_option_table model_table = {"Model", "Which model is trained or run.", model_rows,
                                            LS_COUNT(model_rows)};

static const char *const methods[] = {"rows", "pairs", "labels", "rollouts", "steps", NULL};
static const char *const schedules[] = {"constant", "linear", "cosine", "wsd", NULL};

static const ls_option train_rows[] = {
    ROW(ls_train_options, method, LS_OPT_CHOICE, "rows", .choices = methods,
        .help =
            "What is trained on: rows of the dataset, pairs of a better and a worse completion, "
            "completions with a label, completions that the policy samples, or labelled steps.",
        .is_advanced = true),
    ROW(ls_train_options, learning_rate, LS_OPT_FLOAT, "2e-5", .min = 0, .max = 10,
        .help = "Peak learning rate of AdamW; 0 changes nothing."),
    ROW(ls_train_options, value_learning_rate, LS_OPT_FLOAT, "0", .min = 0, .max = 10,
        .help = "Peak learning rate of the critic of PPO; 0: that of the policy."),
    ROW(ls_train_options, lr_scheduler_type, LS_OPT_CHOICE, "linear", .choices = schedules,
        .help = "Shape of the learning rate after warm-up."),
    ROW(ls_train_options, lr_floor, LS_OPT_FLOAT, "0", .min = 0, .max = 1,
        .help = "Learning rate at the end, as a share of the peak.", .is_advanced = true),
    ROW(ls_train_options, warmup_steps, LS_OPT_INT, "0", .min = 0, .max = 1e9, .unit = "updates",
        .help = "Updates over which the learning rate rises to its peak."),
    ROW(ls_train_options, decay_steps, LS_OPT_INT, "0", .min = 0, .max = 1e9, .unit = "updates",
        .help = "Updates of the final decay of wsd.", .is_advanced = true),
    ROW(ls_train_options, max_steps, LS_OPT_INT, "0", .min = 0, .max = 1e9, .unit = "steps",
        .help = "Steps of the run; 0 takes num_train_epochs."),
    ROW(ls_train_options, num_train_epochs, LS_OPT_FLOAT, "1", .min = 0, .max = 1e6,
        .unit = "epochs", .help = "Passes over the dataset when max_steps is 0."),
    ROW(ls_train_options, per_device_train_batch_size, LS_OPT_INT, "8", .min = 1, .max = 65536,
        .unit = "sequences",
        .help = "Sequences (pairs of them in dpo and its kin) that go through the model at once; "
                "changes memory and speed, no bit of the result."),
    ROW(ls_train_options, gradient_accumulation_steps, LS_OPT_INT, "1", .min = 1, .max = 65536,
        .help = "Micro-batches of an optimiser update; its size is this times "
                "per_device_train_batch_size."),
    ROW(ls_train_options, generation_batch_size, LS_OPT_INT, "0", .min = 0, .max = 1 << 20,
        .unit = "completions",
        .help = "Completions sampled in a step; 0: as many as one update sees."),
    ROW(ls_train_options, adam_beta1, LS_OPT_FLOAT, "0.9", .min = 0, .max = 0.9999999,
        .help = "Decay of AdamW's first moment.", .is_advanced = true),
    ROW(ls_train_options, adam_beta2, LS_OPT_FLOAT, "0.999", .min = 0, .max = 0.9999999,
        .help = "Decay of AdamW's second moment.", .is_advanced = true),
    ROW(ls_train_options, adam_epsilon, LS_OPT_FLOAT, "1e-8", .min = 0, .max = 1,
        .help = "Added to the root of the second moment.", .is_advanced = true),
    ROW(ls_train_options, weight_decay, LS_OPT_FLOAT, "0", .min = 0, .max = 10,
        .help = "Decoupled weight decay of matrices (gains have none)."),
    ROW(ls_train_options, max_grad_norm, LS_OPT_FLOAT, "1", .min = 0, .max = 1e9,
        .help = "Global gradient norm above which gradients are scaled down; 0: never."),
    ROW(ls_train_options, grad_leaves, LS_OPT_INT, "1", .min = 1, .max = 64,
        .help =
            "Leaves of the gradient's summation tree: as many ranks can later give the same bits.",
        .more = "Must be a power of two; each leaf costs one gradient buffer.",
        .is_advanced = true),
    ROW(ls_train_options, gradient_checkpointing, LS_OPT_BOOL, "false",
        .help = "Keep only the input of each layer and compute it again in the backward; same "
                "bits, less memory."),
    ROW(ls_train_options, lmbda, LS_OPT_FLOAT, "0", .min = 0, .max = 1, .unit = "share",
        .help = "Share of distillation's steps in which the student writes the completions itself; "
                "0: the dataset's alone.",
        .more = "TRL's spelling.  0.5 in recipe gkd, 1 is on-policy distillation."),
    ROW(ls_train_options, teacher_top_k, LS_OPT_INT, "64", .min = 0, .max = 1 << 24,
        .unit = "tokens",
        .help = "Most likely tokens of the teacher that the student is compared at, all others "
                "being one; 0: the whole vocabulary.",
        .more = "Memory of a step is 16 bytes for each of them and each trained token."),
    ROW(ls_train_options, max_idle_steps, LS_OPT_INT, "50", .min = 0, .max = 1e9, .unit = "steps",
        .help = "Steps in a row without a useful token after which the run stops with code 3; 0: "
                "never."),
    ROW(ls_train_options, seed, LS_OPT_INT, "42", .min = 0, .max = 1e15,
        .help = "Names all randomness of the run."),
};
static const ls_option_table train_table = {"Optimiser", "How the weights move.", train_rows,
                                            LS_COUNT(train_rows)};

static const ls_option eval_rows[] = {
    ROW(ls_eval_options, eval_steps, LS_OPT_INT, "0", .min = 0, .max = 1e9, .unit = "steps",
        .help = "Steps between evaluations on held-out problems; 0: none."),
    ROW(ls_eval_options, eval_on_start, LS_OPT_BOOL, "false",
        .help = "Evaluate before the first step as well."),
    ROW(ls_eval_options, eval_num_rows, LS_OPT_INT, "200", .min = 1, .max = 1e7, .unit = "problems",
        .help = "Held-out problems of an evaluation."),
    ROW(ls_eval_options, eval_samples, LS_OPT_INT, "1", .min = 1, .max = 65536,
        .unit = "completions", .help = "Completions of each problem."),
    ROW(ls_eval_options, eval_temperature, LS_OPT_FLOAT, "0", .min = 0, .max = 100,
        .help = "Temperature of evaluations; 0 is greedy."),
    ROW(ls_eval_options, eval_dataset, LS_OPT_PATH, "",
        .help = "JSONL file of held-out problems; empty: the test split of the task."),
};
static const ls_option_table eval_table = {"Evaluation", "Held-out accuracy.", eval_rows,
                                           LS_COUNT(eval_rows)};

static const ls_option log_rows[] = {
    ROW(ls_log_options, output_dir, LS_OPT_PATH, "",
        .help = "Directory of the run; empty: runs/COMMAND."),
    ROW(ls_log_options, resume, LS_OPT_BOOL, "false",
        .help = "Continue the run in output_dir from its newest whole checkpoint."),
    ROW(ls_log_options, overwrite, LS_OPT_BOOL, "false",
        .help = "Remove a former run in output_dir first."),
    ROW(ls_log_options, save_steps, LS_OPT_INT, "50", .min = 0, .max = 1e9, .unit = "steps",
        .help = "Steps between checkpoints; 0: only at the end."),
    ROW(ls_log_options, save_total_limit, LS_OPT_INT, "2", .min = 1, .max = 1e6,
        .unit = "checkpoints", .help = "Checkpoints kept."),
    ROW(ls_log_options, num_completions_to_log, LS_OPT_INT, "4", .min = 0, .max = 65536,
        .unit = "completions", .help = "Completions of a step written to completions.jsonl."),
    ROW(ls_log_options, logging_steps, LS_OPT_INT, "1", .min = 1, .max = 1e9, .unit = "steps",
        .help = "Steps between plain progress lines, where stderr is no terminal; not set: about "
                "one line a second."),
};
static const ls_option_table log_table = {"Logging", "What a run writes.", log_rows,
                                          LS_COUNT(log_rows)};

static const char *const isas[] = {"", "ref", "avx2", "avx512", NULL};
static const ls_option system_rows[] = {
    ROW(ls_system_options, threads, LS_OPT_INT, "0", .min = 0, .max = 256,
        .help = "Threads; 0: all processors this process may use.  No bit depends on it."),
    ROW(ls_system_options, isa, LS_OPT_CHOICE, "", .choices = isas,
        .help =
            "Kernel table; empty: the best of the processor (or LEASH_ISA).  No bit depends on it.",
        .is_advanced = true),
};
static const ls_option_table system_table = {"System", "The machine.", system_rows,
                                             LS_COUNT(system_rows)};

const char *const ls_run_free_keys[] = {"output_dir",
                                        "resume",
                                        "overwrite",
                                        "save_steps",
                                        "save_total_limit",
                                        "logging_steps",
                                        "threads",
                                        "isa",
                                        "frozen_weights",
                                        "per_device_train_batch_size",
                                        "gradient_accumulation_steps",
                                        "gradient_checkpointing",
                                        "rollout_slots",
                                        "prefill_chunk",
                                        NULL};

void ls_run_options_bind(ls_config *config, ls_run_options *options)
{
    memset(options, 0, sizeof *options);
    ls_config_bind(config, &model_table, &options->model);
    ls_config_bind(config, &ls_adapter_option_table, &options->adapter);
    ls_config_bind(config, &ls_reference_option_table, &options->reference);
    ls_config_bind(config, &ls_data_option_table, &options->data);
    ls_config_bind(config, &ls_reward_option_table, &options->reward);
    ls_config_bind(config, &train_table, &options->train);
    ls_config_bind(config, &ls_rl_option_table, &options->rl);
    ls_config_bind(config, &ls_sampling_option_table, &options->sampling);
    ls_config_bind(config, &ls_engine_option_table, &options->engine);
    ls_config_bind(config, &eval_table, &options->eval);
    ls_config_bind(config, &log_table, &options->log);
    ls_config_bind(config, &system_table, &options->system);
}

bool ls_run_has_evaluations(const ls_run_options *options)
{
    return options->eval.eval_steps > 0 || options->eval.eval_on_start;
}

ls_method ls_run_method(const ls_run_options *options)
{
    int64_t i = 0;
    while (methods[i] && strcmp(methods[i], options->train.method) != 0)
        i++;
    LS_ASSERT(methods[i]);
    return (ls_method)i;
}

ls_head_kind ls_run_head(const ls_run_options *options)
{
    const ls_objective *objective = ls_objective_find(options->rl.objective);
    if (objective == &ls_objective_reward)
        return LS_HEAD_SCORE;
    return objective == &ls_objective_reward_steps ? LS_HEAD_TOKEN_SCORES : LS_HEAD_TOKENS;
}

bool ls_run_has_rollouts(const ls_run_options *options)
{
    return ls_run_method(options) == LS_METHOD_ROLLOUTS;
}

int64_t ls_row_sequences(const ls_run_options *options)
{
    switch (ls_run_method(options)) {
    case LS_METHOD_PAIRS: return 2;
    case LS_METHOD_ROLLOUTS: return options->rl.num_generations;
    case LS_METHOD_ROWS:
    case LS_METHOD_LABELS:
    case LS_METHOD_STEPS: break;
    }
    return 1;
}

int64_t ls_micro_sequences(const ls_run_options *options)
{
    const ls_objective *objective = ls_objective_find(options->rl.objective);
    int64_t n = options->train.per_device_train_batch_size;
    if (ls_run_method(options) == LS_METHOD_PAIRS)
        return 2 * n;
    return objective && objective->unit == LS_UNIT_PAIR && n < 2 ? 2 : n;
}

int64_t ls_update_sequences(const ls_run_options *options)
{
    int64_t members = ls_run_method(options) == LS_METHOD_PAIRS ? 2 : 1;
    return options->train.per_device_train_batch_size * members *
           options->train.gradient_accumulation_steps;
}

int64_t ls_step_sequences(const ls_run_options *options)
{
    if (!ls_run_has_rollouts(options) || options->train.generation_batch_size == 0)
        return ls_update_sequences(options);
    return options->train.generation_batch_size;
}

int64_t ls_step_slices(const ls_run_options *options)
{
    return ls_step_sequences(options) / ls_update_sequences(options);
}

int64_t ls_step_updates(const ls_run_options *options)
{
    if (!ls_run_has_rollouts(options))
        return 1;
    return ls_step_slices(options) * options->rl.num_iterations;
}

static leash_status check_rollouts(const ls_run_options *o)
{
    int64_t step = ls_step_sequences(o), update = ls_update_sequences(o),
            group = o->rl.num_generations;
    if (step % group != 0)
        return ls_fail(
            LEASH_USAGE,
            "a step samples %lld completions, which is no multiple of num_generations = %lld: "
            "change "
            "generation_batch_size (or per_device_train_batch_size * gradient_accumulation_steps)",
            (long long)step, (long long)group);
    if (step % update != 0)
        return ls_fail(
            LEASH_USAGE,
            "generation_batch_size = %lld is no multiple of the %lld sequences of an update "
            "(per_device_train_batch_size * gradient_accumulation_steps)",
            (long long)step, (long long)update);
    if (o->rl.overlong_cache > o->sampling.max_completion_length)
        return ls_fail(LEASH_USAGE,
                       "overlong_cache = %lld is more than max_completion_length = %lld: it is the "
                       "last part of it",
                       (long long)o->rl.overlong_cache,
                       (long long)o->sampling.max_completion_length);
    if (o->sampling.temperature <= 0)
        return ls_fail(
            LEASH_USAGE,
            "temperature = 0 is greedy and has no importance ratio: training needs more than 0 "
            "(eval_temperature may be 0)");
    return LEASH_OK;
}

leash_status ls_run_options_check(const ls_run_options *o)
{
    const ls_train_options *t = &o->train;
    if (!o->model.model[0])
        return ls_fail(LEASH_USAGE,
                       "no model: give --model a folder or a built-in shape (tiny, 1m, 15m, 135m)");
    if (!o->data.dataset[0] == !o->data.task[0])
        return ls_fail(
            LEASH_USAGE,
            o->data.task[0]
                ? "both dataset and task are given: leave one out"
                : "no data: give --dataset a JSONL file, or --task a name (leash info lists them)");
    int64_t most_leaves = t->per_device_train_batch_size * t->gradient_accumulation_steps;
    if ((t->grad_leaves & (t->grad_leaves - 1)) != 0 || t->grad_leaves > most_leaves)
        return ls_fail(
            LEASH_USAGE,
            "grad_leaves = %lld must be a power of two and at most the %lld sequences of an update",
            (long long)t->grad_leaves, (long long)most_leaves);
    LS_TRY(ls_adapter_options_check(&o->adapter));
    LS_TRY(ls_method_check(o));
    if (ls_run_has_rollouts(o) || ls_run_has_evaluations(o)) {
        ls_reward_plan rewards;
        LS_TRY(ls_reward_resolve(&rewards, &o->reward));
    }
    return ls_run_has_rollouts(o) ? check_rollouts(o) : LEASH_OK;
}
