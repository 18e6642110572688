/* Writing, reading and checking manifests. */
#include "train/manifest.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

#define MANIFEST_FORMAT 1
#define MOST_BYTES (1 << 20)
#define MOST_NAME 255
/* The last lines, with the manifest's own hash. */
#define TAIL_FORMAT "  \"xxh3_128\": \"%s\"\n}\n"

/* --- writing --- */

static leash_status append_file(ls_str *out, const char *name, const char *path)
{
    char hash[33];
    LS_TRY(ls_hash128_file(hash, path));
    int64_t size = ls_file_size(path);
    if (size < 0)
        return ls_fail_path("read", path, errno);
    ls_str_append(out, ls_ends_with(out->data, "{\n") ? "    " : ",\n    ");
    ls_str_append_json(out, name, strlen(name));
    ls_str_appendf(out, ": {\"size\": %lld, \"xxh3_128\": \"%s\"}", (long long)size, hash);
    return LEASH_OK;
}

/* Appends the files of dir/prefix and of the folders in it. */
static leash_status append_folder(ls_str *out, const char *dir, const char *prefix)
{
    char **names, folder[LS_PATH_MAX], path[LS_PATH_MAX];
    int64_t n;
    LS_TRY(ls_dir_list(&names, &n, ls_path_join(folder, dir, prefix)));
    leash_status status = LEASH_OK;
    ls_str name = LS_STR_INIT;
    for (int64_t i = 0; i < n; i++) {
        ls_str_clear(&name);
        ls_str_appendf(&name, "%s%s", prefix, names[i]);
        ls_path_join(path, dir, name.data);
        if (ls_dir_exists(path)) {
            ls_str_append(&name, "/");
            LS_TRY_OUT(append_folder(out, dir, name.data));
        } else {
            LS_TRY_OUT(append_file(out, name.data, path));
        }
    }
out:
    ls_str_release(&name);
    ls_names_free(names, n);
    return status;
}

leash_status ls_manifest_write(const char *dir)
{
    char path[LS_PATH_MAX], hash[33];
    ls_str text = LS_STR_INIT;
    leash_status status = LEASH_OK;
    ls_str_appendf(&text, "{\n  \"format\": %d,\n  \"files\": {\n", MANIFEST_FORMAT);
    LS_TRY_OUT(append_folder(&text, dir, ""));
    ls_str_append(&text, "\n  },\n");
    ls_hash128_hex(hash, text.data, text.len);
    ls_str_appendf(&text, TAIL_FORMAT, hash);
    status = ls_file_write_synced(ls_path_join(path, dir, LS_MANIFEST_NAME), text.data, text.len);
out:
    ls_str_release(&text);
    return status;
}

/* --- reading --- */

/* Whether the text ends with the hash of what stands before. */
static bool is_intact(const ls_str *text)
{
    char hash[33], tail[64];
    size_t n_tail =
        (size_t)snprintf(tail, sizeof tail, TAIL_FORMAT, "0123456789abcdef0123456789abcdef");
    if (text->len < n_tail)
        return false;
    ls_hash128_hex(hash, text->data, text->len - n_tail);
    snprintf(tail, sizeof tail, TAIL_FORMAT, hash);
    return memcmp(text->data + text->len - n_tail, tail, n_tail) == 0;
}

/* A relative path that stays inside of the folder. */
static bool is_safe_name(const char *name)
{
    return name[0] != '\0' && name[0] != '/' && strlen(name) <= MOST_NAME && !strstr(name, "..");
}

static leash_status read_file(ls_manifest_file *out, const char *name, const json_t *entry,
                              const char *path)
{
    const json_t *size = json_object_get(entry, "size");
    const char *hash = json_string_value(json_object_get(entry, "xxh3_128"));
    if (!is_safe_name(name) || !json_is_integer(size) || !hash || strlen(hash) != 32)
        return ls_fail(LEASH_FORMAT, "%s: the entry '%.*s' is malformed", path, MOST_NAME, name);
    out->name = ls_strdup(name);
    out->size = json_integer_value(size);
    snprintf(out->hash, sizeof out->hash, "%s", hash);
    return LEASH_OK;
}

static leash_status read_files(ls_manifest *out, json_t *root, const char *path)
{
    const json_t *format = json_object_get(root, "format");
    json_t *files = json_object_get(root, "files"), *entry;
    const char *name;
    if (!json_is_integer(format) || json_integer_value(format) != MANIFEST_FORMAT)
        return ls_fail(LEASH_FORMAT, "%s: 'format' is not %d; another version of leash wrote it",
                       path, MANIFEST_FORMAT);
    if (!json_is_object(files))
        return ls_fail(LEASH_FORMAT, "%s: 'files' is missing", path);
    out->files = ls_calloc(json_object_size(files) + 1, sizeof *out->files);
    json_object_foreach(files, name, entry)
        LS_TRY(read_file(&out->files[out->n_files++], name, entry, path));
    return LEASH_OK;
}

static leash_status parse(ls_manifest *out, const ls_str *text, const char *path)
{
    if (!is_intact(text))
        return ls_fail(LEASH_FORMAT,
                       "%s: damaged: the %zu bytes do not have the hash in the last line", path,
                       text->len);
    json_error_t error;
    json_t *root = json_loadb(text->data, text->len, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        return ls_fail(LEASH_FORMAT, "%s:%d: no valid JSON: %s", path, error.line, error.text);
    leash_status status = read_files(out, root, path);
    json_decref(root);
    return status;
}

leash_status ls_manifest_read(ls_manifest *out, const char *dir)
{
    char path[LS_PATH_MAX];
    *out = (ls_manifest){0};
    ls_path_join(path, dir, LS_MANIFEST_NAME);
    if (ls_file_size(path) > MOST_BYTES)
        return ls_fail(LEASH_FORMAT, "%s: %lld bytes are too many for a manifest (at most %d)",
                       path, (long long)ls_file_size(path), MOST_BYTES);
    ls_str text = LS_STR_INIT;
    leash_status status = ls_file_read(&text, path);
    if (status == LEASH_OK)
        status = parse(out, &text, path);
    ls_str_release(&text);
    if (status != LEASH_OK)
        ls_manifest_release(out);
    return status;
}

void ls_manifest_release(ls_manifest *manifest)
{
    for (int64_t i = 0; i < manifest->n_files; i++)
        ls_free(manifest->files[i].name);
    ls_free(manifest->files);
    *manifest = (ls_manifest){0};
}

/* --- checking --- */

leash_status ls_manifest_check(const ls_manifest *manifest, const char *dir)
{
    char path[LS_PATH_MAX], hash[33];
    for (int64_t i = 0; i < manifest->n_files; i++) {
        const ls_manifest_file *file = &manifest->files[i];
        int64_t size = ls_file_size(ls_path_join(path, dir, file->name));
        if (size < 0)
            return ls_fail(LEASH_FORMAT, "%s: missing, the manifest lists it", path);
        if (size != file->size)
            return ls_fail(LEASH_FORMAT, "%s: %lld bytes, the manifest says %lld", path,
                           (long long)size, (long long)file->size);
        LS_TRY(ls_hash128_file(hash, path));
        if (strcmp(hash, file->hash) != 0)
            return ls_fail(LEASH_FORMAT, "%s: damaged: its hash is %s, the manifest says %s", path,
                           hash, file->hash);
    }
    return LEASH_OK;
}
