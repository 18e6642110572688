/* A matrix without bias, and its low-rank term (LoRA).
 *     y[i,o] = sum_k x[i,k] w[o,k]                          + sum_r u[i,r] b[o,r]
 *     u[i,r] = scale sum_k x[i,k] a[r,k]                    v[i,r] = scale sum_o dy[i,o] b[o,r]
 *     dx[i,k] += sum_o dy[i,o] w[o,k]                       + sum_r v[i,r] a[r,k]
 *     dw[o,k] += sum_i dy[i,o] x[i,k]
 *     da[r,k] += sum_i v[i,r] x[i,k]                        db[o,r] += sum_i dy[i,o] u[i,r]
 * Shapes: x (N,in), w (out,in), y (N,out); a (R,in), b (out,R), u, v (N,R).
 * Order: one chain over k, then over r, that goes on from it; likewise over o, then r; over i.  The
 * gradients of weights start from what is there, so a batch may be cut between any two rows.
 * Source: arXiv:2106.09685; scaled as in PEFT. */
#include "ops/ops.h"
#include "ops/weight.h"

typedef struct {
    ls_tensor *x, *y;
    ls_weight *w;
    float *u; /* (N,R); NULL: no low-rank term */
} linear_saved;

static void scale(ls_device *dev, float *x, int64_t n, float factor)
{
    ls_scale_args args = {.y = x, .x = x, .n = n, .s = factor};
    dev->k->scale(dev, &args);
}

/* From dy and u: the gradients of a and b, and what goes to x. */
static void lora_backward(ls_tape *tape, const linear_saved *s, const float *dy)
{
    const ls_lora *lora = s->w->lora;
    int64_t n = s->x->rows, R = lora->a->rows;
    if (lora->b->grad)
        ls_weight_add_grad(tape, lora->b->grad, dy, s->u, n, lora->b);
    ls_arena_mark mark = ls_arena_get_mark(tape->arena);
    float *v = ls_arena_floats(tape->arena, n * R);
    ls_weight_multiply_back(tape, v, dy, n, lora->b, false);
    scale(tape->dev, v, n * R, lora->scale);
    if (lora->a->grad)
        ls_weight_add_grad(tape, lora->a->grad, v, s->x->data, n, lora->a);
    if (s->x->needs_grad)
        ls_weight_multiply_back(tape, s->x->grad, v, n, lora->a, true);
    ls_arena_rewind(tape->arena, mark);
}

static void linear_backward(ls_tape *tape, void *saved)
{
    linear_saved *s = saved;
    if (s->y->grad == NULL)
        return;
    int64_t n = s->x->rows;
    const float *dy = s->y->grad;
    if (s->w->grad)
        ls_weight_add_grad(tape, s->w->grad, dy, s->x->data, n, s->w);
    if (s->x->needs_grad) {
        bool is_new;
        float *dx = ls_tape_grad_undefined(tape, s->x, &is_new);
        ls_weight_multiply_back(tape, dx, dy, n, s->w, !is_new);
    }
    if (s->u)
        lora_backward(tape, s, dy);
}

/* Adds the low-rank term to y; u is left in the pass arena when the backward needs it. */
static float *add_lora(ls_tape *tape, ls_tensor *y, const ls_tensor *x, const ls_lora *lora)
{
    bool is_kept = tape->is_recording && y->needs_grad;
    ls_arena_mark mark = ls_arena_get_mark(tape->arena);
    float *u = ls_arena_floats(tape->arena, x->rows * lora->a->rows);
    ls_weight_multiply(tape, u, x->data, x->rows, lora->a, false);
    scale(tape->dev, u, x->rows * lora->a->rows, lora->scale);
    ls_weight_multiply(tape, y->data, u, x->rows, lora->b, true);
    if (!is_kept)
        ls_arena_rewind(tape->arena, mark);
    return is_kept ? u : NULL;
}

ls_tensor *ls_op_linear(ls_tape *tape, ls_tensor *x, ls_weight *w)
{
    LS_ASSERT_EQ(w->cols, x->cols);
    const ls_lora *lora = tape->skips_lora ? NULL : w->lora;
    bool needs_grad = x->needs_grad || w->grad || (lora && (lora->a->grad || lora->b->grad));
    ls_tensor *y = ls_tape_tensor(tape, x->rows, w->rows, needs_grad);
    ls_weight_multiply(tape, y->data, x->data, x->rows, w, false);
    float *u = lora ? add_lora(tape, y, x, lora) : NULL;
    ls_tape_check(tape, "linear", y);
    if (tape->is_recording && y->needs_grad) {
        linear_saved *s = ls_arena_alloc(tape->arena, sizeof *s);
        *s = (linear_saved){.x = x, .y = y, .w = w, .u = u};
        ls_tape_record(tape, "linear", linear_backward, s);
    }
    return y;
}
