/* Matrix products by blocks around gemm_tile.inc.c, and the packing of weights.
 *
 * Packed weights: panels of TILE_COLUMNS outputs, each (K, TILE_COLUMNS) contiguous, padded with
 * zeros; when the last columns fill at most 16 they form a panel of 16.  So the panel that holds
 * column j begins j*K floats from the start.
 *
 * Order of loops for one thread: groups of rows whose A block stays in the second cache; blocks
 * of K; panels; row tiles. Between blocks of K the sums rest in C, which changes no bit.
 * Threads divide columns or rows, never K. */

#define TILE_COLUMNS (16 * TILE_VECS)
/* K block: a panel of B is kept near while the rows of a group pass by.  Long, since each block
 * reads and writes C again. */
#define GEMM_K_BLOCK 768
/* The same for an unpacked B.  Narrow panels take half a line pair a row, so the rows of a block
 * must stay near until the neighbouring panel comes for the other half. */
#define GEMM_K_BLOCK_UNPACKED (TILE_VECS == 1 ? 256 : GEMM_K_BLOCK)
/* Rows of a group. */
#define GEMM_GROUP_ROWS (20 * TILE_ROWS)
/* Columns from which a transposed A is packed: a tile would use a part of each cache line only. */
#define GEMM_PACK_COLUMNS (4 * TILE_COLUMNS)
/* An unpacked panel of B is read in place, except where its rows, so many floats apart, would
 * meet in few cache sets, and enough row tiles share the copy. */
#define GEMM_PACK_STRIDE (256 * TILE_VECS * TILE_VECS)
#define GEMM_PACK_TILES 6
/* Multiply-adds that are not worth waking a second thread. */
#define GEMM_SERIAL_WORK 60000

LS_ALWAYS_INLINE vf load_upto(const float *p, int64_t n)
{
    return n >= 16 ? v_load(p) : v_load_n(p, n);
}

LS_ALWAYS_INLINE void store_upto(float *p, vf x, int64_t n)
{
    if (n >= 16)
        v_store(p, x);
    else
        v_store_n(p, x, n);
}

static int64_t ceil_div(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static size_t pack_bytes(int64_t N, int64_t K)
{
    return (size_t)(ceil_div(N, 16) * 16) * (size_t)K * sizeof(float);
}

/* Width of the packed panel that holds column j of N, and its first column. */
static int64_t panel_width(int64_t *first, int64_t j, int64_t N)
{
    *first = j / TILE_COLUMNS * TILE_COLUMNS;
    int64_t rest = ceil_div(N, 16) * 16 - *first;
    return rest < TILE_COLUMNS ? 16 : TILE_COLUMNS;
}

typedef struct pack_job {
    float *packed;
    const float *w;
    int64_t N, K;
} pack_job;

static void pack_range(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const pack_job *p = context;
    for (int64_t panel = begin; panel < end; panel++) {
        int64_t first, width = panel_width(&first, panel * TILE_COLUMNS, p->N);
        float *out = p->packed + first * p->K;
        for (int64_t n = 0; n < width; n++) {
            const float *row = p->w + (first + n) * p->K;
            bool is_padding = first + n >= p->N;
            for (int64_t k = 0; k < p->K; k++)
                out[k * width + n] = is_padding ? 0.0f : row[k];
        }
    }
}

static void pack(ls_device *dev, float *packed, const float *w, int64_t N, int64_t K)
{
    pack_job job = {.packed = packed, .w = w, .N = N, .K = K};
    ls_parallel_for(dev->pool, ceil_div(N, TILE_COLUMNS), 1, pack_range, &job);
    ls_count(dev, 0, 2 * (double)N * (double)K);
}

/* Where row k0 of columns j.. of B begins, and the distance of its rows. */
static const float *b_at(int64_t *ldb, const ls_gemm_args *g, int64_t k0, int64_t j)
{
    if (!g->b_packed) {
        *ldb = g->ldb;
        return g->b + k0 * g->ldb + j;
    }
    int64_t first, width = panel_width(&first, j, g->N);
    *ldb = width;
    return g->b + first * g->K + k0 * width + (j - first);
}

/* The tiles (by rows) for columns j.. below end, and how many columns they take.  `lone_rows`:
 * the rows of a block that is one tile high, which may read several panels at once; else 0. */
static tile_fn *const *choose_tiles(int64_t *columns, int64_t lone_rows, bool b_packed, int64_t j,
                                    int64_t end)
{
    bool is_aligned = j % TILE_COLUMNS == 0 || !b_packed;
    if (is_aligned && lone_rows > 0 && lone_rows <= 3) {
        *columns = tile_wide_panels[lone_rows] * TILE_COLUMNS;
        if (j + *columns <= end)
            return tile_wide;
    }
    *columns = TILE_COLUMNS;
    if (is_aligned && j + *columns <= end)
        return tile_panel;
    *columns = end - j < 16 ? end - j : 16;
    return *columns == 16 ? tile_vector : tile_tail;
}

_Static_assert((GEMM_GROUP_ROWS + TILE_COLUMNS) * GEMM_K_BLOCK * sizeof(float) <=
                   LS_CPU_SCRATCH_BYTES,
               "the packed blocks fit in the scratch of a worker");

typedef struct range {
    int64_t begin, end;
} range;

/* A tile's rows of a transposed A, as (K, rows): two heights unroll. */
LS_ALWAYS_INLINE void pack_a_rows(const int rows, float *out, const float *a, int64_t a_k,
                                  int64_t K)
{
    for (int64_t k = 0; k < K; k++)
        LS_UNROLL
    for (int r = 0; r < rows; r++)
        out[k * rows + r] = a[k * a_k + r];
}

static void pack_a_tile(int64_t rows, float *out, const float *a, int64_t a_k, int64_t K)
{
    if (rows == TILE_ROWS)
        pack_a_rows(TILE_ROWS, out, a, a_k, K);
    else if (rows == TILE_ROWS - 1)
        pack_a_rows(TILE_ROWS - 1, out, a, a_k, K);
    else
        for (int64_t k = 0; k < K; k++)
            for (int64_t r = 0; r < rows; r++)
                out[k * rows + r] = a[k * a_k + r];
}

/* `columns` columns of B as whole vectors, (K, 16 n). */
static void pack_b(float *out, const float *b, int64_t ldb, int64_t columns, int64_t K)
{
    int64_t width = ceil_div(columns, 16) * 16;
    for (int64_t k = 0; k < K; k++)
        for (int64_t j = 0; j < width; j += 16)
            v_store(out + k * width + j, load_upto(b + k * ldb + j, columns - j));
}

/* Several row tiles fetch the next packed panel together, so that its first tile does not wait for
 * memory.  A lone tile fetches its own panel some rows ahead where one line a step keeps up; with
 * wider panels, and in an unpacked B, the processor's own streams are better. */
static void look_ahead(tile_args *t, int64_t n_tiles, bool b_packed)
{
    int64_t row_bytes = t->ldb * (int64_t)sizeof(float);
    t->ahead = (const char *)t->b;
    t->ahead_step = 0;
    if (b_packed && (n_tiles > 1 || TILE_VECS == 1)) {
        t->ahead += (n_tiles > 1 ? t->K : 64) * row_bytes;
        t->ahead_step = row_bytes / n_tiles;
    }
}

/* C[rows, columns] over a block of K.  With scratch, a transposed A and an unpacked B are packed
 * when they are read often enough to pay for it. */
static void multiply_block(const ls_gemm_args *g, range rows, range columns, range k,
                           float *scratch)
{
    int64_t n_rows = rows.end - rows.begin, n_tiles = ceil_div(n_rows, TILE_ROWS),
            K = k.end - k.begin, width;
    bool packs_a =
        scratch && g->a_row == 1 && g->a_k != 1 && columns.end - columns.begin >= GEMM_PACK_COLUMNS;
    bool packs_b =
        scratch && !g->b_packed && n_tiles >= GEMM_PACK_TILES && g->ldb % GEMM_PACK_STRIDE == 0;
    float *packed_b = scratch ? scratch + GEMM_GROUP_ROWS * GEMM_K_BLOCK : NULL;
    tile_args t = {.ldc = g->ldc,
                   .a_row = g->a_row,
                   .a_k = g->a_k,
                   .K = K,
                   .panel = g->b_packed ? g->K * TILE_COLUMNS : TILE_COLUMNS,
                   .accumulate = g->accumulate || k.begin > 0};
    for (int64_t j = columns.begin; j < columns.end; j += width) {
        tile_fn *const *tiles =
            choose_tiles(&width, n_tiles == 1 ? n_rows : 0, g->b_packed, j, columns.end);
        t.b = b_at(&t.ldb, g, k.begin, j);
        t.n_tail = width;
        look_ahead(&t, n_tiles, g->b_packed);
        if (packs_b) {
            pack_b(packed_b, t.b, t.ldb, width, K);
            t.b = packed_b;
            t.ldb = ceil_div(width, 16) * 16;
        }
        int64_t i = rows.begin;
        for (int64_t tile_index = 1; tile_index <= n_tiles; tile_index++) {
            int64_t next = rows.begin + n_rows * tile_index / n_tiles;
            t.a = g->a + i * g->a_row + k.begin * g->a_k;
            if (packs_a) {
                float *packed_a = scratch + (i - rows.begin) * K;
                if (j == columns.begin)
                    pack_a_tile(next - i, packed_a, t.a, g->a_k, K);
                t.a = packed_a;
                t.a_k = next - i;
            }
            t.c = g->c + i * g->ldc + j;
            t.next_c = tile_index < n_tiles ? t.c + (next - i) * g->ldc
                                            : g->c + rows.begin * g->ldc + j + width;
            tiles[next - i](&t);
            t.ahead += t.ahead_step * K;
            i = next;
        }
    }
}

/* Rows in groups, K in blocks of equal length. */
static void multiply(const ls_gemm_args *g, range rows, range columns, float *scratch)
{
    for (int64_t i = rows.begin; i < rows.end; i += GEMM_GROUP_ROWS) {
        range group = {i, i + GEMM_GROUP_ROWS < rows.end ? i + GEMM_GROUP_ROWS : rows.end};
        /* One tile high: B passes once, so there is nothing to keep near.  K = 0 still writes C. */
        bool is_lone = group.end - group.begin <= TILE_ROWS || g->K == 0;
        int64_t longest = g->b_packed ? GEMM_K_BLOCK : GEMM_K_BLOCK_UNPACKED;
        int64_t n_blocks = is_lone ? 1 : ceil_div(g->K, longest);
        for (int64_t block = 0; block < n_blocks; block++) {
            range k = {g->K * block / n_blocks, g->K * (block + 1) / n_blocks};
            multiply_block(g, group, columns, k, is_lone ? NULL : scratch);
        }
    }
}

typedef struct gemm_job {
    const ls_device *dev;
    const ls_gemm_args *g;
} gemm_job;

static void multiply_columns(void *context, int64_t begin, int64_t end, int worker)
{
    const gemm_job *job = context;
    range columns = {16 * begin, 16 * end < job->g->N ? 16 * end : job->g->N};
    multiply(job->g, (range){0, job->g->M}, columns, ls_cpu_scratch(job->dev, worker));
}

static void multiply_rows(void *context, int64_t begin, int64_t end, int worker)
{
    const gemm_job *job = context;
    int64_t M = job->g->M, n_tiles = ceil_div(M, TILE_ROWS);
    range rows = {M * begin / n_tiles, M * end / n_tiles};
    multiply(job->g, rows, (range){0, job->g->N}, ls_cpu_scratch(job->dev, worker));
}

/* Share of the time that the busiest of n_threads lets the others work, when n units are
 * divided. */
static double balance(int64_t n, int64_t n_threads)
{
    return (double)n / (double)(ceil_div(n, n_threads) * n_threads);
}

static void gemm(ls_device *dev, const ls_gemm_args *a)
{
    gemm_job job = {.dev = dev, .g = a};
    int64_t n_threads = ls_pool_size(dev->pool), n_vectors = ceil_div(a->N, 16),
            n_tiles = ceil_div(a->M, TILE_ROWS);
    ls_count_gemm(dev, a);
    if (a->M == 0 || a->N == 0)
        return;
    ls_pool *pool = a->M * a->N * a->K < GEMM_SERIAL_WORK ? NULL : dev->pool;
    /* Columns by preference: then each part of B is read by one thread. */
    if (balance(n_vectors, n_threads) + 0.05 >= balance(n_tiles, n_threads))
        ls_parallel_for(pool, n_vectors, 1, multiply_columns, &job);
    else
        ls_parallel_for(pool, n_tiles, 1, multiply_rows, &job);
}
