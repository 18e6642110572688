/* Loading a Hugging Face folder, and saving one that transformers loads. */
#include "formats/hf_folder.h"

#include <stdio.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "formats/hf_config.h"
#include "formats/json_edit.h"
#include "formats/model_files.h"
#include "formats/safetensors.h"
#include "model/decoder.h"

leash_status ls_hf_load_weights(ls_model *model, const char *dir)
{
    ls_model_files files;
    LS_TRY(ls_model_files_open(&files, dir));
    leash_status status = ls_model_files_load(model, &files);
    ls_model_files_close(&files);
    return status;
}

leash_status ls_hf_new_stored(ls_model **out, const ls_model_config *config, ls_device *dev,
                              ls_arena *arena, const char *dir)
{
    ls_model_files files;
    LS_TRY(ls_model_files_open(&files, dir));
    leash_status status = ls_model_files_new_stored(out, config, dev, arena, &files);
    ls_model_files_close(&files);
    return status;
}

bool ls_hf_is_transposed(const ls_family *family, const ls_weight *w)
{
    const ls_decoder_design *design = family->design;
    return design->is_stored_transposed && !ls_is_vector(w) &&
           ls_starts_with(w->name, design->layers);
}

static const char *dtype_of(const ls_quant_type *type)
{
    if (strcmp(type->name, "BF16") == 0)
        return "bfloat16";
    return strcmp(type->name, "F16") == 0 ? "float16" : "float32";
}

/* Class and labels, where the model has another head than the one it was loaded with. */
static void set_head(ls_str *json, const ls_model *model)
{
    ls_str class = LS_STR_INIT, names = LS_STR_INIT, ids = LS_STR_INIT;
    ls_str_append(&class, "[\"");
    ls_hf_append_class(&class, &model->config, model->family);
    ls_str_append(&class, "\"]");
    ls_hf_append_labels(&names, &ids, model->config.num_labels);
    ls_json_set_key(json, "architectures", class.data);
    ls_json_set_key(json, "id2label", names.data);
    ls_json_set_key(json, "label2id", ids.data);
    ls_str_release(&class);
    ls_str_release(&names);
    ls_str_release(&ids);
}

/* The source's text with what has changed. */
static void append_kept_config(ls_str *json, const ls_model *model, const char *dtype)
{
    char value[64];
    const ls_model_config *c = &model->config;
    ls_str_append(json, model->config_text);
    snprintf(value, sizeof value, "\"%s\"", dtype);
    bool is_new = ls_json_has_key(json->data, "dtype"); /* as version 5 of transformers writes */
    ls_json_set_key(json, is_new ? "dtype" : "torch_dtype", value);
    snprintf(value, sizeof value, "%lld", (long long)c->vocab_size);
    ls_json_set_key(json, "vocab_size", value);
    if (ls_json_has_key(json->data, "tie_word_embeddings"))
        ls_json_set_key(json, "tie_word_embeddings", c->tie_word_embeddings ? "true" : "false");
    if (model->has_new_head)
        set_head(json, model);
    ls_json_remove_key(json, "auto_map");
}

static leash_status save_config(const ls_model *model, const char *dir, const ls_quant_type *type)
{
    char path[LS_PATH_MAX];
    ls_str json = LS_STR_INIT;
    if (model->config_text)
        append_kept_config(&json, model, dtype_of(type));
    else
        ls_hf_append_config(&json, &model->config, model->family, dtype_of(type));
    leash_status status =
        ls_file_write_synced(ls_path_join(path, dir, "config.json"), json.data, json.len);
    ls_str_release(&json);
    return status;
}

static void append_token(ls_str *json, const char *key, int32_t id)
{
    if (id >= 0)
        ls_str_appendf(json, "  \"%s\": %d,\n", key, (int)id);
    else
        ls_str_appendf(json, "  \"%s\": null,\n", key);
}

static leash_status save_generation_config(const ls_model *model, const char *dir)
{
    char path[LS_PATH_MAX];
    ls_str json = LS_STR_INIT;
    ls_str_append(&json, "{\n");
    append_token(&json, "bos_token_id", model->config.bos_token_id);
    append_token(&json, "eos_token_id", model->config.eos_token_id);
    ls_str_append(&json, "  \"_from_model_config\": true\n}\n");
    leash_status status = ls_file_write_synced(ls_path_join(path, dir, "generation_config.json"),
                                               json.data, json.len);
    ls_str_release(&json);
    return status;
}

/* (rows, cols) turned.  Caller frees. */
static float *turned(const ls_weight *w)
{
    float *out = ls_malloc(ls_mul_size((size_t)(w->rows * w->cols), sizeof *out));
    for (int64_t i = 0; i < w->rows; i++)
        for (int64_t j = 0; j < w->cols; j++)
            out[j * w->rows + i] = w->data[i * w->cols + j];
    return out;
}

static leash_status save_weights(const ls_model *model, const char *dir, const ls_quant_type *type)
{
    char path[LS_PATH_MAX];
    size_t n = (size_t)model->n_weights;
    ls_st_source *sources = ls_calloc(n, sizeof *sources);
    float **copies = ls_calloc(n, sizeof *copies);
    for (size_t i = 0; i < n; i++) {
        const ls_weight *w = &model->weights[i];
        LS_ASSERT(w->data);
        sources[i] = ls_is_vector(w) ? (ls_st_source){w->name, w->data, {w->cols}, 1}
                                     : (ls_st_source){w->name, w->data, {w->rows, w->cols}, 2};
        if (!ls_hf_is_transposed(model->family, w))
            continue;
        copies[i] = turned(w);
        sources[i] = (ls_st_source){w->name, copies[i], {w->cols, w->rows}, 2};
    }
    leash_status status = ls_st_write_as(ls_path_join(path, dir, "model.safetensors"), type,
                                         sources, model->n_weights);
    for (size_t i = 0; i < n; i++)
        ls_free(copies[i]);
    ls_free(copies);
    ls_free(sources);
    return status;
}

leash_status ls_hf_save_as(const ls_model *model, const char *dir, const ls_quant_type *type)
{
    LS_TRY(save_config(model, dir, type));
    LS_TRY(save_generation_config(model, dir));
    return save_weights(model, dir, type);
}

leash_status ls_hf_save(const ls_model *model, const char *dir)
{
    return ls_hf_save_as(model, dir, ls_quant_find("F32"));
}
