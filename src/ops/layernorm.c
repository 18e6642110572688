/* LayerNorm.
 *     n[i,j] = (x[i,j] - mean[i]) r[i],  r[i] = 1 / sqrt(var[i] + eps)        y = n w + b
 *     g = dy w;   dx += r (g - mean_j(g) - n mean_j(g n));   dw += sum_i dy n;   db += sum_i dy
 * Shapes: x, y (N,C), w, b (C), mean, r (N).  Order: rows in order for dw and db.
 * Source: arXiv:1607.06450; the backward is derived by hand and checked by tests/ops. */
#include "ops/ops.h"

typedef struct {
    ls_tensor *x, *y;
    ls_weight *w, *b;
    float *mean, *rstd; /* (N) */
} layernorm_saved;

static void layernorm_backward(ls_tape *tape, void *saved)
{
    layernorm_saved *s = saved;
    if (s->y->grad == NULL)
        return;
    ls_layernorm_bwd_args args = {.dx = s->x->needs_grad ? ls_tape_grad(tape, s->x) : NULL,
                                  .dw = s->w->grad,
                                  .db = s->b->grad,
                                  .dy = s->y->grad,
                                  .x = s->x->data,
                                  .w = s->w->data,
                                  .mean = s->mean,
                                  .rstd = s->rstd,
                                  .N = s->x->rows,
                                  .C = s->x->cols};
    tape->dev->k->layernorm_bwd(tape->dev, &args);
}

ls_tensor *ls_op_layernorm(ls_tape *tape, ls_tensor *x, ls_weight *w, ls_weight *b, float eps)
{
    LS_ASSERT_EQ(w->cols, x->cols);
    LS_ASSERT_EQ(b->cols, x->cols);
    ls_tensor *y = ls_tape_tensor(tape, x->rows, x->cols, x->needs_grad || w->grad || b->grad);
    float *mean = ls_arena_floats(tape->arena, x->rows);
    float *rstd = ls_arena_floats(tape->arena, x->rows);
    ls_layernorm_args args = {.y = y->data,
                              .mean = mean,
                              .rstd = rstd,
                              .x = x->data,
                              .w = w->data,
                              .b = b->data,
                              .N = x->rows,
                              .C = x->cols,
                              .eps = eps};
    tape->dev->k->layernorm(tape->dev, &args);
    ls_tape_check(tape, "layernorm", y);
    if (tape->is_recording && y->needs_grad) {
        layernorm_saved *s = ls_arena_alloc(tape->arena, sizeof *s);
        *s = (layernorm_saved){.x = x, .y = y, .w = w, .b = b, .mean = mean, .rstd = rstd};
        ls_tape_record(tape, "layernorm", layernorm_backward, s);
    }
    return y;
}
