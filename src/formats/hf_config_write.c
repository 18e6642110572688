/* config.json of a model, from the family's table of keys. */
#include "formats/hf_config.h"

#include <stdio.h>
#include <string.h>

/* A number that JSON readers take for a float: "10000.0", "1e-05". */
static void append_number(ls_str *json, const char *key, double value)
{
    char digits[32];
    ls_format_double(digits, value);
    bool is_integral = strcspn(digits, ".e") == strlen(digits);
    ls_str_appendf(json, "  \"%s\": %s%s,\n", key, digits, is_integral ? ".0" : "");
}

static void append_int(ls_str *json, const char *key, int64_t value)
{
    ls_str_appendf(json, "  \"%s\": %lld,\n", key, (long long)value);
}

static void append_bool(ls_str *json, const char *key, bool value)
{
    ls_str_appendf(json, "  \"%s\": %s,\n", key, value ? "true" : "false");
}

static void append_null(ls_str *json, const char *key)
{
    ls_str_appendf(json, "  \"%s\": null,\n", key);
}

static const char *word(const ls_hf_word *words, int value)
{
    while (words->name && words->value != value)
        words++;
    LS_ASSERT(words->name);
    return words->name;
}

static void append_key(ls_str *json, const ls_model_config *config, const ls_config_key *key)
{
    const void *field = (const char *)config + key->offset;
    switch (key->kind) {
    case LS_CONFIG_INT:
        if (key->is_nullable && *(const int64_t *)field == 0)
            append_null(json, key->name);
        else
            append_int(json, key->name, *(const int64_t *)field);
        break;
    case LS_CONFIG_NUMBER:
        if (key->is_nullable && *(const double *)field == 0.0)
            append_null(json, key->name);
        else
            append_number(json, key->name, *(const double *)field);
        break;
    case LS_CONFIG_BOOL: append_bool(json, key->name, *(const bool *)field); break;
    case LS_CONFIG_TOKEN:
        if (*(const int32_t *)field >= 0)
            append_int(json, key->name, *(const int32_t *)field);
        else
            append_null(json, key->name);
        break;
    case LS_CONFIG_ACTIVATION:
        ls_str_appendf(json, "  \"%s\": \"%s\",\n", key->name,
                       word(ls_hf_activations, (int)*(const ls_activation *)field));
        break;
    case LS_CONFIG_FALSE: break; /* the default of its class */
    case LS_CONFIG_TRUE: append_bool(json, key->name, true); break;
    }
}

static void append_factors(ls_str *json, const char *key, const double *factors, int64_t n)
{
    ls_str_appendf(json, ", \"%s\": [", key);
    for (int64_t i = 0; i < n; i++) {
        char digits[32];
        ls_str_appendf(json, "%s%s", i > 0 ? ", " : "", ls_format_double(digits, factors[i]));
    }
    ls_str_append(json, "]");
}

static void append_scaling(ls_str *json, const ls_rope_scaling *s)
{
    if (s->type == LS_ROPE_DEFAULT) {
        append_null(json, "rope_scaling");
        return;
    }
    ls_str_appendf(json, "  \"rope_scaling\": {\"rope_type\": \"%s\"",
                   word(ls_hf_rope_types, (int)s->type));
    for (const ls_hf_rope_key *key = ls_hf_rope_keys; key->name; key++) {
        double value = *(const double *)((const char *)s + key->offset);
        char digits[32];
        bool is_integral;
        if (value == 0.0)
            continue;
        ls_format_double(digits, value);
        is_integral = strcspn(digits, ".e") == strlen(digits);
        ls_str_appendf(json, ", \"%s\": %s%s", key->name, digits, is_integral ? ".0" : "");
    }
    if (s->keeps_fractions)
        ls_str_append(json, ", \"truncate\": false");
    if (s->original_max_position_embeddings > 0)
        ls_str_appendf(json, ", \"original_max_position_embeddings\": %lld",
                       (long long)s->original_max_position_embeddings);
    if (s->n_factors > 0) {
        append_factors(json, "short_factor", s->short_factor, s->n_factors);
        append_factors(json, "long_factor", s->long_factor, s->n_factors);
    }
    ls_str_append(json, "},\n");
}

static void append_rope(ls_str *json, const ls_model_config *c)
{
    if (c->rope_theta == 0.0)
        return;
    append_number(json, "rope_theta", c->rope_theta);
    append_scaling(json, &c->rope_scaling);
    if (c->rope_scaling.original_max_position_embeddings > 0)
        append_int(json, "original_max_position_embeddings",
                   c->rope_scaling.original_max_position_embeddings);
    if (c->partial_rotary_factor > 0.0)
        append_number(json, "partial_rotary_factor", c->partial_rotary_factor);
}

/* The lists are written where layers differ. */
static void append_layers(ls_str *json, const ls_model_config *c)
{
    int bits = 0;
    for (int64_t l = 0; l < c->num_hidden_layers; l++)
        bits |= c->layers[l] ^ c->layers[0];
    if (bits & LS_LAYER_SLIDING || c->has_layer_types) {
        ls_str_append(json, "  \"layer_types\": [");
        for (int64_t l = 0; l < c->num_hidden_layers; l++)
            ls_str_appendf(json, "%s\"%s\"", l > 0 ? ", " : "",
                           c->layers[l] & LS_LAYER_SLIDING ? "sliding_attention"
                                                           : "full_attention");
        ls_str_append(json, "],\n");
    }
    if (bits & LS_LAYER_NO_ROPE || c->has_no_rope_layers) {
        ls_str_append(json, "  \"no_rope_layers\": [");
        for (int64_t l = 0; l < c->num_hidden_layers; l++)
            ls_str_appendf(json, "%s%d", l > 0 ? ", " : "", !(c->layers[l] & LS_LAYER_NO_ROPE));
        ls_str_append(json, "],\n");
    }
}

static void append_dense_layers(ls_str *json, const ls_model_config *c)
{
    int64_t n = 0;
    for (int64_t l = 0; c->num_experts > 0 && l < c->num_hidden_layers; l++)
        if (c->layers[l] & LS_LAYER_DENSE)
            ls_str_appendf(json, "%s%lld", n++ == 0 ? "  \"mlp_only_layers\": [" : ", ",
                           (long long)l);
    if (n > 0)
        ls_str_append(json, "],\n");
}

void ls_hf_append_class(ls_str *out, const ls_model_config *config, const ls_family *family)
{
    static const char *const ends[] = {"ForCausalLM", "LMHeadModel"};
    size_t n = strlen(family->architecture);
    if (config->head == LS_HEAD_TOKENS) {
        ls_str_append(out, family->architecture);
        return;
    }
    for (size_t i = 0; i < LS_COUNT(ends); i++)
        if (ls_ends_with(family->architecture, ends[i]))
            n = strlen(family->architecture) - strlen(ends[i]);
    if (family->score_class)
        ls_str_append(out, family->score_class);
    else
        ls_str_append_n(out, family->architecture, n);
    ls_str_append(out, config->head == LS_HEAD_SCORE ? "ForSequenceClassification"
                                                     : "ForTokenClassification");
}

void ls_hf_append_labels(ls_str *id2label, ls_str *label2id, int64_t num_labels)
{
    for (long long i = 0; i < num_labels; i++) {
        ls_str_appendf(id2label, "%s\"%lld\": \"LABEL_%lld\"", i > 0 ? ", " : "{", i, i);
        ls_str_appendf(label2id, "%s\"LABEL_%lld\": %lld", i > 0 ? ", " : "{", i, i);
    }
    ls_str_append(id2label, "}");
    ls_str_append(label2id, "}");
}

static void append_labels(ls_str *json, const ls_model_config *config)
{
    ls_str names = LS_STR_INIT, ids = LS_STR_INIT;
    if (config->head != LS_HEAD_TOKENS) {
        ls_hf_append_labels(&names, &ids, config->num_labels);
        ls_str_appendf(json, "  \"id2label\": %s,\n  \"label2id\": %s,\n", names.data, ids.data);
    }
    ls_str_release(&names);
    ls_str_release(&ids);
}

void ls_hf_append_config(ls_str *json, const ls_model_config *config, const ls_family *family,
                         const char *dtype)
{
    ls_str_append(json, "{\n  \"architectures\": [\n    \"");
    ls_hf_append_class(json, config, family);
    ls_str_append(json, "\"\n  ],\n");
    ls_str_appendf(json, "  \"model_type\": \"%s\",\n", family->name);
    for (size_t i = 0; i < family->n_keys; i++)
        append_key(json, config, &family->keys[i]);
    if (config->has_pad_token)
        append_int(json, "pad_token_id", config->pad_token_id);
    else
        append_null(json, "pad_token_id"); /* a class's default may lie outside of the vocabulary */
    append_labels(json, config);
    append_rope(json, config);
    append_layers(json, config);
    append_dense_layers(json, config);
    ls_str_appendf(json, "  \"torch_dtype\": \"%s\",\n  \"use_cache\": true\n}\n", dtype);
}
