/* One writer for a directory: an flock on a file that names its holder.
 *
 * The kernel drops the lock with the last descriptor, so a killed holder leaves a file but no lock.
 * A child that is forked without exec shares the lock. */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>
#include "base/clock.h"

/* Host, process and time of the holder: "host pid 12 since 2026-01-31T12:00:00Z". */
static leash_status write_holder(int fd, const char *path)
{
    char host[65], now[32];
    if (gethostname(host, sizeof host) != 0)
        host[0] = '\0';
    host[sizeof host - 1] = '\0';
    ls_str text = LS_STR_INIT;
    ls_str_appendf(&text, "%s pid %ld since %s\n", host[0] != '\0' ? host : "unknown",
                   (long)getpid(), ls_clock_utc(now));
    leash_status status = LEASH_OK;
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text.data, text.len, 0) != (ssize_t)text.len)
        status = ls_fail_path("write", path, errno);
    ls_str_release(&text);
    return status;
}

static leash_status fail_busy(int fd, const char *path)
{
    char text[256], host[65], since[33];
    long pid;
    ssize_t n = pread(fd, text, sizeof text - 1, 0);
    text[n > 0 ? n : 0] = '\0';
    const char *slash = strrchr(path, '/');
    int dir_len = slash == NULL ? 1 : slash == path ? 1 : (int)(slash - path);
    const char *dir = slash == NULL ? "." : path;
    if (sscanf(text, "%64s pid %ld since %32s", host, &pid, since) == 3)
        return ls_fail(LEASH_BUSY,
                       "%.*s is in use by process %ld on host %s since %s: wait for it or choose "
                       "another directory",
                       dir_len, dir, pid, host, since);
    return ls_fail(LEASH_BUSY,
                   "%.*s is in use by another process: wait for it or choose another directory",
                   dir_len, dir);
}

leash_status ls_lock_take(ls_lock *lock, const char *path)
{
    lock->fd = -1;
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fd < 0)
        return ls_fail_path("lock", path, errno);
    leash_status status;
    if (flock(fd, LOCK_EX | LOCK_NB) == 0)
        status = write_holder(fd, path);
    else if (errno == EWOULDBLOCK)
        status = fail_busy(fd, path);
    else
        status = ls_fail_path("lock", path, errno);
    if (status != LEASH_OK) {
        close(fd);
        return status;
    }
    lock->fd = fd;
    return LEASH_OK;
}

/* The file stays: removing it would let two others lock two files of one name. */
void ls_lock_drop(ls_lock *lock)
{
    if (lock->fd >= 0)
        close(lock->fd);
    lock->fd = -1;
}
