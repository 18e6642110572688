/* Products with a matrix that is kept in one of three ways, by blocks of its rows. */
#include "ops/weight.h"

/* Floats of a block: a few rows of the widest matrices, long enough that the sums of dX, which are
 * read and written once a block, do not cost more than the product. */
#define BLOCK_FLOATS ((int64_t)1 << 20)
/* A whole number of panels of every gemm. */
#define ROWS_UNIT 64

static int64_t block_rows(const ls_weight *w)
{
    int64_t rows = BLOCK_FLOATS / w->cols / ROWS_UNIT * ROWS_UNIT;
    rows = rows < ROWS_UNIT ? ROWS_UNIT : rows;
    return rows < w->rows ? rows : w->rows;
}

typedef struct {
    float *out;
    const unsigned char *raw;
    const ls_quant_type *type;
    const int32_t *ids; /* NULL: rows in order */
    int64_t cols;
    float scale;
} convert_work;

static void convert_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const convert_work *w = context;
    size_t row_bytes = ls_quant_bytes(w->type, w->cols);
    for (int64_t i = begin; i < end; i++) {
        float *out = w->out + i * w->cols;
        w->type->to_float(out, w->raw + (size_t)(w->ids ? w->ids[i] : i) * row_bytes, w->cols);
        for (int64_t j = 0; w->scale != 1.0f && j < w->cols; j++)
            out[j] *= w->scale;
    }
}

/* Rows that one thread is woken for. */
static int64_t rows_of_a_thread(int64_t cols)
{
    return 16384 / cols + 1;
}

void ls_rows_to_float(ls_device *dev, float *out, const ls_quant_type *type, const void *bytes,
                      int64_t rows, int64_t cols)
{
    int64_t n = rows * cols;
    dev->counters.bytes += 4 * (double)n + (double)ls_quant_bytes(type, n);
    if (dev->k->is_null)
        return;
    convert_work work = {.out = out, .raw = bytes, .type = type, .cols = cols, .scale = 1.0f};
    ls_parallel_for(dev->pool, rows, rows_of_a_thread(cols), convert_rows, &work);
}

void ls_weight_rows(ls_device *dev, float *out, const ls_weight *w, int64_t begin, int64_t end)
{
    LS_ASSERT(0 <= begin && begin <= end && end <= w->rows);
    if (w->data) {
        dev->k->copy(dev, out, w->data + begin * w->cols, (end - begin) * w->cols);
    } else if (w->packed) {
        dev->k->unpack(dev, out, w->packed, w->rows, w->cols, begin, end);
    } else {
        LS_ASSERT(w->raw);
        const unsigned char *raw = w->raw;
        ls_rows_to_float(dev, out, w->raw_type, raw + ls_quant_bytes(w->raw_type, begin * w->cols),
                         end - begin, w->cols);
    }
}

/* From the gemm's layout, row by row. */
static void lookup_packed(ls_device *dev, float *y, const ls_weight *w, const int32_t *ids,
                          int64_t N, float scale)
{
    LS_ASSERT(w->packed);
    for (int64_t i = 0; i < N; i++) {
        int32_t id = dev->k->is_null ? 0 : ids[i];
        dev->k->unpack(dev, y + i * w->cols, w->packed, w->rows, w->cols, id, id + 1);
        for (int64_t j = 0; !dev->k->is_null && scale != 1.0f && j < w->cols; j++)
            y[i * w->cols + j] *= scale;
    }
}

void ls_weight_lookup(ls_device *dev, float *y, const ls_weight *w, const int32_t *ids, int64_t N,
                      float scale)
{
    if (w->data) {
        ls_embed_args args = {
            .y = y, .table = w->data, .ids = ids, .N = N, .C = w->cols, .scale = scale};
        dev->k->embed(dev, &args);
        return;
    }
    if (!w->raw) {
        lookup_packed(dev, y, w, ids, N, scale);
        return;
    }
    int64_t n = N * w->cols;
    dev->counters.bytes += 4 * (double)(n + N) + (double)ls_quant_bytes(w->raw_type, n);
    if (dev->k->is_null)
        return;
    convert_work work = {
        .out = y, .raw = w->raw, .type = w->raw_type, .ids = ids, .cols = w->cols, .scale = scale};
    ls_parallel_for(dev->pool, N, rows_of_a_thread(w->cols), convert_rows, &work);
}

static void multiply_packed(ls_tape *tape, float *y, const float *x, int64_t N, const float *packed,
                            int64_t rows, const ls_weight *w, bool accumulate)
{
    ls_gemm_args args = {.c = y,
                         .a = x,
                         .b = packed,
                         .M = N,
                         .N = rows,
                         .K = w->cols,
                         .a_row = w->cols,
                         .a_k = 1,
                         .ldc = w->rows,
                         .accumulate = accumulate,
                         .b_packed = true};
    tape->dev->k->gemm(tape->dev, &args);
}

void ls_weight_multiply(ls_tape *tape, float *y, const float *x, int64_t N, const ls_weight *w,
                        bool accumulate)
{
    if (w->packed) {
        multiply_packed(tape, y, x, N, w->packed, w->rows, w, accumulate);
        return;
    }
    ls_device *dev = tape->dev;
    ls_arena_mark mark = ls_arena_get_mark(tape->arena);
    int64_t block = block_rows(w);
    float *rows = ls_arena_floats(tape->arena, block * w->cols);
    float *packed = ls_arena_alloc(tape->arena, dev->k->pack_bytes(block, w->cols));
    for (int64_t first = 0; first < w->rows; first += block) {
        int64_t n = w->rows - first < block ? w->rows - first : block;
        ls_weight_rows(dev, rows, w, first, first + n);
        dev->k->pack(dev, packed, rows, n, w->cols);
        multiply_packed(tape, y + first, x, N, packed, n, w, accumulate);
    }
    ls_arena_rewind(tape->arena, mark);
}

static void multiply_rows(ls_tape *tape, float *dx, const float *dy, int64_t N, const float *rows,
                          int64_t n_rows, const ls_weight *w, bool accumulate)
{
    ls_gemm_args args = {.c = dx,
                         .a = dy,
                         .b = rows,
                         .M = N,
                         .N = w->cols,
                         .K = n_rows,
                         .a_row = w->rows,
                         .a_k = 1,
                         .ldb = w->cols,
                         .ldc = w->cols,
                         .accumulate = accumulate};
    tape->dev->k->gemm(tape->dev, &args);
}

void ls_weight_multiply_back(ls_tape *tape, float *dx, const float *dy, int64_t N,
                             const ls_weight *w, bool accumulate)
{
    ls_weight_multiply_back_rows(tape, dx, dy, N, w, 0, w->rows, accumulate);
}

void ls_weight_multiply_back_rows(ls_tape *tape, float *dx, const float *dy, int64_t N,
                                  const ls_weight *w, int64_t first, int64_t end, bool accumulate)
{
    if (w->data) {
        multiply_rows(tape, dx, dy + first, N, w->data + first * w->cols, end - first, w,
                      accumulate);
        return;
    }
    ls_arena_mark mark = ls_arena_get_mark(tape->arena);
    int64_t block = block_rows(w);
    float *rows = ls_arena_floats(tape->arena, block * w->cols);
    for (int64_t i = first; i < end; i += block) {
        int64_t n = end - i < block ? end - i : block;
        ls_weight_rows(tape->dev, rows, w, i, i + n);
        multiply_rows(tape, dx, dy + i, N, rows, n, w, accumulate || i > first);
    }
    ls_arena_rewind(tape->arena, mark);
}

void ls_weight_add_grad(ls_tape *tape, float *dw, const float *dy, const float *x, int64_t N,
                        const ls_weight *w)
{
    ls_gemm_args args = {.c = dw,
                         .a = dy,
                         .b = x,
                         .M = w->rows,
                         .N = w->cols,
                         .K = N,
                         .a_row = 1,
                         .a_k = w->rows,
                         .ldb = w->cols,
                         .ldc = w->cols,
                         .accumulate = true};
    tape->dev->k->gemm(tape->dev, &args);
}
