/* Sizes of what GGUF files hold: value types, and blocks of all tensor types, also of those that
 * are not computed with.  For gguf*.c alone. */
#ifndef LS_FORMATS_GGUF_TYPES_H
#define LS_FORMATS_GGUF_TYPES_H

#include "formats/gguf.h"

typedef struct ls_gguf_type {
    int32_t id;
    const char *name;
    int32_t block_n, block_bytes;
} ls_gguf_type;

const ls_gguf_type *ls_gguf_type_find(int32_t id); /* NULL: unknown or removed */
/* 0 for strings and arrays */
size_t ls_gguf_kind_bytes(ls_gguf_kind kind);
/* "u32" */
const char *ls_gguf_kind_name(ls_gguf_kind kind);

#endif
