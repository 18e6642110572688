/* Directories, renames and paths. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"

/* --- paths --- */

char *ls_path_join(char out[LS_PATH_MAX], const char *a, const char *b)
{
    const char *slash = a[0] == '\0' || ls_ends_with(a, "/") ? "" : "/";
    int n = snprintf(out, LS_PATH_MAX, "%s%s%s", a, slash, b);
    LS_ASSERT(n >= 0 && n < LS_PATH_MAX);
    return out;
}

/* The directory that holds `path`: "a" of "a/b" and "a/b/", "." of "b", "/" of "/b". */
static void append_parent(ls_str *out, const char *path)
{
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    while (n > 1 && path[n - 1] == '/')
        n--;
    if (n == 0)
        ls_str_append(out, ".");
    else
        ls_str_append_n(out, path, n);
}

/* --- syncing and renaming --- */

leash_status ls_dir_sync(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return ls_fail_path("sync", path, errno);
    /* Some file systems cannot sync a directory and say EINVAL: they have nothing more to give. */
    int error = fsync(fd) != 0 && errno != EINVAL ? errno : 0;
    close(fd);
    return error == 0 ? LEASH_OK : ls_fail_path("sync", path, error);
}

leash_status ls_parent_sync(const char *path)
{
    ls_str parent = LS_STR_INIT;
    append_parent(&parent, path);
    leash_status status = ls_dir_sync(parent.data);
    ls_str_release(&parent);
    return status;
}

leash_status ls_path_rename(const char *from, const char *to)
{
    if (rename(from, to) != 0) {
        int error = errno;
        ls_str both = LS_STR_INIT;
        ls_str_appendf(&both, "%s to %s", from, to);
        leash_status status = ls_fail_path("rename", both.data, error);
        ls_str_release(&both);
        return status;
    }
    return ls_parent_sync(to);
}

/* --- making --- */

static leash_status make_one(const char *path)
{
    if (mkdir(path, 0777) == 0 || (errno == EEXIST && ls_dir_exists(path)))
        return LEASH_OK;
    if (errno == EEXIST)
        return ls_fail(LEASH_IO,
                       "cannot create directory %s: a file of that name exists (remove it or "
                       "choose another name)",
                       path);
    return ls_fail_path("create directory", path, errno);
}

leash_status ls_dir_make(const char *path)
{
    if (path[0] == '\0')
        return ls_fail_path("create directory", "\"\"", ENOENT);
    leash_status status = LEASH_OK;
    char *prefix = ls_strdup(path);
    for (char *p = prefix + 1; *p != '\0'; p++) {
        if (*p != '/' || p[-1] == '/')
            continue;
        *p = '\0';
        /* A parent that exists may sit in a place where we may not create, so look first. */
        if (!ls_dir_exists(prefix))
            LS_TRY_OUT(make_one(prefix));
        *p = '/';
    }
    status = make_one(path);
out:
    ls_free(prefix);
    return status;
}

/* --- removing --- */

/* Removes what is in the open directory, without following links, and closes it.  Returns 0 or an
 * errno. */
static int remove_contents(int fd)
{
    DIR *dir = fdopendir(fd);
    if (dir == NULL) {
        int error = errno;
        close(fd);
        return error;
    }
    int error = 0;
    struct dirent *entry;
    while (error == 0 && (errno = 0, entry = readdir(dir)) != NULL) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
            continue;
        if (unlinkat(fd, name, 0) == 0 || errno == ENOENT)
            continue;
        int reason = errno; /* EISDIR for a directory, EPERM on some file systems */
        int child = openat(fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (child < 0) {
            error = errno == ENOTDIR ? reason : errno;
            break;
        }
        error = remove_contents(child);
        if (error == 0 && unlinkat(fd, name, AT_REMOVEDIR) != 0)
            error = errno;
    }
    if (error == 0 && entry == NULL)
        error = errno;
    closedir(dir);
    return error;
}

leash_status ls_dir_remove(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return errno == ENOENT ? LEASH_OK : ls_fail_path("remove directory", path, errno);
    int error = remove_contents(fd);
    if (error == 0 && rmdir(path) != 0)
        error = errno;
    return error == 0 ? LEASH_OK : ls_fail_path("remove directory", path, error);
}

/* --- listing --- */

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

leash_status ls_dir_list(char ***names, int64_t *n, const char *path)
{
    *names = NULL;
    *n = 0;
    DIR *dir = opendir(path);
    if (dir == NULL)
        return ls_fail_path("list", path, errno);
    char **list = NULL;
    size_t count = 0, cap = 0;
    struct dirent *entry;
    while ((errno = 0, entry = readdir(dir)) != NULL) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        if (count == cap) {
            cap = cap > 0 ? 2 * cap : 16;
            list = ls_realloc(list, ls_mul_size(cap, sizeof *list));
        }
        list[count++] = ls_strdup(entry->d_name);
    }
    int error = errno;
    closedir(dir);
    if (error != 0) {
        ls_names_free(list, (int64_t)count);
        return ls_fail_path("list", path, error);
    }
    if (count > 0)
        qsort(list, count, sizeof *list, compare_names);
    *names = list;
    *n = (int64_t)count;
    return LEASH_OK;
}

void ls_names_free(char **names, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        ls_free(names[i]);
    ls_free(names);
}
