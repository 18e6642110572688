/* Closed forms over finite lists. */
#include "rl/tilt.h"

#include <math.h>

static double log_sum(const double *x, int64_t n)
{
    double max = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        max = fmax(max, x[i]);
    if (max == -INFINITY)
        return max;
    for (int64_t i = 0; i < n; i++)
        sum += exp(x[i] - max);
    return max + log(sum);
}

leash_status ls_tilt_solve(ls_tilt *tilt, double *log_p, const double *log_ref,
                           const double *reward, int64_t n, double beta)
{
    if (!(beta > 0))
        return ls_fail(LEASH_USAGE,
                       "beta is %g, expected more than 0: without a leash the optimum "
                       "is the best completion alone",
                       beta);
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(reward[i]))
            return ls_fail(LEASH_DATA, "reward %lld is %g, expected a finite number", (long long)i,
                           reward[i]);
        log_p[i] = log_ref[i] + reward[i] / beta;
    }
    double norm = log_sum(log_p, n), norm_ref = log_sum(log_ref, n);
    *tilt = (ls_tilt){.log_z = norm - norm_ref};
    for (int64_t i = 0; i < n; i++) {
        log_p[i] -= norm;
        double p = exp(log_p[i]);
        if (p == 0)
            continue;
        tilt->reward += p * reward[i];
        tilt->kl += p * (log_p[i] - (log_ref[i] - norm_ref));
        tilt->entropy -= p * log_p[i];
    }
    tilt->value = beta * tilt->log_z;
    return LEASH_OK;
}

double ls_tilt_objective(const double *p, const double *log_ref, const double *reward, int64_t n,
                         double beta)
{
    double value = 0, norm = log_sum(log_ref, n);
    for (int64_t i = 0; i < n; i++) {
        if (p[i] > 0)
            value += p[i] * (reward[i] - beta * (log(p[i]) - (log_ref[i] - norm)));
    }
    return value;
}

double ls_soft_value(const double *reward, int64_t n, double beta)
{
    double max = -INFINITY, sum = 0;
    for (int64_t i = 0; i < n; i++)
        max = fmax(max, reward[i]);
    for (int64_t i = 0; i < n; i++)
        sum += exp((reward[i] - max) / beta);
    return max + beta * log(sum / (double)n);
}

void ls_best_of_n(double *p, const double *ref, const double *reward, int64_t n, int64_t n_draws)
{
    for (int64_t i = 0; i < n; i++) {
        double below = 0, equal = 0, k = (double)n_draws;
        for (int64_t j = 0; j < n; j++) {
            below += reward[j] < reward[i] ? ref[j] : 0;
            equal += reward[j] == reward[i] ? ref[j] : 0;
        }
        double share = equal > 0 ? ref[i] / equal : 0;
        /* (below + equal)^k - below^k, without cancellation where below is large. */
        double top = pow(below + equal, k);
        p[i] = share * (below > 0 ? -top * expm1(k * (log(below) - log(below + equal))) : top);
    }
}

double ls_best_of_n_kl_bound(int64_t n_draws)
{
    double n = (double)n_draws;
    return log(n) - (n - 1) / n;
}

double ls_best_of_n_estimate(const double *gold, const double *proxy, int64_t n, int64_t n_draws)
{
    const double *by = proxy ? proxy : gold;
    double sum = 0, n_all = lgamma((double)n + 1) - lgamma((double)(n - n_draws) + 1);
    LS_ASSERT(n_draws >= 1 && n_draws <= n);
    for (int64_t i = 0; i < n; i++) {
        int64_t rank = 1; /* from 1, equal ones in the order of the list */
        for (int64_t j = 0; j < n; j++)
            rank += by[j] < by[i] || (by[j] == by[i] && j < i);
        if (rank < n_draws)
            continue;
        /* C(rank - 1, k - 1) / C(n, k) = k (rank-1)! / (rank-k)! (n-k)! / n! */
        sum += gold[i] * (double)n_draws *
               exp(lgamma((double)rank) - lgamma((double)(rank - n_draws) + 1) - n_all);
    }
    return sum;
}

double ls_soft_best_of_n(double *w, const double *reward, int64_t n, double beta)
{
    double max = -INFINITY, sum = 0, squares = 0;
    for (int64_t i = 0; i < n; i++)
        max = fmax(max, reward[i]);
    for (int64_t i = 0; i < n; i++) {
        w[i] = beta > 0 ? exp((reward[i] - max) / beta) : reward[i] == max;
        sum += w[i];
    }
    for (int64_t i = 0; i < n; i++) {
        w[i] /= sum;
        squares += w[i] * w[i];
    }
    return 1 / squares;
}

void ls_geometric_mixture(double *log_mix, const double *log_p, const double *log_ref, int64_t n,
                          double m)
{
    for (int64_t i = 0; i < n; i++)
        log_mix[i] = (1 - m) * log_p[i] + m * log_ref[i];
    double norm = log_sum(log_mix, n);
    for (int64_t i = 0; i < n; i++)
        log_mix[i] -= norm;
}
