/* A model's weights in one safetensors file or in several. */
#include "formats/st_shards.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include "base/log.h"
#include "base/mem.h"
#include "formats/json_brief.h"

#define SINGLE "model.safetensors"
#define INDEX "model.safetensors.index.json"
#define MOST_PARTS 99999

static const char *const pickles[] = {"pytorch_model.bin", "pytorch_model.bin.index.json"};

static bool has_file(const char *dir, const char *name)
{
    char path[LS_PATH_MAX];
    return ls_file_exists(ls_path_join(path, dir, name));
}

static bool has_pickles(const char *dir)
{
    for (size_t i = 0; i < LS_COUNT(pickles); i++)
        if (has_file(dir, pickles[i]))
            return true;
    return false;
}

bool ls_st_shards_exist(const char *dir)
{
    return has_file(dir, SINGLE) || has_file(dir, INDEX) || has_pickles(dir);
}

static int compare_entries(const void *a, const void *b)
{
    const ls_st_entry *x = a, *y = b;
    return strcmp(x->tensor->name, y->tensor->name);
}

static leash_status open_part(ls_st_shards *shards, const char *path)
{
    ls_st_part *part = &shards->parts[shards->n_parts];
    *part = (ls_st_part){0};
    LS_TRY(ls_st_open(&part->file, path));
    part->path = ls_strdup(path);
    shards->n_parts++;
    return LEASH_OK;
}

static leash_status open_single(ls_st_shards *shards)
{
    shards->parts = ls_calloc(1, sizeof *shards->parts);
    LS_TRY(open_part(shards, shards->path));
    const ls_st_file *file = &shards->parts[0].file;
    shards->entries = ls_calloc((size_t)file->n_tensors + 1, sizeof *shards->entries);
    for (int64_t i = 0; i < file->n_tensors; i++)
        shards->entries[shards->n_entries++] =
            (ls_st_entry){.tensor = &file->tensors[i], .part = &shards->parts[0]};
    return LEASH_OK;
}

/* --- the index --- */

static bool is_plain_name(const char *name)
{
    return name[0] != '\0' && name[0] != '.' && strchr(name, '/') == NULL && strlen(name) < 256;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Opens every file that the map names, in the order of the names. */
static leash_status open_parts(ls_st_shards *shards, json_t *map, const char *dir)
{
    const char *name, **files = ls_calloc(json_object_size(map) + 1, sizeof *files);
    json_t *value;
    int64_t n = 0, n_files = 0;
    leash_status status = LEASH_OK;
    json_object_foreach(map, name, value)
    {
        files[n] = json_string_value(value);
        if (files[n] == NULL || !is_plain_name(files[n])) {
            char found[LS_JSON_BRIEF];
            status = ls_fail(LEASH_FORMAT,
                             "%s: weight_map gives '%.100s' no plain file name beside the index: "
                             "it is %s",
                             shards->path, name, ls_json_brief(found, value));
            goto out;
        }
        n++;
    }
    qsort(files, (size_t)n, sizeof *files, compare_texts);
    for (int64_t i = 0; i < n; i++)
        if (i == 0 || strcmp(files[i], files[n_files - 1]) != 0)
            files[n_files++] = files[i];
    if (n_files > MOST_PARTS) {
        status = ls_fail(LEASH_FORMAT, "%s: names %lld files, at most %d are read", shards->path,
                         (long long)n_files, MOST_PARTS);
        goto out;
    }
    shards->parts = ls_calloc((size_t)n_files + 1, sizeof *shards->parts);
    for (int64_t i = 0; i < n_files && status == LEASH_OK; i++) {
        char path[LS_PATH_MAX];
        status = open_part(shards, ls_path_join(path, dir, files[i]));
        if (status != LEASH_OK)
            ls_fail_in(status, "%s", shards->path);
    }
out:
    ls_free(files);
    return status;
}

/* The name that comes after the folder's. */
static const char *file_name(const ls_st_part *part)
{
    const char *slash = strrchr(part->path, '/');
    return slash ? slash + 1 : part->path;
}

/* All tensors of all parts, each with the place that the index gives it. */
static leash_status take_entries(ls_st_shards *shards, json_t *map)
{
    size_t n = 0;
    int64_t n_unnamed = 0;
    for (int64_t p = 0; p < shards->n_parts; p++)
        n += (size_t)shards->parts[p].file.n_tensors;
    shards->entries = ls_calloc(n + 1, sizeof *shards->entries);
    for (int64_t p = 0; p < shards->n_parts; p++) {
        const ls_st_part *part = &shards->parts[p];
        for (int64_t i = 0; i < part->file.n_tensors; i++) {
            const ls_st_tensor *t = &part->file.tensors[i];
            const char *place = json_string_value(json_object_get(map, t->name));
            if (place == NULL) {
                n_unnamed++;
                continue;
            }
            if (strcmp(place, file_name(part)) != 0)
                return ls_fail(LEASH_FORMAT,
                               "%s: tensor '%s' is in %s, but weight_map names %s for it",
                               shards->path, t->name, file_name(part), place);
            shards->entries[shards->n_entries++] = (ls_st_entry){.tensor = t, .part = part};
        }
    }
    if (n_unnamed > 0)
        ls_warn("%s: weight_map leaves out %lld tensors of the files; they are passed over",
                shards->path, (long long)n_unnamed);
    return LEASH_OK;
}

/* Every name of the map has an entry. */
static leash_status check_map(const ls_st_shards *shards, json_t *map)
{
    const char *name;
    json_t *value;
    json_object_foreach(map, name, value)
    {
        if (ls_st_shards_find(shards, name) == NULL)
            return ls_fail(LEASH_FORMAT, "%s: tensor '%.200s' is not in %s, which weight_map names",
                           shards->path, name, json_string_value(value));
    }
    return LEASH_OK;
}

static leash_status read_index(ls_st_shards *shards, const char *dir)
{
    ls_str text = LS_STR_INIT;
    json_error_t error;
    json_t *index = NULL;
    leash_status status;
    LS_TRY_OUT(ls_file_read(&text, shards->path));
    index = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &error);
    if (index == NULL) {
        status = ls_fail(LEASH_FORMAT, "%s: line %d: %s", shards->path, error.line, error.text);
        goto out;
    }
    json_t *map = json_object_get(index, "weight_map");
    if (!json_is_object(map) || json_object_size(map) == 0) {
        char found[LS_JSON_BRIEF];
        status = ls_fail(LEASH_FORMAT,
                         "%s: has no weight_map: it is %s, expected an object {tensor: file}",
                         shards->path, ls_json_brief(found, map));
        goto out;
    }
    LS_TRY_OUT(open_parts(shards, map, dir));
    LS_TRY_OUT(take_entries(shards, map));
    qsort(shards->entries, (size_t)shards->n_entries, sizeof *shards->entries, compare_entries);
    LS_TRY_OUT(check_map(shards, map));
out:
    json_decref(index);
    ls_str_release(&text);
    return status;
}

leash_status ls_st_shards_open(ls_st_shards *shards, const char *dir)
{
    char path[LS_PATH_MAX];
    *shards = (ls_st_shards){0};
    bool is_single = has_file(dir, SINGLE), has_index = has_file(dir, INDEX);
    if (!is_single && !has_index && has_pickles(dir))
        return ls_fail(LEASH_UNSUPPORTED,
                       "%s: its weights are Python pickles, which are not read; convert them with\n"
                       "    python3 -c \"from transformers import AutoModelForCausalLM as M; "
                       "M.from_pretrained('%s').save_pretrained('NEW')\"",
                       dir, dir);
    if (is_single && has_index)
        ls_warn("%s: has both " SINGLE " and " INDEX "; the single file is read", dir);
    shards->path = ls_strdup(ls_path_join(path, dir, is_single || !has_index ? SINGLE : INDEX));
    leash_status status = is_single || !has_index ? open_single(shards) : read_index(shards, dir);
    if (status != LEASH_OK)
        ls_st_shards_close(shards);
    return status;
}

void ls_st_shards_close(ls_st_shards *shards)
{
    for (int64_t i = 0; i < shards->n_parts; i++) {
        ls_st_close(&shards->parts[i].file);
        ls_free(shards->parts[i].path);
    }
    ls_free(shards->parts);
    ls_free(shards->entries);
    ls_free(shards->path);
    *shards = (ls_st_shards){0};
}

const ls_st_entry *ls_st_shards_find(const ls_st_shards *shards, const char *name)
{
    ls_st_tensor tensor = {.name = name};
    ls_st_entry key = {.tensor = &tensor};
    return shards->n_entries == 0 ? NULL
                                  : bsearch(&key, shards->entries, (size_t)shards->n_entries,
                                            sizeof key, compare_entries);
}
