/* Source of the RL methods: prompts, completions, rewards.  What is made of the rewards is in
 * train/advantages.c.
 *
 * With degenerate_groups = refill, groups without a signal are thrown away and more prompts are
 * sampled until the step is full or max_refill_rounds is reached (DAPO).  Rewards and group
 * statistics are logged over everything that was sampled. */
#include "train/run.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"
#include "reward/example.h"

/* Sums over what was sampled in a step, before any filter. */
typedef struct tally {
    double reward_sum, length_sum, length_max, length_min, ended_sum, ended_max, ended_min,
        entropy_sum;
    double score_sum[LS_REWARDS_MAX], score_square[LS_REWARDS_MAX];
    double kept_sum, kept_max;
    int64_t n, n_ended, n_scored, n_score[LS_REWARDS_MAX], n_cannot[LS_REWARDS_MAX];
    int64_t groups, degenerate, all_correct, all_wrong;
    double std_sum;
    int64_t std_n;
    int64_t rounds, generated, prefilled;
    double rollout_s, reward_s;
} tally;

typedef struct sampled { /* one round: its completions, judged */
    ls_rollout rollout;
    int64_t n_prompts;
    ls_prompt *prompts;
    const ls_example **examples;
    double *reward, *score; /* score (completions, rewards): before they are combined */
    double *model_score;    /* (completions) of the reward model; NULL: none */
    uint8_t *is_correct;
    int32_t *group;
    ls_group_stats *stats;
} sampled;

typedef struct progress {
    ls_run *run;
} progress;

static void report_progress(void *user, int64_t done, int64_t total, int64_t tokens)
{
    const progress *p = user;
    (void)tokens;
    if (p->run->hooks.on_progress)
        p->run->hooks.on_progress(p->run->hooks.user, p->run, "rollout",
                                  total ? (double)done / (double)total : 0);
}

/* What a round takes from the step's arena, completions left out. */
static sampled take_round(ls_run *run, int64_t n_prompts)
{
    ls_arena *step = &run->arena[LS_ROLE_STEP];
    size_t n = (size_t)n_prompts, n_seqs = n * (size_t)run->o->rl.num_generations;
    sampled round = {.n_prompts = n_prompts};
    round.prompts = ls_arena_alloc(step, n * sizeof *round.prompts);
    round.examples = ls_arena_alloc(step, n * sizeof *round.examples);
    round.reward = ls_arena_alloc(step, n_seqs * sizeof *round.reward);
    round.score = ls_arena_alloc(step, n_seqs * (size_t)run->rewards.n * sizeof *round.score);
    if (run->reward_model)
        round.model_score = ls_arena_alloc(step, n_seqs * sizeof *round.model_score);
    round.is_correct = ls_arena_alloc(step, n_seqs);
    round.group = ls_arena_alloc(step, n_seqs * sizeof *round.group);
    round.stats = ls_arena_alloc(step, n * sizeof *round.stats);
    return round;
}

leash_status ls_run_measure_rollouts(ls_run *run)
{
    ls_arena *step = &run->arena[LS_ROLE_STEP];
    ls_arena_mark mark = ls_arena_get_mark(step);
    int64_t n_seqs = ls_step_sequences(run->o);
    (void)take_round(run, n_seqs / run->o->rl.num_generations);
    LS_TRY(ls_engine_measure(run->engine, step, n_seqs, run->o->sampling.max_completion_length));
    ls_arena_rewind(step, mark);
    return LEASH_OK;
}

/* The engine knows prompt and token; the prompts alone, without a cache, mostly tell op and
 * layer as well. */
static leash_status explain_not_finite(ls_run *run, const sampled *round, leash_status status)
{
    ls_sequences *s = &run->sequences;
    ls_sequences_clear(s);
    for (int64_t p = 0; p < round->n_prompts; p++)
        s->line[ls_sequences_add_completion(s, round->prompts[p].ids, round->prompts[p].n_ids, NULL,
                                            0)] = round->examples[p]->line;
    leash_status found = ls_update_check_finite(&run->updater, s);
    return found == LEASH_OK ? status : found;
}

ls_rollout_request ls_run_rollout_request(const ls_run *run, const ls_prompt *prompts, int64_t n)
{
    ls_rollout_request request = {.prompts = prompts,
                                  .n_prompts = n,
                                  .sampling = run->o->sampling,
                                  .seed = (uint64_t)run->o->train.seed,
                                  .purpose = LS_RNG_SAMPLE,
                                  .step = (uint32_t)run->state.step,
                                  .should_stop = run->hooks.should_stop};
    request.n_stop_ids = ls_tokenizer_stop_ids(run->source.tokenizer, &request.stop_ids);
    return request;
}

static leash_status sample_round(ls_run *run, sampled *round, int64_t n_prompts)
{
    ls_arena *step = &run->arena[LS_ROLE_STEP];
    int64_t group_size = run->o->rl.num_generations;
    *round = take_round(run, n_prompts);
    ls_prompt *prompts = round->prompts;
    for (int64_t i = 0; i < n_prompts; i++, run->state.draws++) {
        LS_TRY(ls_dataset_take(&run->data, run->state.draws, &run->taken, &round->examples[i]));
        const ls_example *example = round->examples[i];
        prompts[i] = (ls_prompt){.ids = example->ids,
                                 .n_ids = example->n_prompt,
                                 .prompt_id = (uint32_t)run->state.draws,
                                 .n_samples = (int32_t)group_size};
    }
    progress p = {run};
    ls_rollout_request request = ls_run_rollout_request(run, prompts, n_prompts);
    request.on_progress = report_progress;
    request.user = &p;
    leash_status status = ls_engine_run(run->engine, &request, step, &round->rollout);
    return status == LEASH_NUMERIC ? explain_not_finite(run, round, status) : status;
}

static void count_completion(tally *t, const ls_completion *c)
{
    double n = c->n_tokens;
    t->length_min = t->n == 0 || n < t->length_min ? n : t->length_min;
    t->length_max = n > t->length_max ? n : t->length_max;
    t->length_sum += n;
    t->n++;
    for (int32_t i = 0; i < c->n_tokens; i++) {
        t->entropy_sum += c->entropy[i];
        t->kept_sum -= c->log_kept[i];
        if (-c->log_kept[i] > t->kept_max)
            t->kept_max = -c->log_kept[i];
    }
    if (c->finish != LS_FINISH_STOP)
        return;
    t->ended_min = t->n_ended == 0 || n < t->ended_min ? n : t->ended_min;
    t->ended_max = n > t->ended_max ? n : t->ended_max;
    t->ended_sum += n;
    t->n_ended++;
}

static void count_verdicts(tally *t, const ls_verdict *verdicts, int64_t n)
{
    for (int64_t k = 0; k < n; k++) {
        if (verdicts[k].kind == LS_VERDICT_CANNOT_JUDGE) {
            t->n_cannot[k]++;
            continue;
        }
        t->n_score[k]++;
        t->score_sum[k] += verdicts[k].score;
        t->score_square[k] += verdicts[k].score * verdicts[k].score;
    }
}

/* Rewards of a round and the statistics of its groups. */
static leash_status judge_round(ls_run *run, sampled *round, tally *t)
{
    size_t n = (size_t)round->rollout.n_completions;
    double started = ls_clock_seconds();
    ls_str *text = &run->text;
    if (run->reward_model)
        LS_TRY(ls_run_score_completions(run, &round->rollout, round->prompts, round->model_score));
    for (size_t i = 0; i < n; i++) {
        const ls_completion *c = &round->rollout.completions[i];
        const ls_example *example = round->examples[c->prompt];
        ls_verdict verdicts[LS_REWARDS_MAX];
        ls_str_clear(text);
        ls_tokenizer_decode(run->source.tokenizer, c->ids, c->n_tokens, false, text);
        ls_reward_columns columns;
        ls_reward_input input = ls_example_reward_input(example, text->data, text->len, &columns);
        input.model_score = round->model_score ? &round->model_score[i] : NULL;
        round->reward[i] = ls_reward_total(verdicts, &run->rewards, &input, LS_STRICT);
        round->is_correct[i] = verdicts[run->rewards.main].kind == LS_VERDICT_OK;
        if (run->o->rl.overlong_cache > 0)
            round->reward[i] += ls_overlong_penalty(
                c->n_tokens, run->o->sampling.max_completion_length, run->o->rl.overlong_cache);
        if (c->finish == LS_FINISH_LENGTH)
            round->reward[i] -= run->o->rl.missing_eos_penalty;
        round->group[i] = (int32_t)c->prompt;
        count_completion(t, c);
        count_verdicts(t, verdicts, run->rewards.n);
        for (int64_t k = 0; k < run->rewards.n; k++)
            round->score[(int64_t)i * run->rewards.n + k] =
                verdicts[k].kind == LS_VERDICT_CANNOT_JUDGE ? NAN : verdicts[k].score;
        if (!isnan(round->reward[i])) {
            t->reward_sum += round->reward[i];
            t->n_scored++;
        }
    }
    t->reward_s += ls_clock_seconds() - started;
    ls_reward_batch batch = {.n_seqs = (int64_t)n,
                             .n_groups = round->n_prompts,
                             .reward = round->reward,
                             .group = round->group,
                             .is_correct = round->is_correct};
    return ls_group_stats_compute(round->stats, &batch);
}

static void count_groups(tally *t, const sampled *round)
{
    for (int64_t g = 0; g < round->n_prompts; g++) {
        const ls_group_stats *stats = &round->stats[g];
        t->groups++;
        t->degenerate += stats->is_degenerate;
        t->all_correct += stats->n_scored > 0 && stats->n_correct == stats->n_scored;
        t->all_wrong += stats->n_scored > 0 && stats->n_correct == 0;
        if (stats->n_scored > 0) {
            t->std_sum += stats->std;
            t->std_n++;
        }
    }
}

/* Moves the round's groups (all, or those with a signal) into the sequences of the step while there
 * is room. */
static int64_t keep_groups(ls_run *run, const sampled *round, bool only_useful)
{
    ls_sequences *s = &run->sequences;
    int64_t kept = 0, size = run->o->rl.num_generations;
    for (int64_t g = 0; g < round->n_prompts && s->n_seqs + size <= s->max_seqs; g++) {
        if (only_useful && round->stats[g].is_degenerate)
            continue;
        for (int64_t k = 0; k < size; k++) {
            const ls_completion *c = &round->rollout.completions[g * size + k];
            const ls_prompt *prompt = &round->prompts[c->prompt];
            int64_t i = ls_sequences_add_completion(s, prompt->ids, prompt->n_ids, c->ids,
                                                    c->n_tokens),
                    at = s->target_start[i];
            memcpy(s->old_logp + at, c->logp, (size_t)c->n_tokens * sizeof(float));
            memcpy(s->old_entropy + at, c->entropy, (size_t)c->n_tokens * sizeof(float));
            s->example[i] = round->examples[c->prompt];
            s->line[i] = s->example[i]->line;
            s->sample[i] = c->sample;
            s->group[i] = (int32_t)s->n_groups;
            s->flags[i] = c->finish == LS_FINISH_LENGTH ? LS_SEQ_TRUNCATED : 0;
            s->reward[i] = round->reward[g * size + k];
            for (int32_t t = 0; t < c->n_tokens; t++)
                s->sampler_logp[at + t] = c->logp[t] - c->log_kept[t];
            memcpy(run->scores + i * run->rewards.n, round->score + (g * size + k) * run->rewards.n,
                   (size_t)run->rewards.n * sizeof *run->scores);
        }
        s->n_groups++;
        kept++;
    }
    return kept;
}

static leash_status fill_step(ls_run *run, tally *t)
{
    const ls_run_options *o = run->o;
    ls_refill fill = {.n_wanted = ls_step_sequences(o) / o->rl.num_generations,
                      .max_rounds = o->rl.max_refill_rounds};
    bool refills = run->plan.filter == LS_FILTER_REFILL;
    if (!refills)
        fill.max_rounds = 1;
    for (int64_t n; (n = ls_refill_next(&fill)) > 0;) {
        ls_arena_mark mark = ls_arena_get_mark(&run->arena[LS_ROLE_STEP]);
        sampled round;
        double started = ls_clock_seconds();
        LS_TRY(sample_round(run, &round, n));
        t->rollout_s += ls_clock_seconds() - started;
        LS_TRY(judge_round(run, &round, t));
        count_groups(t, &round);
        t->generated += round.rollout.n_tokens;
        t->prefilled += round.rollout.n_prefill_tokens;
        fill.n_kept += keep_groups(run, &round, refills);
        fill.n_sampled += n;
        fill.n_rounds++;
        ls_arena_rewind(&run->arena[LS_ROLE_STEP], mark);
    }
    t->rounds = fill.n_rounds;
    return LEASH_OK;
}

static void report_tally(ls_run *run, const tally *t, ls_metrics *m)
{
    double n = (double)t->n, ended = (double)t->n_ended, groups = (double)t->groups;
    ls_metrics_set(m, "reward", t->n_scored ? t->reward_sum / (double)t->n_scored : NAN);
    ls_metrics_set(m, "reward_std", t->std_n ? t->std_sum / (double)t->std_n : NAN);
    ls_metrics_set(m, "frac_reward_zero_std", (double)t->degenerate / groups);
    ls_metrics_set(m, "groups/all_correct", (double)t->all_correct / groups);
    ls_metrics_set(m, "groups/all_wrong", (double)t->all_wrong / groups);
    ls_metrics_set(m, "groups/sampled", groups);
    ls_metrics_set(m, "groups/rounds", (double)t->rounds);
    for (int64_t k = 0; k < run->rewards.n; k++) {
        const char *name = run->rewards.reward[k]->name;
        double count = (double)t->n_score[k], mean = count > 0 ? t->score_sum[k] / count : NAN;
        double variance = count > 1 ? (t->score_square[k] - count * mean * mean) / (count - 1) : 0;
        ls_metrics_setf(m, mean, "rewards/%s/mean", name);
        ls_metrics_setf(m, count > 0 ? sqrt(variance > 0 ? variance : 0) : NAN, "rewards/%s/std",
                        name);
        ls_metrics_setf(m, (double)t->n_cannot[k] / n, "rewards/%s/cannot_judge", name);
    }
    ls_metrics_set(m, "completions/mean_length", t->length_sum / n);
    ls_metrics_set(m, "completions/min_length", t->length_min);
    ls_metrics_set(m, "completions/max_length", t->length_max);
    ls_metrics_set(m, "completions/mean_terminated_length",
                   t->n_ended ? t->ended_sum / ended : NAN);
    ls_metrics_set(m, "completions/min_terminated_length", t->n_ended ? t->ended_min : NAN);
    ls_metrics_set(m, "completions/max_terminated_length", t->n_ended ? t->ended_max : NAN);
    ls_metrics_set(m, "completions/clipped_ratio", (n - ended) / n);
    ls_metrics_set(m, "entropy/rollout", t->entropy_sum / t->length_sum);
    ls_metrics_set(m, "sampling/sampling_logp_difference/mean", t->kept_sum / t->length_sum);
    ls_metrics_set(m, "sampling/sampling_logp_difference/max", t->kept_max);
    ls_metrics_set(m, "time/rollout_s", t->rollout_s);
    ls_metrics_set(m, "time/reward_s", t->reward_s);
    ls_metrics_set(m, "tokens_per_second/rollout",
                   t->rollout_s > 0 ? (double)t->generated / t->rollout_s : NAN);
    ls_metrics_set(m, "epoch", (double)run->state.draws / (double)run->data.n_rows);
}

leash_status ls_run_take_rollouts(ls_run *run, ls_metrics *metrics)
{
    tally t = {0};
    ls_sequences_clear(&run->sequences);
    ls_arena_rewind(&run->taken, 0);
    LS_TRY(fill_step(run, &t));
    run->state.episodes += t.n;
    run->state.tokens += t.generated + t.prefilled;
    report_tally(run, &t, metrics);
    if (run->sequences.n_seqs == 0)
        return LEASH_OK;
    return run->plan.needs & LS_NEED_ADVANTAGE ? ls_run_compute_advantages(run, metrics)
                                               : ls_run_select(run, metrics);
}
