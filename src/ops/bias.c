/* A bias on the output of a matrix, in place:
 *     y[i,j] += b[j]        db[j] += sum_i dy[i,j], rows in order;  the gradient of y is untouched
 * Shapes: y (N,C), b (C).  A product's backward reads its operands and the gradient of its output,
 * never the output, so nothing is lost by writing over it. */
#include "ops/ops.h"

typedef struct {
    ls_tensor *y;
    ls_weight *b;
} bias_saved;

static void bias_backward(ls_tape *tape, void *saved)
{
    bias_saved *s = saved;
    if (s->y->grad == NULL)
        return;
    ls_add_row_bwd_args args = {
        .db = s->b->grad, .dy = s->y->grad, .N = s->y->rows, .C = s->y->cols};
    tape->dev->k->add_row_bwd(tape->dev, &args);
}

ls_tensor *ls_op_bias(ls_tape *tape, ls_tensor *y, ls_weight *b)
{
    LS_ASSERT_EQ(b->cols, y->cols);
    ls_add_row_args args = {.y = y->data, .b = b->data, .N = y->rows, .C = y->cols};
    tape->dev->k->add_row(tape->dev, &args);
    ls_tape_check(tape, "bias", y);
    if (b->grad == NULL)
        return y;
    y->needs_grad = true;
    if (tape->is_recording) {
        bias_saved *s = ls_arena_alloc(tape->arena, sizeof *s);
        *s = (bias_saved){.y = y, .b = b};
        ls_tape_record(tape, "bias", bias_backward, s);
    }
    return y;
}
