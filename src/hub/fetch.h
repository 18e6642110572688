/* One file of a revision into the cache: resumed, retried, checked, linked. */
#ifndef LS_HUB_FETCH_H
#define LS_HUB_FETCH_H

#include "hub/cache.h"
#include "hub/http.h"

typedef struct ls_hub_job { /* a pull at work */
    ls_http *http;
    const ls_hub_site *site;
    const ls_hub_spec *spec;
    const ls_hub_hooks *hooks;
    const ls_hub_cache *cache;
    const char *commit; /* of the revision */
    ls_hub_progress progress;
} ls_hub_job;

/* Brings one file and counts it into the progress.  A file whose hash is wrong is removed. */
leash_status ls_hub_fetch(ls_hub_job *job, ls_hub_file *file) LEASH_MUST_USE;
/* What an answer that is no success means, with what to do about it. */
leash_status ls_hub_fail_answer(const ls_hub_job *job,
                                const ls_http_response *response) LEASH_MUST_USE;
/* Appends ENDPOINT[/api/models][/datasets]/OWNER/NAME. */
void ls_hub_append_address(ls_str *url, const ls_hub_job *job, bool is_api);

#endif
