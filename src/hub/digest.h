/* The hashes by which the hub names files (nettle does the work). */
#ifndef LS_HUB_DIGEST_H
#define LS_HUB_DIGEST_H

#include <stdbool.h>
#include "base/err.h"

typedef enum ls_digest_kind {
    LS_DIGEST_NONE,
    LS_DIGEST_GIT_BLOB, /* SHA-1 of "blob SIZE\0" and the bytes: files kept in git */
    LS_DIGEST_SHA256    /* SHA-256 of the bytes: files kept outside (LFS) */
} ls_digest_kind;

/* What a name of a blob is: 40 or 64 lower-case hex digits, else none. */
ls_digest_kind ls_digest_kind_of(const char *oid);
/* Hex digits of the hash of a file.  Errors: LEASH_IO naming the path. */
leash_status ls_digest_file(char out[65], const char *path, ls_digest_kind kind) LEASH_MUST_USE;

#endif
