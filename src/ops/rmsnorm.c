/* RMSNorm.
 *     r[i] = 1 / sqrt(mean_j x[i,j]^2 + eps)                y[i,j] = x[i,j] r[i] w[j]
 *     t[i] = sum_j dy[i,j] w[j] x[i,j]
 *     dx[i,j] += r[i] (dy[i,j] w[j] - x[i,j] r[i]^2 t[i] / C)        dw[j] += sum_i dy[i,j] x[i,j]
 *       r[i], rows in order
 * A row of P*C elements is P rows of C (norms of heads).  With adds_one 1 + w stands for w.
 * Shapes: x, y (N,C), w (C), r (N).
 * Source: arXiv:1910.07467; the backward is derived by hand and checked by tests/ops. */
#include "ops/ops.h"

typedef struct {
    ls_tensor *x, *y;
    ls_weight *w;
    float *rstd; /* (N) */
} rmsnorm_saved;

static void rmsnorm_backward(ls_tape *tape, void *saved)
{
    rmsnorm_saved *s = saved;
    if (s->y->grad == NULL)
        return;
    ls_rmsnorm_bwd_args args = {.dx = s->x->needs_grad ? ls_tape_grad(tape, s->x) : NULL,
                                .dw = s->w->grad,
                                .dy = s->y->grad,
                                .x = s->x->data,
                                .w = s->w->data,
                                .rstd = s->rstd,
                                .N = s->x->rows * (s->x->cols / s->w->cols),
                                .C = s->w->cols,
                                .adds_one = s->w->adds_one};
    tape->dev->k->rmsnorm_bwd(tape->dev, &args);
}

ls_tensor *ls_op_rmsnorm(ls_tape *tape, ls_tensor *x, ls_weight *w, float eps)
{
    LS_ASSERT_EQ(x->cols % w->cols, 0);
    int64_t n = x->rows * (x->cols / w->cols);
    ls_tensor *y = ls_tape_tensor(tape, x->rows, x->cols, x->needs_grad || w->grad);
    float *rstd = ls_arena_floats(tape->arena, n);
    ls_rmsnorm_args args = {.y = y->data,
                            .rstd = rstd,
                            .x = x->data,
                            .w = w->data,
                            .N = n,
                            .C = w->cols,
                            .eps = eps,
                            .adds_one = w->adds_one};
    tape->dev->k->rmsnorm(tape->dev, &args);
    ls_tape_check(tape, "rmsnorm", y);
    if (tape->is_recording && y->needs_grad) {
        rmsnorm_saved *s = ls_arena_alloc(tape->arena, sizeof *s);
        *s = (rmsnorm_saved){.x = x, .y = y, .w = w, .rstd = rstd};
        ls_tape_record(tape, "rmsnorm", rmsnorm_backward, s);
    }
    return y;
}
