/* Records of a pass and the walk back over them.  The ops know their formulas, this file knows only
 * their order. */
#include "ops/tape.h"

#include <math.h>

void ls_tape_init(ls_tape *tape, ls_device *dev, ls_arena *arena, bool is_recording)
{
    *tape = (ls_tape){.dev = dev, .arena = arena, .is_recording = is_recording, .layer = -1};
}

ls_tensor *ls_tape_tensor(ls_tape *tape, int64_t rows, int64_t cols, bool needs_grad)
{
    ls_tensor *t = ls_arena_alloc(tape->arena, sizeof *t);
    *t = (ls_tensor){.rows = rows, .cols = cols, .needs_grad = needs_grad};
    t->data = ls_arena_floats(tape->arena, rows * cols);
    return t;
}

float *ls_tape_grad_undefined(ls_tape *tape, ls_tensor *t, bool *is_new)
{
    *is_new = t->grad == NULL;
    if (*is_new)
        t->grad = ls_arena_floats(tape->arena, t->rows * t->cols);
    return t->grad;
}

float *ls_tape_grad(ls_tape *tape, ls_tensor *t)
{
    bool is_new;
    float *grad = ls_tape_grad_undefined(tape, t, &is_new);
    if (is_new)
        tape->dev->k->zero(tape->dev, grad, t->rows * t->cols);
    return grad;
}

void ls_tape_record(ls_tape *tape, const char *op, ls_backward_fn *backward, void *saved)
{
    LS_ASSERT(tape->is_recording);
    ls_record *record = ls_arena_alloc(tape->arena, sizeof *record);
    *record = (ls_record){.backward = backward,
                          .saved = saved,
                          .op = op,
                          .layer = tape->layer,
                          .previous = tape->last};
    tape->last = record;
}

void ls_tape_check(ls_tape *tape, const char *op, const ls_tensor *t)
{
    if (!tape->checks_finite || tape->bad.op || tape->dev->k->is_null)
        return;
    for (int64_t i = 0; i < t->rows * t->cols; i++) {
        if (isfinite(t->data[i]))
            continue;
        tape->bad.op = op;
        tape->bad.layer = tape->layer;
        tape->bad.row = i / t->cols;
        tape->bad.column = i % t->cols;
        tape->bad.value = t->data[i];
        return;
    }
}

void ls_tape_backward(ls_tape *tape, ls_record *until)
{
    int32_t layer = tape->layer;
    while (tape->last != until) {
        ls_record *record = tape->last;
        LS_ASSERT(record);
        tape->last = record->previous;
        tape->layer = record->layer;
        record->backward(tape, record->saved);
    }
    tape->layer = layer;
}
