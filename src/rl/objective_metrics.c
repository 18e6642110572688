/* The metrics of an optimiser step, made of the sums over its tokens: one row each, NaN where the
 * step had nothing to measure. */
#include <math.h>
#include <stddef.h>

#include "rl/objective.h"

const ls_objective_metric_row ls_objective_metric_rows[] = {
#define LS_OBJECTIVE_METRIC_ROW(field, name, unit, meaning, formula) \
    {name, unit, meaning, formula, (int64_t)offsetof(ls_objective_metrics, field)},
    LS_OBJECTIVE_METRICS(LS_OBJECTIVE_METRIC_ROW)
#undef LS_OBJECTIVE_METRIC_ROW
};
const int64_t ls_n_objective_metrics = (int64_t)LS_COUNT(ls_objective_metric_rows);

static void finish_preference(ls_objective_metrics *m, const ls_objective_sums *sums,
                              const ls_objective_options *options)
{
    const ls_preference_sums *p = &sums->preference;
    double n_chosen = p->n_chosen ? (double)p->n_chosen : NAN;
    double n_rejected = p->n_rejected ? (double)p->n_rejected : NAN;
    double n_pairs = p->n_pairs ? (double)p->n_pairs : NAN;
    double has_reference = p->has_reference ? 1 : NAN;
    m->chosen_logp = p->chosen_logp / n_chosen;
    m->rejected_logp = p->rejected_logp / n_rejected;
    m->chosen_reward = options->beta * p->chosen_reward / n_chosen;
    m->rejected_reward = options->beta * p->rejected_reward / n_rejected;
    m->reward_margin = m->chosen_reward - m->rejected_reward;
    m->reward_accuracy = p->n_right / n_pairs;
    m->chosen_change = has_reference * p->chosen_change / n_chosen;
    m->rejected_change = has_reference * p->rejected_change / n_rejected;
    m->token_change = has_reference * p->token_change / n_chosen;
    m->displaced = has_reference * (double)p->n_displaced / n_chosen;
    m->nll_loss = p->nll / n_chosen;
    m->n_pairs_empty = p->n_pairs + p->n_empty ? (double)p->n_empty : NAN;
    m->baseline = p->has_baseline ? p->baseline : NAN;
}

static void finish_scores(ls_objective_metrics *m, const ls_objective_sums *sums)
{
    const ls_score_sums *s = &sums->score;
    double n = s->n ? (double)s->n : NAN, n_pairs = s->n_pairs ? (double)s->n_pairs : NAN;
    m->score_accuracy = s->n_right / n_pairs;
    m->score_margin = s->margin / n_pairs;
    m->score_min = s->n ? s->min : NAN;
    m->score_mean = s->sum / n;
    m->score_max = s->n ? s->max : NAN;
    m->step_accuracy = s->n_steps ? s->n_steps_right / (double)s->n_steps : NAN;
    const ls_distill_sums *d = &sums->distill;
    double n_positions = d->n ? (double)d->n : NAN;
    m->kl_forward = d->forward / n_positions;
    m->kl_reverse = d->reverse / n_positions;
    m->jsd = d->jsd / n_positions;
    m->teacher_tail = d->teacher_tail / n_positions;
    m->top1_agreement = d->n_agree / n_positions;
}

static void finish_value(ls_objective_metrics *m, const ls_value_sums *v)
{
    double n = v->n ? (double)v->n : NAN;
    double ret = v->ret / n, error = v->error / n;
    double var_ret = v->ret_sq / n - ret * ret, var_error = v->error_sq / n - error * error;
    m->value_loss = v->n ? v->loss : NAN;
    m->value_clip = (double)v->n_clipped / n;
    m->value_mean = v->value / n;
    m->return_mean = ret;
    m->explained_variance = var_ret > 0 ? 1 - var_error / var_ret : NAN;
}

ls_objective_metrics ls_objective_finish(const ls_objective_sums *sums,
                                         const ls_objective_options *options)
{
    double n = sums->n_tokens ? (double)sums->n_tokens : NAN;
    double n_seqs = sums->n_seqs ? (double)sums->n_seqs : NAN;
    double n_ratio = sums->has_ratio ? n : NAN;
    double n_kl = sums->has_kl ? n : NAN;
    ls_objective_metrics m = {
        .policy_loss = sums->policy_loss,
        .entropy = sums->entropy / (sums->has_entropy ? n : NAN),
        .kl = sums->k3 / n_kl,
        .tok_k1 = sums->k1 / n_kl,
        .seq_k1 = sums->k1 / (sums->has_kl ? n_seqs : NAN),
        .kl_coef = options->beta,
        .clip_low_mean = (double)sums->n_clip_low / n_ratio,
        .clip_low_min = sums->has_ratio ? sums->seq_low_min : NAN,
        .clip_high_mean = (double)sums->n_clip_high / n_ratio,
        .clip_high_max = sums->has_ratio ? sums->seq_high_max : NAN,
        .clip_region_mean = (double)(sums->n_clip_low + sums->n_clip_high) / n_ratio,
        .entropy_coef = options->entropy_coef,
        .off_policy =
            options->off_policy_mask_threshold > 0 ? (double)sums->n_off_policy / n_seqs : NAN,
        .ratio_min = sums->has_ratio ? sums->ratio_min : NAN,
        .ratio_mean = sums->ratio / n_ratio,
        .ratio_max = sums->has_ratio ? sums->ratio_max : NAN,
        .logp_mean = sums->logp / n,
        .n_tokens = (double)sums->n_tokens,
        .n_useful = (double)sums->n_useful,
        .n_ratio_clamped = (double)sums->n_ratio_clamped,
        .n_kl_clamped = (double)sums->n_kl_clamped,
    };
    finish_preference(&m, sums, options);
    finish_scores(&m, sums);
    finish_value(&m, &sums->value);
    m.loss = sums->policy_loss;
    if (sums->kl_loss != 0)
        m.loss += options->beta * sums->kl_loss;
    if (options->entropy_coef != 0)
        m.loss -= options->entropy_coef * sums->entropy_bonus;
    if (options->vf_coef > 0)
        m.loss += options->vf_coef * sums->value.loss;
    return m;
}
