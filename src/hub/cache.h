/* The folders that huggingface_hub keeps, below the cache of ls_hub_site:
 *
 *     CACHEDIR.TAG                                for programs that make backups
 *     .locks/models--OWNER--NAME/OID.lock         held while that blob is written
 *     models--OWNER--NAME/                        datasets--OWNER--NAME for a dataset
 *         blobs/OID                               the bytes, named by their hash
 *         blobs/OID.incomplete                    a download that is not whole
 *         refs/REVISION                           the commit it stood for, no newline
 *         snapshots/COMMIT/FILE -> ../../blobs/OID
 *
 * leash writes refs/REVISION when everything that was asked for is there, so that a cut pull does
 * not hide an older whole one.  Revisions share blobs. */
#ifndef LS_HUB_CACHE_H
#define LS_HUB_CACHE_H

#include "base/file.h"
#include "hub/list.h"
#include "hub/spec.h"

typedef struct ls_hub_cache {
    char root[LS_PATH_MAX];
    char folder[256]; /* models--OWNER--NAME */
} ls_hub_cache;

void ls_hub_cache_init(ls_hub_cache *out, const char *root, const ls_hub_spec *spec);
/* Paths; LEASH_USAGE when they do not fit. */
leash_status ls_hub_cache_blob(char out[LS_PATH_MAX], const ls_hub_cache *cache, const char *oid,
                               const char *suffix) LEASH_MUST_USE;
leash_status ls_hub_cache_snapshot(char out[LS_PATH_MAX], const ls_hub_cache *cache,
                                   const char *commit, const char *name) LEASH_MUST_USE;

/* Creates the folders of a repository. */
leash_status ls_hub_cache_make(const ls_hub_cache *cache) LEASH_MUST_USE;
/* Waits for the lock of a blob; should_stop (may be NULL) is asked when a signal comes.  Drop it
 * with ls_lock_drop. */
leash_status ls_hub_cache_lock(ls_lock *out, const ls_hub_cache *cache, const char *oid,
                               bool (*should_stop)(void)) LEASH_MUST_USE;
/* Makes the snapshot's name for a blob that is there. */
leash_status ls_hub_cache_link(const ls_hub_cache *cache, const char *commit, const char *name,
                               const char *oid) LEASH_MUST_USE;

leash_status ls_hub_cache_write_ref(const ls_hub_cache *cache, const char *revision,
                                    const char *commit) LEASH_MUST_USE;
/* The commit of a revision whose snapshot is in the cache (a commit stands for itself).  Errors:
 * LEASH_IO, saying what is there. */
leash_status ls_hub_cache_read_ref(char commit[41], const ls_hub_cache *cache,
                                   const char *revision) LEASH_MUST_USE;
/* The files of a snapshot, links whose blob is gone left out. */
leash_status ls_hub_cache_list(ls_hub_listing *out, const ls_hub_cache *cache,
                               const char *commit) LEASH_MUST_USE;

#endif
