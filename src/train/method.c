/* Which objectives run with which method, and what else of a run's settings follows from that. */
#include "train/options.h"

/* The methods that give an objective what it reads, as bits of 1 << ls_method. */
static unsigned methods_of(const ls_rl_plan *plan)
{
    unsigned given = LS_NEED_OLD_LOGP | LS_NEED_REF_LOGP | LS_NEED_ADVANTAGE | LS_NEED_ENTROPY |
                     LS_NEED_LABEL | LS_NEED_BASELINE;
    bool has_advantage = plan->needs & LS_NEED_ADVANTAGE;
    if (plan->objective == &ls_objective_reward)
        return 1U << LS_METHOD_PAIRS;
    if (plan->objective == &ls_objective_reward_steps)
        return 1U << LS_METHOD_STEPS;
    if (plan->objective == &ls_objective_distill)
        return 1U << LS_METHOD_ROWS;
    if (has_advantage && plan->advantage->needs_value)
        given |= LS_NEED_VALUE;
    if ((plan->needs & ~given) || (has_advantage && plan->advantage->needs_greedy))
        return 0;
    switch (ls_objective_unit(plan->objective, &plan->objective_options)) {
    case LS_UNIT_PAIR: return 1U << LS_METHOD_PAIRS | 1U << LS_METHOD_ROLLOUTS;
    case LS_UNIT_STEP: return 1U << LS_METHOD_PAIRS;
    case LS_UNIT_TRIPLE:
    case LS_UNIT_GROUP: return 0;
    case LS_UNIT_SEQUENCE: break;
    }
    if (plan->needs & LS_NEED_LABEL)
        return 1U << LS_METHOD_LABELS;
    if (plan->needs & (LS_NEED_ADVANTAGE | LS_NEED_REF_LOGP | LS_NEED_OLD_LOGP))
        return 1U << LS_METHOD_ROLLOUTS;
    return 1U << LS_METHOD_ROWS | 1U << LS_METHOD_ROLLOUTS;
}

/* The critic is a model of its own. */
static leash_status check_critic(const ls_run_options *o, const ls_rl_plan *plan)
{
    bool has_critic = (plan->needs & LS_NEED_ADVANTAGE) && plan->advantage->needs_value;
    if (o->rl.vf_coef > 0)
        return ls_fail(LEASH_USAGE, "vf_coef weighs the loss of a critic that shares the policy's "
                                    "weights; the critic here is a model with its own optimiser: "
                                    "leave it at 0, and set value_learning_rate");
    if (!has_critic && (o->model.value_model[0] || o->train.value_learning_rate > 0))
        return ls_fail(LEASH_USAGE,
                       "%s has no effect: advantage_estimator %s has no critic (gae has)",
                       o->model.value_model[0] ? "value_model" : "value_learning_rate",
                       o->rl.advantage_estimator);
    return LEASH_OK;
}

static leash_status check_teacher(const ls_run_options *o, const ls_rl_plan *plan)
{
    bool has_teacher = plan->needs & LS_NEED_TEACHER;
    if (has_teacher && !o->model.teacher_model[0])
        return ls_fail(LEASH_USAGE, "objective distill learns from a teacher: give "
                                    "--teacher_model a model");
    if (!has_teacher && (o->model.teacher_model[0] || o->train.lmbda > 0))
        return ls_fail(LEASH_USAGE, "%s has no effect: objective %s has no teacher (distill has)",
                       o->model.teacher_model[0] ? "teacher_model" : "lmbda", o->rl.objective);
    if (o->train.lmbda > 0 && o->data.packing)
        return ls_fail(LEASH_USAGE, "packing puts rows of text together; with lmbda the student "
                                    "writes completions: leave one of them out");
    if (has_teacher && o->sampling.temperature <= 0)
        return ls_fail(LEASH_USAGE, "temperature = 0 has no distribution to compare: distillation "
                                    "needs more than 0");
    return LEASH_OK;
}

static leash_status fail_objective(const ls_run_options *o, unsigned methods)
{
    static const char *const wants[] = {"dataset rows (method: rows, as leash sft)",
                                        "pairs of completions (method: pairs, as leash dpo)",
                                        "labelled completions (method: labels, as leash kto)",
                                        "sampled completions (method: rollouts, as leash grpo)",
                                        "labelled steps (method: steps, as leash prm)"};
    for (unsigned i = 0; i < LS_COUNT(wants); i++)
        if (methods & 1U << i)
            return ls_fail(LEASH_USAGE,
                           "objective %s learns from %s, but method is %s: set the one or the "
                           "other",
                           o->rl.objective, wants[i], o->train.method);
    return ls_fail(
        LEASH_USAGE,
        "objective %s with advantage_estimator %s and these options needs values, greedy "
        "completions, gold answers, steps, a teacher or use_weighting's statistics, "
        "which no method gives it",
        o->rl.objective, o->rl.advantage_estimator);
}

/* Everything that is aggregated together in one pass through the model. */
static leash_status check_whole_update(const ls_run_options *o)
{
    const ls_train_options *t = &o->train;
    if (t->gradient_accumulation_steps == 1 && t->grad_leaves == 1)
        return LEASH_OK;
    return ls_fail(LEASH_USAGE,
                   "loss_type %s sorts all pairs of an update, which must go through the model at "
                   "once: set per_device_train_batch_size to %lld, gradient_accumulation_steps and "
                   "grad_leaves to 1",
                   o->rl.loss_type,
                   (long long)(t->per_device_train_batch_size * t->gradient_accumulation_steps));
}

static leash_status check_completions(const ls_run_options *o, const ls_rl_plan *plan)
{
    if (o->data.packing)
        return ls_fail(LEASH_USAGE,
                       "packing puts rows of text together; method %s trains on completions as "
                       "they are: leave it out",
                       o->train.method);
    if (ls_objective_unit(plan->objective, &plan->objective_options) == LS_UNIT_STEP)
        LS_TRY(check_whole_update(o));
    if (o->rl.beta_dpo &&
        (ls_run_method(o) != LS_METHOD_PAIRS || !(plan->needs & LS_NEED_REF_LOGP)))
        return ls_fail(LEASH_USAGE, "beta_dpo looks at log ratios of pairs against a reference, "
                                    "which this run has not: leave it out");
    if (plan->objective == &ls_objective_kto && ls_update_sequences(o) < 2)
        return ls_fail(LEASH_USAGE,
                       "objective kto compares with completions of other prompts of the update, "
                       "which has one: set per_device_train_batch_size or "
                       "gradient_accumulation_steps to 2 or more");
    return LEASH_OK;
}

/* Imitation of the best completions, and pairs of the best and the worst. */
static leash_status check_selection(const ls_run_options *o, const ls_rl_plan *plan)
{
    bool makes_pairs = plan->objective->unit == LS_UNIT_PAIR;
    bool imitates = !(plan->needs & LS_NEED_ADVANTAGE) && !makes_pairs;
    if (makes_pairs && o->rl.num_generations < 2)
        return ls_fail(LEASH_USAGE,
                       "num_generations is 1, but objective %s pairs the best completion of a "
                       "prompt with the worst: set it to 2 or more",
                       o->rl.objective);
    if (!imitates && (o->rl.select_best != 0 || o->rl.select_min_reward > LS_SELECT_ANY_REWARD))
        return ls_fail(LEASH_USAGE,
                       "%s chooses completions to imitate (objective sft) and has no effect on "
                       "objective %s",
                       o->rl.select_best != 0 ? "select_best" : "select_min_reward",
                       o->rl.objective);
    return LEASH_OK;
}

static leash_status check_reference(const ls_run_options *o, const ls_rl_plan *plan)
{
    const ls_reference_settings *r = &o->reference;
    const char *key = r->sync_ref_model ? "sync_ref_model" : "precompute_ref_log_probs";
    ls_method method = ls_run_method(o);
    if (!r->sync_ref_model && !r->precompute_ref_log_probs)
        return LEASH_OK;
    if (!(plan->needs & LS_NEED_REF_LOGP))
        return ls_fail(LEASH_USAGE, "%s has no effect: this run has no reference", key);
    if (r->sync_ref_model && r->precompute_ref_log_probs)
        return ls_fail(LEASH_USAGE, "sync_ref_model moves the reference, whose log-probabilities "
                                    "precompute_ref_log_probs makes once: set one of them");
    if (r->sync_ref_model && o->adapter.use_peft)
        return ls_fail(LEASH_USAGE,
                       "sync_ref_model needs a reference of its own, but with use_peft "
                       "it is the model without its adapter: set one of them");
    if (r->precompute_ref_log_probs && (o->data.streaming || plan->objective == &ls_objective_kto ||
                                        (method != LS_METHOD_PAIRS && method != LS_METHOD_LABELS)))
        return ls_fail(LEASH_USAGE,
                       "precompute_ref_log_probs scores the rows of a dataset in memory; it goes "
                       "without streaming, method rollouts and objective kto (which mixes rows)");
    return LEASH_OK;
}

/* Models that score have neither likelihoods nor completions. */
static leash_status check_scores(const ls_run_options *o)
{
    const char *key = NULL;
    if (ls_run_head(o) == LS_HEAD_TOKENS)
        return LEASH_OK;
    if (o->adapter.use_peft || o->adapter.adapter[0])
        key = "an adapter would leave the new score untrained";
    else if (o->rl.beta != 0 || o->rl.entropy_coef != 0)
        key = "beta and entropy_coef weigh terms of a language model, which a reward model is not";
    else if (ls_run_has_evaluations(o))
        key = "eval_steps samples completions, which a reward model does not write";
    if (!key)
        return LEASH_OK;
    return ls_fail(LEASH_USAGE, "objective %s: %s; leave it out", o->rl.objective, key);
}

leash_status ls_method_check(const ls_run_options *o)
{
    ls_rl_plan plan;
    LS_TRY(ls_rl_resolve(&plan, &o->rl));
    LS_TRY(check_scores(o));
    LS_TRY(check_critic(o, &plan));
    LS_TRY(check_teacher(o, &plan));
    unsigned methods = methods_of(&plan),
             sampled = LS_NEED_OLD_LOGP | LS_NEED_REF_LOGP | LS_NEED_ADVANTAGE;
    ls_method method = ls_run_method(o);
    if (method == LS_METHOD_ROWS && methods == 1U << LS_METHOD_ROLLOUTS && (plan.needs & sampled))
        return ls_fail(LEASH_USAGE,
                       "method rows trains on given tokens, which have no advantages and no "
                       "reference: objective must be sft and beta 0, found %s and %g",
                       o->rl.objective, o->rl.beta);
    if (!(methods & 1U << method))
        return fail_objective(o, methods);
    if (o->rl.xpo_alpha != 0)
        return ls_fail(LEASH_USAGE, "xpo_alpha pushes completions down that the reference sampled, "
                                    "which no method gives it: leave it at 0");
    LS_TRY(check_reference(o, &plan));
    if (method == LS_METHOD_PAIRS || method == LS_METHOD_LABELS || method == LS_METHOD_STEPS)
        return check_completions(o, &plan);
    if (method != LS_METHOD_ROLLOUTS)
        return LEASH_OK;
    if (!(plan.needs & LS_NEED_OLD_LOGP) && (plan.needs & LS_NEED_ADVANTAGE) &&
        ls_step_updates(o) > 1)
        return ls_fail(LEASH_USAGE,
                       "objective %s has no importance ratio and takes one update a step, found "
                       "%lld: set num_iterations to 1 and generation_batch_size to 0, or take "
                       "objective ppo-clip",
                       o->rl.objective, (long long)ls_step_updates(o));
    return check_selection(o, &plan);
}
