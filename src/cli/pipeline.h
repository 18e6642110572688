/* Pipelines: several runs, each starting from an earlier one, with gates between them.
 *
 *     name: demo
 *     settings: {task: arithmetic, seed: 42}          # for every stage
 *     stages:
 *       - name: sft                                    # the run's directory below the pipeline's
 *         command: sft                                 # pretrain, sft, dpo, kto, grpo
 *         recipe: sft                                  # default: the command
 *         from: pretrain                               # stage whose final model is the model
 *         settings: {learning_rate: 1e-3}
 *         gate: {metric: eval/accuracy, min: 0.1}      # the pipeline stops when the last value is
 *           below
 *
 * Values are checked by the stage's command.  Errors name file, line and column. */
#ifndef LS_CLI_PIPELINE_H
#define LS_CLI_PIPELINE_H

#include "base/err.h"
#include "base/mem.h"

#define LS_PIPELINE_STAGES 32
#define LS_PIPELINE_SETTINGS 128

typedef struct ls_setting {
    const char *key, *value;
} ls_setting;

typedef struct ls_stage {
    const char *name, *command, *recipe, *from; /* recipe, from: NULL when not given */
    ls_setting settings[LS_PIPELINE_SETTINGS];
    int64_t n_settings;
    const char *gate_metric; /* NULL: no gate */
    double gate_min;
} ls_stage;

typedef struct ls_pipeline {
    ls_arena arena; /* owns the texts */
    const char *name;
    ls_stage stages[LS_PIPELINE_STAGES];
    int64_t n_stages;
} ls_pipeline;

leash_status ls_pipeline_load(ls_pipeline *out, const char *path) LEASH_MUST_USE;
void ls_pipeline_release(ls_pipeline *pipeline);

#endif
