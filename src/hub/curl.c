/* Finding libcurl and its functions. */
#include "hub/curl.h"

#include <assert.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

typedef struct place { /* of a function in ls_curl */
    const char *name;
    size_t offset;
} place;

#define PLACE(member)                              \
    {                                              \
        "curl_" #member, offsetof(ls_curl, member) \
    }
static const place places[] = {
    PLACE(global_init),  PLACE(easy_init),      PLACE(easy_reset),    PLACE(easy_setopt),
    PLACE(easy_perform), PLACE(easy_getinfo),   PLACE(easy_strerror), PLACE(easy_cleanup),
    PLACE(slist_append), PLACE(slist_free_all), PLACE(url),           PLACE(url_set),
    PLACE(url_get),      PLACE(url_cleanup),    PLACE(free),
};
#undef PLACE
static_assert(LS_COUNT(places) * sizeof(void *) == sizeof(ls_curl), "every function has a place");

static pthread_once_t once = PTHREAD_ONCE_INIT;
static ls_curl table;
static const char *problem; /* why there is none; NULL: there is */

static void open_library(void)
{
    /* the versions with OpenSSL and with GnuTLS have the same interface */
    static const char *const names[] = {"libcurl.so.4", "libcurl-gnutls.so.4"};
    void *library = NULL;
    for (size_t i = 0; i < LS_COUNT(names) && library == NULL; i++)
        library = dlopen(names[i], RTLD_NOW | RTLD_LOCAL);
    if (library == NULL) {
        problem = "libcurl.so.4 is not there (apt-get install libcurl4)";
        return;
    }
    for (size_t i = 0; i < LS_COUNT(places); i++) {
        void *function = dlsym(library, places[i].name);
        if (function == NULL) {
            problem = "libcurl.so.4 is older than 7.85";
            return;
        }
        memcpy((char *)&table + places[i].offset, &function, sizeof function);
    }
    if (table.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        problem = "libcurl cannot start";
}

leash_status ls_curl_open(const ls_curl **out)
{
    pthread_once(&once, open_library);
    *out = &table;
    if (problem != NULL)
        return ls_fail(LEASH_UNSUPPORTED, "downloads need libcurl: %s", problem);
    return LEASH_OK;
}
