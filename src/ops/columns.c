/* Part of a fused projection: some columns of every row, or of each of the P equal parts of a row
 * (heads).
 *     y[i, p C + j] = x[i, p W + first + j],  W = width / P,  j < C;   dx likewise += dy
 * Shapes: x (N,P*W), y (N,P*C). */
#include "ops/ops.h"

typedef struct {
    ls_tensor *x, *y;
    int64_t P, first, C;
} columns_saved;

static void columns_backward(ls_tape *tape, void *saved)
{
    columns_saved *s = saved;
    if (s->y->grad == NULL)
        return;
    ls_copy_columns_args args = {.y = ls_tape_grad(tape, s->x) + s->first,
                                 .x = s->y->grad,
                                 .N = s->x->rows * s->P,
                                 .C = s->C,
                                 .ldy = s->x->cols / s->P,
                                 .ldx = s->C,
                                 .accumulate = true};
    tape->dev->k->copy_columns(tape->dev, &args);
}

ls_tensor *ls_op_columns(ls_tape *tape, ls_tensor *x, int64_t P, int64_t first, int64_t C)
{
    LS_ASSERT_EQ(x->cols % P, 0);
    LS_ASSERT(first >= 0 && C >= 1 && first + C <= x->cols / P);
    ls_tensor *y = ls_tape_tensor(tape, x->rows, P * C, x->needs_grad);
    ls_copy_columns_args args = {
        .y = y->data, .x = x->data + first, .N = x->rows * P, .C = C, .ldy = C, .ldx = x->cols / P};
    tape->dev->k->copy_columns(tape->dev, &args);
    if (tape->is_recording && y->needs_grad) {
        columns_saved *s = ls_arena_alloc(tape->arena, sizeof *s);
        *s = (columns_saved){.x = x, .y = y, .P = P, .first = first, .C = C};
        ls_tape_record(tape, "columns", columns_backward, s);
    }
    return y;
}
