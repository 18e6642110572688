/* Writing GGUF: keys one after the other, then tensors, which are converted while they are written.
 *
 *     ls_gguf_keys keys;
 *     ls_gguf_keys_init(&keys);
 *     ls_gguf_put_text(&keys, "general.architecture", "llama");
 *     status = ls_gguf_write(path, &keys, tensors, n, rows_of, user);
 *     ls_gguf_keys_release(&keys);
 *
 * Files are of version 3 with an alignment of 32, whole or absent. */
#ifndef LS_FORMATS_GGUF_WRITE_H
#define LS_FORMATS_GGUF_WRITE_H

#include "base/str.h"
#include "formats/gguf.h"

typedef struct ls_gguf_keys { /* keys and values as in the file */
    ls_str bytes;
    int64_t n;
} ls_gguf_keys;

void ls_gguf_keys_init(ls_gguf_keys *keys);
void ls_gguf_keys_release(ls_gguf_keys *keys);
/* Keys must differ from each other. */
void ls_gguf_put_u32(ls_gguf_keys *keys, const char *key, uint32_t value);
void ls_gguf_put_f32(ls_gguf_keys *keys, const char *key, float value);
void ls_gguf_put_bool(ls_gguf_keys *keys, const char *key, bool value);
void ls_gguf_put_text(ls_gguf_keys *keys, const char *key, const char *value);
void ls_gguf_put_text_n(ls_gguf_keys *keys, const char *key, const char *value, size_t n);
void ls_gguf_put_texts(ls_gguf_keys *keys, const char *key, const ls_gguf_text *values, int64_t n);
void ls_gguf_put_i32s(ls_gguf_keys *keys, const char *key, const int32_t *values, int64_t n);
void ls_gguf_put_f32s(ls_gguf_keys *keys, const char *key, const float *values, int64_t n);

typedef struct ls_gguf_out { /* a tensor to be written */
    char name[64];
    const ls_quant_type *type;
    int64_t shape[4]; /* last index fastest */
    int32_t rank;
} ls_gguf_out;
/* Gives the bytes of tensor i; they are written before the next call.  NULL: give up. */
typedef const void *ls_gguf_bytes_fn(void *user, int64_t i);

/* Errors: LEASH_IO of the file; LEASH_FAILED with the callback's text when it gave up. */
leash_status ls_gguf_write(const char *path, const ls_gguf_keys *keys, const ls_gguf_out *tensors,
                           int64_t n, ls_gguf_bytes_fn *bytes_of, void *user) LEASH_MUST_USE;

#endif
