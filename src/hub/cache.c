/* The layout of the cache on the disk. */
#include "hub/cache.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"

/* What the standard of cache directories wants in the file (bford.info/cachedir). */
static const char tag_text[] = "Signature: 8a477f597d28d172789f06886806bc55\n"
                               "# This file marks a cache: its contents can be made again.\n";

void ls_hub_cache_init(ls_hub_cache *out, const char *root, const ls_hub_spec *spec)
{
    snprintf(out->root, sizeof out->root, "%s", root);
    int at = snprintf(out->folder, sizeof out->folder, "%s",
                      spec->is_dataset ? "datasets--" : "models--");
    for (const char *p = spec->id; *p != '\0'; p++)
        at += snprintf(out->folder + at, sizeof out->folder - (size_t)at, *p == '/' ? "--" : "%c",
                       *p);
}

/* --- paths --- */

static leash_status LS_PRINTF(2, 3) set_path(char out[LS_PATH_MAX], const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int n = vsnprintf(out, LS_PATH_MAX, format, args);
    va_end(args);
    if (n < 0 || n >= LS_PATH_MAX)
        return ls_fail(LEASH_USAGE,
                       "a path in the hub's cache is longer than %d bytes: set "
                       "HF_HUB_CACHE to a shorter one",
                       LS_PATH_MAX - 1);
    return LEASH_OK;
}

leash_status ls_hub_cache_blob(char out[LS_PATH_MAX], const ls_hub_cache *cache, const char *oid,
                               const char *suffix)
{
    return set_path(out, "%s/%s/blobs/%s%s", cache->root, cache->folder, oid, suffix);
}

leash_status ls_hub_cache_snapshot(char out[LS_PATH_MAX], const ls_hub_cache *cache,
                                   const char *commit, const char *name)
{
    return set_path(out, "%s/%s/snapshots/%s%s%s", cache->root, cache->folder, commit,
                    name[0] ? "/" : "", name);
}

static leash_status make_parent(const char *path)
{
    char parent[LS_PATH_MAX];
    snprintf(parent, sizeof parent, "%s", path);
    char *slash = strrchr(parent, '/');
    LS_ASSERT(slash != NULL);
    *slash = '\0';
    return ls_dir_exists(parent) ? LEASH_OK : ls_dir_make(parent);
}

leash_status ls_hub_cache_make(const ls_hub_cache *cache)
{
    char path[LS_PATH_MAX];
    LS_TRY(set_path(path, "%s/%s/blobs", cache->root, cache->folder));
    LS_TRY(ls_dir_make(path));
    LS_TRY(set_path(path, "%s/.locks/%s", cache->root, cache->folder));
    LS_TRY(ls_dir_make(path));
    LS_TRY(set_path(path, "%s/CACHEDIR.TAG", cache->root));
    if (ls_file_exists(path))
        return LEASH_OK;
    return ls_file_write_atomic(path, tag_text, sizeof tag_text - 1);
}

/* --- locks --- */

/* Whether the open file still is the one of that name: another program may remove the file of a
 * lock that it gives back, and a lock on a removed file holds nobody off. */
static bool is_current(int fd, const char *path)
{
    struct stat open_file, named;
    return fstat(fd, &open_file) == 0 && stat(path, &named) == 0 &&
           open_file.st_ino == named.st_ino && open_file.st_dev == named.st_dev;
}

/* Returns 0 or an errno; EINTR when a signal came. */
static int lock_file(int fd)
{
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        return 0;
    if (errno != EWOULDBLOCK)
        return errno;
    ls_info("hub: waiting for another process that downloads the same file");
    return flock(fd, LOCK_EX) == 0 ? 0 : errno;
}

leash_status ls_hub_cache_lock(ls_lock *out, const ls_hub_cache *cache, const char *oid,
                               bool (*should_stop)(void))
{
    char path[LS_PATH_MAX];
    out->fd = -1;
    LS_TRY(set_path(path, "%s/.locks/%s/%s.lock", cache->root, cache->folder, oid));
    for (;;) {
        int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0664);
        if (fd < 0)
            return ls_fail_path("lock", path, errno);
        int error = lock_file(fd);
        if (error == 0 && is_current(fd, path)) {
            out->fd = fd;
            return LEASH_OK;
        }
        close(fd);
        if (error == EINTR && should_stop != NULL && should_stop())
            return ls_fail(LEASH_INTERRUPTED, "interrupted; the next pull goes on from here");
        if (error != 0 && error != EINTR)
            return ls_fail_path("lock", path, error);
    }
}

/* --- snapshots --- */

leash_status ls_hub_cache_link(const ls_hub_cache *cache, const char *commit, const char *name,
                               const char *oid)
{
    char path[LS_PATH_MAX], target[LS_PATH_MAX];
    ls_str text = LS_STR_INIT;
    LS_TRY(ls_hub_cache_snapshot(path, cache, commit, name));
    LS_TRY(make_parent(path));
    ls_str_append(&text, "../../");
    for (const char *p = name; *p != '\0'; p++)
        ls_str_append(&text, *p == '/' ? "../" : "");
    ls_str_appendf(&text, "blobs/%s", oid);
    ssize_t n = readlink(path, target, sizeof target - 1);
    if (n >= 0)
        target[n] = '\0';
    leash_status status = LEASH_OK;
    if (n < 0 || strcmp(target, text.data) != 0) {
        unlink(path);
        /* somebody who made it meanwhile made the same */
        if (symlink(text.data, path) != 0 && errno != EEXIST)
            status = ls_fail_path("link", path, errno);
    }
    ls_str_release(&text);
    return status;
}

/* Appends the files below `prefix` of a snapshot. */
static leash_status list_folder(ls_hub_listing *out, const char *root, const char *prefix)
{
    char folder[LS_PATH_MAX], path[LS_PATH_MAX];
    char **names;
    int64_t n;
    leash_status status = LEASH_OK;
    ls_str name = LS_STR_INIT;
    LS_TRY(set_path(folder, "%s/%s", root, prefix));
    LS_TRY(ls_dir_list(&names, &n, folder));
    for (int64_t i = 0; i < n; i++) {
        ls_str_clear(&name);
        ls_str_appendf(&name, "%s%s%s", prefix, prefix[0] ? "/" : "", names[i]);
        LS_TRY_OUT(set_path(path, "%s/%s", root, name.data));
        if (ls_dir_exists(path))
            LS_TRY_OUT(list_folder(out, root, name.data));
        else if (ls_file_exists(path))
            ls_hub_listing_add(out, name.data)->size = ls_file_size(path);
    }
out:
    ls_str_release(&name);
    ls_names_free(names, n);
    return status;
}

leash_status ls_hub_cache_list(ls_hub_listing *out, const ls_hub_cache *cache, const char *commit)
{
    char root[LS_PATH_MAX];
    ls_hub_listing_init(out);
    snprintf(out->commit, sizeof out->commit, "%s", commit);
    LS_TRY(ls_hub_cache_snapshot(root, cache, commit, ""));
    return list_folder(out, root, "");
}

/* --- refs --- */

leash_status ls_hub_cache_write_ref(const ls_hub_cache *cache, const char *revision,
                                    const char *commit)
{
    char path[LS_PATH_MAX];
    ls_str old = LS_STR_INIT;
    if (strcmp(revision, commit) == 0)
        return LEASH_OK;
    LS_TRY(set_path(path, "%s/%s/refs/%s", cache->root, cache->folder, revision));
    bool is_same = ls_file_exists(path) && ls_file_read(&old, path) == LEASH_OK &&
                   strcmp(old.data, commit) == 0;
    ls_str_release(&old);
    if (is_same) /* nothing to write, so a cache that is read-only will do */
        return LEASH_OK;
    LS_TRY(make_parent(path));
    return ls_file_write_atomic(path, commit, strlen(commit));
}

static leash_status fail_absent(const ls_hub_cache *cache, const char *revision)
{
    char path[LS_PATH_MAX];
    char **names = NULL;
    int64_t n = 0;
    LS_TRY(set_path(path, "%s/%s/refs", cache->root, cache->folder));
    ls_str there = LS_STR_INIT;
    if (ls_dir_exists(path) && ls_dir_list(&names, &n, path) == LEASH_OK)
        for (int64_t i = 0; i < n && i < 8; i++)
            ls_str_appendf(&there, "%s%s", i ? ", " : "", names[i]);
    ls_names_free(names, n);
    leash_status status =
        ls_fail(LEASH_IO, "revision %s is not in the cache (%s/%s holds %s)", revision, cache->root,
                cache->folder, there.len > 0 ? there.data : "none");
    ls_str_release(&there);
    return status;
}

leash_status ls_hub_cache_read_ref(char commit[41], const ls_hub_cache *cache, const char *revision)
{
    char path[LS_PATH_MAX];
    ls_str text = LS_STR_INIT;
    commit[0] = '\0';
    if (ls_hub_is_commit(revision)) {
        memcpy(commit, revision, 41);
    } else {
        LS_TRY(set_path(path, "%s/%s/refs/%s", cache->root, cache->folder, revision));
        if (ls_file_exists(path))
            LS_TRY(ls_file_read(&text, path));
        text.data[text.len > 0 ? strcspn(text.data, " \r\n") : 0] = '\0';
        if (ls_hub_is_commit(text.data))
            memcpy(commit, text.data, 41);
        ls_str_release(&text);
    }
    if (commit[0] != '\0') {
        LS_TRY(ls_hub_cache_snapshot(path, cache, commit, ""));
        if (ls_dir_exists(path))
            return LEASH_OK;
    }
    return fail_absent(cache, revision);
}
