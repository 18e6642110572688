/* Factors on the advantages of single tokens.  Quantiles and ranks are found by bisection over the
 * bits of a key: exact, without memory, independent of any order. */
#include "rl/correction.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

/* A token that is not among those compared. */
#define NO_KEY UINT64_MAX

typedef struct tokens { /* what keys are made of */
    const leash_streams *view;
    const float *advantage, *entropy;
    const ls_correction_options *options;
    ls_rng_name name;
    double n, mean_advantage, mean_logp; /* over active tokens */
} tokens;

typedef uint64_t key_fn(const tokens *x, int64_t t);

static bool is_active(const leash_streams *view, int64_t i)
{
    return !view->flags || !(view->flags[i] & (LS_SEQ_MASKED | LS_SEQ_DROPPED));
}

static int64_t seq_first(const leash_streams *view, int64_t i)
{
    return view->seq_start[i] - view->seq_start[0];
}

/* Bits that compare as the numbers do. */
static uint64_t ordered_bits(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return bits >> 63 ? ~bits : bits | (uint64_t)1 << 63;
}

static double ordered_value(uint64_t bits)
{
    double x;
    bits = bits >> 63 ? bits & ~((uint64_t)1 << 63) : ~bits;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static int64_t count_keys(const tokens *x, key_fn *key, uint64_t most)
{
    int64_t n = 0;
    for (int64_t i = 0; i < x->view->n_seqs; i++) {
        if (!is_active(x->view, i))
            continue;
        for (int64_t t = seq_first(x->view, i); t < seq_first(x->view, i + 1); t++) {
            uint64_t k = key(x, t);
            n += k != NO_KEY && k <= most;
        }
    }
    return n;
}

/* The rank-th smallest key, from 1; NO_KEY when there are fewer. */
static uint64_t ranked_key(const tokens *x, key_fn *key, int64_t rank)
{
    uint64_t found = 0;
    for (int bit = 63; bit >= 0; bit--) {
        uint64_t most = found | (((uint64_t)1 << bit) - 1);
        if (count_keys(x, key, most) < rank)
            found |= (uint64_t)1 << bit;
    }
    return found;
}

static uint64_t entropy_key(const tokens *x, int64_t t)
{
    return ordered_bits((double)x->entropy[t]);
}

static double covariance(const tokens *x, int64_t t)
{
    return ((double)x->advantage[t] - x->mean_advantage) *
           ((double)x->view->old_logp[t] - x->mean_logp);
}

/* The highest covariance first. */
static uint64_t kl_cov_key(const tokens *x, int64_t t)
{
    return ~ordered_bits(covariance(x, t));
}

/* Candidates in an order drawn at random. */
static uint64_t clip_cov_key(const tokens *x, int64_t t)
{
    double c = covariance(x, t);
    if (!(c > x->options->clip_cov_min && c < x->options->clip_cov_max))
        return NO_KEY;
    ls_rng_name name = x->name;
    name.position = (uint32_t)t;
    return ls_rng_below(&name, NO_KEY);
}

/* Linear between the two neighbours, as numpy and torch do. */
static double entropy_threshold(const tokens *x, double quantile)
{
    double place = quantile * (x->n - 1), below = floor(place);
    double low = ordered_value(ranked_key(x, entropy_key, (int64_t)below + 1));
    if (place == below)
        return low;
    double high = ordered_value(ranked_key(x, entropy_key, (int64_t)below + 2));
    return low + (place - below) * (high - low);
}

static int64_t share_of(const tokens *x, double ratio)
{
    int64_t n = (int64_t)floor(ratio * x->n);
    return n > 1 ? n : 1;
}

static void count_active(tokens *x)
{
    for (int64_t i = 0; i < x->view->n_seqs; i++) {
        for (int64_t t = seq_first(x->view, i); t < seq_first(x->view, i + 1); t++) {
            if (!is_active(x->view, i))
                break;
            x->n++;
            x->mean_advantage += (double)x->advantage[t];
            if (x->view->old_logp)
                x->mean_logp += (double)x->view->old_logp[t];
        }
    }
    x->mean_advantage /= x->n;
    x->mean_logp /= x->n;
}

/* What a token is compared with; every token passes where a correction is off. */
typedef struct bounds {
    uint64_t clip_cov, kl_cov; /* keys up to these are masked, and held */
    bool has_clip_cov, has_kl_cov;
    double entropy; /* less is masked */
} bounds;

static bounds bounds_of(const tokens *x)
{
    const ls_correction_options *o = x->options;
    bounds b = {.has_clip_cov = o->clip_cov_ratio > 0,
                .has_kl_cov = o->kl_cov_ratio > 0,
                .entropy = -INFINITY};
    if (b.has_clip_cov)
        b.clip_cov = ranked_key(x, clip_cov_key, share_of(x, o->clip_cov_ratio));
    if (b.has_kl_cov)
        b.kl_cov = ranked_key(x, kl_cov_key, share_of(x, o->kl_cov_ratio));
    if (o->top_entropy_quantile < 1)
        b.entropy = entropy_threshold(x, 1 - o->top_entropy_quantile);
    return b;
}

static void count_ratio(ls_correction_report *report, double w)
{
    report->n_ratios++;
    report->ratio_sum += w;
    report->ratio_min = fmin(report->ratio_min, w);
    report->ratio_max = fmax(report->ratio_max, w);
}

static double bounded_ratio(const ls_correction_options *o, double w)
{
    if (o->sampler == LS_SAMPLER_TOKEN_TRUNCATE || o->sampler == LS_SAMPLER_SEQUENCE_TRUNCATE)
        return fmin(w, o->sampler_max);
    return w >= o->sampler_min && w <= o->sampler_max ? w : 0.0;
}

static double log_gap(const leash_streams *view, int64_t t)
{
    return (double)view->old_logp[t] - (double)view->sampler_logp[t];
}

/* The factor that all tokens of sequence i share. */
static double sequence_ratio(const tokens *x, int64_t i, ls_correction_report *report)
{
    if (x->options->sampler < LS_SAMPLER_SEQUENCE_TRUNCATE)
        return 1.0;
    double sum = 0;
    for (int64_t t = seq_first(x->view, i); t < seq_first(x->view, i + 1); t++)
        sum += log_gap(x->view, t);
    double w = exp(sum);
    count_ratio(report, w);
    return bounded_ratio(x->options, w);
}

static double token_ratio(const tokens *x, int64_t t, ls_correction_report *report)
{
    bool has_ratio = x->options->sampler == LS_SAMPLER_TOKEN_TRUNCATE ||
                     x->options->sampler == LS_SAMPLER_TOKEN_MASK;
    if (!has_ratio)
        return 1.0;
    double w = exp(log_gap(x->view, t));
    count_ratio(report, w);
    return bounded_ratio(x->options, w);
}

bool ls_correction_is_on(const ls_correction_options *o)
{
    return o->sampler != LS_SAMPLER_NONE || o->top_entropy_quantile < 1 || o->clip_cov_ratio > 0 ||
           o->kl_cov_ratio > 0;
}

leash_status ls_correction_check(const ls_correction_options *o)
{
    if (o->sampler != LS_SAMPLER_NONE && !(o->sampler_min >= 0 && o->sampler_min < o->sampler_max))
        return ls_fail(LEASH_USAGE,
                       "sampler_correction_min is %g and sampler_correction_max %g, expected 0 <= "
                       "min < max",
                       o->sampler_min, o->sampler_max);
    if (!(o->top_entropy_quantile > 0 && o->top_entropy_quantile <= 1))
        return ls_fail(LEASH_USAGE,
                       "top_entropy_quantile is %g, expected a share above 0, at most 1 (all "
                       "tokens)",
                       o->top_entropy_quantile);
    if (o->clip_cov_ratio > 0 && o->kl_cov_ratio > 0)
        return ls_fail(LEASH_USAGE, "clip_cov_ratio and kl_cov_ratio are two answers to the same "
                                    "tokens; set one of them to 0");
    if (o->clip_cov_ratio > 0 && !(o->clip_cov_min < o->clip_cov_max))
        return ls_fail(LEASH_USAGE, "clip_cov_min is %g and clip_cov_max %g, expected min < max",
                       o->clip_cov_min, o->clip_cov_max);
    return LEASH_OK;
}

void ls_correction_apply(float *advantage, float *anchor, ls_correction_report *report,
                         const ls_correction_options *options, const leash_streams *view,
                         const float *entropy, const ls_rng_name *name)
{
    tokens x = {.view = view,
                .advantage = advantage,
                .entropy = entropy,
                .options = options,
                .name = *name};
    x.name.purpose = LS_RNG_CORRECTION;
    LS_ASSERT(anchor || options->kl_cov_ratio <= 0);
    if (anchor)
        memset(anchor, 0, (size_t)view->n_tokens * sizeof *anchor);
    count_active(&x);
    if (x.n == 0)
        return;
    bounds b = bounds_of(&x);
    report->n_tokens += (int64_t)x.n;
    for (int64_t i = 0; i < view->n_seqs; i++) {
        if (!is_active(view, i))
            continue;
        double shared = sequence_ratio(&x, i, report);
        for (int64_t t = seq_first(view, i); t < seq_first(view, i + 1); t++) {
            uint64_t drawn = b.has_clip_cov ? clip_cov_key(&x, t) : NO_KEY;
            bool is_masked = (drawn != NO_KEY && drawn <= b.clip_cov) ||
                             (entropy && (double)entropy[t] < b.entropy);
            if (b.has_kl_cov && kl_cov_key(&x, t) <= b.kl_cov) {
                anchor[t] = (float)options->kl_cov_coef;
                report->n_held++;
            }
            double factor = is_masked ? 0.0 : shared * token_ratio(&x, t, report);
            report->n_masked += factor == 0;
            advantage[t] = (float)(factor * (double)advantage[t]);
        }
    }
}
