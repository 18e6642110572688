/* Reference LayerNorm.  Formulas: kernels.h; source: arXiv:1607.06450, the backward derived by
 * hand and checked by tests/ops. */
#include "kernels/cpu/ref.h"

#include <math.h>

void ls_ref_layernorm(ls_device *dev, const ls_layernorm_args *a)
{
    for (int64_t i = 0; i < a->N; i++) {
        const float *x = a->x + i * a->C;
        float *y = a->y + i * a->C, sum[LS_LANES] = {0}, squares[LS_LANES] = {0};
        for (int64_t j = 0; j < a->C; j++)
            sum[j % LS_LANES] = sum[j % LS_LANES] + x[j];
        float mean = ls_ref_add_lanes(sum) / (float)a->C;
        for (int64_t j = 0; j < a->C; j++) {
            float d = x[j] - mean;
            squares[j % LS_LANES] = fmaf(d, d, squares[j % LS_LANES]);
        }
        float rstd = 1.0f / sqrtf(ls_ref_add_lanes(squares) / (float)a->C + a->eps);
        for (int64_t j = 0; j < a->C; j++)
            y[j] = fmaf((x[j] - mean) * rstd, a->w[j], a->b[j]);
        a->mean[i] = mean;
        a->rstd[i] = rstd;
    }
    ls_count(dev, 0, 2 * (double)a->C + (double)a->N * (2 * (double)a->C + 2));
}

static void add_dx(float *dx, const ls_layernorm_bwd_args *a, int64_t i)
{
    const float *dy = a->dy + i * a->C, *x = a->x + i * a->C;
    float mean = a->mean[i], r = a->rstd[i], sum[LS_LANES] = {0}, products[LS_LANES] = {0};
    for (int64_t j = 0; j < a->C; j++) {
        float g = dy[j] * a->w[j], n = (x[j] - mean) * r;
        sum[j % LS_LANES] = sum[j % LS_LANES] + g;
        products[j % LS_LANES] = fmaf(g, n, products[j % LS_LANES]);
    }
    float mean_g = ls_ref_add_lanes(sum) / (float)a->C;
    float mean_gn = ls_ref_add_lanes(products) / (float)a->C;
    for (int64_t j = 0; j < a->C; j++) {
        float g = dy[j] * a->w[j], n = (x[j] - mean) * r;
        dx[j] = dx[j] + r * ((g - mean_g) - n * mean_gn);
    }
}

void ls_ref_layernorm_bwd(ls_device *dev, const ls_layernorm_bwd_args *a)
{
    for (int64_t i = 0; i < a->N; i++) {
        const float *dy = a->dy + i * a->C, *x = a->x + i * a->C;
        if (a->dx)
            add_dx(a->dx + i * a->C, a, i);
        for (int64_t j = 0; j < a->C; j++) {
            if (a->dw)
                a->dw[j] = fmaf(dy[j], (x[j] - a->mean[i]) * a->rstd[i], a->dw[j]);
            if (a->db)
                a->db[j] = a->db[j] + dy[j];
        }
    }
    double rows = (double)a->N, width = (double)a->C;
    ls_count(dev, 0, rows * (2 + width * (a->dx ? 4 : 2)) + width * (a->dw ? 5 : 1));
}
