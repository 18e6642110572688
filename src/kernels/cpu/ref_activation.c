/* Reference GELU, with and without a gate, and the soft cap of logits.  Formulas: kernels.h. */
#include "kernels/cpu/ref.h"

#include <math.h>
#include "base/vmath.h"

/* The factor s of gelu(x) = x s. */
static float gelu_factor(float x, bool is_exact)
{
    if (is_exact)
        return fmaf(0.5f, ls_erff(x * LS_SQRT_HALF), 0.5f);
    return ls_sigmoidf(x * fmaf(LS_GELU_CUBIC, x * x, LS_GELU_LINEAR));
}

/* d gelu / dx */
static float gelu_slope(float x, float s, bool is_exact)
{
    if (is_exact)
        return fmaf(x, ls_expf(-0.5f * (x * x)) * LS_INV_SQRT_2PI, s);
    return fmaf((x * s) * (1.0f - s), fmaf(3.0f * LS_GELU_CUBIC, x * x, LS_GELU_LINEAR), s);
}

void ls_ref_gelu(ls_device *dev, const ls_gelu_args *a)
{
    for (int64_t i = 0; i < a->n; i++) {
        float y = a->x[i] * gelu_factor(a->x[i], a->is_exact);
        a->y[i] = a->up ? y * a->up[i] : y;
    }
    ls_count(dev, 0, (a->up ? 3 : 2) * (double)a->n);
}

void ls_ref_gelu_bwd(ls_device *dev, const ls_gelu_bwd_args *a)
{
    for (int64_t i = 0; i < a->n; i++) {
        float x = a->x[i], dy = a->dy[i], s = gelu_factor(x, a->is_exact);
        float g = a->up ? dy * a->up[i] : dy;
        a->dx[i] = a->dx[i] + g * gelu_slope(x, s, a->is_exact);
        if (a->dup)
            a->dup[i] = a->dup[i] + dy * (x * s);
    }
    ls_count(dev, 0, (a->up ? 7 : 4) * (double)a->n);
}

void ls_ref_softcap(ls_device *dev, const ls_softcap_args *a)
{
    for (int64_t i = 0; i < a->n; i++)
        a->x[i] = a->cap * ls_tanhf(a->x[i] / a->cap);
    ls_count(dev, 0, 2 * (double)a->n);
}

void ls_ref_softcap_bwd(ls_device *dev, const ls_softcap_bwd_args *a)
{
    for (int64_t i = 0; i < a->n; i++) {
        float t = a->y[i] * a->unit;
        a->d[i] = a->d[i] * fmaf(-t, t, 1.0f);
    }
    ls_count(dev, 0, 3 * (double)a->n);
}
