/* Source of DPO, KTO and their kin: rows of the dataset as pairs of completions, or as completions
 * with a label, with what their objectives compare them to.
 *
 * Sequences 2i and 2i + 1 are the chosen and the rejected completion of a row of pairs.  The
 * reference has scored every target before the step's update.  The baselines of kto and bco are
 * numbers of the whole update, so they are made here as well:
 *     kto   prompt i with the next completion of the update that belongs to another prompt, cut at
 *           the longest sequence of the dataset, under policy and reference.  A prompt that all
 *           others share has none.  (TRL takes the completion before it in the batch, whatever its
 *           prompt is.)
 *     bco   the completions themselves under the policy, into a running mean
 * With beta_dpo the policy scores pairs first as well: it decides which of them the update sees and
 * with what beta (rl/pair_data.h). */
#include "train/run.h"

#include <string.h>

#include "base/log.h"
#include "rl/pair_data.h"
#include "rl/unpaired.h"

/* The labels of the steps that end at the targets of sequence i. */
static void set_steps(ls_sequences *s, int64_t i, const ls_example *e)
{
    int64_t t = s->target_start[i];
    for (int32_t k = 0; k < e->n_steps; k++)
        if (e->step_end[k] > 0)
            s->step_label[t++] = e->step_label[k];
    LS_ASSERT_EQ(t, s->target_start[i + 1]);
}

void ls_run_check_labels(const ls_run *run)
{
    const ls_dataset *data = &run->data;
    const ls_objective_options *o = &run->plan.objective_options;
    int64_t n_desirable = 0;
    if (run->is_dry || !data->rows || data->mix || run->plan.objective != &ls_objective_kto)
        return;
    for (int64_t i = 0; i < data->n_rows; i++)
        n_desirable += data->rows[i].label == 1;
    double balance = ls_kto_balance(o->desirable_weight, n_desirable, o->undesirable_weight,
                                    data->n_rows - n_desirable);
    if (balance >= 1 && balance <= 1.5)
        return;
    ls_warn("%s has %lld desirable and %lld undesirable completions; KTO wants desirable_weight * "
            "desirable to be 1 to 1.5 times undesirable_weight * undesirable, and it is %.2f times",
            data->name, (long long)n_desirable, (long long)(data->n_rows - n_desirable), balance);
}

static void add_sequence(ls_run *run, const ls_example *e, int32_t sample)
{
    ls_sequences *s = &run->sequences;
    int64_t n = e->n_prompt, i = run->plan.objective == &ls_objective_reward
                                     ? ls_sequences_add_scored(s, &run->model->config, e->ids, n,
                                                               e->ids + n, e->n_tokens - n)
                                     : ls_sequences_add(s, e->ids, e->n_tokens, e->mask);
    if (e->n_steps > 0)
        set_steps(s, i, e);
    s->margin[i] = e->margin;
    s->example[i] = e;
    s->line[i] = e->line;
    s->n_prompt[i] = e->n_prompt;
    s->sample[i] = sample;
    s->label[i] = e->label == 0 ? 0 : 1;
}

void ls_run_add_example(ls_run *run, const ls_example *example)
{
    add_sequence(run, example, 0);
    if (example->rejected)
        add_sequence(run, example->rejected, 1);
}

static bool has_same_prompt(const ls_sequences *s, int64_t i, int64_t j)
{
    return s->n_prompt[i] == s->n_prompt[j] && memcmp(s->ids + s->start[i], s->ids + s->start[j],
                                                      (size_t)s->n_prompt[i] * sizeof *s->ids) == 0;
}

/* Completions under prompts that are not theirs. */
static void make_mismatched(ls_run *run)
{
    const ls_sequences *s = &run->sequences;
    ls_sequences *out = &run->regrouped;
    ls_sequences_clear(out);
    for (int64_t i = 0; i < s->n_seqs; i++) {
        int64_t j = i, room = run->max_length - s->n_prompt[i];
        do {
            j = (j + 1) % s->n_seqs;
        } while (j != i && has_same_prompt(s, i, j));
        int64_t n = s->start[j + 1] - s->start[j] - s->n_prompt[j];
        if (j == i || room <= 0)
            continue;
        int64_t k =
            ls_sequences_add_completion(out, s->ids + s->start[i], s->n_prompt[i],
                                        s->ids + s->start[j] + s->n_prompt[j], n < room ? n : room);
        out->line[k] = s->line[i];
    }
}

/* sum[i] = sum of x over the targets of sequence i */
static void sum_targets(double *sum, const ls_sequences *s, const float *x)
{
    for (int64_t i = 0; i < s->n_seqs; i++) {
        sum[i] = 0;
        for (int64_t t = s->target_start[i]; t < s->target_start[i + 1]; t++)
            sum[i] += (double)x[t];
    }
}

static leash_status make_kto_baseline(ls_run *run)
{
    ls_sequences *mismatched = &run->regrouped;
    double *logp = run->scratch, *ref_logp = logp + run->sequences.max_seqs;
    make_mismatched(run);
    LS_TRY(ls_run_score(run, run->model, mismatched, mismatched->logp));
    LS_TRY(ls_run_score(run, run->reference, mismatched, mismatched->ref_logp));
    sum_targets(logp, mismatched, mismatched->logp);
    sum_targets(ref_logp, mismatched, mismatched->ref_logp);
    run->sequences.baseline = ls_kto_baseline(logp, ref_logp, mismatched->n_seqs);
    return LEASH_OK;
}

/* logp - ref_logp of each sequence under the policy as it is, into the scratch. */
static leash_status make_log_ratios(ls_run *run, double **log_ratio)
{
    ls_sequences *s = &run->sequences;
    double *logp = run->scratch, *ref_logp = logp + s->max_seqs;
    LS_TRY(ls_run_score(run, run->model, s, s->logp));
    sum_targets(logp, s, s->logp);
    sum_targets(ref_logp, s, s->ref_logp);
    for (int64_t i = 0; i < s->n_seqs; i++)
        logp[i] -= ref_logp[i];
    *log_ratio = logp;
    return LEASH_OK;
}

static leash_status make_bco_baseline(ls_run *run)
{
    ls_sequences *s = &run->sequences;
    double *reward;
    ls_train_state *state = &run->state;
    ls_running running = {state->reward_n, state->reward_mean, state->reward_squares};
    LS_TRY(make_log_ratios(run, &reward));
    for (int64_t i = 0; i < s->n_seqs; i++)
        reward[i] *= run->plan.objective_options.beta;
    s->baseline = ls_bco_baseline(&running, reward, s->n_seqs);
    state->reward_n = running.n;
    state->reward_mean = running.mean;
    state->reward_squares = running.squares;
    return LEASH_OK;
}

/* The pairs that are drawn stay, the others are dropped; the step's beta. */
static leash_status choose_pairs(ls_run *run)
{
    ls_sequences *s = &run->sequences;
    const ls_rl_options *o = &run->o->rl;
    ls_train_state *state = &run->state;
    int64_t n = s->n_seqs / 2;
    double *gap;
    uint8_t *keep = (uint8_t *)(run->scratch + s->max_seqs);
    ls_beta_dpo b = {.beta = state->beta,
                     .a = o->beta_dpo_a,
                     .rho = o->beta_dpo_rho,
                     .ema = o->beta_dpo_ema,
                     .mean = state->gap_mean,
                     .std = state->gap_std,
                     .n_steps = state->gap_n};
    ls_rng_name name = {.seed = (uint64_t)run->o->train.seed,
                        .purpose = LS_RNG_CORRECTION,
                        .step = (uint32_t)state->step};
    LS_TRY(make_log_ratios(run, &gap));
    for (int64_t i = 0; i < n; i++)
        gap[i] = gap[2 * i] - gap[2 * i + 1];
    ls_beta_dpo_observe(&b, gap, n);
    (void)ls_beta_dpo_draw(keep, &b, gap, n, &name);
    for (int64_t i = 0; i < s->n_seqs; i++)
        s->flags[i] |= keep[i / 2] ? 0 : LS_SEQ_DROPPED;
    run->plan.objective_options.beta = ls_beta_dpo_beta(&b, gap, keep, n);
    state->gap_n = b.n_steps;
    state->gap_mean = b.mean;
    state->gap_std = b.std;
    return LEASH_OK;
}

leash_status ls_run_take_completions(ls_run *run, ls_metrics *metrics)
{
    ls_sequences *s = &run->sequences;
    int64_t n_rows = ls_step_sequences(run->o) / ls_row_sequences(run->o);
    ls_sequences_clear(s);
    ls_arena_rewind(&run->taken, 0);
    for (int64_t i = 0; i < n_rows; i++, run->state.draws++) {
        const ls_example *example;
        LS_TRY(ls_dataset_take(&run->data, run->state.draws, &run->taken, &example));
        ls_run_add_example(run, example);
    }
    if (run->plan.needs & LS_NEED_REF_LOGP)
        LS_TRY(ls_run_score_reference(run, s, metrics));
    if (run->plan.objective == &ls_objective_kto)
        LS_TRY(make_kto_baseline(run));
    if (run->plan.objective == &ls_objective_bco)
        LS_TRY(make_bco_baseline(run));
    if (run->o->rl.beta_dpo)
        LS_TRY(choose_pairs(run));
    ls_metrics_set(metrics, "epoch", (double)run->state.draws / (double)run->data.n_rows);
    run->state.tokens += s->start[s->n_seqs];
    run->state.episodes += s->n_seqs;
    return LEASH_OK;
}
