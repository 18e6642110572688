/* LayerNorm, sixteen lanes at a time (ref_layernorm.c operation by operation).  Lanes behind the
 * end of a row hold 0 in sums. */

static void layernorm_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_layernorm_args *a = context;
    for (int64_t i = begin; i < end; i++) {
        const float *x = a->x + i * a->C;
        float *y = a->y + i * a->C;
        vf sum = v_set1(0), squares = v_set1(0);
        for (int64_t j = 0; j < a->C; j += 16)
            sum = v_add(sum, load_upto(x + j, a->C - j));
        float mean = v_add_lanes(sum) / (float)a->C;
        for (int64_t j = 0; j < a->C; j += 16) {
            int64_t n = a->C - j;
            vf d = v_sub(load_upto(x + j, n), v_set1(mean));
            if (n < 16)
                d = v_first_n(d, n, 0.0f);
            squares = v_fma(d, d, squares);
        }
        float rstd = 1.0f / sqrtf(v_add_lanes(squares) / (float)a->C + a->eps);
        for (int64_t j = 0; j < a->C; j += 16) {
            int64_t n = a->C - j;
            vf scaled = v_mul(v_sub(load_upto(x + j, n), v_set1(mean)), v_set1(rstd));
            store_upto(y + j, v_fma(scaled, load_upto(a->w + j, n), load_upto(a->b + j, n)), n);
        }
        a->mean[i] = mean;
        a->rstd[i] = rstd;
    }
}

static void layernorm(ls_device *dev, const ls_layernorm_args *a)
{
    ls_layernorm_args args = *a;
    ls_parallel_for(pool_for(dev, a->N * a->C), a->N, 1, layernorm_rows, &args);
    ls_count(dev, 0, 2 * (double)a->C + (double)a->N * (2 * (double)a->C + 2));
}

static void layernorm_dx_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_layernorm_bwd_args *a = context;
    for (int64_t i = begin; i < end; i++) {
        const float *dy = a->dy + i * a->C, *x = a->x + i * a->C;
        float *dx = a->dx + i * a->C;
        const vf mean = v_set1(a->mean[i]), r = v_set1(a->rstd[i]);
        vf sum = v_set1(0), products = v_set1(0);
        for (int64_t j = 0; j < a->C; j += 16) {
            int64_t n = a->C - j; /* g is 0 behind the end */
            vf g = v_mul(load_upto(dy + j, n), load_upto(a->w + j, n));
            vf scaled = v_mul(v_sub(load_upto(x + j, n), mean), r);
            if (n < 16)
                scaled = v_first_n(scaled, n, 0.0f);
            sum = v_add(sum, g);
            products = v_fma(g, scaled, products);
        }
        const vf mean_g = v_set1(v_add_lanes(sum) / (float)a->C);
        const vf mean_gn = v_set1(v_add_lanes(products) / (float)a->C);
        for (int64_t j = 0; j < a->C; j += 16) {
            int64_t n = a->C - j;
            vf g = v_mul(load_upto(dy + j, n), load_upto(a->w + j, n));
            vf scaled = v_mul(v_sub(load_upto(x + j, n), mean), r);
            vf inner = v_sub(v_sub(g, mean_g), v_mul(scaled, mean_gn));
            store_upto(dx + j, v_add(load_upto(dx + j, n), v_mul(r, inner)), n);
        }
    }
}

/* Columns in vectors of 16, as for RMSNorm: the chain over rows is whole. */
static void layernorm_dw_columns(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_layernorm_bwd_args *a = context;
    int64_t last = 16 * end < a->C ? 16 * end : a->C;
    for (int64_t i = 0; i < a->N; i++)
        for (int64_t j = 16 * begin; j < last; j += 16) {
            int64_t n = last - j;
            vf dy = load_upto(a->dy + i * a->C + j, n), x = load_upto(a->x + i * a->C + j, n);
            vf scaled = v_mul(v_sub(x, v_set1(a->mean[i])), v_set1(a->rstd[i]));
            if (a->dw)
                store_upto(a->dw + j, v_fma(dy, scaled, load_upto(a->dw + j, n)), n);
            if (a->db)
                store_upto(a->db + j, v_add(load_upto(a->db + j, n), dy), n);
        }
}

static void layernorm_bwd(ls_device *dev, const ls_layernorm_bwd_args *a)
{
    ls_layernorm_bwd_args args = *a;
    if (a->dx)
        ls_parallel_for(pool_for(dev, a->N * a->C), a->N, 1, layernorm_dx_rows, &args);
    if (a->dw || a->db)
        ls_parallel_for(pool_for(dev, a->N * a->C), ceil_div(a->C, 16), 1, layernorm_dw_columns,
                        &args);
    double rows = (double)a->N, width = (double)a->C;
    ls_count(dev, 0, rows * (2 + width * (a->dx ? 4 : 2)) + width * (a->dw ? 5 : 1));
}
