/* Whitening: one mean and one deviation for all tokens of a batch.
 *
 *     ls_whitening w = LS_WHITENING_INIT;
 *     for each token:  ls_whitening_add(&w, x, 1);
 *     for each token:  y = ls_whitening_apply(&w, x, epsilon);
 *
 *     y = (x - mean) / sqrt(variance + epsilon^2)            variance with n - 1
 *
 * Values whose spread is below 1e-6 * max(1, |mean|) are equal, and become 0.  The sums run in the
 * order of the calls. */
#ifndef LS_RL_WHITEN_H
#define LS_RL_WHITEN_H

typedef struct ls_whitening { /* running mean and sum of squared deviations (Welford 1962) */
    double n, mean, squares, min, max;
} ls_whitening;
#define LS_WHITENING_INIT \
    {                     \
        0                 \
    }

/* Adds `count` tokens of value x; 0 of them change nothing. */
void ls_whitening_add(ls_whitening *w, double x, double count);
double ls_whitening_apply(const ls_whitening *w, double x, double epsilon);

#endif
