/* A manifest makes a folder tell whether it is whole: every file in it with its size and XXH3-128,
 * and a hash of itself.
 *
 *     {"format": 1, "files": {"config.json": {"size": 512, "xxh3_128": "..."}, ...},
 *      "xxh3_128": "..."}
 *
 * The last hash is over all bytes of the manifest before its line, so damage to the manifest is
 * told from damage to a file.  XXH3 finds accidents, not attacks. */
#ifndef LS_TRAIN_MANIFEST_H
#define LS_TRAIN_MANIFEST_H

#include <stdint.h>
#include "base/err.h"

#define LS_MANIFEST_NAME "manifest.json"

typedef struct ls_manifest_file {
    char *name; /* relative to the folder: "leash_state/state.json" */
    int64_t size;
    char hash[33];
} ls_manifest_file;

typedef struct ls_manifest {
    ls_manifest_file *files;
    int64_t n_files;
} ls_manifest;

/* Hashes the files of `dir` and of its folders, and writes and fsyncs dir/manifest.json. */
leash_status ls_manifest_write(const char *dir) LEASH_MUST_USE;
/* Reads dir/manifest.json; release it afterwards.  Errors: LEASH_IO when it is missing,
 * LEASH_FORMAT when it is damaged. */
leash_status ls_manifest_read(ls_manifest *out, const char *dir) LEASH_MUST_USE;
void ls_manifest_release(ls_manifest *manifest);
/* Compares sizes and hashes; the first file that differs is LEASH_FORMAT with its path.  Files
 * beside those listed are ignored. */
leash_status ls_manifest_check(const ls_manifest *manifest, const char *dir) LEASH_MUST_USE;

#endif
