/* y = x s,  dx += dy s.   Shapes: (N,C).
 *
 * A new tensor, because the gradient of a branch's end is shared with the residual stream (add.c)
 * and must not be changed. */
#include "ops/ops.h"

typedef struct {
    ls_tensor *x, *y;
    float s;
} scale_saved;

static void scale_backward(ls_tape *tape, void *saved)
{
    scale_saved *s = saved;
    if (s->y->grad == NULL)
        return;
    bool is_new;
    float *dx = ls_tape_grad_undefined(tape, s->x, &is_new);
    ls_scale_args args = {
        .y = dx, .x = s->y->grad, .n = s->y->rows * s->y->cols, .s = s->s, .accumulate = !is_new};
    tape->dev->k->scale(tape->dev, &args);
}

ls_tensor *ls_op_scale(ls_tape *tape, ls_tensor *x, float s)
{
    ls_tensor *y = ls_tape_tensor(tape, x->rows, x->cols, x->needs_grad);
    ls_scale_args args = {.y = y->data, .x = x->data, .n = x->rows * x->cols, .s = s};
    tape->dev->k->scale(tape->dev, &args);
    ls_tape_check(tape, "scale", y);
    if (tape->is_recording && y->needs_grad) {
        scale_saved *saved = ls_arena_alloc(tape->arena, sizeof *saved);
        *saved = (scale_saved){.x = x, .y = y, .s = s};
        ls_tape_record(tape, "scale", scale_backward, saved);
    }
    return y;
}
