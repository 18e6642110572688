/* Models into GGUF files: keys of the config, weights under GGUF's names in GGUF's order. */
#include "formats/gguf_save.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "formats/gguf_rope.h"
#include "model/decoder.h"

/* general.file_type of the matrices' type. */
static const struct {
    const char *type;
    uint32_t number;
} file_types[] = {{"F32", 0}, {"F16", 1}, {"Q4_0", 2}, {"Q4_1", 3}, {"Q8_0", 7}, {"BF16", 32}};

/* --- keys --- */

static leash_status put_general(ls_gguf_keys *keys, const ls_gguf_arch *arch,
                                const ls_quant_type *type)
{
    for (size_t i = 0; i < LS_COUNT(file_types); i++) {
        if (strcmp(file_types[i].type, type->name) != 0)
            continue;
        ls_gguf_put_text(keys, "general.architecture", arch->name);
        ls_gguf_put_text(keys, "general.type", "model");
        ls_gguf_put_u32(keys, "general.file_type", file_types[i].number);
        ls_gguf_put_u32(keys, "general.quantization_version", 2);
        return LEASH_OK;
    }
    return ls_fail(LEASH_UNSUPPORTED,
                   "type %s is not written; F32, F16, BF16, Q8_0, Q4_0 and Q4_1 are", type->name);
}

/* Which layers slide follows from the architecture alone. */
static leash_status check_layers(const ls_model_config *config, const ls_family *family)
{
    ls_model_config *usual = ls_malloc(sizeof *usual);
    *usual = *config;
    ls_model_config *defaults = ls_calloc(1, sizeof *defaults);
    family->defaults(defaults);
    memset(usual->layers, 0, sizeof usual->layers);
    usual->has_layer_types = usual->has_no_rope_layers = false;
    usual->sliding_window_pattern = defaults->sliding_window_pattern;
    usual->no_rope_layer_interval = defaults->no_rope_layer_interval;
    usual->use_sliding_window = false;
    ls_model_config_complete(usual, family);
    bool is_usual = memcmp(usual->layers, config->layers, sizeof usual->layers) == 0;
    ls_free(defaults);
    ls_free(usual);
    return is_usual ? LEASH_OK
                    : ls_fail(LEASH_UNSUPPORTED,
                              "GGUF cannot say which layers of this %s slide, "
                              "have no positions or have experts",
                              family->name);
}

static void put_sizes(ls_gguf_keys *keys, const ls_model_config *c, const ls_gguf_arch *arch)
{
    const struct {
        const char *suffix;
        int64_t value;
    } sizes[] = {
        {"context_length", c->max_position_embeddings},
        {"embedding_length", c->hidden_size},
        {"block_count", c->num_hidden_layers},
        {"feed_forward_length", c->intermediate_size},
        {"attention.head_count", c->num_attention_heads},
        {"attention.head_count_kv", c->num_key_value_heads},
        {"attention.key_length", c->head_dim},
        {"attention.value_length", c->head_dim},
        {"vocab_size", c->vocab_size},
        {"attention.sliding_window", c->sliding_window},
        {"expert_count", c->num_experts},
        {"expert_used_count", c->num_experts_per_tok},
        {"expert_feed_forward_length", c->moe_intermediate_size},
    };
    char key[128];
    for (size_t i = 0; i < LS_COUNT(sizes); i++) {
        snprintf(key, sizeof key, "%s.%s", arch->name, sizes[i].suffix);
        if (sizes[i].value > 0)
            ls_gguf_put_u32(keys, key, (uint32_t)sizes[i].value);
    }
}

static void put_floats(ls_gguf_keys *keys, const ls_model_config *c, const ls_gguf_arch *arch,
                       ls_norm_kind norm)
{
    const struct {
        const char *suffix;
        double value;
    } floats[] = {
        {norm == LS_NORM_LAYER ? "attention.layer_norm_epsilon"
                               : "attention.layer_norm_rms_epsilon",
         c->rms_norm_eps},
        {"attn_logit_softcapping", c->attn_logit_softcapping},
        {"final_logit_softcapping", c->final_logit_softcapping},
        {"embedding_scale", c->embedding_multiplier},
        {"residual_scale", c->residual_multiplier},
        {"attention.scale", c->attention_multiplier},
        {"logit_scale", c->logits_scaling},
    };
    char key[128];
    for (size_t i = 0; i < LS_COUNT(floats); i++) {
        snprintf(key, sizeof key, "%s.%s", arch->name, floats[i].suffix);
        if (floats[i].value > 0.0)
            ls_gguf_put_f32(keys, key, (float)floats[i].value);
    }
    snprintf(key, sizeof key, "%s.expert_weights_norm", arch->name);
    if (c->num_experts > 0)
        ls_gguf_put_bool(keys, key, c->norm_topk_prob);
    snprintf(key, sizeof key, "%s.use_parallel_residual", arch->name);
    if (strcmp(arch->name, "gptneox") == 0)
        ls_gguf_put_bool(keys, key, c->use_parallel_residual);
}

leash_status ls_gguf_put_config(ls_gguf_keys *keys, const ls_model_config *config,
                                const ls_quant_type *type)
{
    const ls_gguf_arch *arch = ls_gguf_arch_of(config);
    const ls_family *family;
    LS_TRY(ls_family_find(&family, config->family));
    if (config->head != LS_HEAD_TOKENS)
        return ls_fail(LEASH_UNSUPPORTED, "GGUF files hold language models; this one scores: write "
                                          "it as a folder");
    if (arch == NULL)
        return ls_fail(LEASH_UNSUPPORTED, "models of family '%s' have no GGUF architecture here",
                       config->family);
    LS_TRY(check_layers(config, family));
    if (config->query_pre_attn_scalar != 0 &&
        config->query_pre_attn_scalar != ls_gguf_gemma_scalar(config))
        return ls_fail(LEASH_UNSUPPORTED,
                       "GGUF cannot say a query_pre_attn_scalar of %lld; that of this size is %lld",
                       (long long)config->query_pre_attn_scalar,
                       (long long)ls_gguf_gemma_scalar(config));
    LS_TRY(put_general(keys, arch, type));
    put_sizes(keys, config, arch);
    put_floats(keys, config, arch, family->design->norm);
    return family->design->positions ? LEASH_OK : ls_gguf_put_rope(keys, config, arch);
}

/* --- tensors --- */

typedef struct { /* one weight of the model under its name in the file */
    char name[64];
    int64_t expert; /* -1: the whole tensor */
    const ls_weight *weight;
} named_weight;

typedef struct {
    const ls_model *model;
    const ls_gguf_arch *arch;
    ls_gguf_factors factors;
    named_weight *weights; /* sorted by name, then expert */
    int64_t n_weights;
    ls_gguf_out *tensors;
    int64_t *first; /* (n_tensors) into weights; -1 - j: factors j */
    int64_t n_tensors;
    void *bytes;   /* of the tensor at hand */
    float *values; /* of the weight at hand */
} save_work;

static int compare_named(const void *a, const void *b)
{
    const named_weight *x = a, *y = b;
    int order = strcmp(x->name, y->name);
    return order != 0 ? order : (x->expert > y->expert) - (x->expert < y->expert);
}

/* Matrices alone are rounded, but for the small ones that decide much. */
static const ls_quant_type *type_of(const named_weight *named, const ls_quant_type *wanted)
{
    const ls_weight *w = named->weight;
    if (ls_is_vector(w) || ls_ends_with(named->name, "ffn_gate_inp.weight") ||
        strcmp(named->name, "position_embd.weight") == 0)
        return ls_quant_find("F32");
    return w->cols % wanted->block_n == 0 ? wanted : ls_quant_find("F16");
}

static leash_status name_weights(save_work *s)
{
    const ls_model *model = s->model;
    s->weights = ls_calloc((size_t)model->n_weights + 1, sizeof *s->weights);
    for (int64_t i = 0; i < model->n_weights; i++) {
        named_weight *named = &s->weights[s->n_weights++];
        named->weight = &model->weights[i];
        LS_ASSERT(named->weight->data);
        if (!ls_gguf_name(named->name, &named->expert, model->family, named->weight->name))
            return ls_fail(LEASH_UNSUPPORTED, "weight '%s' has no name in GGUF files",
                           named->weight->name);
    }
    qsort(s->weights, (size_t)s->n_weights, sizeof *s->weights, compare_named);
    return LEASH_OK;
}

static void list_tensors(save_work *s, const ls_quant_type *type)
{
    s->tensors = ls_calloc((size_t)s->n_weights + 2, sizeof *s->tensors);
    s->first = ls_calloc((size_t)s->n_weights + 2, sizeof *s->first);
    for (int64_t j = 0; j < s->factors.n_tensors; j++) {
        ls_gguf_out *t = &s->tensors[s->n_tensors];
        snprintf(t->name, sizeof t->name, "%s", s->factors.names[j]);
        t->type = ls_quant_find("F32");
        t->shape[0] = s->factors.n;
        t->rank = 1;
        s->first[s->n_tensors++] = -1 - j;
    }
    for (int64_t i = 0; i < s->n_weights; i++) {
        const named_weight *named = &s->weights[i];
        const ls_weight *w = named->weight;
        if (named->expert > 0)
            continue;
        ls_gguf_out *t = &s->tensors[s->n_tensors];
        memcpy(t->name, named->name, sizeof t->name);
        t->type = type_of(named, type);
        if (named->expert == 0)
            t->shape[t->rank++] = s->model->config.num_experts;
        if (!ls_is_vector(w))
            t->shape[t->rank++] = w->rows;
        t->shape[t->rank++] = w->cols;
        s->first[s->n_tensors++] = i;
    }
}

typedef struct {
    const ls_quant_type *type;
    unsigned char *out;
    const float *in;
    int64_t cols;
} round_work;

static void round_rows(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const round_work *r = context;
    size_t row_bytes = ls_quant_bytes(r->type, r->cols);
    for (int64_t i = begin; i < end; i++)
        r->type->from_float(r->out + (size_t)i * row_bytes, r->in + i * r->cols, r->cols);
}

/* The values of a weight in the file's order; false when one is not finite. */
static bool order_values(float *out, const save_work *s, const ls_weight *w)
{
    int64_t heads, rows = ls_is_vector(w) ? w->cols : w->rows, cols = ls_is_vector(w) ? 1 : w->cols;
    ls_row_order order =
        ls_gguf_row_order(&heads, s->arch, &s->model->config, s->model->family, w->name);
    float added = ls_gguf_added(s->model->family, w->name);
    bool is_finite = true;
    for (int64_t i = 0; i < rows; i++) {
        float *row = out + ls_stored_row(order, heads, rows, i) * cols;
        for (int64_t j = 0; j < cols; j++) {
            row[j] = w->data[i * cols + j] + added;
            is_finite &= fabsf(row[j]) <= 3.4028235e38f;
        }
    }
    return is_finite;
}

static const void *bytes_of(void *user, int64_t i)
{
    save_work *s = user;
    const ls_gguf_out *t = &s->tensors[i];
    if (s->first[i] < 0)
        return s->factors.values[-1 - s->first[i]];
    const named_weight *named = &s->weights[s->first[i]];
    const ls_weight *w = named->weight;
    int64_t n_parts = named->expert < 0 ? 1 : s->model->config.num_experts;
    size_t part_bytes = ls_quant_bytes(t->type, w->rows * w->cols);
    s->bytes = ls_realloc(s->bytes, ls_mul_size((size_t)n_parts, part_bytes));
    s->values = ls_realloc(s->values, ls_mul_size((size_t)(w->rows * w->cols), sizeof *s->values));
    for (int64_t e = 0; e < n_parts; e++) {
        w = named[e].weight;
        if (!order_values(s->values, s, w)) {
            ls_fail(LEASH_FAILED, "weight '%s' holds values that are not finite", w->name);
            return NULL;
        }
        round_work work = {.type = t->type,
                           .out = (unsigned char *)s->bytes + (size_t)e * part_bytes,
                           .in = s->values,
                           .cols = w->cols};
        ls_parallel_for(s->model->dev->pool, w->rows, 16, round_rows, &work);
    }
    return s->bytes;
}

leash_status ls_gguf_save(const ls_model *model, const char *path, const ls_quant_type *type,
                          const ls_gguf_keys *keys)
{
    save_work s = {.model = model, .arch = ls_gguf_arch_of(&model->config)};
    ls_gguf_keys all;
    ls_gguf_keys_init(&all);
    leash_status status;
    LS_TRY_OUT(ls_gguf_put_config(&all, &model->config, type));
    ls_str_append_n(&all.bytes, keys->bytes.data, keys->bytes.len);
    all.n += keys->n;
    if (!model->family->design->positions)
        ls_gguf_rope_factors(&s.factors, &model->config);
    LS_TRY_OUT(name_weights(&s));
    list_tensors(&s, type);
    status = ls_gguf_write(path, &all, s.tensors, s.n_tensors, bytes_of, &s);
out:
    ls_gguf_keys_release(&all);
    ls_free(s.weights);
    ls_free(s.tensors);
    ls_free(s.first);
    ls_free(s.bytes);
    ls_free(s.values);
    return status;
}
