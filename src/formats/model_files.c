/* Models on disk: which kind, and their weights into a model's table. */
#include "formats/model_files.h"

#include <stdio.h>
#include <string.h>
#include "base/log.h"
#include "base/mem.h"
#include "formats/hf_folder.h"
#include "model/decoder.h"

/* At most this many names of a kind are listed in an error. */
#define MOST_LISTED 8

bool ls_path_is_gguf(const char *path)
{
    if (!ls_file_exists(path))
        return false;
    char magic[4] = {0};
    FILE *file = fopen(path, "rb");
    size_t n = file ? fread(magic, 1, sizeof magic, file) : 0;
    if (file)
        fclose(file);
    return (n == sizeof magic && memcmp(magic, "GGUF", 4) == 0) || ls_ends_with(path, ".gguf");
}

leash_status ls_model_files_open(ls_model_files *files, const char *path)
{
    *files = (ls_model_files){.path = ls_strdup(path), .is_gguf = ls_path_is_gguf(path)};
    leash_status status;
    if (files->is_gguf) {
        LS_TRY_OUT(ls_gguf_open(&files->gguf, path));
        LS_TRY_OUT(ls_gguf_find_arch(&files->arch, &files->gguf));
        LS_TRY_OUT(ls_gguf_read_config(&files->config, &files->gguf));
    } else {
        LS_TRY_OUT(ls_hf_read_config(&files->config, path));
        if (ls_st_shards_exist(path))
            LS_TRY_OUT(ls_st_shards_open(&files->shards, path));
    }
out:
    if (status != LEASH_OK)
        ls_model_files_close(files);
    return status;
}

void ls_model_files_close(ls_model_files *files)
{
    ls_gguf_close(&files->gguf);
    ls_st_shards_close(&files->shards);
    ls_free(files->path);
    *files = (ls_model_files){0};
}

/* --- one weight --- */

/* By its name, or by the name without the first part, which some exports leave out (GPT-2's first
 * files). */
static const ls_st_entry *find_entry(const ls_model_files *files, const ls_family *family,
                                     const char *name)
{
    const ls_st_entry *entry = ls_st_shards_find(&files->shards, name);
    const char *prefix = family->optional_prefix;
    if (entry == NULL && prefix && ls_starts_with(name, prefix))
        entry = ls_st_shards_find(&files->shards, name + strlen(prefix));
    return entry;
}

/* Finds a weight and marks what holds it: `used` has a place for each tensor of the files. */
static bool find_weight(ls_stored *out, bool *used, const ls_model_files *files,
                        const ls_model_config *config, const ls_weight *w)
{
    if (files->is_gguf) {
        const ls_gguf_tensor *tensor;
        if (!ls_gguf_find_weight(out, &tensor, &files->gguf, files->arch, config, w))
            return false;
        if (used)
            used[tensor - files->gguf.tensors] = true;
        return true;
    }
    const ls_family *family;
    if (ls_family_find(&family, config->family) != LEASH_OK)
        return false;
    const ls_st_entry *entry = find_entry(files, family, w->name);
    if (entry == NULL)
        return false;
    if (used)
        used[entry - files->shards.entries] = true;
    const ls_st_tensor *t = entry->tensor;
    *out = (ls_stored){.name = t->name,
                       .path = entry->part->path,
                       .type_name = t->dtype,
                       .type = ls_quant_find(t->dtype),
                       .data = t->data,
                       .rank = t->rank < 4 ? t->rank : 4,
                       .is_transposed = ls_hf_is_transposed(family, w)};
    memcpy(out->shape, t->shape, sizeof out->shape);
    return true;
}

bool ls_model_files_find(ls_stored *out, const ls_model_files *files, const ls_weight *w)
{
    return find_weight(out, NULL, files, &files->config, w);
}

/* --- the table --- */

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

static bool is_tied(const ls_model *model)
{
    return model->head == &model->tied_head;
}

/* A stored head that a tied model does not need. */
static bool is_tied_head(const ls_model *model, const ls_model_files *files,
                         const ls_st_entry *entry)
{
    char name[128];
    const ls_decoder_design *design = model->family->design;
    snprintf(name, sizeof name, "%s.weight", design->head ? design->head : "lm_head");
    const ls_st_tensor *t = entry->tensor;
    if (!is_tied(model) || !ls_ends_with(t->name, name))
        return false;
    const ls_st_entry *embedding = find_entry(files, model->family, model->embedding->name);
    const ls_st_tensor *e = embedding ? embedding->tensor : NULL;
    if (e == NULL || e->n_bytes != t->n_bytes || strcmp(e->dtype, t->dtype) != 0 ||
        memcmp(e->data, t->data, t->n_bytes) != 0)
        ls_warn("%s: %s differs from the embedding it is tied to and is ignored", entry->part->path,
                t->name);
    return true;
}

/* A model that is given a new head: the files have another, and not this one. */
static bool has_new_head(const ls_model *model, const ls_model_files *files)
{
    return model->config.head != files->config.head;
}

static bool is_new_head(const ls_model *model, const ls_model_files *files, const ls_weight *w)
{
    return has_new_head(model, files) && (w == model->score || w == model->score_bias);
}

static bool is_old_head(const ls_model *model, const ls_model_files *files, const char *stored)
{
    char name[128] = "output.weight";
    const ls_decoder_design *design = model->family->design;
    if (!files->is_gguf)
        snprintf(name, sizeof name, "%s.weight", design->head ? design->head : "lm_head");
    return has_new_head(model, files) && files->config.head == LS_HEAD_TOKENS &&
           ls_ends_with(stored, name);
}

/* Buffers of old exports: masks, frequencies. */
static bool is_buffer(const char *name)
{
    static const char *const ends[] = {".rotary_emb.inv_freq", ".attn.bias", ".attn.masked_bias",
                                       ".attention.bias", ".attention.masked_bias"};
    for (size_t i = 0; i < LS_COUNT(ends); i++)
        if (ls_ends_with(name, ends[i]))
            return true;
    return false;
}

static int64_t n_tensors(const ls_model_files *files)
{
    return files->is_gguf ? files->gguf.n_tensors : files->shards.n_entries;
}

static void list_unexpected(name_list *list, const bool *used, const ls_model *model,
                            const ls_model_files *files)
{
    for (int64_t i = 0; i < n_tensors(files); i++) {
        if (used[i])
            continue;
        const char *name =
            files->is_gguf ? files->gguf.tensors[i].name : files->shards.entries[i].tensor->name;
        bool is_ignored =
            files->is_gguf
                ? ls_gguf_is_ignored(name)
                : is_buffer(name) || is_tied_head(model, files, &files->shards.entries[i]);
        if (!is_ignored && !is_old_head(model, files, name))
            list_name(list, "; unexpected ", name, "");
    }
}

/* Compares the model's table with the files'; all differences in one message. */
static leash_status check_table(const ls_model *model, const ls_model_files *files)
{
    name_list missing = {LS_STR_INIT, 0}, misshapen = {LS_STR_INIT, 0},
              unexpected = {LS_STR_INIT, 0};
    bool *used = ls_calloc((size_t)n_tensors(files) + 1, sizeof *used);
    ls_str detail = LS_STR_INIT;
    for (int64_t i = 0; i < model->n_weights; i++) {
        const ls_weight *w = &model->weights[i];
        ls_stored s;
        if (is_new_head(model, files, w))
            continue;
        if (!find_weight(&s, used, files, &model->config, w)) {
            list_name(&missing, "; missing ", w->name, "");
        } else if (!ls_stored_fits(&s, w)) {
            ls_str_clear(&detail);
            ls_stored_describe(&detail, &s, w);
            list_name(&misshapen, "; of another shape ", s.name, detail.data);
        }
    }
    list_unexpected(&unexpected, used, model, files);
    leash_status status = LEASH_OK;
    if (missing.n + misshapen.n + unexpected.n > 0)
        status = ls_fail(LEASH_FORMAT, "%s does not fit the model of its %s%s%s%s",
                         files->is_gguf ? files->path : files->shards.path,
                         files->is_gguf ? "metadata" : "config.json", missing.text.data,
                         misshapen.text.data, unexpected.text.data);
    ls_str_release(&detail);
    ls_str_release(&missing.text);
    ls_str_release(&misshapen.text);
    ls_str_release(&unexpected.text);
    ls_free(used);
    return status;
}

static leash_status keep_config(ls_model *model, const char *dir)
{
    char path[LS_PATH_MAX];
    ls_str text = LS_STR_INIT;
    leash_status status = ls_file_read(&text, ls_path_join(path, dir, "config.json"));
    if (status == LEASH_OK)
        model->config_text = ls_arena_strdup(model->arena, text.data);
    ls_str_release(&text);
    return status;
}

leash_status ls_model_files_load(ls_model *model, const ls_model_files *files)
{
    bool is_dry = model->dev->k->is_null;
    model->has_new_head = has_new_head(model, files);
    if (!files->is_gguf)
        LS_TRY(keep_config(model, files->path));
    if (!files->is_gguf && files->shards.n_parts == 0)
        return is_dry ? LEASH_OK
                      : ls_fail(LEASH_IO,
                                "%s: has no model.safetensors and no model.safetensors.index.json",
                                files->path);
    LS_TRY(check_table(model, files));
    if (is_dry)
        return LEASH_OK;
    for (int64_t i = 0; i < model->n_weights; i++) {
        ls_weight *w = &model->weights[i];
        ls_stored s;
        if (!is_new_head(model, files, w) && find_weight(&s, NULL, files, &model->config, w))
            LS_TRY(ls_stored_put(model, w, &s));
    }
    return LEASH_OK;
}

static const ls_quant_type *type_in_files(void *user, const ls_weight *w)
{
    ls_stored s;
    return ls_model_files_find(&s, user, w) ? ls_stored_type(&s) : NULL;
}

leash_status ls_model_files_new_stored(ls_model **out, const ls_model_config *config,
                                       ls_device *dev, ls_arena *arena, const ls_model_files *files)
{
    return ls_model_new_stored(out, config, dev, arena, type_in_files, (void *)(uintptr_t)files);
}
