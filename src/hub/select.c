/* Choosing files by name. */
#include "hub/select.h"

#include <fnmatch.h>
#include <string.h>

#include "base/mem.h"

#define MOST_NAMES 8 /* in messages */

static const char *const model_patterns[] = {
    "*.json",     "*.safetensors", "*.model",   "*.jinja",  "*.tiktoken",
    "merges.txt", "vocab.txt",     "README.md", "LICENSE*", NULL};
/* The data among a dataset's files; each may be compressed. */
static const char *const data_patterns[] = {"*.jsonl", "*.json",    "*.csv",
                                            "*.tsv",   "*.parquet", NULL};
static const char *const compressions[] = {"", ".gz", ".zst"};
static const char *const card_patterns[] = {"README.md", "LICENSE*", NULL};
static const char *const pickle_patterns[] = {"*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl", NULL};
/* The same weights under another name: Mistral's own, and variants of precision. */
static const char *const copy_patterns[] = {"consolidated*.safetensors", "model.*.safetensors",
                                            NULL};

typedef bool is_wanted_function(const ls_hub_choice *choice, const char *name);

static bool matches(const char *name, const char *const *patterns)
{
    for (; *patterns; patterns++)
        if (fnmatch(*patterns, name, 0) == 0)
            return true;
    return false;
}

/* The name below the spec's path, NULL when it is not below; "" for the path itself. */
static const char *below_path(const ls_hub_choice *choice, const char *name)
{
    const char *path = choice->spec->path;
    size_t n = strlen(path);
    if (n == 0)
        return name;
    if (strncmp(name, path, n) != 0)
        return NULL;
    return name[n] == '/' ? name + n + 1 : name[n] == '\0' ? name + n : NULL;
}

static bool is_included(const ls_hub_choice *choice, const char *name)
{
    ls_str folder = LS_STR_INIT;
    bool is_match = false;
    for (int64_t i = 0; i < choice->n_include && !is_match; i++) {
        const char *pattern = choice->include[i];
        ls_str_clear(&folder);
        ls_str_appendf(&folder, "%s%s", pattern, ls_ends_with(pattern, "/") ? "*" : "");
        is_match = fnmatch(folder.data, name, 0) == 0;
    }
    ls_str_release(&folder);
    return is_match && below_path(choice, name) != NULL;
}

static bool is_data(const char *name)
{
    ls_str plain = LS_STR_INIT;
    bool is_match = false;
    for (size_t i = 0; i < LS_COUNT(compressions) && !is_match; i++) {
        if (!ls_ends_with(name, compressions[i]))
            continue;
        ls_str_clear(&plain);
        ls_str_append_n(&plain, name, strlen(name) - strlen(compressions[i]));
        is_match = matches(plain.data, data_patterns);
    }
    ls_str_release(&plain);
    return is_match;
}

static bool is_default(const ls_hub_choice *choice, const char *name)
{
    const char *below = below_path(choice, name);
    if (below == NULL)
        return false;
    if (below[0] == '\0') /* the very file that was named */
        return true;
    if (choice->spec->is_dataset)
        return is_data(below) || matches(below, card_patterns);
    return strchr(below, '/') == NULL && matches(below, model_patterns);
}

/* Variants count as copies only beside the weights they are copies of. */
static bool is_copy(const ls_hub_choice *choice, const char *name)
{
    const char *below = below_path(choice, name);
    return below != NULL && below[0] != '\0' && matches(below, copy_patterns);
}

static bool is_gguf(const ls_hub_choice *choice, const char *name)
{
    const char *below = below_path(choice, name);
    return below != NULL && strchr(below, '/') == NULL && ls_ends_with(name, ".gguf");
}

static bool is_safetensors(const ls_hub_choice *choice, const char *name)
{
    return is_default(choice, name) && ls_ends_with(name, ".safetensors");
}

static bool is_weights(const ls_hub_choice *choice, const char *name)
{
    return is_safetensors(choice, name) && !is_copy(choice, name);
}

static bool is_pickle(const ls_hub_choice *choice, const char *name)
{
    return below_path(choice, name) != NULL && matches(name, pickle_patterns);
}

static bool is_any(const ls_hub_choice *choice, const char *name)
{
    (void)choice, (void)name;
    return true;
}

static int64_t count(const ls_hub_listing *l, const ls_hub_choice *choice,
                     is_wanted_function *is_wanted)
{
    int64_t n = 0;
    for (int64_t i = 0; i < l->n_files; i++)
        n += is_wanted(choice, l->files[i].name);
    return n;
}

/* "a, b, c and 12 more" of the files that are of a kind. */
static void append_names(ls_str *out, const ls_hub_listing *l, const ls_hub_choice *choice,
                         is_wanted_function *is_kind)
{
    int64_t n = 0;
    for (int64_t i = 0; i < l->n_files; i++) {
        if (!is_kind(choice, l->files[i].name) || n++ >= MOST_NAMES)
            continue;
        ls_str_append(out, n > 1 ? ", " : "");
        ls_str_append_visible(out, l->files[i].name, strlen(l->files[i].name));
    }
    if (n > MOST_NAMES)
        ls_str_appendf(out, " and %lld more", (long long)(n - MOST_NAMES));
    if (n == 0)
        ls_str_append(out, "none");
}

static leash_status fail_nothing(const ls_hub_listing *l, const ls_hub_choice *choice)
{
    ls_str names = LS_STR_INIT;
    leash_status status;
    if (count(l, choice, is_gguf) > 1) {
        append_names(&names, l, choice, is_gguf);
        status = ls_fail(LEASH_IO,
                         "several GGUF files: choose one by its name behind a slash, as in "
                         "hf:%s/FILE.gguf; there are %s",
                         choice->spec->id, names.data);
    } else if (!choice->spec->is_dataset && count(l, choice, is_pickle) > 0) {
        append_names(&names, l, choice, is_pickle);
        status = ls_fail(LEASH_IO,
                         "the weights come as pickles alone (%s), which run code where they "
                         "are loaded and are never loaded here: look for a revision or a copy "
                         "with safetensors",
                         names.data);
    } else {
        append_names(&names, l, choice, is_any);
        status = ls_fail(LEASH_IO, "no file %s; there are %s",
                         choice->n_include > 0      ? "matches --include"
                         : choice->spec->path[0]    ? "of that name, or in a folder of that name"
                         : choice->spec->is_dataset ? "that can be read as data"
                                                    : "that belongs to a model",
                         names.data);
    }
    ls_str_release(&names);
    return status;
}

static void keep(ls_hub_listing *l, const ls_hub_choice *choice, is_wanted_function *is_wanted)
{
    int64_t n = 0;
    for (int64_t i = 0; i < l->n_files; i++) {
        if (is_wanted(choice, l->files[i].name))
            l->files[n++] = l->files[i];
        else
            ls_free(l->files[i].name);
    }
    l->n_files = n;
}

static bool is_default_once(const ls_hub_choice *choice, const char *name)
{
    return is_default(choice, name) && !is_copy(choice, name);
}

static bool is_default_or_gguf(const ls_hub_choice *choice, const char *name)
{
    return is_default(choice, name) || is_gguf(choice, name);
}

leash_status ls_hub_select(ls_hub_listing *l, const ls_hub_choice *choice)
{
    is_wanted_function *is_wanted = choice->n_include > 0 ? is_included : is_default;
    bool is_whole_model = is_wanted == is_default && !choice->spec->is_dataset;
    for (int64_t i = 0; is_whole_model && i < l->n_files; i++) {
        const char *below = below_path(choice, l->files[i].name);
        is_whole_model = below == NULL || below[0] != '\0'; /* else one file was named */
    }
    if (is_whole_model && count(l, choice, is_weights) > 0) {
        is_wanted = is_default_once;
    } else if (is_whole_model && count(l, choice, is_safetensors) == 0) {
        int64_t n_gguf = count(l, choice, is_gguf);
        if (n_gguf > 1 || (n_gguf == 0 && count(l, choice, is_pickle) > 0))
            return fail_nothing(l, choice);
        is_wanted = is_default_or_gguf;
    }
    if (count(l, choice, is_wanted) == 0)
        return fail_nothing(l, choice);
    keep(l, choice, is_wanted);
    return LEASH_OK;
}
