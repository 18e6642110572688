/* Reference norms, rotary positions, SwiGLU, embedding and the moving of data. */
#include "kernels/cpu/ref.h"

#include <math.h>
#include <string.h>
#include "base/vmath.h"

float ls_ref_add_lanes(const float lanes[LS_LANES])
{
    float sum[LS_LANES];
    memcpy(sum, lanes, sizeof sum);
    for (int half = LS_LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            sum[l] = sum[l] + sum[l + half];
    return sum[0];
}

/* The gain of a norm: w or 1 + w. */
static float gain(const float *w, int64_t j, bool adds_one)
{
    return adds_one ? 1.0f + w[j] : w[j];
}

/* y[j] = (x[j] * rstd) * w[j],  rstd = 1 / sqrt(sum_j x[j]^2 / C + eps).   Source:
 * arXiv:1910.07467. */
void ls_ref_rmsnorm(ls_device *dev, const ls_rmsnorm_args *a)
{
    for (int64_t i = 0; i < a->N; i++) {
        const float *x = a->x + i * a->C;
        float *y = a->y + i * a->C;
        float lanes[LS_LANES] = {0};
        for (int64_t j = 0; j < a->C; j++)
            lanes[j % LS_LANES] = fmaf(x[j], x[j], lanes[j % LS_LANES]);
        float mean = ls_ref_add_lanes(lanes) / (float)a->C;
        float rstd = 1.0f / sqrtf(mean + a->eps);
        for (int64_t j = 0; j < a->C; j++)
            y[j] = (x[j] * rstd) * gain(a->w, j, a->adds_one);
        a->rstd[i] = rstd;
    }
    ls_count(dev, 0, (double)a->C + (double)a->N * (2 * (double)a->C + 1));
}

/* Backward of y = x r w with r = rstd.
 *     t = row sum of fma(dy[j] w[j], x[j], lane);  f = ((r r) t) / C
 *     dx[j] = dx[j] + r (dy[j] w[j] - x[j] f);     dw[j] = fma(dy[j] x[j], r, dw[j]), rows in order
 * Derived by hand, checked by tests/ops. */
void ls_ref_rmsnorm_bwd(ls_device *dev, const ls_rmsnorm_bwd_args *a)
{
    for (int64_t i = 0; i < a->N; i++) {
        const float *dy = a->dy + i * a->C, *x = a->x + i * a->C;
        float r = a->rstd[i];
        if (a->dx) {
            float lanes[LS_LANES] = {0};
            for (int64_t j = 0; j < a->C; j++)
                lanes[j % LS_LANES] =
                    fmaf(dy[j] * gain(a->w, j, a->adds_one), x[j], lanes[j % LS_LANES]);
            float f = ((r * r) * ls_ref_add_lanes(lanes)) / (float)a->C;
            float *dx = a->dx + i * a->C;
            for (int64_t j = 0; j < a->C; j++)
                dx[j] = dx[j] + r * (dy[j] * gain(a->w, j, a->adds_one) - x[j] * f);
        }
        if (a->dw) {
            for (int64_t j = 0; j < a->C; j++)
                a->dw[j] = fmaf(dy[j] * x[j], r, a->dw[j]);
        }
    }
    double rows = (double)a->N, width = (double)a->C;
    ls_count(dev, 0, rows * (1 + width * (a->dx ? 4 : 2)) + width * (a->dw ? 3 : 1));
}

/* The pairs (x[i], x[i+R/2]) turn by the angle of the row's position; elements from R on stay. */
void ls_ref_rope(ls_device *dev, const ls_rope_args *a)
{
    int64_t half = a->R / 2;
    for (int64_t n = 0; n < a->N; n++) {
        const float *cosine = a->cos + a->pos[n] * half, *sine = a->sin + a->pos[n] * half;
        for (int64_t h = 0; h < a->H; h++) {
            float *x = a->x + (n * a->H + h) * a->D;
            for (int64_t i = 0; i < half; i++) {
                float c = cosine[i], s = a->inverse ? -sine[i] : sine[i];
                float first = x[i], second = x[i + half];
                x[i] = fmaf(first, c, -(second * s));
                x[i + half] = fmaf(second, c, first * s);
            }
        }
    }
    ls_count(dev, 0, (double)a->N * (double)a->R * (1 + 2 * (double)a->H));
}

void ls_ref_swiglu(ls_device *dev, const ls_swiglu_args *a)
{
    for (int64_t i = 0; i < a->n; i++)
        a->y[i] = (a->gate[i] * ls_sigmoidf(a->gate[i])) * a->up[i];
    ls_count(dev, 0, 3 * (double)a->n);
}

/* dgate = dgate + ((dy up) s) (1 + gate (1 - s)),  dup = dup + (dy gate) s,  s = sigmoid(gate). */
void ls_ref_swiglu_bwd(ls_device *dev, const ls_swiglu_bwd_args *a)
{
    for (int64_t i = 0; i < a->n; i++) {
        float gate = a->gate[i], dy = a->dy[i], s = ls_sigmoidf(gate);
        a->dgate[i] = a->dgate[i] + ((dy * a->up[i]) * s) * (1.0f + gate * (1.0f - s));
        a->dup[i] = a->dup[i] + (dy * gate) * s;
    }
    ls_count(dev, 0, 7 * (double)a->n);
}

void ls_ref_scale(ls_device *dev, const ls_scale_args *a)
{
    for (int64_t i = 0; i < a->n; i++)
        a->y[i] = a->accumulate ? a->y[i] + a->x[i] * a->s : a->x[i] * a->s;
    ls_count(dev, 0, (a->accumulate ? 3 : 2) * (double)a->n);
}

void ls_ref_add_row(ls_device *dev, const ls_add_row_args *a)
{
    for (int64_t i = 0; i < a->N; i++)
        for (int64_t j = 0; j < a->C; j++)
            a->y[i * a->C + j] = a->y[i * a->C + j] + a->b[j];
    ls_count(dev, 0, (double)a->C * (2 * (double)a->N + 1));
}

void ls_ref_add_row_bwd(ls_device *dev, const ls_add_row_bwd_args *a)
{
    for (int64_t i = 0; i < a->N; i++)
        for (int64_t j = 0; j < a->C; j++)
            a->db[j] = a->db[j] + a->dy[i * a->C + j];
    ls_count(dev, 0, (double)a->C * ((double)a->N + 2));
}

void ls_ref_copy_columns(ls_device *dev, const ls_copy_columns_args *a)
{
    for (int64_t i = 0; i < a->N; i++) {
        float *y = a->y + i * a->ldy;
        const float *x = a->x + i * a->ldx;
        for (int64_t j = 0; j < a->C; j++)
            y[j] = a->accumulate ? y[j] + x[j] : x[j];
    }
    ls_count(dev, 0, (a->accumulate ? 3 : 2) * (double)a->N * (double)a->C);
}

void ls_ref_add(ls_device *dev, float *y, const float *a, const float *b, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        y[i] = a[i] + b[i];
    ls_count(dev, 0, 3 * (double)n);
}

void ls_ref_embed(ls_device *dev, const ls_embed_args *a)
{
    for (int64_t i = 0; i < a->N; i++)
        for (int64_t j = 0; j < a->C; j++)
            a->y[i * a->C + j] = a->table[a->ids[i] * a->C + j] * a->scale;
    ls_count(dev, 0, (double)a->N * (1 + 2 * (double)a->C));
}

void ls_ref_embed_bwd(ls_device *dev, const ls_embed_bwd_args *a)
{
    for (int64_t i = 0; i < a->N; i++) {
        float *row = a->dtable + a->ids[i] * a->C;
        for (int64_t j = 0; j < a->C; j++)
            row[j] = row[j] + a->dy[i * a->C + j] * a->scale;
    }
    ls_count(dev, 0, (double)a->N * (1 + 3 * (double)a->C));
}

void ls_ref_zero(ls_device *dev, float *x, int64_t n)
{
    if (n > 0)
        memset(x, 0, (size_t)n * sizeof *x);
    ls_count(dev, 0, (double)n);
}

void ls_ref_copy(ls_device *dev, float *y, const float *x, int64_t n)
{
    if (n > 0)
        memcpy(y, x, (size_t)n * sizeof *x);
    ls_count(dev, 0, 2 * (double)n);
}
