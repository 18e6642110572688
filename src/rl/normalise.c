/* Running moments, and the regression of rewards on lengths. */
#include "rl/normalise.h"

#include <math.h>

void ls_running_add(ls_running *r, double x)
{
    double d = x - r->mean;
    r->n += 1;
    r->mean += d / r->n;
    r->squares += d * (x - r->mean);
}

void ls_running_merge(ls_running *r, const ls_running *b)
{
    double n = r->n + b->n, d = b->mean - r->mean;
    if (b->n == 0)
        return;
    r->squares += b->squares + d * d * r->n * b->n / n;
    r->mean += d * b->n / n;
    r->n = n;
}

double ls_running_variance(const ls_running *r)
{
    return r->n > 0 ? r->squares / r->n : 0;
}

double ls_running_apply(const ls_running *r, double x, double clip)
{
    double variance = ls_running_variance(r);
    double y = (x - r->mean) / (sqrt(variance) + 1e-8);
    if (clip > 0)
        y = y > clip ? clip : y < -clip ? -clip : y;
    return y;
}

typedef struct moments {
    double mean_x, mean_y, xx, yy, xy; /* centred sums of products */
} moments;

/* The mean rank of x[i], from 1: smaller ones count 1, equal ones a half. */
static double rank_of(const double *x, int64_t n, int64_t i)
{
    double rank = 0.5;
    for (int64_t j = 0; j < n; j++)
        rank += x[j] < x[i] ? 1 : x[j] == x[i] ? 0.5 : 0;
    return rank;
}

static moments moments_of(const double *x, const double *y, int64_t n, int of_ranks)
{
    moments m = {0};
    for (int64_t i = 0; i < n; i++) {
        m.mean_x += (of_ranks ? rank_of(x, n, i) : x[i]) / (double)n;
        m.mean_y += (of_ranks ? rank_of(y, n, i) : y[i]) / (double)n;
    }
    for (int64_t i = 0; i < n; i++) {
        double dx = (of_ranks ? rank_of(x, n, i) : x[i]) - m.mean_x;
        double dy = (of_ranks ? rank_of(y, n, i) : y[i]) - m.mean_y;
        m.xx += dx * dx;
        m.yy += dy * dy;
        m.xy += dx * dy;
    }
    return m;
}

static double correlation(const moments *m)
{
    return m->xx > 0 && m->yy > 0 ? m->xy / sqrt(m->xx * m->yy) : NAN;
}

ls_length_bias ls_length_bias_measure(const double *length, const double *reward, int64_t n)
{
    moments plain = moments_of(length, reward, n, 0), ranks = moments_of(length, reward, n, 1);
    double slope = plain.xx > 0 ? plain.xy / plain.xx : 0;
    return (ls_length_bias){.pearson = correlation(&plain),
                            .spearman = correlation(&ranks),
                            .slope = slope,
                            .intercept = plain.mean_y - slope * plain.mean_x};
}

double ls_length_bias_residual(const ls_length_bias *bias, double length, double reward)
{
    return reward - bias->intercept - bias->slope * length;
}
