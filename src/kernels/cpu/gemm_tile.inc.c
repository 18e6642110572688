/* The inner loops of every matrix product, attention included: a tile of C in registers, one fma
 * chain an element.
 *
 * A tile has up to TILE_ROWS rows and one panel of columns (TILE_VECS vectors of 16), or few
 * rows and several panels, so that there are always enough independent chains.  A is broadcast
 * element by element through any two strides, so activations (rows contiguous), their transpose
 * and attention scores need no packing; B is read in whole vectors along the columns. The loops
 * over rows and vectors have constant bounds in each instance below and unroll into registers
 * (checked in the assembly of gcc 12 and clang 14: no spills). */

typedef struct tile_args {
    float *c;           /* (rows, columns), ldc apart             */
    const float *a, *b; /* a[i*a_row + k*a_k],  b[k*ldb + column] */
    int64_t ldc, a_row, a_k, ldb, K;
    int64_t panel;        /* from a panel of b to the next          */
    int64_t n_tail;       /* columns of a tail tile, 1 to 16        */
    const char *ahead;    /* fetched while this tile runs,          */
    int64_t ahead_step;   /* so many bytes a step of k              */
    const float *next_c;  /* sums of the next tile, fetched too,    */
    const float *later_c; /* and of one further on, from memory     */
    bool accumulate;
} tile_args;

typedef void tile_fn(const tile_args *t);

#define TILE_MAX_VECS 8

LS_ALWAYS_INLINE void tile(const int rows, const int panels, const int vecs, const bool is_tail,
                           const tile_args *t)
{
    vf sum[TILE_ROWS][TILE_MAX_VECS];
    const int width = panels * vecs;
    LS_UNROLL
    for (int r = 0; r < rows; r++) {
        LS_UNROLL
        for (int j = 0; j < width; j++) {
            const float *c = t->c + r * t->ldc + 16 * j;
            if (!t->accumulate)
                sum[r][j] = v_set1(0);
            else
                sum[r][j] = is_tail ? v_load_n(c, t->n_tail) : v_load(c);
        }
    }
    /* Three rows a pointer: x86 addresses base, base + row, base + 2 row. */
    const float *a[4] = {t->a, t->a + 3 * t->a_row, t->a + 6 * t->a_row, t->a + 9 * t->a_row};
    LS_UNROLL
    for (int r = 0; r < rows; r++) {
        LS_UNROLL
        for (int j = 0; j < vecs; j++) {
            _mm_prefetch((const char *)(t->next_c + r * t->ldc + 16 * j), _MM_HINT_T0);
            _mm_prefetch((const char *)(t->later_c + r * t->ldc + 16 * j), _MM_HINT_T1);
        }
    }
    const float *b = t->b;
    const char *ahead = t->ahead;
    const int64_t a_row = t->a_row, a_k = t->a_k, ldb = t->ldb;
    for (int64_t k = t->K; k > 0; k--) {
        vf column[TILE_MAX_VECS];
        LS_UNROLL
        for (int j = 0; j < width; j++) {
            const float *from = b + (j / vecs) * t->panel + 16 * (j % vecs);
            column[j] = is_tail ? v_load_n(from, t->n_tail) : v_load(from);
        }
        LS_UNROLL
        for (int r = 0; r < rows; r++) {
            vf x = v_set1(a[r / 3][(r % 3) * a_row]);
            LS_UNROLL
            for (int j = 0; j < width; j++)
                sum[r][j] = v_fma(x, column[j], sum[r][j]);
        }
        if (panels == 1) {
            _mm_prefetch(ahead, _MM_HINT_T1);
            ahead += t->ahead_step;
        }
        b += ldb;
        LS_UNROLL
        for (int r = 0; r < rows; r += 3)
            a[r / 3] += a_k;
    }
    LS_UNROLL
    for (int r = 0; r < rows; r++) {
        LS_UNROLL
        for (int j = 0; j < width; j++) {
            float *c = t->c + r * t->ldc + 16 * j;
            if (is_tail)
                v_store_n(c, sum[r][j], t->n_tail);
            else
                v_store(c, sum[r][j]);
        }
    }
}

#define TILE_INSTANCE(name, rows, panels, vecs, is_tail) \
    static void name(const tile_args *t)                 \
    {                                                    \
        tile(rows, panels, vecs, is_tail, t);            \
    }
#define TILE_INSTANCES(rows)                                    \
    TILE_INSTANCE(tile_panel_##rows, rows, 1, TILE_VECS, false) \
    TILE_INSTANCE(tile_vector_##rows, rows, 1, 1, false)        \
    TILE_INSTANCE(tile_tail_##rows, rows, 1, 1, true)

TILE_INSTANCES(1)
TILE_INSTANCES(2)
TILE_INSTANCES(3)
TILE_INSTANCES(4)
TILE_INSTANCES(5)
TILE_INSTANCES(6)
#if TILE_ROWS == 12
TILE_INSTANCES(7)
TILE_INSTANCES(8)
TILE_INSTANCES(9)
TILE_INSTANCES(10)
TILE_INSTANCES(11)
TILE_INSTANCES(12)
#define TILE_LIST(kind)                                                                       \
    {                                                                                         \
        NULL, kind##_1, kind##_2, kind##_3, kind##_4, kind##_5, kind##_6, kind##_7, kind##_8, \
            kind##_9, kind##_10, kind##_11, kind##_12                                         \
    }
#else
#define TILE_LIST(kind)                                                  \
    {                                                                    \
        NULL, kind##_1, kind##_2, kind##_3, kind##_4, kind##_5, kind##_6 \
    }
#endif

/* By number of rows. */
static tile_fn *const tile_panel[TILE_ROWS + 1] = TILE_LIST(tile_panel);
static tile_fn *const tile_vector[TILE_ROWS + 1] = TILE_LIST(tile_vector);
static tile_fn *const tile_tail[TILE_ROWS + 1] = TILE_LIST(tile_tail);

/* Few rows read several panels side by side: by rows 1 to 3, with this many panels. */
TILE_INSTANCE(tile_wide_1, 1, 4, TILE_VECS, false)
TILE_INSTANCE(tile_wide_2, 2, 2, TILE_VECS, false)
TILE_INSTANCE(tile_wide_3, 3, 2, TILE_VECS, false)
static tile_fn *const tile_wide[4] = {NULL, tile_wide_1, tile_wide_2, tile_wide_3};
static const int tile_wide_panels[4] = {0, 4, 2, 2};
