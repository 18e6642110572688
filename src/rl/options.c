/* Option rows of everything above the waist, and their resolution into descriptors. */
#include "rl/options.h"

#include <assert.h>
#include <string.h>
#include "base/str.h"

static const char *const objective_names[] = {
#define LS_OBJECTIVE_ROW(symbol, name) name,
#include "rl/objective.def"
#undef LS_OBJECTIVE_ROW
    NULL};
static const char *const advantage_names[] = {
#define LS_ADVANTAGE_ROW(symbol, name) name,
#include "rl/advantage.def"
#undef LS_ADVANTAGE_ROW
    NULL};
static const char *const aggregation_names[] = {
#define LS_AGGREGATION_ROW(name, divides_by_length, normaliser, help, source) name,
#include "rl/aggregation.def"
#undef LS_AGGREGATION_ROW
    NULL};
static const char *const estimator_names[] = {"auto", "k1", "k2", "k3", NULL};
static const char *const level_names[] = {"token", "sequence", "sequence-token", "sequence-product",
                                          NULL};
static const char *const wiring_names[] = {"loss", "reward", NULL};
static const char *const controller_names[] = {"fixed", "adaptive", NULL};
static const char *const sampler_names[] = {
    "none", "token-truncate", "token-mask", "sequence-truncate", "sequence-mask", NULL};
static const char *const multi_names[] = {"sum_then_normalize", "normalize_then_sum", NULL};
static const char *const divergence_names[] = {"reverse_kl",       "forward_kl", "js_divergence",
                                               "alpha_divergence", "squared",    NULL};
static const char *const filter_names[] = {"keep", "drop", "refill", NULL};
static_assert(LS_COUNT(estimator_names) == LS_KL_COUNT + 2, "one choice an estimator, and auto");
static_assert(LS_COUNT(level_names) == LS_RATIO_COUNT + 1, "one choice a level");
static_assert(LS_COUNT(wiring_names) == LS_KL_IN_COUNT + 1, "one choice a wiring");
static_assert(LS_COUNT(sampler_names) == LS_SAMPLER_COUNT + 1, "one choice a correction");
static_assert(LS_COUNT(divergence_names) == LS_F_COUNT + 1, "one choice a divergence");
static_assert(LS_COUNT(filter_names) == LS_FILTER_COUNT + 1, "one choice a filter");

#define ROW(field, option_type, text) \
    .key = #field, .type = (option_type), .offset = offsetof(ls_rl_options, field), .def = (text)

static const ls_option rows[] = {
    {ROW(objective, LS_OPT_CHOICE, "ppo-clip"), .choices = objective_names,
     .help = "What is minimised: sft (likelihood), reinforce (score function), ppo-clip (clipped "
             "surrogate), preference (pairs), reward (a reward model) and others.",
     .more = "cispo: score function, clipped detached ratio; sapo: sigmoid gate; gmpo: geometric "
             "mean of clipped token ratios; vespo: score function, gamma kernel of the sequence's "
             "ratio; dppo: masked by the change of probability.  GSPO is ppo-clip with "
             "importance_sampling_level: sequence.  preference: DPO and kin, by loss_type; "
             "preference-triple: TPO; kto, apo-zero-unpaired, bco: labelled completions; "
             "a-star-po: regression onto advantages; reward, reward-ranked, reward-listwise, "
             "reward-steps: scores of a reward model; critic: values; distill: divergence from a "
             "teacher."},
    {ROW(advantage_estimator, LS_OPT_CHOICE, "grpo"), .choices = advantage_names,
     .help = "How rewards become advantages.",
     .more =
         "grpo: z-score in the group; group-mean: centred in the group (Dr. GRPO); rloo: minus "
         "the mean of the others; batch-std: centred in the group, over the batch's standard "
         "deviation (Lite PPO); batch-mean: centred in the batch; maxrl: over the group's mean; "
         "opo: baseline weighted by length; reinforce-pp: returns of tokens, whitened over the "
         "batch; reinforce-pp-baseline: centred in the group, whitened over the batch; "
         "pass-at-k: the best alone; quantile: minus advantage_quantile of the group; gae: "
         "against a critic's values (PPO); remax: minus the greedy completion; none: the reward."},
    {ROW(aggregation, LS_OPT_CHOICE, "token-mean"), .choices = aggregation_names,
     .help = "How token losses become one number, over all sequences of an update.",
     .more = "token-mean 1/N (DAPO, SFT); seq-mean 1/(B n_i) (GRPO); seq-sum 1/B (RLOO); "
             "fixed-length 1/(B max_completion_length) (Dr. GRPO)."},
    {ROW(epsilon, LS_OPT_FLOAT, "0.2"), .min = 0, .max = 100,
     .help = "Lower clip width of the importance ratio."},
    {ROW(epsilon_high, LS_OPT_FLOAT, "-1"), .min = -1, .max = 100,
     .help = "Upper clip width of the importance ratio; -1: the same as epsilon.",
     .more = "DAPO's clip-higher is 0.28."},
    {ROW(delta, LS_OPT_FLOAT, "0"), .min = 0, .max = 1e6, .is_advanced = true,
     .help = "Cap of the importance ratio where clipping does not act; 0: none.",
     .more = "The two-sided clip of INTELLECT-2; must exceed 1 + epsilon_high."},
    {ROW(dual_clip, LS_OPT_FLOAT, "0"), .min = 0, .max = 1e6, .is_advanced = true,
     .help = "Bound of the loss at this times the size of a negative advantage; 0: none.",
     .more = "Dual-clip PPO uses 3; must exceed 1."},
    {ROW(importance_sampling_level, LS_OPT_CHOICE, "token"), .choices = level_names,
     .help = "Whose log ratio the ratio of ppo-clip is made of.",
     .more = "token: of each token (PPO, GRPO); sequence: mean over the completion (GSPO); "
             "sequence-token: that value with the gradient of the token alone (GSPO-token); "
             "sequence-product: sum over the completion (RLOO).  Clip widths belong to the level: "
             "GSPO uses 3e-4 and 4e-4."},
    {ROW(cispo_max_ratio, LS_OPT_FLOAT, "0"), .min = 0, .max = 1e6, .is_advanced = true,
     .help = "Upper bound of cispo's weight, the ratio itself; 0: 1 + epsilon_high.",
     .more = "What TRL calls epsilon_high under cispo; ScaleRL uses 5."},
    {ROW(dppo_epsilon, LS_OPT_FLOAT, "0.2"), .min = 1e-6, .max = 1, .is_advanced = true,
     .help = "Largest change of a token's probability under dppo."},
    {ROW(sapo_temperature_pos, LS_OPT_FLOAT, "1"), .min = 1e-6, .max = 1e6, .is_advanced = true,
     .help = "Steepness of sapo's gate where the advantage is positive."},
    {ROW(sapo_temperature_neg, LS_OPT_FLOAT, "1.05"), .min = 1e-6, .max = 1e6, .is_advanced = true,
     .help = "Steepness of sapo's gate where the advantage is not positive."},
    {ROW(vespo_k_pos, LS_OPT_FLOAT, "2"), .min = 0, .max = 1000, .is_advanced = true,
     .help = "Exponent of vespo's kernel where the advantage is not negative."},
    {ROW(vespo_lambda_pos, LS_OPT_FLOAT, "3"), .min = 0, .max = 1000, .is_advanced = true,
     .help = "Decay of vespo's kernel where the advantage is not negative."},
    {ROW(vespo_k_neg, LS_OPT_FLOAT, "3"), .min = 0, .max = 1000, .is_advanced = true,
     .help = "Exponent of vespo's kernel where the advantage is negative."},
    {ROW(vespo_lambda_neg, LS_OPT_FLOAT, "2"), .min = 0, .max = 1000, .is_advanced = true,
     .help = "Decay of vespo's kernel where the advantage is negative."},
    {ROW(off_policy_mask_threshold, LS_OPT_FLOAT, "0"), .min = 0, .max = 1e6, .unit = "nats",
     .is_advanced = true,
     .help = "Completions with a negative advantage whose log-probability fell by more than this a "
             "token carry no policy term; 0: off.",
     .more = "Off-policy sequence masking of DeepSeek-V3.2.  The KL term and the normaliser stay."},
    {ROW(loss_type, LS_OPT_STRING, "sigmoid"),
     .help = "Pair loss of objective preference, or several with commas between them.",
     .more = "sigmoid (DPO), sigmoid_norm, robust, hinge, exo_pair, discopop, ipo, ipo_sum, "
             "sppo_hard, nca_pair, bco_pair, apo_zero, apo_down, aot, aot_unpaired, dpop, sft, "
             "simpo, alphapo, orpo.  RPO is sigmoid,sft; CPO the same with reference_free; ORPO "
             "sft,orpo; MPO sigmoid,bco_pair,sft with loss_weights 0.8,0.2,1."},
    {ROW(loss_weights, LS_OPT_STRING, ""),
     .help = "Weight of each loss of loss_type, with commas between them; empty: 1 each."},
    {ROW(reference_free, LS_OPT_BOOL, "false"), .is_advanced = true,
     .help = "Count the reference as 0 in pair losses: no reference model (CPO)."},
    {ROW(label_smoothing, LS_OPT_FLOAT, "0"), .min = 0, .max = 0.4999, .unit = "share",
     .help = "Share of preferences taken to be the wrong way round.",
     .more = "cDPO in loss_type sigmoid, where TRL ignores it; exo_pair needs it (1e-3)."},
    {ROW(f_divergence_type, LS_OPT_CHOICE, "reverse_kl"), .choices = divergence_names,
     .is_advanced = true,
     .help = "Divergence from the reference that pair losses stand for (f-DPO).",
     .more = "With t = e^(logp - ref_logp) a completion scores log t (reverse_kl), 1 - 1/t "
             "(forward_kl), log 2t/(1+t) (js_divergence), (t^(a-1) - 1)/(a-1) "
             "(alpha_divergence) or log t / t (squared, SquaredPO)."},
    {ROW(f_alpha_divergence_coef, LS_OPT_FLOAT, "0.5"), .min = -10, .max = 10, .is_advanced = true,
     .help = "a of f_divergence_type alpha_divergence."},
    {ROW(ld_alpha, LS_OPT_FLOAT, "1"), .min = 0, .max = 1, .is_advanced = true,
     .help = "Weight of tokens past the length of a pair's shorter completion (LD-DPO); 1: all."},
    {ROW(use_weighting, LS_OPT_BOOL, "false"), .is_advanced = true,
     .help = "Weigh pairs by how much the policy would write them itself (WPO)."},
    {ROW(discopop_tau, LS_OPT_FLOAT, "0.05"), .min = 1e-6, .max = 1e6, .is_advanced = true,
     .help = "Temperature of the blend in loss_type discopop."},
    {ROW(simpo_gamma, LS_OPT_FLOAT, "0.5"), .min = 0, .max = 1e6, .is_advanced = true,
     .help = "Margin by which the chosen completion is to win in loss_type simpo and alphapo.",
     .more = "In units of beta times log-probability per token; 1.375 with beta 2.5 in the paper."},
    {ROW(alphapo_alpha, LS_OPT_FLOAT, "0.25"), .min = -10, .max = 10, .is_advanced = true,
     .help = "Shape of the reward in loss_type alphapo; 0: simpo."},
    {ROW(dpop_lambda, LS_OPT_FLOAT, "50"), .min = 0, .max = 1e6, .is_advanced = true,
     .help = "Penalty for chosen completions below the reference in loss_type dpop."},
    {ROW(dpo_shift, LS_OPT_FLOAT, "1"), .min = 1e-6, .max = 1, .is_advanced = true,
     .help = "Factor of the rejected completion's score (DPO-Shift); 1: none.",
     .more = "0.5 to 0.95 in arXiv:2502.07599: trades margin for the chosen one's likelihood."},
    {ROW(xpo_alpha, LS_OPT_FLOAT, "0"), .min = 0, .max = 1e6, .is_advanced = true,
     .help = "Pushes completions down that were drawn from the reference (XPO); 0: off."},
    {ROW(tpo_alpha, LS_OPT_FLOAT, "1"), .min = 0, .max = 1e6, .is_advanced = true,
     .help = "Weight of the gold completion's likelihood in objective preference-triple."},
    {ROW(beta_dpo, LS_OPT_BOOL, "false"), .is_advanced = true,
     .help = "Let pairs that stand out be left out, and beta follow how well the others are told "
             "apart (beta-DPO).",
     .more = "With g the log ratio of a pair and its running moments: pairs are drawn by "
             "e^(-((g - mean)/std)^2/2), beta is multiplied by 1 + beta_dpo_a (mean of kept g - "
             "mean), arXiv:2407.08639."},
    {ROW(beta_dpo_a, LS_OPT_FLOAT, "0.6"), .min = 0, .max = 1e6, .is_advanced = true,
     .help = "How strongly beta follows under beta_dpo."},
    {ROW(beta_dpo_rho, LS_OPT_FLOAT, "0.2"), .min = 0, .max = 0.99, .unit = "share",
     .is_advanced = true, .help = "Share of the pairs of an update that beta_dpo leaves out."},
    {ROW(beta_dpo_ema, LS_OPT_FLOAT, "0.9"), .min = 0, .max = 0.999999, .is_advanced = true,
     .help = "Weight of what was in the running moments of beta_dpo."},
    {ROW(desirable_weight, LS_OPT_FLOAT, "1"), .min = 0, .max = 1e6, .is_advanced = true,
     .help = "Weight of desirable completions in kto.",
     .more = "The paper wants desirable_weight n_desirable / (undesirable_weight n_undesirable) "
             "between 1 and 1.5."},
    {ROW(undesirable_weight, LS_OPT_FLOAT, "1"), .min = 0, .max = 1e6, .is_advanced = true,
     .help = "Weight of undesirable completions in kto."},
    {ROW(center_rewards_coefficient, LS_OPT_FLOAT, "0"), .min = 0, .max = 1e6, .is_advanced = true,
     .help = "Pulls the sum of a pair's scores to 0 in objective reward; 0: off.",
     .more = "0.01 in arXiv:2312.09244."},
    {ROW(vf_coef, LS_OPT_FLOAT, "0"), .min = 0, .max = 1e6,
     .help = "Weight of the value loss beside the policy term; 0: the policy has no value head.",
     .more = "0.1 in TRL's PPO."},
    {ROW(cliprange_value, LS_OPT_FLOAT, "0.2"), .min = 0, .max = 1e6, .is_advanced = true,
     .help = "How far a value may leave the one that its return was made with; 0: any."},
    {ROW(gamma, LS_OPT_FLOAT, "1"), .min = 0, .max = 1, .is_advanced = true,
     .help = "Discount of rewards a token in advantage_estimator gae.",
     .more = "Less than 1 punishes long answers."},
    {ROW(lam, LS_OPT_FLOAT, "0.95"), .min = 0, .max = 1, .is_advanced = true,
     .help = "Lambda of advantage_estimator gae: 1 trusts returns alone, 0 values alone."},
    {ROW(beta, LS_OPT_FLOAT, "0"), .min = 0, .max = 1e6, .unit = "reward/nat",
     .help = "Weight of the KL term, the leash; 0 needs no reference."},
    {ROW(kl_estimator, LS_OPT_CHOICE, "auto"), .choices = estimator_names,
     .help = "KL estimate: auto is k3 in the loss and k1 in the reward.",
     .more = "With d = logp - ref_logp: k1 = d, k2 = d^2/2, k3 = e^-d - 1 + d.  As a loss, k2 has "
             "the gradient of KL(policy || ref), k3 that of KL(ref || policy), k1 none.  In the "
             "reward only k1 is right."},
    {ROW(kl_in, LS_OPT_CHOICE, "loss"), .choices = wiring_names,
     .help = "Where the KL acts: a term of the loss, or a part of the reward.",
     .more = "In the loss it is aggregated as the policy term is; in the reward it is summed over "
             "the completion and passes through the advantage."},
    {ROW(use_bias_correction_kl, LS_OPT_BOOL, "false"), .is_advanced = true,
     .help = "Multiply the KL term of the loss by the importance ratio (DeepSeek-V3.2)."},
    {ROW(kl_controller, LS_OPT_CHOICE, "fixed"), .choices = controller_names, .is_advanced = true,
     .help = "Whether beta stays or follows the measured KL."},
    {ROW(kl_target, LS_OPT_FLOAT, "6"), .min = 1e-6, .max = 1e6, .unit = "nats",
     .is_advanced = true, .help = "KL of a completion that the adaptive controller aims at."},
    {ROW(kl_horizon, LS_OPT_FLOAT, "10000"), .min = 1, .max = 1e12, .unit = "sequences",
     .is_advanced = true, .help = "Slowness of the adaptive controller."},
    {ROW(entropy_coef, LS_OPT_FLOAT, "0"), .min = -100, .max = 100,
     .help = "Bonus for the entropy of the policy."},
    {ROW(use_adaptive_entropy, LS_OPT_BOOL, "false"), .is_advanced = true,
     .help = "Let the bonus for entropy follow the entropy of the rollouts (Skywork-OR1).",
     .more =
         "The bonus acts only while the entropy is at or below entropy_target; its coefficient, "
         "entropy_coef at first, grows by entropy_coef_delta then and shrinks otherwise."},
    {ROW(entropy_target, LS_OPT_FLOAT, "0.2"), .min = 0, .max = 100, .unit = "nats",
     .is_advanced = true, .help = "Entropy of a token that use_adaptive_entropy aims at."},
    {ROW(entropy_coef_delta, LS_OPT_FLOAT, "0.005"), .min = 0, .max = 100, .is_advanced = true,
     .help = "Change of the adaptive coefficient of the entropy bonus in a step."},
    {ROW(entropy_coef_min, LS_OPT_FLOAT, "0"), .min = 0, .max = 100, .is_advanced = true,
     .help = "Least adaptive coefficient of the entropy bonus."},
    {ROW(entropy_coef_max, LS_OPT_FLOAT, "1"), .min = 0, .max = 100, .is_advanced = true,
     .help = "Largest adaptive coefficient of the entropy bonus."},
    {ROW(sampler_correction, LS_OPT_CHOICE, "none"), .choices = sampler_names, .is_advanced = true,
     .help = "Importance weight of the policy term where sampling was not from the policy itself.",
     .more = "With top_k, top_p or min_p a token was likelier to be sampled than the policy says; "
             "the weight is the ratio of the two, of each token or multiplied over the completion, "
             "truncated at sampler_correction_max or 0 outside of the bounds."},
    {ROW(sampler_correction_min, LS_OPT_FLOAT, "0"), .min = 0, .max = 1e6, .is_advanced = true,
     .help = "Least importance weight that the mask modes of sampler_correction keep."},
    {ROW(sampler_correction_max, LS_OPT_FLOAT, "3"), .min = 1e-6, .max = 1e6, .is_advanced = true,
     .help = "Importance weight at which sampler_correction truncates or masks."},
    {ROW(top_entropy_quantile, LS_OPT_FLOAT, "1"), .min = 1e-6, .max = 1, .unit = "share",
     .is_advanced = true,
     .help =
         "Share of the tokens of an update, those of most entropy, that the policy term trains; "
         "1: all.",
     .more = "0.2 in arXiv:2506.01939.  The KL term and the normaliser stay."},
    {ROW(clip_cov_ratio, LS_OPT_FLOAT, "0"), .min = 0, .max = 1, .unit = "share",
     .is_advanced = true,
     .help = "Share of tokens, drawn among those of high covariance between advantage and "
             "log-probability, that carry no policy term; 0: none.",
     .more = "2e-4 in arXiv:2505.22617 (Clip-Cov)."},
    {ROW(clip_cov_min, LS_OPT_FLOAT, "1"), .min = -1e6, .max = 1e6, .is_advanced = true,
     .help = "Covariance above which clip_cov_ratio draws."},
    {ROW(clip_cov_max, LS_OPT_FLOAT, "5"), .min = -1e6, .max = 1e6, .is_advanced = true,
     .help = "Covariance below which clip_cov_ratio draws."},
    {ROW(kl_cov_ratio, LS_OPT_FLOAT, "0"), .min = 0, .max = 1, .unit = "share", .is_advanced = true,
     .help = "Share of tokens, those of highest covariance, held to the policy that sampled; 0: "
             "none.",
     .more = "2e-4 in arXiv:2505.22617 (KL-Cov).  Acts from the second update after a rollout on."},
    {ROW(kl_cov_coef, LS_OPT_FLOAT, "1"), .min = 0, .max = 1e6, .is_advanced = true,
     .help = "Weight of |logp - old_logp| for the tokens of kl_cov_ratio."},
    {ROW(advantage_std_epsilon, LS_OPT_FLOAT, "1e-4"), .min = 0, .max = 1, .is_advanced = true,
     .help = "Added to a standard deviation before advantages are divided by it."},
    {ROW(advantage_quantile, LS_OPT_FLOAT, "0.4"), .min = 1e-6, .max = 1, .is_advanced = true,
     .help = "Baseline of advantage_estimator quantile: this quantile of the group's rewards."},
    {ROW(multi_objective_aggregation, LS_OPT_CHOICE, "sum_then_normalize"), .choices = multi_names,
     .is_advanced = true,
     .help = "Whether several rewards are summed before or after the estimator.",
     .more = "normalize_then_sum (GDPO) estimates the advantage of each reward alone, sums them by "
             "weight and divides by the batch's standard deviation: the reward with the largest "
             "spread does not drown the others."},
    {ROW(num_generations, LS_OPT_INT, "8"), .min = 1, .max = 65536, .unit = "completions",
     .help = "Completions of each prompt, a group."},
    {ROW(num_iterations, LS_OPT_INT, "1"), .min = 1, .max = 1024,
     .help = "Passes over the completions of a step."},
    {ROW(degenerate_groups, LS_OPT_CHOICE, "keep"), .choices = filter_names,
     .help = "What happens to groups whose rewards are all equal.",
     .more = "keep: advantage 0, counted in the normaliser; drop: not counted; refill: sample "
             "further prompts instead (DAPO's dynamic sampling)."},
    {ROW(max_refill_rounds, LS_OPT_INT, "10"), .min = 1, .max = 1000, .is_advanced = true,
     .help = "Rounds of sampling after which refill takes what there is."},
    {ROW(mask_truncated_completions, LS_OPT_BOOL, "false"),
     .help = "Completions that hit the length limit carry no loss; their rewards still count in "
             "the statistics."},
    {ROW(missing_eos_penalty, LS_OPT_FLOAT, "0"), .min = 0, .max = 1e6,
     .help = "Taken off the reward of completions that hit the length limit."},
    {ROW(whiten_rewards, LS_OPT_BOOL, "false"), .is_advanced = true,
     .help = "Divides the rewards of tokens by their deviation over the batch, before gae."},
    {ROW(overlong_cache, LS_OPT_INT, "0"), .min = 0, .max = 1e9, .unit = "tokens",
     .help = "Last part of max_completion_length over which a penalty up to -1 grows; 0: none.",
     .more = "Soft overlong punishment of DAPO (4096 of 20480 there)."},
    {ROW(select_best, LS_OPT_INT, "0"), .min = 0, .max = 65536, .unit = "completions",
     .help = "Completions of a prompt, those of most reward, that objective sft imitates; 0: all.",
     .more = "1 in RAFT and rejection sampling.  Equal texts count once."},
    {ROW(select_min_reward, LS_OPT_FLOAT, "-1e9"), .min = LS_SELECT_ANY_REWARD, .max = 1e9,
     .help = "Least reward of a sampled completion that objective sft imitates; -1e9: any.",
     .more = "STaR, RFT and ReST keep what is right: 1 with a reward of 0 and 1."},
    {ROW(select_min_margin, LS_OPT_FLOAT, "0"), .min = 0, .max = 1e9, .is_advanced = true,
     .help = "Difference of reward above which the best and the worst sampled completion of a "
             "prompt make a pair (online DPO)."},
};

const ls_option_table ls_rl_option_table = {
    "Objective", "What is maximised: advantages, the loss of a token, and the KL leash.", rows,
    LS_COUNT(rows)};

static int64_t index_of(const char *const *names, const char *name)
{
    for (int64_t i = 0; names[i]; i++) {
        if (strcmp(names[i], name) == 0)
            return i;
    }
    return -1;
}

/* The index of a CHOICE value; options that were not set through their table may hold anything. */
static leash_status choose(int64_t *index, const char *key, const char *const *names,
                           const char *value)
{
    *index = index_of(names, value);
    if (*index >= 0)
        return LEASH_OK;
    int64_t n = 0;
    while (names[n])
        n++;
    const char *near = ls_nearest_name(value, names, n);
    return ls_fail(LEASH_USAGE, "%s: no %s named \"%s\"; did you mean %s?", key, key, value,
                   near ? near : names[0]);
}

static leash_status check_together(const ls_rl_plan *plan, const ls_rl_options *options)
{
    LS_TRY(ls_objective_check(plan->objective, &plan->objective_options));
    bool has_advantage = plan->objective->needs & LS_NEED_ADVANTAGE;
    bool has_policy_term = has_advantage && plan->objective->run;
    if (plan->objective->is_unit_mean && strcmp(plan->aggregation->name, "seq-sum") != 0)
        return ls_fail(LEASH_USAGE,
                       "aggregation is %s, but objective %s is a mean over pairs or completions; "
                       "set aggregation: seq-sum",
                       plan->aggregation->name, plan->objective->name);
    if (plan->objective_options.vf_coef > 0 && !plan->advantage->needs_value)
        return ls_fail(LEASH_USAGE,
                       "vf_coef is %g, but advantage_estimator %s uses no values; set "
                       "advantage_estimator: gae, or vf_coef: 0",
                       plan->objective_options.vf_coef, plan->advantage->name);
    if (options->whiten_rewards && !(has_advantage && plan->advantage->needs_value))
        return ls_fail(LEASH_USAGE,
                       "whiten_rewards acts on the rewards of tokens, but advantage_estimator %s "
                       "has one of a completion; leave it at false",
                       plan->advantage->name);
    if (has_advantage && plan->advantage->has_group_baseline && options->num_generations < 2)
        return ls_fail(LEASH_USAGE,
                       "num_generations is %lld, but advantage_estimator %s compares completions "
                       "of one prompt; set num_generations to 2 or more, or advantage_estimator "
                       "to batch-mean or none",
                       (long long)options->num_generations, plan->advantage->name);
    if (!has_policy_term &&
        (ls_correction_is_on(&plan->correction_options) || plan->has_entropy_controller))
        return ls_fail(LEASH_USAGE,
                       "%s has no effect on objective %s, which has no policy term that scales "
                       "with advantages; leave it at its default",
                       plan->has_entropy_controller ? "use_adaptive_entropy"
                                                    : "a mask or correction of the policy term",
                       plan->objective->name);
    LS_TRY(ls_correction_check(&plan->correction_options));
    if (plan->has_entropy_controller &&
        !(plan->entropy_controller.min <= plan->entropy_controller.max))
        return ls_fail(LEASH_USAGE,
                       "entropy_coef_min is %g and entropy_coef_max %g, expected min <= max",
                       plan->entropy_controller.min, plan->entropy_controller.max);
    if (plan->normalises_each_reward &&
        (plan->advantage->run_tokens || options->overlong_cache > 0 ||
         (options->beta > 0 && plan->objective_options.kl_in == LS_KL_IN_REWARD)))
        return ls_fail(LEASH_USAGE,
                       "multi_objective_aggregation normalize_then_sum takes the scores of the "
                       "rewards alone: it goes without kl_in reward, overlong_cache and "
                       "advantage_estimator reinforce-pp");
    if (plan->filter != LS_FILTER_KEEP && options->num_generations < 2)
        return ls_fail(LEASH_USAGE,
                       "degenerate_groups is %s, but groups of num_generations %lld have no spread "
                       "and would all be dropped; set num_generations to 2 or more",
                       options->degenerate_groups, (long long)options->num_generations);
    if (plan->has_kl_controller && plan->objective->owns_beta)
        return ls_fail(LEASH_USAGE,
                       "kl_controller is adaptive, but beta is objective %s's own number; set "
                       "kl_controller: fixed",
                       plan->objective->name);
    if (plan->has_kl_controller && !(options->beta > 0))
        return ls_fail(LEASH_USAGE, "kl_controller is adaptive, but beta is 0; set beta to the "
                                    "coefficient it shall start from");
    return LEASH_OK;
}

leash_status ls_rl_resolve(ls_rl_plan *plan, const ls_rl_options *options)
{
    int64_t objective, advantage, aggregation, level, estimator, wiring, controller, sampler, multi,
        filter, divergence;
    LS_TRY(choose(&objective, "objective", objective_names, options->objective));
    LS_TRY(
        choose(&advantage, "advantage_estimator", advantage_names, options->advantage_estimator));
    LS_TRY(choose(&aggregation, "aggregation", aggregation_names, options->aggregation));
    LS_TRY(choose(&level, "importance_sampling_level", level_names,
                  options->importance_sampling_level));
    LS_TRY(choose(&estimator, "kl_estimator", estimator_names, options->kl_estimator));
    LS_TRY(choose(&wiring, "kl_in", wiring_names, options->kl_in));
    LS_TRY(choose(&controller, "kl_controller", controller_names, options->kl_controller));
    LS_TRY(choose(&sampler, "sampler_correction", sampler_names, options->sampler_correction));
    LS_TRY(choose(&multi, "multi_objective_aggregation", multi_names,
                  options->multi_objective_aggregation));
    LS_TRY(choose(&divergence, "f_divergence_type", divergence_names, options->f_divergence_type));
    LS_TRY(choose(&filter, "degenerate_groups", filter_names, options->degenerate_groups));

    ls_kl_kind kl_auto = wiring == LS_KL_IN_REWARD ? LS_KL_K1 : LS_KL_K3;
    *plan = (ls_rl_plan){
        .objective = ls_objectives[objective],
        .advantage = ls_advantages[advantage],
        .aggregation = &ls_aggregations[aggregation],
        .objective_options = {.epsilon = options->epsilon,
                              .epsilon_high = options->epsilon_high,
                              .delta = options->delta,
                              .dual_clip = options->dual_clip,
                              .beta = options->beta,
                              .kl_estimator =
                                  estimator == 0 ? kl_auto : (ls_kl_kind)(estimator - 1),
                              .kl_in = (ls_kl_in)wiring,
                              .use_bias_correction_kl = options->use_bias_correction_kl,
                              .entropy_coef = options->entropy_coef,
                              .off_policy_mask_threshold = options->off_policy_mask_threshold,
                              .importance_sampling_level = (ls_ratio_level)level,
                              .cispo_max_ratio = options->cispo_max_ratio,
                              .dppo_epsilon = options->dppo_epsilon,
                              .sapo_temperature_pos = options->sapo_temperature_pos,
                              .sapo_temperature_neg = options->sapo_temperature_neg,
                              .vespo_k_pos = options->vespo_k_pos,
                              .vespo_lambda_pos = options->vespo_lambda_pos,
                              .vespo_k_neg = options->vespo_k_neg,
                              .vespo_lambda_neg = options->vespo_lambda_neg,
                              .vf_coef = options->vf_coef,
                              .cliprange_value = options->cliprange_value,
                              .pair = {.reference_free = options->reference_free,
                                       .label_smoothing = options->label_smoothing,
                                       .f_divergence = (ls_f_divergence)divergence,
                                       .f_alpha = options->f_alpha_divergence_coef,
                                       .ld_alpha = options->ld_alpha,
                                       .use_weighting = options->use_weighting,
                                       .discopop_tau = options->discopop_tau,
                                       .simpo_gamma = options->simpo_gamma,
                                       .alphapo_alpha = options->alphapo_alpha,
                                       .dpop_lambda = options->dpop_lambda,
                                       .dpo_shift = options->dpo_shift,
                                       .xpo_alpha = options->xpo_alpha},
                              .tpo_alpha = options->tpo_alpha,
                              .desirable_weight = options->desirable_weight,
                              .undesirable_weight = options->undesirable_weight,
                              .center_rewards_coefficient = options->center_rewards_coefficient},
        .advantage_options = {.std_epsilon = options->advantage_std_epsilon,
                              .quantile = options->advantage_quantile,
                              .gamma = options->gamma,
                              .lam = options->lam},
        .correction_options = {.sampler = (ls_sampler_correction)sampler,
                               .sampler_min = options->sampler_correction_min,
                               .sampler_max = options->sampler_correction_max,
                               .top_entropy_quantile = options->top_entropy_quantile,
                               .clip_cov_ratio = options->clip_cov_ratio,
                               .clip_cov_min = options->clip_cov_min,
                               .clip_cov_max = options->clip_cov_max,
                               .kl_cov_ratio = options->kl_cov_ratio,
                               .kl_cov_coef = options->kl_cov_coef},
        .entropy_controller = {.target = options->entropy_target,
                               .delta = options->entropy_coef_delta,
                               .min = options->entropy_coef_min,
                               .max = options->entropy_coef_max},
        .filter = (ls_filter)filter,
        .has_kl_controller = controller == 1,
        .has_entropy_controller = options->use_adaptive_entropy,
        .normalises_each_reward = multi == 1,
    };
    LS_TRY(ls_pair_options_parse(&plan->objective_options.pair, options->loss_type,
                                 options->loss_weights));
    plan->needs = ls_objective_needs(plan->objective, &plan->objective_options);
    if (plan->has_entropy_controller)
        plan->needs |= LS_NEED_ENTROPY;
    if (plan->correction_options.kl_cov_ratio > 0)
        plan->needs |= LS_NEED_OLD_LOGP;
    if ((plan->needs & LS_NEED_ADVANTAGE) && plan->advantage->needs_value)
        plan->needs |= LS_NEED_VALUE;
    return check_together(plan, options);
}
