/* SHA-256 and git's SHA-1 of files. */
#include "hub/digest.h"

#include <string.h>

#include <nettle/sha1.h>
#include <nettle/sha2.h>

#include "base/file.h"

ls_digest_kind ls_digest_kind_of(const char *oid)
{
    size_t n = strlen(oid);
    if (strspn(oid, "0123456789abcdef") != n)
        return LS_DIGEST_NONE;
    return n == 40 ? LS_DIGEST_GIT_BLOB : n == 64 ? LS_DIGEST_SHA256 : LS_DIGEST_NONE;
}

#define MOST_HASH_BYTES SHA256_DIGEST_SIZE

/* Returns the bytes of the hash. */
static int hash_map(uint8_t hash[MOST_HASH_BYTES], const ls_map *map, ls_digest_kind kind)
{
    if (kind == LS_DIGEST_SHA256) {
        struct sha256_ctx context;
        sha256_init(&context);
        sha256_update(&context, map->size, map->data);
        sha256_digest(&context, SHA256_DIGEST_SIZE, hash);
        return SHA256_DIGEST_SIZE;
    }
    char header[32];
    struct sha1_ctx context;
    int n_header = snprintf(header, sizeof header, "blob %zu", map->size);
    sha1_init(&context);
    sha1_update(&context, (size_t)n_header + 1, (const uint8_t *)header); /* with the NUL */
    sha1_update(&context, map->size, map->data);
    sha1_digest(&context, SHA1_DIGEST_SIZE, hash);
    return SHA1_DIGEST_SIZE;
}

leash_status ls_digest_file(char out[65], const char *path, ls_digest_kind kind)
{
    static const char digits[] = "0123456789abcdef";
    uint8_t hash[MOST_HASH_BYTES];
    ls_map map;
    LS_TRY(ls_map_open(&map, path));
    int n = hash_map(hash, &map, kind);
    ls_map_close(&map);
    for (int i = 0; i < n; i++) {
        out[2 * i] = digits[hash[i] >> 4];
        out[2 * i + 1] = digits[hash[i] & 15];
    }
    out[2 * n] = '\0';
    return LEASH_OK;
}
