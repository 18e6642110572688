/* Statistics and backward of the vocabulary softmax, a row a thread, sixteen lanes at a time
 * (formulas: ref_softmax.c). */

/* Two-sum: what the addition rounds off goes to `lost`. */
LS_ALWAYS_INLINE void v_add_keeping(vf *sum, vf *lost, vf x)
{
    vf s = v_add(*sum, x), added = v_sub(s, *sum);
    *lost = v_add(*lost, v_add(v_sub(*sum, v_sub(s, added)), v_sub(x, added)));
    *sum = s;
}

static void softmax_stats_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_softmax_stats_args *a = context;
    for (int64_t i = begin; i < end; i++) {
        float *z = a->logits + i * a->V;
        vf highest = v_set1(-INFINITY);
        for (int64_t v = 0; v < a->V; v += 16) {
            int64_t n = a->V - v;
            vf scaled = v_mul(load_upto(z + v, n), v_set1(a->inv_temperature));
            store_upto(z + v, scaled, n);
            highest = v_max(n < 16 ? v_first_n(scaled, n, -INFINITY) : scaled, highest);
        }
        float max = v_max_lanes(highest);
        vf lanes = v_set1(0), weighted = v_set1(0), lost = v_set1(0), weighted_lost = v_set1(0);
        for (int64_t v = 0; v < a->V; v += 16) {
            int64_t n = a->V - v;
            vf scaled = load_upto(z + v, n), e = v_exp(v_sub(scaled, v_set1(max)));
            if (n < 16)
                e = v_first_n(e, n, 0.0f);
            v_add_keeping(&lanes, &lost, e);
            v_add_keeping(&weighted, &weighted_lost, v_where_nonzero(e, v_mul(e, scaled)));
        }
        float sum = v_add_lanes(v_add(lanes, lost)), lse = max + ls_logf(sum);
        a->lse[i] = lse;
        if (a->entropy)
            a->entropy[i] = lse - v_add_lanes(v_add(weighted, weighted_lost)) / sum;
    }
}

static void softmax_stats(ls_device *dev, const ls_softmax_stats_args *a)
{
    ls_softmax_stats_args args = *a;
    ls_parallel_for(pool_for(dev, a->N * a->V), a->N, 1, softmax_stats_rows, &args);
    ls_count(dev, 0, (double)a->N * (2 * (double)a->V + (a->entropy ? 2 : 1)));
}

static void softmax_probs_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_softmax_probs_args *a = context;
    for (int64_t i = begin; i < end; i++) {
        const float *z = a->z + i * a->V;
        float *p = a->p + i * a->V;
        for (int64_t v = 0; v < a->V; v += 16) {
            int64_t n = a->V - v;
            store_upto(p + v, v_exp(v_sub(load_upto(z + v, n), v_set1(a->lse[i]))), n);
        }
    }
}

static void softmax_probs(ls_device *dev, const ls_softmax_probs_args *a)
{
    ls_softmax_probs_args args = *a;
    ls_parallel_for(pool_for(dev, a->N * a->V), a->N, 1, softmax_probs_rows, &args);
    ls_count(dev, 0, (double)a->N * (2 * (double)a->V + 1));
}

static void softmax_bwd_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_softmax_bwd_args *a = context;
    for (int64_t i = begin; i < end; i++) {
        float *z = a->logits + i * a->V, total = 0;
        for (int64_t k = 0; k < a->K; k++)
            total = total + a->dlogp[i * a->K + k];
        const vf lse = v_set1(a->lse[i]), inv_temperature = v_set1(a->inv_temperature);
        const vf entropy = v_set1(a->dentropy ? a->entropy[i] : 0.0f);
        for (int64_t v = 0; v < a->V; v += 16) {
            int64_t n = a->V - v;
            vf logp = v_sub(load_upto(z + v, n), lse), p = v_exp(logp);
            vf t = v_neg(v_mul(v_set1(total), p));
            if (a->dentropy) {
                vf slope = v_mul(p, v_add(logp, entropy));
                t = v_sub(t, v_where_nonzero(p, v_mul(v_set1(a->dentropy[i]), slope)));
            }
            store_upto(z + v, v_mul(t, inv_temperature), n);
        }
        for (int64_t k = 0; k < a->K; k++) {
            float *d = z + a->ids[i * a->K + k];
            *d = *d + a->dlogp[i * a->K + k] * a->inv_temperature;
        }
    }
}

static void softmax_bwd(ls_device *dev, const ls_softmax_bwd_args *a)
{
    ls_softmax_bwd_args args = *a;
    ls_parallel_for(pool_for(dev, a->N * a->V), a->N, 1, softmax_bwd_rows, &args);
    ls_count(dev, 0, (double)a->N * (2 * (double)a->V + 2 * (double)a->K + (a->dentropy ? 3 : 1)));
}
