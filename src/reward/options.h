/* The settings of the built-in rewards as option rows. */
#ifndef LS_REWARD_OPTIONS_H
#define LS_REWARD_OPTIONS_H

#include "config/option.h"
#include "reward/reward.h"

#define LS_REWARDS_MAX 8

typedef struct ls_reward_settings { /* bound to ls_reward_option_table; names are the keys */
    const char *reward;             /* names joined with commas: "number" or "number,format" */
    const char *reward_weights;     /* one number a reward, joined with commas; "": all 1     */
    const char *reward_model;       /* a model that scores, of the reward "model"; "": none   */
    const char *answer_extract, *format_tags;
    bool format_as_gate;
} ls_reward_settings;

extern const ls_option_table ls_reward_option_table;

typedef struct ls_reward_plan { /* the rewards of a run */
    int64_t n;
    int64_t main; /* the first that is no gate: its verdict is "correct" */
    const ls_reward *reward[LS_REWARDS_MAX];
    double weight[LS_REWARDS_MAX];
    bool is_gate[LS_REWARDS_MAX];
    ls_reward_options options;
} ls_reward_plan;

/* Errors: LEASH_USAGE naming the key, with the nearest reward's name. */
leash_status ls_reward_resolve(ls_reward_plan *plan,
                               const ls_reward_settings *settings) LEASH_MUST_USE;
bool ls_reward_plan_has_model(const ls_reward_plan *plan);
/* Whether accuracy can be told: the main reward is one that a program checks.  Errors: LEASH_USAGE.
 * */
leash_status ls_reward_check_accuracy(const ls_reward_plan *plan) LEASH_MUST_USE;
/* Judges one completion by every reward of the plan (verdicts: plan->n) and combines them. */
double ls_reward_total(ls_verdict *verdicts, const ls_reward_plan *plan,
                       const ls_reward_input *input, ls_strictness strictness);

#endif
