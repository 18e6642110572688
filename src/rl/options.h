/* The settings of everything above the waist as option rows, and what they resolve to. */
#ifndef LS_RL_OPTIONS_H
#define LS_RL_OPTIONS_H

#include "config/option.h"
#include "rl/advantage.h"
#include "rl/aggregation.h"
#include "rl/correction.h"
#include "rl/entropy.h"
#include "rl/filter.h"
#include "rl/objective.h"

typedef struct ls_rl_options { /* bound to ls_rl_option_table; names are the keys */
    const char *objective, *advantage_estimator, *aggregation;
    double epsilon, epsilon_high, delta, dual_clip;
    const char *importance_sampling_level;
    double cispo_max_ratio, dppo_epsilon, sapo_temperature_pos, sapo_temperature_neg;
    double vespo_k_pos, vespo_lambda_pos, vespo_k_neg, vespo_lambda_neg;
    double off_policy_mask_threshold;
    const char *loss_type, *loss_weights, *f_divergence_type;
    bool reference_free, use_weighting;
    double label_smoothing, f_alpha_divergence_coef, ld_alpha, discopop_tau;
    double simpo_gamma, alphapo_alpha, dpop_lambda, dpo_shift, xpo_alpha, tpo_alpha;
    bool beta_dpo;
    double beta_dpo_a, beta_dpo_rho, beta_dpo_ema;
    double desirable_weight, undesirable_weight;
    double center_rewards_coefficient;
    double vf_coef, cliprange_value, gamma, lam;
    double beta;
    const char *kl_estimator, *kl_in, *kl_controller;
    bool use_bias_correction_kl;
    double kl_target, kl_horizon;
    double entropy_coef;
    bool use_adaptive_entropy;
    double entropy_target, entropy_coef_delta, entropy_coef_min, entropy_coef_max;
    const char *sampler_correction;
    double sampler_correction_min, sampler_correction_max;
    double top_entropy_quantile;
    double clip_cov_ratio, clip_cov_min, clip_cov_max, kl_cov_ratio, kl_cov_coef;
    double advantage_std_epsilon, advantage_quantile;
    const char *multi_objective_aggregation; /* sum_then_normalize, normalize_then_sum */
    int64_t num_generations, num_iterations;
    const char *degenerate_groups; /* keep, drop, refill */
    int64_t max_refill_rounds;
    bool mask_truncated_completions;
    double missing_eos_penalty;
    bool whiten_rewards;
    int64_t overlong_cache; /* 0: no overlong punishment */
    int64_t select_best;    /* of a group, imitated; 0: any number */
    double select_min_reward, select_min_margin;
} ls_rl_options;

/* select_min_reward that keeps everything that was judged. */
#define LS_SELECT_ANY_REWARD (-1e9)

extern const ls_option_table ls_rl_option_table;

typedef struct ls_rl_plan {
    const ls_objective *objective;
    const ls_advantage *advantage;
    const ls_aggregation *aggregation;
    ls_objective_options objective_options;
    ls_advantage_options advantage_options;
    ls_correction_options correction_options;
    ls_entropy_controller entropy_controller;
    ls_filter filter;
    bool has_kl_controller, has_entropy_controller;
    bool normalises_each_reward; /* rl/multi_reward.h instead of the sum of rewards */
    unsigned needs;              /* LS_NEED_ bits */
} ls_rl_plan;

/* Looks the names up and checks that the settings fit together.  Errors: LEASH_USAGE naming the
 * key. */
leash_status ls_rl_resolve(ls_rl_plan *plan, const ls_rl_options *options) LEASH_MUST_USE;

#endif
