/* Penalties for a missing end token, and the early stop. */
#include "rl/shaping.h"

#include <math.h>
#include "rl/waist.h"
#include "rl/whiten.h"

#define WHITEN_EPSILON 1e-4 /* TRL adds its square to the variance */

void ls_shape_missing_eos(double *reward, const uint8_t *flags, int64_t n_seqs, double penalty)
{
    for (int64_t i = 0; i < n_seqs; i++) {
        if (flags[i] & LS_SEQ_TRUNCATED)
            reward[i] -= penalty;
    }
}

void ls_shape_truncated(double *reward, const uint8_t *flags, int64_t n_seqs, double coefficient)
{
    for (int64_t i = 0; i < n_seqs; i++) {
        if (flags[i] & LS_SEQ_TRUNCATED)
            reward[i] = coefficient < 0 ? coefficient : coefficient * reward[i];
    }
}

void ls_shape_whiten(double *reward, double *token_cost, const int64_t *seq_start, int64_t n_seqs)
{
    ls_whitening w = LS_WHITENING_INIT;
    for (int64_t i = 0; i < n_seqs; i++) {
        int64_t first = seq_start[i], end = seq_start[i + 1];
        if (isnan(reward[i]) || first == end)
            continue;
        double paid = 0;
        for (int64_t t = first; t < end; t++)
            paid += token_cost[t];
        token_cost[end - 1] -= reward[i] + paid;
        for (int64_t t = first; t < end; t++)
            ls_whitening_add(&w, -token_cost[t], 1);
    }
    for (int64_t i = 0; i < n_seqs; i++) {
        if (isnan(reward[i]) || seq_start[i] == seq_start[i + 1])
            continue;
        reward[i] = 0;
        for (int64_t t = seq_start[i]; t < seq_start[i + 1]; t++) {
            double r = ls_whitening_apply(&w, -token_cost[t], WHITEN_EPSILON) + w.mean;
            token_cost[t] = -r;
            reward[i] += r;
        }
    }
}

bool ls_shape_stops_early(double approx_kl, double target_kl)
{
    return target_kl > 0 && !(approx_kl <= target_kl);
}
