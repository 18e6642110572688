/* A training run: everything it holds, built once, and the loop.
 *
 * ls_run_build is used twice: a dry build takes addresses instead of memory and null kernels
 * instead of arithmetic, and is the plan; the real one makes the same calls in the same order.  So
 * the plan cannot drift from the run. */
#ifndef LS_TRAIN_RUN_H
#define LS_TRAIN_RUN_H

#include "eval/evaluate.h"
#include "train/assets.h"
#include "train/checkpoint.h"
#include "train/metrics.h"
#include "train/rundir.h"
#include "train/schedule.h"
#include "train/update.h"

struct ls_run;
typedef struct ls_train_hooks {
    void *user;
    bool (*should_stop)(void);
    /* A step is done. */
    void (*on_step)(void *user, const struct ls_run *run, const ls_metrics *metrics);
    /* Inside of a step: what is going on, and how far it is (0..1). */
    void (*on_progress)(void *user, const struct ls_run *run, const char *phase, double share);
} ls_train_hooks;

/* What arenas hold, in the order the plan prints them. */
typedef enum ls_role {
    LS_ROLE_POLICY,    /* weights, packed weights, gradients */
    LS_ROLE_OPTIMIZER, /* moments                            */
    LS_ROLE_REFERENCE, /* frozen weights                     */
    LS_ROLE_CACHE,     /* KV pages and the engine            */
    LS_ROLE_STEP,      /* sequences, streams, rollouts       */
    LS_ROLE_PASS,      /* activations of one micro-batch     */
    LS_ROLE_COUNT
} ls_role;
extern const char *const ls_role_names[LS_ROLE_COUNT];

typedef struct ls_run {
    const ls_run_options *o;
    const ls_config *config;
    ls_train_hooks hooks;
    bool is_dry;
    ls_device dev;
    ls_arena arena[LS_ROLE_COUNT];
    ls_model_source source, reference_source;
    ls_model *model, *reference; /* reference NULL: not needed */
    ls_optimizer optimizer;
    ls_engine *engine;         /* NULL for rows without evaluations */
    ls_dataset data, held_out; /* held_out: empty without evaluations */
    ls_rl_plan plan;
    ls_reward_plan rewards;
    ls_schedule schedule;
    ls_sequences sequences;
    double *scores; /* (sequences of a step, rewards) of rollouts, before they are combined */
    ls_updater updater;
    ls_rundir dir;
    ls_train_state state;
    int64_t n_steps;    /* of the whole run                 */
    int64_t max_length; /* tokens of the longest sequence   */
    ls_str lines, text; /* reused by every step: what is logged, a completion */
} ls_run;

/* What one step costs: a dry run made to do the forward and backward of its worst micro-batch. */
typedef struct ls_run_cost {
    size_t bytes[LS_ROLE_COUNT]; /* peak of each arena                        */
    /* of a step with sequences of full length */
    double train_flops, rollout_flops, reference_flops;
    int64_t n_params, n_steps, step_sequences, step_updates, max_length;
    size_t data_bytes;
} ls_run_cost;
/* Everything up to the first step, except the run directory.  A real build is given its measured
 * cost and backs its arenas with that much memory before it fills them; cost NULL builds dry.  On
 * an error all is released. */
leash_status ls_run_build(ls_run *run, const ls_config *config, const ls_run_options *options,
                          const ls_train_hooks *hooks, const ls_run_cost *cost) LEASH_MUST_USE;
void ls_run_release(ls_run *run);

/* Builds dry, measures, releases. */
leash_status ls_run_measure(ls_run_cost *cost, const ls_config *config,
                            const ls_run_options *options) LEASH_MUST_USE;

/* The whole run: directory, resume, steps, checkpoints.  Errors as the parts'; LEASH_INTERRUPTED
 * after a requested stop was saved. */
leash_status ls_run_train(const ls_config *config, const ls_run_options *options,
                          const ls_train_hooks *hooks) LEASH_MUST_USE;

/* Loads a checkpoint into a run that was just built and cuts its line files back.  Errors:
 * LEASH_USAGE for other settings (the first that differs is named) and for a complete run,
 * LEASH_DATA for other data or another reference. */
leash_status ls_run_resume(ls_run *run, const char *checkpoint) LEASH_MUST_USE;

/* Parts of the measurement: what rollouts and evaluations with completions of full length take from
 * the step's arena. */
leash_status ls_run_measure_rollouts(ls_run *run) LEASH_MUST_USE;
leash_status ls_run_measure_evaluation(ls_run *run) LEASH_MUST_USE;

/* Evaluates the current weights on held-out problems and sets the eval/ rows. */
leash_status ls_run_evaluate(ls_run *run, ls_metrics *metrics) LEASH_MUST_USE;

/* Sources: fill run->sequences for the step that begins at run->state. */
leash_status ls_run_take_rows(ls_run *run, ls_metrics *metrics) LEASH_MUST_USE;
leash_status ls_run_take_rollouts(ls_run *run, ls_metrics *metrics) LEASH_MUST_USE;
/* From the rewards of run->sequences to their token_advantage. */
leash_status ls_run_compute_advantages(ls_run *run, ls_metrics *metrics) LEASH_MUST_USE;

#endif
