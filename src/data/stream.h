/* Bytes of a file from front to back through a buffer, decompressed on the way.
 *
 * gzip (also of several members) and zstd are known by their first bytes, whatever the name says.
 * What is not consumed yet stays in the buffer: data + at, `left` bytes.  The buffer grows only as
 * far as somebody asks for, so memory does not depend on the size of the file.
 *
 *     LS_TRY(ls_stream_need(s, 1));      at least one byte, or the end
 *     while (ls_stream_left(s) > 0) ... ls_stream_take(s, n); */
#ifndef LS_DATA_STREAM_H
#define LS_DATA_STREAM_H

#include <stdbool.h>
#include <stddef.h>

#include "base/err.h"
#include "base/str.h"

typedef struct ls_stream ls_stream;

leash_status ls_stream_open(ls_stream **out, const char *path) LEASH_MUST_USE;
/* Over borrowed bytes; `name` stands for the path in messages. */
leash_status ls_stream_open_memory(ls_stream **out, const char *bytes, size_t n,
                                   const char *name) LEASH_MUST_USE;
void ls_stream_free(ls_stream *s);

/* Reads until `n` bytes are there, or all that are left.  Errors: LEASH_IO; LEASH_FORMAT for
 * compressed data that is damaged or cut off. */
leash_status ls_stream_need(ls_stream *s, size_t n) LEASH_MUST_USE;
size_t ls_stream_left(const ls_stream *s);
/* The bytes that are there; valid until the next _need. */
const char *ls_stream_data(const ls_stream *s);
void ls_stream_take(ls_stream *s, size_t n);
/* Whether nothing comes after the bytes that are there. */
bool ls_stream_is_at_end(const ls_stream *s);
const char *ls_stream_name(const ls_stream *s);

#endif
