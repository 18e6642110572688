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
    LS_ROLE_REWARD,    /* the reward model's                 */
    LS_ROLE_CRITIC,    /* weights, gradients, moments        */
    LS_ROLE_TEACHER,   /* frozen weights                     */
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
    ls_model_source source, reference_source, reward_source, critic_source, teacher_source;
    ls_model *model, *reference; /* reference NULL: not needed, or known_logp says it all */
    ls_model *reward_model;      /* frozen; NULL: rewards do without */
    ls_model *critic;            /* NULL: advantages do without      */
    ls_model *teacher;           /* frozen; NULL: nothing is distilled */
    ls_optimizer critic_optimizer;
    ls_rl_plan critic_plan;
    ls_schedule critic_schedule;
    ls_updater critic_updater;
    ls_reference_options reference_moves;
    /* precompute_ref_log_probs: by row of the dataset, its targets at known_start[row]; else NULL
     * */
    int64_t *known_start;
    float *known_logp;
    ls_optimizer optimizer;
    ls_engine *engine;         /* NULL for rows without evaluations */
    ls_dataset data, held_out; /* held_out: empty without evaluations */
    ls_arena taken;            /* rows of the step, when they are streamed */
    ls_rl_plan plan;
    ls_reward_plan rewards;
    ls_schedule schedule;
    ls_sequences sequences;
    /* What objectives make of them, room for as many (ls_run_regroups): KTO's completions under
     * other prompts, pairs selected out of sampled ones. */
    ls_sequences regrouped;
    ls_sequences *trained; /* one of the two: what the step's updates run over */
    double *scratch;       /* (3, sequences of a step) */
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
    double train_flops, rollout_flops, reference_flops, reward_flops, critic_flops, teacher_flops;
    int64_t n_params, n_trained_params, n_steps, step_sequences, step_updates, max_length;
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

/* What its checkpoints hold besides the policy. */
ls_checkpoint_beside ls_run_beside(ls_run *run);

/* Parts of the measurement: what rollouts and evaluations with completions of full length take from
 * the step's arena. */
leash_status ls_run_measure_rollouts(ls_run *run) LEASH_MUST_USE;
leash_status ls_run_measure_evaluation(ls_run *run) LEASH_MUST_USE;

/* Evaluates the current weights on held-out problems and sets the eval/ rows. */
leash_status ls_run_evaluate(ls_run *run, ls_metrics *metrics) LEASH_MUST_USE;

/* The reference (train/reference_model.c): makes it after the policy was made; scores the dataset
 * with it, before a checkpoint is loaded, where the options want that; moves it after an update if
 * that is due. */
leash_status ls_run_build_reference(ls_run *run) LEASH_MUST_USE;
leash_status ls_run_precompute_reference(ls_run *run) LEASH_MUST_USE;
void ls_run_move_reference(ls_run *run);
/* The reference if it moves, which a checkpoint then holds; else NULL. */
ls_model *ls_run_moving_reference(const ls_run *run);
/* Fills ref_logp of sequences, which are the rows drawn last or any when the model is there.
 * Errors: LEASH_NUMERIC. */
leash_status ls_run_score_reference(ls_run *run, ls_sequences *s,
                                    ls_metrics *metrics) LEASH_MUST_USE;
/* logp of every target under a model, at the temperature of training.  Errors: LEASH_NUMERIC. */
leash_status ls_run_score(ls_run *run, ls_model *model, const ls_sequences *s,
                          float *logp) LEASH_MUST_USE;

/* Opens a model beside the policy, which must have its tokenizer, vocabulary and room for its
 * sequences. */
leash_status ls_run_open_named(ls_run *run, ls_model_source *out, const char *key,
                               const char *path) LEASH_MUST_USE;
/* The reward model, if rewards name it; what scoring takes besides a pass; and its scores of what
 * was sampled (one a completion). */
leash_status ls_run_build_reward_model(ls_run *run) LEASH_MUST_USE;
void ls_run_measure_reward_model(ls_run *run);
leash_status ls_run_score_completions(ls_run *run, const ls_rollout *rollout,
                                      const ls_prompt *prompts, double *score) LEASH_MUST_USE;

/* The critic (train/critic.c), if advantages need one: the model and its moments, then what updates
 * it; the values before the tokens of run->sequences; one update over them, whose figures go to
 * those of the policy's. */
bool ls_run_has_critic(const ls_run *run);
leash_status ls_run_build_critic(ls_run *run) LEASH_MUST_USE;
void ls_run_build_critic_updater(ls_run *run);
leash_status ls_run_take_values(ls_run *run) LEASH_MUST_USE;
leash_status ls_run_update_critic(ls_run *run, int64_t first, int64_t end, ls_update_result *policy,
                                  ls_metrics *m) LEASH_MUST_USE;

/* The teacher (train/distill.c), if the objective needs one: the model, room for what it says, and
 * its most likely tokens at the targets of run->sequences. */
leash_status ls_run_build_teacher(ls_run *run) LEASH_MUST_USE;
void ls_run_take_teacher_buffers(ls_run *run);
leash_status ls_run_ask_teacher(ls_run *run, ls_metrics *metrics) LEASH_MUST_USE;
/* Whether the student writes the completions of this step; lets it, in place of those of the rows
 * that were taken; what that takes from the step's arena. */
bool ls_run_student_writes(const ls_run *run);
leash_status ls_run_let_student_write(ls_run *run, ls_metrics *metrics) LEASH_MUST_USE;
leash_status ls_run_measure_student(ls_run *run) LEASH_MUST_USE;

/* What the policy is asked for in the step that begins at run->state. */
ls_rollout_request ls_run_rollout_request(const ls_run *run, const ls_prompt *prompts, int64_t n);
/* Sources: fill run->sequences for the step that begins at run->state. */
leash_status ls_run_take_rows(ls_run *run, ls_metrics *metrics) LEASH_MUST_USE;
/* Rows of pairs, of labels: with ref_logp, labels and the baseline. */
leash_status ls_run_take_completions(ls_run *run, ls_metrics *metrics) LEASH_MUST_USE;
/* Warns of labels that KTO's weights do not balance. */
void ls_run_check_labels(const ls_run *run);
/* Appends a row of the dataset to run->sequences: one sequence, or chosen and rejected. */
void ls_run_add_example(ls_run *run, const ls_example *example);
/* Whether this run needs run->regrouped. */
bool ls_run_regroups(const ls_run *run);
/* Objectives without advantages: which sampled completions are imitated, or the pairs of best and
 * worst, which become run->trained. */
leash_status ls_run_select(ls_run *run, ls_metrics *metrics) LEASH_MUST_USE;
leash_status ls_run_take_rollouts(ls_run *run, ls_metrics *metrics) LEASH_MUST_USE;
/* From the rewards of run->sequences to their token_advantage. */
leash_status ls_run_compute_advantages(ls_run *run, ls_metrics *metrics) LEASH_MUST_USE;

#endif
