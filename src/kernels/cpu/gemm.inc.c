/* Matrix products by blocks around gemm_tile.inc.c, and the packing of weights.
 *
 * Packed weights: panels of TILE_COLUMNS outputs, each (K, TILE_COLUMNS) contiguous, padded with
 * zeros; when the last columns fill at most 16 they form a panel of 16.  So the panel that holds
 * column j begins j*K floats from the start.
 *
 * Order of loops for one thread: groups of rows whose A block stays in the second cache; blocks
 * of K; panels; row tiles.  An unpacked B that many rows read is packed on the way, block by block;
 * then blocks of columns and of K go outside, groups of rows inside.  Between blocks of K the sums
 * rest in C, which changes no bit.  Threads divide columns or rows, never K. */

#define TILE_COLUMNS (16 * TILE_VECS)
/* K block: a panel of B is kept near while the rows of a group pass by.  Long, since each block
 * reads and writes C again. */
#define GEMM_K_BLOCK 768
/* The same where A, transposed, is packed for each block, or B is. */
#define GEMM_PACKED_K (TILE_VECS == 1 ? 256 : 384)
/* Floats of B that are packed at a time; half of the second cache where the next block is fetched
 * meanwhile. */
#define GEMM_PACKED_FLOATS 65536
#define GEMM_PACKED_FLOATS_TRANSPOSED 196608
/* Row tiles that make the packing of B pay. */
#define GEMM_PACK_TILES 6
/* B is read in place, except where its rows, so many floats apart, would meet in few cache sets, or
 * where it is large: narrow panels take a line of each row only, wide ones bear it until B comes
 * from memory. */
#define GEMM_PACK_STRIDE (TILE_VECS == 1 ? 128 : 1024)
#define GEMM_PACK_SIZE (TILE_VECS == 1 ? 24576 : 1 << 21)
/* Rows of a group. */
#define GEMM_GROUP_TILES 20
#define GEMM_GROUP_ROWS (GEMM_GROUP_TILES * TILE_ROWS)
/* Columns from which a transposed A is packed: a tile would use a part of each cache line only. */
#define GEMM_PACK_COLUMNS (2 * TILE_COLUMNS)
/* Steps of k that are packed together: so few that their cache lines meet in no set more often than
 * it has ways, even where rows of A lie a power of two apart. */
#define GEMM_PACK_STEPS 16
/* Floats of a packed tile of A: copies write whole vectors and so a little behind the last row. */
#define PACKED_TILE_FLOATS(K) (TILE_ROWS * (K) + 16)
/* Packing an element takes as long as so many multiply-adds. */
#define GEMM_PACK_A_COST 6.0
#define GEMM_PACK_B_COST 2.0
/* Multiply-adds that are not worth waking a second thread. */
#define GEMM_SERIAL_WORK 120000

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

typedef struct unpack_job {
    float *w;
    const float *packed;
    int64_t N, K, begin, end; /* rows of W, begin to end */
} unpack_job;

/* Panels, each by runs of k that stay in the first cache. */
static void unpack_range(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const unpack_job *p = context;
    for (int64_t panel = begin; panel < end; panel++) {
        int64_t column = (p->begin / TILE_COLUMNS + panel) * TILE_COLUMNS, first,
                width = panel_width(&first, column, p->N);
        const float *in = p->packed + first * p->K;
        int64_t from = p->begin > first ? p->begin : first,
                to = p->end < first + width ? p->end : first + width;
        for (int64_t k0 = 0; k0 < p->K; k0 += 64) {
            int64_t k1 = k0 + 64 < p->K ? k0 + 64 : p->K;
            for (int64_t n = from; n < to; n++)
                for (int64_t k = k0; k < k1; k++)
                    p->w[(n - p->begin) * p->K + k] = in[k * width + (n - first)];
        }
    }
}

static void unpack(ls_device *dev, float *w, const float *packed, int64_t N, int64_t K,
                   int64_t begin, int64_t end)
{
    unpack_job job = {.w = w, .packed = packed, .N = N, .K = K, .begin = begin, .end = end};
    ls_pool *pool = (end - begin) * K < GEMM_SERIAL_WORK ? NULL : dev->pool;
    int64_t n_panels = ceil_div(end, TILE_COLUMNS) - begin / TILE_COLUMNS;
    ls_parallel_for(pool, n_panels, 1, unpack_range, &job);
    ls_count(dev, 0, 2 * (double)(end - begin) * (double)K);
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

_Static_assert((GEMM_GROUP_TILES * PACKED_TILE_FLOATS(GEMM_PACKED_K) +
                GEMM_PACKED_FLOATS_TRANSPOSED + TILE_COLUMNS * GEMM_PACKED_K) *
                       sizeof(float) <=
                   LS_CPU_SCRATCH_BYTES,
               "the packed blocks fit in the scratch of a worker");

typedef struct range {
    int64_t begin, end;
} range;

/* Part i of n of a range, in multiples of `unit` from its begin on. */
static range part_of(range r, int64_t unit, int64_t i, int64_t n)
{
    int64_t n_units = ceil_div(r.end - r.begin, unit),
            end = r.begin + unit * (n_units * (i + 1) / n);
    return (range){r.begin + unit * (n_units * i / n), end < r.end ? end : r.end};
}

/* Copies of a block of the operands, or NULL: read in place. */
typedef struct packed_block {
    float *a; /* tile after tile, PACKED_TILE_FLOATS apart, each (K, rows of the tile) */
    float *b; /* panel after panel, each (K, columns rounded up to whole vectors)      */
} packed_block;

/* The rows of a transposed A: what a step of k takes lies together, for all tiles of the group. */
static void pack_a(float *out, const ls_gemm_args *g, range rows, range k)
{
    int64_t n_rows = rows.end - rows.begin, n_tiles = ceil_div(n_rows, TILE_ROWS);
    int64_t K = k.end - k.begin, begin[GEMM_GROUP_TILES + 1];
    for (int64_t tile_index = 0; tile_index <= n_tiles; tile_index++)
        begin[tile_index] = n_rows * tile_index / n_tiles;
    for (int64_t step = 0; step < K; step += GEMM_PACK_STEPS) {
        int64_t n_steps = K - step < GEMM_PACK_STEPS ? K - step : GEMM_PACK_STEPS;
        for (int64_t tile_index = 0; tile_index < n_tiles; tile_index++) {
            int64_t at = begin[tile_index], height = begin[tile_index + 1] - at;
            const float *from = g->a + rows.begin + at + (k.begin + step) * g->a_k;
            float *to = out + tile_index * PACKED_TILE_FLOATS(K) + step * height;
            for (int64_t i = 0; i < n_steps; i++)
                v_copy_tile_row(to + i * height, from + i * g->a_k, height);
        }
    }
}

static void pack_b(float *out, const ls_gemm_args *g, range columns, range k)
{
    int64_t K = k.end - k.begin, n_columns = columns.end - columns.begin;
    for (int64_t step = 0; step < K; step++) {
        const float *from = g->b + (k.begin + step) * g->ldb + columns.begin;
        int64_t j = 0;
        for (; j + TILE_COLUMNS <= n_columns; j += TILE_COLUMNS)
            LS_UNROLL
        for (int v = 0; v < TILE_VECS; v++)
            v_store(out + j * K + step * TILE_COLUMNS + 16 * v, v_load(from + j + 16 * v));
        for (; j < n_columns; j += 16)
            v_store(out + j * K + step * 16, load_upto(from + j, n_columns - j));
    }
}

/* What a tile fetches while it runs.  With weights packed before, several row tiles fetch the next
 * panel together, so that its first tile does not wait for memory; a lone tile fetches its own
 * panel some rows ahead where one line a step keeps up.  With B packed on the way, the first tiles
 * fetch the rows of the next block of K, a line each.  In place, the processor's own streams are
 * better. */
static void look_ahead(tile_args *t, const ls_gemm_args *g, const packed_block *packed,
                       int64_t k_end, int64_t j, int64_t tile_index, int64_t n_tiles)
{
    int64_t row_bytes = t->ldb * (int64_t)sizeof(float);
    t->ahead = (const char *)t->b;
    t->ahead_step = 0;
    if (packed->b && tile_index < TILE_VECS && k_end < g->K) {
        t->ahead = (const char *)(g->b + k_end * g->ldb + j + 16 * tile_index);
        t->ahead_step = g->ldb * (int64_t)sizeof(float);
    } else if (g->b_packed && n_tiles > 1) {
        t->ahead += t->K * row_bytes + row_bytes * t->K / n_tiles * tile_index;
        t->ahead_step = row_bytes / n_tiles;
    } else if (g->b_packed && TILE_VECS == 1) {
        t->ahead += 64 * row_bytes;
        t->ahead_step = row_bytes;
    }
}

/* C[rows, columns] over a block of K. */
static void multiply_block(const ls_gemm_args *g, range rows, range columns, range k,
                           packed_block packed)
{
    int64_t n_rows = rows.end - rows.begin, n_tiles = ceil_div(n_rows, TILE_ROWS),
            K = k.end - k.begin, width;
    tile_args t = {.ldc = g->ldc,
                   .a_row = g->a_row,
                   .a_k = g->a_k,
                   .K = K,
                   .panel = g->b_packed ? g->K * TILE_COLUMNS : TILE_COLUMNS,
                   .accumulate = g->accumulate || k.begin > 0};
    for (int64_t j = columns.begin; j < columns.end; j += width) {
        bool is_lone = n_tiles == 1 && !packed.b;
        tile_fn *const *tiles =
            choose_tiles(&width, is_lone ? n_rows : 0, g->b_packed, j, columns.end);
        t.n_tail = width;
        if (packed.b) {
            t.b = packed.b + (j - columns.begin) * K;
            t.ldb = ceil_div(width, 16) * 16;
        } else {
            t.b = b_at(&t.ldb, g, k.begin, j);
        }
        int64_t i = rows.begin;
        for (int64_t tile_index = 0; tile_index < n_tiles; tile_index++) {
            int64_t next = rows.begin + n_rows * (tile_index + 1) / n_tiles;
            t.a = g->a + i * g->a_row + k.begin * g->a_k;
            if (packed.a) {
                t.a = packed.a + tile_index * PACKED_TILE_FLOATS(K);
                t.a_k = next - i;
            }
            t.c = g->c + i * g->ldc + j;
            t.next_c = tile_index + 1 < n_tiles ? t.c + (next - i) * g->ldc
                                                : g->c + rows.begin * g->ldc + j + width;
            t.later_c = t.c + width;
            look_ahead(&t, g, &packed, k.end, j, tile_index, n_tiles);
            tiles[next - i](&t);
            i = next;
        }
    }
}

static bool packs_a(const ls_gemm_args *g, range columns)
{
    return g->a_row == 1 && g->a_k != 1 && columns.end - columns.begin >= GEMM_PACK_COLUMNS;
}

static bool packs_b(const ls_gemm_args *g, range rows)
{
    if (g->b_packed || rows.end - rows.begin <= TILE_ROWS * (GEMM_PACK_TILES - 1))
        return false;
    return g->ldb % GEMM_PACK_STRIDE == 0 || g->K * g->N >= GEMM_PACK_SIZE;
}

/* Group i of the rows. */
static range group_of(range rows, int64_t i)
{
    int64_t begin = rows.begin + GEMM_GROUP_ROWS * i, end = begin + GEMM_GROUP_ROWS;
    return (range){begin, end < rows.end ? end : rows.end};
}

/* Parts of the columns, blocks of K, groups of rows: B is packed block by block. */
static void multiply_packing_b(const ls_gemm_args *g, range rows, range columns, float *scratch)
{
    int64_t n_blocks = ceil_div(g->K, GEMM_PACKED_K), longest = ceil_div(g->K, n_blocks);
    bool is_transposed = packs_a(g, columns);
    int64_t most = is_transposed ? GEMM_PACKED_FLOATS_TRANSPOSED : GEMM_PACKED_FLOATS;
    int64_t most_columns = most / longest / TILE_COLUMNS * TILE_COLUMNS;
    int64_t n_parts = ceil_div(columns.end - columns.begin, most_columns);
    packed_block packed = {.b = scratch};
    if (is_transposed)
        packed.a = scratch + most + TILE_COLUMNS * GEMM_PACKED_K;
    for (int64_t p = 0; p < n_parts * n_blocks; p++) {
        range part = part_of(columns, TILE_COLUMNS, p / n_blocks, n_parts);
        range k = part_of((range){0, g->K}, 1, p % n_blocks, n_blocks);
        pack_b(packed.b, g, part, k);
        for (int64_t i = 0; i < ceil_div(rows.end - rows.begin, GEMM_GROUP_ROWS); i++) {
            range group = group_of(rows, i);
            if (packed.a)
                pack_a(packed.a, g, group, k);
            multiply_block(g, group, part, k, packed);
        }
    }
}

/* Groups of rows, blocks of K: B is packed already or read in place. */
static void multiply(const ls_gemm_args *g, range rows, range columns, float *scratch)
{
    if (packs_b(g, rows) && g->K > 0) {
        multiply_packing_b(g, rows, columns, scratch);
        return;
    }
    packed_block packed = {.a = packs_a(g, columns) ? scratch : NULL};
    for (int64_t i = 0; i < ceil_div(rows.end - rows.begin, GEMM_GROUP_ROWS); i++) {
        range group = group_of(rows, i);
        /* One tile high: B passes once, so there is nothing to keep near.  K = 0 still writes C. */
        bool is_lone = !packed.a && group.end - group.begin <= TILE_ROWS;
        int64_t longest = packed.a ? GEMM_PACKED_K : GEMM_K_BLOCK;
        int64_t n_blocks = is_lone || g->K == 0 ? 1 : ceil_div(g->K, longest);
        for (int64_t block = 0; block < n_blocks; block++) {
            range k = part_of((range){0, g->K}, 1, block, n_blocks);
            if (packed.a)
                pack_a(packed.a, g, group, k);
            multiply_block(g, group, columns, k, packed);
        }
    }
}

typedef struct gemm_job {
    const ls_device *dev;
    ls_gemm_args g; /* a copy: what a worker waits for lies in two lines */
} gemm_job;

static void multiply_columns(void *context, int64_t begin, int64_t end, int worker)
{
    const gemm_job *job = context;
    range columns = {16 * begin, 16 * end < job->g.N ? 16 * end : job->g.N};
    multiply(&job->g, (range){0, job->g.M}, columns, ls_cpu_scratch(job->dev, worker));
}

static void multiply_rows(void *context, int64_t begin, int64_t end, int worker)
{
    const gemm_job *job = context;
    multiply(&job->g, (range){begin, end}, (range){0, job->g.N}, ls_cpu_scratch(job->dev, worker));
}

/* Share of the time that the busiest of n_threads lets the others work, when n units are
 * divided. */
static double balance(int64_t n, int64_t n_threads)
{
    return (double)n / (double)(ceil_div(n, n_threads) * n_threads);
}

/* Columns by preference: then each part of B is read by one thread.  But a transposed A is packed,
 * and by every thread as a whole where columns are divided, as B is where rows are. */
static bool divides_columns(const ls_gemm_args *g, int64_t n_threads, int64_t row_unit)
{
    range columns = {0, ceil_div(g->N, n_threads)}, rows = {0, ceil_div(g->M, n_threads)};
    double by_columns = balance(ceil_div(g->N, 16), n_threads) + 0.05;
    double by_rows = balance(ceil_div(g->M, row_unit), n_threads);
    if (packs_a(g, columns))
        by_columns -= GEMM_PACK_A_COST / (double)columns.end;
    if (packs_b(g, rows))
        by_rows -= GEMM_PACK_B_COST / (double)rows.end;
    return by_columns >= by_rows;
}

static void gemm(ls_device *dev, const ls_gemm_args *a)
{
    gemm_job job = {.dev = dev, .g = *a};
    int64_t n_threads = ls_pool_size(dev->pool);
    ls_count_gemm(dev, a);
    if (a->M == 0 || a->N == 0)
        return;
    ls_pool *pool = a->M * a->N * a->K < GEMM_SERIAL_WORK ? NULL : dev->pool;
    /* Many rows are divided anywhere: tiles of 10 or 11 rows are as good as tiles of 12. */
    int64_t row_unit = a->M >= 4 * TILE_ROWS * n_threads ? 1 : TILE_ROWS;
    if (divides_columns(a, n_threads, row_unit))
        ls_parallel_for(pool, ceil_div(a->N, 16), 1, multiply_columns, &job);
    else
        ls_parallel_for(pool, a->M, row_unit, multiply_rows, &job);
}
