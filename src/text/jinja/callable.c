/* Binding arguments to parameters, and calling what can be called. */
#include "text/jinja/callable.h"

#include <string.h>

/* Index of the parameter with a name, -1 when there is none. */
static int find_param(const char *params, const char *name)
{
    int i = 0;
    for (const char *at = params; *at; i++) {
        size_t n = strcspn(at, ",");
        if (strlen(name) == n && memcmp(name, at, n) == 0)
            return i;
        at += n + (at[n] == ',');
    }
    return -1;
}

static int count_params(const char *params)
{
    int n = *params != 0;
    for (; *params; params++)
        n += *params == ',';
    return n;
}

static leash_status bind(ls_jrun *run, const ls_jcallable *c, const ls_jargs *args,
                         ls_jbound *bound)
{
    bound->all = *args;
    if (strcmp(c->params, "*") == 0)
        return args->n >= c->n_required ? LEASH_OK
                                        : ls_jfail(run, "%s: an argument is missing", c->name);
    int n = count_params(c->params);
    if (args->n > n)
        return ls_jfail(run, "%s: takes %d arguments, not %lld", c->name, n, (long long)args->n);
    for (int64_t i = 0; i < args->n; i++) {
        bound->slots[i] = args->values[i];
        bound->is_given[i] = true;
    }
    for (int64_t k = 0; k < args->n_keywords; k++) {
        int i = find_param(c->params, args->keywords[k].name);
        if (i < 0 || bound->is_given[i])
            return ls_jfail(run, "%s: %s the argument '%s'", c->name,
                            i < 0 ? "does not take" : "got twice", args->keywords[k].name);
        bound->slots[i] = args->keywords[k].value;
        bound->is_given[i] = true;
    }
    for (int i = 0; i < c->n_required; i++)
        if (!bound->is_given[i])
            return ls_jfail(run, "%s: an argument is missing", c->name);
    return LEASH_OK;
}

leash_status ls_japply(ls_jrun *run, const ls_jcallable *c, ls_jval self, const ls_jargs *args,
                       ls_jval *out)
{
    ls_jbound bound = {0};
    LS_TRY(bind(run, c, args, &bound));
    return c->function(run, self, &bound, out);
}

leash_status ls_jcall(ls_jrun *run, ls_jval function, const ls_jargs *args, ls_jval *out)
{
    switch (function.type) {
    case LS_J_FUNCTION: return ls_japply(run, function.function, ls_jnone(), args, out);
    case LS_J_METHOD:
        return ls_japply(run, function.method->callable, function.method->self, args, out);
    case LS_J_MACRO: return ls_jcall_macro(run, function, args, out);
    case LS_J_UNDEFINED: return ls_jfail(run, "%s", function.text.at);
    default: return ls_jfail(run, "a value of type %s cannot be called", ls_jtype_name(function));
    }
}

bool ls_jarg_bool(const ls_jbound *args, int i, bool if_absent)
{
    return args->is_given[i] ? ls_jtruth(args->slots[i]) : if_absent;
}

leash_status ls_jarg_int(ls_jrun *run, const ls_jbound *args, int i, int64_t if_absent,
                         int64_t *out)
{
    *out = if_absent;
    if (args->is_given[i] && !ls_jis_integer(args->slots[i], out))
        return ls_jfail(run, "argument %d must be an int, not %s", i + 1,
                        ls_jtype_name(args->slots[i]));
    return LEASH_OK;
}

leash_status ls_jarg_text(ls_jrun *run, const ls_jbound *args, int i, const char *if_absent,
                          ls_jtext *out)
{
    *out = (ls_jtext){if_absent, if_absent ? strlen(if_absent) : 0};
    if (!args->is_given[i])
        return LEASH_OK;
    if (args->slots[i].type != LS_J_STRING)
        return ls_jfail(run, "argument %d must be a str, not %s", i + 1,
                        ls_jtype_name(args->slots[i]));
    *out = args->slots[i].text;
    return LEASH_OK;
}
