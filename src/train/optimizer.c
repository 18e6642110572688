/* AdamW over a model's weights: norm, checks, clipping, the step, and how far the weights moved.
 *
 * Every weight is walked in blocks that stay in the cache: copied aside, updated, compared.  Sums
 * are doubles over chunks of fixed length, added in the order of the weights, so no figure depends
 * on the number of threads. */
#include "train/optimizer.h"

#include <math.h>

/* Floats of a block: a few arrays of this length fit in a second-level cache.  A multiple of the
 * chunk of sum_squares. */
#define BLOCK_FLOATS ((int64_t)65536)
#define CHUNK_FLOATS ((int64_t)4096)
#define MOST_CHUNKS (BLOCK_FLOATS / CHUNK_FLOATS)
#define N_LANES 8
/* A clipped norm above this could overflow the second moment, whose float then stays infinite and
 * freezes its weight. */
#define MOST_NORM 1e18
/* Keeps the clip factor finite, and is PyTorch's. */
#define CLIP_EPSILON 1e-6

typedef struct { /* one chunk's sum of (after - before)^2 each */
    double sums[MOST_CHUNKS];
    const float *before, *after;
    int64_t n;
} change_job;

void ls_optimizer_init(ls_optimizer *optimizer, const ls_model *model, ls_arena *arena,
                       const ls_optimizer_options *options)
{
    size_t bytes = ls_mul_size((size_t)model->n_trained_params, sizeof(float));
    *optimizer = (ls_optimizer){.m = ls_arena_zalloc(arena, bytes),
                                .v = ls_arena_zalloc(arena, bytes),
                                .before = ls_arena_floats(arena, BLOCK_FLOATS),
                                .options = *options};
}

static void change_chunks(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    change_job *job = context;
    for (int64_t c = begin; c < end; c++) {
        int64_t first = c * CHUNK_FLOATS;
        int64_t n = job->n - first < CHUNK_FLOATS ? job->n - first : CHUNK_FLOATS;
        const float *after = job->after + first, *before = job->before + first;
        double lanes[N_LANES] = {0};
        int64_t i = 0;
        for (; i + N_LANES <= n; i += N_LANES)
            for (int l = 0; l < N_LANES; l++) {
                double d = (double)after[i + l] - (double)before[i + l];
                lanes[l] += d * d;
            }
        for (; i < n; i++) {
            double d = (double)after[i] - (double)before[i];
            lanes[i % N_LANES] += d * d;
        }
        double sum = 0;
        for (int l = 0; l < N_LANES; l++)
            sum += lanes[l];
        job->sums[c] = sum;
    }
}

/* Sum of (after - before)^2 over a block. */
static double sum_change(const ls_device *dev, const float *after, const float *before, int64_t n)
{
    change_job job = {.before = before, .after = after, .n = n};
    int64_t n_chunks = (n + CHUNK_FLOATS - 1) / CHUNK_FLOATS;
    ls_parallel_for(n_chunks > 1 ? dev->pool : NULL, n_chunks, 1, change_chunks, &job);
    double sum = 0;
    for (int64_t c = 0; c < n_chunks; c++)
        sum += job.sums[c];
    return sum;
}

static leash_status fail_bad_gradient(const ls_weight *w, const float *g, int64_t n_bad)
{
    int64_t i = 0;
    while (isfinite(g[i]))
        i++;
    return ls_fail(
        LEASH_NUMERIC,
        "gradient of %s is not finite (%lld of %lld values, the first is %g at row %lld, "
        "column %lld); the weights were not changed: lower learning_rate, and look "
        "for a reward or an advantage that is out of range",
        w->name, (long long)n_bad, (long long)(w->rows * w->cols),
        isnan(g[i]) ? (double)NAN : (double)g[i] /* without a sign */, (long long)(i / w->cols),
        (long long)(i % w->cols));
}

/* The global norm of the folded gradients, and the factor that clips them. */
static leash_status measure_gradients(double *norm, float *scale, const ls_optimizer *optimizer,
                                      const ls_model *model)
{
    ls_device *dev = model->dev;
    double sum = 0;
    for (int64_t i = 0; i < model->n_trained; i++) {
        const ls_weight *w = &model->trained[i];
        const float *g = model->grads[0] + w->offset;
        int64_t n_bad;
        sum += dev->k->sum_squares(dev, g, w->rows * w->cols, &n_bad);
        if (n_bad > 0)
            return fail_bad_gradient(w, g, n_bad);
    }
    *norm = sqrt(sum);
    double limit = optimizer->options.max_grad_norm, factor = limit / (*norm + CLIP_EPSILON);
    *scale = limit > 0 && factor < 1 ? (float)factor : 1.0f;
    if (*norm * (double)*scale > MOST_NORM)
        return ls_fail(LEASH_NUMERIC,
                       "gradients are too large (norm %g) for the optimizer's second moment; the "
                       "weights were not changed: set max_grad_norm",
                       *norm);
    return LEASH_OK;
}

/* Everything that is the same for all weights of an update. */
static ls_adamw_args common_args(const ls_optimizer *optimizer, double learning_rate, float scale)
{
    const ls_optimizer_options *o = &optimizer->options;
    double t = (double)(optimizer->updates + 1);
    /* The kernel's betas are floats: corrected with the same values, the first update is exactly lr
     * times the gradient's sign. */
    float beta1 = (float)o->adam_beta1, beta2 = (float)o->adam_beta2;
    return (ls_adamw_args){.lr = (float)learning_rate,
                           .beta1 = beta1,
                           .beta2 = beta2,
                           .eps = (float)o->adam_epsilon,
                           .bias1 = (float)(1 - pow((double)beta1, t)),
                           .sqrt_bias2 = (float)sqrt(1 - pow((double)beta2, t)),
                           .grad_scale = scale};
}

/* Updates one weight block by block; adds the squares of its change and of its new values. */
static leash_status update_weight(ls_optimizer *optimizer, ls_model *model, const ls_weight *w,
                                  ls_adamw_args *args, double *change, double *param)
{
    ls_device *dev = model->dev;
    int64_t n = w->rows * w->cols, n_bad_all = 0;
    args->weight_decay = w->is_decayed ? (float)optimizer->options.weight_decay : 0.0f;
    for (int64_t first = 0; first < n; first += BLOCK_FLOATS) {
        int64_t at = w->offset + first, n_bad;
        args->n = n - first < BLOCK_FLOATS ? n - first : BLOCK_FLOATS;
        args->w = model->trained_data + at;
        args->g = model->grads[0] + at;
        args->m = optimizer->m + at;
        args->v = optimizer->v + at;
        dev->k->copy(dev, optimizer->before, args->w, args->n);
        dev->k->adamw(dev, args);
        *param += dev->k->sum_squares(dev, args->w, args->n, &n_bad);
        *change += sum_change(dev, args->w, optimizer->before, args->n);
        n_bad_all += n_bad;
    }
    if (n_bad_all == 0)
        return LEASH_OK;
    return ls_fail(LEASH_NUMERIC,
                   "weight %s is not finite (%lld of %lld values) after update %lld with learning "
                   "rate %g: lower learning_rate and continue from the last checkpoint",
                   w->name, (long long)n_bad_all, (long long)n, (long long)optimizer->updates + 1,
                   (double)args->lr);
}

leash_status ls_optimizer_update(ls_optimizer *optimizer, ls_model *model, double learning_rate,
                                 ls_update_report *report)
{
    LS_ASSERT(model->n_leaves >= 1 && !model->dev->k->is_null);
    float scale = 1.0f;
    double change = 0, param = 0;
    LS_TRY(measure_gradients(&report->grad_norm, &scale, optimizer, model));
    ls_adamw_args args = common_args(optimizer, learning_rate, scale);
    for (int64_t i = 0; i < model->n_trained; i++)
        LS_TRY(update_weight(optimizer, model, &model->trained[i], &args, &change, &param));
    report->change_norm = sqrt(change);
    report->param_norm = sqrt(param);
    optimizer->updates++;
    ls_model_pack(model);
    return LEASH_OK;
}
