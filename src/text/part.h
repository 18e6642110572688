/* Reading the components of tokenizer.json: objects with a "type", alone or in a Sequence.
 *
 * Reading is strict: a key that is not known may change ids, so it is refused, by its path in the
 * file. */
#ifndef LS_TEXT_PART_H
#define LS_TEXT_PART_H

#include <jansson.h>

#include "text/regex.h"

typedef struct ls_part {
    const json_t *json;
    char where[96];   /* "pre_tokenizer.pretokenizers[1]" */
    const char *type; /* borrowed from json */
    const char *file;
} ls_part;

#define LS_MOST_PARTS 32
typedef struct ls_part_list {
    ls_part parts[LS_MOST_PARTS];
    int n;
} ls_part_list;

/* Flattens section `name` of the file: null gives none, a Sequence its elements (under `list_key`),
 * anything else one. */
leash_status ls_part_list_read(ls_part_list *out, const json_t *json, const char *name,
                               const char *list_key, const char *file) LEASH_MUST_USE;
bool ls_part_is(const ls_part *part, const char *type);
/* "type" and the given keys, up to a NULL, may be there; nothing else. */
leash_status ls_part_keys(const ls_part *part, ...) LEASH_MUST_USE;
leash_status ls_part_unsupported(const ls_part *part, const char *expected) LEASH_MUST_USE;
/* "where.key: ..." for a value that is wrong. */
leash_status ls_part_wrong(const ls_part *part, const char *key,
                           const char *expected) LEASH_MUST_USE;
leash_status ls_part_bool(const ls_part *part, const char *key, bool if_absent,
                          bool *out) LEASH_MUST_USE;
/* Appends a string that must be there. */
leash_status ls_part_string(const ls_part *part, const char *key, ls_str *out) LEASH_MUST_USE;
/* "pattern": {"String": text} or {"Regex": text}: fills one of the two. */
leash_status ls_part_pattern(const ls_part *part, ls_str *literal, ls_regex **regex) LEASH_MUST_USE;

#endif
