/* The settings of a run: those of the training loop, and all sections together.
 *
 * Batch arithmetic (TRL's): an optimiser update sees per_device_train_batch_size *
 * gradient_accumulation_steps sequences, or pairs of them where the method is "pairs"; the first
 * factor is only how many of them go through the model at once and changes no bit of the result.  A
 * step of a rollout method samples
 * generation_batch_size completions (a multiple of num_generations and of the update's size; 0: one
 * update's size) and makes num_iterations passes over them. */
#ifndef LS_TRAIN_OPTIONS_H
#define LS_TRAIN_OPTIONS_H

#include "config/option.h"
#include "data/dataset.h"
#include "reward/options.h"
#include "rl/options.h"
#include "rollout/rollout.h"
#include "train/adapter.h"
#include "train/optimizer.h"
#include "train/reference.h"

typedef struct ls_model_options {
    const char *model;         /* folder, or the name of a built-in shape (random weights) */
    const char *tokenizer;     /* "" takes the model's; else byte, char:ALPHABET, or task  */
    const char *value_model;   /* the critic's beginning; "": the reward model, or the model */
    const char *teacher_model; /* of distillation */
    const char *ref_model;     /* "" takes the model as it was at the start of the run     */
    int64_t max_position_embeddings; /* of a built-in shape */
} ls_model_options;

typedef struct ls_train_options {
    /* What a step trains on: "rows" of text, "pairs" and "labels" of completions, "rollouts" that
     * the policy samples, "steps" of solutions. */
    const char *method;
    int64_t per_device_train_batch_size, gradient_accumulation_steps, generation_batch_size;
    double learning_rate, value_learning_rate, lr_floor, num_train_epochs;
    const char *lr_scheduler_type;
    int64_t warmup_steps, decay_steps, max_steps;
    double adam_beta1, adam_beta2, adam_epsilon, weight_decay, max_grad_norm;
    int64_t grad_leaves;
    bool gradient_checkpointing;
    double lmbda;          /* share of distillation's steps on the student's own completions */
    int64_t teacher_top_k; /* tokens of the teacher at each position; 0: the vocabulary      */
    int64_t max_idle_steps;
    int64_t seed;
} ls_train_options;

typedef struct ls_eval_options {
    int64_t eval_steps, eval_num_rows, eval_samples;
    double eval_temperature;
    const char *eval_dataset;
    bool eval_on_start;
} ls_eval_options;

typedef struct ls_log_options {
    const char *output_dir;
    bool resume, overwrite;
    int64_t save_steps, save_total_limit, num_completions_to_log, logging_steps;
} ls_log_options;

typedef struct ls_system_options {
    int64_t threads;
    const char *isa;
} ls_system_options;

typedef struct ls_run_options {
    ls_model_options model;
    ls_adapter_options adapter;
    ls_reference_settings reference;
    ls_data_options data;
    ls_reward_settings reward;
    ls_rl_options rl;
    ls_sampling_options sampling;
    ls_engine_options engine;
    ls_train_options train;
    ls_eval_options eval;
    ls_log_options log;
    ls_system_options system;
} ls_run_options;

/* Binds every section to its table and writes the defaults. */
void ls_run_options_bind(ls_config *config, ls_run_options *options);
/* Checks sections against each other and fills derived values.  Errors: LEASH_USAGE naming the
 * keys. */
leash_status ls_run_options_check(const ls_run_options *options) LEASH_MUST_USE;
/* The part of it that asks whether the method gives the objective what it reads. */
leash_status ls_method_check(const ls_run_options *options) LEASH_MUST_USE;

typedef enum ls_method {
    LS_METHOD_ROWS,
    LS_METHOD_PAIRS,
    LS_METHOD_LABELS,
    LS_METHOD_ROLLOUTS,
    LS_METHOD_STEPS
} ls_method;
ls_method ls_run_method(const ls_run_options *options);
/* The head of the model that the objective trains: scores of reward models, else tokens. */
ls_head_kind ls_run_head(const ls_run_options *options);

/* Sequences that a drawn row of the dataset becomes: 2 for pairs, num_generations for rollouts. */
int64_t ls_row_sequences(const ls_run_options *options);
/* Sequences that go through the model at once: a whole pair at the least. */
int64_t ls_micro_sequences(const ls_run_options *options);
/* Sequences of one update, completions of one step, updates of one step. */
int64_t ls_update_sequences(const ls_run_options *options);
int64_t ls_step_sequences(const ls_run_options *options);
int64_t ls_step_slices(const ls_run_options *options); /* updates of one pass over a step */
int64_t ls_step_updates(const ls_run_options *options);
bool ls_run_has_rollouts(const ls_run_options *options);
bool ls_run_has_evaluations(const ls_run_options *options);

/* Keys that change how a run is carried out but no bit of its result: left out of the identity that
 * a resume checks. */
extern const char *const ls_run_free_keys[];

#endif
