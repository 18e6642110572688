/* GGUF: strict reader over a memory map, versions 2 and 3, one file or the parts of a split one.
 *
 *     ls_gguf file;
 *     LS_TRY(ls_gguf_open(&file, path));
 *     int64_t n_layers = 0;
 *     status = ls_gguf_get_int(&n_layers, &file, "llama.block_count");
 *     const ls_gguf_tensor *t = ls_gguf_find_tensor(&file, "token_embd.weight");
 *     t->type->to_float(out, t->data, t->n);
 *     ls_gguf_close(&file);
 *
 * The reader refuses, naming file and key or tensor: another magic or version (big-endian files
 * too), counts and lengths that the file has no room for, empty or repeated names, names with NUL
 * or that are no UTF-8, tensor names over 63 bytes, unknown value types, nested arrays, booleans
 * other than 0 and 1, an alignment that is no power of two up to 65536, more than 4 dimensions,
 * negative or overflowing sizes, removed or unknown tensor types, rows that are no whole number of
 * blocks, holes, overlaps and other orders of the tensors, and data that the file does not have.
 * Memory is taken in proportion to bytes that are really there, never to a count that a file
 * claims.  Bytes behind the last tensor are ignored, as the reference does.
 * Source: ggml-org/ggml, docs/gguf.md and src/gguf.cpp. */
#ifndef LS_FORMATS_GGUF_H
#define LS_FORMATS_GGUF_H

#include <stdbool.h>
#include "base/err.h"
#include "base/file.h"
#include "kernels/quant.h"

/* Value types, as in the file. */
typedef enum ls_gguf_kind {
    LS_GGUF_U8,
    LS_GGUF_I8,
    LS_GGUF_U16,
    LS_GGUF_I16,
    LS_GGUF_U32,
    LS_GGUF_I32,
    LS_GGUF_F32,
    LS_GGUF_BOOL,
    LS_GGUF_STRING,
    LS_GGUF_ARRAY,
    LS_GGUF_U64,
    LS_GGUF_I64,
    LS_GGUF_F64,
} ls_gguf_kind;

typedef struct ls_gguf_text { /* borrowed bytes without a NUL behind them */
    const char *data;
    size_t n;
} ls_gguf_text;

typedef struct ls_gguf_value {
    char *key;
    ls_gguf_kind kind; /* of the items where is_array */
    bool is_array;
    int64_t n;                 /* items; 1 for a single value */
    const unsigned char *data; /* the items at any alignment; strings: length (8 bytes), bytes */
} ls_gguf_value;

typedef struct ls_gguf_tensor {
    char *name;
    int32_t type_id;           /* GGUF's number of the type */
    const char *type_name;     /* "Q4_K" */
    const ls_quant_type *type; /* NULL: a type that cannot be computed with here */
    int64_t shape[4];          /* last index fastest (the reverse of the file's order) */
    int32_t rank;              /* 0: a single value */
    int64_t n;                 /* elements */
    const unsigned char *data;
    size_t n_bytes;
} ls_gguf_tensor;

typedef struct ls_gguf {
    char *path;              /* of the first part; for messages */
    ls_gguf_value *values;   /* of the first part, sorted by key */
    ls_gguf_tensor *tensors; /* of all parts, sorted by name */
    int64_t n_values, n_tensors;
    ls_map *maps; /* one a part */
    int64_t n_maps;
    uint32_t version;
} ls_gguf;

/* Opens a file; a part "NAME-00002-of-00003.gguf" stands for all of them, which must lie beside
 * it. */
leash_status ls_gguf_open(ls_gguf *file, const char *path) LEASH_MUST_USE;
/* One file of bytes in memory, which stay the caller's; `name` stands for the path in errors. */
leash_status ls_gguf_parse(ls_gguf *file, const unsigned char *bytes, size_t size,
                           const char *name) LEASH_MUST_USE;
void ls_gguf_close(ls_gguf *file);

const ls_gguf_tensor *ls_gguf_find_tensor(const ls_gguf *file, const char *name); /* NULL: none */
const ls_gguf_value *ls_gguf_find(const ls_gguf *file, const char *key);          /* NULL: none */

/* Values by key.  An absent key leaves single values as they are and gives empty lists; a value of
 * another kind is LEASH_FORMAT with file and key.  Integers are taken from any integer type that
 * holds them, floats from both widths. */
leash_status ls_gguf_get_int(int64_t *out, const ls_gguf *file, const char *key) LEASH_MUST_USE;
leash_status ls_gguf_get_float(double *out, const ls_gguf *file, const char *key) LEASH_MUST_USE;
leash_status ls_gguf_get_bool(bool *out, const ls_gguf *file, const char *key) LEASH_MUST_USE;
/* Borrowed from the file. */
leash_status ls_gguf_get_text(ls_gguf_text *out, const ls_gguf *file,
                              const char *key) LEASH_MUST_USE;
/* Lists; the caller frees *out with ls_free (the texts themselves are borrowed).  A single value is
 * no list.  Integers may also be booleans. */
leash_status ls_gguf_get_texts(ls_gguf_text **out, int64_t *n, const ls_gguf *file,
                               const char *key) LEASH_MUST_USE;
leash_status ls_gguf_get_ints(int64_t **out, int64_t *n, const ls_gguf *file,
                              const char *key) LEASH_MUST_USE;
leash_status ls_gguf_get_floats(float **out, int64_t *n, const ls_gguf *file,
                                const char *key) LEASH_MUST_USE;

#endif
