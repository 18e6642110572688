/* The diagonal of causal attention: up to TILE_ROWS rows of C in registers, one fma chain an
 * element as in gemm_tile.inc.c, but of a different length for each row.
 *
 *     lower   step s reaches the rows r >= s: queries that see positions up to their own
 *     upper   step s reaches the rows r <= s: positions seen by their own query and later ones
 *
 * What is masked is not computed, so it does not matter what stands there. */

typedef struct triangle_args {
    float *c;                      /* (rows, D), ldc apart                  */
    const float *a;                /* a[r*a_row + s*a_step]                 */
    const float *const *b;         /* (rows) the row of B of each step      */
    int64_t ldc, a_row, a_step, D; /* steps are as many as rows             */
} triangle_args;

typedef void triangle_fn(const triangle_args *t);

LS_ALWAYS_INLINE void triangle(const int rows, const bool is_upper, const triangle_args *t)
{
    for (int64_t d = 0; d < t->D; d += 16) {
        vf sum[TILE_ROWS];
        int64_t n = t->D - d;
        LS_UNROLL
        for (int r = 0; r < rows; r++)
            sum[r] = load_upto(t->c + r * t->ldc + d, n);
        LS_UNROLL
        for (int s = 0; s < rows; s++) {
            vf b = load_upto(t->b[s] + d, n);
            LS_UNROLL
            for (int r = 0; r < rows; r++)
                if (is_upper ? r <= s : r >= s)
                    sum[r] = v_fma(v_set1(t->a[r * t->a_row + s * t->a_step]), b, sum[r]);
        }
        LS_UNROLL
        for (int r = 0; r < rows; r++)
            store_upto(t->c + r * t->ldc + d, sum[r], n);
    }
}

#define TRIANGLE_INSTANCE(rows)                               \
    static void triangle_lower_##rows(const triangle_args *t) \
    {                                                         \
        triangle(rows, false, t);                             \
    }                                                         \
    static void triangle_upper_##rows(const triangle_args *t) \
    {                                                         \
        triangle(rows, true, t);                              \
    }

TRIANGLE_INSTANCE(1)
TRIANGLE_INSTANCE(2)
TRIANGLE_INSTANCE(3)
TRIANGLE_INSTANCE(4)
TRIANGLE_INSTANCE(5)
TRIANGLE_INSTANCE(6)
#if TILE_ROWS == 12
TRIANGLE_INSTANCE(7)
TRIANGLE_INSTANCE(8)
TRIANGLE_INSTANCE(9)
TRIANGLE_INSTANCE(10)
TRIANGLE_INSTANCE(11)
TRIANGLE_INSTANCE(12)
#endif

/* By number of rows. */
static triangle_fn *const triangle_lower[TILE_ROWS + 1] = TILE_LIST(triangle_lower);
static triangle_fn *const triangle_upper[TILE_ROWS + 1] = TILE_LIST(triangle_upper);
