/* GELU, alone or as the gate of a feed-forward part.  s is the factor of kernels.h, gelu(x) = x s:
 *     y = x s up        dx += dy up gelu'(x)        dup += dy x s        (no up: 1)
 * Shapes: all (N,F).   Source: arXiv:1606.08415, 2002.05202. */
#include "ops/ops.h"

typedef struct {
    ls_tensor *x, *up, *y;
    bool is_exact;
} gelu_saved;

static void gelu_backward(ls_tape *tape, void *saved)
{
    gelu_saved *s = saved;
    if (s->y->grad == NULL)
        return;
    ls_gelu_bwd_args args = {.dx = ls_tape_grad(tape, s->x),
                             .dup = s->up ? ls_tape_grad(tape, s->up) : NULL,
                             .dy = s->y->grad,
                             .x = s->x->data,
                             .up = s->up ? s->up->data : NULL,
                             .n = s->y->rows * s->y->cols,
                             .is_exact = s->is_exact};
    tape->dev->k->gelu_bwd(tape->dev, &args);
}

ls_tensor *ls_op_gelu(ls_tape *tape, ls_tensor *x, ls_tensor *up, bool is_exact)
{
    if (up) {
        LS_ASSERT_EQ(x->rows, up->rows);
        LS_ASSERT_EQ(x->cols, up->cols);
    }
    ls_tensor *y = ls_tape_tensor(tape, x->rows, x->cols, x->needs_grad || (up && up->needs_grad));
    ls_gelu_args args = {.y = y->data,
                         .x = x->data,
                         .up = up ? up->data : NULL,
                         .n = y->rows * y->cols,
                         .is_exact = is_exact};
    tape->dev->k->gelu(tape->dev, &args);
    ls_tape_check(tape, "gelu", y);
    if (tape->is_recording && y->needs_grad) {
        gelu_saved *s = ls_arena_alloc(tape->arena, sizeof *s);
        *s = (gelu_saved){.x = x, .up = up, .y = y, .is_exact = is_exact};
        ls_tape_record(tape, "gelu", gelu_backward, s);
    }
    return y;
}
