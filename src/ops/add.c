/* Residual addition:  y = a + b,  da = db = dy.
 *
 * No gradient is copied: a and b take y's buffer.  That is right because of the order of the walk.
 * b's own op (and the bias that it may carry) was recorded last before y, so it is walked next and
 * reads the buffer as db while it still holds dy alone; b has no other user.  Ops that used a were
 * recorded before b's and are walked after it: they add to the buffer as da, when nobody reads it
 * as db any more.  So the residual stream of a whole model has one gradient buffer.  Inside
 * ls_op_block the order is the same. */
#include "ops/ops.h"

typedef struct {
    ls_tensor *a, *b, *y;
} add_saved;

static void hand_on(ls_tensor *to, float *grad)
{
    if (!to->needs_grad)
        return;
    LS_ASSERT(to->grad == NULL); /* used after y, against the rule */
    to->grad = grad;
}

static void add_backward(ls_tape *tape, void *saved)
{
    (void)tape;
    add_saved *s = saved;
    if (s->y->grad == NULL)
        return;
    hand_on(s->a, s->y->grad);
    hand_on(s->b, s->y->grad);
}

ls_tensor *ls_op_add(ls_tape *tape, ls_tensor *a, ls_tensor *b)
{
    LS_ASSERT(a != b);
    LS_ASSERT_EQ(a->rows, b->rows);
    LS_ASSERT_EQ(a->cols, b->cols);
    ls_tensor *y = ls_tape_tensor(tape, a->rows, a->cols, a->needs_grad || b->needs_grad);
    tape->dev->k->add(tape->dev, y->data, a->data, b->data, a->rows * a->cols);
    ls_tape_check(tape, "add", y);
    if (tape->is_recording && y->needs_grad) {
        add_saved *s = ls_arena_alloc(tape->arena, sizeof *s);
        *s = (add_saved){.a = a, .b = b, .y = y};
        ls_tape_record(tape, "add", add_backward, s);
    }
    return y;
}
