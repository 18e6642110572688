/* What the two halves of reading a row share: finding its schema (row_schema.c) and its values
 * (row.c). */
#ifndef LS_DATA_ROW_READING_H
#define LS_DATA_ROW_READING_H

#include "data/row.h"

typedef struct ls_row_reading {
    ls_row *out;
    const ls_row_rules *rules;
    const ls_record *record;
    const ls_schema *schema;
    const char *file;
} ls_row_reading;

/* Looks a role up in "role=column,role=column"; the column, n bytes, or NULL. */
const char *ls_row_mapped(const char *list, const char *role, size_t *n);
/* The value of a role, NULL when it is not there or null; the name of its column stays in
 * out->column until the next call. */
const json_t *ls_row_value(const ls_row_reading *r, const ls_schema *schema, const char *role);
/* A prompt also counts as there when a pattern makes it. */
bool ls_row_has_role(const ls_row_reading *r, const ls_schema *schema, const char *role);
/* Sets r->schema.  Errors: LEASH_DATA with what was found and what would fit. */
leash_status ls_row_choose_schema(ls_row_reading *r) LEASH_MUST_USE;

#endif
