/* The part of the Jinja language that chat templates use, with the semantics of Jinja2 in the
 * environment of transformers: trim_blocks, lstrip_blocks, loop controls, {% generation %}, a
 * sandbox in which nothing can be changed, tojson without HTML escapes.
 *
 *     ls_jinja *t;
 *     LS_TRY(ls_jinja_parse(&t, text, n, "model/chat_template.jinja"));
 *     LS_TRY(ls_jinja_render(&out, t, &(ls_jinja_input){.variables = object}));
 *
 * Statements: if, for (with a condition, else, break, continue), set (also of a block, and of an
 * attribute of a namespace), macro, filter, generation, raw.  There is no include, import, extends,
 * block, call, with, do and no recursive loop: they are errors when the template is parsed.
 * Filters, tests and methods: the tables in filters.c, filters_list.c, tests.c and methods.c.
 *
 * Integers have 64 bits; what is larger is an error.  A template is a stranger's program: it
 * reaches its variables alone, and steps, depth, memory and output are limited. */
#ifndef LS_TEXT_JINJA_JINJA_H
#define LS_TEXT_JINJA_JINJA_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

#define LS_JINJA_MOST_SOURCE (256 * 1024) /* bytes of a template            */
#define LS_JINJA_MOST_OUTPUT (64 << 20)   /* bytes of a text, also in between */
#define LS_JINJA_MOST_STEPS 10000000
#define LS_JINJA_MOST_DEPTH 200   /* of constructs in each other */
#define LS_JINJA_MOST_NESTED 1000 /* of evaluations in each other: constructs, macros, data */

typedef struct ls_jinja ls_jinja;

/* Errors: LEASH_FORMAT, "NAME:LINE:COLUMN: what is wrong". */
leash_status ls_jinja_parse(ls_jinja **out, const char *text, size_t n,
                            const char *name) LEASH_MUST_USE;
void ls_jinja_free(ls_jinja *t);
/* Whether there is a {% generation %} in it. */
bool ls_jinja_has_generation(const ls_jinja *t);

typedef struct ls_jinja_input {
    const json_t *variables; /* object */
    int64_t now;             /* wall-clock seconds since 1970-01-01; 0: the clock, local time */
} ls_jinja_input;

typedef struct ls_jinja_span { /* bytes [start, end) of the output */
    int64_t start, end;
} ls_jinja_span;

typedef struct ls_jinja_output {
    ls_str text;
    ls_jinja_span *spans; /* of {% generation %} blocks, in order; ls_free */
    int64_t n_spans, cap_spans;
} ls_jinja_output;

/* Appends to *out (initialised or zeroed with LS_STR_INIT as text).  Errors: LEASH_DATA with name,
 * line and column. */
leash_status ls_jinja_render(ls_jinja_output *out, const ls_jinja *t,
                             const ls_jinja_input *input) LEASH_MUST_USE;

#endif
