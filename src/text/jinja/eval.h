/* Running a parsed template: expressions to values (eval.c), statements to output (exec.c). */
#ifndef LS_TEXT_JINJA_EVAL_H
#define LS_TEXT_JINJA_EVAL_H

#include "text/jinja/callable.h"

struct ls_jloop {
    ls_jlist *items;
    int64_t index; /* from 0 */
};

/* A macro with the scope that it was defined in; what ls_jval.macro of type LS_J_MACRO points to
 * begins with the macro. */
typedef struct ls_jclosure {
    ls_jmacro macro;
    ls_jscope *scope;
} ls_jclosure;

leash_status ls_jeval(ls_jrun *run, const ls_jnode *node, ls_jval *out) LEASH_MUST_USE;
/* Filters without subject: around a text. */
leash_status ls_jeval_filters(ls_jrun *run, const ls_jnode *filters, ls_jval text,
                              ls_jval *out) LEASH_MUST_USE;

ls_jscope *ls_jscope_new(ls_jrun *run, ls_jscope *parent);
void ls_jscope_set(ls_jrun *run, ls_jscope *scope, const char *name, ls_jval value);
/* Runs statements with their output in a text of its own. */
leash_status ls_jcapture(ls_jrun *run, const ls_jnode *body, ls_jscope *scope,
                         ls_jval *out) LEASH_MUST_USE;

#endif
