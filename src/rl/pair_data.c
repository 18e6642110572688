/* The controller of beta-DPO, and CHES. */
#include "rl/pair_data.h"

#include <math.h>
#include "base/err.h"

#define BETA_MIN 1e-3

void ls_beta_dpo_observe(ls_beta_dpo *b, const double *gap, int64_t n)
{
    double mean = 0, squares = 0;
    if (n == 0)
        return;
    for (int64_t i = 0; i < n; i++)
        mean += gap[i] / (double)n;
    for (int64_t i = 0; i < n; i++)
        squares += (gap[i] - mean) * (gap[i] - mean);
    double std = n > 1 ? sqrt(squares / (double)(n - 1)) : 0, keep = b->n_steps ? b->ema : 0;
    b->mean = keep * b->mean + (1 - keep) * mean;
    b->std = keep * b->std + (1 - keep) * std;
    b->n_steps++;
}

double ls_beta_dpo_weight(const ls_beta_dpo *b, double gap)
{
    double x = b->std > 0 ? (gap - b->mean) / b->std : 0;
    return exp(-0.5 * x * x);
}

int64_t ls_beta_dpo_draw(uint8_t *keep, const ls_beta_dpo *b, const double *gap, int64_t n,
                         const ls_rng_name *name)
{
    int64_t n_keep = n - (int64_t)floor(b->rho * (double)n);
    ls_rng_name at = *name;
    for (int64_t i = 0; i < n; i++)
        keep[i] = 0;
    for (int64_t drawn = 0; drawn < n_keep; drawn++) {
        double total = 0;
        int64_t last = -1;
        for (int64_t i = 0; i < n; i++)
            total += keep[i] ? 0 : ls_beta_dpo_weight(b, gap[i]);
        at.position = name->position + (uint32_t)drawn;
        double mark = total * (double)ls_rng_below(&at, 1ULL << 32) / 4294967296.0;
        for (int64_t i = 0; i < n && mark >= 0; i++) {
            if (keep[i])
                continue;
            mark -= ls_beta_dpo_weight(b, gap[i]);
            last = i;
        }
        LS_ASSERT(last >= 0);
        keep[last] = 1;
    }
    return n_keep;
}

double ls_beta_dpo_beta(const ls_beta_dpo *b, const double *gap, const uint8_t *keep, int64_t n)
{
    double sum = 0, count = 0;
    for (int64_t i = 0; i < n; i++) {
        if (keep && !keep[i])
            continue;
        sum += gap[i];
        count++;
    }
    double beta = count > 0 ? b->beta * (1 + b->a * (sum / count - b->mean)) : b->beta;
    return fmax(beta, BETA_MIN);
}

double ls_ches(const float *chosen, const float *rejected, int64_t width, int64_t n_chosen,
               int64_t n_rejected)
{
    double across = 0, own = 0, w = (double)n_chosen, l = (double)n_rejected;
    for (int64_t k = 0; k < width; k++) {
        across += (double)chosen[k] * (double)rejected[k];
        own += (double)chosen[k] * (double)chosen[k];
    }
    return across / (w * l) - own / (w * w);
}
