/* A pull: what there is, what of it is wanted, what of that is missing. */
#include "hub/hub.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "hub/fetch.h"
#include "hub/list.h"
#include "hub/select.h"

#define MOST_LISTING_BYTES ((size_t)256 << 20)
#define LOG_SECONDS 10.0 /* between two lines about a long download */

bool ls_hub_is_spec(const char *name)
{
    return ls_starts_with(name, "hf:");
}

/* --- the listing --- */

static leash_status on_listing(void *user, const char *bytes, size_t n)
{
    ls_str *text = user;
    if (text->len + n > MOST_LISTING_BYTES)
        return ls_fail(LEASH_FORMAT, "the hub's list of files is longer than %zu MiB",
                       MOST_LISTING_BYTES >> 20);
    ls_str_append_n(text, bytes, n);
    return LEASH_OK;
}

/* has_other: something else will do when the hub does not answer, so there is no second try. */
static leash_status ask_listing(ls_hub_job *job, ls_hub_listing *out, bool has_other)
{
    ls_str url = LS_STR_INIT, text = LS_STR_INIT;
    ls_http_response r;
    leash_status status;
    int n_failed = 0;
    ls_hub_append_address(&url, job, true);
    ls_str_append(&url, "/revision");
    ls_http_append_part(&url, job->spec->revision, false);
    ls_str_append(&url, "?blobs=true");
    do {
        ls_str_clear(&text);
        status = ls_http_run(
            job->http, &r, &(ls_http_request){.url = url.data, .user = &text, .write = on_listing});
    } while (r.can_retry && !has_other && ls_http_wait_again(job->http, &n_failed, status, &r));
    if (status == LEASH_OK && r.status != 200)
        status = ls_hub_fail_answer(job, &r);
    if (status == LEASH_OK)
        status = ls_hub_listing_parse(out, text.data, text.len);
    ls_str_release(&text);
    ls_str_release(&url);
    return status;
}

/* --- from the hub --- */

static void sum_sizes(ls_hub_progress *progress, const ls_hub_listing *listing)
{
    *progress = (ls_hub_progress){.n_files = listing->n_files};
    for (int64_t i = 0; i < listing->n_files && progress->total >= 0; i++)
        progress->total =
            listing->files[i].size < 0 ? -1 : progress->total + listing->files[i].size;
}

static leash_status fetch_all(ls_hub_job *job, ls_hub_listing *listing)
{
    job->commit = listing->commit;
    sum_sizes(&job->progress, listing);
    for (int64_t i = 0; i < listing->n_files; i++) {
        job->progress.file_number = i + 1;
        LS_TRY(ls_hub_fetch(job, &listing->files[i]));
    }
    return ls_hub_cache_write_ref(job->cache, job->spec->revision, listing->commit);
}

/* --- from the cache --- */

static leash_status list_cached(ls_hub_listing *out, const ls_hub_job *job,
                                const ls_hub_choice *choice)
{
    char commit[41];
    leash_status status = ls_hub_cache_read_ref(commit, job->cache, job->spec->revision);
    if (status == LEASH_OK)
        status = ls_hub_cache_list(out, job->cache, commit);
    if (status == LEASH_OK)
        status = ls_hub_select(out, choice);
    for (int64_t i = 0; i < out->n_files; i++)
        out->files[i].was_cached = true;
    return status;
}

static leash_status use_cached(ls_hub_listing *out, const ls_hub_job *job,
                               const ls_hub_choice *choice)
{
    leash_status status = list_cached(out, job, choice);
    if (status == LEASH_OK)
        return LEASH_OK;
    return ls_fail_in(status, "offline (HF_HUB_OFFLINE)");
}

/* Asks the hub, and takes what the cache has when that fails and is allowed. */
static leash_status bring(ls_hub_listing *out, ls_hub_job *job, const ls_hub_choice *choice,
                          bool accepts_cached)
{
    ls_hub_listing cached;
    ls_hub_listing_init(&cached);
    bool has_cached = accepts_cached && list_cached(&cached, job, choice) == LEASH_OK;
    leash_status status = ask_listing(job, out, has_cached);
    if (status == LEASH_IO && has_cached) {
        ls_warn("hf:%s%s: %s; using what the cache has of commit %s",
                job->spec->is_dataset ? "datasets/" : "", job->spec->id, leash_error(),
                cached.commit);
        *out = cached;
        return LEASH_OK;
    }
    ls_hub_listing_release(&cached);
    LS_TRY(status);
    LS_TRY(ls_hub_select(out, choice));
    return fetch_all(job, out);
}

/* --- the whole --- */

/* A repository of one GGUF file stands for that file. */
static const char *lone_gguf(const ls_hub_listing *listing)
{
    const char *name = NULL;
    for (int64_t i = 0; i < listing->n_files; i++) {
        const char *file = listing->files[i].name;
        if (ls_ends_with(file, ".safetensors") || (name != NULL && ls_ends_with(file, ".gguf")))
            return NULL;
        name = ls_ends_with(file, ".gguf") ? file : name;
    }
    return name;
}

static leash_status set_result(ls_hub_result *out, const ls_hub_job *job, ls_hub_listing *listing)
{
    const char *gguf = job->spec->is_dataset ? NULL : lone_gguf(listing);
    LS_TRY(ls_hub_cache_snapshot(out->path, job->cache, listing->commit,
                                 gguf != NULL ? gguf : job->spec->path));
    memcpy(out->commit, listing->commit, sizeof out->commit);
    out->files = listing->files;
    out->n_files = listing->n_files;
    ls_hub_listing_init(listing);
    return LEASH_OK;
}

leash_status ls_hub_pull(ls_hub_result *out, const ls_hub_request *request)
{
    ls_hub_spec spec;
    ls_hub_site site;
    ls_hub_cache cache;
    ls_hub_listing listing;
    *out = (ls_hub_result){0};
    LS_TRY(ls_hub_spec_parse(&spec, request->spec, request->revision));
    LS_TRY(ls_hub_site_read(&site));
    ls_hub_cache_init(&cache, site.cache, &spec);
    ls_hub_listing_init(&listing);
    ls_hub_job job = {.site = &site, .spec = &spec, .hooks = &request->hooks, .cache = &cache};
    const ls_hub_choice choice = {
        .spec = &spec, .include = request->include, .n_include = request->n_include};
    leash_status status;
    if (site.is_offline) {
        status = use_cached(&listing, &job, &choice);
    } else {
        status = ls_http_new(&job.http, &site, &request->hooks);
        if (status == LEASH_OK)
            status = bring(&listing, &job, &choice, request->accepts_cached);
        ls_http_free(job.http);
    }
    if (status == LEASH_OK)
        status = set_result(out, &job, &listing);
    ls_hub_listing_release(&listing);
    return status == LEASH_OK ? status : ls_fail_in(status, "%s", request->spec);
}

void ls_hub_result_release(ls_hub_result *result)
{
    for (int64_t i = 0; i < result->n_files; i++)
        ls_free(result->files[i].name);
    ls_free(result->files);
    *result = (ls_hub_result){0};
}

/* --- for settings --- */

typedef struct reporter { /* of a pull that nobody draws */
    const char *spec;
    double shown;
} reporter;

static void report(void *user, const ls_hub_progress *p)
{
    reporter *r = user;
    char received[32], total[32];
    double now = ls_clock_seconds();
    if (now - r->shown < LOG_SECONDS)
        return;
    r->shown = now;
    ls_info("%s: %s%s%s, file %lld of %lld: %s", r->spec,
            ls_format_bytes(received, (double)p->received), p->total >= 0 ? " of " : "",
            p->total >= 0 ? ls_format_bytes(total, (double)p->total) : "",
            (long long)p->file_number, (long long)p->n_files, p->file);
}

leash_status ls_hub_resolve(char out[LS_PATH_MAX], const char *spec)
{
    reporter r = {.spec = spec, .shown = ls_clock_seconds()};
    ls_hub_result result;
    leash_status status =
        ls_hub_pull(&result, &(ls_hub_request){.spec = spec,
                                               .accepts_cached = true,
                                               .hooks = {.user = &r, .on_progress = report}});
    if (status == LEASH_OK)
        snprintf(out, LS_PATH_MAX, "%s", result.path);
    ls_hub_result_release(&result);
    return status;
}
