/* Whole files: read, written at once or not at all, mapped.
 *
 * Directories, renames and paths are in dir.c, the lock in lock.c. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"

#define READ_BYTES ((size_t)1 << 16)
#define MOST_TEMPORARY_NAMES 1000

leash_status ls_fail_path(const char *verb, const char *path, int error)
{
    char text[256];
    const char *reason = strerror_r(error, text, sizeof text), *hint = "";
    switch (error) {
    case ENOENT: reason = "no such file or directory"; break;
    case ENOSPC:
    case EDQUOT: hint = " (free some space or choose another --output_dir)"; break;
    case EROFS: hint = " (choose another --output_dir)"; break;
    case EACCES:
    case EPERM: hint = " (check the owner and the permissions)"; break;
    case EMFILE:
    case ENFILE: hint = " (raise the limit of open files: ulimit -n)"; break;
    default: break;
    }
    errno = error;
    return ls_fail(LEASH_IO, "cannot %s %s: %s%s", verb, path, reason, hint);
}

/* --- reading --- */

/* Appends until the end of the file, whose size may be unknown (pipes, /proc).  Returns 0 or an
 * errno. */
static int read_all(ls_str *out, int fd)
{
    char *buffer = ls_malloc(READ_BYTES);
    int error = 0;
    for (;;) {
        ssize_t n = read(fd, buffer, READ_BYTES);
        if (n > 0)
            ls_str_append_n(out, buffer, (size_t)n);
        else if (n == 0 || errno != EINTR) {
            error = n == 0 ? 0 : errno;
            break;
        }
    }
    ls_free(buffer);
    return error;
}

leash_status ls_file_read(ls_str *out, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ls_fail_path("read", path, errno);
    size_t old_len = out->len;
    int error = read_all(out, fd);
    close(fd);
    if (error == 0)
        return LEASH_OK;
    if (out->len > old_len) {
        out->len = old_len;
        out->data[old_len] = '\0';
    }
    return ls_fail_path("read", path, error);
}

/* --- writing --- */

static int write_all(int fd, const void *data, size_t n)
{
    const char *p = data;
    while (n > 0) {
        ssize_t written = write(fd, p, n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        p += written;
        n -= (size_t)written;
    }
    return 0;
}

/* Writes, flushes to the disk and closes.  Returns 0 or the first errno; the descriptor is closed
 * in any case. */
static int fill_and_close(int fd, const ls_piece *pieces, int64_t n)
{
    int error = 0;
    for (int64_t i = 0; i < n && error == 0; i++)
        error = write_all(fd, pieces[i].data, pieces[i].n);
    if (error == 0 && fsync(fd) != 0)
        error = errno;
    if (close(fd) != 0 && error == 0)
        error = errno;
    return error;
}

leash_status ls_file_write_pieces_synced(const char *path, const ls_piece *pieces, int64_t n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (fd < 0)
        return ls_fail_path("write", path, errno);
    int error = fill_and_close(fd, pieces, n);
    return error == 0 ? LEASH_OK : ls_fail_path("write", path, error);
}

leash_status ls_file_write_synced(const char *path, const void *data, size_t n)
{
    ls_piece piece = {data, n};
    return ls_file_write_pieces_synced(path, &piece, 1);
}

/* Creates "<path>.tmp.<pid>.<n>" with a number that no file has; returns the descriptor, or -1 with
 * errno set. */
static int create_temporary(ls_str *name, const char *path)
{
    static _Atomic(unsigned) counter;
    for (int attempt = 0; attempt < MOST_TEMPORARY_NAMES; attempt++) {
        ls_str_clear(name);
        ls_str_appendf(name, "%s.tmp.%ld.%u", path, (long)getpid(),
                       atomic_fetch_add_explicit(&counter, 1, memory_order_relaxed));
        int fd = open(name->data, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (fd >= 0 || errno != EEXIST)
            return fd;
    }
    errno = EEXIST;
    return -1;
}

leash_status ls_file_write_atomic(const char *path, const void *data, size_t n)
{
    ls_str temporary = LS_STR_INIT;
    leash_status status = LEASH_OK;
    int fd = create_temporary(&temporary, path);
    if (fd < 0) {
        status = ls_fail_path("write", path, errno);
        goto out;
    }
    int error = fill_and_close(fd, &(ls_piece){data, n}, 1);
    if (error == 0 && rename(temporary.data, path) != 0)
        error = errno;
    if (error != 0) {
        unlink(temporary.data);
        status = ls_fail_path("write", path, error);
        goto out;
    }
    status = ls_parent_sync(path);
out:
    ls_str_release(&temporary);
    return status;
}

leash_status ls_file_writer_open(ls_file_writer *w, const char *path)
{
    *w = (ls_file_writer){.path = LS_STR_INIT, .temporary = LS_STR_INIT};
    w->fd = create_temporary(&w->temporary, path);
    if (w->fd < 0) {
        int error = errno;
        ls_str_release(&w->temporary);
        return ls_fail_path("write", path, error);
    }
    ls_str_append(&w->path, path);
    return LEASH_OK;
}

void ls_file_writer_put(ls_file_writer *w, const void *data, size_t n)
{
    if (w->error == 0)
        w->error = write_all(w->fd, data, n);
    w->n_bytes += n;
}

static void release_writer(ls_file_writer *w)
{
    ls_str_release(&w->path);
    ls_str_release(&w->temporary);
}

leash_status ls_file_writer_commit(ls_file_writer *w)
{
    int error = fill_and_close(w->fd, NULL, 0);
    error = w->error ? w->error : error;
    if (error == 0 && rename(w->temporary.data, w->path.data) != 0)
        error = errno;
    leash_status status;
    if (error == 0) {
        status = ls_parent_sync(w->path.data);
    } else {
        unlink(w->temporary.data);
        status = ls_fail_path("write", w->path.data, error);
    }
    release_writer(w);
    return status;
}

void ls_file_writer_abort(ls_file_writer *w)
{
    close(w->fd);
    unlink(w->temporary.data);
    release_writer(w);
}

/* --- questions --- */

bool ls_file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode);
}

bool ls_dir_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

int64_t ls_file_size(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0 && !S_ISDIR(info.st_mode) ? (int64_t)info.st_size : -1;
}

/* --- maps --- */

leash_status ls_map_open(ls_map *map, const char *path)
{
    *map = (ls_map){0};
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ls_fail_path("read", path, errno);
    struct stat info;
    leash_status status = LEASH_OK;
    if (fstat(fd, &info) != 0) {
        status = ls_fail_path("read", path, errno);
    } else if (!S_ISREG(info.st_mode)) {
        status = ls_fail(LEASH_IO, "cannot read %s: expected a file, found a %s", path,
                         S_ISDIR(info.st_mode) ? "directory" : "pipe or device");
    } else if (info.st_size > 0) {
        size_t size = (size_t)info.st_size;
        void *data = mmap(NULL, size, PROT_READ, MAP_PRIVATE, fd, 0);
        if (data == MAP_FAILED)
            status = ls_fail_path("map", path, errno);
        else
            *map = (ls_map){.data = data, .size = size};
    }
    close(fd);
    return status;
}

void ls_map_close(ls_map *map)
{
    if (map->size > 0)
        munmap((void *)(uintptr_t)map->data, map->size);
    *map = (ls_map){0};
}
