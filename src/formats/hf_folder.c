/* Weights of a Hugging Face folder: loading them by the model's table, saving a folder that
 * transformers loads. */
#include "formats/hf_folder.h"

#include <string.h>
#include "base/file.h"
#include "base/log.h"
#include "formats/safetensors.h"

/* At most this many names of a kind are listed in an error. */
#define MOST_LISTED 8

typedef struct { /* one kind of mismatch, for the message */
    ls_str text;
    int64_t n;
} name_list;

static void list_name(name_list *list, const char *what, const char *name, const char *detail)
{
    if (list->n < MOST_LISTED)
        ls_str_appendf(&list->text, "%s%s%s", list->n > 0 ? ", " : what, name, detail);
    else if (list->n == MOST_LISTED)
        ls_str_append(&list->text, ", ...");
    list->n++;
}

static bool is_gain(const ls_weight *w)
{
    return w->rows == 1 && !w->is_decayed;
}

static bool has_shape(const ls_st_tensor *t, const ls_weight *w)
{
    if (is_gain(w))
        return t->rank == 1 && t->shape[0] == w->cols;
    return t->rank == 2 && t->shape[0] == w->rows && t->shape[1] == w->cols;
}

static void describe_shapes(ls_str *out, const ls_st_tensor *t, const ls_weight *w)
{
    ls_str_append(out, " [");
    for (int32_t i = 0; i < t->rank; i++)
        ls_str_appendf(out, "%s%lld", i > 0 ? "," : "", (long long)t->shape[i]);
    if (is_gain(w))
        ls_str_appendf(out, "] instead of [%lld]", (long long)w->cols);
    else
        ls_str_appendf(out, "] instead of [%lld,%lld]", (long long)w->rows, (long long)w->cols);
}

static bool is_tied(const ls_model *model)
{
    return model->head == &model->tied_head;
}

/* Tensors that files hold and models do not need: a tied head, and the rotary frequencies of old
 * exports. */
static bool is_ignored(const ls_model *model, const ls_st_file *file, const ls_st_tensor *t,
                       const char *path)
{
    if (ls_ends_with(t->name, ".rotary_emb.inv_freq"))
        return true;
    if (!is_tied(model) || strcmp(t->name, "lm_head.weight") != 0)
        return false;
    const ls_st_tensor *e = ls_st_find(file, model->embedding->name);
    if (e == NULL || e->n_bytes != t->n_bytes || strcmp(e->dtype, t->dtype) != 0 ||
        memcmp(e->data, t->data, t->n_bytes) != 0)
        ls_warn("%s: lm_head.weight differs from the embedding it is tied to and is ignored", path);
    return true;
}

/* Compares the model's table with the file's; all differences in one message. */
static leash_status check_table(ls_model *model, const ls_st_file *file, const char *path)
{
    name_list missing = {LS_STR_INIT, 0}, misshapen = {LS_STR_INIT, 0},
              unexpected = {LS_STR_INIT, 0};
    for (int64_t i = 0; i < model->n_weights; i++) {
        const ls_weight *w = &model->weights[i];
        const ls_st_tensor *t = ls_st_find(file, w->name);
        if (t == NULL) {
            list_name(&missing, "; missing ", w->name, "");
        } else if (!has_shape(t, w)) {
            ls_str detail = LS_STR_INIT;
            describe_shapes(&detail, t, w);
            list_name(&misshapen, "; of another shape ", w->name, detail.data);
            ls_str_release(&detail);
        }
    }
    for (int64_t i = 0; i < file->n_tensors; i++) {
        const ls_st_tensor *t = &file->tensors[i];
        if (!ls_model_find_weight(model, t->name) && !is_ignored(model, file, t, path))
            list_name(&unexpected, "; unexpected ", t->name, "");
    }
    leash_status status = LEASH_OK;
    if (missing.n + misshapen.n + unexpected.n > 0)
        status = ls_fail(LEASH_FORMAT, "%s does not fit the model of its config.json%s%s%s", path,
                         missing.text.data, misshapen.text.data, unexpected.text.data);
    ls_str_release(&missing.text);
    ls_str_release(&misshapen.text);
    ls_str_release(&unexpected.text);
    return status;
}

static leash_status load(ls_model *model, const ls_st_file *file, const char *path)
{
    LS_TRY(check_table(model, file, path));
    if (model->dev->k->is_null)
        return LEASH_OK;
    for (int64_t i = 0; i < model->n_weights; i++) {
        ls_weight *w = &model->weights[i];
        LS_TRY(ls_st_to_float(w->data, ls_st_find(file, w->name), path));
    }
    return LEASH_OK;
}

leash_status ls_hf_load_weights(ls_model *model, const char *dir)
{
    char path[LS_PATH_MAX], index[LS_PATH_MAX];
    ls_path_join(path, dir, "model.safetensors");
    ls_path_join(index, dir, "model.safetensors.index.json");
    if (!ls_file_exists(path) && ls_file_exists(index))
        return ls_fail(LEASH_UNSUPPORTED,
                       "%s: the weights are split over several files; save the model again as one "
                       "(save_pretrained with a larger max_shard_size)",
                       dir);
    ls_st_file file;
    LS_TRY(ls_st_open(&file, path));
    leash_status status = load(model, &file, path);
    ls_st_close(&file);
    return status;
}

/* A number that JSON readers take for a float: "10000.0", "1e-05". */
static const char *float_text(char buffer[40], double value)
{
    char digits[32];
    ls_format_double(digits, value);
    bool is_integral = strcspn(digits, ".e") == strlen(digits);
    snprintf(buffer, 40, "%s%s", digits, is_integral ? ".0" : "");
    return buffer;
}

static void append_token(ls_str *json, const char *key, int32_t id)
{
    if (id >= 0)
        ls_str_appendf(json, "  \"%s\": %d,\n", key, (int)id);
    else
        ls_str_appendf(json, "  \"%s\": null,\n", key);
}

static leash_status save_config(const ls_model *model, const char *dir)
{
    const ls_model_config *c = &model->config;
    char number[40], path[LS_PATH_MAX];
    ls_str json = LS_STR_INIT;
    ls_str_appendf(&json, "{\n  \"architectures\": [\n    \"%s\"\n  ],\n",
                   model->family->architecture);
    ls_str_append(&json, "  \"attention_bias\": false,\n  \"attention_dropout\": 0.0,\n");
    append_token(&json, "bos_token_id", c->bos_token_id);
    append_token(&json, "eos_token_id", c->eos_token_id);
    const struct {
        const char *key;
        int64_t value;
    } sizes[] = {
        {"head_dim", c->head_dim},
        {"hidden_size", c->hidden_size},
        {"intermediate_size", c->intermediate_size},
        {"max_position_embeddings", c->max_position_embeddings},
        {"num_attention_heads", c->num_attention_heads},
        {"num_hidden_layers", c->num_hidden_layers},
        {"num_key_value_heads", c->num_key_value_heads},
        {"vocab_size", c->vocab_size},
    };
    for (size_t i = 0; i < LS_COUNT(sizes); i++)
        ls_str_appendf(&json, "  \"%s\": %lld,\n", sizes[i].key, (long long)sizes[i].value);
    ls_str_append(&json, "  \"hidden_act\": \"silu\",\n");
    ls_str_appendf(&json, "  \"initializer_range\": %s,\n",
                   float_text(number, c->initializer_range));
    ls_str_appendf(&json, "  \"mlp_bias\": false,\n  \"model_type\": \"%s\",\n", c->family);
    ls_str_appendf(&json, "  \"rms_norm_eps\": %s,\n", float_text(number, c->rms_norm_eps));
    ls_str_appendf(&json, "  \"rope_scaling\": null,\n  \"rope_theta\": %s,\n",
                   float_text(number, c->rope_theta));
    ls_str_appendf(&json, "  \"tie_word_embeddings\": %s,\n",
                   c->tie_word_embeddings ? "true" : "false");
    ls_str_append(&json, "  \"torch_dtype\": \"float32\",\n  \"use_cache\": true\n}\n");
    leash_status status =
        ls_file_write_synced(ls_path_join(path, dir, "config.json"), json.data, json.len);
    ls_str_release(&json);
    return status;
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

static leash_status save_weights(const ls_model *model, const char *dir)
{
    char path[LS_PATH_MAX];
    ls_st_source *sources = ls_calloc((size_t)model->n_weights, sizeof *sources);
    for (int64_t i = 0; i < model->n_weights; i++) {
        const ls_weight *w = &model->weights[i];
        sources[i] = is_gain(w) ? (ls_st_source){w->name, w->data, {w->cols}, 1}
                                : (ls_st_source){w->name, w->data, {w->rows, w->cols}, 2};
    }
    leash_status status =
        ls_st_write(ls_path_join(path, dir, "model.safetensors"), sources, model->n_weights);
    ls_free(sources);
    return status;
}

leash_status ls_hf_save(const ls_model *model, const char *dir)
{
    LS_TRY(save_config(model, dir));
    LS_TRY(save_generation_config(model, dir));
    return save_weights(model, dir);
}
