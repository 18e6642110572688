/* JSON texts of rows: parsing with places in errors, and the spelling of a member. */
#ifndef LS_DATA_JSON_TEXT_H
#define LS_DATA_JSON_TEXT_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

typedef struct ls_json_source { /* n bytes of a file, for messages */
    const char *text;
    size_t n;
    const char *name;
    int64_t line;  /* of the first byte       */
    size_t column; /* bytes before it in line */
    bool is_line;  /* JSON Lines: the text ends with its line */
} ls_json_source;

/* Parses one object.  Beyond the standard NaN and Infinity are taken, as Python writes them, and
 * become null; half of a surrogate pair becomes U+FFFD; *is_repaired then says so.  Integers of
 * more than 63 bits become reals.  Refused as NAME:LINE:COLUMN: malformed JSON, keys that stand
 * twice, anything but an object. */
leash_status ls_json_parse(json_t **out, const ls_json_source *source,
                           bool *is_repaired) LEASH_MUST_USE;
/* "a string", "an array", ...: for messages. */
const char *ls_json_kind(const json_t *value);
/* Appends the value of a member exactly as the text of an object spells it: for numbers, which a
 * double would change.  `object` is what ls_json_parse made of the text. */
void ls_json_member_text(const json_t *object, const char *text, const char *key, ls_str *out);

#endif
