/* KL estimators as values with slopes, the in-reward wiring, and the adaptive coefficient.  See
 * kl.h for what each is good for; the table of expected gradients is checked in
 * tests/unit/rl/test_kl.c. */
#include "rl/kl.h"

#include <math.h>

const char *const ls_kl_names[LS_KL_COUNT] = {"k1", "k2", "k3"};

/* The least coefficient the controller goes down to: from 0 it could never come back. */
#define BETA_MIN 1e-8
#define BETA_MAX 1e6

static double clamp_log_ratio(double d, bool *is_clamped)
{
    *is_clamped = d > LS_LOG_RATIO_MAX || d < -LS_LOG_RATIO_MAX;
    if (!*is_clamped)
        return d;
    return d > 0 ? LS_LOG_RATIO_MAX : -LS_LOG_RATIO_MAX;
}

ls_kl_value ls_kl_estimate(ls_kl_kind kind, double d)
{
    ls_kl_value k = {0};
    d = clamp_log_ratio(d, &k.is_clamped);
    switch (kind) {
    case LS_KL_K1:
        k.value = d;
        k.slope = 1.0;
        break;
    case LS_KL_K2:
        k.value = 0.5 * d * d;
        k.slope = d;
        break;
    case LS_KL_K3:
        k.value = expm1(-d) + d;
        k.slope = -expm1(-d);
        break;
    case LS_KL_COUNT: LS_ASSERT(kind != LS_KL_COUNT);
    }
    if (k.is_clamped)
        k.slope = 0.0;
    return k;
}

ls_kl_value ls_kl_estimate_corrected(ls_kl_kind kind, double d, double log_ratio)
{
    bool ratio_is_clamped;
    ls_kl_value k = ls_kl_estimate(kind, d);
    double rho = exp(clamp_log_ratio(log_ratio, &ratio_is_clamped));
    double slope_of_rho = ratio_is_clamped ? 0.0 : rho;
    k.slope = slope_of_rho * k.value + rho * k.slope;
    k.value *= rho;
    k.is_clamped = k.is_clamped || ratio_is_clamped;
    return k;
}

int64_t ls_kl_shape_rewards(double *reward, double *token_cost, const leash_streams *streams,
                            const uint8_t *mask, double beta)
{
    LS_ASSERT(streams->old_logp && streams->ref_logp);
    int64_t n_clamped = 0;
    for (int64_t i = 0; i < streams->n_seqs; i++) {
        int64_t first = streams->seq_start[i] - streams->seq_start[0];
        int64_t end = streams->seq_start[i + 1] - streams->seq_start[0];
        double sum = 0.0;
        for (int64_t t = first; t < end; t++) {
            if (token_cost)
                token_cost[t] = 0.0;
            if (mask && !mask[t])
                continue;
            double d = (double)streams->old_logp[t] - (double)streams->ref_logp[t];
            ls_kl_value k1 = ls_kl_estimate(LS_KL_K1, d);
            sum += k1.value;
            n_clamped += k1.is_clamped;
            if (token_cost)
                token_cost[t] = beta * k1.value;
        }
        reward[i] -= beta * sum;
    }
    return n_clamped;
}

double ls_kl_adapt(double beta, double kl, double target, double horizon, int64_t n_seqs)
{
    LS_ASSERT(target > 0 && horizon > 0);
    if (isnan(kl))
        return beta;
    double e = fmin(fmax(kl / target - 1.0, -0.2), 0.2);
    double adapted = beta * (1.0 + e * (double)n_seqs / horizon);
    return fmin(fmax(adapted, BETA_MIN), BETA_MAX);
}
