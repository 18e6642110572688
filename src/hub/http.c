/* libcurl, asked for what a download needs. */
#include "hub/http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/log.h"
#include "base/mem.h"
#include "hub/curl.h"

#define MOST_REDIRECTS 8
#define MOST_ATTEMPTS 5
#define CONNECT_SECONDS 15L
#define SILENT_SECONDS 30L /* without a byte a connection counts as broken */
#define MOST_WAIT_SECONDS 120.0

struct ls_http {
    const ls_curl *lib;
    CURL *curl;
    const ls_hub_hooks *hooks;
    char origin[1100]; /* of the endpoint: scheme://host:port */
    char bearer[600];  /* the token's line, "" without a token */
    char reason[CURL_ERROR_SIZE];
    /* The request at work. */
    const ls_http_request *request;
    ls_http_response *response;
    bool is_endpoint; /* this hop asks the endpoint */
    bool has_begun;
    leash_status sink_status;
};

/* --- start and end --- */

/* "https://host:443" of an address; false for what is none. */
static bool get_origin(const ls_curl *lib, char *out, size_t size, const char *url)
{
    CURLU *parts = lib->url();
    char *scheme = NULL, *host = NULL, *port = NULL;
    bool is_whole = parts != NULL && lib->url_set(parts, CURLUPART_URL, url, 0) == CURLUE_OK &&
                    lib->url_get(parts, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                    lib->url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                    lib->url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK;
    if (is_whole) {
        int n = snprintf(out, size, "%s://%s:%s", scheme, host, port);
        is_whole = n > 0 && (size_t)n < size;
    }
    lib->free(scheme); /* curl's */
    lib->free(host);   /* curl's */
    lib->free(port);   /* curl's */
    lib->url_cleanup(parts);
    return is_whole;
}

leash_status ls_http_new(ls_http **out, const ls_hub_site *site, const ls_hub_hooks *hooks)
{
    *out = NULL;
    const ls_curl *lib;
    LS_TRY(ls_curl_open(&lib));
    CURL *curl = lib->easy_init();
    if (curl == NULL)
        return ls_fail(LEASH_FAILED, "libcurl cannot start");
    ls_http *http = ls_calloc(1, sizeof *http);
    http->lib = lib;
    http->curl = curl;
    http->hooks = hooks;
    if (!get_origin(http->lib, http->origin, sizeof http->origin, site->endpoint)) {
        ls_http_free(http);
        return ls_fail(LEASH_USAGE, "HF_ENDPOINT: '%s' is no address", site->endpoint);
    }
    if (site->token[0] != '\0')
        snprintf(http->bearer, sizeof http->bearer, "Authorization: Bearer %s", site->token);
    *out = http;
    return LEASH_OK;
}

void ls_http_free(ls_http *http)
{
    if (http == NULL)
        return;
    http->lib->easy_cleanup(http->curl);
    ls_free(http);
}

/* --- headers --- */

/* The value of "Name: value\r\n" when the line has that name, without space around it. */
static bool take_header(char *out, size_t size, const char *line, size_t n, const char *name)
{
    size_t n_name = strlen(name);
    if (n <= n_name || strncasecmp(line, name, n_name) != 0 || line[n_name] != ':')
        return false;
    line += n_name + 1;
    n -= n_name + 1;
    while (n > 0 && (line[0] == ' ' || line[0] == '\t')) {
        line++;
        n--;
    }
    while (n > 0 && strchr(" \t\r\n", line[n - 1]))
        n--;
    if (n >= size) /* nothing that we ask for is that long */
        return false;
    memcpy(out, line, n);
    out[n] = '\0';
    return true;
}

/* W/"abc" and "abc" are abc. */
static void set_etag(char out[LS_HUB_OID_MAX], const char *value)
{
    value += ls_starts_with(value, "W/") ? 2 : 0;
    size_t n = strlen(value);
    if (n >= 2 && value[0] == '"' && value[n - 1] == '"') {
        value++;
        n -= 2;
    }
    if (n >= LS_HUB_OID_MAX)
        return;
    memcpy(out, value, n);
    out[n] = '\0';
}

/* "bytes 5-9/10": start and whole length, which may be '*'. */
static void set_range(ls_http_response *r, const char *value)
{
    char start[24], whole[24];
    int64_t number;
    if (sscanf(value, "bytes %23[0-9]-%*[0-9]/%23[0-9]", start, whole) == 2 &&
        ls_parse_int64(whole, &number))
        r->whole_length = number;
    if (sscanf(value, "bytes %23[0-9]-", start) == 1 && ls_parse_int64(start, &number))
        r->range_start = number;
}

static size_t on_header(char *line, size_t size, size_t count, void *user)
{
    ls_http *http = user;
    ls_http_response *r = http->response;
    size_t n = size * count;
    char value[256];
    int64_t number;
    if (take_header(value, sizeof value, line, n, "Content-Range"))
        set_range(r, value);
    if (take_header(value, sizeof value, line, n, "Retry-After") && ls_parse_int64(value, &number))
        r->retry_after = number > 0 ? (double)number : 0;
    if (!http->is_endpoint)
        return n;
    take_header(r->commit, sizeof r->commit, line, n, "X-Repo-Commit");
    take_header(r->error_code, sizeof r->error_code, line, n, "X-Error-Code");
    if (take_header(value, sizeof value, line, n, "ETag") && r->etag[0] == '\0')
        set_etag(r->etag, value);
    if (take_header(value, sizeof value, line, n, "X-Linked-Etag"))
        set_etag(r->etag, value);
    if (take_header(value, sizeof value, line, n, "X-Linked-Size") &&
        ls_parse_int64(value, &number))
        r->whole_length = number;
    return n;
}

/* --- body --- */

static size_t on_body(char *bytes, size_t size, size_t count, void *user)
{
    ls_http *http = user;
    const ls_http_request *request = http->request;
    ls_http_response *r = http->response;
    size_t n = size * count;
    http->lib->easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &r->status);
    if ((r->status != 200 && r->status != 206) || request->write == NULL)
        return n;
    if (!http->has_begun && request->begin != NULL)
        http->sink_status = request->begin(request->user, r);
    http->has_begun = true;
    if (http->sink_status == LEASH_OK)
        http->sink_status = request->write(request->user, bytes, n);
    return http->sink_status == LEASH_OK ? n : 0;
}

static bool should_stop(const ls_http *http)
{
    return http->hooks->should_stop != NULL && http->hooks->should_stop();
}

static int on_progress(void *user, curl_off_t n_down, curl_off_t down, curl_off_t n_up,
                       curl_off_t up)
{
    (void)n_down, (void)down, (void)n_up, (void)up;
    return should_stop(user);
}

/* --- one hop --- */

static void set_options(ls_http *http, const char *url, struct curl_slist *headers)
{
    const ls_curl *lib = http->lib;
    CURL *c = http->curl;
    const ls_http_request *request = http->request;
    lib->easy_reset(c); /* connections stay */
    lib->easy_setopt(c, CURLOPT_URL, url);
    lib->easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
    lib->easy_setopt(c, CURLOPT_NOSIGNAL, 1L);
    lib->easy_setopt(c, CURLOPT_NOBODY, request->is_head ? 1L : 0L);
    lib->easy_setopt(c, CURLOPT_HTTPHEADER, headers);
    lib->easy_setopt(c, CURLOPT_USERAGENT, "leash/" LEASH_VERSION);
    lib->easy_setopt(c, CURLOPT_CONNECTTIMEOUT, CONNECT_SECONDS);
    lib->easy_setopt(c, CURLOPT_LOW_SPEED_LIMIT, 1L);
    lib->easy_setopt(c, CURLOPT_LOW_SPEED_TIME, SILENT_SECONDS);
    lib->easy_setopt(c, CURLOPT_BUFFERSIZE, 1L << 18);
    lib->easy_setopt(c, CURLOPT_ERRORBUFFER, http->reason);
    lib->easy_setopt(c, CURLOPT_HEADERFUNCTION, on_header);
    lib->easy_setopt(c, CURLOPT_HEADERDATA, http);
    lib->easy_setopt(c, CURLOPT_WRITEFUNCTION, on_body);
    lib->easy_setopt(c, CURLOPT_WRITEDATA, http);
    lib->easy_setopt(c, CURLOPT_NOPROGRESS, 0L);
    lib->easy_setopt(c, CURLOPT_XFERINFOFUNCTION, on_progress);
    lib->easy_setopt(c, CURLOPT_XFERINFODATA, http);
    if (request->range_start > 0) { /* not CURLOPT_RESUME_FROM, which takes a 200 for a failure */
        char range[32];
        snprintf(range, sizeof range, "%lld-", (long long)request->range_start);
        lib->easy_setopt(c, CURLOPT_RANGE, range);
    }
}

/* Certificates and addresses do not mend themselves within a minute. */
static bool can_pass(CURLcode code)
{
    switch (code) {
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_URL_MALFORMAT:
    case CURLE_COULDNT_RESOLVE_PROXY:
    case CURLE_OUT_OF_MEMORY: return false;
    default: return true;
    }
}

static leash_status fail_network(ls_http *http, CURLcode code, const char *url)
{
    char origin[1100];
    if (http->sink_status != LEASH_OK)
        return http->sink_status;
    if (code == CURLE_ABORTED_BY_CALLBACK)
        return ls_fail(LEASH_INTERRUPTED, "interrupted; the next pull goes on from here");
    http->response->can_retry = can_pass(code);
    if (!get_origin(http->lib, origin, sizeof origin, url)) /* no more: addresses may be signed */
        snprintf(origin, sizeof origin, "the hub");
    return ls_fail(LEASH_IO,
                   "%s: %s (check the network and https_proxy; HF_HUB_OFFLINE=1 works from the "
                   "cache)",
                   origin, http->reason[0] ? http->reason : http->lib->easy_strerror(code));
}

/* Whether the address is the endpoint's own; *is_safe: one that may be asked at all. */
static bool is_at_endpoint(const ls_http *http, const char *url, bool *is_safe)
{
    char origin[1100];
    *is_safe = get_origin(http->lib, origin, sizeof origin, url) &&
               (ls_starts_with(origin, "https:") || ls_starts_with(http->origin, "http:"));
    return *is_safe && strcasecmp(origin, http->origin) == 0;
}

static leash_status run_hop(ls_http *http, const char *url)
{
    bool is_safe;
    ls_http_response *r = http->response;
    http->is_endpoint = is_at_endpoint(http, url, &is_safe);
    if (!is_safe)
        return ls_fail(LEASH_IO, "the hub redirects to an address that is not https");
    /* No compression: sizes and ranges are those of the file.  curl asks for none by itself; the
     * header keeps others on the way from choosing one. */
    struct curl_slist *headers = http->lib->slist_append(NULL, "Accept-Encoding: identity");
    if (headers != NULL && http->is_endpoint && http->bearer[0] != '\0') {
        struct curl_slist *more = http->lib->slist_append(headers, http->bearer);
        r->sent_token = more != NULL;
        headers = more != NULL ? more : headers;
    }
    if (http->is_endpoint) {
        r->etag[0] = '\0';
        r->whole_length = -1;
    }
    r->retry_after = 0;
    r->range_start = -1;
    r->status = 0;
    http->has_begun = false;
    http->reason[0] = '\0';
    set_options(http, url, headers);
    CURLcode code = http->lib->easy_perform(http->curl);
    http->lib->slist_free_all(headers);
    http->lib->easy_getinfo(http->curl, CURLINFO_RESPONSE_CODE, &r->status);
    if (code != CURLE_OK)
        return fail_network(http, code, url);
    curl_off_t length = -1;
    http->lib->easy_getinfo(http->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &length);
    if (r->status == 200 && r->whole_length < 0)
        r->whole_length = length;
    return LEASH_OK;
}

static bool is_redirect(long status)
{
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

/* A HEAD answered by a redirect that says where the file is has said all. */
static bool is_answered(const ls_http_request *request, const ls_http_response *r)
{
    return request->is_head && r->etag[0] != '\0' && r->whole_length >= 0;
}

leash_status ls_http_run(ls_http *http, ls_http_response *out, const ls_http_request *request)
{
    *out = (ls_http_response){.range_start = -1, .whole_length = -1};
    http->request = request;
    http->response = out;
    http->sink_status = LEASH_OK;
    if (should_stop(http))
        return ls_fail(LEASH_INTERRUPTED, "interrupted; the next pull goes on from here");
    leash_status status = LEASH_OK;
    char *url = ls_strdup(request->url);
    for (int hop = 0;; hop++) {
        LS_TRY_OUT(run_hop(http, url));
        char *next = NULL;
        if (!is_redirect(out->status) || is_answered(request, out))
            break;
        http->lib->easy_getinfo(http->curl, CURLINFO_REDIRECT_URL, &next);
        if (next == NULL || hop == MOST_REDIRECTS) {
            status = ls_fail(LEASH_IO, "the hub redirects to nowhere or in circles");
            goto out;
        }
        next = ls_strdup(next);
        ls_free(url);
        url = next;
    }
    out->can_retry = out->status == 408 || out->status == 429 || out->status >= 500;
out:
    ls_free(url);
    return status;
}

/* --- again --- */

static void sleep_for(const ls_http *http, double seconds)
{
    const struct timespec slice = {.tv_nsec = 100 * 1000 * 1000};
    for (double slept = 0; slept < seconds && !should_stop(http); slept += 0.1)
        nanosleep(&slice, NULL);
}

bool ls_http_wait_again(ls_http *http, int *n_failed, leash_status status,
                        const ls_http_response *response)
{
    if (!response->can_retry || ++*n_failed >= MOST_ATTEMPTS)
        return false;
    double seconds = (double)(1 << (*n_failed - 1));
    if (response->retry_after > seconds)
        seconds = response->retry_after;
    if (seconds > MOST_WAIT_SECONDS)
        return false;
    if (status != LEASH_OK)
        ls_info("hub: %s; again in %.0f s", leash_error(), seconds);
    else
        ls_info("hub: the server answered %ld; again in %.0f s", response->status, seconds);
    if (http->hooks->wait != NULL)
        http->hooks->wait(http->hooks->user, seconds);
    else
        sleep_for(http, seconds);
    return true;
}

void ls_http_append_part(ls_str *url, const char *text, bool keeps_slashes)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~";
    ls_str_append_char(url, '/');
    for (; *text != '\0'; text++) {
        if (strchr(plain, *text) || (keeps_slashes && *text == '/'))
            ls_str_append_char(url, *text);
        else
            ls_str_appendf(url, "%%%02X", (unsigned char)*text);
    }
}
