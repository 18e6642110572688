/* The baselines of KTO and BCO. */
#include "rl/unpaired.h"

#include <math.h>

double ls_kto_baseline(const double *logp, const double *ref_logp, int64_t n)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += logp[i] - ref_logp[i];
    if (n == 0)
        return 0;
    sum /= (double)n;
    /* A NaN goes through: it is told where the loss is checked. */
    return sum < 0 ? 0 : sum;
}

double ls_kto_balance(double desirable_weight, int64_t n_desirable, double undesirable_weight,
                      int64_t n_undesirable)
{
    double against = undesirable_weight * (double)n_undesirable;
    return against > 0 ? desirable_weight * (double)n_desirable / against : NAN;
}

double ls_bco_baseline(ls_running *running, const double *reward, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        ls_running_add(running, reward[i]);
    return running->mean;
}
