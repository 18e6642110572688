/* A matrix kept packed alone, or as stored, gives the bits of one kept row-major and packed: rows,
 * lookups, products and gradients, also where its rows do not fit in one block. */
#include "op_check.h"
#include "ops/weight.h"

/* The rows of a block are at most 2^20 / COLS. */
enum { COLS = 1024, ROWS = 2 * 1024 + 77, N = 5 };

typedef struct {
    ls_weight both, packed, raw;
} kept;

/* The values are those of the type: made, stored, read back. */
static void open_kept(kept *k, op_bench *b, const char *type_name, int64_t rows, int64_t cols)
{
    const ls_quant_type *type = ls_quant_find(type_name);
    int64_t n = rows * cols;
    float *values = ls_arena_floats(&b->run, n);
    void *raw = ls_arena_alloc(&b->run, ls_quant_bytes(type, n));
    fill_normal(values, n, 9, 0.3f);
    type->from_float(raw, values, n);
    type->to_float(values, raw, n);
    k->both = bench_weight(b, values, rows, cols);
    k->both.grad = NULL;
    k->packed = k->raw = k->both;
    k->packed.data = k->raw.data = k->raw.packed = NULL;
    k->raw.raw = raw;
    k->raw.raw_type = type;
}

static void check_weight(op_bench *b, const ls_weight *w, const ls_weight *want, int64_t n)
{
    int64_t rows = w->rows, cols = w->cols;
    ls_arena_mark mark = ls_arena_get_mark(&b->pass);
    float *x = ls_arena_floats(&b->pass, n * cols), *dy = ls_arena_floats(&b->pass, n * rows);
    float *y[2], *dx[2], *part[2], *found[2];
    int32_t ids[3] = {0, (int32_t)(rows - 1), (int32_t)(rows / 2)};
    int64_t begin = rows / 3, end = rows - rows / 5;
    fill_normal(x, n * cols, 1, 1.0f);
    fill_normal(dy, n * rows, 2, 1.0f);
    for (int i = 0; i < 2; i++) {
        const ls_weight *each = i == 0 ? want : w;
        y[i] = ls_arena_floats(&b->pass, n * rows);
        dx[i] = ls_arena_floats(&b->pass, n * cols);
        part[i] = ls_arena_floats(&b->pass, (end - begin) * cols);
        found[i] = ls_arena_floats(&b->pass, 3 * cols);
        fill_normal(dx[i], n * cols, 3, 1.0f);
        ls_weight_multiply(&b->tape, y[i], x, n, each, false);
        ls_weight_multiply_back(&b->tape, dx[i], dy, n, each, true);
        ls_weight_rows(&b->dev, part[i], each, begin, end);
        ls_weight_lookup(&b->dev, found[i], each, ids, 3, 2.5f);
    }
    assert_memory_equal(y[0], y[1], (size_t)(n * rows) * sizeof(float));
    assert_memory_equal(dx[0], dx[1], (size_t)(n * cols) * sizeof(float));
    assert_memory_equal(part[0], part[1], (size_t)((end - begin) * cols) * sizeof(float));
    assert_memory_equal(found[0], found[1], (size_t)(3 * cols) * sizeof(float));
    for (int i = 0; i < 2; i++)
        ls_weight_multiply_back(&b->tape, dx[i], dy, n, i == 0 ? want : w, false);
    assert_memory_equal(dx[0], dx[1], (size_t)(n * cols) * sizeof(float));
    ls_arena_rewind(&b->pass, mark);
}

static void check_type(const ls_kernels *table, int n_threads, const char *type, int64_t rows,
                       int64_t cols, int64_t n)
{
    op_bench b;
    kept k;
    op_bench_open(&b, table, n_threads);
    open_kept(&k, &b, type, rows, cols);
    check_weight(&b, &k.packed, &k.both, n);
    check_weight(&b, &k.raw, &k.both, n);
    op_bench_close(&b);
}

static void one_copy_gives_the_bits_of_two(void **state)
{
    (void)state;
    static const char *const types[] = {"F32", "BF16", "F16", "Q8_0", "Q4_0", "Q4_1"};
    static const int64_t rows[] = {1, 15, 33, 130};
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++)
        for (size_t i = 0; i < LS_COUNT(types); i++)
            for (size_t r = 0; r < LS_COUNT(rows); r++)
                check_type(tables[t], 1 + (int)r, types[i], rows[r], 96, N);
}

static void blocks_of_rows_are_not_seen_in_the_bits(void **state)
{
    (void)state;
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++)
        check_type(tables[t], 2, "BF16", ROWS, COLS, t == 0 ? 1 : N);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_copy_gives_the_bits_of_two),
        cmocka_unit_test(blocks_of_rows_are_not_seen_in_the_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
