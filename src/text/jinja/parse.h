/* What the two halves of the parser share: the tokens, and making nodes. */
#ifndef LS_TEXT_JINJA_PARSE_H
#define LS_TEXT_JINJA_PARSE_H

#include "text/jinja/ast.h"
#include "text/jinja/lexer.h"

typedef struct ls_jparser {
    ls_jinja *out;
    const ls_jtoken *at;
    int depth;
    int loops; /* that are open where break and continue would stand */
} ls_jparser;

leash_status ls_jparse_fail(const ls_jparser *p, const ls_jtoken *at, const char *format, ...)
    LS_PRINTF(3, 4);
/* "expected WHAT, found ..." at the current token. */
leash_status ls_jparse_expected(const ls_jparser *p, const char *what) LEASH_MUST_USE;
leash_status ls_jparse_enter(ls_jparser *p) LEASH_MUST_USE; /* p->depth-- leaves */
ls_jnode *ls_jparse_node(ls_jparser *p, ls_jkind kind, const ls_jtoken *at);
leash_status ls_jparse_intern(ls_jparser *p, ls_jtext name, const char **out) LEASH_MUST_USE;

bool ls_jparse_is_op(const ls_jparser *p, const char *op);
bool ls_jparse_is_name(const ls_jparser *p, const char *name);
/* Consumes the token if it is the one. */
bool ls_jparse_skip_op(ls_jparser *p, const char *op);
bool ls_jparse_skip_name(ls_jparser *p, const char *name);
leash_status ls_jparse_op(ls_jparser *p, const char *op) LEASH_MUST_USE;
leash_status ls_jparse_name(ls_jparser *p, const char **out, const char *what) LEASH_MUST_USE;

/* parse_expression.c */
leash_status ls_jparse_expression(ls_jparser *p, bool with_choice, ls_jnode **out) LEASH_MUST_USE;
/* Expressions with commas between: one alone, or a tuple. */
leash_status ls_jparse_tuple(ls_jparser *p, ls_jnode **out) LEASH_MUST_USE;
leash_status ls_jparse_target(ls_jparser *p, bool with_attribute, ls_jnode **out) LEASH_MUST_USE;
/* NAME[(arguments)] | NAME ... around `subject`. */
leash_status ls_jparse_filters(ls_jparser *p, ls_jnode *subject, bool starts_inline,
                               ls_jnode **out) LEASH_MUST_USE;

#endif
