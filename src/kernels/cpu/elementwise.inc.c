/* Norms, rotary positions, SwiGLU, embedding and the moving of data, sixteen lanes at a
 * time.  The formulas stand beside the reference kernels (ref_elementwise.c, ref_optim.c), which
 * these follow operation by operation.
 *
 * Each kernel is a function over a range of rows or elements and a wrapper that divides the
 * range over the threads. */

/* Floats that are not worth waking a second thread. */
#define SERIAL_FLOATS 16384
/* Elements in a grain of an element-wise loop. */
#define ELEMENT_GRAIN 1024

static ls_pool *pool_for(const ls_device *dev, int64_t n_floats)
{
    return n_floats < SERIAL_FLOATS ? NULL : dev->pool;
}

/* Sixteen gains of a norm from column j on: w or 1 + w. */
LS_ALWAYS_INLINE vf load_gain(const float *w, int64_t j, int64_t n, bool adds_one)
{
    vf gain = load_upto(w + j, n);
    return adds_one ? v_add(v_set1(1.0f), gain) : gain;
}

static void rmsnorm_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_rmsnorm_args *a = context;
    for (int64_t i = begin; i < end; i++) {
        const float *x = a->x + i * a->C;
        float *y = a->y + i * a->C;
        vf lanes = v_set1(0);
        for (int64_t j = 0; j < a->C; j += 16) {
            vf v = load_upto(x + j, a->C - j);
            lanes = v_fma(v, v, lanes);
        }
        float mean = v_add_lanes(lanes) / (float)a->C;
        float rstd = 1.0f / sqrtf(mean + a->eps);
        for (int64_t j = 0; j < a->C; j += 16) {
            vf scaled = v_mul(load_upto(x + j, a->C - j), v_set1(rstd));
            store_upto(y + j, v_mul(scaled, load_gain(a->w, j, a->C - j, a->adds_one)), a->C - j);
        }
        a->rstd[i] = rstd;
    }
}

static void rmsnorm(ls_device *dev, const ls_rmsnorm_args *a)
{
    ls_rmsnorm_args args = *a;
    ls_parallel_for(pool_for(dev, a->N * a->C), a->N, 1, rmsnorm_rows, &args);
    ls_count(dev, 0, (double)a->C + (double)a->N * (2 * (double)a->C + 1));
}

static void rmsnorm_dx_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_rmsnorm_bwd_args *a = context;
    for (int64_t i = begin; i < end; i++) {
        const float *dy = a->dy + i * a->C, *x = a->x + i * a->C;
        float *dx = a->dx + i * a->C, r = a->rstd[i];
        vf lanes = v_set1(0);
        for (int64_t j = 0; j < a->C; j += 16) {
            int64_t n = a->C - j;
            vf dyw = v_mul(load_upto(dy + j, n), load_gain(a->w, j, n, a->adds_one));
            lanes = v_fma(dyw, load_upto(x + j, n), lanes);
        }
        float f = ((r * r) * v_add_lanes(lanes)) / (float)a->C;
        for (int64_t j = 0; j < a->C; j += 16) {
            int64_t n = a->C - j;
            vf dyw = v_mul(load_upto(dy + j, n), load_gain(a->w, j, n, a->adds_one));
            vf inner = v_sub(dyw, v_mul(load_upto(x + j, n), v_set1(f)));
            store_upto(dx + j, v_add(load_upto(dx + j, n), v_mul(v_set1(r), inner)), n);
        }
    }
}

/* Columns in vectors of 16: a thread owns its columns over all rows, so the chain over rows is
 * whole. */
static void rmsnorm_dw_columns(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_rmsnorm_bwd_args *a = context;
    int64_t last = 16 * end < a->C ? 16 * end : a->C;
    for (int64_t i = 0; i < a->N; i++) {
        const float *dy = a->dy + i * a->C, *x = a->x + i * a->C;
        vf r = v_set1(a->rstd[i]);
        for (int64_t j = 16 * begin; j < last; j += 16) {
            int64_t n = last - j;
            vf dyx = v_mul(load_upto(dy + j, n), load_upto(x + j, n));
            store_upto(a->dw + j, v_fma(dyx, r, load_upto(a->dw + j, n)), n);
        }
    }
}

static void rmsnorm_bwd(ls_device *dev, const ls_rmsnorm_bwd_args *a)
{
    ls_rmsnorm_bwd_args args = *a;
    if (a->dx)
        ls_parallel_for(pool_for(dev, a->N * a->C), a->N, 1, rmsnorm_dx_rows, &args);
    if (a->dw)
        ls_parallel_for(pool_for(dev, a->N * a->C), ceil_div(a->C, 16), 1, rmsnorm_dw_columns,
                        &args);
    double rows = (double)a->N, width = (double)a->C;
    ls_count(dev, 0, rows * (1 + width * (a->dx ? 4 : 2)) + width * (a->dw ? 3 : 1));
}

static void rope_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_rope_args *a = context;
    int64_t half = a->R / 2;
    for (int64_t row = begin; row < end; row++) {
        const float *cosine = a->cos + a->pos[row] * half, *sine = a->sin + a->pos[row] * half;
        for (int64_t i = 0; i < half; i += 16) {
            int64_t n = half - i;
            vf c = load_upto(cosine + i, n), s = load_upto(sine + i, n);
            if (a->inverse)
                s = v_neg(s);
            for (int64_t h = 0; h < a->H; h++) {
                float *x = a->x + (row * a->H + h) * a->D + i;
                vf first = load_upto(x, n), second = load_upto(x + half, n);
                store_upto(x, v_fma(first, c, v_neg(v_mul(second, s))), n);
                store_upto(x + half, v_fma(second, c, v_mul(first, s)), n);
            }
        }
    }
}

static void rope(ls_device *dev, const ls_rope_args *a)
{
    ls_rope_args args = *a;
    ls_parallel_for(pool_for(dev, a->N * a->H * a->R), a->N, 1, rope_rows, &args);
    ls_count(dev, 0, (double)a->N * (double)a->R * (1 + 2 * (double)a->H));
}

static void swiglu_range(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_swiglu_args *a = context;
    for (int64_t i = begin; i < end; i += 16) {
        vf gate = load_upto(a->gate + i, end - i), up = load_upto(a->up + i, end - i);
        store_upto(a->y + i, v_mul(v_mul(gate, v_sigmoid(gate)), up), end - i);
    }
}

static void swiglu(ls_device *dev, const ls_swiglu_args *a)
{
    ls_swiglu_args args = *a;
    ls_parallel_for(pool_for(dev, a->n), a->n, ELEMENT_GRAIN, swiglu_range, &args);
    ls_count(dev, 0, 3 * (double)a->n);
}

static void swiglu_bwd_range(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_swiglu_bwd_args *a = context;
    const vf one = v_set1(1.0f);
    for (int64_t i = begin; i < end; i += 16) {
        int64_t n = end - i;
        vf gate = load_upto(a->gate + i, n), up = load_upto(a->up + i, n),
           dy = load_upto(a->dy + i, n);
        vf s = v_sigmoid(gate);
        vf slope = v_add(one, v_mul(gate, v_sub(one, s)));
        vf dgate = v_mul(v_mul(v_mul(dy, up), s), slope);
        store_upto(a->dgate + i, v_add(load_upto(a->dgate + i, n), dgate), n);
        store_upto(a->dup + i, v_add(load_upto(a->dup + i, n), v_mul(v_mul(dy, gate), s)), n);
    }
}

static void swiglu_bwd(ls_device *dev, const ls_swiglu_bwd_args *a)
{
    ls_swiglu_bwd_args args = *a;
    ls_parallel_for(pool_for(dev, a->n), a->n, ELEMENT_GRAIN, swiglu_bwd_range, &args);
    ls_count(dev, 0, 7 * (double)a->n);
}

static void scale_range(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_scale_args *a = context;
    for (int64_t i = begin; i < end; i += 16) {
        vf product = v_mul(load_upto(a->x + i, end - i), v_set1(a->s));
        if (a->accumulate)
            product = v_add(load_upto(a->y + i, end - i), product);
        store_upto(a->y + i, product, end - i);
    }
}

static void scale(ls_device *dev, const ls_scale_args *a)
{
    ls_scale_args args = *a;
    ls_parallel_for(pool_for(dev, a->n), a->n, ELEMENT_GRAIN, scale_range, &args);
    ls_count(dev, 0, (a->accumulate ? 3 : 2) * (double)a->n);
}

static void add_row_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_add_row_args *a = context;
    for (int64_t i = begin; i < end; i++)
        for (int64_t j = 0; j < a->C; j += 16) {
            float *y = a->y + i * a->C + j;
            store_upto(y, v_add(load_upto(y, a->C - j), load_upto(a->b + j, a->C - j)), a->C - j);
        }
}

static void add_row(ls_device *dev, const ls_add_row_args *a)
{
    ls_add_row_args args = *a;
    ls_parallel_for(pool_for(dev, a->N * a->C), a->N, 1, add_row_rows, &args);
    ls_count(dev, 0, (double)a->C * (2 * (double)a->N + 1));
}

static void add_row_bwd_columns(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_add_row_bwd_args *a = context;
    int64_t last = 16 * end < a->C ? 16 * end : a->C;
    for (int64_t i = 0; i < a->N; i++)
        for (int64_t j = 16 * begin; j < last; j += 16) {
            vf dy = load_upto(a->dy + i * a->C + j, last - j);
            store_upto(a->db + j, v_add(load_upto(a->db + j, last - j), dy), last - j);
        }
}

static void add_row_bwd(ls_device *dev, const ls_add_row_bwd_args *a)
{
    ls_add_row_bwd_args args = *a;
    ls_parallel_for(pool_for(dev, a->N * a->C), ceil_div(a->C, 16), 1, add_row_bwd_columns, &args);
    ls_count(dev, 0, (double)a->C * ((double)a->N + 2));
}

static void copy_columns_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_copy_columns_args *a = context;
    for (int64_t i = begin; i < end; i++) {
        float *y = a->y + i * a->ldy;
        const float *x = a->x + i * a->ldx;
        for (int64_t j = 0; j < a->C; j += 16) {
            vf value = load_upto(x + j, a->C - j);
            if (a->accumulate)
                value = v_add(load_upto(y + j, a->C - j), value);
            store_upto(y + j, value, a->C - j);
        }
    }
}

static void copy_columns(ls_device *dev, const ls_copy_columns_args *a)
{
    ls_copy_columns_args args = *a;
    ls_parallel_for(pool_for(dev, a->N * a->C), a->N, 1, copy_columns_rows, &args);
    ls_count(dev, 0, (a->accumulate ? 3 : 2) * (double)a->N * (double)a->C);
}

typedef struct add_job {
    float *y;
    const float *a, *b;
} add_job;

static void add_range(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const add_job *p = context;
    for (int64_t i = begin; i < end; i += 16)
        store_upto(p->y + i, v_add(load_upto(p->a + i, end - i), load_upto(p->b + i, end - i)),
                   end - i);
}

static void add(ls_device *dev, float *y, const float *a, const float *b, int64_t n)
{
    add_job job = {.y = y, .a = a, .b = b};
    ls_parallel_for(pool_for(dev, n), n, ELEMENT_GRAIN, add_range, &job);
    ls_count(dev, 0, 3 * (double)n);
}

static void embed_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_embed_args *a = context;
    for (int64_t i = begin; i < end; i++) {
        const float *row = a->table + a->ids[i] * a->C;
        for (int64_t j = 0; j < a->C; j += 16)
            store_upto(a->y + i * a->C + j, v_mul(load_upto(row + j, a->C - j), v_set1(a->scale)),
                       a->C - j);
    }
}

static void embed(ls_device *dev, const ls_embed_args *a)
{
    ls_embed_args args = *a;
    ls_parallel_for(pool_for(dev, a->N * a->C), a->N, 1, embed_rows, &args);
    ls_count(dev, 0, (double)a->N * (1 + 2 * (double)a->C));
}

/* Columns in vectors of 16, as for the norm: equal ids meet in the order of rows. */
static void embed_bwd_columns(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_embed_bwd_args *a = context;
    int64_t last = 16 * end < a->C ? 16 * end : a->C;
    for (int64_t i = 0; i < a->N; i++) {
        float *row = a->dtable + a->ids[i] * a->C;
        for (int64_t j = 16 * begin; j < last; j += 16) {
            vf scaled = v_mul(load_upto(a->dy + i * a->C + j, last - j), v_set1(a->scale));
            store_upto(row + j, v_add(load_upto(row + j, last - j), scaled), last - j);
        }
    }
}

static void embed_bwd(ls_device *dev, const ls_embed_bwd_args *a)
{
    ls_embed_bwd_args args = *a;
    ls_parallel_for(pool_for(dev, a->N * a->C), ceil_div(a->C, 16), 1, embed_bwd_columns, &args);
    ls_count(dev, 0, (double)a->N * (1 + 3 * (double)a->C));
}

static void zero_range(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    memset((float *)context + begin, 0, (size_t)(end - begin) * sizeof(float));
}

static void zero(ls_device *dev, float *x, int64_t n)
{
    ls_parallel_for(pool_for(dev, n / 4), n, ELEMENT_GRAIN, zero_range, x);
    ls_count(dev, 0, (double)n);
}

typedef struct copy_job {
    float *y;
    const float *x;
} copy_job;

static void copy_range(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const copy_job *p = context;
    memcpy(p->y + begin, p->x + begin, (size_t)(end - begin) * sizeof(float));
}

static void copy(ls_device *dev, float *y, const float *x, int64_t n)
{
    copy_job job = {.y = y, .x = x};
    ls_parallel_for(pool_for(dev, n / 4), n, ELEMENT_GRAIN, copy_range, &job);
    ls_count(dev, 0, 2 * (double)n);
}
