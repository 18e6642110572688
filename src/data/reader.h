/* Rows of a file as JSON objects, whatever the format: one iterator over all of them.
 *
 *     ls_reader *reader;
 *     LS_TRY(ls_reader_open(&reader, "rows.csv.gz"));
 *     for (;;) {
 *         ls_record record;
 *         LS_TRY(ls_reader_next(reader, &record));
 *         if (!record.object)
 *             break;
 *         ...
 *         json_decref(record.object);
 *     }
 *     ls_reader_free(reader);
 *
 * The format follows the name's ending (before .gz or .zst).  A file that begins with PAR1 is
 * Parquet whatever its name; .json, and a name without a known ending, is one JSON array where the
 * text begins with [ or {"data": [, else JSON Lines.  Formats are rows of readers.def.
 * Errors name file and line, or row group and column; nothing is skipped in silence. */
#ifndef LS_DATA_READER_H
#define LS_DATA_READER_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"
#include "data/stream.h"

#define LS_RECORD_MAX ((size_t)64 << 20) /* bytes of a row of a text format */

typedef struct ls_record {
    json_t *object;   /* NULL after the last row; the caller's to json_decref            */
    const char *text; /* the object as the file spells it, n bytes, valid until the next row;
                         NULL where a format has no such text                            */
    size_t n;
    int64_t number; /* 1-based: the line where the row begins, or the row of array and Parquet */
} ls_record;

typedef struct ls_reader ls_reader;

typedef struct ls_reader_kind {
    const char *name;    /* "JSON Lines" */
    const char *endings; /* ".jsonl .ndjson" */
    /* Makes the state; the stream is the reader's, NULL for formats that read the file
     * themselves. */
    leash_status (*open)(void **state, ls_stream *stream);
    leash_status (*next)(void *state, ls_stream *stream, ls_record *out);
    void (*close)(void *state);
} ls_reader_kind;

leash_status ls_reader_open(ls_reader **out, const char *path) LEASH_MUST_USE;
/* The same over borrowed bytes; `name` stands for the path, its ending counts. */
leash_status ls_reader_open_memory(ls_reader **out, const char *bytes, size_t n,
                                   const char *name) LEASH_MUST_USE;
void ls_reader_free(ls_reader *reader);
leash_status ls_reader_next(ls_reader *reader, ls_record *out) LEASH_MUST_USE;
const char *ls_reader_kind_name(const ls_reader *reader);
/* Whether a file's name ends like one that can be read, compressed or not. */
bool ls_reader_takes(const char *name);

#endif
