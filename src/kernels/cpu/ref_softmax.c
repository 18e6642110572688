/* Reference statistics of the vocabulary softmax, and its backward. */
#include "kernels/cpu/ref.h"

#include <math.h>
#include "base/vmath.h"

/* Knuth's two-sum: what the addition rounds off goes to `lost`.  Without it a sum near 1 swallows
 * the tail of a large vocabulary, and every logp is too high by up to 1e-5. */
static void add_keeping(float *sum, float *lost, float x)
{
    float s = *sum + x, added = s - *sum;
    *lost = *lost + ((*sum - (s - added)) + (x - added));
    *sum = s;
}

static float add_lanes_kept(float sum[LS_LANES], const float lost[LS_LANES])
{
    for (int l = 0; l < LS_LANES; l++)
        sum[l] = sum[l] + lost[l];
    return ls_ref_add_lanes(sum);
}

/* A token whose exp(z - m) is 0 counts 0 in the entropy, so a logit of -inf (a token that is
 * ruled out) is allowed. */
void ls_ref_softmax_stats(ls_device *dev, const ls_softmax_stats_args *a)
{
    for (int64_t i = 0; i < a->N; i++) {
        float *z = a->logits + i * a->V;
        float max = -INFINITY;
        for (int64_t v = 0; v < a->V; v++) {
            z[v] = z[v] * a->inv_temperature;
            max = z[v] > max ? z[v] : max;
        }
        float lanes[LS_LANES] = {0}, weighted[LS_LANES] = {0};
        float lost[LS_LANES] = {0}, weighted_lost[LS_LANES] = {0};
        for (int64_t v = 0, l = 0; v < a->V; v++, l = v % LS_LANES) {
            float e = ls_expf(z[v] - max);
            add_keeping(&lanes[l], &lost[l], e);
            add_keeping(&weighted[l], &weighted_lost[l], e != 0 ? e * z[v] : 0.0f);
        }
        float sum = add_lanes_kept(lanes, lost), lse = max + ls_logf(sum);
        a->lse[i] = lse;
        if (a->entropy)
            a->entropy[i] = lse - add_lanes_kept(weighted, weighted_lost) / sum;
    }
    ls_count(dev, 0, (double)a->N * (2 * (double)a->V + (a->entropy ? 2 : 1)));
}

void ls_ref_softmax_probs(ls_device *dev, const ls_softmax_probs_args *a)
{
    for (int64_t i = 0; i < a->N; i++)
        for (int64_t v = 0; v < a->V; v++)
            a->p[i * a->V + v] = ls_expf(a->z[i * a->V + v] - a->lse[i]);
    ls_count(dev, 0, (double)a->N * (2 * (double)a->V + 1));
}

/* G = g_logp[0] + g_logp[1] + ... in order.  For every v, with logp = z[v] - lse, p = exp(logp):
 *     t = -(G p)
 *     t = t - g_entropy (p (logp + H))      with an entropy gradient, where p > 0
 *     d[v] = t inv_temperature
 * then, for k in order,  d[id_k] = d[id_k] + g_logp[k] inv_temperature. */
void ls_ref_softmax_bwd(ls_device *dev, const ls_softmax_bwd_args *a)
{
    for (int64_t i = 0; i < a->N; i++) {
        float *z = a->logits + i * a->V, lse = a->lse[i], total = 0;
        for (int64_t k = 0; k < a->K; k++)
            total = total + a->dlogp[i * a->K + k];
        for (int64_t v = 0; v < a->V; v++) {
            float logp = z[v] - lse, p = ls_expf(logp), t = -(total * p);
            if (a->dentropy && p != 0)
                t = t - a->dentropy[i] * (p * (logp + a->entropy[i]));
            z[v] = t * a->inv_temperature;
        }
        for (int64_t k = 0; k < a->K; k++) {
            float *d = z + a->ids[i * a->K + k];
            *d = *d + a->dlogp[i * a->K + k] * a->inv_temperature;
        }
    }
    ls_count(dev, 0, (double)a->N * (2 * (double)a->V + 2 * (double)a->K + (a->dentropy ? 3 : 1)));
}
