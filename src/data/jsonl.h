/* JSON Lines: one object a line, read from memory.
 *
 *     ls_jsonl reader = ls_jsonl_open("rows.jsonl", text, n);
 *     for (;;) {
 *         ls_jsonl_row row;
 *         LS_TRY(ls_jsonl_next(&reader, &row));
 *         if (!row.object)
 *             break;
 *         ...
 *         json_decref(row.object);
 *     }
 *
 * A byte order mark, CRLF, blank lines and a last line without newline are fine.  Refused, as
 * NAME:LINE:COLUMN: malformed JSON, keys that stand twice, lines of more than 16 MiB, and lines
 * that hold something else than one object. */
#ifndef LS_DATA_JSONL_H
#define LS_DATA_JSONL_H

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"

#define LS_JSONL_LINE_MAX ((size_t)16 << 20)

typedef struct ls_jsonl {
    const char *name; /* for messages; borrowed, as the text is */
    const char *at, *end;
    int64_t line; /* of the last row, 1-based */
} ls_jsonl;

typedef struct ls_jsonl_row {
    json_t *object;   /* NULL after the last row; the caller's to json_decref */
    const char *text; /* the line without surrounding white space, not terminated */
    size_t n, indent; /* indent: bytes of white space before it                   */
    int64_t line;
} ls_jsonl_row;

ls_jsonl ls_jsonl_open(const char *name, const char *text, size_t n);
leash_status ls_jsonl_next(ls_jsonl *reader, ls_jsonl_row *row) LEASH_MUST_USE;
/* "a string", "an array", ...: for messages. */
const char *ls_json_kind(const json_t *value);
/* Appends the value of a member exactly as the line spells it: for numbers, which a double would
 * change. */
void ls_jsonl_member_text(const ls_jsonl_row *row, const char *key, ls_str *out);

#endif
