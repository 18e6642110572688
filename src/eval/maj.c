/* maj@k, exactly.
 *
 * Draw k of n samples.  The right class wins with m votes when every other class has at most m;
 * with s others at m it gets 1 / (1 + s).  So
 *     maj@k = sum_m P(right class has m) sum_s P(others <= m, s of them at m | m) / (1 + s)
 * The classes are walked one after the other.  The state is, for each m, the distribution of (draws
 * left, ties so far); the votes of a class given the draws left are hypergeometric (subsets of n
 * samples) or binomial (independent answers).  Draws left at the end went to answers without a
 * vote. */
#include "eval/stats.h"

#include <math.h>
#include <string.h>
#include "base/mem.h"

/* One class as it is met: what it holds, and what all classes not yet walked hold together with
 * it. */
typedef struct share {
    double mine, rest;
} share;

typedef struct vote {
    int64_t k;
    int64_t *offset;    /* (k + 2) of the block of m in the states                       */
    double *now, *next; /* states: block of m is (draws left 0..k-m) x (ties 0..(k-m)/m) */
    double *pmf;        /* (k + 1, k + 1): chance of x votes with r draws left, [r (k+1) + x] */
    const double *log_factorial; /* NULL: answers are independent                               */
} vote;

static int64_t n_ties(int64_t k, int64_t m)
{
    return (k - m) / m + 1;
}

static void hypergeometric(double *pmf, const double *lf, share s, int64_t r, int64_t n_pmf)
{
    int64_t mine = (int64_t)s.mine, rest = (int64_t)s.rest;
    for (int64_t x = 0; x < n_pmf; x++) {
        bool is_possible = r <= rest && x <= r && x <= mine && r - x <= rest - mine;
        pmf[x] = !is_possible ? 0.0
                              : exp(lf[mine] - lf[x] - lf[mine - x] + lf[rest - mine] - lf[r - x] -
                                    lf[rest - mine - r + x] - lf[rest] + lf[r] + lf[rest - r]);
    }
}

static void binomial(double *pmf, share s, int64_t r, int64_t n_pmf)
{
    double p = s.rest > 0 ? fmin(s.mine / s.rest, 1.0) : 0.0, combinations = 1.0;
    for (int64_t x = 0; x < n_pmf; x++) {
        pmf[x] = x > r ? 0.0 : combinations * pow(p, (double)x) * pow(1.0 - p, (double)(r - x));
        combinations *= (double)(r - x) / (double)(x + 1);
    }
}

static void fill_pmf(vote *v, share s)
{
    for (int64_t r = 0; r <= v->k; r++) {
        if (v->log_factorial)
            hypergeometric(v->pmf + r * (v->k + 1), v->log_factorial, s, r, v->k + 1);
        else
            binomial(v->pmf + r * (v->k + 1), s, r, v->k + 1);
    }
}

/* The right class is walked first: m votes leave k - m draws. */
static void start(vote *v, share right)
{
    fill_pmf(v, right);
    memset(v->now, 0, (size_t)v->offset[v->k + 1] * sizeof *v->now);
    for (int64_t m = 1; m <= v->k; m++)
        v->now[v->offset[m] + (v->k - m) * n_ties(v->k, m)] = v->pmf[v->k * (v->k + 1) + m];
}

static void walk(vote *v, share other)
{
    fill_pmf(v, other);
    memset(v->next, 0, (size_t)v->offset[v->k + 1] * sizeof *v->next);
    for (int64_t m = 1; m <= v->k; m++) {
        int64_t width = n_ties(v->k, m);
        const double *now = v->now + v->offset[m];
        double *next = v->next + v->offset[m];
        for (int64_t r = 0; r <= v->k - m; r++) {
            for (int64_t x = 0; x <= m && x <= r; x++) {
                double p = v->pmf[r * (v->k + 1) + x];
                int64_t is_tie = x == m;
                for (int64_t ties = 0; p > 0 && ties + is_tie < width; ties++)
                    next[(r - x) * width + ties + is_tie] += p * now[r * width + ties];
            }
        }
    }
    double *swap = v->now;
    v->now = v->next;
    v->next = swap;
}

static double finish(const vote *v)
{
    double credit = 0.0;
    for (int64_t m = 1; m <= v->k; m++) {
        int64_t width = n_ties(v->k, m);
        for (int64_t i = 0; i < (v->k - m + 1) * width; i++)
            credit += v->now[v->offset[m] + i] / (double)(1 + i % width);
    }
    return credit;
}

static void vote_init(vote *v, int64_t k, const double *log_factorial)
{
    *v = (vote){.k = k, .log_factorial = log_factorial};
    v->offset = ls_calloc((size_t)k + 2, sizeof *v->offset);
    for (int64_t m = 1; m <= k; m++)
        v->offset[m + 1] = v->offset[m] + (k - m + 1) * n_ties(k, m);
    v->now = ls_malloc((size_t)v->offset[k + 1] * sizeof *v->now);
    v->next = ls_malloc((size_t)v->offset[k + 1] * sizeof *v->next);
    v->pmf = ls_malloc((size_t)((k + 1) * (k + 1)) * sizeof *v->pmf);
}

static void vote_release(vote *v)
{
    ls_free(v->offset);
    ls_free(v->now);
    ls_free(v->next);
    ls_free(v->pmf);
}

static double run(vote *v, const double *mine, double total, int64_t n_classes, int64_t correct)
{
    start(v, (share){mine[correct], total});
    double rest = total - mine[correct];
    for (int64_t j = 0; j < n_classes; j++) {
        if (j == correct || mine[j] <= 0)
            continue;
        walk(v, (share){mine[j], rest});
        rest -= mine[j];
    }
    return finish(v);
}

static leash_status check_k(int64_t k, int64_t most)
{
    if (k >= 1 && k <= most)
        return LEASH_OK;
    return ls_fail(LEASH_USAGE, "maj@k needs k from 1 to %lld, found %lld", (long long)most,
                   (long long)k);
}

leash_status ls_maj_at_k(double *out, const int64_t *count, int64_t n_classes, int64_t n_unparsed,
                         int64_t correct, int64_t k)
{
    LS_ASSERT(correct < n_classes);
    int64_t n = n_unparsed;
    for (int64_t j = 0; j < n_classes; j++)
        n += count[j];
    LS_TRY(check_k(k, n < LS_MAJ_K_MAX ? n : LS_MAJ_K_MAX));
    *out = 0.0;
    if (correct < 0)
        return LEASH_OK;
    double *log_factorial = ls_malloc(((size_t)n + 1) * sizeof *log_factorial);
    double *mine = ls_malloc((size_t)n_classes * sizeof *mine);
    log_factorial[0] = 0.0;
    for (int64_t i = 1; i <= n; i++)
        log_factorial[i] = log_factorial[i - 1] + log((double)i);
    for (int64_t j = 0; j < n_classes; j++)
        mine[j] = (double)count[j];
    vote v;
    vote_init(&v, k, log_factorial);
    *out = run(&v, mine, (double)n, n_classes, correct);
    vote_release(&v);
    ls_free(mine);
    ls_free(log_factorial);
    return LEASH_OK;
}

leash_status ls_maj_at_k_of_distribution(double *out, const double *p, int64_t n_classes,
                                         int64_t correct, int64_t k)
{
    LS_ASSERT(correct < n_classes);
    LS_TRY(check_k(k, LS_MAJ_K_MAX));
    *out = 0.0;
    if (correct < 0)
        return LEASH_OK;
    vote v;
    vote_init(&v, k, NULL);
    *out = run(&v, p, 1.0, n_classes, correct);
    vote_release(&v);
    return LEASH_OK;
}
