/* The matrices of an adapter: made, initialised, merged.  Which modules have one is decided in
 * lora_choose.c. */
#include "model/lora.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/rng.h"
#include "ops/weight.h"

/* Rows of W that a merge forms at a time. */
#define MERGE_ROWS 64

/* "model.layers.0.self_attn.q_proj.weight" -> "base_model.model.model....q_proj.lora_A.weight" */
static leash_status name_matrix(ls_weight *out, const ls_weight *base, char which)
{
    size_t n = strlen(base->name) - strlen(".weight");
    int length = snprintf(out->name, sizeof out->name, "base_model.model.%.*s.lora_%c.weight",
                          (int)n, base->name, which);
    if (length < 0 || (size_t)length >= sizeof out->name)
        return ls_fail(LEASH_UNSUPPORTED, "%s: the name is too long for an adapter's", base->name);
    return LEASH_OK;
}

static leash_status add_matrix(ls_weight **out, ls_adapter *adapter, const ls_weight *base,
                               char which, int64_t rows, int64_t cols)
{
    ls_weight *w = &adapter->weights[adapter->n_weights++];
    *w = (ls_weight){.rows = rows, .cols = cols, .offset = adapter->n_params, .is_decayed = true};
    adapter->n_params += rows * cols;
    *out = w;
    return name_matrix(w, base, which);
}

static leash_status add_pair(ls_adapter *adapter, const ls_lora_choice *choice, bool use_rslora)
{
    const ls_weight *base = choice->weight;
    int64_t i = adapter->n_weights / 2;
    ls_lora *pair = &adapter->pairs[i];
    adapter->bases[i] = choice->weight;
    double rank = (double)choice->r;
    pair->scale = (float)(choice->alpha / (use_rslora ? sqrt(rank) : rank));
    LS_TRY(add_matrix(&pair->a, adapter, base, 'A', choice->r, base->cols));
    return add_matrix(&pair->b, adapter, base, 'B', base->rows, choice->r);
}

static void take_buffers(ls_model *model, ls_adapter *adapter, bool is_trained)
{
    adapter->data = ls_arena_floats(model->arena, adapter->n_params);
    for (int64_t i = 0; i < adapter->n_weights; i++) {
        ls_weight *w = &adapter->weights[i];
        w->data = adapter->data + w->offset;
        w->packed = ls_arena_alloc(model->arena, model->dev->k->pack_bytes(w->rows, w->cols));
        w->is_trainable = is_trained;
    }
}

static leash_status attach(ls_model *model, const ls_lora_choice *choices, int64_t n,
                           const ls_lora_spec *spec, int64_t n_leaves)
{
    ls_adapter *adapter = ls_arena_alloc(model->arena, sizeof *adapter);
    *adapter = (ls_adapter){.spec = spec, .base_model = ""};
    size_t count = (size_t)n;
    adapter->weights = ls_arena_alloc(model->arena, 2 * count * sizeof *adapter->weights);
    adapter->pairs = ls_arena_alloc(model->arena, count * sizeof *adapter->pairs);
    adapter->bases = ls_arena_alloc(model->arena, count * sizeof(ls_weight *));
    for (int64_t i = 0; i < n; i++)
        LS_TRY(add_pair(adapter, &choices[i], spec->use_rslora));
    take_buffers(model, adapter, n_leaves > 0);
    for (int64_t i = 0; i < n; i++)
        adapter->bases[i]->lora = &adapter->pairs[i];
    model->adapter = adapter;
    if (n_leaves == 0)
        return LEASH_OK;
    model->trained = adapter->weights;
    model->n_trained = adapter->n_weights;
    model->n_trained_params = adapter->n_params;
    model->trained_data = adapter->data;
    ls_model_take_grads(model, n_leaves);
    return LEASH_OK;
}

leash_status ls_lora_attach(ls_model *model, const ls_lora_spec *spec, const char *where,
                            int64_t n_leaves)
{
    LS_ASSERT(!model->adapter && model->use != LS_MODEL_TRAINED);
    ls_lora_choice *choices;
    int64_t n;
    LS_TRY(ls_lora_choose(&choices, &n, model, spec, where));
    leash_status status = attach(model, choices, n, spec, n_leaves);
    ls_free(choices);
    return status;
}

/* U(-1/sqrt(in), 1/sqrt(in)), four values a name. */
static void init_a(const ls_weight *a, uint64_t seed, uint32_t pair)
{
    float bound = (float)(1.0 / sqrt((double)a->cols));
    int64_t n = a->rows * a->cols;
    for (int64_t i = 0; i < n; i += 4) {
        ls_rng_name name = {
            .seed = seed, .purpose = LS_RNG_LORA, .prompt = pair, .position = (uint32_t)(i / 4)};
        uint32_t words[4];
        ls_rng_words(words, &name);
        for (int64_t j = 0; j < 4 && i + j < n; j++)
            a->data[i + j] = ((float)(words[j] >> 8) * 0x1p-23f - 1.0f) * bound;
    }
}

void ls_lora_init_weights(ls_model *model, uint64_t seed)
{
    if (model->dev->k->is_null)
        return;
    const ls_adapter *adapter = model->adapter;
    for (int64_t i = 0; i < adapter->n_weights / 2; i++) {
        const ls_weight *b = adapter->pairs[i].b;
        init_a(adapter->pairs[i].a, seed, (uint32_t)i);
        model->dev->k->zero(model->dev, b->data, b->rows * b->cols);
    }
}

ls_model *ls_lora_underneath(const ls_model *model)
{
    ls_model *view = ls_arena_alloc(model->arena, sizeof *view);
    *view = *model;
    view->skips_adapter = true;
    if (model->head == &model->tied_head)
        view->head = &view->tied_head;
    return view;
}

/* Rows of W: the chain over r from zero, then one multiplication and one addition. */
static void merge_rows(ls_device *dev, const ls_weight *w, int64_t first, int64_t n, float *delta)
{
    const ls_lora *pair = w->lora;
    ls_gemm_args args = {.c = delta,
                         .a = pair->b->data + first * pair->b->cols,
                         .b = pair->a->data,
                         .M = n,
                         .N = w->cols,
                         .K = pair->b->cols,
                         .a_row = pair->b->cols,
                         .a_k = 1,
                         .ldb = w->cols,
                         .ldc = w->cols};
    dev->k->gemm(dev, &args);
    float *row = w->data + first * w->cols;
    for (int64_t i = 0; i < n * w->cols; i++)
        row[i] = fmaf(pair->scale, delta[i], row[i]);
}

void ls_lora_merge(ls_model *model)
{
    LS_ASSERT(model->adapter && model->use == LS_MODEL_FROZEN && !model->dev->k->is_null);
    const ls_adapter *adapter = model->adapter;
    for (int64_t i = 0; i < adapter->n_weights / 2; i++) {
        ls_weight *w = adapter->bases[i];
        float *delta = ls_malloc((size_t)(MERGE_ROWS * w->cols) * sizeof *delta);
        for (int64_t first = 0; first < w->rows; first += MERGE_ROWS) {
            int64_t n = w->rows - first < MERGE_ROWS ? w->rows - first : MERGE_ROWS;
            merge_rows(model->dev, w, first, n, delta);
        }
        ls_free(delta);
        w->lora = NULL;
    }
    model->adapter = NULL;
    model->trained = NULL;
    model->n_trained = model->n_trained_params = 0;
    ls_model_pack(model);
}
