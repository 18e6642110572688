/* A hub on this machine, for tests: one socket answers as huggingface.co does (listings, files,
 * redirects), another as its store of large files.  Ports are the kernel's choice; one connection
 * is served after the other.  What goes wrong is set in `trouble`; what was asked is in `log`. */
#ifndef LS_TESTS_FAKE_HUB_H
#define LS_TESTS_FAKE_HUB_H

#include <arpa/inet.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <cmocka.h>
#include "base/str.h"

#define MAIN_COMMIT "1111111111111111111111111111111111111111"
#define OLD_COMMIT "2222222222222222222222222222222222222222"

typedef struct fake_file {
    const char *repository, *commit, *name, *bytes;
    size_t n;
    bool is_lfs;
} fake_file;

typedef struct fake_request {
    char method[8], target[512], range[64];
    bool is_store, has_token;
} fake_request;

/* Plain fields: set them before a request, read them after it. */
typedef struct fake_trouble {
    const char *token; /* that the endpoint wants; NULL: none */
    bool is_gated;     /* with the token missing: 403 GatedRepo instead of 401 */
    int n_busy, busy;  /* so many answers of both are this status */
    int n_cuts;        /* so many answers of the store end after cut_bytes */
    size_t cut_bytes;
    int n_flips;            /* so many answers of the store have a wrong byte */
    bool ignores_ranges;    /* the store sends the whole, with 200 */
    bool hides_blobs;       /* the listing gives no sizes and hashes */
    size_t chunk;           /* bytes of one send; 0: all at once */
    const char *other_name; /* a further file in the listing, */
    int64_t other_size;     /* and its size */
    size_t lies_by;         /* the listing says so much less for large files */
} fake_trouble;

typedef struct fake_listener {
    struct fake_hub *hub;
    int which; /* 0: endpoint, 1: store */
} fake_listener;

typedef struct fake_hub {
    const fake_file *files;
    int n_files;
    fake_trouble trouble;
    fake_request log[256];
    int n_log;
    int sockets[2], ports[2]; /* endpoint, store */
    fake_listener listeners[2];
    pthread_t threads[2];
    pthread_mutex_t lock; /* trouble and log */
} fake_hub;

/* --- hashes --- */

static inline void fake_oid(char out[65], const fake_file *file)
{
    uint8_t hash[SHA256_DIGEST_SIZE];
    int n_hash = file->is_lfs ? SHA256_DIGEST_SIZE : SHA1_DIGEST_SIZE;
    if (file->is_lfs) {
        struct sha256_ctx context;
        sha256_init(&context);
        sha256_update(&context, file->n, (const uint8_t *)file->bytes);
        sha256_digest(&context, SHA256_DIGEST_SIZE, hash);
    } else {
        struct sha1_ctx context;
        char head[32];
        int n = snprintf(head, sizeof head, "blob %zu", file->n);
        sha1_init(&context);
        sha1_update(&context, (size_t)n + 1, (const uint8_t *)head);
        sha1_update(&context, file->n, (const uint8_t *)file->bytes);
        sha1_digest(&context, SHA1_DIGEST_SIZE, hash);
    }
    for (int i = 0; i < n_hash; i++)
        snprintf(out + 2 * i, 3, "%02x", hash[i]);
}

/* --- answers --- */

static inline void fake_send(int fd, const char *bytes, size_t n, size_t chunk)
{
    while (n > 0) {
        size_t most = chunk > 0 && chunk < n ? chunk : n;
        ssize_t sent = send(fd, bytes, most, MSG_NOSIGNAL);
        if (sent <= 0)
            return;
        bytes += sent;
        n -= (size_t)sent;
    }
}

/* headers: whole lines, or "". */
static inline void fake_answer(int fd, const fake_request *r, const char *line, const char *headers,
                               const char *body)
{
    ls_str text = LS_STR_INIT;
    bool is_head = strcmp(r->method, "HEAD") == 0;
    ls_str_appendf(&text, "HTTP/1.1 %s\r\nConnection: close\r\n%sContent-Length: %zu\r\n\r\n%s",
                   line, headers, strlen(body), is_head ? "" : body);
    fake_send(fd, text.data, text.len, 0);
    ls_str_release(&text);
}

static inline bool fake_take(int *count)
{
    bool is_taken = *count > 0;
    *count -= is_taken;
    return is_taken;
}

/* The bytes of a file as the request and the troubles want them. */
static inline void fake_send_file(fake_hub *hub, int fd, const fake_request *r,
                                  const fake_file *file, const char *headers)
{
    fake_trouble *trouble = &hub->trouble;
    bool is_head = strcmp(r->method, "HEAD") == 0;
    long long start = 0;
    ls_str text = LS_STR_INIT;
    if (!(r->is_store && trouble->ignores_ranges) && sscanf(r->range, "bytes=%lld-", &start) == 1 &&
        start >= (long long)file->n) {
        fake_answer(fd, r, "416 Range Not Satisfiable", "", "");
        return;
    }
    if (start > 0)
        ls_str_appendf(&text,
                       "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %lld-%zu/%zu\r\n",
                       start, file->n - 1, file->n);
    else
        ls_str_append(&text, "HTTP/1.1 200 OK\r\n");
    ls_str_appendf(&text, "Connection: close\r\n%sContent-Length: %zu\r\n\r\n", headers,
                   file->n - (size_t)start);
    size_t n_head = text.len, most = file->n - (size_t)start;
    if (!is_head)
        ls_str_append_n(&text, file->bytes + start, most);
    if (!is_head && r->is_store && most > 0 && fake_take(&trouble->n_flips))
        text.data[text.len - 1] ^= 1;
    if (!is_head && r->is_store && trouble->cut_bytes < most && fake_take(&trouble->n_cuts))
        text.len = n_head + trouble->cut_bytes;
    fake_send(fd, text.data, text.len, trouble->chunk);
    ls_str_release(&text);
}

static inline void fake_list(fake_hub *hub, int fd, const fake_request *r, const char *repository,
                             const char *commit)
{
    ls_str text = LS_STR_INIT;
    ls_str_appendf(&text, "{\"id\": \"%s\", \"sha\": \"%s\", \"siblings\": [", repository, commit);
    const char *comma = "";
    for (int i = 0; i < hub->n_files; i++) {
        const fake_file *f = &hub->files[i];
        char oid[65];
        if (strcmp(f->repository, repository) != 0 || strcmp(f->commit, commit) != 0)
            continue;
        fake_oid(oid, f);
        ls_str_appendf(&text, "%s{\"rfilename\": \"%s\"", comma, f->name);
        if (!hub->trouble.hides_blobs && f->is_lfs)
            ls_str_appendf(&text,
                           ", \"size\": %zu, \"lfs\": {\"sha256\": \"%s\", \"size\": %zu, "
                           "\"pointerSize\": 130}",
                           f->n, oid, f->n - hub->trouble.lies_by);
        else if (!hub->trouble.hides_blobs)
            ls_str_appendf(&text, ", \"size\": %zu, \"blobId\": \"%s\"", f->n, oid);
        ls_str_append(&text, "}");
        comma = ", ";
    }
    if (hub->trouble.other_name != NULL)
        ls_str_appendf(&text, "%s{\"rfilename\": \"%s\", \"size\": %lld, \"blobId\": \"%s\"}",
                       comma, hub->trouble.other_name, (long long)hub->trouble.other_size,
                       MAIN_COMMIT);
    ls_str_append(&text, "]}");
    fake_answer(fd, r, "200 OK", "Content-Type: application/json\r\n", text.data);
    ls_str_release(&text);
}

/* A revision of a repository: its commit, NULL when there is none. */
static inline const char *fake_commit(const fake_hub *hub, const char *repository,
                                      const char *revision)
{
    const char *commit = strcmp(revision, "main") == 0 ? MAIN_COMMIT
                         : strcmp(revision, "v1") == 0 ? OLD_COMMIT
                                                       : revision;
    for (int i = 0; i < hub->n_files; i++)
        if (strcmp(hub->files[i].repository, repository) == 0 &&
            strcmp(hub->files[i].commit, commit) == 0)
            return hub->files[i].commit;
    return NULL;
}

/* "/REPOSITORY/WORD/REVISION[/NAME]" taken apart. */
static inline bool fake_parse(const char *target, const char *word, char repository[128],
                              char revision[128], char name[256])
{
    const char *at = strstr(target, word);
    if (at == NULL)
        return false;
    snprintf(repository, 128, "%.*s", (int)(at - target), target);
    at += strlen(word);
    snprintf(revision, 128, "%.*s", (int)strcspn(at, "/?"), at);
    at += strcspn(at, "/?");
    snprintf(name, 256, "%s", *at == '/' ? at + 1 : "");
    return true;
}

static inline void fake_file_at_hub(fake_hub *hub, int fd, const fake_request *r,
                                    const fake_file *f)
{
    char oid[65];
    ls_str headers = LS_STR_INIT;
    fake_oid(oid, f);
    ls_str_appendf(&headers, "X-Repo-Commit: %s\r\n", f->commit);
    if (f->is_lfs) {
        ls_str_appendf(&headers,
                       "X-Linked-Etag: \"%s\"\r\nX-Linked-Size: %zu\r\nETag: \"pointer\"\r\n"
                       "Location: http://127.0.0.1:%d/lfs/%s\r\n",
                       oid, f->n, hub->ports[1], oid);
        fake_answer(fd, r, "302 Found", headers.data, "Found. Redirecting");
    } else {
        ls_str_appendf(&headers, "ETag: W/\"%s\"\r\n", oid);
        fake_send_file(hub, fd, r, f, headers.data);
    }
    ls_str_release(&headers);
}

static inline void fake_not_found(int fd, const fake_request *r, const char *code)
{
    char headers[96];
    snprintf(headers, sizeof headers, "X-Error-Code: %s\r\n", code);
    fake_answer(fd, r, "404 Not Found", headers, "{\"error\": \"not found\"}");
}

static inline void fake_serve_hub(fake_hub *hub, int fd, const fake_request *r)
{
    char repository[128], revision[128], name[256];
    const char *commit, *target = r->target;
    bool is_api =
        ls_starts_with(target, "/api/models/") || ls_starts_with(target, "/api/datasets/");
    if (hub->trouble.token != NULL && !r->has_token) {
        bool is_gated = hub->trouble.is_gated;
        fake_answer(fd, r, is_gated ? "403 Forbidden" : "401 Unauthorized",
                    is_gated ? "X-Error-Code: GatedRepo\r\n" : "", "");
        return;
    }
    const char *old = strstr(target, "/acme/old/"); /* was renamed to acme/tiny */
    if (old != NULL) {
        char headers[1200];
        snprintf(headers, sizeof headers, "Location: %.*s/acme/tiny%s\r\n", (int)(old - target),
                 target, old + strlen("/acme/old"));
        fake_answer(fd, r, "307 Temporary Redirect", headers, "");
        return;
    }
    target += is_api ? (target[5] == 'm' ? strlen("/api/models/") : strlen("/api/")) : 1;
    if (!fake_parse(target, is_api ? "/revision/" : "/resolve/", repository, revision, name)) {
        fake_not_found(fd, r, "RepoNotFound");
        return;
    }
    commit = fake_commit(hub, repository, revision);
    if (commit == NULL) {
        bool is_known = fake_commit(hub, repository, "main") != NULL;
        fake_not_found(fd, r, is_known ? "RevisionNotFound" : "RepoNotFound");
        return;
    }
    if (is_api) {
        fake_list(hub, fd, r, repository, commit);
        return;
    }
    for (int i = 0; i < hub->n_files; i++) {
        const fake_file *f = &hub->files[i];
        if (strcmp(f->repository, repository) == 0 && strcmp(f->commit, commit) == 0 &&
            strcmp(f->name, name) == 0) {
            fake_file_at_hub(hub, fd, r, f);
            return;
        }
    }
    fake_not_found(fd, r, "EntryNotFound");
}

static inline void fake_serve_store(fake_hub *hub, int fd, const fake_request *r)
{
    for (int i = 0; i < hub->n_files; i++) {
        char oid[65];
        fake_oid(oid, &hub->files[i]);
        if (ls_ends_with(r->target, oid)) {
            fake_send_file(hub, fd, r, &hub->files[i], "");
            return;
        }
    }
    fake_answer(fd, r, "404 Not Found", "", "");
}

/* --- requests --- */

/* Reads up to the empty line. */
static inline bool fake_read(fake_hub *hub, int fd, fake_request *r)
{
    char text[8192];
    size_t n = 0;
    while (n + 1 < sizeof text) {
        ssize_t got = recv(fd, text + n, sizeof text - 1 - n, 0);
        if (got <= 0)
            return false;
        n += (size_t)got;
        text[n] = '\0';
        if (strstr(text, "\r\n\r\n"))
            break;
    }
    if (sscanf(text, "%7s %511s", r->method, r->target) != 2)
        return false;
    for (const char *line = strstr(text, "\r\n"); line != NULL; line = strstr(line + 2, "\r\n")) {
        if (strncasecmp(line + 2, "Range: ", 7) == 0)
            snprintf(r->range, sizeof r->range, "%.*s", (int)strcspn(line + 9, "\r"), line + 9);
        if (strncasecmp(line + 2, "Authorization: ", 15) == 0)
            r->has_token =
                r->is_store || hub->trouble.token == NULL ||
                strncmp(line + 17 + 7, hub->trouble.token, strlen(hub->trouble.token)) == 0;
    }
    return true;
}

static inline void *fake_listen(void *user)
{
    fake_listener *listener = user;
    fake_hub *hub = listener->hub;
    int which = listener->which;
    for (;;) {
        int fd = accept(hub->sockets[which], NULL, NULL);
        if (fd < 0)
            return NULL; /* shut down */
        fake_request r = {.is_store = which == 1};
        if (fake_read(hub, fd, &r)) {
            pthread_mutex_lock(&hub->lock);
            if (hub->n_log < (int)(sizeof hub->log / sizeof hub->log[0]))
                hub->log[hub->n_log++] = r;
            char line[32];
            snprintf(line, sizeof line, "%d Busy", hub->trouble.busy);
            if (fake_take(&hub->trouble.n_busy))
                fake_answer(fd, &r, line, "Retry-After: 7\r\n", "");
            else if (which == 0)
                fake_serve_hub(hub, fd, &r);
            else
                fake_serve_store(hub, fd, &r);
            pthread_mutex_unlock(&hub->lock);
        }
        shutdown(fd, SHUT_RDWR);
        close(fd);
    }
}

/* --- life --- */

static inline void fake_hub_start(fake_hub *hub, const fake_file *files, int n_files)
{
    memset(hub, 0, sizeof *hub);
    hub->files = files;
    hub->n_files = n_files;
    pthread_mutex_init(&hub->lock, NULL);
    for (int i = 0; i < 2; i++) {
        struct sockaddr_in address = {.sin_family = AF_INET,
                                      .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        socklen_t size = sizeof address;
        hub->sockets[i] = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        assert_true(hub->sockets[i] >= 0);
        assert_int_equal(bind(hub->sockets[i], (struct sockaddr *)&address, sizeof address), 0);
        assert_int_equal(listen(hub->sockets[i], 64), 0);
        assert_int_equal(getsockname(hub->sockets[i], (struct sockaddr *)&address, &size), 0);
        hub->ports[i] = ntohs(address.sin_port);
    }
    for (int i = 0; i < 2; i++) {
        hub->listeners[i] = (fake_listener){hub, i};
        assert_int_equal(pthread_create(&hub->threads[i], NULL, fake_listen, &hub->listeners[i]),
                         0);
    }
}

static inline void fake_hub_stop(fake_hub *hub)
{
    for (int i = 0; i < 2; i++) {
        shutdown(hub->sockets[i], SHUT_RDWR);
        pthread_join(hub->threads[i], NULL);
        close(hub->sockets[i]);
    }
    pthread_mutex_destroy(&hub->lock);
}

/* Requests that were logged, of a method ("": any) and of the store or the endpoint. */
static inline int fake_hub_count(const fake_hub *hub, const char *method, bool is_store)
{
    int n = 0;
    for (int i = 0; i < hub->n_log; i++)
        n += hub->log[i].is_store == is_store &&
             (method[0] == '\0' || strcmp(hub->log[i].method, method) == 0);
    return n;
}

#endif
