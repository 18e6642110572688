/* Ensembles, calibration, and scores of steps. */
#include "rl/scores.h"

#include <math.h>
#include <stdbool.h>
#include "rl/whiten.h"

ls_ensemble_score ls_ensemble_combine(ls_ensemble how, const double *score, int64_t n, double k)
{
    ls_ensemble_score s = {.min = INFINITY};
    LS_ASSERT(n > 0);
    for (int64_t i = 0; i < n; i++) {
        s.mean += score[i] / (double)n;
        s.min = fmin(s.min, score[i]);
    }
    for (int64_t i = 0; i < n; i++)
        s.variance += (score[i] - s.mean) * (score[i] - s.mean) / (double)n;
    switch (how) {
    case LS_ENSEMBLE_MEAN: s.value = s.mean; break;
    case LS_ENSEMBLE_MIN: s.value = s.min; break;
    case LS_ENSEMBLE_UNCERTAIN: s.value = s.mean - k * s.variance; break;
    case LS_ENSEMBLE_LOWER_BOUND: s.value = s.mean - k * sqrt(s.variance); break;
    }
    return s;
}

ls_calibration ls_calibration_measure(const double *confidence, const double *outcome, int64_t n,
                                      const double *bin_end, int64_t n_bins)
{
    ls_calibration c = {0};
    for (int64_t b = 0; b < n_bins; b++) {
        double low = bin_end ? (b ? bin_end[b - 1] : -INFINITY) : (double)b / (double)n_bins;
        double high = bin_end ? bin_end[b] : (double)(b + 1) / (double)n_bins;
        double gap = 0;
        for (int64_t i = 0; i < n; i++) {
            bool is_in = confidence[i] <= high && (confidence[i] > low || (b == 0 && !bin_end));
            gap += is_in ? confidence[i] - outcome[i] : 0;
        }
        c.error += fabs(gap) / (double)n;
    }
    for (int64_t i = 0; i < n; i++)
        c.brier += (confidence[i] - outcome[i]) * (confidence[i] - outcome[i]) / (double)n;
    return c;
}

double ls_steps_combine(ls_step_score how, const double *p, int64_t n)
{
    double min = INFINITY, sum = 0, sum_log = 0;
    for (int64_t i = 0; i < n; i++) {
        min = fmin(min, p[i]);
        sum += p[i];
        sum_log += log(p[i]);
    }
    if (n == 0)
        return NAN;
    switch (how) {
    case LS_STEPS_MIN: return min;
    case LS_STEPS_PRODUCT: return exp(sum_log);
    case LS_STEPS_LAST: return p[n - 1];
    case LS_STEPS_MEAN: return sum / (double)n;
    case LS_STEPS_SUM_LOG: break;
    }
    return sum_log;
}

double ls_step_label(int64_t n_right, int64_t n, int is_soft)
{
    if (n == 0)
        return NAN;
    return is_soft ? (double)n_right / (double)n : n_right > 0;
}

/* The sequence of a token; -1 outside of the batch. */
static int64_t sequence_of(const int64_t *seq_start, int64_t n_seqs, int64_t token)
{
    for (int64_t i = 0; i < n_seqs; i++) {
        if (token >= seq_start[i] - seq_start[0] && token < seq_start[i + 1] - seq_start[0])
            return i;
    }
    return -1;
}

/* The pooled moments of the step rewards of sequence i's group. */
static ls_whitening group_moments(const int64_t *step_end, const double *reward, int64_t n_steps,
                                  const int64_t *seq_start, const int32_t *group, int64_t n_seqs,
                                  int64_t i)
{
    ls_whitening w = LS_WHITENING_INIT;
    for (int64_t s = 0; s < n_steps; s++) {
        if (group[sequence_of(seq_start, n_seqs, step_end[s])] == group[i])
            ls_whitening_add(&w, reward[s], 1);
    }
    return w;
}

/* As the z-score in a group: (x - mean) / (deviation + epsilon), the deviation with n - 1. */
static double z_score(const ls_whitening *w, double x, double epsilon)
{
    if (w->n < 2 || w->max - w->min < 1e-6 * fmax(1.0, fabs(w->mean)))
        return 0;
    return (x - w->mean) / (sqrt(w->squares / (w->n - 1)) + epsilon);
}

leash_status ls_step_advantages(float *advantage, const int64_t *step_end, const double *reward,
                                int64_t n_steps, const int64_t *seq_start, const int32_t *group,
                                int64_t n_seqs, double std_epsilon)
{
    for (int64_t s = 0; s < n_steps; s++) {
        if (sequence_of(seq_start, n_seqs, step_end[s]) < 0)
            return ls_fail(LEASH_DATA,
                           "step %lld ends at token %lld, but the batch has %lld tokens",
                           (long long)s, (long long)step_end[s],
                           (long long)(seq_start[n_seqs] - seq_start[0]));
    }
    int64_t s = n_steps - 1;
    for (int64_t i = n_seqs - 1; i >= 0; i--) {
        ls_whitening w = group_moments(step_end, reward, n_steps, seq_start, group, n_seqs, i);
        double sum = 0;
        for (int64_t t = seq_start[i + 1] - seq_start[0] - 1; t >= seq_start[i] - seq_start[0];
             t--) {
            for (; s >= 0 && step_end[s] >= t; s--)
                sum += z_score(&w, reward[s], std_epsilon);
            advantage[t] = (float)sum;
        }
    }
    return LEASH_OK;
}
