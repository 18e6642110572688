/* Moving references, as arithmetic on weights. */
#include "rl/reference.h"

#include <math.h>
#include <string.h>

bool ls_reference_is_due(const ls_reference_options *options, int64_t step)
{
    return options->kind != LS_REFERENCE_FROZEN && options->steps > 0 && step > 0 &&
           step % options->steps == 0;
}

void ls_reference_move(float *ref, const float *policy, int64_t n,
                       const ls_reference_options *options)
{
    double a = options->mixup_alpha;
    if (options->kind == LS_REFERENCE_COPY) {
        memcpy(ref, policy, (size_t)n * sizeof *ref);
        return;
    }
    for (int64_t i = 0; i < n; i++)
        ref[i] = (float)(a * (double)policy[i] + (1 - a) * (double)ref[i]);
}

void ls_reference_bema(float *ref, float *ema, const float *policy, const float *start, int64_t n,
                       int64_t t, const ls_reference_options *options)
{
    double base = options->bema_scale + (double)t;
    double rate = pow(base, -options->bema_ema), bias = pow(base, -options->bema_bias);
    for (int64_t i = 0; i < n; i++) {
        ema[i] = (float)((1 - rate) * (double)ema[i] + rate * (double)policy[i]);
        ref[i] = (float)(bias * ((double)policy[i] - (double)start[i]) + (double)ema[i]);
    }
}

bool ls_plateau_add(ls_plateau *p, double score, int64_t patience, double least_gain)
{
    if (!p->has_best || score > p->best + least_gain) {
        *p = (ls_plateau){.best = score, .has_best = true};
        return false;
    }
    if (++p->n_since < patience)
        return false;
    p->n_since = 0;
    return true;
}
