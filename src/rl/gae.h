/* Generalised advantage estimation of one sequence, and the returns that a critic learns.  The
 * estimator "gae" (rl/advantage/gae.c) is this over a batch, whitened. */
#ifndef LS_RL_GAE_H
#define LS_RL_GAE_H

#include "rl/advantage.h"

typedef struct ls_gae_input {
    int64_t n;
    double score;             /* reward at the last unmasked token              */
    const double *token_cost; /* (n) taken from each token's reward; NULL: 0    */
    const float *value;       /* (n) of the state before the token              */
    const uint8_t *mask;      /* (n) 0: stepped over; NULL: none                */
    double value_after;       /* of the state after the end; 0: it is terminal  */
    double gamma, lambda;
} ls_gae_input;

/* advantage, ret (n); 0 where masked. */
void ls_gae(double *advantage, double *ret, const ls_gae_input *in);
/* The returns A + V of all tokens of a batch, from unwhitened advantages; 0 for tokens of
 * unscorable sequences, which carry no loss. */
void ls_gae_returns(float *ret, const ls_advantage_options *options, const ls_reward_batch *batch);

#endif
