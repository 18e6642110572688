/* Initial weights.  A value depends on the seed, the weight's place in the table and the element
 * alone, so it is the same at any thread count and for any other shape of the other weights. */
#include "base/rng.h"
#include "model/model.h"

typedef struct {
    float *data;
    int64_t n;
    float std;
    ls_rng_name name;
} fill_work;

static void fill_pairs(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const fill_work *w = context;
    for (int64_t pair = begin; pair < end; pair++) {
        ls_rng_name name = w->name;
        name.position = (uint32_t)pair;
        float normal[2];
        ls_rng_normal2(normal, &name);
        for (int64_t j = 0; j < 2 && 2 * pair + j < w->n; j++)
            w->data[2 * pair + j] = w->std * normal[j];
    }
}

static void fill_weight(ls_device *dev, float *data, const ls_weight *w, ls_rng_name name)
{
    int64_t n = w->rows * w->cols;
    if (w->init_std == 0.0f) {
        for (int64_t j = 0; j < n; j++)
            data[j] = w->init_fill;
        return;
    }
    fill_work work = {.data = data, .n = n, .std = w->init_std, .name = name};
    ls_parallel_for(dev->pool, (n + 1) / 2, 1024, fill_pairs, &work);
}

static void init_weight(ls_model *model, int64_t i, uint64_t seed)
{
    ls_weight *w = &model->weights[i];
    ls_rng_name name = {.seed = seed, .purpose = LS_RNG_INIT, .prompt = (uint32_t)i};
    if (model->data) {
        fill_weight(model->dev, w->data, w, name);
        return;
    }
    float *data = ls_malloc(ls_mul_size((size_t)w->rows, (size_t)w->cols * sizeof *data));
    fill_weight(model->dev, data, w, name);
    ls_model_put_weight(model, w, ls_quant_find("F32"), data);
    ls_free(data);
}

void ls_model_init_weights(ls_model *model, uint64_t seed)
{
    for (int64_t i = 0; !model->dev->k->is_null && i < model->n_weights; i++)
        init_weight(model, i, seed);
}

void ls_model_init_score(ls_model *model, uint64_t seed)
{
    for (int64_t i = 0; !model->dev->k->is_null && i < model->n_weights; i++)
        if (&model->weights[i] == model->score || &model->weights[i] == model->score_bias)
            init_weight(model, i, seed);
}
