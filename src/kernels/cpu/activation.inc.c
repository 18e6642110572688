/* GELU, with and without a gate, and the soft cap of logits, sixteen lanes at a time
 * (ref_activation.c operation by operation). */

LS_ALWAYS_INLINE vf v_gelu_factor(vf x, bool is_exact)
{
    if (is_exact)
        return v_fma(v_set1(0.5f), v_erf(v_mul(x, v_set1(LS_SQRT_HALF))), v_set1(0.5f));
    vf bend = v_fma(v_set1(LS_GELU_CUBIC), v_mul(x, x), v_set1(LS_GELU_LINEAR));
    return v_sigmoid(v_mul(x, bend));
}

LS_ALWAYS_INLINE vf v_gelu_slope(vf x, vf s, bool is_exact)
{
    vf square = v_mul(x, x);
    if (is_exact) {
        vf density = v_mul(v_exp(v_mul(v_set1(-0.5f), square)), v_set1(LS_INV_SQRT_2PI));
        return v_fma(x, density, s);
    }
    vf bend = v_fma(v_set1(3.0f * LS_GELU_CUBIC), square, v_set1(LS_GELU_LINEAR));
    return v_fma(v_mul(v_mul(x, s), v_sub(v_set1(1.0f), s)), bend, s);
}

static void gelu_range(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_gelu_args *a = context;
    for (int64_t i = begin; i < end; i += 16) {
        int64_t n = end - i;
        vf x = load_upto(a->x + i, n), y = v_mul(x, v_gelu_factor(x, a->is_exact));
        store_upto(a->y + i, a->up ? v_mul(y, load_upto(a->up + i, n)) : y, n);
    }
}

static void gelu(ls_device *dev, const ls_gelu_args *a)
{
    ls_gelu_args args = *a;
    ls_parallel_for(pool_for(dev, a->n), a->n, ELEMENT_GRAIN, gelu_range, &args);
    ls_count(dev, 0, (a->up ? 3 : 2) * (double)a->n);
}

static void gelu_bwd_range(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_gelu_bwd_args *a = context;
    for (int64_t i = begin; i < end; i += 16) {
        int64_t n = end - i;
        vf x = load_upto(a->x + i, n), dy = load_upto(a->dy + i, n);
        vf s = v_gelu_factor(x, a->is_exact);
        vf g = a->up ? v_mul(dy, load_upto(a->up + i, n)) : dy;
        vf dx = v_mul(g, v_gelu_slope(x, s, a->is_exact));
        store_upto(a->dx + i, v_add(load_upto(a->dx + i, n), dx), n);
        if (a->dup)
            store_upto(a->dup + i, v_add(load_upto(a->dup + i, n), v_mul(dy, v_mul(x, s))), n);
    }
}

static void gelu_bwd(ls_device *dev, const ls_gelu_bwd_args *a)
{
    ls_gelu_bwd_args args = *a;
    ls_parallel_for(pool_for(dev, a->n), a->n, ELEMENT_GRAIN, gelu_bwd_range, &args);
    ls_count(dev, 0, (a->up ? 7 : 4) * (double)a->n);
}

static void softcap_range(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_softcap_args *a = context;
    const vf cap = v_set1(a->cap);
    for (int64_t i = begin; i < end; i += 16) {
        vf bent = v_mul(cap, v_tanh(v_div(load_upto(a->x + i, end - i), cap)));
        store_upto(a->x + i, bent, end - i);
    }
}

static void softcap(ls_device *dev, const ls_softcap_args *a)
{
    ls_softcap_args args = *a;
    ls_parallel_for(pool_for(dev, a->n), a->n, ELEMENT_GRAIN, softcap_range, &args);
    ls_count(dev, 0, 2 * (double)a->n);
}

static void softcap_bwd_range(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_softcap_bwd_args *a = context;
    for (int64_t i = begin; i < end; i += 16) {
        vf t = v_mul(load_upto(a->y + i, end - i), v_set1(a->unit));
        vf slope = v_fma(v_neg(t), t, v_set1(1.0f));
        store_upto(a->d + i, v_mul(load_upto(a->d + i, end - i), slope), end - i);
    }
}

static void softcap_bwd(ls_device *dev, const ls_softcap_bwd_args *a)
{
    ls_softcap_bwd_args args = *a;
    ls_parallel_for(pool_for(dev, a->n), a->n, ELEMENT_GRAIN, softcap_bwd_range, &args);
    ls_count(dev, 0, 3 * (double)a->n);
}
