/* A run directory: the lock, the old run's files, and the two files of lines.  Checkpoints are
 * checkpoint.c's. */
#include "train/rundir.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "train/checkpoint.h"

#define CONFIG_NAME "config.yaml"
#define METRICS_NAME "metrics.jsonl"
#define COMPLETIONS_NAME "completions.jsonl"
/* Of one step's metrics, some kilobytes. */
#define LINE_ROOM ((size_t)1 << 14)

/* --- opening --- */

static bool has_run(const char *path)
{
    char config[LS_PATH_MAX], checkpoints[LS_PATH_MAX];
    return ls_file_exists(ls_path_join(config, path, CONFIG_NAME)) ||
           ls_dir_exists(ls_path_join(checkpoints, path, "checkpoints"));
}

/* config.yaml goes last: until then the directory is still known as an old run. */
static leash_status remove_run(const char *path)
{
    static const char *const names[] = {"report.html", "not-finite.json", METRICS_NAME,
                                        COMPLETIONS_NAME, CONFIG_NAME};
    char file[LS_PATH_MAX];
    LS_TRY(ls_checkpoint_remove_all(path));
    for (size_t i = 0; i < LS_COUNT(names); i++)
        if (unlink(ls_path_join(file, path, names[i])) != 0 && errno != ENOENT)
            return ls_fail_path("remove", file, errno);
    return ls_dir_sync(path);
}

static leash_status open_lines(int *fd, int64_t *bytes, const char *dir, const char *name)
{
    char path[LS_PATH_MAX];
    struct stat info;
    ls_path_join(path, dir, name);
    *fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    if (*fd < 0)
        return ls_fail_path("write", path, errno);
    if (fstat(*fd, &info) != 0)
        return ls_fail_path("read", path, errno);
    *bytes = info.st_size;
    return LEASH_OK;
}

static leash_status open_locked(ls_rundir *dir, bool resume, bool overwrite)
{
    char lock[LS_PATH_MAX];
    LS_TRY(ls_dir_make(dir->path));
    LS_TRY(ls_lock_take(&dir->lock, ls_path_join(lock, dir->path, "lock")));
    if (!resume && has_run(dir->path)) {
        if (!overwrite)
            return ls_fail(LEASH_USAGE,
                           "%s holds a run already: continue it with --resume, remove it with "
                           "--overwrite, or choose another --output_dir",
                           dir->path);
        LS_TRY(remove_run(dir->path));
    }
    LS_TRY(open_lines(&dir->metrics_fd, &dir->metrics_bytes, dir->path, METRICS_NAME));
    return open_lines(&dir->completions_fd, &dir->completions_bytes, dir->path, COMPLETIONS_NAME);
}

leash_status ls_rundir_open(ls_rundir *dir, const char *path, bool resume, bool overwrite)
{
    *dir = (ls_rundir){.lock = {-1}, .metrics_fd = -1, .completions_fd = -1, .line = LS_STR_INIT};
    if (path[0] == '\0' || strlen(path) > LS_RUN_PATH_MAX)
        return ls_fail(LEASH_USAGE,
                       "output_dir: a path of 1 to %d bytes is expected, this one has %zu",
                       LS_RUN_PATH_MAX, strlen(path));
    snprintf(dir->path, sizeof dir->path, "%s", path);
    ls_str_reserve(&dir->line, LINE_ROOM);
    leash_status status = open_locked(dir, resume, overwrite);
    if (status != LEASH_OK)
        ls_rundir_close(dir);
    return status;
}

void ls_rundir_close(ls_rundir *dir)
{
    if (dir->path[0] == '\0')
        return;
    if (dir->metrics_fd >= 0)
        close(dir->metrics_fd);
    if (dir->completions_fd >= 0)
        close(dir->completions_fd);
    ls_lock_drop(&dir->lock);
    ls_str_release(&dir->line);
    *dir = (ls_rundir){.lock = {-1}, .metrics_fd = -1, .completions_fd = -1, .line = LS_STR_INIT};
}

/* --- writing --- */

leash_status ls_rundir_write_config(const ls_rundir *dir, const char *yaml, size_t n)
{
    char path[LS_PATH_MAX];
    return ls_file_write_atomic(ls_path_join(path, dir->path, CONFIG_NAME), yaml, n);
}

/* Appends with one write where the system takes it whole; a failed write leaves the file as it
 * was. */
static leash_status append(const ls_rundir *dir, const char *name, int fd, int64_t *bytes,
                           const char *data, size_t n)
{
    size_t done = 0;
    while (done < n) {
        ssize_t written = write(fd, data + done, n - done);
        if (written >= 0) {
            done += (size_t)written;
            continue;
        }
        int error = errno;
        if (error == EINTR)
            continue;
        char path[LS_PATH_MAX];
        ls_path_join(path, dir->path, name);
        if (done > 0 && ftruncate(fd, *bytes) != 0)
            ls_warn("%s ends with a part of a line", path);
        return ls_fail_path("write", path, error);
    }
    *bytes += (int64_t)n;
    return LEASH_OK;
}

leash_status ls_rundir_append_metrics(ls_rundir *dir, const char *line, size_t n)
{
    ls_str *text = &dir->line;
    ls_str_clear(text);
    ls_str_append_n(text, line, n);
    ls_str_append_char(text, '\n');
    return append(dir, METRICS_NAME, dir->metrics_fd, &dir->metrics_bytes, text->data, text->len);
}

leash_status ls_rundir_append_completions(ls_rundir *dir, const char *lines, size_t n)
{
    LS_ASSERT(n == 0 || lines[n - 1] == '\n');
    return append(dir, COMPLETIONS_NAME, dir->completions_fd, &dir->completions_bytes, lines, n);
}

/* --- cutting and syncing --- */

static leash_status cut(const ls_rundir *dir, const char *name, int fd, int64_t *bytes,
                        int64_t want)
{
    char path[LS_PATH_MAX];
    ls_path_join(path, dir->path, name);
    LS_ASSERT(want >= 0);
    if (*bytes < want) {
        ls_warn("%s has %lld bytes, the checkpoint was made after %lld: lines are missing", path,
                (long long)*bytes, (long long)want);
        return LEASH_OK;
    }
    if (ftruncate(fd, want) != 0)
        return ls_fail_path("cut", path, errno);
    *bytes = want;
    return LEASH_OK;
}

leash_status ls_rundir_cut(ls_rundir *dir, int64_t metrics_bytes, int64_t completions_bytes)
{
    LS_TRY(cut(dir, METRICS_NAME, dir->metrics_fd, &dir->metrics_bytes, metrics_bytes));
    return cut(dir, COMPLETIONS_NAME, dir->completions_fd, &dir->completions_bytes,
               completions_bytes);
}

leash_status ls_rundir_sync_lines(const char *path)
{
    static const char *const names[] = {METRICS_NAME, COMPLETIONS_NAME};
    char file[LS_PATH_MAX];
    for (size_t i = 0; i < LS_COUNT(names); i++) {
        int fd = open(ls_path_join(file, path, names[i]), O_WRONLY | O_CLOEXEC);
        if (fd < 0 && errno == ENOENT)
            continue;
        int error = fd < 0 || fsync(fd) != 0 ? errno : 0;
        if (fd >= 0)
            close(fd);
        if (error != 0)
            return ls_fail_path("sync", file, error);
    }
    return LEASH_OK;
}
