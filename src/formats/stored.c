/* Stored weights into models, through a copy where values stand in another order. */
#include "formats/stored.h"

#include <string.h>
#include "base/mem.h"
#include "ops/weight.h"

bool ls_stored_fits(const ls_stored *s, const ls_weight *w)
{
    if (ls_is_vector(w))
        return s->rank == 1 && s->shape[0] == w->cols;
    int64_t rows = s->is_transposed ? w->cols : w->rows;
    int64_t cols = s->is_transposed ? w->rows : w->cols;
    return s->rank == 2 && s->shape[0] == rows && s->shape[1] == cols;
}

void ls_stored_describe(ls_str *out, const ls_stored *s, const ls_weight *w)
{
    ls_str_append(out, " [");
    for (int32_t i = 0; i < s->rank; i++)
        ls_str_appendf(out, "%s%lld", i > 0 ? "," : "", (long long)s->shape[i]);
    if (ls_is_vector(w))
        ls_str_appendf(out, "] instead of [%lld]", (long long)w->cols);
    else
        ls_str_appendf(out, "] instead of [%lld,%lld]",
                       (long long)(s->is_transposed ? w->cols : w->rows),
                       (long long)(s->is_transposed ? w->rows : w->cols));
}

const ls_quant_type *ls_stored_type(const ls_stored *s)
{
    return s->is_transposed || s->added != 0.0f ? NULL : s->type;
}

int64_t ls_stored_row(ls_row_order order, int64_t heads, int64_t rows, int64_t i)
{
    int64_t D;
    switch (order) {
    case LS_ROWS_IN_PAIRS:
        D = rows / heads;
        return i / D * D + 2 * (i % D % (D / 2)) + i % D / (D / 2);
    case LS_ROWS_BY_KIND:
        D = rows / (3 * heads);
        return (i / D % 3 * heads + i / (3 * D)) * D + i % D;
    case LS_ROWS_AS_THEY_ARE: break;
    }
    return i;
}

/* Rows (elements of a vector) in our order, of the file's type.  Caller frees. */
static unsigned char *ordered_copy(const ls_stored *s, const ls_weight *w)
{
    int64_t rows = ls_is_vector(w) ? w->cols : w->rows, cols = ls_is_vector(w) ? 1 : w->cols;
    size_t row_bytes = ls_quant_bytes(s->type, cols);
    unsigned char *copy = ls_malloc(ls_mul_size((size_t)rows, row_bytes));
    for (int64_t i = 0; i < rows; i++) {
        int64_t from = ls_stored_row(s->order, s->heads, rows, i);
        memcpy(copy + (size_t)i * row_bytes, s->data + (size_t)from * row_bytes, row_bytes);
    }
    return copy;
}

typedef struct {
    float *out;
    const float *in;
    int64_t rows, cols; /* of out */
} transpose_work;

static void transpose_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const transpose_work *t = context;
    for (int64_t i = begin; i < end; i++)
        for (int64_t j = 0; j < t->cols; j++)
            t->out[i * t->cols + j] = t->in[j * t->rows + i];
}

/* As floats, turned and with what was added taken off.  Caller frees. */
static float *float_copy(ls_device *dev, const ls_stored *s, const ls_weight *w)
{
    int64_t n = w->rows * w->cols;
    int64_t rows = s->is_transposed ? w->cols : w->rows;
    float *values = ls_malloc(ls_mul_size((size_t)n, sizeof *values));
    ls_rows_to_float(dev, values, s->type, s->data, rows, n / rows);
    for (int64_t i = 0; s->added != 0.0f && i < n; i++)
        values[i] -= s->added;
    if (!s->is_transposed)
        return values;
    float *turned = ls_malloc(ls_mul_size((size_t)n, sizeof *turned));
    transpose_work work = {.out = turned, .in = values, .rows = w->rows, .cols = w->cols};
    ls_parallel_for(dev->pool, w->rows, 64, transpose_rows, &work);
    ls_free(values);
    return turned;
}

leash_status ls_stored_put(ls_model *model, ls_weight *w, const ls_stored *s)
{
    if (s->type == NULL)
        return ls_fail(LEASH_UNSUPPORTED,
                       "%s: tensor '%s' is stored as %s, which is not read; expected F32, F16, "
                       "BF16 or, in a GGUF file, another quantisation (Q4_K, Q5_K, Q6_K, Q8_0, "
                       "...)",
                       s->path, s->name, s->type_name);
    if (ls_stored_type(s) == NULL) {
        LS_ASSERT(s->order == LS_ROWS_AS_THEY_ARE);
        float *values = float_copy(model->dev, s, w);
        ls_model_put_weight(model, w, ls_quant_find("F32"), values);
        ls_free(values);
    } else if (s->order != LS_ROWS_AS_THEY_ARE) {
        unsigned char *rows = ordered_copy(s, w);
        ls_model_put_weight(model, w, s->type, rows);
        ls_free(rows);
    } else {
        ls_model_put_weight(model, w, s->type, s->data);
    }
    return LEASH_OK;
}
