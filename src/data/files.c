/* From a setting to lists of files. */
#include "data/files.h"

#include <glob.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/str.h"
#include "data/reader.h"
#include "hub/hub.h"

#define MOST_FILES 100000
#define MOST_DEPTH 8

static void add_file(ls_data_source *s, const char *path)
{
    if ((s->n_files & (s->n_files - 1)) == 0) /* full at powers of two */
        s->files = ls_realloc(
            s->files, ls_mul_size(s->n_files ? 2 * (size_t)s->n_files : 1, sizeof *s->files));
    s->files[s->n_files++] = ls_strdup(path);
}

/* JSON files beside data that describe it. */
static bool is_description(const char *name)
{
    static const char *const names[] = {"dataset_info.json", "dataset_infos.json",
                                        "dataset_dict.json", "state.json", "config.json"};
    for (size_t i = 0; i < LS_COUNT(names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

static leash_status add_folder(ls_data_source *s, const char *path, int depth)
{
    char **names, child[LS_PATH_MAX];
    int64_t n;
    LS_TRY(ls_dir_list(&names, &n, path));
    leash_status status = LEASH_OK;
    for (int64_t i = 0; i < n && status == LEASH_OK; i++) {
        if (names[i][0] == '.' || strlen(path) + strlen(names[i]) + 2 > sizeof child)
            continue;
        ls_path_join(child, path, names[i]);
        if (ls_dir_exists(child))
            status = depth < MOST_DEPTH ? add_folder(s, child, depth + 1) : LEASH_OK;
        else if (ls_reader_takes(names[i]) && !is_description(names[i]))
            add_file(s, child);
        if (s->n_files > MOST_FILES)
            status = ls_fail(LEASH_USAGE, "%s: more than %d data files", path, MOST_FILES);
    }
    ls_names_free(names, n);
    return status;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

/* "train-00000-of-00004.parquet" is of split train; 0 none, 1 train, 2 another. */
static int split_of(const char *path, const char *split)
{
    static const char *const names[] = {"train", "test", "validation", "valid", "dev", "eval"};
    for (size_t i = 0; i < LS_COUNT(names); i++)
        if (ls_starts_with(base_name(path), names[i]))
            return ls_starts_with(names[i], split) ? 1 : 2;
    return 0;
}

/* Where a folder's names tell splits apart, keeps those of one. */
static leash_status keep_split(ls_data_source *s, const char *folder, const char *split)
{
    int64_t n_splits = 0, n = 0;
    for (int64_t i = 0; i < s->n_files; i++)
        n_splits += split_of(s->files[i], split) != 0;
    if (n_splits == 0)
        return LEASH_OK;
    for (int64_t i = 0; i < s->n_files; i++) {
        if (split_of(s->files[i], split) == 1)
            s->files[n++] = s->files[i];
        else
            ls_free(s->files[i]);
    }
    s->n_files = n;
    if (n > 0)
        return LEASH_OK;
    return ls_fail(LEASH_IO, "%s: no file of split %s among its data files; name the files instead",
                   folder, split);
}

static leash_status add_pattern(ls_data_source *s, const char *pattern)
{
    glob_t found;
    int code = glob(pattern, GLOB_ERR, NULL, &found);
    if (code == 0)
        for (size_t i = 0; i < found.gl_pathc && s->n_files <= MOST_FILES; i++)
            add_file(s, found.gl_pathv[i]);
    globfree(&found);
    if (code == GLOB_NOMATCH)
        return ls_fail(LEASH_IO, "%s: no file fits the pattern", pattern);
    return code == 0 ? LEASH_OK : ls_fail(LEASH_IO, "%s: the pattern cannot be read", pattern);
}

static leash_status add_item(ls_data_source *s, const char *item, const char *split)
{
    int64_t before = s->n_files;
    char pulled[LS_PATH_MAX];
    if (ls_hub_is_spec(item)) {
        LS_TRY(ls_hub_resolve(pulled, item));
        item = pulled;
    }
    if (ls_dir_exists(item)) {
        LS_TRY(add_folder(s, item, 0));
        if (s->n_files == before)
            return ls_fail(LEASH_IO,
                           "%s: no data file in the folder (.jsonl, .json, .csv, .tsv, .parquet, "
                           "or one of them with .gz or .zst)",
                           item);
        ls_data_source found = {.files = s->files + before, .n_files = s->n_files - before};
        leash_status status = keep_split(&found, item, split);
        s->n_files = before + found.n_files;
        return status;
    }
    if (!ls_file_exists(item) && strpbrk(item, "*?["))
        return add_pattern(s, item);
    add_file(s, item); /* what does not exist is told by the one who opens it */
    return LEASH_OK;
}

/* "path:0.7" into path and weight; weight 0 when there is none. */
static leash_status split_weight(char *item, double *weight)
{
    char *colon = strrchr(item, ':');
    *weight = 0;
    bool is_name = colon && ls_hub_is_spec(item) && colon == strchr(item, ':');
    if (!colon || is_name || ls_file_exists(item) || ls_dir_exists(item))
        return LEASH_OK;
    if (!ls_parse_double(colon + 1, weight) || *weight <= 0)
        return ls_fail(LEASH_USAGE,
                       "dataset: \"%s\" is no file, and \"%s\" is no weight (a number above 0)",
                       item, colon + 1);
    *colon = 0;
    return LEASH_OK;
}

static void add_source(ls_data_sources *out)
{
    out->items = ls_realloc(out->items, ls_mul_size((size_t)out->n + 1, sizeof *out->items));
    out->items[out->n++] = (ls_data_source){.weight = 1};
}

static leash_status add_items(ls_data_sources *out, char *list, const char *split)
{
    int64_t n_items = 0, n_weights = 0;
    for (char *item = list, *next; item; item = next, n_items++) {
        double weight;
        next = strchr(item, ',');
        if (next)
            *next++ = 0;
        while (*item == ' ')
            item++;
        if (!*item)
            return ls_fail(LEASH_USAGE, "dataset: there is nothing between two commas");
        LS_TRY(split_weight(item, &weight));
        n_weights += weight > 0;
        if (out->n == 0 || weight > 0)
            add_source(out);
        LS_TRY(add_item(&out->items[out->n - 1], item, split));
        if (weight > 0)
            out->items[out->n - 1].weight = weight;
    }
    if (n_weights > 0 && n_weights < n_items)
        return ls_fail(LEASH_USAGE,
                       "dataset: %lld of %lld items have a weight; give one to each, "
                       "or to none",
                       (long long)n_weights, (long long)n_items);
    double sum = 0;
    for (int64_t i = 0; i < out->n; i++)
        sum += out->items[i].weight;
    for (int64_t i = 0; i < out->n; i++)
        out->items[i].weight /= sum;
    return LEASH_OK;
}

leash_status ls_data_sources_find(ls_data_sources *out, const char *dataset, const char *split)
{
    *out = (ls_data_sources){0};
    leash_status status;
    if (ls_file_exists(dataset) || ls_dir_exists(dataset)) {
        add_source(out);
        status = add_item(&out->items[0], dataset, split);
    } else {
        char *list = ls_strdup(dataset);
        status = add_items(out, list, split);
        ls_free(list);
    }
    if (status != LEASH_OK)
        ls_data_sources_release(out);
    return status;
}

void ls_data_sources_release(ls_data_sources *sources)
{
    for (int64_t i = 0; i < sources->n; i++) {
        for (int64_t k = 0; k < sources->items[i].n_files; k++)
            ls_free(sources->items[i].files[k]);
        ls_free(sources->items[i].files);
    }
    ls_free(sources->items);
    *sources = (ls_data_sources){0};
}
