/* XXH3 (libxxhash) for integrity and for comparing runs by hash. */
#ifndef LS_BASE_HASH_H
#define LS_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>
#include "base/err.h"

uint64_t ls_hash64(const void *data, size_t n);
uint64_t ls_hash64_more(uint64_t seed, const void *data, size_t n); /* chain several pieces */
/* 128 bits as 32 hex digits and a NUL. */
void ls_hash128_hex(char out[33], const void *data, size_t n);
leash_status ls_hash128_file(char out[33], const char *path) LEASH_MUST_USE;

#endif
