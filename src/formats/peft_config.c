/* adapter_config.json: what is adapted and how, read so that nothing that changes the computation
 * is passed over.  Source: peft, src/peft/config.py and tuners/lora/config.py. */
#include "formats/peft.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "formats/json_brief.h"

#define MOST_RANK (1 << 16)
#define MOST_ENTRIES 65536

typedef struct reader {
    const char *path;
    const json_t *config;
} reader;

/* The value of a key, NULL when absent or null. */
static json_t *find(const reader *r, const char *key)
{
    json_t *value = json_object_get(r->config, key);
    return json_is_null(value) ? NULL : value;
}

static leash_status fail_kind(const reader *r, const char *key, const char *expected)
{
    char found[LS_JSON_BRIEF];
    return ls_fail(LEASH_FORMAT, "%s: %s is not %s: it is %s", r->path, key, expected,
                   ls_json_brief(found, json_object_get(r->config, key)));
}

/* Fields with one value that can be computed here: absent, null, that value, or empty. */
static bool is_value(const json_t *value, const char *text)
{
    if (json_is_string(value))
        return strcmp(json_string_value(value), text) == 0;
    if (json_is_array(value))
        return json_array_size(value) == 0;
    if (json_is_object(value))
        return json_object_size(value) == 0;
    return json_is_false(value);
}

static leash_status refuse(const reader *r)
{
    static const struct {
        const char *key, *only; /* the text that is fine */
    } rows[] = {
        {"bias", "none"},          {"modules_to_save", ""},
        {"use_dora", ""},          {"layer_replication", ""},
        {"lora_bias", ""},         {"target_parameters", ""},
        {"use_qalora", ""},        {"trainable_token_indices", ""},
        {"use_bdlora", ""},        {"alora_invocation_tokens", ""},
        {"arrow_config", ""},      {"kasa_config", ""},
        {"velora_config", ""},     {"use_arrow", ""},
        {"monteclora_config", ""},
    };
    for (size_t i = 0; i < LS_COUNT(rows); i++) {
        const json_t *value = find(r, rows[i].key);
        if (!value || is_value(value, rows[i].only))
            continue;
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
        leash_status status =
            ls_fail(LEASH_UNSUPPORTED, "%s: %s is %.60s; adapters with it are not supported",
                    r->path, rows[i].key, text ? text : "?");
        free(text); /* jansson's */
        return status;
    }
    return LEASH_OK;
}

/* Fields of peft that are read here, or change nothing once an adapter is trained. */
static const char *const known[] = {
    "alora_invocation_tokens",
    "alpha_pattern",
    "arrow_config",
    "auto_mapping",
    "base_model_name_or_path",
    "bias",
    "corda_config",
    "ensure_weight_tying",
    "eva_config",
    "exclude_modules",
    "fan_in_fan_out",
    "inference_mode",
    "kasa_config",
    "init_lora_weights",
    "layer_replication",
    "layers_pattern",
    "layers_to_transform",
    "loftq_config",
    "lora_alpha",
    "lora_bias",
    "lora_dropout",
    "lora_ga_config",
    "megatron_config",
    "megatron_core",
    "modules_to_save",
    "monteclora_config",
    "peft_type",
    "peft_version",
    "qalora_group_size",
    "r",
    "rank_pattern",
    "revision",
    "runtime_config",
    "target_modules",
    "target_parameters",
    "task_type",
    "trainable_token_indices",
    "use_arrow",
    "use_bdlora",
    "use_dora",
    "use_qalora",
    "use_rslora",
    "velora_config",
};

static void warn_of_unknown(const reader *r)
{
    ls_str names = LS_STR_INIT;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)r->config, key, value)
    {
        bool is_known = false;
        for (size_t i = 0; i < LS_COUNT(known); i++)
            is_known = is_known || strcmp(known[i], key) == 0;
        if (!is_known)
            ls_str_appendf(&names, "%s%s", names.len > 0 ? ", " : "", key);
    }
    if (names.len > 0)
        ls_warn("%s: unknown fields are passed over: %s", r->path, names.data);
    ls_str_release(&names);
}

/* Initialisations that change the matrices underneath. */
static void warn_of_init(const reader *r)
{
    static const char *const changing[] = {"pissa", "olora", "corda", "loftq", "lora_ga"};
    const char *kind = json_string_value(find(r, "init_lora_weights"));
    for (size_t i = 0; kind && i < LS_COUNT(changing); i++)
        if (strncmp(kind, changing[i], strlen(changing[i])) == 0)
            ls_warn("%s: init_lora_weights is %s, which changes the model underneath: the adapter "
                    "is right on that changed model alone, unless it was converted when saved",
                    r->path, kind);
    const json_t *dropout = find(r, "lora_dropout");
    if (json_is_number(dropout) && json_number_value(dropout) != 0)
        ls_warn("%s: lora_dropout is %g; training continues without", r->path,
                json_number_value(dropout));
}

/* --- fields --- */

static leash_status read_rank(int64_t *out, const reader *r, const char *key, const json_t *value)
{
    json_int_t rank = json_integer_value(value);
    if (!json_is_integer(value) || rank < 1 || rank > MOST_RANK)
        return fail_kind(r, key, "a rank of 1 to 65536");
    *out = rank;
    return LEASH_OK;
}

static leash_status read_alpha(double *out, const reader *r, const char *key, const json_t *value)
{
    double alpha = json_number_value(value);
    if (!json_is_number(value) || !isfinite(alpha) || fabs(alpha) > 1e9)
        return fail_kind(r, key, "a number");
    *out = alpha;
    return LEASH_OK;
}

static leash_status read_names(char ***out, int64_t *n, const reader *r, const char *key,
                               const json_t *list)
{
    size_t count = json_array_size(list);
    if (count > MOST_ENTRIES)
        return fail_kind(r, key, "a list of at most 65536 names");
    *out = ls_calloc(count + 1, sizeof **out);
    for (size_t i = 0; i < count; i++) {
        const char *name = json_string_value(json_array_get(list, i));
        if (!name || !name[0])
            return fail_kind(r, key, "a list of names");
        (*out)[(*n)++] = ls_strdup(name);
    }
    return LEASH_OK;
}

static leash_status read_set(ls_module_set *out, const reader *r, const char *key)
{
    const json_t *value = find(r, key);
    if (!value)
        return LEASH_OK;
    if (json_is_array(value))
        return read_names(&out->names, &out->n_names, r, key, value);
    if (!json_is_string(value))
        return fail_kind(r, key, "a list of names or a pattern");
    if (strcmp(json_string_value(value), "all-linear") == 0)
        out->is_all = true;
    else
        out->pattern = ls_strdup(json_string_value(value));
    return LEASH_OK;
}

static leash_status read_pattern(ls_module_value **out, int64_t *n, const reader *r,
                                 const char *key, bool is_rank)
{
    json_t *object = find(r, key), *value;
    const char *name;
    if (!object)
        return LEASH_OK;
    if (!json_is_object(object) || json_object_size(object) > MOST_ENTRIES)
        return fail_kind(r, key, "an object of module names");
    *out = ls_calloc(json_object_size(object) + 1, sizeof **out);
    json_object_foreach(object, name, value)
    {
        ls_module_value *entry = &(*out)[(*n)++];
        int64_t rank = 0;
        entry->key = ls_strdup(name);
        if (is_rank) {
            LS_TRY(read_rank(&rank, r, key, value));
            entry->value = (double)rank;
        } else {
            LS_TRY(read_alpha(&entry->value, r, key, value));
        }
    }
    return LEASH_OK;
}

static leash_status read_layers(ls_lora_spec *out, const reader *r)
{
    const json_t *layers = find(r, "layers_to_transform"), *pattern = find(r, "layers_pattern");
    if (json_is_array(pattern) && json_array_size(pattern) == 1)
        pattern = json_array_get(pattern, 0);
    if (pattern && !is_value(pattern, "")) {
        if (!json_is_string(pattern))
            return fail_kind(r, "layers_pattern", "one pattern");
        out->layers_pattern = ls_strdup(json_string_value(pattern));
    }
    if (!layers)
        return LEASH_OK;
    bool is_list = json_is_array(layers);
    size_t n = is_list ? json_array_size(layers) : 1;
    if (n > MOST_ENTRIES)
        return fail_kind(r, "layers_to_transform", "a list of layer numbers");
    out->layers = ls_calloc(n + 1, sizeof *out->layers);
    for (size_t i = 0; i < n; i++) {
        const json_t *layer = is_list ? json_array_get(layers, i) : layers;
        if (!json_is_integer(layer))
            return fail_kind(r, "layers_to_transform", "a list of layer numbers");
        out->layers[out->n_layers++] = json_integer_value(layer);
    }
    return LEASH_OK;
}

static leash_status read_type(const reader *r)
{
    const json_t *type = find(r, "peft_type"), *task = find(r, "task_type");
    if (!json_is_string(type))
        return fail_kind(r, "peft_type", "the name of an adapter of peft");
    if (strcmp(json_string_value(type), "LORA") != 0)
        return ls_fail(LEASH_UNSUPPORTED, "%s: peft_type is %.40s; only LORA is supported", r->path,
                       json_string_value(type));
    if (task && !is_value(task, "CAUSAL_LM"))
        return ls_fail(LEASH_UNSUPPORTED, "%s: task_type is %.40s; only CAUSAL_LM is supported",
                       r->path, json_is_string(task) ? json_string_value(task) : "no text");
    return LEASH_OK;
}

static leash_status read_fields(ls_peft_config *out, const reader *r)
{
    ls_lora_spec *spec = &out->spec;
    const json_t *rank = find(r, "r"), *alpha = find(r, "lora_alpha"),
                 *rslora = find(r, "use_rslora"), *base = find(r, "base_model_name_or_path");
    LS_TRY(read_type(r));
    LS_TRY(refuse(r));
    spec->r = 8; /* peft's defaults */
    spec->lora_alpha = 8;
    if (rank)
        LS_TRY(read_rank(&spec->r, r, "r", rank));
    if (alpha)
        LS_TRY(read_alpha(&spec->lora_alpha, r, "lora_alpha", alpha));
    if (rslora && !json_is_boolean(rslora))
        return fail_kind(r, "use_rslora", "true or false");
    spec->use_rslora = json_is_true(rslora);
    if (base && !json_is_string(base))
        return fail_kind(r, "base_model_name_or_path", "a text");
    out->base_model = ls_strdup(base ? json_string_value(base) : "");
    LS_TRY(read_set(&spec->target_modules, r, "target_modules"));
    const ls_module_set *targets = &spec->target_modules;
    if (targets->n_names == 0 && !targets->pattern && !targets->is_all)
        return ls_fail(LEASH_FORMAT, "%s: target_modules is missing", r->path);
    LS_TRY(read_set(&spec->exclude_modules, r, "exclude_modules"));
    LS_TRY(read_pattern(&spec->rank_pattern, &spec->n_rank_pattern, r, "rank_pattern", true));
    LS_TRY(read_pattern(&spec->alpha_pattern, &spec->n_alpha_pattern, r, "alpha_pattern", false));
    return read_layers(spec, r);
}

leash_status ls_peft_read_config_text(ls_peft_config *out, const char *json, size_t n,
                                      const char *path)
{
    json_error_t error;
    memset(out, 0, sizeof *out);
    json_t *config = json_loadb(json, n, JSON_REJECT_DUPLICATES, &error);
    reader r = {.path = path, .config = config};
    leash_status status = LEASH_OK;
    if (!config)
        status = ls_fail(LEASH_FORMAT, "%s:%d: no valid JSON: %s", path, error.line, error.text);
    else if (!json_is_object(config))
        status = ls_fail(LEASH_FORMAT, "%s: no JSON object", path);
    else
        status = read_fields(out, &r);
    if (status == LEASH_OK) {
        warn_of_unknown(&r);
        warn_of_init(&r);
    } else {
        ls_peft_config_release(out);
    }
    json_decref(config);
    return status;
}

leash_status ls_peft_read_config(ls_peft_config *out, const char *dir)
{
    char path[LS_PATH_MAX];
    ls_str text = LS_STR_INIT;
    memset(out, 0, sizeof *out);
    leash_status status = ls_file_read(&text, ls_path_join(path, dir, "adapter_config.json"));
    if (status == LEASH_OK)
        status = ls_peft_read_config_text(out, text.data, text.len, path);
    ls_str_release(&text);
    return status;
}

void ls_peft_config_release(ls_peft_config *config)
{
    ls_lora_spec_release(&config->spec);
    ls_free(config->base_model);
    config->base_model = NULL;
}
