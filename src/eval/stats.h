/* Statistics of evaluations: pass@k and its kin, majority votes, intervals.
 *
 * n samples of a problem, c of them correct.  All of these are averaged over problems by the
 * caller.  Everything is exact arithmetic in double, free of overflow, except the bootstrap, whose
 * draws are named by a seed (base/rng.h). */
#ifndef LS_EVAL_STATS_H
#define LS_EVAL_STATS_H

#include <stdint.h>
#include "base/err.h"

/* 1 - C(n-c,k) / C(n,k): the chance that one of k distinct samples is correct (Chen et al. 2021,
 * arXiv:2107.03374).  NaN for k > n: there is no estimate. */
double ls_pass_at_k(int64_t n, int64_t c, int64_t k);
/* C(c,k) / C(n,k): the chance that all of k distinct samples are correct (pass^k).  NaN for k >
 * n. */
double ls_pass_pow_k(int64_t n, int64_t c, int64_t k);

/* maj@k: the expected share of credit when k samples vote by answer and those in front share one
 * credit.  Answers are sorted into classes of equal answers; count[j] samples gave class j;
 * n_unparsed gave none and have no vote.  `correct` is the class of the right answer, -1 when
 * nobody gave it (maj@k is then 0).  Exact over all subsets of k of the n samples; time grows as
 * k^2
 * log(k) n.   Errors: LEASH_USAGE for k < 1, k > n or k > LS_MAJ_K_MAX. */
#define LS_MAJ_K_MAX 256
leash_status ls_maj_at_k(double *out, const int64_t *count, int64_t n_classes, int64_t n_unparsed,
                         int64_t correct, int64_t k) LEASH_MUST_USE;
/* The same for k independent answers with class probabilities p; what is missing to 1 has no
 * vote. */
leash_status ls_maj_at_k_of_distribution(double *out, const double *p, int64_t n_classes,
                                         int64_t correct, int64_t k) LEASH_MUST_USE;

typedef struct ls_interval {
    double value, low, high;
} ls_interval;

/* Wilson's score interval of c successes in n trials; z = 1.959963984540054 for 95 %. */
ls_interval ls_wilson(int64_t n, int64_t c, double z);

#define LS_BOOTSTRAP_REPLICATES 2000
/* Percentile interval of the mean over problems, problems resampled with replacement.  value[i] is
 * the mean over all samples of problem i, so that the samples of a problem stay together; NaN
 * values are left out.  confidence 0.95.  No problem: NaN. */
ls_interval ls_bootstrap_mean(const double *value, int64_t n_problems, double confidence,
                              uint64_t seed);
/* The same for mean(a) - mean(b) on the same problems; a problem with NaN on either side is left
 * out. */
ls_interval ls_bootstrap_difference(const double *a, const double *b, int64_t n_problems,
                                    double confidence, uint64_t seed);

#endif
