/* GGUF files built by hand, byte for byte, right or wrong. */
#ifndef LS_TESTS_GGUF_BYTES_H
#define LS_TESTS_GGUF_BYTES_H

#include <stdint.h>
#include <string.h>
#include "base/str.h"
#include "formats/gguf.h"

static inline void put_u8(ls_str *s, int value)
{
    ls_str_append_char(s, (char)value);
}

static inline void put_u32(ls_str *s, uint32_t value)
{
    ls_str_append_n(s, (const char *)&value, sizeof value);
}

static inline void put_u64(ls_str *s, uint64_t value)
{
    ls_str_append_n(s, (const char *)&value, sizeof value);
}

static inline void put_f32(ls_str *s, float value)
{
    ls_str_append_n(s, (const char *)&value, sizeof value);
}

static inline void put_text(ls_str *s, const char *text)
{
    put_u64(s, strlen(text));
    ls_str_append(s, text);
}

static inline void put_head(ls_str *s, uint32_t version, uint64_t n_tensors, uint64_t n_values)
{
    ls_str_append(s, "GGUF");
    put_u32(s, version);
    put_u64(s, n_tensors);
    put_u64(s, n_values);
}

static inline void put_key(ls_str *s, const char *key, ls_gguf_kind kind)
{
    put_text(s, key);
    put_u32(s, (uint32_t)kind);
}

static inline void put_list(ls_str *s, const char *key, ls_gguf_kind kind, uint64_t n)
{
    put_key(s, key, LS_GGUF_ARRAY);
    put_u32(s, (uint32_t)kind);
    put_u64(s, n);
}

static inline void put_key_u32(ls_str *s, const char *key, uint32_t value)
{
    put_key(s, key, LS_GGUF_U32);
    put_u32(s, value);
}

static inline void put_key_text(ls_str *s, const char *key, const char *text)
{
    put_key(s, key, LS_GGUF_STRING);
    put_text(s, text);
}

/* Sizes fastest first, as in the file. */
static inline void put_tensor(ls_str *s, const char *name, uint32_t n_dims, const int64_t *sizes,
                              int32_t type, uint64_t offset)
{
    put_text(s, name);
    put_u32(s, n_dims);
    for (uint32_t i = 0; i < n_dims; i++)
        put_u64(s, (uint64_t)sizes[i]);
    put_u32(s, (uint32_t)type);
    put_u64(s, offset);
}

static inline void put_padding(ls_str *s, size_t alignment)
{
    while (s->len % alignment != 0)
        put_u8(s, 0);
}

#endif
