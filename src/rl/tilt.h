/* The optimum that every method here aims at, and what selecting from samples gives instead.
 *
 *     pi(y) = ref(y) e^(r(y) / beta) / Z,      the maximum of E r - beta KL(pi || ref)
 *
 * All functions are of finite lists, in log space. */
#ifndef LS_RL_TILT_H
#define LS_RL_TILT_H

#include <stdint.h>
#include "base/err.h"

typedef struct ls_tilt {
    double log_z;  /* log sum ref e^(r / beta)               */
    double reward; /* E r under the optimum                  */
    double kl;     /* KL(optimum || ref), nats               */
    double value;  /* E r - beta KL = beta log Z             */
    double entropy;
} ls_tilt;

/* log_ref, reward (n), normalised or not; log_p (n): the optimum.  Errors: LEASH_DATA for a reward
 * that is not finite, LEASH_USAGE for a beta that is not above 0. */
leash_status ls_tilt_solve(ls_tilt *tilt, double *log_p, const double *log_ref,
                           const double *reward, int64_t n, double beta) LEASH_MUST_USE;
/* E r - beta KL(p || ref) of any p. */
double ls_tilt_objective(const double *p, const double *log_ref, const double *reward, int64_t n,
                         double beta);

/* beta log mean e^(reward / beta), the optimal value of a prompt from completions of the reference
 * (A*-PO); n at least 1. */
double ls_soft_value(const double *reward, int64_t n, double beta);

/* p (n): the distribution of the best of n_draws draws from ref, equal rewards sharing by ref. */
void ls_best_of_n(double *p, const double *ref, const double *reward, int64_t n, int64_t n_draws);
/* log n - (n - 1) / n: the most that its KL can be. */
double ls_best_of_n_kl_bound(int64_t n_draws);
/* Unbiased expected score of the best of n_draws, from n >= n_draws samples: gold (n), in the order
 * of `proxy`, which selects; NULL: gold selects itself. */
double ls_best_of_n_estimate(const double *gold, const double *proxy, int64_t n, int64_t n_draws);
/* w (n) = softmax(reward / beta), which picks one of n samples; returns 1 / sum w^2, the effective
 * number of samples. beta 0: the best ones, in equal parts.  Rewards must be finite. */
double ls_soft_best_of_n(double *w, const double *reward, int64_t n, double beta);
/* log_mix (n): the normalised (1 - m) log_p + m log_ref, the opponent of Nash-MD (2312.00886). */
void ls_geometric_mixture(double *log_mix, const double *log_p, const double *log_ref, int64_t n,
                          double m);

#endif
