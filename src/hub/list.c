/* Listings of files: built one by one, read from the hub's JSON. */
#include "hub/list.h"

#include <string.h>

#include <jansson.h>

#include "base/mem.h"
#include "hub/digest.h"
#include "hub/spec.h"

#define MOST_FILES 200000

void ls_hub_listing_init(ls_hub_listing *listing)
{
    *listing = (ls_hub_listing){0};
}

void ls_hub_listing_release(ls_hub_listing *listing)
{
    for (int64_t i = 0; i < listing->n_files; i++)
        ls_free(listing->files[i].name);
    ls_free(listing->files);
    ls_hub_listing_init(listing);
}

ls_hub_file *ls_hub_listing_add(ls_hub_listing *listing, const char *name)
{
    if (listing->n_files == listing->cap) {
        listing->cap = listing->cap > 0 ? 2 * listing->cap : 16;
        listing->files =
            ls_realloc(listing->files, ls_mul_size((size_t)listing->cap, sizeof *listing->files));
    }
    ls_hub_file *file = &listing->files[listing->n_files++];
    *file = (ls_hub_file){.name = ls_strdup(name), .size = -1};
    return file;
}

static leash_status fail_name(const char *name)
{
    ls_str shown = LS_STR_INIT;
    ls_str_append_visible(&shown, name, strlen(name));
    leash_status status = ls_fail(LEASH_FORMAT,
                                  "the hub lists a file '%s', whose name would leave the cache "
                                  "or cannot be one: nothing was downloaded",
                                  shown.data);
    ls_str_release(&shown);
    return status;
}

/* Size and hash where the hub gives them: of the file itself, not of its pointer in git. */
static void set_blob(ls_hub_file *file, const json_t *entry)
{
    const json_t *lfs = json_object_get(entry, "lfs");
    const json_t *size = json_object_get(json_is_object(lfs) ? lfs : entry, "size");
    const char *oid = json_is_object(lfs) ? json_string_value(json_object_get(lfs, "sha256"))
                                          : json_string_value(json_object_get(entry, "blobId"));
    if (json_is_integer(size) && json_integer_value(size) >= 0)
        file->size = json_integer_value(size);
    if (oid != NULL && ls_digest_kind_of(oid) != LS_DIGEST_NONE)
        snprintf(file->oid, sizeof file->oid, "%s", oid);
}

static leash_status read_files(ls_hub_listing *out, const json_t *root)
{
    const char *commit = json_string_value(json_object_get(root, "sha"));
    const json_t *siblings = json_object_get(root, "siblings");
    if (commit == NULL || !ls_hub_is_commit(commit) || !json_is_array(siblings))
        return ls_fail(LEASH_FORMAT,
                       "the answer names no commit (\"sha\") with its files (\"siblings\"): is "
                       "HF_ENDPOINT a hub?");
    if (json_array_size(siblings) > MOST_FILES)
        return ls_fail(LEASH_UNSUPPORTED, "the repository has %zu files, more than %d",
                       json_array_size(siblings), MOST_FILES);
    memcpy(out->commit, commit, sizeof out->commit);
    for (size_t i = 0; i < json_array_size(siblings); i++) {
        const json_t *entry = json_array_get(siblings, i);
        const char *name = json_string_value(json_object_get(entry, "rfilename"));
        if (name == NULL)
            return ls_fail(LEASH_FORMAT, "file %zu of the listing has no \"rfilename\"", i + 1);
        if (!ls_hub_is_safe_path(name))
            return fail_name(name);
        set_blob(ls_hub_listing_add(out, name), entry);
    }
    return LEASH_OK;
}

leash_status ls_hub_listing_parse(ls_hub_listing *out, const char *text, size_t n)
{
    json_error_t error;
    ls_hub_listing_init(out);
    json_t *root = json_loadb(text, n, 0, &error);
    if (root == NULL)
        return ls_fail(LEASH_FORMAT, "the answer is no JSON (%s): is HF_ENDPOINT a hub?",
                       error.text);
    leash_status status = read_files(out, root);
    json_decref(root);
    if (status != LEASH_OK)
        ls_hub_listing_release(out);
    return status;
}
