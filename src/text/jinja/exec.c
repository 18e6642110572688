/* Statements, scopes, macros, and a whole rendering.
 *
 * Loops, macros, and blocks that capture have scopes of their own, each turn of a loop a fresh one;
 * if has none.  What is set inside is gone behind; a namespace stays. */
#include "text/jinja/eval.h"

#include <string.h>

#include "base/mem.h"

typedef enum jump { GO_ON, BREAK, CONTINUE } jump;

static leash_status exec_list(ls_jrun *run, const ls_jnode *node, jump *next) LEASH_MUST_USE;

ls_jscope *ls_jscope_new(ls_jrun *run, ls_jscope *parent)
{
    ls_jscope *scope = ls_jpool_alloc(&run->pool, sizeof *scope);
    scope->parent = parent;
    return scope;
}

void ls_jscope_set(ls_jrun *run, ls_jscope *scope, const char *name, ls_jval value)
{
    int32_t i = 0;
    while (i < scope->n && scope->names[i] != name)
        i++;
    if (i == scope->cap) {
        int32_t cap = 2 * scope->cap + 8;
        const char **names = ls_jpool_alloc(&run->pool, (size_t)cap * sizeof *names);
        ls_jval *values = ls_jpool_alloc(&run->pool, (size_t)cap * sizeof *values);
        if (i) {
            memcpy(names, scope->names, (size_t)i * sizeof *names);
            memcpy(values, scope->values, (size_t)i * sizeof *values);
        }
        scope->names = names;
        scope->values = values;
        scope->cap = cap;
    }
    scope->names[i] = name;
    scope->values[i] = value;
    scope->n += i == scope->n;
}

static leash_status exec_in(ls_jrun *run, const ls_jnode *body, ls_jscope *scope, jump *next)
{
    ls_jscope *outer = run->scope;
    run->scope = scope;
    leash_status status = exec_list(run, body, next);
    run->scope = outer;
    return status;
}

leash_status ls_jcapture(ls_jrun *run, const ls_jnode *body, ls_jscope *scope, ls_jval *out)
{
    ls_jbuf buf = {0}, *outer = run->out;
    jump next = GO_ON;
    run->out = &buf;
    leash_status status = exec_in(run, body, scope, &next);
    run->out = outer;
    *out = ls_jof(&buf);
    return status;
}

/* Puts a value where the target of set or for says. */
static leash_status assign(ls_jrun *run, const ls_jnode *target, ls_jval value, ls_jscope *scope)
{
    run->at = target;
    if (target->kind == LS_JN_NAME) {
        LS_TRY(ls_jcharge(run, (size_t)scope->n));
        ls_jscope_set(run, scope, target->name, value);
        return LEASH_OK;
    }
    if (target->kind == LS_JN_ATTRIBUTE) {
        ls_jval object;
        LS_TRY(ls_jeval(run, target->a, &object));
        run->at = target;
        if (object.type != LS_J_NAMESPACE)
            return ls_jfail(run, "'%s' is no namespace: its attributes cannot be set",
                            target->a->name);
        return ls_jdict_set(run, object.dict, ls_jliteral(target->name), value);
    }
    ls_jlist *items;
    int64_t n = 0;
    LS_TRY(ls_jiterate(run, value, &items));
    for (const ls_jnode *t = target->list; t; t = t->next)
        n++;
    if (n != items->n)
        return ls_jfail(run, "%lld values cannot be unpacked into %lld variables",
                        (long long)items->n, (long long)n);
    n = 0;
    for (const ls_jnode *t = target->list; t; t = t->next)
        LS_TRY(assign(run, t, items->items[n++], scope));
    return LEASH_OK;
}

/* The items for which the condition of the loop holds; it does not see `loop`. */
static leash_status filter_items(ls_jrun *run, const ls_jnode *node, ls_jlist *items,
                                 ls_jlist **out)
{
    ls_jscope *outer = run->scope, *scope = ls_jscope_new(run, outer);
    leash_status status = LEASH_OK;
    *out = ls_jlist_new(run, LS_J_LIST, 0).list;
    for (int64_t i = 0; i < items->n && status == LEASH_OK; i++) {
        ls_jval keeps;
        scope->n = 0;
        LS_TRY(assign(run, node->a, items->items[i], scope));
        run->scope = scope;
        status = ls_jeval(run, node->c, &keeps);
        run->scope = outer;
        if (status == LEASH_OK && ls_jtruth(keeps))
            status = ls_jlist_add(run, *out, items->items[i]);
    }
    return status;
}

static leash_status exec_for(ls_jrun *run, const ls_jnode *node)
{
    ls_jval iterated;
    ls_jlist *items;
    LS_TRY(ls_jeval(run, node->b, &iterated));
    run->at = node->b;
    LS_TRY(ls_jiterate(run, iterated, &items));
    if (node->c)
        LS_TRY(filter_items(run, node, items, &items));
    jump how = GO_ON;
    if (items->n == 0)
        return exec_in(run, node->other, ls_jscope_new(run, run->scope), &how);
    const char *name = run->source->names[LS_JNAME_LOOP];
    ls_jloop *loop = ls_jpool_alloc(&run->pool, sizeof *loop);
    loop->items = items;
    ls_jscope *scope = ls_jscope_new(run, run->scope);
    for (; loop->index < items->n && how != BREAK; loop->index++) {
        how = GO_ON;
        scope->n = 0;
        LS_TRY(assign(run, node->a, items->items[loop->index], scope));
        ls_jscope_set(run, scope, name, (ls_jval){.type = LS_J_LOOP, .loop = loop});
        LS_TRY(exec_in(run, node->list, scope, &how));
    }
    return LEASH_OK;
}

static leash_status exec_if(ls_jrun *run, const ls_jnode *node, jump *next)
{
    ls_jval condition;
    LS_TRY(ls_jeval(run, node->a, &condition));
    return exec_list(run, ls_jtruth(condition) ? node->list : node->other, next);
}

static leash_status exec_set(ls_jrun *run, const ls_jnode *node)
{
    ls_jval value;
    if (node->kind == LS_JN_SET) {
        LS_TRY(ls_jeval(run, node->b, &value));
    } else {
        LS_TRY(ls_jcapture(run, node->list, ls_jscope_new(run, run->scope), &value));
        LS_TRY(ls_jeval_filters(run, node->b, value, &value));
    }
    return assign(run, node->a, value, run->scope);
}

static leash_status exec_filter(ls_jrun *run, const ls_jnode *node)
{
    ls_jval text;
    LS_TRY(ls_jcapture(run, node->list, ls_jscope_new(run, run->scope), &text));
    LS_TRY(ls_jeval_filters(run, node->b, text, &text));
    return ls_jput_str(run, run->out, text);
}

/* The span counts from the output that is certain: that of a block in a macro begins where the
 * macro's text will, as in transformers. */
static leash_status exec_generation(ls_jrun *run, const ls_jnode *node)
{
    ls_jval text;
    ls_jinja_output *r = run->result;
    LS_TRY(ls_jcapture(run, node->list, ls_jscope_new(run, run->scope), &text));
    int64_t start = (int64_t)run->root.n;
    if (r->n_spans == r->cap_spans) {
        r->cap_spans = 2 * r->cap_spans + 8;
        r->spans = ls_realloc(r->spans, ls_mul_size((size_t)r->cap_spans, sizeof *r->spans));
    }
    r->spans[r->n_spans++] = (ls_jinja_span){start, start + (int64_t)text.text.n};
    return ls_jput(run, run->out, text.text.at, text.text.n);
}

static void exec_macro(ls_jrun *run, const ls_jnode *node)
{
    ls_jclosure *c = ls_jpool_alloc(&run->pool, sizeof *c);
    c->macro = *node->macro;
    c->scope = run->scope;
    ls_jscope_set(run, run->scope, c->macro.name,
                  (ls_jval){.type = LS_J_MACRO, .macro = &c->macro});
}

static leash_status exec_print(ls_jrun *run, const ls_jnode *node)
{
    ls_jval value;
    LS_TRY(ls_jeval(run, node->a, &value));
    run->at = node;
    return ls_jput_str(run, run->out, value);
}

static leash_status exec_one(ls_jrun *run, const ls_jnode *node, jump *next)
{
    switch (node->kind) {
    case LS_JN_TEXT: return ls_jput(run, run->out, node->value.text.at, node->value.text.n);
    case LS_JN_PRINT: return exec_print(run, node);
    case LS_JN_IF: return exec_if(run, node, next);
    case LS_JN_FOR: return exec_for(run, node);
    case LS_JN_SET:
    case LS_JN_SET_BLOCK: return exec_set(run, node);
    case LS_JN_MACRO: exec_macro(run, node); return LEASH_OK;
    case LS_JN_FILTER: return exec_filter(run, node);
    case LS_JN_GENERATION: return exec_generation(run, node);
    default: *next = node->kind == LS_JN_BREAK ? BREAK : CONTINUE; return LEASH_OK;
    }
}

static leash_status exec_list(ls_jrun *run, const ls_jnode *node, jump *next)
{
    leash_status status = LEASH_OK;
    LS_TRY(ls_jenter(run));
    for (; node && status == LEASH_OK && *next == GO_ON; node = node->next) {
        run->at = node;
        status = exec_one(run, node, next);
    }
    run->depth--;
    return status;
}

static leash_status bind_macro(ls_jrun *run, const ls_jmacro *m, const ls_jargs *args,
                               ls_jscope *scope)
{
    if (args->n > m->n_params)
        return ls_jfail(run, "macro '%s' takes %d arguments, not %lld", m->name, m->n_params,
                        (long long)args->n);
    for (int64_t k = 0; k < args->n_keywords; k++) {
        int i = 0;
        while (i < m->n_params && m->params[i] != args->keywords[k].name)
            i++;
        if (i == m->n_params || i < args->n)
            return ls_jfail(run, "macro '%s' %s the argument '%s'", m->name,
                            i == m->n_params ? "does not take" : "got twice",
                            args->keywords[k].name);
    }
    for (int i = 0; i < m->n_params; i++) {
        ls_jval value = {0};
        bool is_given = i < args->n;
        if (is_given)
            value = args->values[i];
        for (int64_t k = 0; k < args->n_keywords && !is_given; k++)
            if (args->keywords[k].name == m->params[i]) {
                value = args->keywords[k].value;
                is_given = true;
            }
        if (!is_given && m->defaults[i])
            LS_TRY(ls_jeval(run, m->defaults[i], &value));
        else if (!is_given)
            value = ls_jundefined(run, "parameter '%s' was not provided", m->params[i]);
        ls_jscope_set(run, scope, m->params[i], value);
    }
    return LEASH_OK;
}

leash_status ls_jcall_macro(ls_jrun *run, ls_jval macro, const ls_jargs *args, ls_jval *out)
{
    const ls_jclosure *c = (const ls_jclosure *)(const void *)macro.macro;
    ls_jscope *caller = run->scope, *scope = ls_jscope_new(run, c->scope);
    run->scope = scope;
    leash_status status = bind_macro(run, &c->macro, args, scope);
    run->scope = caller;
    LS_TRY(status);
    return ls_jcapture(run, c->macro.body, scope, out);
}

/* Variables that the template never names are of no use to it. */
static leash_status set_variables(ls_jrun *run, const json_t *variables)
{
    run->scope = ls_jscope_new(run, NULL);
    for (int64_t i = 0; i < run->source->n_names; i++) {
        const json_t *json = json_object_get(variables, run->source->names[i]);
        ls_jval value;
        if (!json)
            continue;
        LS_TRY(ls_jval_of_json(run, json, &value));
        ls_jscope_set(run, run->scope, run->source->names[i], value);
    }
    run->scope = ls_jscope_new(run, run->scope);
    return LEASH_OK;
}

leash_status ls_jinja_render(ls_jinja_output *out, const ls_jinja *t, const ls_jinja_input *input)
{
    ls_jrun run = {.source = t, .now = input->now, .result = out};
    int64_t first_span = out->n_spans, base = (int64_t)out->text.len;
    jump next = GO_ON;
    run.out = &run.root;
    leash_status status = set_variables(&run, input->variables);
    if (status == LEASH_OK)
        status = exec_list(&run, t->body, &next);
    if (status == LEASH_OK)
        ls_str_append_n(&out->text, run.root.n ? run.root.data : "", run.root.n);
    for (int64_t i = first_span; i < out->n_spans; i++) {
        out->spans[i].start += base;
        out->spans[i].end += base;
    }
    ls_jpool_release(&run.pool);
    return status;
}
