/* Rows of a table by token id.
 *     y[i,j] = table[ids[i],j] * scale          dtable[ids[i],j] += dy[i,j] * scale, rows in order
 * Shapes: y (N,C), table (V,C), ids (N), borrowed until the backward is over. */
#include "ops/ops.h"
#include "ops/weight.h"

typedef struct {
    ls_tensor *y;
    ls_weight *table;
    const int32_t *ids;
    float scale;
} embed_saved;

static void embed_backward(ls_tape *tape, void *saved)
{
    embed_saved *s = saved;
    if (s->y->grad == NULL || s->table->grad == NULL)
        return;
    ls_embed_bwd_args args = {.dtable = s->table->grad,
                              .dy = s->y->grad,
                              .ids = s->ids,
                              .N = s->y->rows,
                              .C = s->y->cols,
                              .scale = s->scale};
    tape->dev->k->embed_bwd(tape->dev, &args);
}

ls_tensor *ls_op_embed(ls_tape *tape, ls_weight *table, const int32_t *ids, int64_t n, float scale)
{
    if (!tape->dev->k->is_null)
        for (int64_t i = 0; i < n; i++)
            LS_ASSERT(ids[i] >= 0 && ids[i] < table->rows);
    ls_tensor *y = ls_tape_tensor(tape, n, table->cols, table->grad != NULL);
    ls_weight_lookup(tape->dev, y->data, table, ids, n, scale);
    ls_tape_check(tape, "embed", y);
    if (tape->is_recording && y->needs_grad) {
        embed_saved *s = ls_arena_alloc(tape->arena, sizeof *s);
        *s = (embed_saved){.y = y, .table = table, .ids = ids, .scale = scale};
        ls_tape_record(tape, "embed", embed_backward, s);
    }
    return y;
}
