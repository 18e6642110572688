/* config.json of a Hugging Face folder: reading it strictly enough that what cannot be computed
 * here is refused by name.
 *
 * The family's table of keys says what is read.  An absent key takes the default of the
 * transformers class; null means none.  Sizes have no default: a file that lacks one is refused
 * instead of guessed.  Both spellings of rotary positions are read: rope_theta and rope_scaling of
 * transformers 4, rope_parameters of 5. */
#include "formats/hf_config.h"

#include <jansson.h>
#include <string.h>
#include "base/file.h"
#include "base/log.h"
#include "formats/hf_folder.h"
#include "formats/json_brief.h"

const ls_hf_word ls_hf_activations[] = {
    {"silu", LS_SILU},
    {"swish", LS_SILU},
    {"gelu_pytorch_tanh", LS_GELU_TANH},
    {"gelu_new", LS_GELU_TANH},
    {"gelu_fast", LS_GELU_TANH},
    {"gelu", LS_GELU_EXACT},
    {"gelu_python", LS_GELU_EXACT},
    {NULL, 0},
};

const ls_hf_word ls_hf_rope_types[] = {
    {"default", LS_ROPE_DEFAULT}, {"linear", LS_ROPE_LINEAR},
    {"dynamic", LS_ROPE_DYNAMIC}, {"llama3", LS_ROPE_LLAMA3},
    {"yarn", LS_ROPE_YARN},       {"longrope", LS_ROPE_LONGROPE},
    {"su", LS_ROPE_LONGROPE},     {NULL, 0},
};

#define ROPE_KEY(key)                                          \
    {                                                          \
        .name = #key, .offset = offsetof(ls_rope_scaling, key) \
    }
const ls_hf_rope_key ls_hf_rope_keys[] = {
    ROPE_KEY(factor),           ROPE_KEY(low_freq_factor), ROPE_KEY(high_freq_factor),
    ROPE_KEY(attention_factor), ROPE_KEY(beta_fast),       ROPE_KEY(beta_slow),
    ROPE_KEY(mscale),           ROPE_KEY(mscale_all_dim),  {.name = NULL},
};

/* The value of a key, NULL when absent or null. */
static json_t *find(const json_t *config, const char *key)
{
    json_t *value = json_object_get(config, key);
    return json_is_null(value) ? NULL : value;
}

/* ---- single values; a value that is NULL changes nothing ---- */

static leash_status fail_kind(const json_t *value, const char *key, const char *what,
                              const char *path)
{
    char found[LS_JSON_BRIEF];
    return ls_fail(LEASH_FORMAT, "%s: %s is %s: it is %s", path, key, what,
                   ls_json_brief(found, value));
}

static leash_status get_int(int64_t *out, const json_t *value, const char *key, const char *path)
{
    if (value && !json_is_integer(value))
        return fail_kind(value, key, "no integer", path);
    if (value)
        *out = json_integer_value(value);
    return LEASH_OK;
}

static leash_status get_number(double *out, const json_t *value, const char *key, const char *path)
{
    if (value && !json_is_number(value))
        return fail_kind(value, key, "no number", path);
    if (value)
        *out = json_number_value(value);
    return LEASH_OK;
}

static leash_status get_bool(bool *out, const json_t *value, const char *key, const char *path)
{
    if (value && !json_is_boolean(value))
        return fail_kind(value, key, "neither true nor false", path);
    if (value)
        *out = json_is_true(value);
    return LEASH_OK;
}

/* A token id, the first of a list of ids, or null for none (-1). */
static leash_status get_token(int32_t *out, const json_t *value, const char *key, const char *path)
{
    if (json_is_array(value))
        value = json_array_get(value, 0);
    *out = -1;
    if (value == NULL || json_is_null(value))
        return LEASH_OK;
    json_int_t id = json_integer_value(value);
    if (!json_is_integer(value) || id < -1 || id > INT32_MAX)
        return fail_kind(value, key, "no token id", path);
    *out = (int32_t)id;
    return LEASH_OK;
}

static leash_status get_word(int *out, const json_t *value, const ls_hf_word *words,
                             const char *key, const char *path)
{
    if (value == NULL)
        return LEASH_OK;
    if (!json_is_string(value))
        return fail_kind(value, key, "no text", path);
    const char *text = json_string_value(value);
    ls_str known = LS_STR_INIT;
    for (const ls_hf_word *w = words; w->name; w++) {
        if (strcmp(w->name, text) == 0) {
            *out = w->value;
            ls_str_release(&known);
            return LEASH_OK;
        }
        ls_str_appendf(&known, "%s%s", w == words ? "" : ", ", w->name);
    }
    leash_status status =
        ls_fail(LEASH_UNSUPPORTED, "%s: %s is '%.40s'; known: %s", path, key, text, known.data);
    ls_str_release(&known);
    return status;
}

static leash_status must_be(bool wanted, const json_t *value, const char *key, const char *path)
{
    if (value == NULL || (wanted ? json_is_true(value) : json_is_false(value)))
        return LEASH_OK;
    return ls_fail(LEASH_UNSUPPORTED, "%s: %s is not %s; models with it are not supported", path,
                   key, wanted ? "true" : "false");
}

/* ---- the family's keys ---- */

static leash_status read_key(ls_model_config *out, const json_t *config, const ls_config_key *key,
                             const char *path)
{
    const json_t *given = json_object_get(config, key->name), *value = find(config, key->name);
    void *field = (char *)out + key->offset;
    if (key->is_required && value == NULL)
        return ls_fail(LEASH_FORMAT, "%s: %s is missing", path, key->name);
    if (given == NULL)
        return LEASH_OK;
    switch (key->kind) {
    case LS_CONFIG_INT:
        if (key->is_nullable)
            *(int64_t *)field = 0;
        return get_int(field, value, key->name, path);
    case LS_CONFIG_NUMBER:
        if (key->is_nullable)
            *(double *)field = 0.0;
        return get_number(field, value, key->name, path);
    case LS_CONFIG_BOOL: return get_bool(field, value, key->name, path);
    case LS_CONFIG_TOKEN: return get_token(field, value, key->name, path);
    case LS_CONFIG_ACTIVATION: {
        int word = (int)*(ls_activation *)field;
        LS_TRY(get_word(&word, value, ls_hf_activations, key->name, path));
        *(ls_activation *)field = (ls_activation)word;
        return LEASH_OK;
    }
    case LS_CONFIG_FALSE: return must_be(false, value, key->name, path);
    case LS_CONFIG_TRUE: return must_be(true, value, key->name, path);
    }
    return LEASH_OK;
}

/* ---- rotary positions ---- */

static leash_status get_factors(double *out, int64_t *n, const json_t *list, const char *key,
                                const char *path)
{
    if (list == NULL)
        return LEASH_OK;
    if (!json_is_array(list) || json_array_size(list) > LS_MOST_ROPE_FACTORS)
        return ls_fail(LEASH_FORMAT, "%s: %s is no list of at most %d numbers", path, key,
                       LS_MOST_ROPE_FACTORS);
    int64_t length = (int64_t)json_array_size(list);
    if (*n > 0 && *n != length)
        return ls_fail(LEASH_FORMAT, "%s: short_factor and long_factor differ in length", path);
    *n = length;
    for (int64_t i = 0; i < length; i++)
        LS_TRY(get_number(&out[i], json_array_get(list, (size_t)i), key, path));
    return LEASH_OK;
}

/* One object of rotary parameters. */
static leash_status read_scaling(ls_model_config *out, const json_t *rope, const char *path)
{
    ls_rope_scaling *s = &out->rope_scaling;
    int type = LS_ROPE_DEFAULT;
    bool truncate = true;
    LS_TRY(get_word(&type, find(rope, "rope_type") ? find(rope, "rope_type") : find(rope, "type"),
                    ls_hf_rope_types, "rope_type", path));
    s->type = (ls_rope_type)type;
    for (const ls_hf_rope_key *key = ls_hf_rope_keys; key->name; key++)
        LS_TRY(get_number((double *)((char *)s + key->offset), find(rope, key->name), key->name,
                          path));
    LS_TRY(get_bool(&truncate, find(rope, "truncate"), "truncate", path));
    s->keeps_fractions = !truncate;
    LS_TRY(get_int(&s->original_max_position_embeddings,
                   find(rope, "original_max_position_embeddings"),
                   "original_max_position_embeddings", path));
    LS_TRY(get_factors(s->short_factor, &s->n_factors, find(rope, "short_factor"), "short_factor",
                       path));
    LS_TRY(
        get_factors(s->long_factor, &s->n_factors, find(rope, "long_factor"), "long_factor", path));
    LS_TRY(get_number(&out->partial_rotary_factor, find(rope, "partial_rotary_factor"),
                      "partial_rotary_factor", path));
    return get_number(&out->rope_theta, find(rope, "rope_theta"), "rope_theta", path);
}

/* Sliding layers may have a base of their own, but no scaling. */
static leash_status read_local_rope(ls_model_config *out, const json_t *rope, const char *path)
{
    int type = LS_ROPE_DEFAULT;
    LS_TRY(get_word(&type, find(rope, "rope_type"), ls_hf_rope_types, "rope_type", path));
    if (type != LS_ROPE_DEFAULT)
        return ls_fail(LEASH_UNSUPPORTED,
                       "%s: rope_parameters.sliding_attention of another rope_type than 'default'",
                       path);
    return get_number(&out->rope_local_base_freq, find(rope, "rope_theta"), "rope_theta", path);
}

static leash_status read_rope(ls_model_config *out, const json_t *config, const char *path)
{
    LS_TRY(get_number(&out->rope_theta, find(config, "rope_theta"), "rope_theta", path));
    LS_TRY(get_number(&out->partial_rotary_factor, find(config, "partial_rotary_factor"),
                      "partial_rotary_factor", path));
    const char *key = find(config, "rope_parameters") ? "rope_parameters" : "rope_scaling";
    const json_t *rope = find(config, key);
    if (rope && !json_is_object(rope))
        return fail_kind(rope, key, "no object", path);
    const json_t *full = find(rope, "full_attention"), *sliding = find(rope, "sliding_attention");
    if (rope)
        LS_TRY(read_scaling(out, full ? full : rope, path));
    if (sliding)
        LS_TRY(read_local_rope(out, sliding, path));
    return get_int(&out->rope_scaling.original_max_position_embeddings,
                   find(config, "original_max_position_embeddings"),
                   "original_max_position_embeddings", path);
}

/* ---- lists of layers ---- */

static leash_status find_list(const json_t **out, const json_t *config, const char *key,
                              const ls_model_config *c, const char *path)
{
    *out = find(config, key);
    if (*out == NULL)
        return LEASH_OK;
    char found[LS_JSON_BRIEF];
    if (!json_is_array(*out) || (int64_t)json_array_size(*out) != c->num_hidden_layers)
        return ls_fail(LEASH_FORMAT,
                       "%s: %s is no list of num_hidden_layers (%lld) entries: it is %s", path, key,
                       (long long)c->num_hidden_layers, ls_json_brief(found, *out));
    if (c->num_hidden_layers > LS_MOST_LAYERS)
        return ls_fail(LEASH_FORMAT, "%s: %lld layers, at most %d are supported", path,
                       (long long)c->num_hidden_layers, LS_MOST_LAYERS);
    return LEASH_OK;
}

static leash_status read_dense_layers(ls_model_config *out, const json_t *list, const char *path)
{
    if (list && !json_is_array(list))
        return fail_kind(list, "mlp_only_layers", "no list", path);
    for (size_t i = 0; i < json_array_size(list); i++) {
        int64_t l = -1;
        LS_TRY(get_int(&l, json_array_get(list, i), "mlp_only_layers", path));
        if (l >= 0 && l < LS_MOST_LAYERS)
            out->layers[l] |= LS_LAYER_DENSE;
    }
    return LEASH_OK;
}

static leash_status read_layer_types(ls_model_config *out, const json_t *config, const char *path)
{
    static const ls_hf_word kinds[] = {
        {"full_attention", 0}, {"sliding_attention", LS_LAYER_SLIDING}, {NULL, 0}};
    const json_t *list;
    LS_TRY(find_list(&list, config, "layer_types", out, path));
    out->has_layer_types = list != NULL;
    for (size_t l = 0; l < json_array_size(list); l++) {
        int bit = 0;
        LS_TRY(get_word(&bit, json_array_get(list, l), kinds, "layer_types", path));
        out->layers[l] |= (uint8_t)bit;
    }
    LS_TRY(find_list(&list, config, "no_rope_layers", out, path));
    out->has_no_rope_layers = list != NULL;
    for (size_t l = 0; l < json_array_size(list); l++) {
        int64_t is_rotated = 1;
        LS_TRY(get_int(&is_rotated, json_array_get(list, l), "no_rope_layers", path));
        if (!is_rotated)
            out->layers[l] |= LS_LAYER_NO_ROPE;
    }
    return read_dense_layers(out, find(config, "mlp_only_layers"), path);
}

/* ---- the head ---- */

/* "LlamaForSequenceClassification": the class says what stands on the hidden states. */
static void read_class(ls_model_config *out, const json_t *config)
{
    const char *name = json_string_value(json_array_get(find(config, "architectures"), 0));
    out->head = LS_HEAD_TOKENS;
    if (name && ls_ends_with(name, "ForSequenceClassification"))
        out->head = LS_HEAD_SCORE;
    else if (name && ls_ends_with(name, "ForTokenClassification"))
        out->head = LS_HEAD_TOKEN_SCORES;
}

/* transformers writes the names of labels, and takes two where it finds none. */
static leash_status read_head(ls_model_config *out, const json_t *config, const char *path)
{
    const json_t *labels = find(config, "id2label");
    out->num_labels = 0;
    read_class(out, config);
    int32_t pad;
    LS_TRY(get_token(&pad, find(config, "pad_token_id"), "pad_token_id", path));
    out->has_pad_token = pad >= 0;
    out->pad_token_id = pad >= 0 ? pad : 0;
    if (out->head == LS_HEAD_TOKENS)
        return LEASH_OK;
    if (labels && !json_is_object(labels))
        return fail_kind(labels, "id2label", "no object", path);
    out->num_labels = labels ? (int64_t)json_object_size(labels) : 2;
    return get_int(&out->num_labels, find(config, "num_labels"), "num_labels", path);
}

/* ---- the whole ---- */

static leash_status refuse_unsupported(const json_t *config, const char *path)
{
    if (find(config, "quantization_config"))
        return ls_fail(LEASH_UNSUPPORTED,
                       "%s: the weights are quantised; load the model at F32, F16 or BF16", path);
    double dropout = 0.0;
    LS_TRY(get_number(&dropout, find(config, "attention_dropout"), "attention_dropout", path));
    if (dropout > 0.0)
        ls_warn("%s: attention_dropout %g is left out", path, dropout);
    return LEASH_OK;
}

static leash_status check_head_dim(const ls_model_config *c, const json_t *config, const char *path)
{
    if (find(config, "head_dim") || c->num_attention_heads < 1 ||
        c->head_dim * c->num_attention_heads == c->hidden_size)
        return LEASH_OK;
    const ls_family *family;
    ls_model_config defaults;
    LS_TRY(ls_family_find(&family, c->family));
    family->defaults(&defaults);
    if (defaults.head_dim > 0 && !json_object_get(config, "head_dim"))
        return LEASH_OK;
    return ls_fail(LEASH_FORMAT,
                   "%s: head_dim is missing and hidden_size %lld is no multiple of "
                   "num_attention_heads %lld",
                   path, (long long)c->hidden_size, (long long)c->num_attention_heads);
}

static leash_status read_config(ls_model_config *out, const json_t *config, const char *path)
{
    const char *name = json_string_value(find(config, "model_type"));
    if (name == NULL || strlen(name) >= sizeof out->family)
        return fail_kind(find(config, "model_type"), "model_type",
                         "no name of a family, such as llama", path);
    const ls_family *family;
    leash_status status = ls_family_find(&family, name);
    if (status != LEASH_OK)
        return ls_fail_in(status, "%s", path);
    family->defaults(out);
    LS_TRY(refuse_unsupported(config, path));
    for (size_t i = 0; i < family->n_keys; i++)
        LS_TRY(read_key(out, config, &family->keys[i], path));
    LS_TRY(read_rope(out, config, path));
    LS_TRY(read_layer_types(out, config, path));
    LS_TRY(read_head(out, config, path));
    ls_model_config_complete(out, family);
    LS_TRY(check_head_dim(out, config, path));
    status = family->check(out);
    return status == LEASH_OK ? LEASH_OK : ls_fail_in(status, "%s", path);
}

leash_status ls_hf_read_config_text(ls_model_config *out, const char *json, size_t n,
                                    const char *path)
{
    json_error_t error;
    json_t *config = json_loadb(json, n, JSON_REJECT_DUPLICATES, &error);
    leash_status status;
    if (config == NULL)
        status = ls_fail(LEASH_FORMAT, "%s: line %d: %s", path, error.line, error.text);
    else if (!json_is_object(config))
        status = ls_fail(LEASH_FORMAT, "%s: is no JSON object", path);
    else
        status = read_config(out, config, path);
    json_decref(config);
    return status;
}

leash_status ls_hf_read_config(ls_model_config *out, const char *dir)
{
    char path[LS_PATH_MAX];
    ls_str text = LS_STR_INIT;
    leash_status status = ls_file_read(&text, ls_path_join(path, dir, "config.json"));
    if (status == LEASH_OK)
        status = ls_hf_read_config_text(out, text.data, text.len, path);
    ls_str_release(&text);
    return status;
}
