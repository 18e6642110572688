/* AdamW and the sum of squares, sixteen lanes at a time (formulas: ref_optim.c). */

static void adamw_range(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_adamw_args *a = context;
    const vf keep = v_set1(1.0f - a->lr * a->weight_decay), step = v_set1(a->lr / a->bias1);
    const vf new_m = v_set1(1.0f - a->beta1), new_v = v_set1(1.0f - a->beta2);
    const vf beta1 = v_set1(a->beta1), beta2 = v_set1(a->beta2), scale = v_set1(a->grad_scale);
    const vf sqrt_bias2 = v_set1(a->sqrt_bias2), eps = v_set1(a->eps);
    for (int64_t i = begin; i < end; i += 16) {
        int64_t n = end - i;
        vf g = v_mul(load_upto(a->g + i, n), scale), w = v_mul(load_upto(a->w + i, n), keep);
        vf m = v_fma(beta1, load_upto(a->m + i, n), v_mul(new_m, g));
        vf v = v_fma(beta2, load_upto(a->v + i, n), v_mul(v_mul(new_v, g), g));
        vf root = v_add(v_div(v_sqrt(v), sqrt_bias2), eps);
        store_upto(a->w + i, v_sub(w, v_div(v_mul(step, m), root)), n);
        store_upto(a->m + i, m, n);
        store_upto(a->v + i, v, n);
    }
}

static void adamw(ls_device *dev, const ls_adamw_args *a)
{
    ls_adamw_args args = *a;
    ls_parallel_for(pool_for(dev, a->n), a->n, ELEMENT_GRAIN, adamw_range, &args);
    ls_count(dev, 0, 7 * (double)a->n);
}

typedef struct chunk_sum {
    double sum;
    int64_t n_bad;
} chunk_sum;

typedef struct squares_job {
    chunk_sum *chunks;
    const float *x;
    int64_t n;
} squares_job;

static void squares_chunks(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const squares_job *p = context;
    for (int64_t c = begin; c < end; c++) {
        int64_t first = c * LS_SUM_CHUNK,
                last = first + LS_SUM_CHUNK < p->n ? first + LS_SUM_CHUNK : p->n;
        vd lanes = {0};
        int64_t n_bad = 0;
        for (int64_t i = first; i < last; i += 16)
            v_add_squares(&lanes, &n_bad, load_upto(p->x + i, last - i));
        p->chunks[c] = (chunk_sum){.sum = v_add_lanes_d(lanes), .n_bad = n_bad};
    }
}

/* The sums of the chunks wait in the scratch of worker 0, as many at a time as it holds. */
static double sum_squares(ls_device *dev, const float *x, int64_t n, int64_t *n_bad)
{
    const int64_t most = (int64_t)(LS_CPU_SCRATCH_BYTES / sizeof(chunk_sum));
    chunk_sum *chunks = (chunk_sum *)(void *)ls_cpu_scratch(dev, 0);
    double total = 0;
    *n_bad = 0;
    for (int64_t begin = 0; begin < n; begin += most * LS_SUM_CHUNK) {
        int64_t n_here = n - begin < most * LS_SUM_CHUNK ? n - begin : most * LS_SUM_CHUNK;
        int64_t n_chunks = ceil_div(n_here, LS_SUM_CHUNK);
        squares_job job = {.chunks = chunks, .x = x + begin, .n = n_here};
        ls_parallel_for(pool_for(dev, n_here), n_chunks, 1, squares_chunks, &job);
        for (int64_t c = 0; c < n_chunks; c++) {
            total += chunks[c].sum;
            *n_bad += chunks[c].n_bad;
        }
    }
    ls_count(dev, 0, (double)n);
    return total;
}
