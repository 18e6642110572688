/* A growable byte string.
 *
 * Invariant: data is never NULL after ls_str_init and data[len] == 0, so data is always a C string.
 * Life cycle: ls_str_init, any appends, ls_str_release; ls_str_clear keeps the memory.
 * `LS_STR_INIT` initialises in a declaration. */
#ifndef LS_BASE_STR_H
#define LS_BASE_STR_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/compiler.h"

typedef struct ls_str {
    char *data;
    size_t len, cap;
} ls_str;

extern char ls_str_empty[1];
#define LS_STR_INIT        \
    {                      \
        ls_str_empty, 0, 0 \
    }

void ls_str_init(ls_str *s);
void ls_str_release(ls_str *s);
void ls_str_clear(ls_str *s);
/* Makes room for n more bytes, so that appending them allocates nothing. */
void ls_str_reserve(ls_str *s, size_t n);
void ls_str_append(ls_str *s, const char *text);
void ls_str_append_n(ls_str *s, const char *bytes, size_t n);
void ls_str_append_char(ls_str *s, char c);
void ls_str_appendf(ls_str *s, const char *format, ...) LS_PRINTF(2, 3);
void ls_str_appendv(ls_str *s, const char *format, va_list args) LS_PRINTF(2, 0);
/* Appends text as a JSON string with its quotes; bytes that are no UTF-8 become U+FFFD. */
void ls_str_append_json(ls_str *s, const char *bytes, size_t n);
/* Appends text with & < > " ' as HTML entities and control characters other than newline and tab as
 * visible symbols; bytes that are no UTF-8 become U+FFFD. */
void ls_str_append_html(ls_str *s, const char *bytes, size_t n);
/* Appends text for a terminal or a log: newline as \n, other control and invalid bytes as symbols
 * or \xNN. */
void ls_str_append_visible(ls_str *s, const char *bytes, size_t n);
/* Gives the bytes to the caller (who frees with ls_free) and empties s. */
char *ls_str_steal(ls_str *s);

/* Strict: no overlong forms, surrogates, or values past U+10FFFF. */
bool ls_is_utf8(const char *bytes, size_t n);
bool ls_starts_with(const char *text, const char *prefix);
bool ls_ends_with(const char *text, const char *suffix);
/* The one of `names` with the least edit distance to `text`, NULL when none is within a third of
 * its length (at least 2). */
const char *ls_nearest_name(const char *text, const char *const *names, int64_t n);
/* Whole-string numbers: false for junk, overflow, and for nan and inf. */
bool ls_parse_int64(const char *text, int64_t *out);
bool ls_parse_double(const char *text, double *out);
/* Shortest text that reads back to the same double or float ("0.1", "1e-06", "3"; "nan", "inf").
 * Return buffer. */
char *ls_format_double(char buffer[32], double value);
char *ls_format_float(char buffer[32], float value);
/* "1.5 GiB", "34.2M", "1m 20s" for people. Return buffer. */
char *ls_format_bytes(char buffer[32], double bytes);
char *ls_format_count(char buffer[32], double count);
char *ls_format_seconds(char buffer[32], double seconds);

#endif
