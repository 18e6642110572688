/* Divergences over buckets, and advantages of sampled tokens. */
#include "rl/divergence.h"

#include <math.h>
#include "base/err.h"

#define TAIL_MIN 1e-8

/* log(1 - sum e^logp), at least log 1e-8. */
static double log_tail(const float *logp, int64_t n)
{
    double sum = 0;
    for (int64_t k = 0; k < n; k++)
        sum += exp((double)logp[k]);
    return sum < 1 - TAIL_MIN ? log1p(-sum) : isnan(sum) ? sum : log(TAIL_MIN);
}

double ls_divergence_tail(const float *logp, int64_t n)
{
    double tail = exp(log_tail(logp, n));
    return tail > TAIL_MIN * (1 + 1e-12) ? tail : 0;
}

/* log(beta e^t + (1 - beta) e^s) */
static double log_mixture(double t, double s, double beta)
{
    double a = t + log(beta), b = s + log1p(-beta), max = fmax(a, b);
    return max == -INFINITY ? max : max + log(exp(a - max) + exp(b - max));
}

/* p (log p - log q), 0 at p = 0. */
static double part(double log_p, double log_q)
{
    return log_p == -INFINITY ? 0 : exp(log_p) * (log_p - log_q);
}

/* One bucket's part of the divergence; *dq: derivative by the student's probability, times it. */
static double bucket(double *dq, double t, double s, double beta)
{
    if (beta == 0) {
        *dq = -exp(t);
        return part(t, s);
    }
    if (beta == 1) {
        *dq = s == -INFINITY ? 0 : exp(s) * (s - t + 1);
        return part(s, t);
    }
    double m = log_mixture(t, s, beta);
    *dq = s == -INFINITY ? 0 : (1 - beta) * exp(s) * (s - m);
    return beta * part(t, m) + (1 - beta) * part(s, m);
}

double ls_divergence_compute(double *dlogp, const float *student, const float *teacher, int64_t n,
                             bool is_all, double beta)
{
    double value = 0, dq, ratio = 0;
    LS_ASSERT(beta >= 0 && beta <= 1);
    if (!is_all) {
        double s = log_tail(student, n);
        bool is_floored = s <= log(TAIL_MIN);
        value = bucket(&dq, log_tail(teacher, n), s, beta);
        /* dq is q_0 dD/dq_0, and q_0 falls by q_k when logp_k grows. */
        ratio = is_floored ? 0 : dq / exp(s);
    }
    for (int64_t k = 0; k < n; k++) {
        value += bucket(&dq, (double)teacher[k], (double)student[k], beta);
        if (dlogp)
            dlogp[k] = dq - exp((double)student[k]) * ratio;
    }
    return value;
}

void ls_distill_advantages(float *advantage, const float *teacher, const float *logp, int64_t n,
                           double clip)
{
    for (int64_t t = 0; t < n; t++) {
        double a = (double)teacher[t] - (double)logp[t];
        if (clip > 0)
            a = a > clip ? clip : a < -clip ? -clip : a;
        advantage[t] = (float)a;
    }
}

void ls_distill_weigh_early(float *advantage, int64_t n)
{
    double total = 0, before = 0;
    for (int64_t t = 0; t < n; t++)
        total += fabs((double)advantage[t]);
    for (int64_t t = 0; t < n && total > 0; t++) {
        double a = (double)advantage[t];
        advantage[t] = (float)(a * (1 + 0.5 * (1 - before / total)));
        before += fabs(a);
    }
}

void ls_distill_returns(float *advantage, int64_t n, double gamma)
{
    double sum = 0, count = 0;
    for (int64_t t = n - 1; t >= 0; t--) {
        sum = (double)advantage[t] + gamma * sum;
        count = 1 + gamma * count;
        advantage[t] = (float)(sum / count);
    }
}
