/* Objectives: pure functions (options, streams, scores) -> sums, seeds.
 *
 *     ls_objective_sums sums;
 *     ls_objective_sums_init(&sums);
 *     for each micro-batch, in order:
 *         ls_objective_run(objective, &options, &view, &scores, &seeds, &sums);
 *         ... seeds go to the model's backward
 *     ls_objective_metrics metrics = ls_objective_finish(&sums, &options);
 *
 * The weight stream carries the normaliser, so the loss of the step is a plain sum over its tokens.
 * Sums are doubles to which every token is added in token order, and seeds depend on one sequence
 * alone: the result has the same bits however the sequences of a step are cut into micro-batches,
 * as long as their order stays.
 *
 * The loss of a token is
 *     policy term + beta * KL estimate (when kl_in is loss) - entropy_coef * entropy
 * Every policy term is homogeneous in the advantage: c A with c >= 0 gives c times the term.  So
 * whatever scales or masks a policy term, and not the KL, is a factor on the advantage of a token
 * (rl/correction.h).
 *
 * To add an objective: one file in rl/objective/ that ends with its descriptor, one row in
 * objective.def. */
#ifndef LS_RL_OBJECTIVE_H
#define LS_RL_OBJECTIVE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "rl/kl.h"
#include "rl/waist.h"

typedef enum ls_kl_in { LS_KL_IN_LOSS, LS_KL_IN_REWARD, LS_KL_IN_COUNT } ls_kl_in;

/* Whose log ratio the importance ratio is made of; d = logp - old_logp, n trained tokens. */
typedef enum ls_ratio_level {
    LS_RATIO_TOKEN,            /* e^(d_t)                                                        */
    LS_RATIO_SEQUENCE,         /* e^(mean_t d_t), differentiated in every token (GSPO)           */
    LS_RATIO_SEQUENCE_TOKEN,   /* that value, with the gradient of the token alone (GSPO-token)  */
    LS_RATIO_SEQUENCE_PRODUCT, /* e^(sum_t d_t): the completion as one action (RLOO)             */
    LS_RATIO_COUNT
} ls_ratio_level;

typedef struct ls_objective_options {
    double epsilon;      /* lower clip width of the importance ratio, 0.2                      */
    double epsilon_high; /* upper clip width; negative: the same as epsilon (default)          */
    double delta;        /* cap of the ratio where clipping does not act (INTELLECT-2); 0: off */
    double dual_clip;    /* bound dual_clip * A where A < 0 (Ye et al. 2020), > 1; 0: off      */
    double beta;         /* coefficient of the KL; 0 (default): no reference is needed         */
    ls_kl_kind kl_estimator;
    ls_kl_in kl_in;
    bool use_bias_correction_kl; /* multiply the KL term of the loss by the importance ratio */
    double entropy_coef;         /* bonus for entropy, 0                                     */
    /* Sequences with A < 0 whose mean of sampler_logp - logp is above this carry no policy term; 0:
     * off. */
    double off_policy_mask_threshold;
    ls_ratio_level importance_sampling_level; /* of ppo-clip                                   */
    double cispo_max_ratio; /* upper bound of cispo's weight itself; 0: 1 + epsilon_high       */
    double dppo_epsilon;    /* of dppo: largest change of a token's probability, 0.2           */
    double sapo_temperature_pos, sapo_temperature_neg; /* 1 and 1.05                           */
    double vespo_k_pos, vespo_lambda_pos, vespo_k_neg, vespo_lambda_neg; /* 2, 3, 3, 2         */
} ls_objective_options;

#define LS_OBJECTIVE_OPTIONS_INIT                                                                \
    {                                                                                            \
        .epsilon = 0.2, .epsilon_high = -1.0, .kl_estimator = LS_KL_K3, .kl_in = LS_KL_IN_LOSS,  \
        .dppo_epsilon = 0.2, .sapo_temperature_pos = 1.0, .sapo_temperature_neg = 1.05,          \
        .vespo_k_pos = 2.0, .vespo_lambda_pos = 3.0, .vespo_k_neg = 3.0, .vespo_lambda_neg = 2.0 \
    }

/* What must be in the streams or the scores. */
enum { LS_NEED_OLD_LOGP = 1, LS_NEED_REF_LOGP = 2, LS_NEED_ADVANTAGE = 4, LS_NEED_ENTROPY = 8 };

/* Sums of one optimiser step; counts and plain sums run over unmasked tokens. */
typedef struct ls_objective_sums {
    /* Times the weight stream; KL and entropy before their coefficients. */
    double policy_loss, kl_loss, entropy_bonus;
    /* Plain, over tokens. */
    double entropy, k1, k3, ratio, logp;
    double ratio_min, ratio_max;
    double seq_low_min, seq_high_max; /* least share of low, most of high clipping in a sequence */
    int64_t n_tokens, n_seqs;         /* unmasked tokens; sequences that have one                */
    int64_t n_useful;                 /* tokens whose advantage is not 0                         */
    int64_t n_clip_low, n_clip_high;
    int64_t n_ratio_clamped, n_kl_clamped; /* log ratios outside of +-20 */
    int64_t n_off_policy;                  /* sequences masked by off_policy_mask_threshold */
    bool has_ratio, has_kl, has_entropy;
} ls_objective_sums;

/* One sequence, as an objective's function sees it: all arrays start at its first token. */
typedef struct ls_objective_seq {
    int64_t n;
    const float *logp, *old_logp, *advantage, *weight;
} ls_objective_seq;

/* Adds the policy term of a sequence to sums and writes dlogp of its unmasked tokens. */
typedef void ls_objective_fn(float *dlogp, ls_objective_sums *sums,
                             const ls_objective_options *options, const ls_objective_seq *seq);

typedef struct ls_objective {
    const char *name, *help, *source;
    unsigned needs;       /* LS_NEED_ bits                    */
    bool has_ratio_level; /* reads importance_sampling_level  */
    ls_objective_fn *run;
    /* Refuses values of the options that are this objective's own; NULL: it has none.  LEASH_USAGE
     * naming the option. */
    leash_status (*check)(const ls_objective_options *options);
} ls_objective;

#define LS_OBJECTIVE_ROW(symbol, name) extern const ls_objective symbol;
#include "rl/objective.def"
#undef LS_OBJECTIVE_ROW
extern const ls_objective *const ls_objectives[];
extern const int64_t ls_n_objectives;
/* NULL when there is none of that name. */
const ls_objective *ls_objective_find(const char *name);

/* What a run with these options needs: the objective's bits and those of the KL and entropy
 * terms. */
unsigned ls_objective_needs(const ls_objective *objective, const ls_objective_options *options);
/* Refuses combinations that cannot mean what they say.  LEASH_USAGE naming the option. */
leash_status ls_objective_check(const ls_objective *objective,
                                const ls_objective_options *options) LEASH_MUST_USE;

/* For objectives: rho = e^log_ratio of a token, the log ratio clamped, counted in sums.  is_clamped
 * says that its slope is 0. */
double ls_objective_ratio(ls_objective_sums *sums, double log_ratio, bool *is_clamped);
/* For objectives that see a sequence as one: the sum of its log ratios, and its trained tokens. */
double ls_objective_log_ratio(const ls_objective_seq *seq, int64_t *n_active);
/* The upper clip width: epsilon where epsilon_high is negative. */
double ls_objective_epsilon_high(const ls_objective_options *options);

void ls_objective_sums_init(ls_objective_sums *sums);
/* The needed arrays are asserted.  KL sums are taken whenever ref_logp is there. */
void ls_objective_run(const ls_objective *objective, const ls_objective_options *options,
                      const leash_streams *streams, const leash_scores *scores,
                      const leash_seeds *seeds, ls_objective_sums *sums);

/* The step's metrics; NaN where the step had nothing to measure.
 *  field, name, unit, meaning, formula (t: trained tokens, i: sequences) */
#define LS_OBJECTIVE_METRICS(X)                                                                   \
    X(loss, "loss", "nats",                                                                       \
      "policy_loss + beta * KL term - entropy_coef * entropy, in the run's aggregation",          \
      "sum_t w_t (policy_t + beta KL_t - entropy_coef H_t)")                                      \
    X(policy_loss, "policy_loss", "nats", "the objective's own term", "sum_t w_t policy_t")       \
    X(entropy, "entropy", "nats", "mean entropy of the policy over trained tokens", "mean_t H_t") \
    X(kl, "kl", "nats/token", "mean k3 estimate of KL(policy || reference) over trained tokens",  \
      "mean_t (e^-d - 1 + d), d = logp - ref_logp")                                               \
    X(tok_k1, "kl/tok_k1", "nats/token", "mean k1 estimate over trained tokens",                  \
      "mean_t d, d = logp - ref_logp")                                                            \
    X(seq_k1, "kl/seq_k1", "nats", "mean over sequences of the sum of k1",                        \
      "sum_t d / sequences, d = logp - ref_logp")                                                 \
    X(kl_coef, "kl_coef", "", "beta used in this step", "beta")                                   \
    X(clip_low_mean, "clip_ratio/low_mean", "share",                                              \
      "tokens with A < 0 whose ratio fell below the objective's lower bound",                     \
      "mean_t [A_t < 0 and rho_t < 1 - epsilon]")                                                 \
    X(clip_low_min, "clip_ratio/low_min", "share", "the same, in the sequence with the least",    \
      "min_i mean_{t in i} [A_t < 0 and rho_t < 1 - epsilon]")                                    \
    X(clip_high_mean, "clip_ratio/high_mean", "share",                                            \
      "tokens with A > 0 whose ratio rose above the objective's upper bound",                     \
      "mean_t [A_t > 0 and rho_t > 1 + epsilon_high]")                                            \
    X(clip_high_max, "clip_ratio/high_max", "share", "the same, in the sequence with the most",   \
      "max_i mean_{t in i} [A_t > 0 and rho_t > 1 + epsilon_high]")                               \
    X(clip_region_mean, "clip_ratio/region_mean", "share", "tokens clipped on either side",       \
      "clip_ratio/low_mean + clip_ratio/high_mean")                                               \
    X(entropy_coef, "entropy_coef", "", "bonus for entropy used in this step", "entropy_coef")    \
    X(off_policy, "off_policy/masked", "share",                                                   \
      "sequences without a policy term because of off_policy_mask_threshold",                     \
      "mean_i [A_i < 0 and mean_t(sampler_logp - logp) > threshold]")                             \
    X(ratio_min, "ratio/min", "", "least importance ratio of a trained token",                    \
      "min_t rho_t, rho = e^(logp - old_logp)")                                                   \
    X(ratio_mean, "ratio/mean", "", "mean importance ratio of trained tokens", "mean_t rho_t")    \
    X(ratio_max, "ratio/max", "", "largest importance ratio of a trained token", "max_t rho_t")   \
    X(logp_mean, "logp/mean", "nats", "mean log-probability of trained tokens", "mean_t logp_t")  \
    X(n_tokens, "tokens/active", "tokens", "trained tokens of the step", "sum_t [w_t != 0]")      \
    X(n_useful, "tokens/useful", "tokens", "trained tokens whose advantage is not 0",             \
      "sum_t [w_t != 0 and A_t != 0]")                                                            \
    X(n_ratio_clamped, "ratio/clamped", "tokens", "log ratios outside of +-20",                   \
      "sum_t [abs(logp - old_logp) > 20]")                                                        \
    X(n_kl_clamped, "kl/clamped", "tokens", "log ratios to the reference outside of +-20",        \
      "sum_t [abs(logp - ref_logp) > 20]")

typedef struct ls_objective_metrics {
#define LS_OBJECTIVE_FIELD(field, name, unit, meaning, formula) double field;
    LS_OBJECTIVE_METRICS(LS_OBJECTIVE_FIELD)
#undef LS_OBJECTIVE_FIELD
} ls_objective_metrics;

/* The value of a row is *(const double *)((const char *)&metrics + offset). */
typedef struct ls_objective_metric_row {
    const char *name, *unit, *meaning, *formula;
    int64_t offset;
} ls_objective_metric_row;
extern const ls_objective_metric_row ls_objective_metric_rows[];
extern const int64_t ls_n_objective_metrics;

ls_objective_metrics ls_objective_finish(const ls_objective_sums *sums,
                                         const ls_objective_options *options);

#endif
