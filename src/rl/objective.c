/* What all objectives share: the walk over sequences, the KL, entropy and value terms, and the
 * sums. An objective's own term is one function in rl/objective/; metrics are made of the sums in
 * rl/objective_metrics.c. */
#include "rl/objective.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

#include "rl/value.h"

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
    bool has_kl = options->beta > 0 && !objective->owns_beta;
    if (has_kl)
        needs |= LS_NEED_REF_LOGP;
    if (has_kl && (options->kl_in == LS_KL_IN_REWARD || options->use_bias_correction_kl))
        needs |= LS_NEED_OLD_LOGP;
    if (options->off_policy_mask_threshold > 0)
        needs |= LS_NEED_OLD_LOGP;
    if (options->entropy_coef != 0)
        needs |= LS_NEED_ENTROPY;
    if (options->vf_coef > 0)
        needs |= LS_NEED_VALUE | LS_NEED_RETURN;
    if (objective->needs_of)
        needs |= objective->needs_of(options);
    return needs;
}

ls_unit ls_objective_unit(const ls_objective *objective, const ls_objective_options *options)
{
    return objective->unit_of ? objective->unit_of(options) : objective->unit;
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

/* An objective that owns beta has no KL term, and a value loss needs a policy term to stand
 * beside. */
static leash_status check_owner(const ls_objective *objective, const ls_objective_options *options)
{
    if (objective->owns_beta &&
        (options->kl_in != LS_KL_IN_LOSS || options->use_bias_correction_kl))
        return ls_fail(LEASH_USAGE, "%s has no effect on objective %s, whose beta is its own",
                       options->use_bias_correction_kl ? "use_bias_correction_kl" : "kl_in",
                       objective->name);
    if (options->vf_coef != 0 && !(options->vf_coef > 0 && (objective->needs & LS_NEED_ADVANTAGE)))
        return ls_fail(LEASH_USAGE,
                       "vf_coef is %g; it weighs the value loss beside a policy term "
                       "that learns from advantages: leave it at 0 with objective %s",
                       options->vf_coef, objective->name);
    if (objective->run_view && options->off_policy_mask_threshold != 0)
        return ls_fail(LEASH_USAGE,
                       "off_policy_mask_threshold has no effect on objective %s; leave "
                       "it at 0",
                       objective->name);
    if (!(options->cliprange_value >= 0))
        return ls_fail(LEASH_USAGE, "cliprange_value is %g, expected 0 (off) or more",
                       options->cliprange_value);
    return LEASH_OK;
}

leash_status ls_objective_check(const ls_objective *objective, const ls_objective_options *options)
{
    LS_TRY(check_clip(options));
    LS_TRY(check_owner(objective, options));
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
    if (objective->owns_beta)
        return LEASH_OK;
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
                                .seq_high_max = -INFINITY,
                                .score = {.min = INFINITY, .max = -INFINITY}};
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

/* Adds the value loss of token t beside a policy term. */
static void add_value(ls_objective_sums *sums, const ls_objective_options *options,
                      const leash_streams *streams, const leash_scores *scores,
                      const leash_seeds *seeds, int64_t t)
{
    double weight = (double)streams->weight[t];
    ls_value_term l = ls_value_add(&sums->value, options, streams, scores->value, t);
    seeds->dvalue[t] = (float)(weight * options->vf_coef * l.slope);
}

/* The terms that every objective has, for tokens [first, end) of one sequence.  Returns the number
 * of unmasked tokens. */
static int64_t add_common(const ls_objective *objective, const ls_objective_options *options,
                          const leash_streams *streams, const leash_scores *scores,
                          const leash_seeds *seeds, ls_objective_sums *sums, int64_t first,
                          int64_t end)
{
    int64_t n_active = 0;
    for (int64_t t = first; t < end; t++) {
        double weight = (double)streams->weight[t];
        if (weight == 0)
            continue;
        n_active++;
        sums->logp += (double)scores->logp[t];
        sums->n_useful += !streams->advantage || streams->advantage[t] != 0;
        if (streams->ref_logp && !objective->owns_beta)
            add_kl(&seeds->dlogp[t], sums, options, streams, (double)scores->logp[t], t);
        if (streams->anchor && streams->anchor[t] != 0)
            add_anchor(&seeds->dlogp[t], sums, streams, (double)scores->logp[t], t);
        if (scores->entropy) {
            sums->has_entropy = true;
            sums->entropy += (double)scores->entropy[t];
            sums->entropy_bonus += weight * (double)scores->entropy[t];
        }
        if (options->vf_coef > 0)
            add_value(sums, options, streams, scores, seeds, t);
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

ls_objective_span ls_objective_span_of(const leash_streams *streams, int64_t i)
{
    ls_objective_span span = {.first = streams->seq_start[i] - streams->seq_start[0],
                              .end = streams->seq_start[i + 1] - streams->seq_start[0],
                              .last = -1};
    for (int64_t t = span.first; t < span.end; t++) {
        if (streams->weight[t] == 0)
            continue;
        span.n_active++;
        span.last = t;
        span.weight = (double)streams->weight[t];
    }
    return span;
}

double ls_objective_span_sum(const leash_streams *streams, const ls_objective_span *span,
                             const float *x)
{
    double sum = 0;
    for (int64_t t = span->first; t < span->end; t++) {
        if (streams->weight[t] != 0)
            sum += (double)x[t];
    }
    return sum;
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
    LS_ASSERT(!has_kl_loss(options) || !(needs & LS_NEED_REF_LOGP) || streams->ref_logp);
    LS_ASSERT(!(needs & LS_NEED_VALUE) || (scores->value && seeds->dvalue));
    LS_ASSERT(!(needs & LS_NEED_RETURN) || streams->ret);
    LS_ASSERT(!(needs & LS_NEED_LABEL) || streams->label);
    LS_ASSERT(!(needs & LS_NEED_STEP_LABEL) || streams->step_label);
    LS_ASSERT(!(needs & LS_NEED_SUM_SQ) || scores->log_sum_sq);
    LS_ASSERT(!(needs & LS_NEED_TEACHER) ||
              (streams->teacher_logp && streams->n_ids > 0 && scores->ids_logp && seeds->dids));
    LS_ASSERT(!(needs & LS_NEED_ADVANTAGE) || streams->advantage);
    LS_ASSERT(!(needs & LS_NEED_ENTROPY) || (scores->entropy && seeds->dentropy));

    memset(seeds->dlogp, 0, (size_t)streams->n_tokens * sizeof(float));
    if (seeds->dentropy)
        memset(seeds->dentropy, 0, (size_t)streams->n_tokens * sizeof(float));
    if (seeds->dvalue)
        memset(seeds->dvalue, 0, (size_t)streams->n_tokens * sizeof(float));
    if (seeds->dids)
        memset(seeds->dids, 0, (size_t)(streams->n_tokens * streams->n_ids) * sizeof(float));
    if (objective->run_view)
        objective->run_view(sums, options, streams, scores, seeds);
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
        bool is_masked = is_off_policy(options, &seq, sampler_logp ? sampler_logp : seq.old_logp);
        if (is_masked)
            count_off_policy(sums, &seq);
        else if (objective->run)
            objective->run(seeds->dlogp + first, sums, options, &seq);
        int64_t n_active = add_common(objective, options, streams, scores, seeds, sums, first, end);
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
