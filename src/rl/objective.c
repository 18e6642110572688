/* What all objectives share: the walk over sequences, the KL and entropy terms, the sums and the
 * metrics made of them. An objective's own term is one function in rl/objective/. */
#include "rl/objective.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

const ls_objective *const ls_objectives[] = {
#define LS_OBJECTIVE_ROW(symbol, name) &symbol,
#include "rl/objective.def"
#undef LS_OBJECTIVE_ROW
};
const int64_t ls_n_objectives = (int64_t)LS_COUNT(ls_objectives);

const ls_objective *ls_objective_find(const char *name)
{
    for (int64_t i = 0; i < ls_n_objectives; i++) {
        if (strcmp(ls_objectives[i]->name, name) == 0)
            return ls_objectives[i];
    }
    return NULL;
}

static bool has_kl_loss(const ls_objective_options *options)
{
    return options->beta > 0 && options->kl_in == LS_KL_IN_LOSS;
}

unsigned ls_objective_needs(const ls_objective *objective, const ls_objective_options *options)
{
    unsigned needs = objective->needs;
    if (options->beta > 0)
        needs |= LS_NEED_REF_LOGP;
    if (options->beta > 0 && (options->kl_in == LS_KL_IN_REWARD || options->use_bias_correction_kl))
        needs |= LS_NEED_OLD_LOGP;
    if (options->off_policy_mask_threshold > 0)
        needs |= LS_NEED_OLD_LOGP;
    if (options->entropy_coef != 0)
        needs |= LS_NEED_ENTROPY;
    return needs;
}

static leash_status check_clip(const ls_objective_options *options)
{
    double high = ls_objective_epsilon_high(options);
    if (!(options->epsilon >= 0))
        return ls_fail(LEASH_USAGE, "epsilon is %g, expected a clip width of 0 or more",
                       options->epsilon);
    if (options->delta != 0 && !(options->delta > 1 + high))
        return ls_fail(LEASH_USAGE,
                       "delta is %g, expected 0 (off) or more than 1 + epsilon_high = %g: "
                       "below that it would undo the clip",
                       options->delta, 1 + high);
    if (options->dual_clip != 0 && !(options->dual_clip > 1))
        return ls_fail(LEASH_USAGE, "dual_clip is %g, expected 0 (off) or more than 1",
                       options->dual_clip);
    return LEASH_OK;
}

leash_status ls_objective_check(const ls_objective *objective, const ls_objective_options *options)
{
    LS_TRY(check_clip(options));
    if (objective->check)
        LS_TRY(objective->check(options));
    if (options->importance_sampling_level != LS_RATIO_TOKEN && !objective->has_ratio_level)
        return ls_fail(LEASH_USAGE,
                       "importance_sampling_level has no effect on objective %s; set objective: "
                       "ppo-clip, or importance_sampling_level: token",
                       objective->name);
    if (!(options->off_policy_mask_threshold >= 0))
        return ls_fail(LEASH_USAGE, "off_policy_mask_threshold is %g, expected 0 (off) or more",
                       options->off_policy_mask_threshold);
    if (!(options->beta >= 0))
        return ls_fail(LEASH_USAGE, "beta is %g, expected 0 or more", options->beta);
    if (options->beta > 0 && options->kl_in == LS_KL_IN_REWARD) {
        if (!(objective->needs & LS_NEED_ADVANTAGE))
            return ls_fail(LEASH_USAGE,
                           "kl_in is reward, but objective %s uses no reward; set kl_in: loss",
                           objective->name);
        if (options->kl_estimator != LS_KL_K1)
            return ls_fail(LEASH_USAGE,
                           "kl_estimator %s in the reward does not have the gradient of the KL; "
                           "set kl_estimator: k1 or kl_in: loss",
                           ls_kl_names[options->kl_estimator]);
        if (options->use_bias_correction_kl)
            return ls_fail(LEASH_USAGE, "use_bias_correction_kl acts on a KL term of the loss, but "
                                        "kl_in is reward; set one of them");
    }
    if (has_kl_loss(options) && options->kl_estimator == LS_KL_K1 &&
        !options->use_bias_correction_kl)
        return ls_fail(LEASH_USAGE, "kl_estimator k1 as a loss has no gradient in expectation; set "
                                    "kl_estimator: k2 or k3, use_bias_correction_kl: true, or "
                                    "kl_in: reward");
    return LEASH_OK;
}

double ls_objective_ratio(ls_objective_sums *sums, double log_ratio, bool *is_clamped)
{
    *is_clamped = log_ratio > LS_LOG_RATIO_MAX || log_ratio < -LS_LOG_RATIO_MAX;
    if (*is_clamped)
        log_ratio = log_ratio > 0 ? LS_LOG_RATIO_MAX : -LS_LOG_RATIO_MAX;
    double rho = exp(log_ratio);
    sums->has_ratio = true;
    sums->n_ratio_clamped += *is_clamped;
    sums->ratio += rho;
    sums->ratio_min = fmin(sums->ratio_min, rho);
    sums->ratio_max = fmax(sums->ratio_max, rho);
    return rho;
}

double ls_objective_log_ratio(const ls_objective_seq *seq, int64_t *n_active)
{
    double sum = 0;
    *n_active = 0;
    for (int64_t t = 0; t < seq->n; t++) {
        if (seq->weight[t] == 0)
            continue;
        sum += (double)seq->logp[t] - (double)seq->old_logp[t];
        ++*n_active;
    }
    return sum;
}

double ls_objective_epsilon_high(const ls_objective_options *options)
{
    return options->epsilon_high < 0 ? options->epsilon : options->epsilon_high;
}

void ls_objective_sums_init(ls_objective_sums *sums)
{
    *sums = (ls_objective_sums){.ratio_min = INFINITY,
                                .ratio_max = -INFINITY,
                                .seq_low_min = INFINITY,
                                .seq_high_max = -INFINITY};
}

/* Adds the KL term of token t to sums and to *dlogp. */
static void add_kl(float *dlogp, ls_objective_sums *sums, const ls_objective_options *options,
                   const leash_streams *streams, double logp, int64_t t)
{
    double d = logp - (double)streams->ref_logp[t], weight = (double)streams->weight[t];
    ls_kl_value k1 = ls_kl_estimate(LS_KL_K1, d);
    sums->has_kl = true;
    sums->n_kl_clamped += k1.is_clamped;
    sums->k1 += k1.value;
    sums->k3 += ls_kl_estimate(LS_KL_K3, d).value;
    if (!has_kl_loss(options))
        return;
    ls_kl_value k = options->use_bias_correction_kl
                        ? ls_kl_estimate_corrected(options->kl_estimator, d,
                                                   logp - (double)streams->old_logp[t])
                        : ls_kl_estimate(options->kl_estimator, d);
    sums->kl_loss += weight * k.value;
    *dlogp = (float)((double)*dlogp + weight * options->beta * k.slope);
}

/* Adds anchor |logp - old_logp| of token t, whose gradient is 0 where both are equal. */
static void add_anchor(float *dlogp, ls_objective_sums *sums, const leash_streams *streams,
                       double logp, int64_t t)
{
    double d = logp - (double)streams->old_logp[t];
    double coefficient = (double)streams->weight[t] * (double)streams->anchor[t];
    sums->policy_loss += coefficient * fabs(d);
    *dlogp = (float)((double)*dlogp + coefficient * (d > 0 ? 1 : d < 0 ? -1 : 0));
}

/* The terms that every objective has, for tokens [first, end) of one sequence.  Returns the number
 * of unmasked tokens. */
static int64_t add_common(const ls_objective_options *options, const leash_streams *streams,
                          const leash_scores *scores, const leash_seeds *seeds,
                          ls_objective_sums *sums, int64_t first, int64_t end)
{
    int64_t n_active = 0;
    for (int64_t t = first; t < end; t++) {
        double weight = (double)streams->weight[t];
        if (weight == 0)
            continue;
        n_active++;
        sums->logp += (double)scores->logp[t];
        sums->n_useful += !streams->advantage || streams->advantage[t] != 0;
        if (streams->ref_logp)
            add_kl(&seeds->dlogp[t], sums, options, streams, (double)scores->logp[t], t);
        if (streams->anchor && streams->anchor[t] != 0)
            add_anchor(&seeds->dlogp[t], sums, streams, (double)scores->logp[t], t);
        if (scores->entropy) {
            sums->has_entropy = true;
            sums->entropy += (double)scores->entropy[t];
            sums->entropy_bonus += weight * (double)scores->entropy[t];
        }
        if (seeds->dentropy)
            seeds->dentropy[t] = (float)(-weight * options->entropy_coef);
    }
    return n_active;
}

static const float *from(const float *array, int64_t first)
{
    return array ? array + first : NULL;
}

/* Whether off_policy_mask_threshold takes the policy term of a sequence away: it is to become less
 * likely, and already is by much against the distribution that it was sampled from. */
static bool is_off_policy(const ls_objective_options *options, const ls_objective_seq *seq,
                          const float *sampled_from)
{
    if (!(options->off_policy_mask_threshold > 0) || !seq->advantage)
        return false;
    double fall = 0, advantage = 0, n = 0;
    for (int64_t t = 0; t < seq->n; t++) {
        if (seq->weight[t] == 0)
            continue;
        fall += (double)sampled_from[t] - (double)seq->logp[t];
        advantage += (double)seq->advantage[t];
        n++;
    }
    return advantage < 0 && fall / n > options->off_policy_mask_threshold;
}

/* A masked sequence still takes part in the statistics of the ratio. */
static void count_off_policy(ls_objective_sums *sums, const ls_objective_seq *seq)
{
    bool is_clamped;
    sums->n_off_policy++;
    for (int64_t t = 0; t < seq->n; t++) {
        if (seq->weight[t] != 0)
            (void)ls_objective_ratio(sums, (double)seq->logp[t] - (double)seq->old_logp[t],
                                     &is_clamped);
    }
}

void ls_objective_run(const ls_objective *objective, const ls_objective_options *options,
                      const leash_streams *streams, const leash_scores *scores,
                      const leash_seeds *seeds, ls_objective_sums *sums)
{
    unsigned needs = ls_objective_needs(objective, options);
    LS_ASSERT(streams->weight && scores->logp && seeds->dlogp);
    LS_ASSERT(!(needs & LS_NEED_OLD_LOGP) || streams->old_logp);
    LS_ASSERT(!has_kl_loss(options) || streams->ref_logp);
    LS_ASSERT(!(needs & LS_NEED_ADVANTAGE) || streams->advantage);
    LS_ASSERT(!(needs & LS_NEED_ENTROPY) || (scores->entropy && seeds->dentropy));

    memset(seeds->dlogp, 0, (size_t)streams->n_tokens * sizeof(float));
    if (seeds->dentropy)
        memset(seeds->dentropy, 0, (size_t)streams->n_tokens * sizeof(float));
    for (int64_t i = 0; i < streams->n_seqs; i++) {
        int64_t first = streams->seq_start[i] - streams->seq_start[0];
        int64_t end = streams->seq_start[i + 1] - streams->seq_start[0];
        int64_t n_low = sums->n_clip_low, n_high = sums->n_clip_high;
        ls_objective_seq seq = {.n = end - first,
                                .logp = scores->logp + first,
                                .old_logp = from(streams->old_logp, first),
                                .advantage = from(streams->advantage, first),
                                .weight = streams->weight + first};
        const float *sampler_logp = from(streams->sampler_logp, first);
        if (is_off_policy(options, &seq, sampler_logp ? sampler_logp : seq.old_logp))
            count_off_policy(sums, &seq);
        else
            objective->run(seeds->dlogp + first, sums, options, &seq);
        int64_t n_active = add_common(options, streams, scores, seeds, sums, first, end);
        if (n_active == 0)
            continue;
        sums->n_tokens += n_active;
        sums->n_seqs++;
        double low = (double)(sums->n_clip_low - n_low) / (double)n_active;
        double high = (double)(sums->n_clip_high - n_high) / (double)n_active;
        sums->seq_low_min = fmin(sums->seq_low_min, low);
        sums->seq_high_max = fmax(sums->seq_high_max, high);
    }
}

const ls_objective_metric_row ls_objective_metric_rows[] = {
#define LS_OBJECTIVE_METRIC_ROW(field, name, unit, meaning, formula) \
    {name, unit, meaning, formula, (int64_t)offsetof(ls_objective_metrics, field)},
    LS_OBJECTIVE_METRICS(LS_OBJECTIVE_METRIC_ROW)
#undef LS_OBJECTIVE_METRIC_ROW
};
const int64_t ls_n_objective_metrics = (int64_t)LS_COUNT(ls_objective_metric_rows);

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
    m.loss = sums->policy_loss;
    if (has_kl_loss(options))
        m.loss += options->beta * sums->kl_loss;
    if (options->entropy_coef != 0)
        m.loss -= options->entropy_coef * sums->entropy_bonus;
    return m;
}
