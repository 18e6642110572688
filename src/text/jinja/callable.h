/* Filters, tests, methods and global functions: rows of tables that bind arguments by place or
 * name.
 *
 * `params` lists the names with a comma between ("width,first,blank"); an argument that is not
 * given has is_given false.  "*" takes any arguments, as they stand in args->all. */
#ifndef LS_TEXT_JINJA_CALLABLE_H
#define LS_TEXT_JINJA_CALLABLE_H

#include "text/jinja/ast.h"

#define LS_JMOST_PARAMS 6

typedef struct ls_jkeyword {
    const char *name;
    ls_jval value;
} ls_jkeyword;

typedef struct ls_jargs { /* as written */
    const ls_jval *values;
    const ls_jkeyword *keywords;
    int64_t n, n_keywords;
} ls_jargs;

typedef struct ls_jbound { /* by parameter */
    ls_jval slots[LS_JMOST_PARAMS];
    bool is_given[LS_JMOST_PARAMS];
    ls_jargs all;
} ls_jbound;

/* `self` is what the filter or test is applied to, or the method's object. */
typedef leash_status ls_jfunction(ls_jrun *run, ls_jval self, const ls_jbound *args, ls_jval *out);

struct ls_jcallable {
    const char *name;
    ls_jfunction *function;
    const char *params;
    int n_required;
};

/* The tables; NULL when there is no such name. */
const ls_jcallable *ls_jfind_filter(ls_jtext name);
const ls_jcallable *ls_jfind_test(ls_jtext name);
const ls_jcallable *ls_jfind_global(const char *name);
const ls_jcallable *ls_jfind_method(ls_jtype type, const char *name);
/* filters_list.c: the second half of the filters. */
extern const ls_jcallable ls_jlist_filters[];
extern const size_t ls_jn_list_filters;

leash_status ls_japply(ls_jrun *run, const ls_jcallable *c, ls_jval self, const ls_jargs *args,
                       ls_jval *out) LEASH_MUST_USE;
/* A value that stands before parentheses. */
leash_status ls_jcall(ls_jrun *run, ls_jval function, const ls_jargs *args,
                      ls_jval *out) LEASH_MUST_USE;
leash_status ls_jcall_macro(ls_jrun *run, ls_jval macro, const ls_jargs *args,
                            ls_jval *out) LEASH_MUST_USE;

struct ls_jmethod {
    ls_jval self;
    const ls_jcallable *callable;
};

/* Arguments of a usual kind; absent ones give the default. */
bool ls_jarg_bool(const ls_jbound *args, int i, bool if_absent);
leash_status ls_jarg_int(ls_jrun *run, const ls_jbound *args, int i, int64_t if_absent,
                         int64_t *out) LEASH_MUST_USE;
leash_status ls_jarg_text(ls_jrun *run, const ls_jbound *args, int i, const char *if_absent,
                          ls_jtext *out) LEASH_MUST_USE;

/* strings.c: what filters and methods on strings share. */
ls_jtext ls_jstrip(ls_jtext text, const ls_jtext *set, bool left, bool right);
leash_status ls_jreplace(ls_jrun *run, ls_jtext text, ls_jtext from, ls_jtext to, int64_t most,
                         ls_jval *out) LEASH_MUST_USE;
typedef enum ls_jcase { LS_J_LOWER, LS_J_UPPER, LS_J_CAPITALIZE, LS_J_TITLE } ls_jcase;
leash_status ls_jchange_case(ls_jrun *run, ls_jtext text, ls_jcase how,
                             ls_jval *out) LEASH_MUST_USE;
leash_status ls_jjoin(ls_jrun *run, ls_jtext separator, const ls_jlist *list, bool takes_any,
                      ls_jval *out) LEASH_MUST_USE;

#endif
