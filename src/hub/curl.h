/* libcurl, opened when it is first needed.
 *
 * Linked the usual way it brings some thirty libraries, which would cost every start of the program
 * four milliseconds and six megabytes; and who pulls nothing needs none of them. */
#ifndef LS_HUB_CURL_H
#define LS_HUB_CURL_H

#include <curl/curl.h>
#include "base/err.h"

typedef struct ls_curl { /* its functions, by their names without "curl_" */
    CURLcode (*global_init)(long flags);
    CURL *(*easy_init)(void);
    void (*easy_reset)(CURL *handle);
    CURLcode (*easy_setopt)(CURL *handle, CURLoption option, ...);
    CURLcode (*easy_perform)(CURL *handle);
    CURLcode (*easy_getinfo)(CURL *handle, CURLINFO info, ...);
    const char *(*easy_strerror)(CURLcode code);
    void (*easy_cleanup)(CURL *handle);
    struct curl_slist *(*slist_append)(struct curl_slist *list, const char *text);
    void (*slist_free_all)(struct curl_slist *list);
    CURLU *(*url)(void);
    CURLUcode (*url_set)(CURLU *url, CURLUPart what, const char *part, unsigned flags);
    CURLUcode (*url_get)(CURLU *url, CURLUPart what, char **part, unsigned flags);
    void (*url_cleanup)(CURLU *url);
    void (*free)(void *pointer);
} ls_curl;

/* The same table each time; safe from several threads.  Errors: LEASH_UNSUPPORTED when there is no
 * libcurl, with the package to install. */
leash_status ls_curl_open(const ls_curl **out) LEASH_MUST_USE;

#endif
