/* The scalar head: one number for each chosen row, of one label or as the difference of two.
 *
 *     value[i] = hidden[rows[i]] . w + b                              one label
 *     value[i] = hidden[rows[i]] . (w[1] - w[0]) + b[1] - b[0]        two: log-odds of the second
 *     dhidden[rows[i]] += dvalue[i] * direction                       direction = w, or w[1] - w[0]
 *     dw[last] += sum_i dvalue[i] hidden[rows[i]],  dw[0] -= the same of two;  db as dw
 *
 * Shapes: hidden (N,C), w (labels,C), b (labels) or none.  Order: a value is one sum in double over
 * C in order; a row of dhidden is its own; dw and db are one chain over the rows in order, across
 * calls.  So no bit depends on what else is scored or where the rows are cut.  Rows with dvalue 0
 * are left out. */
#include <math.h>
#include "ops/ops.h"

typedef struct value_work {
    const ls_value_job *job;
    const float *dvalue;
    float *dhidden;
} value_work;

static float direction_at(const ls_weight *w, int64_t c)
{
    return w->rows == 2 ? w->data[w->cols + c] - w->data[c] : w->data[c];
}

static void value_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const ls_value_job *job = ((const value_work *)context)->job;
    const ls_weight *w = job->weight, *b = job->bias;
    double shift = b ? (double)b->data[w->rows - 1] : 0;
    if (b && w->rows == 2)
        shift -= (double)b->data[0];
    for (int64_t i = begin; i < end; i++) {
        const float *x = job->hidden->data + job->rows[i] * w->cols;
        double sum = 0;
        for (int64_t c = 0; c < w->cols; c++)
            sum += (double)x[c] * (double)direction_at(w, c);
        job->value[i] = (float)(sum + shift);
    }
}

void ls_op_value(ls_tape *tape, const ls_value_job *job)
{
    const ls_weight *w = job->weight;
    LS_ASSERT_EQ(w->cols, job->hidden->cols);
    LS_ASSERT(w->rows == 1 || w->rows == 2);
    tape->dev->counters.flops += 2.0 * (double)(job->n * w->cols);
    if (tape->dev->k->is_null)
        return;
    value_work work = {.job = job};
    ls_parallel_for(tape->dev->pool, job->n, 16, value_rows, &work);
}

static void backward_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const value_work *k = context;
    const ls_weight *w = k->job->weight;
    for (int64_t i = begin; i < end; i++) {
        float *dx = k->dhidden + k->job->rows[i] * w->cols, d = k->dvalue[i];
        for (int64_t c = 0; d != 0.0f && c < w->cols; c++)
            dx[c] = fmaf(d, direction_at(w, c), dx[c]);
    }
}

static void backward_columns(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const value_work *k = context;
    const ls_value_job *job = k->job;
    const ls_weight *w = job->weight;
    float *last = w->grad + (w->rows - 1) * w->cols;
    for (int64_t i = 0; i < job->n; i++) {
        const float *x = job->hidden->data + job->rows[i] * w->cols;
        float d = k->dvalue[i];
        if (d == 0.0f)
            continue;
        for (int64_t c = begin; c < end; c++)
            last[c] = fmaf(d, x[c], last[c]);
        for (int64_t c = begin; w->rows == 2 && c < end; c++)
            w->grad[c] = fmaf(-d, x[c], w->grad[c]);
    }
}

void ls_op_value_backward(ls_tape *tape, const ls_value_job *job, const float *dvalue)
{
    const ls_weight *w = job->weight, *b = job->bias;
    value_work work = {.job = job, .dvalue = dvalue};
    if (job->hidden->needs_grad)
        work.dhidden = ls_tape_grad(tape, job->hidden);
    tape->dev->counters.flops += 4.0 * (double)(job->n * w->cols);
    if (tape->dev->k->is_null)
        return;
    if (work.dhidden)
        ls_parallel_for(tape->dev->pool, job->n, 16, backward_rows, &work);
    if (w->grad)
        ls_parallel_for(tape->dev->pool, w->cols, 64, backward_columns, &work);
    for (int64_t i = 0; b && b->grad && i < job->n; i++) {
        b->grad[w->rows - 1] += dvalue[i];
        if (w->rows == 2)
            b->grad[0] -= dvalue[i];
    }
}
