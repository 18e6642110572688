/* What is made of a reward model's scores: ensembles, calibration, and steps of a solution. */
#ifndef LS_RL_SCORES_H
#define LS_RL_SCORES_H

#include <stdint.h>
#include "base/err.h"

/* Members of an ensemble, on one scale (rl/normalise.h), about one completion.  Source:
 * arXiv:2310.02743; mean - k std is that of the lower confidence bound. */
typedef enum ls_ensemble {
    LS_ENSEMBLE_MEAN,
    LS_ENSEMBLE_MIN,        /* worst case                                        */
    LS_ENSEMBLE_UNCERTAIN,  /* mean - k variance, with the population's variance */
    LS_ENSEMBLE_LOWER_BOUND /* mean - k standard deviation of the population     */
} ls_ensemble;
typedef struct ls_ensemble_score {
    double value;
    double mean, min, variance; /* the variance is how much members disagree */
} ls_ensemble_score;
ls_ensemble_score ls_ensemble_combine(ls_ensemble how, const double *score, int64_t n, double k);

/* Predicted probabilities against outcomes 0 or 1.  bin_end (n_bins), ascending: bin b holds
 * confidences of at most bin_end[b]; NULL: equal widths on [0, 1]. */
typedef struct ls_calibration {
    double error; /* expected calibration error: sum_b n_b / n |confidence - accuracy| */
    double brier; /* mean squared difference                                           */
} ls_calibration;
ls_calibration ls_calibration_measure(const double *confidence, const double *outcome, int64_t n,
                                      const double *bin_end, int64_t n_bins);

/* Steps of a solution, as probabilities of being right: one score. */
typedef enum ls_step_score {
    LS_STEPS_MIN,
    LS_STEPS_PRODUCT,
    LS_STEPS_LAST,
    LS_STEPS_MEAN,
    LS_STEPS_SUM_LOG
} ls_step_score;
double ls_steps_combine(ls_step_score how, const double *p, int64_t n); /* NaN without steps */
/* Label of a step from completions that went on from it: any right, or their share (Math-Shepherd,
 * arXiv:2312.08935). */
double ls_step_label(int64_t n_right, int64_t n, int is_soft);

/* Process supervision (arXiv:2402.03300 sec. 4.1.3): step rewards of all sequences of a group are
 * centred and divided by their pooled deviation; a token has the sum over the steps that end at it
 * or later.  step_end (n_steps): token of the batch that a step ends with, ascending; reward
 * (n_steps); seq_start (n_seqs + 1); group (n_seqs).  advantage: all tokens of the batch.  A group
 * of one step or of equal rewards gets 0.  Errors: LEASH_DATA for a step outside of the batch. */
leash_status ls_step_advantages(float *advantage, const int64_t *step_end, const double *reward,
                                int64_t n_steps, const int64_t *seq_start, const int32_t *group,
                                int64_t n_seqs, double std_epsilon) LEASH_MUST_USE;

#endif
