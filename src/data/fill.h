/* Texts made of a row's columns: "{question}\nAnswer:".
 *
 * {name} is the value of a column, {a.b} of a member of one; {{ and }} are braces, \n, \t and \\
 * are what they are in C.  A column that is not there, or is neither text nor number nor truth
 * value, is an error.  This is no programming language: what needs one is done to the file before,
 * or by the model's chat template. */
#ifndef LS_DATA_FILL_H
#define LS_DATA_FILL_H

#include <jansson.h>

#include "base/err.h"
#include "base/str.h"

/* Appends the text.  Errors: LEASH_DATA, without a place. */
leash_status ls_fill(ls_str *out, const char *pattern, const json_t *row) LEASH_MUST_USE;
/* Checks a pattern.  Errors: LEASH_USAGE that begin with `key`, the setting. */
leash_status ls_fill_check(const char *pattern, const char *key) LEASH_MUST_USE;
/* Appends text with its \n, \t and \\ made into characters. */
void ls_unescape(ls_str *out, const char *text);
/* The value at "column" or "column.member.member"; NULL when there is none. */
const json_t *ls_find_path(const json_t *row, const char *path);
/* Appends a text, a number or a truth value; false for anything else. */
bool ls_append_scalar(ls_str *out, const json_t *value);

#endif
