/* Reference attention over paged keys and values: kernels.h tells the layout of a page. */
#include "kernels/cpu/ref.h"

#include <math.h>
#include "base/vmath.h"

/* Key of position j, kv head g, starts here; its elements are LS_KV_PAGE apart. */
static float *key_at(const ls_attention_seq *seq, int64_t j, int64_t g, int64_t D)
{
    return seq->pages[j / LS_KV_PAGE] + g * D * LS_KV_PAGE + j % LS_KV_PAGE;
}

/* Value of position j, kv head g: D elements in a row. */
static float *value_at(const ls_attention_seq *seq, int64_t j, int64_t g, int64_t G, int64_t D)
{
    return seq->pages[j / LS_KV_PAGE] + (G + g) * D * LS_KV_PAGE + (j % LS_KV_PAGE) * D;
}

/* First position that a query at `pos` sees. */
static int64_t first_seen(int64_t pos, int64_t window)
{
    return window > 0 && pos >= window ? pos - window + 1 : 0;
}

void ls_ref_kv_store(ls_device *dev, const ls_kv_store_args *a)
{
    for (int64_t s = 0; s < a->n_seqs; s++) {
        const ls_attention_seq *seq = &a->seqs[s];
        for (int64_t r = 0; r < seq->n_rows; r++) {
            for (int64_t g = 0; g < a->G; g++) {
                int64_t from = ((seq->row0 + r) * a->G + g) * a->D;
                float *key = key_at(seq, seq->pos0 + r, g, a->D);
                float *value = value_at(seq, seq->pos0 + r, g, a->G, a->D);
                for (int64_t d = 0; d < a->D; d++) {
                    key[d * LS_KV_PAGE] = a->k[from + d];
                    value[d] = a->v[from + d];
                }
            }
        }
    }
    ls_count(dev, 0, 4 * (double)(ls_count_rows(a->seqs, a->n_seqs) * a->G * a->D));
}

/* A scaled score bent by the soft cap; `slope` gets the derivative. */
static float bend(float *slope, float score, float softcap)
{
    float t = ls_tanhf(score / softcap);
    *slope = fmaf(-t, t, 1.0f);
    return softcap * t;
}

/* One query: `score` is scratch of pos+1 floats. */
static void attend(const ls_attention_args *a, const ls_attention_seq *seq, int64_t r, int64_t h,
                   float *score)
{
    int64_t at = ((seq->row0 + r) * a->H + h), g = h / (a->H / a->G), pos = seq->pos0 + r;
    int64_t first = first_seen(pos, a->window);
    const float *q = a->q + at * a->D;
    float *o = a->o + at * a->D;
    float max = -INFINITY;
    for (int64_t j = first; j <= pos; j++) {
        const float *key = key_at(seq, j, g, a->D);
        float dot = 0;
        for (int64_t d = 0; d < a->D; d++)
            dot = fmaf(q[d], key[d * LS_KV_PAGE], dot);
        float slope;
        score[j] = a->scale * dot;
        if (a->softcap > 0)
            score[j] = bend(&slope, score[j], a->softcap);
        max = score[j] > max ? score[j] : max;
    }
    /* The lane of a position is its place in its page, so a window does not move it. */
    float lanes[LS_LANES] = {0};
    for (int64_t j = first; j <= pos; j++) {
        score[j] = ls_expf(score[j] - max);
        lanes[j % LS_LANES] = lanes[j % LS_LANES] + score[j];
    }
    float sum = ls_ref_add_lanes(lanes);
    for (int64_t d = 0; d < a->D; d++) {
        float mix = 0;
        for (int64_t j = first; j <= pos; j++)
            mix = fmaf(score[j], value_at(seq, j, g, a->G, a->D)[d], mix);
        o[d] = mix / sum;
    }
    if (a->lse)
        a->lse[at] = max + ls_logf(sum);
}

void ls_ref_attention(ls_device *dev, const ls_attention_args *a)
{
    for (int64_t s = 0; s < a->n_seqs; s++) {
        const ls_attention_seq *seq = &a->seqs[s];
        LS_ASSERT(seq->pos0 + seq->n_rows <= LS_ATTENTION_MAX);
        for (int64_t h = 0; h < a->H; h++)
            for (int64_t r = 0; r < seq->n_rows; r++)
                attend(a, seq, r, h, ls_cpu_scratch(dev, 0));
    }
    ls_count_attention(dev, a);
}

/* One query's share in the gradients, over the positions in order. */
static void attend_bwd(const ls_attention_bwd_args *a, const ls_attention_seq *seq, int64_t i,
                       int64_t h)
{
    int64_t at = ((seq->row0 + i) * a->H + h), g = h / (a->H / a->G), D = a->D;
    const float *q = a->q + at * D, *o = a->o + at * D, *dout = a->dout + at * D;
    float *dq = a->dq + at * D;
    float lanes[LS_LANES] = {0};
    for (int64_t d = 0; d < D; d++)
        lanes[d % LS_LANES] = fmaf(dout[d], o[d], lanes[d % LS_LANES]);
    float delta = ls_ref_add_lanes(lanes);
    for (int64_t j = first_seen(i, a->window); j <= i; j++) {
        const float *key = key_at(seq, j, g, D), *value = value_at(seq, j, g, a->G, D);
        float *dk = a->dk + ((seq->row0 + j) * a->G + g) * D,
              *dv = a->dv + ((seq->row0 + j) * a->G + g) * D;
        float dot = 0, dp = 0;
        for (int64_t d = 0; d < D; d++) {
            dot = fmaf(q[d], key[d * LS_KV_PAGE], dot);
            dp = fmaf(dout[d], value[d], dp);
        }
        float score = a->scale * dot, slope = 1.0f;
        if (a->softcap > 0)
            score = bend(&slope, score, a->softcap);
        float p = ls_expf(score - a->lse[at]);
        float ds = ((p * (dp - delta)) * slope) * a->scale;
        for (int64_t d = 0; d < D; d++) {
            dq[d] = fmaf(ds, key[d * LS_KV_PAGE], dq[d]);
            dk[d] = fmaf(ds, q[d], dk[d]);
            dv[d] = fmaf(p, dout[d], dv[d]);
        }
    }
}

void ls_ref_attention_bwd(ls_device *dev, const ls_attention_bwd_args *a)
{
    for (int64_t s = 0; s < a->n_seqs; s++) {
        LS_ASSERT_EQ(a->seqs[s].pos0, 0);
        for (int64_t h = 0; h < a->H; h++)
            for (int64_t i = 0; i < a->seqs[s].n_rows; i++)
                attend_bwd(a, &a->seqs[s], i, h);
    }
    ls_count_attention_bwd(dev, a);
}
