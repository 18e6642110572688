/* XXH3 over memory and files. */
#include "base/hash.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>
#include <xxhash.h>
#include "base/file.h"
#include "base/mem.h"

#define READ_BYTES ((size_t)1 << 18)

uint64_t ls_hash64(const void *data, size_t n)
{
    return XXH3_64bits(data, n);
}

uint64_t ls_hash64_more(uint64_t seed, const void *data, size_t n)
{
    return XXH3_64bits_withSeed(data, n, seed);
}

/* The canonical form is big-endian, as xxhsum prints it. */
static void write_hex(char out[33], XXH128_hash_t hash)
{
    static const char digits[] = "0123456789abcdef";
    XXH128_canonical_t bytes;
    XXH128_canonicalFromHash(&bytes, hash);
    for (int i = 0; i < 16; i++) {
        out[2 * i] = digits[bytes.digest[i] >> 4];
        out[2 * i + 1] = digits[bytes.digest[i] & 15];
    }
    out[32] = '\0';
}

void ls_hash128_hex(char out[33], const void *data, size_t n)
{
    write_hex(out, XXH3_128bits(data, n));
}

static leash_status hash_descriptor(char out[33], XXH3_state_t *state, int fd, const char *path)
{
    leash_status status = LEASH_OK;
    unsigned char *buffer = ls_malloc(READ_BYTES);
    for (;;) {
        ssize_t n = read(fd, buffer, READ_BYTES);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            status = ls_fail_path("read", path, errno);
        if (n <= 0)
            break;
        XXH3_128bits_update(state, buffer, (size_t)n);
    }
    ls_free(buffer);
    if (status == LEASH_OK)
        write_hex(out, XXH3_128bits_digest(state));
    return status;
}

leash_status ls_hash128_file(char out[33], const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ls_fail_path("read", path, errno);
    leash_status status;
    XXH3_state_t *state = XXH3_createState();
    if (state == NULL) {
        status = ls_fail(LEASH_MEMORY, "cannot hash %s: out of memory", path);
    } else {
        XXH3_128bits_reset(state);
        status = hash_descriptor(out, state, fd, path);
        XXH3_freeState(state);
    }
    close(fd);
    return status;
}
