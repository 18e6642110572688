/* The gate of the feed-forward part.  s = sigmoid(gate):
 *     y = gate s up        dgate += dy up s (1 + gate (1 - s))        dup += dy gate s
 * Shapes: all (N,F).   Source: arXiv:2002.05202. */
#include "ops/ops.h"

typedef struct {
    ls_tensor *gate, *up, *y;
} swiglu_saved;

static void swiglu_backward(ls_tape *tape, void *saved)
{
    swiglu_saved *s = saved;
    if (s->y->grad == NULL)
        return;
    ls_swiglu_bwd_args args = {.dgate = ls_tape_grad(tape, s->gate),
                               .dup = ls_tape_grad(tape, s->up),
                               .dy = s->y->grad,
                               .gate = s->gate->data,
                               .up = s->up->data,
                               .n = s->y->rows * s->y->cols};
    tape->dev->k->swiglu_bwd(tape->dev, &args);
}

ls_tensor *ls_op_swiglu(ls_tape *tape, ls_tensor *gate, ls_tensor *up)
{
    LS_ASSERT_EQ(gate->rows, up->rows);
    LS_ASSERT_EQ(gate->cols, up->cols);
    ls_tensor *y = ls_tape_tensor(tape, gate->rows, gate->cols, gate->needs_grad || up->needs_grad);
    ls_swiglu_args args = {
        .y = y->data, .gate = gate->data, .up = up->data, .n = y->rows * y->cols};
    tape->dev->k->swiglu(tape->dev, &args);
    ls_tape_check(tape, "swiglu", y);
    if (tape->is_recording && y->needs_grad) {
        swiglu_saved *s = ls_arena_alloc(tape->arena, sizeof *s);
        *s = (swiglu_saved){.gate = gate, .up = up, .y = y};
        ls_tape_record(tape, "swiglu", swiglu_backward, s);
    }
    return y;
}
