/* Parquet files as rows of JSON: the subset that data sets for language models are written in.
 *
 * Read are all physical types, plain, dictionary, RLE, DELTA_* and BYTE_STREAM_SPLIT encodings,
 * data pages of both versions, pages stored plainly or with snappy, gzip or zstd, and structs and
 * lists (of three levels, and the older two) nested as the schema says.  Not read, and told so:
 * encrypted files, columns in other files, lzo, brotli, lz4, BIT_PACKED levels.
 *
 * A row is an object with a member for each column of the root, in their order.  Numbers keep their
 * kind, decimals are divided by their scale, times are the integers that are stored, not-a-number
 * is null, bytes that are no UTF-8 become U+FFFD, maps are lists of {"key", "value"}.  Inside of
 * columns members that are null are left out: writers put nulls where a row had no such key.
 *
 * Memory is one page and one dictionary a column, whatever the file's size. */
#ifndef LS_FORMATS_PARQUET_H
#define LS_FORMATS_PARQUET_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

typedef struct ls_parquet ls_parquet;

leash_status ls_parquet_open(ls_parquet **out, const char *path) LEASH_MUST_USE;
/* The same over bytes in memory, borrowed; `name` stands for the path in messages. */
leash_status ls_parquet_open_memory(ls_parquet **out, const unsigned char *bytes, size_t n,
                                    const char *name) LEASH_MUST_USE;
void ls_parquet_free(ls_parquet *file);
int64_t ls_parquet_n_rows(const ls_parquet *file);
/* The next row, the caller's to json_decref; NULL after the last one.  Errors name file, row group
 * and column. */
leash_status ls_parquet_next(ls_parquet *file, json_t **row) LEASH_MUST_USE;
bool ls_is_parquet(const unsigned char *bytes, size_t n);

#endif
