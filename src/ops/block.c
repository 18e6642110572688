/* One layer as an op, so that the memory of a pass is the residual stream plus one layer's
 * temporaries.
 *
 * The gradient of x is y's own buffer handed through the layer's additions (add.c), which lies
 * below the mark; where a body makes a new buffer for it instead, the layer's memory is kept until
 * the pass ends.  Bodies do not contain blocks. */
#include <string.h>
#include "ops/ops.h"

typedef struct {
    ls_tensor *x, *y;
    ls_block_fn *body; /* called again in the backward; NULL: the records below are kept */
    void *context;
    ls_record *last; /* of the body; they end at the record before the block's own */
} block_saved;

static void block_backward(ls_tape *tape, void *saved)
{
    block_saved *s = saved;
    if (s->y->grad == NULL)
        return;
    ls_arena_mark mark = ls_arena_get_mark(tape->arena);
    ls_record *until = tape->last;
    if (s->body) {
        ls_tensor *y = s->body(tape, s->x, s->context);
        y->grad = s->y->grad;
    } else {
        tape->last = s->last;
    }
    ls_tape_backward(tape, until);
    bool is_new_grad = (unsigned char *)s->x->grad >= tape->arena->base + mark;
    if (!is_new_grad)
        ls_arena_rewind(tape->arena, mark);
}

/* Runs the body without records, moves its output into y and gives its memory back. */
static void run_and_forget(ls_tape *tape, ls_tensor *y, ls_tensor *x, ls_block_fn *body,
                           void *context)
{
    ls_arena_mark mark = ls_arena_get_mark(tape->arena);
    bool was_recording = tape->is_recording;
    tape->is_recording = false;
    ls_tensor *inner = body(tape, x, context);
    tape->is_recording = was_recording;
    LS_ASSERT_EQ(inner->rows, y->rows);
    LS_ASSERT_EQ(inner->cols, y->cols);
    tape->dev->k->copy(tape->dev, y->data, inner->data, y->rows * y->cols);
    y->needs_grad = inner->needs_grad;
    ls_arena_rewind(tape->arena, mark);
}

ls_tensor *ls_op_block(ls_tape *tape, ls_tensor *x, ls_block_fn *body, void *context,
                       size_t context_bytes)
{
    if (!tape->is_recording) {
        run_and_forget(tape, x, x, body, context);
        return x;
    }
    block_saved *s = ls_arena_alloc(tape->arena, sizeof *s);
    *s = (block_saved){.x = x};
    ls_record *before = tape->last;
    if (tape->recomputes_blocks) {
        s->body = body;
        s->context = ls_arena_alloc(tape->arena, context_bytes);
        memcpy(s->context, context, context_bytes);
        s->y = ls_tape_tensor(tape, x->rows, x->cols, false);
        run_and_forget(tape, s->y, x, body, context);
    } else {
        s->y = body(tape, x, context);
        s->last = tape->last;
        tape->last = before;
    }
    if (s->y->needs_grad)
        ls_tape_record(tape, "block", block_backward, s);
    return s->y;
}
