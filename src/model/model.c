/* A model's buffers: weights, packed copies, gradients by leaf, the rotary table.  What is in them
 * is the family's matter. */
#include "model/model.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "base/str.h"
#include "base/vmath.h"

#define LS_FAMILY(name) extern const ls_family ls_family_##name;
#include "model/families.def"
#undef LS_FAMILY

static const ls_family *const families[] = {
#define LS_FAMILY(name) &ls_family_##name,
#include "model/families.def"
#undef LS_FAMILY
};

/* Room in the weight table: the pointers families keep must not move while they declare. */
#define MOST_LAYER_WEIGHTS 32

const ls_family *const *ls_families(size_t *n)
{
    *n = LS_COUNT(families);
    return families;
}

leash_status ls_family_find(const ls_family **out, const char *name)
{
    const char *names[LS_COUNT(families)];
    ls_str list = LS_STR_INIT;
    for (size_t i = 0; i < LS_COUNT(families); i++) {
        names[i] = families[i]->name;
        ls_str_appendf(&list, "%s%s", i > 0 ? ", " : "", names[i]);
        if (strcmp(name, names[i]) == 0) {
            ls_str_release(&list);
            *out = families[i];
            return LEASH_OK;
        }
    }
    const char *nearest = ls_nearest_name(name, names, LS_COUNT(families));
    leash_status status = ls_fail(
        LEASH_UNSUPPORTED, "model family '%s' is not known%s%s%s; known: %s", name,
        nearest ? " (did you mean '" : "", nearest ? nearest : "", nearest ? "'?)" : "", list.data);
    ls_str_release(&list);
    return status;
}

ls_weight *ls_model_add_weight(ls_model *model, int64_t rows, int64_t cols, bool is_decayed,
                               const char *format, ...)
{
    LS_ASSERT(model->n_weights < (model->config.num_hidden_layers + 1) * MOST_LAYER_WEIGHTS);
    ls_weight *w = &model->weights[model->n_weights++];
    bool is_gain = rows == 1 && !is_decayed;
    *w = (ls_weight){.rows = rows,
                     .cols = cols,
                     .offset = model->n_params,
                     .init_std = is_gain ? 0.0f : (float)model->config.initializer_range,
                     .is_decayed = is_decayed};
    va_list args;
    va_start(args, format);
    int length = vsnprintf(w->name, sizeof w->name, format, args);
    va_end(args);
    LS_ASSERT(length > 0 && (size_t)length < sizeof w->name);
    model->n_params += rows * cols;
    return w;
}

/* cos and sin of position * theta^(-2i/R).  The frequency is rounded to float, as the reference
 * implementations do, which also hides last-bit differences between one libm's pow and another's;
 * the angle is then exact in double. */
static void build_rope(ls_model *model)
{
    const ls_model_config *config = &model->config;
    int64_t n = config->max_position_embeddings, half = config->head_dim / 2;
    float *cosines = ls_arena_floats(model->arena, n * half);
    float *sines = ls_arena_floats(model->arena, n * half);
    model->rope =
        (ls_rope_table){.cos = cosines, .sin = sines, .n_positions = n, .R = config->head_dim};
    if (model->dev->k->is_null)
        return;
    for (int64_t i = 0; i < half; i++) {
        double exponent = -2.0 * (double)i / (double)config->head_dim;
        float frequency = (float)pow(config->rope_theta, exponent);
        for (int64_t p = 0; p < n; p++)
            ls_sincosf(&sines[p * half + i], &cosines[p * half + i], (double)p * (double)frequency);
    }
}

static void take_packed(ls_model *model, ls_weight *w)
{
    size_t bytes = model->dev->k->pack_bytes(w->rows, w->cols);
    w->packed = ls_arena_alloc(model->arena, bytes);
}

static void take_buffers(ls_model *model, ls_model_use use, int64_t n_leaves)
{
    model->data = ls_arena_floats(model->arena, model->n_params);
    for (int64_t i = 0; i < model->n_weights; i++) {
        ls_weight *w = &model->weights[i];
        w->data = model->data + w->offset;
        w->is_trainable = use == LS_MODEL_TRAINED;
        if (w->rows > 1 && w != model->embedding)
            take_packed(model, w);
    }
    if (model->head == &model->tied_head) {
        model->tied_head.data = model->embedding->data;
        take_packed(model, &model->tied_head);
    }
    if (use == LS_MODEL_FROZEN)
        return;
    model->n_leaves = n_leaves;
    model->n_grads = model->n_params;
    if (model->head == &model->tied_head)
        model->n_grads += model->tied_head.rows * model->tied_head.cols;
    model->grads = ls_arena_alloc(model->arena, (size_t)n_leaves * sizeof *model->grads);
    for (int64_t i = 0; i < n_leaves; i++)
        model->grads[i] = ls_arena_floats(model->arena, model->n_grads);
    ls_model_use_leaf(model, 0);
}

leash_status ls_model_new(ls_model **out, const ls_model_config *config, ls_device *dev,
                          ls_arena *arena, ls_model_use use, int64_t n_leaves)
{
    const ls_family *family;
    LS_TRY(ls_family_find(&family, config->family));
    LS_TRY(family->check(config));
    LS_ASSERT(use == LS_MODEL_FROZEN || n_leaves >= 1);
    ls_model *model = ls_arena_alloc(arena, sizeof *model);
    *model = (ls_model){.config = *config, .family = family, .dev = dev, .arena = arena};
    int64_t room = (config->num_hidden_layers + 1) * MOST_LAYER_WEIGHTS;
    model->weights = ls_arena_alloc(arena, (size_t)room * sizeof *model->weights);
    family->declare(model);
    LS_ASSERT(model->embedding);
    if (config->tie_word_embeddings) {
        model->tied_head = *model->embedding;
        model->tied_head.offset = model->n_params;
        model->tied_head.is_trainable = use == LS_MODEL_TRAINED;
        model->head = &model->tied_head;
    }
    LS_ASSERT(model->head);
    take_buffers(model, use, n_leaves);
    build_rope(model);
    *out = model;
    return LEASH_OK;
}

void ls_model_pack(ls_model *model)
{
    const ls_kernels *k = model->dev->k;
    for (int64_t i = 0; i < model->n_weights; i++) {
        ls_weight *w = &model->weights[i];
        if (w->packed)
            k->pack(model->dev, w->packed, w->data, w->rows, w->cols);
    }
    ls_weight *tied = &model->tied_head;
    if (model->head == tied)
        k->pack(model->dev, tied->packed, tied->data, tied->rows, tied->cols);
}

void ls_model_zero_grads(ls_model *model)
{
    for (int64_t i = 0; i < model->n_leaves; i++)
        model->dev->k->zero(model->dev, model->grads[i], model->n_grads);
}

void ls_model_use_leaf(ls_model *model, int64_t leaf)
{
    LS_ASSERT(leaf >= 0 && leaf < model->n_leaves);
    for (int64_t i = 0; i < model->n_weights; i++) {
        ls_weight *w = &model->weights[i];
        w->grad = w->is_trainable ? model->grads[leaf] + w->offset : NULL;
    }
    ls_weight *tied = &model->tied_head;
    if (model->head == tied)
        tied->grad = tied->is_trainable ? model->grads[leaf] + tied->offset : NULL;
}

void ls_model_fold_grads(ls_model *model)
{
    const ls_kernels *k = model->dev->k;
    if (model->head == &model->tied_head)
        for (int64_t i = 0; i < model->n_leaves; i++) {
            float *embedding = model->grads[i] + model->embedding->offset;
            k->add(model->dev, embedding, embedding, model->grads[i] + model->tied_head.offset,
                   model->tied_head.rows * model->tied_head.cols);
        }
    for (int64_t step = 1; step < model->n_leaves; step *= 2)
        for (int64_t i = 0; i + step < model->n_leaves; i += 2 * step)
            k->add(model->dev, model->grads[i], model->grads[i], model->grads[i + step],
                   model->n_params);
}

ls_tensor *ls_model_forward(ls_model *model, ls_tape *tape, const ls_batch *batch)
{
    return model->family->forward(model, tape, batch);
}

int64_t ls_model_page_floats(const ls_model *model)
{
    const ls_model_config *config = &model->config;
    return config->num_hidden_layers * 2 * config->num_key_value_heads * config->head_dim *
           LS_KV_PAGE;
}

ls_weight *ls_model_find_weight(ls_model *model, const char *name)
{
    for (int64_t i = 0; i < model->n_weights; i++)
        if (strcmp(model->weights[i].name, name) == 0)
            return &model->weights[i];
    return NULL;
}

uint64_t ls_model_hash(const ls_model *model)
{
    return ls_hash64(model->data, (size_t)model->n_params * sizeof(float));
}

int64_t ls_model_context(const ls_model_config *config)
{
    return config->max_position_embeddings < LS_ATTENTION_MAX ? config->max_position_embeddings
                                                              : LS_ATTENTION_MAX;
}
