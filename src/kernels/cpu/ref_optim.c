/* Reference AdamW and the sum of squares for clipping. */
#include "kernels/cpu/ref.h"

#include <math.h>

void ls_ref_adamw(ls_device *dev, const ls_adamw_args *a)
{
    float keep = 1.0f - a->lr * a->weight_decay, step = a->lr / a->bias1;
    float new_m = 1.0f - a->beta1, new_v = 1.0f - a->beta2;
    for (int64_t i = 0; i < a->n; i++) {
        float g = a->g[i] * a->grad_scale, w = a->w[i] * keep;
        float m = fmaf(a->beta1, a->m[i], new_m * g);
        float v = fmaf(a->beta2, a->v[i], (new_v * g) * g);
        a->w[i] = w - (step * m) / (sqrtf(v) / a->sqrt_bias2 + a->eps);
        a->m[i] = m;
        a->v[i] = v;
    }
    ls_count(dev, 0, 7 * (double)a->n);
}

/* Inside a chunk: 16 lanes and the tree of a row sum, in double, where the square of a float is
 * exact.  Values that are not finite are counted and left out. */
double ls_ref_sum_squares(ls_device *dev, const float *x, int64_t n, int64_t *n_bad)
{
    double total = 0;
    *n_bad = 0;
    for (int64_t begin = 0; begin < n; begin += LS_SUM_CHUNK) {
        int64_t end = begin + LS_SUM_CHUNK < n ? begin + LS_SUM_CHUNK : n;
        double lanes[LS_LANES] = {0};
        for (int64_t i = begin; i < end; i++) {
            if (isfinite(x[i]))
                lanes[(i - begin) % LS_LANES] += (double)x[i] * (double)x[i];
            else
                (*n_bad)++;
        }
        for (int half = LS_LANES / 2; half > 0; half /= 2)
            for (int l = 0; l < half; l++)
                lanes[l] += lanes[l + half];
        total += lanes[0];
    }
    ls_count(dev, 0, (double)n);
    return total;
}
