/* From the rewards of a step to the advantage of every token: the reference's scores, KL in the
 * reward, the estimator, filters, and corrections of the policy term. */
#include "train/run.h"

#include <math.h>
#include <string.h>

#include "rl/gae.h"
#include "rl/multi_reward.h"
#include "rl/shaping.h"

/* Scores of the reference, and the KL in the reward: `shaped` holds a copy of the rewards, which
 * pays for it.  *token_cost takes what each token paid, where the KL is in the reward. */
static leash_status leash_rewards(ls_run *run, double *shaped, double **token_cost,
                                  ls_metrics *metrics)
{
    ls_sequences *s = &run->sequences;
    LS_TRY(ls_run_score_reference(run, s, metrics));
    if (run->plan.objective_options.kl_in != LS_KL_IN_REWARD)
        return LEASH_OK;
    *token_cost =
        ls_arena_alloc(&run->arena[LS_ROLE_STEP], (size_t)s->n_targets * sizeof **token_cost);
    leash_streams streams = ls_sequences_streams(s, true, true);
    (void)ls_kl_shape_rewards(shaped, *token_cost, &streams, NULL, run->state.beta);
    return LEASH_OK;
}

static leash_status estimate(ls_run *run, const ls_reward_batch *batch, ls_group_stats *groups)
{
    ls_sequences *s = &run->sequences;
    const ls_rl_plan *plan = &run->plan;
    if (!plan->normalises_each_reward)
        return ls_advantage_compute(s->advantage, plan->advantage, &plan->advantage_options, batch,
                                    groups);
    ls_arena *step = &run->arena[LS_ROLE_STEP];
    ls_multi_reward rewards = {
        .n_rewards = run->rewards.n, .score = run->scores, .weight = run->rewards.weight};
    double *scratch = ls_arena_alloc(step, 2 * (size_t)s->n_seqs * sizeof *scratch);
    ls_group_stats *each = ls_arena_alloc(step, (size_t)s->n_groups * sizeof *each);
    return ls_multi_reward_advantage(s->advantage, plan->advantage, &plan->advantage_options, batch,
                                     &rewards, each, scratch);
}

/* Update by update, since quantiles and ranks are those of an update. */
static void correct(ls_run *run, ls_metrics *metrics)
{
    ls_sequences *s = &run->sequences;
    const ls_correction_options *options = &run->plan.correction_options;
    ls_correction_report report = LS_CORRECTION_REPORT_INIT;
    ls_rng_name name = {.seed = (uint64_t)run->o->train.seed, .step = (uint32_t)run->state.step};
    leash_streams all = ls_sequences_streams(s, true, false);
    int64_t slices = ls_step_slices(run->o);
    for (int64_t slice = 0; slice < slices; slice++, name.prompt++) {
        int64_t first = s->n_seqs * slice / slices, end = s->n_seqs * (slice + 1) / slices,
                at = s->target_start[first];
        leash_streams view = ls_streams_range(&all, first, end);
        ls_correction_apply(s->token_advantage + at, s->anchor + at, &report, options, &view,
                            s->old_entropy + at, &name);
    }
    double n = report.n_tokens ? (double)report.n_tokens : NAN;
    ls_metrics_set(metrics, "correction/masked", (double)report.n_masked / n);
    if (options->kl_cov_ratio > 0)
        ls_metrics_set(metrics, "correction/held", (double)report.n_held / n);
    if (report.n_ratios == 0)
        return;
    ls_metrics_set(metrics, "sampling/importance_sampling_ratio/min", report.ratio_min);
    ls_metrics_set(metrics, "sampling/importance_sampling_ratio/mean",
                   report.ratio_sum / (double)report.n_ratios);
    ls_metrics_set(metrics, "sampling/importance_sampling_ratio/max", report.ratio_max);
}

/* Values of the critic and the rewards of tokens as it is to learn them. */
static leash_status ask_critic(ls_run *run, ls_reward_batch *batch, double *shaped,
                               double **token_cost)
{
    ls_sequences *s = &run->sequences;
    if (!run->critic)
        return LEASH_OK;
    LS_TRY(ls_run_take_values(run));
    batch->value = s->old_value;
    if (!run->o->rl.whiten_rewards)
        return LEASH_OK;
    if (!*token_cost)
        *token_cost =
            ls_arena_zalloc(&run->arena[LS_ROLE_STEP], (size_t)s->n_targets * sizeof **token_cost);
    ls_shape_whiten(shaped, *token_cost, s->target_start, s->n_seqs);
    batch->token_cost = *token_cost;
    return LEASH_OK;
}

leash_status ls_run_compute_advantages(ls_run *run, ls_metrics *metrics)
{
    ls_sequences *s = &run->sequences;
    ls_arena *step = &run->arena[LS_ROLE_STEP];
    ls_arena_mark mark = ls_arena_get_mark(step);
    double *token_cost = NULL;
    double *shaped = ls_arena_alloc(step, (size_t)s->n_seqs * sizeof *shaped);
    memcpy(shaped, s->reward, (size_t)s->n_seqs * sizeof *shaped);
    if (run->reference)
        LS_TRY(leash_rewards(run, shaped, &token_cost, metrics));
    ls_group_stats *groups = ls_arena_alloc(step, (size_t)s->n_groups * sizeof *groups);
    ls_reward_batch batch = {.n_seqs = s->n_seqs,
                             .n_groups = s->n_groups,
                             .reward = shaped,
                             .group = s->group,
                             .seq_start = s->target_start,
                             .token_cost = token_cost};
    LS_TRY(ask_critic(run, &batch, shaped, &token_cost));
    LS_TRY(ls_group_stats_compute(groups, &batch));
    LS_TRY(estimate(run, &batch, groups));
    if (run->plan.filter == LS_FILTER_DROP)
        (void)ls_filter_groups(s->flags, run->plan.filter, &batch, groups);
    if (run->o->rl.mask_truncated_completions)
        ls_filter_truncated(s->flags, s->n_seqs);
    ls_advantage_tokens(s->token_advantage, s->advantage, run->plan.advantage,
                        &run->plan.advantage_options, &batch);
    if (run->critic)
        ls_gae_returns(s->ret, &run->plan.advantage_options, &batch);
    ls_arena_rewind(step, mark);
    if (ls_correction_is_on(&run->plan.correction_options))
        correct(run, metrics);
    double sum = 0;
    int64_t n = 0;
    for (int64_t i = 0; i < s->n_seqs; i++) {
        if (s->flags[i] & (LS_SEQ_MASKED | LS_SEQ_DROPPED))
            continue;
        sum += fabs(s->advantage[i]);
        n++;
    }
    ls_metrics_set(metrics, "advantage/abs_mean", n ? sum / (double)n : 0);
    return LEASH_OK;
}
