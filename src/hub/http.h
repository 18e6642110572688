/* Requests to the hub, over libcurl (hub/curl.h): redirects, headers that matter, when to try
 * again.
 *
 * The token goes to the endpoint (scheme, host and port) alone: redirects are followed by hand, and
 * an address elsewhere, such as the store of large files, gets no token.  From https no redirect
 * leads to http.  Any answer of a server is LEASH_OK here; its meaning is the caller's.  One
 * ls_http belongs to one thread and keeps its connections. */
#ifndef LS_HUB_HTTP_H
#define LS_HUB_HTTP_H

#include <stdbool.h>
#include <stdint.h>
#include "hub/hub.h"
#include "hub/site.h"

typedef struct ls_http ls_http;

leash_status ls_http_new(ls_http **out, const ls_hub_site *site,
                         const ls_hub_hooks *hooks) LEASH_MUST_USE;
void ls_http_free(ls_http *http);

typedef struct ls_http_response {
    long status;          /* of the last hop; 0: none came */
    bool can_retry;       /* the failure may pass: network, 408, 429, 5xx */
    double retry_after;   /* seconds the server asks for, 0: none */
    int64_t range_start;  /* of a 206, else -1 */
    int64_t whole_length; /* of the file, from Content-Range, X-Linked-Size or Content-Length; -1 */
    bool sent_token;
    /* What the endpoint said on any hop; "" when it did not. */
    char etag[LS_HUB_OID_MAX]; /* X-Linked-Etag, else ETag; no quotes, no W/ */
    char commit[64];           /* X-Repo-Commit */
    char error_code[64];       /* X-Error-Code: GatedRepo, RepoNotFound, ... */
} ls_http_response;

typedef struct ls_http_request {
    const char *url;
    bool is_head;
    int64_t range_start; /* 0: the whole */
    /* For answers 200 and 206 alone: begin once, before the first bytes (not called when there are
     * none), then write.  Their errors end the request and are its status. */
    void *user;
    leash_status (*begin)(void *user, const ls_http_response *response);
    leash_status (*write)(void *user, const char *bytes, size_t n);
} ls_http_request;

/* Errors: LEASH_IO of the network, see can_retry; LEASH_INTERRUPTED. */
leash_status ls_http_run(ls_http *http, ls_http_response *out,
                         const ls_http_request *request) LEASH_MUST_USE;

/* After a failure: true when it may pass and not enough was tried yet; then it was counted and
 * waited for.  `status` is ls_http_run's; LEASH_OK means that the answer itself was the failure. */
bool ls_http_wait_again(ls_http *http, int *n_failed, leash_status status,
                        const ls_http_response *response);

/* Appends "/" and text; slashes of it are kept or become %2F, what else needs it is escaped. */
void ls_http_append_part(ls_str *url, const char *text, bool keeps_slashes);

#endif
