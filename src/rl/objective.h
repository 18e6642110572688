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
 * Every policy term (of an objective with `run`) is homogeneous in the advantage: c A with c >= 0
 * gives c times the term.  So whatever scales or masks a policy term, and not the KL, is a factor
 * on the advantage of a token (rl/correction.h).
 *
 * An objective that couples sequences, or reads other scores than a token's log-probability, takes
 * the whole view instead of one sequence (run_view); its unit says what a view must hold together.
 * Such an objective's loss is a mean over units: with the aggregation seq-sum a sequence weighs
 * 1/B, and a unit weighs what its sequences weigh together.
 *
 * To add an objective: one file in rl/objective/ that ends with its descriptor, one row in
 * objective.def. */
#ifndef LS_RL_OBJECTIVE_H
#define LS_RL_OBJECTIVE_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "rl/kl.h"
#include "rl/pair.h"
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

/* What a view must hold together. */
typedef enum ls_unit {
    LS_UNIT_SEQUENCE, /* whole sequences                                   */
    LS_UNIT_PAIR,     /* chosen and rejected, as neighbours                */
    LS_UNIT_TRIPLE,   /* chosen, rejected and gold, as neighbours          */
    LS_UNIT_GROUP,    /* all sequences of a group, as neighbours, best first */
    LS_UNIT_STEP      /* everything that is aggregated together            */
} ls_unit;

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
    double vf_coef;         /* weight of the value loss beside the policy term; 0: none          */
    double cliprange_value; /* how far a value may leave old_value, 0.2; 0: any                  */
    ls_pair_options pair;   /* of preference and preference-triple                               */
    double tpo_alpha;       /* weight of the gold one's likelihood in preference-triple, 1       */
    double desirable_weight, undesirable_weight; /* of kto and bco, 1 and 1                      */
    double center_rewards_coefficient;           /* of the reward losses; 0: off                 */
} ls_objective_options;

#define LS_OBJECTIVE_OPTIONS_INIT                                                                 \
    {                                                                                             \
        .epsilon = 0.2, .epsilon_high = -1.0, .kl_estimator = LS_KL_K3, .kl_in = LS_KL_IN_LOSS,   \
        .dppo_epsilon = 0.2, .sapo_temperature_pos = 1.0, .sapo_temperature_neg = 1.05,           \
        .vespo_k_pos = 2.0, .vespo_lambda_pos = 3.0, .vespo_k_neg = 3.0, .vespo_lambda_neg = 2.0, \
        .cliprange_value = 0.2, .pair = LS_PAIR_OPTIONS_INIT, .tpo_alpha = 1.0,                   \
        .desirable_weight = 1.0, .undesirable_weight = 1.0                                        \
    }

/* What must be in the streams or the scores. */
enum {
    LS_NEED_OLD_LOGP = 1,
    LS_NEED_REF_LOGP = 2,
    LS_NEED_ADVANTAGE = 4,
    LS_NEED_ENTROPY = 8,
    LS_NEED_VALUE = 16,       /* scores: value, seeds: dvalue             */
    LS_NEED_RETURN = 32,      /* streams: ret, and old_value to clip      */
    LS_NEED_LABEL = 64,       /* streams: label                           */
    LS_NEED_BASELINE = 128,   /* streams: baseline                        */
    LS_NEED_STEP_LABEL = 256, /* streams: step_label                      */
    LS_NEED_TEACHER = 512,    /* streams: teacher_logp, scores: ids_logp, seeds: dids */
    LS_NEED_SUM_SQ = 1024     /* scores: log_sum_sq                       */
};

/* Of completions with a label, or of pairs; rewards before beta. */
typedef struct ls_preference_sums {
    int64_t n_pairs, n_chosen, n_rejected; /* pairs; completions of each side                    */
    int64_t n_empty;                       /* pairs with a side that has no trained token        */
    bool has_reference;
    double chosen_logp, rejected_logp;     /* of completions                                     */
    double chosen_reward, rejected_reward; /* the loss's implicit reward over beta               */
    double n_right;                        /* pairs whose chosen one has the higher reward       */
    double chosen_change, rejected_change; /* logp - ref_logp                                    */
    double token_change;                   /* of the chosen one, per token                       */
    int64_t n_displaced;                   /* pairs whose chosen one is below the reference      */
    double nll;                            /* of the chosen one, per token                       */
    bool has_baseline;
    double baseline; /* of the step */
} ls_preference_sums;

/* Of values against their returns; loss times the weight stream. */
typedef struct ls_value_sums {
    int64_t n, n_clipped;
    double loss, value, ret, ret_sq, error, error_sq; /* error: ret - value */
} ls_value_sums;

/* Of a reward model's scores. */
typedef struct ls_score_sums {
    int64_t n, n_pairs;
    double sum, min, max, margin, n_right;
    int64_t n_steps;
    double n_steps_right;
} ls_score_sums;

/* Of a student against its teacher, over positions. */
typedef struct ls_distill_sums {
    int64_t n;
    double forward, reverse, jsd, teacher_tail, n_agree;
} ls_distill_sums;

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
    ls_preference_sums preference;
    ls_value_sums value;
    ls_score_sums score;
    ls_distill_sums distill;
} ls_objective_sums;

/* One sequence, as an objective's function sees it: all arrays start at its first token. */
typedef struct ls_objective_seq {
    int64_t n;
    const float *logp, *old_logp, *advantage, *weight;
} ls_objective_seq;

/* Adds the policy term of a sequence to sums and writes dlogp of its unmasked tokens. */
typedef void ls_objective_fn(float *dlogp, ls_objective_sums *sums,
                             const ls_objective_options *options, const ls_objective_seq *seq);

/* The same over a whole view. */
typedef void ls_objective_view_fn(ls_objective_sums *sums, const ls_objective_options *options,
                                  const leash_streams *streams, const leash_scores *scores,
                                  const leash_seeds *seeds);

typedef struct ls_objective {
    const char *name, *help, *source;
    unsigned needs;       /* LS_NEED_ bits                    */
    bool has_ratio_level; /* reads importance_sampling_level  */
    /* beta is this objective's own number, and no KL term is added. */
    bool owns_beta;
    bool is_unit_mean; /* the loss is a mean over units: aggregation seq-sum */
    ls_unit unit;
    ls_objective_fn *run; /* one of the two */
    ls_objective_view_fn *run_view;
    /* Where options decide: the unit, and bits besides `needs`; NULL: they do not. */
    ls_unit (*unit_of)(const ls_objective_options *options);
    unsigned (*needs_of)(const ls_objective_options *options);
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
ls_unit ls_objective_unit(const ls_objective *objective, const ls_objective_options *options);
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

/* For objectives that take a view: the unmasked tokens of sequence i, as numbers of the view's
 * arrays. */
typedef struct ls_objective_span {
    int64_t first, end; /* all tokens           */
    int64_t n_active;   /* unmasked ones        */
    int64_t last;       /* the last of them, -1 */
    double weight;      /* of the last of them, 0 */
} ls_objective_span;
ls_objective_span ls_objective_span_of(const leash_streams *streams, int64_t i);
/* Sum of x over the unmasked tokens. */
double ls_objective_span_sum(const leash_streams *streams, const ls_objective_span *span,
                             const float *x);

void ls_objective_sums_init(ls_objective_sums *sums);
/* The needed arrays are asserted.  KL sums are taken whenever ref_logp is there. */
void ls_objective_run(const ls_objective *objective, const ls_objective_options *options,
                      const leash_streams *streams, const leash_scores *scores,
                      const leash_seeds *seeds, ls_objective_sums *sums);

/* The step's metrics; NaN where the step had nothing to measure.
 *  field, name, unit, meaning, formula (t: trained tokens, i: sequences) */
#define LS_OBJECTIVE_METRICS(X)                                                                    \
    X(loss, "loss", "nats",                                                                        \
      "policy_loss + beta * KL term - entropy_coef * entropy, in the run's aggregation",           \
      "sum_t w_t (policy_t + beta KL_t - entropy_coef H_t)")                                       \
    X(policy_loss, "policy_loss", "nats", "the objective's own term", "sum_t w_t policy_t")        \
    X(entropy, "entropy", "nats", "mean entropy of the policy over trained tokens", "mean_t H_t")  \
    X(kl, "kl", "nats/token", "mean k3 estimate of KL(policy || reference) over trained tokens",   \
      "mean_t (e^-d - 1 + d), d = logp - ref_logp")                                                \
    X(tok_k1, "kl/tok_k1", "nats/token", "mean k1 estimate over trained tokens",                   \
      "mean_t d, d = logp - ref_logp")                                                             \
    X(seq_k1, "kl/seq_k1", "nats", "mean over sequences of the sum of k1",                         \
      "sum_t d / sequences, d = logp - ref_logp")                                                  \
    X(kl_coef, "kl_coef", "", "beta used in this step", "beta")                                    \
    X(clip_low_mean, "clip_ratio/low_mean", "share",                                               \
      "tokens with A < 0 whose ratio fell below the objective's lower bound",                      \
      "mean_t [A_t < 0 and rho_t < 1 - epsilon]")                                                  \
    X(clip_low_min, "clip_ratio/low_min", "share", "the same, in the sequence with the least",     \
      "min_i mean_{t in i} [A_t < 0 and rho_t < 1 - epsilon]")                                     \
    X(clip_high_mean, "clip_ratio/high_mean", "share",                                             \
      "tokens with A > 0 whose ratio rose above the objective's upper bound",                      \
      "mean_t [A_t > 0 and rho_t > 1 + epsilon_high]")                                             \
    X(clip_high_max, "clip_ratio/high_max", "share", "the same, in the sequence with the most",    \
      "max_i mean_{t in i} [A_t > 0 and rho_t > 1 + epsilon_high]")                                \
    X(clip_region_mean, "clip_ratio/region_mean", "share", "tokens clipped on either side",        \
      "clip_ratio/low_mean + clip_ratio/high_mean")                                                \
    X(entropy_coef, "entropy_coef", "", "bonus for entropy used in this step", "entropy_coef")     \
    X(off_policy, "off_policy/masked", "share",                                                    \
      "sequences without a policy term because of off_policy_mask_threshold",                      \
      "mean_i [A_i < 0 and mean_t(sampler_logp - logp) > threshold]")                              \
    X(ratio_min, "ratio/min", "", "least importance ratio of a trained token",                     \
      "min_t rho_t, rho = e^(logp - old_logp)")                                                    \
    X(ratio_mean, "ratio/mean", "", "mean importance ratio of trained tokens", "mean_t rho_t")     \
    X(ratio_max, "ratio/max", "", "largest importance ratio of a trained token", "max_t rho_t")    \
    X(logp_mean, "logp/mean", "nats", "mean log-probability of trained tokens", "mean_t logp_t")   \
    X(n_tokens, "tokens/active", "tokens", "trained tokens of the step", "sum_t [w_t != 0]")       \
    X(n_useful, "tokens/useful", "tokens", "trained tokens whose advantage is not 0",              \
      "sum_t [w_t != 0 and A_t != 0]")                                                             \
    X(n_ratio_clamped, "ratio/clamped", "tokens", "log ratios outside of +-20",                    \
      "sum_t [abs(logp - old_logp) > 20]")                                                         \
    X(n_kl_clamped, "kl/clamped", "tokens", "log ratios to the reference outside of +-20",         \
      "sum_t [abs(logp - ref_logp) > 20]")                                                         \
    X(value_loss, "loss/value_avg", "", "loss of the critic, in the run's aggregation",            \
      "sum_t w_t max((V - R)^2, (V_clipped - R)^2) / 2")                                           \
    X(value_clip, "val/clipfrac_avg", "share", "values whose clipped error is the larger",         \
      "mean_t [(V_clipped - R)^2 > (V - R)^2]")                                                    \
    X(value_mean, "value/mean", "", "mean value", "mean_t V")                                      \
    X(return_mean, "return/mean", "", "mean of what values are to become", "mean_t R")             \
    X(explained_variance, "explained_variance", "", "share of the returns' variance in values",    \
      "1 - Var(R - V) / Var(R)")                                                                   \
    X(chosen_logp, "logps/chosen", "nats", "mean log-probability of chosen completions",           \
      "mean sum_t logp_t")                                                                         \
    X(rejected_logp, "logps/rejected", "nats", "the same of rejected ones", "mean sum_t logp_t")   \
    X(chosen_reward, "rewards/chosen", "", "mean implicit reward of chosen completions",           \
      "mean beta (logp - ref_logp), or beta logp / tokens without a reference")                    \
    X(rejected_reward, "rewards/rejected", "", "the same of rejected ones",                        \
      "mean beta (logp - ref_logp), or beta logp / tokens without a reference")                    \
    X(reward_margin, "rewards/margins", "", "chosen less rejected",                                \
      "rewards/chosen - rewards/rejected")                                                         \
    X(reward_accuracy, "rewards/accuracies", "share",                                              \
      "pairs whose chosen completion has the higher implicit reward; ties are wrong",              \
      "mean [margin > 0]")                                                                         \
    X(chosen_change, "displacement/chosen", "nats",                                                \
      "mean change of chosen log-probabilities against the reference",                             \
      "mean (logp - ref_logp) of chosen")                                                          \
    X(rejected_change, "displacement/rejected", "nats", "the same of rejected ones",               \
      "mean (logp - ref_logp) of rejected")                                                        \
    X(token_change, "displacement/chosen_per_token", "nats/token",                                 \
      "mean change of chosen log-probabilities a token", "mean (logp - ref_logp) / tokens")        \
    X(displaced, "displacement/share", "share",                                                    \
      "pairs whose chosen completion is less likely than under the reference",                     \
      "mean [logp < ref_logp] of chosen")                                                          \
    X(nll_loss, "nll_loss", "nats/token", "negative log-likelihood of chosen completions",         \
      "mean -logp / tokens of chosen")                                                             \
    X(n_pairs_empty, "pairs/empty", "pairs", "pairs with a side without trained tokens, left out", \
      "sum [no token]")                                                                            \
    X(baseline, "baseline", "",                                                                    \
      "mean KL (kto) or mean reward (bco) that completions are compared "                          \
      "with",                                                                                      \
      "of the step")                                                                               \
    X(score_accuracy, "accuracy", "share",                                                         \
      "pairs whose chosen completion has the higher score; a tie is half",                         \
      "mean [s_c > s_r] + [s_c = s_r] / 2")                                                        \
    X(score_margin, "margin", "", "mean score of chosen less rejected", "mean (s_c - s_r)")        \
    X(score_min, "min_reward", "", "least score", "min s")                                         \
    X(score_mean, "mean_reward", "", "mean score", "mean s")                                       \
    X(score_max, "max_reward", "", "largest score", "max s")                                       \
    X(step_accuracy, "step_accuracy", "share", "steps on the right side of 1/2",                   \
      "mean [(p > 1/2) = (label > 1/2)]")                                                          \
    X(kl_forward, "distill/kl_fwd", "nats/token", "KL of teacher and student over the given ids",  \
      "mean_t sum_k T (log T - log S)")                                                            \
    X(kl_reverse, "distill/kl_rev", "nats/token", "KL of student and teacher over the given ids",  \
      "mean_t sum_k S (log S - log T)")                                                            \
    X(jsd, "distill/jsd", "nats/token", "their Jensen-Shannon divergence at 1/2",                  \
      "mean_t (KL(T||M) + KL(S||M)) / 2")                                                          \
    X(teacher_tail, "distill/tail", "share", "teacher's probability outside of the given ids",     \
      "mean_t (1 - sum_k T)")                                                                      \
    X(top1_agreement, "distill/top1", "share",                                                     \
      "positions where student and teacher like the same given id best",                           \
      "mean_t [argmax = argmax]")

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
