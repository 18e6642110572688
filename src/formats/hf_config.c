/* config.json of a Hugging Face folder: reading it strictly enough that what cannot be computed
 * here is refused by name.
 *
 * An absent key takes the default of the transformers class; null means none.  Sizes have no
 * default: a file that lacks one is refused instead of guessed. */
#include "formats/hf_folder.h"

#include <jansson.h>
#include <string.h>
#include "base/file.h"

/* The value of a key, NULL when absent or null. */
static json_t *find(const json_t *config, const char *key)
{
    json_t *value = json_object_get(config, key);
    return json_is_null(value) ? NULL : value;
}

static leash_status read_int(int64_t *out, const json_t *config, const char *key, const char *path)
{
    json_t *value = find(config, key);
    if (value == NULL)
        return LEASH_OK;
    if (!json_is_integer(value))
        return ls_fail(LEASH_FORMAT, "%s: %s is no integer", path, key);
    *out = json_integer_value(value);
    return LEASH_OK;
}

static leash_status require_int(int64_t *out, const json_t *config, const char *key,
                                const char *path)
{
    if (find(config, key) == NULL)
        return ls_fail(LEASH_FORMAT, "%s: %s is missing", path, key);
    return read_int(out, config, key, path);
}

static leash_status read_double(double *out, const json_t *config, const char *key,
                                const char *path)
{
    json_t *value = find(config, key);
    if (value == NULL)
        return LEASH_OK;
    if (!json_is_number(value))
        return ls_fail(LEASH_FORMAT, "%s: %s is no number", path, key);
    *out = json_number_value(value);
    return LEASH_OK;
}

/* A token id, the first of a list of ids, or null for none (-1). */
static leash_status read_token(int32_t *out, const json_t *config, const char *key,
                               const char *path)
{
    json_t *value = json_object_get(config, key);
    if (value == NULL)
        return LEASH_OK;
    if (json_is_array(value))
        value = json_array_get(value, 0);
    *out = -1;
    if (value == NULL || json_is_null(value))
        return LEASH_OK;
    json_int_t id = json_integer_value(value);
    if (!json_is_integer(value) || id < -1 || id > INT32_MAX)
        return ls_fail(LEASH_FORMAT, "%s: %s is no token id", path, key);
    *out = (int32_t)id;
    return LEASH_OK;
}

static leash_status read_bool(bool *out, const json_t *config, const char *key, const char *path)
{
    json_t *value = find(config, key);
    if (value == NULL)
        return LEASH_OK;
    if (!json_is_boolean(value))
        return ls_fail(LEASH_FORMAT, "%s: %s is neither true nor false", path, key);
    *out = json_is_true(value);
    return LEASH_OK;
}

static leash_status refuse_true(const json_t *config, const char *key, const char *path)
{
    bool value = false;
    LS_TRY(read_bool(&value, config, key, path));
    if (value)
        return ls_fail(LEASH_UNSUPPORTED, "%s: %s is true; models with it are not supported", path,
                       key);
    return LEASH_OK;
}

/* rope_parameters (transformers 5) or rope_theta and rope_scaling (before): only plain rotary
 * positions. */
static leash_status read_rope(ls_model_config *out, const json_t *config, const char *path)
{
    out->rope_theta = 10000.0;
    LS_TRY(read_double(&out->rope_theta, config, "rope_theta", path));
    const char *const keys[] = {"rope_scaling", "rope_parameters"};
    for (size_t i = 0; i < LS_COUNT(keys); i++) {
        json_t *rope = find(config, keys[i]);
        if (rope == NULL)
            continue;
        if (!json_is_object(rope))
            return ls_fail(LEASH_FORMAT, "%s: %s is no object", path, keys[i]);
        json_t *type = find(rope, "rope_type") ? find(rope, "rope_type") : find(rope, "type");
        if (type && (!json_is_string(type) || strcmp(json_string_value(type), "default") != 0))
            return ls_fail(LEASH_UNSUPPORTED, "%s: %s of type '%.40s'; only 'default' is supported",
                           path, keys[i], json_is_string(type) ? json_string_value(type) : "?");
        LS_TRY(read_double(&out->rope_theta, rope, "rope_theta", path));
        double part = 1.0;
        LS_TRY(read_double(&part, rope, "partial_rotary_factor", path));
        if (part != 1.0)
            return ls_fail(LEASH_UNSUPPORTED, "%s: partial_rotary_factor %g; only 1 is supported",
                           path, part);
    }
    return LEASH_OK;
}

static leash_status read_sizes(ls_model_config *out, const json_t *config, const char *path)
{
    LS_TRY(require_int(&out->vocab_size, config, "vocab_size", path));
    LS_TRY(require_int(&out->hidden_size, config, "hidden_size", path));
    LS_TRY(require_int(&out->intermediate_size, config, "intermediate_size", path));
    LS_TRY(require_int(&out->num_hidden_layers, config, "num_hidden_layers", path));
    LS_TRY(require_int(&out->num_attention_heads, config, "num_attention_heads", path));
    out->num_key_value_heads = out->num_attention_heads;
    LS_TRY(read_int(&out->num_key_value_heads, config, "num_key_value_heads", path));
    if (find(config, "head_dim"))
        return read_int(&out->head_dim, config, "head_dim", path);
    if (out->num_attention_heads < 1 || out->hidden_size % out->num_attention_heads != 0)
        return ls_fail(LEASH_FORMAT,
                       "%s: head_dim is missing and hidden_size %lld is no multiple of "
                       "num_attention_heads %lld",
                       path, (long long)out->hidden_size, (long long)out->num_attention_heads);
    out->head_dim = out->hidden_size / out->num_attention_heads;
    return LEASH_OK;
}

static leash_status refuse_unsupported(const json_t *config, const char *path)
{
    LS_TRY(refuse_true(config, "attention_bias", path));
    LS_TRY(refuse_true(config, "mlp_bias", path));
    json_t *activation = find(config, "hidden_act");
    if (activation &&
        (!json_is_string(activation) || strcmp(json_string_value(activation), "silu") != 0))
        return ls_fail(LEASH_UNSUPPORTED, "%s: hidden_act is not 'silu'", path);
    if (find(config, "quantization_config"))
        return ls_fail(LEASH_UNSUPPORTED,
                       "%s: the weights are quantised; load the model at F32, F16 or BF16", path);
    return LEASH_OK;
}

static leash_status read_config(ls_model_config *out, const json_t *config, const char *path)
{
    *out = (ls_model_config){.rms_norm_eps = 1e-6,
                             .initializer_range = 0.02,
                             .max_position_embeddings = 2048,
                             .bos_token_id = 1,
                             .eos_token_id = 2};
    const char *family = json_string_value(find(config, "model_type"));
    if (family == NULL || strlen(family) >= sizeof out->family)
        return ls_fail(LEASH_FORMAT, "%s: model_type is missing or no name", path);
    memcpy(out->family, family, strlen(family) + 1);
    const ls_family *found;
    leash_status status = ls_family_find(&found, family);
    if (status != LEASH_OK)
        return ls_fail_in(status, "%s", path);
    LS_TRY(refuse_unsupported(config, path));
    LS_TRY(read_sizes(out, config, path));
    LS_TRY(read_int(&out->max_position_embeddings, config, "max_position_embeddings", path));
    LS_TRY(read_double(&out->rms_norm_eps, config, "rms_norm_eps", path));
    LS_TRY(read_double(&out->initializer_range, config, "initializer_range", path));
    LS_TRY(read_rope(out, config, path));
    LS_TRY(read_bool(&out->tie_word_embeddings, config, "tie_word_embeddings", path));
    LS_TRY(read_token(&out->bos_token_id, config, "bos_token_id", path));
    LS_TRY(read_token(&out->eos_token_id, config, "eos_token_id", path));
    status = found->check(out);
    return status == LEASH_OK ? LEASH_OK : ls_fail_in(status, "%s", path);
}

leash_status ls_hf_read_config(ls_model_config *out, const char *dir)
{
    char path[LS_PATH_MAX];
    ls_path_join(path, dir, "config.json");
    ls_str text = LS_STR_INIT;
    leash_status status = ls_file_read(&text, path);
    json_error_t error;
    json_t *config = NULL;
    if (status == LEASH_OK) {
        config = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &error);
        if (config == NULL)
            status = ls_fail(LEASH_FORMAT, "%s: line %d: %s", path, error.line, error.text);
        else if (!json_is_object(config))
            status = ls_fail(LEASH_FORMAT, "%s: is no JSON object", path);
        else
            status = read_config(out, config, path);
    }
    json_decref(config);
    ls_str_release(&text);
    return status;
}
