/* Rewards of completions that did not end, and when an update's passes stop. */
#ifndef LS_RL_SHAPING_H
#define LS_RL_SHAPING_H

#include <stdbool.h>
#include <stdint.h>

/* missing_eos_penalty of TRL: taken off the reward of each sequence with LS_SEQ_TRUNCATED. */
void ls_shape_missing_eos(double *reward, const uint8_t *flags, int64_t n_seqs, double penalty);
/* stop_properly_penalty_coef of OpenRLHF: such rewards are multiplied by a coefficient in [0, 1],
 * or become the coefficient when it is negative. */
void ls_shape_truncated(double *reward, const uint8_t *flags, int64_t n_seqs, double coefficient);
/* whiten_rewards of TRL: the rewards of all tokens (-token_cost, the rest of the sequence's at its
 * last token) become (r - mean) / sqrt(variance + 1e-8) + mean.  reward (n_seqs; NaN: left out) and
 * token_cost (per token) are changed so that they say the new ones. */
void ls_shape_whiten(double *reward, double *token_cost, const int64_t *seq_start, int64_t n_seqs);
/* Whether passes over a batch end early: the KL to the policy that sampled is above target_kl
 * (0: never).  A NaN stops. */
bool ls_shape_stops_early(double approx_kl, double target_kl);

#endif
