/* pass@k, pass^k, Wilson and bootstrap intervals.  Majority votes are in maj.c. */
#include "eval/stats.h"

#include <math.h>
#include <stdlib.h>
#include "base/mem.h"
#include "base/rng.h"

double ls_pass_at_k(int64_t n, int64_t c, int64_t k)
{
    LS_ASSERT(c >= 0 && c <= n && k >= 1);
    if (k > n)
        return NAN;
    if (n - c < k)
        return 1.0;
    double all_wrong = 1.0;
    for (int64_t i = n - c + 1; i <= n; i++)
        all_wrong *= 1.0 - (double)k / (double)i;
    return 1.0 - all_wrong;
}

double ls_pass_pow_k(int64_t n, int64_t c, int64_t k)
{
    LS_ASSERT(c >= 0 && c <= n && k >= 1);
    if (k > n)
        return NAN;
    double all_right = 1.0;
    for (int64_t i = 0; i < k && all_right > 0; i++)
        all_right *= (double)(c > i ? c - i : 0) / (double)(n - i);
    return all_right;
}

ls_interval ls_wilson(int64_t n, int64_t c, double z)
{
    LS_ASSERT(c >= 0 && c <= n);
    if (n == 0)
        return (ls_interval){NAN, 0.0, 1.0};
    double trials = (double)n, p = (double)c / trials, z2 = z * z;
    double centre = (p + z2 / (2 * trials)) / (1 + z2 / trials);
    double half = z / (1 + z2 / trials) * sqrt(p * (1 - p) / trials + z2 / (4 * trials * trials));
    /* At 0 and n the bound is exact; rounding must not step over it. */
    return (ls_interval){p, c == 0 ? 0.0 : centre - half, c == n ? 1.0 : centre + half};
}

static int compare_doubles(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Quantile q of sorted values, linear between neighbours. */
static double quantile(const double *sorted, int64_t n, double q)
{
    double at = q * (double)(n - 1);
    int64_t i = (int64_t)at;
    if (i >= n - 1)
        return sorted[n - 1];
    return sorted[i] + (at - (double)i) * (sorted[i + 1] - sorted[i]);
}

/* Takes value, which holds no NaN. */
static ls_interval bootstrap(const double *value, int64_t n, double confidence, uint64_t seed)
{
    if (n == 0)
        return (ls_interval){NAN, NAN, NAN};
    double sum = 0.0;
    for (int64_t i = 0; i < n; i++)
        sum += value[i];
    double *means = ls_malloc(LS_BOOTSTRAP_REPLICATES * sizeof *means);
    for (uint32_t r = 0; r < LS_BOOTSTRAP_REPLICATES; r++) {
        double total = 0.0;
        for (int64_t i = 0; i < n; i++) {
            ls_rng_name name = {
                .seed = seed, .purpose = LS_RNG_BOOTSTRAP, .step = r, .position = (uint32_t)i};
            total += value[ls_rng_below(&name, (uint64_t)n)];
        }
        means[r] = total / (double)n;
    }
    qsort(means, LS_BOOTSTRAP_REPLICATES, sizeof *means, compare_doubles);
    double tail = (1.0 - confidence) / 2.0;
    ls_interval interval = {.value = sum / (double)n,
                            .low = quantile(means, LS_BOOTSTRAP_REPLICATES, tail),
                            .high = quantile(means, LS_BOOTSTRAP_REPLICATES, 1.0 - tail)};
    ls_free(means);
    return interval;
}

ls_interval ls_bootstrap_mean(const double *value, int64_t n_problems, double confidence,
                              uint64_t seed)
{
    return ls_bootstrap_difference(value, NULL, n_problems, confidence, seed);
}

ls_interval ls_bootstrap_difference(const double *a, const double *b, int64_t n_problems,
                                    double confidence, uint64_t seed)
{
    LS_ASSERT(n_problems >= 0 && n_problems <= UINT32_MAX);
    double *kept = ls_malloc(ls_mul_size((size_t)n_problems, sizeof *kept));
    int64_t n = 0;
    for (int64_t i = 0; i < n_problems; i++) {
        double value = b ? a[i] - b[i] : a[i];
        if (!isnan(value))
            kept[n++] = value;
    }
    ls_interval interval = bootstrap(kept, n, confidence, seed);
    ls_free(kept);
    return interval;
}
