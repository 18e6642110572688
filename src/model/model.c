/* A model's buffers: weights, packed copies, gradients by leaf, the rotary table.  What is in them
 * is the family's matter. */
#include "model/model.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "base/hash.h"
#include "base/str.h"
#include "model/lora.h"
#include "ops/weight.h"

#define LS_FAMILY(name) extern const ls_family ls_family_##name;
#include "model/families.def"
#undef LS_FAMILY

static const ls_family *const families[] = {
#define LS_FAMILY(name) &ls_family_##name,
#include "model/families.def"
#undef LS_FAMILY
};

/* Room in the weight table for a layer without experts: the pointers families keep must not move
 * while they declare. */
#define MOST_LAYER_WEIGHTS 32

static int64_t weight_room(const ls_model_config *config)
{
    return (config->num_hidden_layers + 1) * (MOST_LAYER_WEIGHTS + 3 * config->num_experts);
}

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
    LS_ASSERT(model->n_weights < weight_room(&model->config));
    ls_weight *w = &model->weights[model->n_weights++];
    bool is_gain = rows == 1 && !is_decayed;
    *w = (ls_weight){.rows = rows,
                     .cols = cols,
                     .offset = model->n_params,
                     .init_fill = 1.0f,
                     .init_std = is_gain ? 0.0f : (float)model->config.initializer_range,
                     .is_decayed = is_decayed,
                     .takes_lora = rows > 1 && is_decayed};
    va_list args;
    va_start(args, format);
    int length = vsnprintf(w->name, sizeof w->name, format, args);
    va_end(args);
    LS_ASSERT(length > 0 && (size_t)length < sizeof w->name);
    model->n_params += rows * cols;
    return w;
}

static void take_packed(ls_model *model, ls_weight *w)
{
    size_t bytes = model->dev->k->pack_bytes(w->rows, w->cols);
    w->packed = ls_arena_alloc(model->arena, bytes);
}

/* Scores are summed in double from plain rows. */
static bool is_multiplied(const ls_model *model, const ls_weight *w)
{
    return w->rows > 1 && w != model->score;
}

/* One copy of a weight that is not trained. */
static void take_one_copy(ls_model *model, ls_weight *w, const ls_quant_type *type)
{
    bool is_stored = type && type->block_bytes < 4 * type->block_n && w->cols % type->block_n == 0;
    if (is_multiplied(model, w) && is_stored) {
        w->raw_type = type;
        w->raw = ls_arena_alloc(model->arena, ls_quant_bytes(type, w->rows * w->cols));
    } else if (is_multiplied(model, w) && w != model->embedding) {
        take_packed(model, w);
    } else {
        w->data = ls_arena_floats(model->arena, w->rows * w->cols);
    }
}

static void take_frozen(ls_model *model, ls_weight_type_fn *type_of, void *user)
{
    for (int64_t i = 0; i < model->n_weights; i++) {
        ls_weight *w = &model->weights[i];
        take_one_copy(model, w, type_of ? type_of(user, w) : NULL);
    }
    if (model->head != &model->tied_head)
        return;
    model->tied_head.raw = model->embedding->raw;
    model->tied_head.raw_type = model->embedding->raw_type;
    model->tied_head.data = model->embedding->data;
    if (!model->tied_head.raw)
        take_packed(model, &model->tied_head);
}

static void take_data_and_packed(ls_model *model)
{
    model->data = ls_arena_floats(model->arena, model->n_params);
    for (int64_t i = 0; i < model->n_weights; i++) {
        ls_weight *w = &model->weights[i];
        w->data = model->data + w->offset;
        w->is_trainable = model->use == LS_MODEL_TRAINED;
        if (is_multiplied(model, w) && w != model->embedding)
            take_packed(model, w);
    }
    if (model->head == &model->tied_head) {
        model->tied_head.data = model->embedding->data;
        model->tied_head.is_trainable = model->use == LS_MODEL_TRAINED;
        take_packed(model, &model->tied_head);
    }
}

void ls_model_take_grads(ls_model *model, int64_t n_leaves)
{
    model->n_leaves = n_leaves;
    model->n_grads = model->n_trained_params;
    if (model->tied_head.is_trainable)
        model->n_grads += model->tied_head.rows * model->tied_head.cols;
    model->grads = ls_arena_alloc(model->arena, (size_t)n_leaves * sizeof *model->grads);
    for (int64_t i = 0; i < n_leaves; i++)
        model->grads[i] = ls_arena_floats(model->arena, model->n_grads);
    ls_model_use_leaf(model, 0);
}

static void take_buffers(ls_model *model, int64_t n_leaves, ls_weight_type_fn *type_of, void *user)
{
    if (model->use == LS_MODEL_PACKED || model->use == LS_MODEL_STORED) {
        take_frozen(model, type_of, user);
        return;
    }
    take_data_and_packed(model);
    if (model->use == LS_MODEL_FROZEN)
        return;
    model->trained = model->weights;
    model->n_trained = model->n_weights;
    model->n_trained_params = model->n_params;
    model->trained_data = model->data;
    ls_model_take_grads(model, n_leaves);
}

static leash_status make(ls_model **out, const ls_model_config *config, ls_device *dev,
                         ls_arena *arena, ls_model_use use, int64_t n_leaves,
                         ls_weight_type_fn *type_of, void *user)
{
    const ls_family *family;
    LS_TRY(ls_family_find(&family, config->family));
    LS_TRY(family->check(config));
    LS_ASSERT(use != LS_MODEL_TRAINED || n_leaves >= 1);
    ls_model *model = ls_arena_alloc(arena, sizeof *model);
    *model =
        (ls_model){.config = *config, .family = family, .dev = dev, .arena = arena, .use = use};
    model->weights = ls_arena_alloc(arena, (size_t)weight_room(config) * sizeof *model->weights);
    family->declare(model);
    LS_ASSERT(model->embedding);
    if (config->tie_word_embeddings && config->head == LS_HEAD_TOKENS) {
        model->tied_head = *model->embedding;
        model->tied_head.offset = model->n_params;
        model->head = &model->tied_head;
    }
    LS_ASSERT(!model->head == !!model->score);
    take_buffers(model, n_leaves, type_of, user);
    *out = model;
    return LEASH_OK;
}

leash_status ls_model_new(ls_model **out, const ls_model_config *config, ls_device *dev,
                          ls_arena *arena, ls_model_use use, int64_t n_leaves)
{
    LS_ASSERT(use != LS_MODEL_STORED);
    return make(out, config, dev, arena, use, n_leaves, NULL, NULL);
}

leash_status ls_model_new_stored(ls_model **out, const ls_model_config *config, ls_device *dev,
                                 ls_arena *arena, ls_weight_type_fn *type_of, void *user)
{
    return make(out, config, dev, arena, LS_MODEL_STORED, 0, type_of, user);
}

void ls_model_put_weight(ls_model *model, ls_weight *w, const ls_quant_type *type,
                         const void *bytes)
{
    ls_device *dev = model->dev;
    if (dev->k->is_null)
        return;
    if (w->raw) {
        LS_ASSERT(type == w->raw_type);
        memcpy(w->raw, bytes, ls_quant_bytes(type, w->rows * w->cols));
    } else if (w->data) {
        ls_rows_to_float(dev, w->data, type, bytes, w->rows, w->cols);
        ls_weight *tied = &model->tied_head;
        if (w == model->embedding && model->head == tied && !model->data)
            dev->k->pack(dev, tied->packed, tied->data, tied->rows, tied->cols);
    } else {
        float *rows = ls_malloc(ls_mul_size((size_t)w->rows, (size_t)w->cols * sizeof *rows));
        ls_rows_to_float(dev, rows, type, bytes, w->rows, w->cols);
        dev->k->pack(dev, w->packed, rows, w->rows, w->cols);
        ls_free(rows);
    }
}

static void pack(ls_model *model, ls_weight *w)
{
    if (w->packed)
        model->dev->k->pack(model->dev, w->packed, w->data, w->rows, w->cols);
}

void ls_model_pack(ls_model *model)
{
    for (int64_t i = 0; model->data && i < model->n_weights; i++)
        pack(model, &model->weights[i]);
    if (model->data && model->head == &model->tied_head)
        pack(model, &model->tied_head);
    for (int64_t i = 0; model->adapter && i < model->adapter->n_weights; i++)
        pack(model, &model->adapter->weights[i]);
}

void ls_model_zero_grads(ls_model *model)
{
    for (int64_t i = 0; i < model->n_leaves; i++)
        model->dev->k->zero(model->dev, model->grads[i], model->n_grads);
}

void ls_model_use_leaf(ls_model *model, int64_t leaf)
{
    LS_ASSERT(leaf >= 0 && leaf < model->n_leaves);
    for (int64_t i = 0; i < model->n_trained; i++) {
        ls_weight *w = &model->trained[i];
        w->grad = w->is_trainable ? model->grads[leaf] + w->offset : NULL;
    }
    ls_weight *tied = &model->tied_head;
    if (tied->is_trainable)
        tied->grad = model->grads[leaf] + tied->offset;
}

void ls_model_fold_grads(ls_model *model)
{
    const ls_kernels *k = model->dev->k;
    if (model->tied_head.is_trainable)
        for (int64_t i = 0; i < model->n_leaves; i++) {
            float *embedding = model->grads[i] + model->embedding->offset;
            k->add(model->dev, embedding, embedding, model->grads[i] + model->tied_head.offset,
                   model->tied_head.rows * model->tied_head.cols);
        }
    for (int64_t step = 1; step < model->n_leaves; step *= 2)
        for (int64_t i = 0; i + step < model->n_leaves; i += 2 * step)
            k->add(model->dev, model->grads[i], model->grads[i], model->grads[i + step],
                   model->n_trained_params);
}

ls_tensor *ls_model_forward(ls_model *model, ls_tape *tape, const ls_batch *batch)
{
    tape->skips_lora = model->skips_adapter;
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

/* Rows of a weight at a time, where there is no buffer of all. */
#define HASH_FLOATS ((int64_t)1 << 18)

static uint64_t hash_weight(uint64_t hash, ls_device *dev, const ls_weight *w, float *rows,
                            int64_t room)
{
    for (int64_t first = 0, n; first < w->rows; first += n) {
        n = room / w->cols < w->rows - first ? room / w->cols : w->rows - first;
        ls_weight_rows(dev, rows, w, first, first + n);
        hash = ls_hash64_more(hash, rows, (size_t)(n * w->cols) * sizeof *rows);
    }
    return hash;
}

static uint64_t hash_one_copy(const ls_model *model)
{
    uint64_t hash = 0;
    int64_t room = HASH_FLOATS;
    for (int64_t i = 0; i < model->n_weights; i++)
        room = model->weights[i].cols > room ? model->weights[i].cols : room;
    float *rows = ls_malloc((size_t)room * sizeof *rows);
    for (int64_t i = 0; i < model->n_weights; i++)
        hash = hash_weight(hash, model->dev, &model->weights[i], rows, room);
    ls_free(rows);
    return hash;
}

uint64_t ls_model_hash(const ls_model *model)
{
    uint64_t hash = model->data ? ls_hash64(model->data, (size_t)model->n_params * sizeof(float))
                                : hash_one_copy(model);
    if (!model->adapter || model->skips_adapter)
        return hash;
    return ls_hash64_more(hash, model->adapter->data,
                          (size_t)model->adapter->n_params * sizeof(float));
}

void ls_model_config_complete(ls_model_config *config, const ls_family *family)
{
    if (config->num_key_value_heads == 0)
        config->num_key_value_heads = config->num_attention_heads;
    if (config->head_dim == 0 && config->num_attention_heads > 0)
        config->head_dim = config->hidden_size / config->num_attention_heads;
    if (family->complete)
        family->complete(config);
}

/* Longrope's short factors are for the original length. */
static int64_t positions_of(const ls_model_config *config)
{
    const ls_rope_scaling *s = &config->rope_scaling;
    int64_t original = s->original_max_position_embeddings;
    if (s->type == LS_ROPE_LONGROPE && original > 0 && config->longest_sequence <= original &&
        original < config->max_position_embeddings)
        return original;
    return config->max_position_embeddings;
}

int64_t ls_model_context(const ls_model_config *config)
{
    int64_t n = positions_of(config);
    return n < LS_ATTENTION_MAX ? n : LS_ATTENTION_MAX;
}
