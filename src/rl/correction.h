/* Corrections: what scales or masks the policy term of single tokens, and leaves the KL and the
 * normaliser alone.
 *
 *     ls_correction_report report = LS_CORRECTION_REPORT_INIT;
 *     for each optimiser update of the step:
 *         ls_correction_apply(advantage, anchor, &report, &options, &view, entropy, &name);
 *
 * Objectives are homogeneous in the advantage, so a factor on the policy term of a token is a
 * factor on its advantage.  Factors are detached, and are made once an update over all its
 * sequences, from what the rollout recorded: no cut into micro-batches can change them.
 *
 *     sampler            w = e^(old_logp - sampler_logp), where the sampler's distribution is not
 *                        that of the policy (top_k, top_p, min_p, another engine): of a token, or
 *                        the product over a sequence; truncated at sampler_max, or 0 outside of
 *                        [sampler_min, sampler_max]      (TIS, IcePop; TRL's four modes)
 *     top_entropy_quantile   tokens with less entropy than the quantile 1 - q of all active tokens
 *                        are masked                      (arXiv:2506.01939)
 *     clip_cov           some tokens of high covariance between advantage and log-probability,
 *                        drawn at random, are masked     (arXiv:2505.22617)
 *     kl_cov             the tokens of highest covariance are held: anchor becomes kl_cov_coef for
 *                        them, and the loss of such a token has anchor |logp - old_logp| added
 *
 * The covariance of a token is (A - mean A)(old_logp - mean old_logp) over active tokens.
 * Deviation: the papers' codes take entropy and log-probability from the running forward pass of a
 * micro-batch; these are the ones of the policy that sampled, the same numbers in the first
 * update after a rollout. */
#ifndef LS_RL_CORRECTION_H
#define LS_RL_CORRECTION_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/rng.h"
#include "rl/waist.h"

typedef enum ls_sampler_correction {
    LS_SAMPLER_NONE,
    LS_SAMPLER_TOKEN_TRUNCATE,
    LS_SAMPLER_TOKEN_MASK,
    LS_SAMPLER_SEQUENCE_TRUNCATE,
    LS_SAMPLER_SEQUENCE_MASK,
    LS_SAMPLER_COUNT
} ls_sampler_correction;

typedef struct ls_correction_options {
    ls_sampler_correction sampler;
    double sampler_min, sampler_max;   /* 0 and 3; the least is of the masking modes         */
    double top_entropy_quantile;       /* share of tokens that are trained; 1: all           */
    double clip_cov_ratio;             /* share of tokens masked, at least one; 0: off       */
    double clip_cov_min, clip_cov_max; /* covariances to draw from: between 1 and 5          */
    double kl_cov_ratio, kl_cov_coef;  /* share of tokens held, at least one; 0: off         */
} ls_correction_options;
#define LS_CORRECTION_OPTIONS_INIT                                                                 \
    {                                                                                              \
        .sampler_max = 3.0, .top_entropy_quantile = 1.0, .clip_cov_min = 1.0, .clip_cov_max = 5.0, \
        .kl_cov_coef = 1.0                                                                         \
    }

typedef struct ls_correction_report {       /* of a step; tokens are active ones */
    int64_t n_tokens, n_masked;             /* a factor of 0                                      */
    int64_t n_held;                         /* by kl_cov                                          */
    int64_t n_ratios;                       /* importance ratios: of tokens, or of sequences      */
    double ratio_sum, ratio_min, ratio_max; /* before they are truncated or masked          */
} ls_correction_report;
#define LS_CORRECTION_REPORT_INIT                     \
    {                                                 \
        .ratio_min = INFINITY, .ratio_max = -INFINITY \
    }

/* Whether any of them does anything. */
bool ls_correction_is_on(const ls_correction_options *options);
/* Refuses combinations that cannot mean what they say.  LEASH_USAGE naming the option. */
leash_status ls_correction_check(const ls_correction_options *options) LEASH_MUST_USE;

/* Scales advantage (n_tokens of the view) and overwrites anchor (n_tokens), which may be NULL
 * without kl_cov.  Sequences that are masked or dropped have no active token.  Needs old_logp for
 * the covariances, sampler_logp and old_logp for the sampler; entropy (n_tokens) may be NULL
 * without an entropy mask.  `name` gives seed, step and update (as `prompt`) to the draw. */
void ls_correction_apply(float *advantage, float *anchor, ls_correction_report *report,
                         const ls_correction_options *options, const leash_streams *view,
                         const float *entropy, const ls_rng_name *name);

#endif
