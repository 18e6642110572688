/* Weights of a PEFT folder, and saving one. */
#include "formats/peft.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "formats/safetensors.h"

#define WEIGHTS_NAME "adapter_model.safetensors"
/* At most this many names of a kind are listed in an error. */
#define MOST_LISTED 8

bool ls_peft_is_folder(const char *dir)
{
    char path[LS_PATH_MAX];
    return strlen(dir) + 32 < LS_PATH_MAX &&
           ls_file_exists(ls_path_join(path, dir, "adapter_config.json"));
}

/* --- loading --- */

typedef struct { /* one kind of mismatch, for the message */
    ls_str text;
    int64_t n;
} name_list;

static void list_name(name_list *list, const char *what, const char *name)
{
    if (list->n < MOST_LISTED)
        ls_str_appendf(&list->text, "%s%s", list->n > 0 ? ", " : what, name);
    else if (list->n == MOST_LISTED)
        ls_str_append(&list->text, ", ...");
    list->n++;
}

static const ls_weight *find_matrix(const ls_adapter *adapter, const char *name)
{
    for (int64_t i = 0; i < adapter->n_weights; i++)
        if (strcmp(adapter->weights[i].name, name) == 0)
            return &adapter->weights[i];
    return NULL;
}

static void check_matrix(const ls_weight *w, const ls_st_file *file, name_list *missing,
                         name_list *misshapen)
{
    const ls_st_tensor *t = ls_st_find(file, w->name);
    if (!t) {
        list_name(missing, "; missing ", w->name);
        return;
    }
    if (t->rank == 2 && t->shape[0] == w->rows && t->shape[1] == w->cols)
        return;
    ls_str text = LS_STR_INIT;
    ls_str_appendf(&text, "%s [", w->name);
    for (int32_t i = 0; i < t->rank; i++)
        ls_str_appendf(&text, "%s%lld", i > 0 ? "," : "", (long long)t->shape[i]);
    ls_str_appendf(&text, "] instead of [%lld,%lld]", (long long)w->rows, (long long)w->cols);
    list_name(misshapen, "; of another shape ", text.data);
    ls_str_release(&text);
}

static leash_status check_table(const ls_adapter *adapter, const ls_st_file *file, const char *path)
{
    name_list missing = {LS_STR_INIT, 0}, misshapen = {LS_STR_INIT, 0},
              unexpected = {LS_STR_INIT, 0};
    for (int64_t i = 0; i < adapter->n_weights; i++)
        check_matrix(&adapter->weights[i], file, &missing, &misshapen);
    for (int64_t i = 0; i < file->n_tensors; i++)
        if (!find_matrix(adapter, file->tensors[i].name))
            list_name(&unexpected, "; unexpected ", file->tensors[i].name);
    leash_status status = LEASH_OK;
    if (missing.n + misshapen.n + unexpected.n > 0)
        status =
            ls_fail(LEASH_FORMAT, "%s does not fit the model and its adapter_config.json%s%s%s",
                    path, missing.text.data, misshapen.text.data, unexpected.text.data);
    ls_str_release(&missing.text);
    ls_str_release(&misshapen.text);
    ls_str_release(&unexpected.text);
    return status;
}

static leash_status load_matrix(const ls_weight *w, const ls_st_file *file, const char *path)
{
    LS_TRY(ls_st_to_float(w->data, ls_st_find(file, w->name), path));
    for (int64_t i = 0; i < w->rows * w->cols; i++)
        if (!isfinite(w->data[i]))
            return ls_fail(LEASH_FORMAT, "%s: %s has a value that is not finite, at row %lld", path,
                           w->name, (long long)(i / w->cols));
    return LEASH_OK;
}

static leash_status load(ls_model *model, const ls_st_file *file, const char *path)
{
    const ls_adapter *adapter = model->adapter;
    LS_TRY(check_table(adapter, file, path));
    for (int64_t i = 0; i < adapter->n_weights && !model->dev->k->is_null; i++)
        LS_TRY(load_matrix(&adapter->weights[i], file, path));
    return LEASH_OK;
}

leash_status ls_peft_load_weights(ls_model *model, const char *dir)
{
    char path[LS_PATH_MAX], legacy[LS_PATH_MAX];
    ls_st_file file;
    ls_path_join(path, dir, WEIGHTS_NAME);
    if (!ls_file_exists(path) && ls_file_exists(ls_path_join(legacy, dir, "adapter_model.bin")))
        return ls_fail(LEASH_UNSUPPORTED,
                       "%s: a pickle runs what is written in it; save the adapter again with "
                       "safe_serialization=True",
                       legacy);
    LS_TRY(ls_st_open(&file, path));
    leash_status status = load(model, &file, path);
    ls_st_close(&file);
    return status;
}

/* --- saving --- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* The last parts of the adapted modules' names, each once: what PEFT makes of "all-linear". */
static json_t *list_modules(const ls_adapter *adapter)
{
    int64_t n = adapter->n_weights / 2, n_names = 0;
    char(*parts)[96] = ls_calloc((size_t)n, sizeof *parts);
    const char **names = ls_calloc((size_t)n, sizeof *names);
    for (int64_t i = 0; i < n; i++) {
        char module[96];
        snprintf(module, sizeof module, "%s", adapter->bases[i]->name);
        module[strlen(module) - strlen(".weight")] = '\0';
        const char *dot = strrchr(module, '.');
        snprintf(parts[i], sizeof parts[i], "%s", dot ? dot + 1 : module);
        bool is_new = true;
        for (int64_t j = 0; j < n_names; j++)
            is_new = is_new && strcmp(names[j], parts[i]) != 0;
        if (is_new)
            names[n_names++] = parts[i];
    }
    qsort(names, (size_t)n_names, sizeof *names, compare_names);
    json_t *list = json_array();
    for (int64_t i = 0; i < n_names; i++)
        json_array_append_new(list, json_string(names[i]));
    ls_free(names);
    ls_free(parts);
    return list;
}

static json_t *list_set(const ls_module_set *set)
{
    if (set->pattern)
        return json_string(set->pattern);
    if (set->n_names == 0)
        return json_null();
    json_t *list = json_array();
    for (int64_t i = 0; i < set->n_names; i++)
        json_array_append_new(list, json_string(set->names[i]));
    return list;
}

static json_t *number(double value)
{
    return value == floor(value) && fabs(value) < 1e15 ? json_integer((json_int_t)value)
                                                       : json_real(value);
}

static json_t *object_of(const ls_module_value *values, int64_t n)
{
    json_t *object = json_object();
    for (int64_t i = 0; i < n; i++)
        json_object_set_new(object, values[i].key, number(values[i].value));
    return object;
}

static json_t *list_layers(const ls_lora_spec *spec)
{
    if (spec->n_layers == 0)
        return json_null();
    json_t *list = json_array();
    for (int64_t i = 0; i < spec->n_layers; i++)
        json_array_append_new(list, json_integer(spec->layers[i]));
    return list;
}

/* The fields that every version of peft since DoRA knows. */
static json_t *make_config(const ls_model *model)
{
    const ls_lora_spec *spec = model->adapter->spec;
    const struct {
        const char *key;
        json_t *value;
    } fields[] = {
        {"alpha_pattern", object_of(spec->alpha_pattern, spec->n_alpha_pattern)},
        {"auto_mapping", json_null()},
        {"base_model_name_or_path", json_string(model->adapter->base_model)},
        {"bias", json_string("none")},
        {"fan_in_fan_out", json_boolean(strcmp(model->config.family, "gpt2") == 0)},
        {"inference_mode", json_true()},
        {"init_lora_weights", json_true()},
        {"layers_pattern", spec->layers_pattern ? json_string(spec->layers_pattern) : json_null()},
        {"layers_to_transform", list_layers(spec)},
        {"lora_alpha", number(spec->lora_alpha)},
        {"lora_dropout", json_real(0)},
        {"modules_to_save", json_null()},
        {"peft_type", json_string("LORA")},
        {"r", json_integer(spec->r)},
        {"rank_pattern", object_of(spec->rank_pattern, spec->n_rank_pattern)},
        {"revision", json_null()},
        {"target_modules", spec->target_modules.is_all ? list_modules(model->adapter)
                                                       : list_set(&spec->target_modules)},
        {"task_type", json_string("CAUSAL_LM")},
        {"use_dora", json_false()},
        {"use_rslora", json_boolean(spec->use_rslora)},
    };
    json_t *config = json_object();
    for (size_t i = 0; i < LS_COUNT(fields); i++)
        json_object_set_new(config, fields[i].key, fields[i].value);
    if (spec->exclude_modules.n_names > 0 || spec->exclude_modules.pattern)
        json_object_set_new(config, "exclude_modules", list_set(&spec->exclude_modules));
    return config;
}

static leash_status save_config(const ls_model *model, const char *dir)
{
    char path[LS_PATH_MAX];
    ls_path_join(path, dir, "adapter_config.json");
    json_t *config = make_config(model);
    char *text = json_dumps(config, JSON_INDENT(2) | JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
    json_decref(config);
    if (!text)
        return ls_fail(LEASH_FORMAT, "%s: a name is no UTF-8", path);
    leash_status status = ls_file_write_synced(path, text, strlen(text));
    free(text); /* jansson's */
    return status;
}

leash_status ls_peft_save(const ls_model *model, const char *dir)
{
    const ls_adapter *adapter = model->adapter;
    char path[LS_PATH_MAX];
    LS_TRY(save_config(model, dir));
    ls_st_source *sources = ls_calloc((size_t)adapter->n_weights, sizeof *sources);
    for (int64_t i = 0; i < adapter->n_weights; i++) {
        const ls_weight *w = &adapter->weights[i];
        sources[i] = (ls_st_source){
            .name = w->name, .data = w->data, .shape = {w->rows, w->cols}, .rank = 2};
    }
    leash_status status =
        ls_st_write(ls_path_join(path, dir, WEIGHTS_NAME), sources, adapter->n_weights);
    ls_free(sources);
    return status;
}
