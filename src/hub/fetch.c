/* Downloading one file.
 *
 * Bytes are collected in blobs/OID.incomplete under the lock of that blob and take their place by a
 * rename after their hash was found right.  So the lock only saves work: where a file system has no
 * locks and two writers mix their bytes, the hash finds it. */
#include "hub/fetch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/digest.h"

typedef struct sink { /* where the bytes go */
    ls_hub_job *job;
    ls_hub_file *file;
    const char *path;
    int fd;
    int64_t n;       /* bytes that are there */
    int64_t counted; /* of them in job->progress.received */
} sink;

/* --- progress --- */

static void count_bytes(sink *s)
{
    ls_hub_progress *progress = &s->job->progress;
    progress->received += s->n - s->counted;
    s->counted = s->n;
    if (s->job->hooks->on_progress != NULL)
        s->job->hooks->on_progress(s->job->hooks->user, progress);
}

static void count_cached(ls_hub_job *job, ls_hub_file *file, int64_t size)
{
    sink whole = {.job = job, .n = size};
    file->was_cached = true;
    file->size = size;
    count_bytes(&whole);
}

/* --- addresses and answers --- */

void ls_hub_append_address(ls_str *url, const ls_hub_job *job, bool is_api)
{
    ls_str_append(url, job->site->endpoint);
    if (is_api)
        ls_str_append(url, job->spec->is_dataset ? "/api/datasets" : "/api/models");
    else if (job->spec->is_dataset)
        ls_str_append(url, "/datasets");
    ls_http_append_part(url, job->spec->id, true);
}

leash_status ls_hub_fail_answer(const ls_hub_job *job, const ls_http_response *r)
{
    const char *code = r->error_code, *endpoint = job->site->endpoint, *id = job->spec->id;
    const char *kind = job->spec->is_dataset ? "datasets/" : "";
    const char *sent = r->sent_token ? "one was sent" : "none was sent";
    if (r->status == 403 || strcmp(code, "GatedRepo") == 0)
        return ls_fail(LEASH_IO,
                       "no access (%ld%s%s): ask for it at %s/%s%s, then set HF_TOKEN to a token "
                       "that may read it (%s)",
                       r->status, code[0] ? " " : "", code, endpoint, kind, id, sent);
    if (r->status == 401 || strcmp(code, "RepoNotFound") == 0)
        return ls_fail(LEASH_IO,
                       "there is no %s %s at %s, or it is private or gated (%ld): check the name, "
                       "set HF_TOKEN (%s)",
                       job->spec->is_dataset ? "dataset" : "model", id, endpoint, r->status, sent);
    if (r->status == 404)
        return ls_fail(LEASH_IO, "not found at %s (404): tried %s%s, revision %s%s%s", endpoint,
                       kind, id, job->spec->revision, code[0] ? ": " : "", code);
    if (r->status == 429)
        return ls_fail(LEASH_IO, "%s wants fewer requests (429): wait some minutes%s", endpoint,
                       r->sent_token ? "" : ", or set HF_TOKEN");
    return ls_fail(LEASH_IO, "%s answered %ld", endpoint, r->status);
}

static void append_file_address(ls_str *url, const ls_hub_job *job, const char *name)
{
    ls_hub_append_address(url, job, false);
    ls_str_append(url, "/resolve");
    ls_http_append_part(url, job->commit, false);
    ls_http_append_part(url, name, true);
}

/* --- the hash, where the listing did not give it --- */

/* It becomes the name of a file. */
static bool is_safe_oid(const char *oid)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
    return oid[0] != '\0' && strspn(oid, letters) == strlen(oid);
}

/* The endpoint answers for the commit that was asked for, and names the blob where the listing did
 * not. */
static leash_status check_answer(const ls_hub_job *job, const ls_hub_file *file,
                                 const ls_http_response *r)
{
    if (r->commit[0] != '\0' && strcmp(r->commit, job->commit) != 0)
        return ls_fail(LEASH_FORMAT, "the server answers for commit %s instead of %s", r->commit,
                       job->commit);
    if (!is_safe_oid(r->etag) && file->oid[0] == '\0')
        return ls_fail(LEASH_FORMAT,
                       "the server gives the file no ETag to name it by: is HF_ENDPOINT a "
                       "hub?");
    return LEASH_OK;
}

static leash_status ask_oid(ls_hub_job *job, ls_hub_file *file, const char *url)
{
    ls_http_response r;
    leash_status status;
    int n_failed = 0;
    if (file->oid[0] != '\0')
        return LEASH_OK;
    do
        status = ls_http_run(job->http, &r, &(ls_http_request){.url = url, .is_head = true});
    while (r.can_retry && ls_http_wait_again(job->http, &n_failed, status, &r));
    LS_TRY(status);
    if (r.status >= 400)
        return ls_hub_fail_answer(job, &r);
    LS_TRY(check_answer(job, file, &r));
    snprintf(file->oid, sizeof file->oid, "%s", r.etag);
    if (file->size < 0)
        file->size = r.whole_length;
    return LEASH_OK;
}

/* --- receiving --- */

static leash_status fail_write(const sink *s, int error)
{
    if (error != ENOSPC && error != EDQUOT)
        return ls_fail_path("write", s->path, error);
    return ls_fail(LEASH_IO,
                   "the disk of %s is full: free some space or set HF_HUB_CACHE to a "
                   "folder elsewhere; the next pull goes on from here",
                   s->job->site->cache);
}

static leash_status start_over(sink *s)
{
    if (ftruncate(s->fd, 0) != 0)
        return fail_write(s, errno);
    s->n = 0;
    count_bytes(s);
    return LEASH_OK;
}

/* A server that does not know ranges sends the whole. */
static leash_status on_begin(void *user, const ls_http_response *r)
{
    sink *s = user;
    LS_TRY(check_answer(s->job, s->file, r));
    if (r->status == 200 && s->n > 0)
        return start_over(s);
    if (r->status == 206 && r->range_start != s->n)
        return ls_fail(LEASH_FORMAT, "asked for bytes from %lld, the server sends from %lld",
                       (long long)s->n, (long long)r->range_start);
    return LEASH_OK;
}

static leash_status on_write(void *user, const char *bytes, size_t n)
{
    sink *s = user;
    if (s->file->size >= 0 && s->n + (int64_t)n > s->file->size)
        return ls_fail(LEASH_FORMAT, "the server sends more than the %lld bytes of the file",
                       (long long)s->file->size);
    while (n > 0) {
        ssize_t written = pwrite(s->fd, bytes, n, (off_t)s->n);
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return fail_write(s, written < 0 ? errno : ENOSPC);
        bytes += written;
        n -= (size_t)written;
        s->n += written;
    }
    count_bytes(s);
    return LEASH_OK;
}

/* One request.  *is_whole: nothing is missing any more; response->can_retry: another may help. */
static leash_status receive_once(sink *s, const char *url, ls_http_response *r, bool *is_whole)
{
    const ls_hub_file *file = s->file;
    *is_whole = false;
    leash_status status = ls_http_run(
        s->job->http, r,
        &(ls_http_request){
            .url = url, .range_start = s->n, .user = s, .begin = on_begin, .write = on_write});
    LS_TRY(status);
    if (r->status == 416) { /* what is there is longer than the file, or another file */
        LS_TRY(start_over(s));
        r->can_retry = true;
        return LEASH_OK;
    }
    if (r->status != 200 && r->status != 206)
        return LEASH_OK;
    int64_t size = file->size >= 0 ? file->size : r->whole_length;
    *is_whole = size < 0 || s->n == size;
    r->can_retry = !*is_whole;
    return LEASH_OK;
}

/* Requests until the file is whole; new bytes give new patience. */
static leash_status receive(sink *s, const char *url)
{
    int n_failed = 0;
    for (;;) {
        ls_http_response r;
        bool is_whole;
        int64_t before = s->n;
        if (s->file->size >= 0 && s->n == s->file->size)
            return LEASH_OK;
        leash_status status = receive_once(s, url, &r, &is_whole);
        if (status == LEASH_OK && is_whole)
            return LEASH_OK;
        if (s->n > before)
            n_failed = 0;
        if (ls_http_wait_again(s->job->http, &n_failed, status, &r))
            continue;
        if (status == LEASH_OK && (r.status == 200 || r.status == 206))
            return ls_fail(LEASH_IO,
                           "the connection ends at %lld of %lld bytes, again and "
                           "again; the next pull goes on from here",
                           (long long)s->n, (long long)s->file->size);
        return status != LEASH_OK ? status : ls_hub_fail_answer(s->job, &r);
    }
}

static leash_status check_space(const sink *s)
{
    struct statvfs disk;
    char need[32], found[32];
    int64_t missing = s->file->size - s->n;
    if (s->file->size < 0 || fstatvfs(s->fd, &disk) != 0)
        return LEASH_OK;
    double there = (double)disk.f_bavail * (double)disk.f_frsize;
    if ((double)missing <= there)
        return LEASH_OK;
    return ls_fail(LEASH_IO,
                   "needs %s, the disk of %s has %s: free some space or set HF_HUB_CACHE "
                   "to a folder elsewhere",
                   ls_format_bytes(need, (double)missing), s->job->site->cache,
                   ls_format_bytes(found, there));
}

/* Compares the hash of what came, `found`, with the name of the blob; a name that is no hash cannot
 * be compared and counts as right. */
static leash_status check_hash(const sink *s, bool *is_right, char found[65])
{
    ls_digest_kind kind = ls_digest_kind_of(s->file->oid);
    *is_right = true;
    if (kind == LS_DIGEST_NONE) {
        ls_debug("hub: %s: the server's ETag is no hash, the file was not checked", s->file->name);
        return LEASH_OK;
    }
    LS_TRY(ls_digest_file(found, s->path, kind));
    *is_right = strcmp(found, s->file->oid) == 0;
    return LEASH_OK;
}

/* A wrong hash of bytes that an earlier pull left gets one try from nothing. */
static leash_status receive_checked(sink *s, const char *url)
{
    char found[65] = "";
    bool is_right, was_resumed = s->n > 0;
    LS_TRY(check_space(s));
    LS_TRY(receive(s, url));
    LS_TRY(check_hash(s, &is_right, found));
    if (!is_right && was_resumed) {
        ls_info("hub: %s: the bytes that were there are wrong, starting over", s->file->name);
        LS_TRY(start_over(s));
        LS_TRY(receive(s, url));
        LS_TRY(check_hash(s, &is_right, found));
    }
    if (is_right)
        return LEASH_OK;
    unlink(s->path);
    return ls_fail(LEASH_FORMAT,
                   "the bytes have the hash %s, the hub says %s: the file was removed; "
                   "pull again, and if it happens again, something on the way changes it",
                   found, s->file->oid);
}

/* Under the lock: fills blobs/OID. */
static leash_status download(ls_hub_job *job, ls_hub_file *file, const char *url, const char *blob)
{
    char path[LS_PATH_MAX];
    LS_TRY(ls_hub_cache_blob(path, job->cache, file->oid, ".incomplete"));
    sink s = {.job = job, .file = file, .path = path};
    s.fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (s.fd < 0)
        return ls_fail_path("write", path, errno);
    int64_t there = ls_file_size(path);
    s.n = there > 0 && (file->size < 0 || there <= file->size) ? there : 0;
    leash_status status = s.n == there ? LEASH_OK : start_over(&s);
    if (status == LEASH_OK)
        status = receive_checked(&s, url);
    if (status == LEASH_OK && fsync(s.fd) != 0)
        status = fail_write(&s, errno);
    close(s.fd);
    LS_TRY(status);
    file->size = s.n;
    count_bytes(&s);
    return ls_path_rename(path, blob);
}

/* A blob whose size is not the file's was damaged after it was made. */
static bool has_blob(const char *blob, const ls_hub_file *file)
{
    int64_t size = ls_file_size(blob);
    return size >= 0 && (file->size < 0 || size == file->size);
}

leash_status ls_hub_fetch(ls_hub_job *job, ls_hub_file *file)
{
    char blob[LS_PATH_MAX];
    ls_lock lock = {.fd = -1};
    ls_str url = LS_STR_INIT;
    leash_status status = LEASH_OK;
    job->progress.file = file->name;
    append_file_address(&url, job, file->name);
    LS_TRY_OUT(ask_oid(job, file, url.data));
    LS_TRY_OUT(ls_hub_cache_blob(blob, job->cache, file->oid, ""));
    if (!has_blob(blob, file)) {
        LS_TRY_OUT(ls_hub_cache_make(job->cache));
        LS_TRY_OUT(ls_hub_cache_lock(&lock, job->cache, file->oid, job->hooks->should_stop));
    }
    if (has_blob(blob, file)) /* at once, or written by the one that held the lock */
        count_cached(job, file, ls_file_size(blob));
    else
        LS_TRY_OUT(download(job, file, url.data, blob));
    LS_TRY_OUT(ls_hub_cache_link(job->cache, job->commit, file->name, file->oid));
out:
    if (lock.fd >= 0)
        ls_lock_drop(&lock);
    ls_str_release(&url);
    return status == LEASH_OK ? status : ls_fail_in(status, "%s", file->name);
}
