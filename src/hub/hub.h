/* Models and datasets of the Hugging Face hub, by name.
 *
 *     hf:OWNER/NAME                  a model            hf:datasets/OWNER/NAME    a dataset
 *     hf:OWNER/NAME@REVISION         a branch, tag or commit; main unless given
 *     hf:OWNER/NAME@REVISION/PATH    one file (a GGUF file, say) or one folder of it
 *
 * Files land in the cache that huggingface_hub keeps (hub/cache.h), so that leash and Python tools
 * find each other's downloads.  The environment says where and how, as it does for those tools:
 * HF_ENDPOINT, HF_TOKEN, HF_TOKEN_PATH, HF_HOME, HF_HUB_CACHE, HF_HUB_OFFLINE (hub/site.h), and
 * http_proxy, https_proxy, no_proxy as libcurl reads them.
 *
 * What is checked: every file against the SHA-256 (large files) or git's SHA-1 (small ones) that
 * the hub names, before it takes its place; names of files, which may not leave the cache.  A cut
 * download goes on where it stopped, in this process or a later one.  Several processes may pull
 * the same thing at once.  Errors: LEASH_USAGE for a name that cannot be one; LEASH_IO for network,
 * access, disk; LEASH_FORMAT for answers and files that are not what they should be;
 * LEASH_INTERRUPTED when should_stop asked for it. */
#ifndef LS_HUB_HUB_H
#define LS_HUB_HUB_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/file.h"

#define LS_HUB_OID_MAX 129

typedef struct ls_hub_file {
    char *name;               /* inside of the repository, folders with '/' */
    int64_t size;             /* -1: not known */
    char oid[LS_HUB_OID_MAX]; /* name of its blob, "" while it is not known */
    bool was_cached;
} ls_hub_file;

typedef struct ls_hub_progress {
    const char *file;
    int64_t file_number, n_files; /* from 1 */
    int64_t received, total;      /* bytes of all files, cached ones too; total -1: not known */
} ls_hub_progress;

/* All may be NULL. */
typedef struct ls_hub_hooks {
    void *user;
    /* Often; whoever draws decides how often is enough. */
    void (*on_progress)(void *user, const ls_hub_progress *progress);
    bool (*should_stop)(void);
    /* Called instead of sleeping before another attempt. */
    void (*wait)(void *user, double seconds);
} ls_hub_hooks;

typedef struct ls_hub_request {
    const char *spec;
    const char *revision; /* replaces the one of the spec; NULL: none */
    /* Patterns of fnmatch(3), '*' matches '/' too.  None: what leash can use (hub/select.h). */
    const char *const *include;
    int64_t n_include;
    bool accepts_cached; /* what is in the cache will do when the hub cannot be asked */
    ls_hub_hooks hooks;
} ls_hub_request;

typedef struct ls_hub_result {
    /* What --model and --dataset take: the snapshot's folder, or PATH in it, or its one GGUF. */
    char path[LS_PATH_MAX];
    char commit[41];
    ls_hub_file *files; /* owned */
    int64_t n_files;
} ls_hub_result;

/* The name begins with "hf:". */
bool ls_hub_is_spec(const char *name);
/* Brings what is missing.  Release the result also after an error. */
leash_status ls_hub_pull(ls_hub_result *out, const ls_hub_request *request) LEASH_MUST_USE;
void ls_hub_result_release(ls_hub_result *result);

/* For settings that take a path or a spec: the path, pulled when it is missing (progress goes to
 * the log).  When the hub cannot be asked, what the cache has will do, with a warning. */
leash_status ls_hub_resolve(char out[LS_PATH_MAX], const char *spec) LEASH_MUST_USE;

#endif
