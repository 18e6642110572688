/* KL estimators, what they do to a loss or a reward, and controllers for their coefficient.
 *
 * With d = logp - ref_logp at a token sampled from the policy (Schulman 2020, "Approximating KL
 * divergence"):
 *     k1 = d            unbiased, any sign
 *     k2 = d^2 / 2      biased value, right gradient as a loss
 *     k3 = e^-d - 1 + d unbiased value, >= 0; as a loss: the gradient of KL(ref || policy)
 * As a loss, k1 alone has no gradient in expectation.  In the reward (detached) k1 alone is right.
 * Multiplied by the importance ratio inside the graph, k1 and k3 have the gradient of
 * KL(policy || ref) as well.
 *
 * d is clamped to [-20, 20]; a clamped token is counted and has slope 0. */
#ifndef LS_RL_KL_H
#define LS_RL_KL_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "rl/waist.h"

/* Log ratios beyond this are clamped before e^x is taken. */
#define LS_LOG_RATIO_MAX 20.0

typedef enum ls_kl_kind { LS_KL_K1, LS_KL_K2, LS_KL_K3, LS_KL_COUNT } ls_kl_kind;
extern const char *const ls_kl_names[LS_KL_COUNT]; /* "k1", "k2", "k3" */

typedef struct ls_kl_value {
    double value; /* the estimate                    */
    double slope; /* its derivative by logp          */
    bool is_clamped;
} ls_kl_value;

/* The estimator at d = logp - ref_logp.  NaN stays NaN. */
ls_kl_value ls_kl_estimate(ls_kl_kind kind, double d);
/* The same times rho = e^(logp - old_logp), rho differentiated too: value rho k, slope
 * rho (k + k'). */
ls_kl_value ls_kl_estimate_corrected(ls_kl_kind kind, double d, double log_ratio);

/* KL in the reward: reward[i] -= beta * sum of k1 over the unmasked tokens of sequence i, from
 * old_logp and ref_logp of the streams (weight and advantage are not read).  mask (n_tokens): 0 =
 * masked; NULL: every token counts.  token_cost (n_tokens), NULL allowed, takes beta * k1 of each
 * token, 0 where masked.  Returns the number of clamped tokens. */
int64_t ls_kl_shape_rewards(double *reward, double *token_cost, const leash_streams *streams,
                            const uint8_t *mask, double beta);

/* The coefficient after n_seqs sequences whose mean sequence KL (sum of k1, in nats) was `kl`:
 *     e = clip(kl / target - 1, -0.2, 0.2),   beta *= 1 + e * n_seqs / horizon
 * (Ziegler et al. 2019, sec. 2.2).
 * Never below 1e-8 or above 1e6; a KL that is NaN leaves beta alone. */
double ls_kl_adapt(double beta, double kl, double target, double horizon, int64_t n_seqs);

#endif
