/* The writer of GGUF. */
#include "formats/gguf_write.h"

#include <string.h>

#define VERSION 3
#define ALIGNMENT 32

void ls_gguf_keys_init(ls_gguf_keys *keys)
{
    *keys = (ls_gguf_keys){.bytes = LS_STR_INIT};
}

void ls_gguf_keys_release(ls_gguf_keys *keys)
{
    ls_str_release(&keys->bytes);
    keys->n = 0;
}

/* Little-endian, as this machine is. */
static void put(ls_str *s, const void *value, size_t n)
{
    ls_str_append_n(s, value, n);
}

static void put_u32(ls_str *s, uint32_t value)
{
    put(s, &value, sizeof value);
}

static void put_u64(ls_str *s, uint64_t value)
{
    put(s, &value, sizeof value);
}

static void put_string(ls_str *s, const char *text, size_t n)
{
    put_u64(s, n);
    put(s, text, n);
}

static void put_key(ls_gguf_keys *keys, const char *key, ls_gguf_kind kind)
{
    put_string(&keys->bytes, key, strlen(key));
    put_u32(&keys->bytes, (uint32_t)kind);
    keys->n++;
}

static void put_list(ls_gguf_keys *keys, const char *key, ls_gguf_kind kind, int64_t n)
{
    put_key(keys, key, LS_GGUF_ARRAY);
    put_u32(&keys->bytes, (uint32_t)kind);
    put_u64(&keys->bytes, (uint64_t)n);
}

void ls_gguf_put_u32(ls_gguf_keys *keys, const char *key, uint32_t value)
{
    put_key(keys, key, LS_GGUF_U32);
    put_u32(&keys->bytes, value);
}

void ls_gguf_put_f32(ls_gguf_keys *keys, const char *key, float value)
{
    put_key(keys, key, LS_GGUF_F32);
    put(&keys->bytes, &value, sizeof value);
}

void ls_gguf_put_bool(ls_gguf_keys *keys, const char *key, bool value)
{
    put_key(keys, key, LS_GGUF_BOOL);
    ls_str_append_char(&keys->bytes, value ? 1 : 0);
}

void ls_gguf_put_text(ls_gguf_keys *keys, const char *key, const char *value)
{
    ls_gguf_put_text_n(keys, key, value, strlen(value));
}

void ls_gguf_put_text_n(ls_gguf_keys *keys, const char *key, const char *value, size_t n)
{
    put_key(keys, key, LS_GGUF_STRING);
    put_string(&keys->bytes, value, n);
}

void ls_gguf_put_texts(ls_gguf_keys *keys, const char *key, const ls_gguf_text *values, int64_t n)
{
    put_list(keys, key, LS_GGUF_STRING, n);
    for (int64_t i = 0; i < n; i++)
        put_string(&keys->bytes, values[i].data, values[i].n);
}

void ls_gguf_put_i32s(ls_gguf_keys *keys, const char *key, const int32_t *values, int64_t n)
{
    put_list(keys, key, LS_GGUF_I32, n);
    put(&keys->bytes, values, (size_t)n * sizeof *values);
}

void ls_gguf_put_f32s(ls_gguf_keys *keys, const char *key, const float *values, int64_t n)
{
    put_list(keys, key, LS_GGUF_F32, n);
    put(&keys->bytes, values, (size_t)n * sizeof *values);
}

static int64_t values_of(const ls_gguf_out *tensor)
{
    int64_t n = 1;
    for (int32_t i = 0; i < tensor->rank; i++)
        n *= tensor->shape[i];
    return n;
}

static size_t round_up(size_t n)
{
    return (n + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

static void append_head(ls_str *head, const ls_gguf_keys *keys, const ls_gguf_out *tensors,
                        int64_t n)
{
    put(head, "GGUF", 4);
    put_u32(head, VERSION);
    put_u64(head, (uint64_t)n);
    put_u64(head, (uint64_t)keys->n);
    put(head, keys->bytes.data, keys->bytes.len);
    size_t offset = 0;
    for (int64_t i = 0; i < n; i++) {
        const ls_gguf_out *t = &tensors[i];
        put_string(head, t->name, strlen(t->name));
        put_u32(head, (uint32_t)t->rank);
        for (int32_t j = t->rank; j > 0; j--)
            put_u64(head, (uint64_t)t->shape[j - 1]);
        put_u32(head, (uint32_t)t->type->ggml_id);
        put_u64(head, offset);
        offset += round_up(ls_quant_bytes(t->type, values_of(t)));
    }
}

static void pad(ls_file_writer *w)
{
    static const char zeros[ALIGNMENT];
    ls_file_writer_put(w, zeros, round_up((size_t)w->n_bytes) - (size_t)w->n_bytes);
}

leash_status ls_gguf_write(const char *path, const ls_gguf_keys *keys, const ls_gguf_out *tensors,
                           int64_t n, ls_gguf_bytes_fn *bytes_of, void *user)
{
    ls_file_writer w;
    LS_TRY(ls_file_writer_open(&w, path));
    ls_str head = LS_STR_INIT;
    append_head(&head, keys, tensors, n);
    ls_file_writer_put(&w, head.data, head.len);
    ls_str_release(&head);
    pad(&w);
    for (int64_t i = 0; i < n && w.error == 0; i++) {
        const void *bytes = bytes_of(user, i);
        if (bytes == NULL) {
            ls_file_writer_abort(&w);
            return ls_fail_in(LEASH_FAILED, "%s", path);
        }
        ls_file_writer_put(&w, bytes, ls_quant_bytes(tensors[i].type, values_of(&tensors[i])));
        pad(&w);
    }
    return ls_file_writer_commit(&w);
}
