/* Which pairs a step learns from, and how strongly: beta-DPO and CHES.
 *
 * beta-DPO (arXiv:2407.08639).  g = c - r of each pair of the step, detached; running mean and
 * deviation with weight ema for what was:
 *     a share 1 - rho of the pairs is drawn without replacement, weighted by e^(-((g -
 *     mean)/std)^2/2) beta = max(1e-3, beta_0 (1 + a (mean of kept g - mean)))
 *
 * CHES (arXiv:2410.08847).  S is the sum of the last hidden states that predict a completion:
 *     <S_chosen, S_rejected> - |S_chosen|^2, or with both divided by their numbers of tokens;
 * the higher, the more the chosen one's likelihood will fall: leave the highest out. */
#ifndef LS_RL_PAIR_DATA_H
#define LS_RL_PAIR_DATA_H

#include <stdint.h>
#include "base/rng.h"

typedef struct ls_beta_dpo {
    double beta, a, rho, ema; /* given: 0.1, 0.6, 0.2, 0.9      */
    double mean, std;         /* state                          */
    int64_t n_steps;          /* state: 0 before the first step */
} ls_beta_dpo;
#define LS_BETA_DPO_INIT                              \
    {                                                 \
        .beta = 0.1, .a = 0.6, .rho = 0.2, .ema = 0.9 \
    }

/* Takes the gaps of a step into the running moments. */
void ls_beta_dpo_observe(ls_beta_dpo *b, const double *gap, int64_t n);
double ls_beta_dpo_weight(const ls_beta_dpo *b, double gap);
/* keep (n): which pairs are drawn, by name's numbers. Returns how many: at least one. */
int64_t ls_beta_dpo_draw(uint8_t *keep, const ls_beta_dpo *b, const double *gap, int64_t n,
                         const ls_rng_name *name);
/* The step's beta, from the gaps of the pairs that are kept (NULL: all). */
double ls_beta_dpo_beta(const ls_beta_dpo *b, const double *gap, const uint8_t *keep, int64_t n);

/* chosen, rejected (width): sums of hidden states over n_chosen, n_rejected positions; both
 * numbers 1: not normalised. */
double ls_ches(const float *chosen, const float *rejected, int64_t width, int64_t n_chosen,
               int64_t n_rejected);

#endif
