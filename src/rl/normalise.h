/* Scores on a common scale: running mean and deviation, and what is taken off for length.
 *
 *     ls_running r = LS_RUNNING_INIT;
 *     ls_running_add(&r, score);           ... ls_running_merge(&r, &other_rank) ...
 *     double x = ls_running_apply(&r, score, 10);
 *
 * A static normaliser is the same, filled once on reference prompts.  A running one makes the
 * reward a moving target: log the raw reward beside it. */
#ifndef LS_RL_NORMALISE_H
#define LS_RL_NORMALISE_H

#include <stdint.h>

typedef struct ls_running { /* Welford: count, mean, sum of squared deviations */
    double n, mean, squares;
} ls_running;
#define LS_RUNNING_INIT \
    {                   \
        0               \
    }

void ls_running_add(ls_running *r, double x);
/* As if everything that b saw had been added to r. */
void ls_running_merge(ls_running *r, const ls_running *b);
double ls_running_variance(const ls_running *r); /* population; 0 when nothing was added */
/* (x - mean) / (deviation + 1e-8), kept within +-clip (0: any). */
double ls_running_apply(const ls_running *r, double x, double clip);

typedef struct ls_length_bias {
    double pearson, spearman; /* of length and reward; NaN when one of them is constant */
    double slope, intercept;  /* reward = intercept + slope * length, least squares      */
} ls_length_bias;

/* reward, length (n).  Spearman gives equal values their mean rank. */
ls_length_bias ls_length_bias_measure(const double *length, const double *reward, int64_t n);
/* What of a reward its length does not explain. */
double ls_length_bias_residual(const ls_length_bias *bias, double length, double reward);

#endif
