/* A matrix without bias.
 *     y[i,o] = sum_k x[i,k] w[o,k]        dx[i,k] += sum_o dy[i,o] w[o,k]        dw[o,k] += sum_i
 *                                         dy[i,o] x[i,k]
 * Shapes: x (N,in), w (out,in), y (N,out).
 * Order: one chain over k, o and i; dw starts from what is there, so a batch may be cut between any
 * two rows. */
#include "ops/ops.h"

typedef struct {
    ls_tensor *x, *y;
    ls_weight *w;
} linear_saved;

static void linear_backward(ls_tape *tape, void *saved)
{
    linear_saved *s = saved;
    if (s->y->grad == NULL)
        return;
    int64_t n = s->x->rows, in = s->w->cols, out = s->w->rows;
    if (s->w->grad) {
        ls_gemm_args dw = {.c = s->w->grad,
                           .a = s->y->grad,
                           .b = s->x->data,
                           .M = out,
                           .N = in,
                           .K = n,
                           .a_row = 1,
                           .a_k = out,
                           .ldb = in,
                           .ldc = in,
                           .accumulate = true};
        tape->dev->k->gemm(tape->dev, &dw);
    }
    if (s->x->needs_grad) {
        bool is_new;
        float *grad = ls_tape_grad_undefined(tape, s->x, &is_new);
        ls_gemm_args dx = {.c = grad,
                           .a = s->y->grad,
                           .b = s->w->data,
                           .M = n,
                           .N = in,
                           .K = out,
                           .a_row = out,
                           .a_k = 1,
                           .ldb = in,
                           .ldc = in,
                           .accumulate = !is_new};
        tape->dev->k->gemm(tape->dev, &dx);
    }
}

ls_tensor *ls_op_linear(ls_tape *tape, ls_tensor *x, ls_weight *w)
{
    LS_ASSERT_EQ(w->cols, x->cols);
    LS_ASSERT(w->packed);
    ls_tensor *y = ls_tape_tensor(tape, x->rows, w->rows, x->needs_grad || w->grad);
    ls_gemm_args args = {.c = y->data,
                         .a = x->data,
                         .b = w->packed,
                         .M = x->rows,
                         .N = w->rows,
                         .K = x->cols,
                         .a_row = x->cols,
                         .a_k = 1,
                         .ldc = w->rows,
                         .b_packed = true};
    tape->dev->k->gemm(tape->dev, &args);
    ls_tape_check(tape, "linear", y);
    if (tape->is_recording && y->needs_grad) {
        linear_saved *s = ls_arena_alloc(tape->arena, sizeof *s);
        *s = (linear_saved){.x = x, .y = y, .w = w};
        ls_tape_record(tape, "linear", linear_backward, s);
    }
    return y;
}
