/* The critic of PPO: a model of its own that says, before each token, what the completion will be
 * worth.  It reads the policy's sequences, gives the values that advantages are made of, and learns
 * their returns in every update after the policy's.
 *
 * It begins as value_model, as the reward model, or as the policy's trunk under a new score.  Its
 * optimiser is its own: the gradient's norm is clipped apart from the policy's, so the weight that
 * a shared loss would give it (vf_coef) has no part here. */
#include "train/run.h"

#include <math.h>
#include <string.h>

#include "rl/gae.h"

bool ls_run_has_critic(const ls_run *run)
{
    return (run->plan.needs & LS_NEED_ADVANTAGE) && run->plan.advantage->needs_value;
}

/* The model that the critic begins as: of an adapter the one underneath. */
static const char *path_of(const ls_run *run)
{
    const ls_run_options *o = run->o;
    if (o->model.value_model[0])
        return o->model.value_model;
    if (o->reward.reward_model[0])
        return o->reward.reward_model;
    return run->source.has_adapter ? run->source.path : o->model.model;
}

static void make_plan(ls_run *run)
{
    run->critic_plan = (ls_rl_plan){
        .objective = &ls_objective_critic,
        .aggregation = run->plan.aggregation,
        .objective_options = LS_OBJECTIVE_OPTIONS_INIT,
        .needs = LS_NEED_VALUE | LS_NEED_RETURN,
    };
    run->critic_plan.objective_options.cliprange_value =
        run->plan.objective_options.cliprange_value;
}

leash_status ls_run_build_critic(ls_run *run)
{
    const ls_run_options *o = run->o;
    const ls_train_options *t = &o->train;
    ls_arena *arena = &run->arena[LS_ROLE_CRITIC];
    if (!ls_run_has_critic(run))
        return LEASH_OK;
    make_plan(run);
    LS_TRY(ls_run_open_named(run, &run->critic_source, "value_model", path_of(run)));
    LS_TRY(ls_model_source_want_head(&run->critic_source, "value_model", LS_HEAD_SCORE));
    LS_TRY(ls_model_source_make(&run->critic, &run->critic_source, &run->dev, arena,
                                LS_MODEL_TRAINED, t->grad_leaves, (uint64_t)t->seed));
    ls_optimizer_init(&run->critic_optimizer, run->critic, arena, &run->optimizer.options);
    run->critic_schedule = run->schedule;
    if (t->value_learning_rate > 0)
        run->critic_schedule.learning_rate = t->value_learning_rate;
    return LEASH_OK;
}

void ls_run_build_critic_updater(ls_run *run)
{
    if (!run->critic)
        return;
    ls_sequences_take_values(&run->sequences, &run->arena[LS_ROLE_STEP]);
    run->critic_updater = run->updater;
    run->critic_updater.model = run->critic;
    run->critic_updater.optimizer = &run->critic_optimizer;
    run->critic_updater.plan = &run->critic_plan;
    run->critic_updater.wants_argmax = false;
}

leash_status ls_run_take_values(ls_run *run)
{
    ls_sequences *s = &run->sequences;
    ls_sequences_value(run->critic, &run->arena[LS_ROLE_PASS], s, ls_micro_sequences(run->o),
                       s->old_value);
    int64_t bad = ls_first_not_finite(s->old_value, s->n_targets);
    if (bad >= 0)
        return ls_fail(LEASH_NUMERIC,
                       "the critic's value in a completion of dataset row %lld is not finite: "
                       "lower value_learning_rate",
                       (long long)s->line[ls_sequences_of_target(s, bad)]);
    for (int64_t i = 0; i < s->n_seqs; i++) /* nothing is known of what it is worth */
        if (isnan(s->reward[i]))
            s->flags[i] |= LS_SEQ_MASKED;
    return LEASH_OK;
}

leash_status ls_run_update_critic(ls_run *run, int64_t first, int64_t end, ls_update_result *policy,
                                  ls_metrics *m)
{
    ls_update_result r;
    if (!run->critic)
        return LEASH_OK;
    double learning_rate = ls_schedule_at(&run->critic_schedule, run->state.updates);
    run->critic_updater.dump_dir = run->updater.dump_dir;
    leash_status status =
        ls_update_run(&run->critic_updater, &run->sequences, first, end, learning_rate, false, &r);
    if (status != LEASH_OK)
        return ls_fail_in(status, "the critic");
    policy->sums.value = r.sums.value;
    policy->n_rows += r.n_rows;
    ls_metrics_set(m, "value/grad_norm", r.report.grad_norm);
    ls_metrics_set(m, "value/learning_rate", learning_rate);
    return LEASH_OK;
}
