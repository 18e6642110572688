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

void ls_model_init_weights(ls_model *model, uint64_t seed)
{
    if (model->dev->k->is_null)
        return;
    for (int64_t i = 0; i < model->n_weights; i++) {
        ls_weight *w = &model->weights[i];
        int64_t n = w->rows * w->cols;
        if (w->init_std == 0.0f) {
            for (int64_t j = 0; j < n; j++)
                w->data[j] = 1.0f;
            continue;
        }
        fill_work work = {.data = w->data,
                          .n = n,
                          .std = w->init_std,
                          .name = {.seed = seed, .purpose = LS_RNG_INIT, .prompt = (uint32_t)i}};
        ls_parallel_for(model->dev->pool, (n + 1) / 2, 1024, fill_pairs, &work);
    }
}
