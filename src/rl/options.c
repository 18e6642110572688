/* Option rows of everything above the waist, and their resolution into descriptors. */
#include "rl/options.h"

#include <assert.h>
#include <string.h>
#include "base/str.h"

static const char *const objective_names[] = {
#define LS_OBJECTIVE_ROW(symbol, name) name,
#include "rl/objective.def"
#undef LS_OBJECTIVE_ROW
    NULL};
static const char *const advantage_names[] = {
#define LS_ADVANTAGE_ROW(symbol, name) name,
#include "rl/advantage.def"
#undef LS_ADVANTAGE_ROW
    NULL};
static const char *const aggregation_names[] = {
#define LS_AGGREGATION_ROW(name, divides_by_length, normaliser, help, source) name,
#include "rl/aggregation.def"
#undef LS_AGGREGATION_ROW
    NULL};
static const char *const estimator_names[] = {"auto", "k1", "k2", "k3", NULL};
static const char *const wiring_names[] = {"loss", "reward", NULL};
static const char *const controller_names[] = {"fixed", "adaptive", NULL};
static const char *const filter_names[] = {"keep", "drop", "refill", NULL};
static_assert(LS_COUNT(estimator_names) == LS_KL_COUNT + 2, "one choice an estimator, and auto");
static_assert(LS_COUNT(wiring_names) == LS_KL_IN_COUNT + 1, "one choice a wiring");
static_assert(LS_COUNT(filter_names) == LS_FILTER_COUNT + 1, "one choice a filter");

#define ROW(field, option_type, text) \
    .key = #field, .type = (option_type), .offset = offsetof(ls_rl_options, field), .def = (text)

static const ls_option rows[] = {
    {ROW(objective, LS_OPT_CHOICE, "ppo-clip"), .choices = objective_names,
     .help = "Loss of a token: sft (likelihood), reinforce (score function), ppo-clip (clipped "
             "surrogate)."},
    {ROW(advantage_estimator, LS_OPT_CHOICE, "grpo"), .choices = advantage_names,
     .help = "How rewards become advantages.",
     .more = "grpo: z-score in the group; group-mean: centred in the group (Dr. GRPO); rloo: minus "
             "the mean of the others; batch-std: centred in the group, over the batch's standard "
             "deviation (Lite PPO); batch-mean: centred in the batch; none: the reward."},
    {ROW(aggregation, LS_OPT_CHOICE, "token-mean"), .choices = aggregation_names,
     .help = "How token losses become one number, over all sequences of an update.",
     .more = "token-mean 1/N (DAPO, SFT); seq-mean 1/(B n_i) (GRPO); seq-sum 1/B (RLOO); "
             "fixed-length 1/(B max_completion_length) (Dr. GRPO)."},
    {ROW(epsilon, LS_OPT_FLOAT, "0.2"), .min = 0, .max = 100,
     .help = "Lower clip width of the importance ratio."},
    {ROW(epsilon_high, LS_OPT_FLOAT, "-1"), .min = -1, .max = 100,
     .help = "Upper clip width of the importance ratio; -1: the same as epsilon.",
     .more = "DAPO's clip-higher is 0.28."},
    {ROW(delta, LS_OPT_FLOAT, "0"), .min = 0, .max = 1e6, .is_advanced = true,
     .help = "Cap of the importance ratio where clipping does not act; 0: none.",
     .more = "The two-sided clip of INTELLECT-2; must exceed 1 + epsilon_high."},
    {ROW(dual_clip, LS_OPT_FLOAT, "0"), .min = 0, .max = 1e6, .is_advanced = true,
     .help = "Bound of the loss at this times the size of a negative advantage; 0: none.",
     .more = "Dual-clip PPO uses 3; must exceed 1."},
    {ROW(beta, LS_OPT_FLOAT, "0"), .min = 0, .max = 1e6, .unit = "reward/nat",
     .help = "Weight of the KL term, the leash; 0 needs no reference."},
    {ROW(kl_estimator, LS_OPT_CHOICE, "auto"), .choices = estimator_names,
     .help = "KL estimate: auto is k3 in the loss and k1 in the reward.",
     .more = "With d = logp - ref_logp: k1 = d, k2 = d^2/2, k3 = e^-d - 1 + d.  As a loss, k2 has "
             "the gradient of KL(policy || ref), k3 that of KL(ref || policy), k1 none.  In the "
             "reward only k1 is right."},
    {ROW(kl_in, LS_OPT_CHOICE, "loss"), .choices = wiring_names,
     .help = "Where the KL acts: a term of the loss, or a part of the reward.",
     .more = "In the loss it is aggregated as the policy term is; in the reward it is summed over "
             "the completion and passes through the advantage."},
    {ROW(use_bias_correction_kl, LS_OPT_BOOL, "false"), .is_advanced = true,
     .help = "Multiply the KL term of the loss by the importance ratio (DeepSeek-V3.2)."},
    {ROW(kl_controller, LS_OPT_CHOICE, "fixed"), .choices = controller_names, .is_advanced = true,
     .help = "Whether beta stays or follows the measured KL."},
    {ROW(kl_target, LS_OPT_FLOAT, "6"), .min = 1e-6, .max = 1e6, .unit = "nats",
     .is_advanced = true, .help = "KL of a completion that the adaptive controller aims at."},
    {ROW(kl_horizon, LS_OPT_FLOAT, "10000"), .min = 1, .max = 1e12, .unit = "sequences",
     .is_advanced = true, .help = "Slowness of the adaptive controller."},
    {ROW(entropy_coef, LS_OPT_FLOAT, "0"), .min = -100, .max = 100,
     .help = "Bonus for the entropy of the policy."},
    {ROW(advantage_std_epsilon, LS_OPT_FLOAT, "1e-4"), .min = 0, .max = 1, .is_advanced = true,
     .help = "Added to a standard deviation before advantages are divided by it."},
    {ROW(num_generations, LS_OPT_INT, "8"), .min = 1, .max = 65536, .unit = "completions",
     .help = "Completions of each prompt, a group."},
    {ROW(num_iterations, LS_OPT_INT, "1"), .min = 1, .max = 1024,
     .help = "Passes over the completions of a step."},
    {ROW(degenerate_groups, LS_OPT_CHOICE, "keep"), .choices = filter_names,
     .help = "What happens to groups whose rewards are all equal.",
     .more = "keep: advantage 0, counted in the normaliser; drop: not counted; refill: sample "
             "further prompts instead (DAPO's dynamic sampling)."},
    {ROW(max_refill_rounds, LS_OPT_INT, "10"), .min = 1, .max = 1000, .is_advanced = true,
     .help = "Rounds of sampling after which refill takes what there is."},
    {ROW(mask_truncated_completions, LS_OPT_BOOL, "false"),
     .help = "Completions that hit the length limit carry no loss; their rewards still count in "
             "the statistics."},
    {ROW(overlong_cache, LS_OPT_INT, "0"), .min = 0, .max = 1e9, .unit = "tokens",
     .help = "Last part of max_completion_length over which a penalty up to -1 grows; 0: none.",
     .more = "Soft overlong punishment of DAPO (4096 of 20480 there)."},
};

const ls_option_table ls_rl_option_table = {
    "Objective", "What is maximised: advantages, the loss of a token, and the KL leash.", rows,
    LS_COUNT(rows)};

static int64_t index_of(const char *const *names, const char *name)
{
    for (int64_t i = 0; names[i]; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return -1;
}

/* The index of a CHOICE value; options that were not set through their table may hold anything. */
static leash_status choose(int64_t *index, const char *key, const char *const *names,
                           const char *value)
{
    *index = index_of(names, value);
    if (*index >= 0)
        return LEASH_OK;
    int64_t n = 0;
    while (names[n])
        n++;
    const char *near = ls_nearest_name(value, names, n);
    return ls_fail(LEASH_USAGE, "%s: no %s named \"%s\"; did you mean %s?", key, key, value,
                   near ? near : names[0]);
}

static leash_status check_together(const ls_rl_plan *plan, const ls_rl_options *options)
{
    LS_TRY(ls_objective_check(plan->objective, &plan->objective_options));
    bool has_advantage = plan->objective->needs & LS_NEED_ADVANTAGE;
    if (has_advantage && plan->advantage->has_group_baseline && options->num_generations < 2)
        return ls_fail(LEASH_USAGE,
                       "num_generations is %lld, but advantage_estimator %s compares completions "
                       "of one prompt; set num_generations to 2 or more, or advantage_estimator "
                       "to batch-mean or none",
                       (long long)options->num_generations, plan->advantage->name);
    if (plan->has_kl_controller && !(options->beta > 0))
        return ls_fail(LEASH_USAGE, "kl_controller is adaptive, but beta is 0; set beta to the "
                                    "coefficient it shall start from");
    return LEASH_OK;
}

leash_status ls_rl_resolve(ls_rl_plan *plan, const ls_rl_options *options)
{
    int64_t objective, advantage, aggregation, estimator, wiring, controller, filter;
    LS_TRY(choose(&objective, "objective", objective_names, options->objective));
    LS_TRY(
        choose(&advantage, "advantage_estimator", advantage_names, options->advantage_estimator));
    LS_TRY(choose(&aggregation, "aggregation", aggregation_names, options->aggregation));
    LS_TRY(choose(&estimator, "kl_estimator", estimator_names, options->kl_estimator));
    LS_TRY(choose(&wiring, "kl_in", wiring_names, options->kl_in));
    LS_TRY(choose(&controller, "kl_controller", controller_names, options->kl_controller));
    LS_TRY(choose(&filter, "degenerate_groups", filter_names, options->degenerate_groups));

    ls_kl_kind kl_auto = wiring == LS_KL_IN_REWARD ? LS_KL_K1 : LS_KL_K3;
    *plan = (ls_rl_plan){
        .objective = ls_objectives[objective],
        .advantage = ls_advantages[advantage],
        .aggregation = &ls_aggregations[aggregation],
        .objective_options = {.epsilon = options->epsilon,
                              .epsilon_high = options->epsilon_high,
                              .delta = options->delta,
                              .dual_clip = options->dual_clip,
                              .beta = options->beta,
                              .kl_estimator =
                                  estimator == 0 ? kl_auto : (ls_kl_kind)(estimator - 1),
                              .kl_in = (ls_kl_in)wiring,
                              .use_bias_correction_kl = options->use_bias_correction_kl,
                              .entropy_coef = options->entropy_coef},
        .advantage_options = {.std_epsilon = options->advantage_std_epsilon},
        .filter = (ls_filter)filter,
        .has_kl_controller = controller == 1,
    };
    plan->needs = ls_objective_needs(plan->objective, &plan->objective_options);
    return check_together(plan, options);
}
