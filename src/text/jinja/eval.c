/* Expressions. */
#include "text/jinja/eval.h"

#include <string.h>

static leash_status eval_name(ls_jrun *run, const ls_jnode *node, ls_jval *out)
{
    for (const ls_jscope *s = run->scope; s; s = s->parent) {
        LS_TRY(ls_jcharge(run, (size_t)s->n));
        for (int32_t i = 0; i < s->n; i++)
            if (s->names[i] == node->name) {
                *out = s->values[i];
                return LEASH_OK;
            }
    }
    const ls_jcallable *global = ls_jfind_global(node->name);
    *out = global ? (ls_jval){.type = LS_J_FUNCTION, .function = global}
                  : ls_jundefined(run, "'%s' is undefined", node->name);
    return LEASH_OK;
}

static leash_status eval_items(ls_jrun *run, const ls_jnode *node, ls_jval *out)
{
    *out = ls_jlist_new(run, node->kind == LS_JN_LIST ? LS_J_LIST : LS_J_TUPLE, 0);
    for (const ls_jnode *n = node->list; n; n = n->next) {
        ls_jval item;
        LS_TRY(ls_jeval(run, n, &item));
        LS_TRY(ls_jlist_add(run, out->list, item));
    }
    return LEASH_OK;
}

static leash_status eval_dict(ls_jrun *run, const ls_jnode *node, ls_jval *out)
{
    *out = ls_jdict_new(run, LS_J_DICT);
    for (const ls_jnode *n = node->list; n; n = n->next) {
        ls_jval key, value;
        LS_TRY(ls_jeval(run, n->a, &key));
        LS_TRY(ls_jeval(run, n->b, &value));
        run->at = n;
        LS_TRY(ls_jdict_set(run, out->dict, key, value));
    }
    return LEASH_OK;
}

static leash_status eval_arguments(ls_jrun *run, const ls_jnode *list, ls_jargs *out)
{
    int64_t n = 0, n_keywords = 0;
    for (const ls_jnode *a = list; a; a = a->next)
        *(a->kind == LS_JN_KEYWORD ? &n_keywords : &n) += 1;
    ls_jval *values = ls_jpool_alloc(&run->pool, (size_t)n * sizeof *values);
    ls_jkeyword *keywords = ls_jpool_alloc(&run->pool, (size_t)n_keywords * sizeof *keywords);
    *out = (ls_jargs){values, keywords, n, n_keywords};
    for (const ls_jnode *a = list; a; a = a->next) {
        if (a->kind == LS_JN_KEYWORD) {
            keywords->name = a->name;
            LS_TRY(ls_jeval(run, a->a, &keywords++->value));
        } else {
            LS_TRY(ls_jeval(run, a, values++));
        }
    }
    return LEASH_OK;
}

static leash_status eval_call(ls_jrun *run, const ls_jnode *node, ls_jval *out)
{
    ls_jval function;
    ls_jargs args;
    LS_TRY(ls_jeval(run, node->a, &function));
    LS_TRY(eval_arguments(run, node->list, &args));
    run->at = node->a;
    return ls_jcall(run, function, &args, out);
}

static leash_status eval_apply(ls_jrun *run, const ls_jnode *node, ls_jval *out)
{
    ls_jval subject;
    ls_jargs args;
    LS_TRY(ls_jeval(run, node->a, &subject));
    LS_TRY(eval_arguments(run, node->list, &args));
    run->at = node;
    return ls_japply(run, node->callable, subject, &args, out);
}

leash_status ls_jeval_filters(ls_jrun *run, const ls_jnode *filters, ls_jval text, ls_jval *out)
{
    ls_jargs args;
    if (!filters) {
        *out = text;
        return LEASH_OK;
    }
    LS_TRY(ls_jenter(run));
    LS_TRY(ls_jeval_filters(run, filters->a, text, &text));
    run->depth--;
    LS_TRY(eval_arguments(run, filters->list, &args));
    run->at = filters;
    return ls_japply(run, filters->callable, text, &args, out);
}

static leash_status eval_sign(ls_jrun *run, const ls_jnode *node, ls_jval *out)
{
    ls_jval v;
    LS_TRY(ls_jeval(run, node->a, &v));
    run->at = node;
    if (v.type == LS_J_FLOAT && node->kind == LS_JN_NEGATE) {
        *out = ls_jfloat(-v.number);
        return LEASH_OK;
    }
    return ls_jarithmetic(run, node->kind == LS_JN_NEGATE ? '-' : '+', ls_jint(0), v, out);
}

static leash_status compare_once(ls_jrun *run, int op, ls_jval a, ls_jval b, bool *out)
{
    static const char *const names[] = {
        [LS_JOP_LT] = "<", [LS_JOP_LE] = "<=", [LS_JOP_GT] = ">", [LS_JOP_GE] = ">="};
    int order = 0;
    if (op == LS_JOP_EQ || op == LS_JOP_NE) {
        LS_TRY(ls_jequal(run, a, b, out));
        *out = *out == (op == LS_JOP_EQ);
        return LEASH_OK;
    }
    if (op == LS_JOP_IN || op == LS_JOP_NOT_IN) {
        LS_TRY(ls_jcontains(run, b, a, out));
        *out = *out == (op == LS_JOP_IN);
        return LEASH_OK;
    }
    LS_TRY(ls_jcompare(run, a, b, names[op], &order));
    *out = op == LS_JOP_LT   ? order < 0
           : op == LS_JOP_LE ? order <= 0
           : op == LS_JOP_GT ? order > 0
                             : order >= 0;
    return LEASH_OK;
}

/* a < b < c is a < b and b < c. */
static leash_status eval_compare(ls_jrun *run, const ls_jnode *node, ls_jval *out)
{
    ls_jval left, right;
    bool is_true = true;
    LS_TRY(ls_jeval(run, node->a, &left));
    for (const ls_jnode *n = node->list; n && is_true; n = n->next) {
        LS_TRY(ls_jeval(run, n->a, &right));
        run->at = n;
        LS_TRY(compare_once(run, n->op, left, right, &is_true));
        left = right;
    }
    *out = ls_jbool(is_true);
    return LEASH_OK;
}

static leash_status eval_concat(ls_jrun *run, const ls_jnode *node, ls_jval *out)
{
    ls_jbuf buf = {0};
    for (const ls_jnode *n = node->list; n; n = n->next) {
        ls_jval v;
        LS_TRY(ls_jeval(run, n, &v));
        run->at = n;
        LS_TRY(ls_jput_str(run, &buf, v));
    }
    *out = ls_jof(&buf);
    return LEASH_OK;
}

static leash_status eval_binary(ls_jrun *run, const ls_jnode *node, ls_jval *out)
{
    ls_jval a, b;
    LS_TRY(ls_jeval(run, node->a, &a));
    LS_TRY(ls_jeval(run, node->b, &b));
    run->at = node;
    return ls_jarithmetic(run, node->op, a, b, out);
}

static leash_status eval_choice(ls_jrun *run, const ls_jnode *node, ls_jval *out)
{
    LS_TRY(ls_jeval(run, node->a, out));
    if (node->kind == LS_JN_CHOOSE) {
        const ls_jnode *taken = ls_jtruth(*out) ? node->b : node->c;
        if (taken)
            return ls_jeval(run, taken, out);
        *out = ls_jundefined(run, "the conditional expression has no else and its condition is "
                                  "false");
        return LEASH_OK;
    }
    if (ls_jtruth(*out) == (node->kind == LS_JN_AND))
        return ls_jeval(run, node->b, out);
    return LEASH_OK;
}

static leash_status eval_access(ls_jrun *run, const ls_jnode *node, ls_jval *out)
{
    ls_jval subject, parts[3];
    LS_TRY(ls_jeval(run, node->a, &subject));
    if (node->kind == LS_JN_ATTRIBUTE) {
        run->at = node;
        return ls_jattribute(run, subject, node->name, out);
    }
    if (node->kind == LS_JN_ITEM) {
        LS_TRY(ls_jeval(run, node->b, &parts[0]));
        run->at = node;
        return ls_jitem(run, subject, parts[0], out);
    }
    const ls_jnode *n = node->list;
    for (int i = 0; i < 3; i++, n = n->next)
        LS_TRY(ls_jeval(run, n, &parts[i]));
    run->at = node;
    return ls_jslice(run, subject, parts, out);
}

static leash_status eval_kind(ls_jrun *run, const ls_jnode *node, ls_jval *out)
{
    switch (node->kind) {
    case LS_JN_CONSTANT: *out = node->value; return LEASH_OK;
    case LS_JN_NAME: return eval_name(run, node, out);
    case LS_JN_LIST:
    case LS_JN_TUPLE: return eval_items(run, node, out);
    case LS_JN_DICT: return eval_dict(run, node, out);
    case LS_JN_ATTRIBUTE:
    case LS_JN_ITEM:
    case LS_JN_SLICE: return eval_access(run, node, out);
    case LS_JN_CALL: return eval_call(run, node, out);
    case LS_JN_APPLY: return eval_apply(run, node, out);
    case LS_JN_NOT:
        LS_TRY(ls_jeval(run, node->a, out));
        *out = ls_jbool(!ls_jtruth(*out));
        return LEASH_OK;
    case LS_JN_NEGATE:
    case LS_JN_PLUS: return eval_sign(run, node, out);
    case LS_JN_AND:
    case LS_JN_OR:
    case LS_JN_CHOOSE: return eval_choice(run, node, out);
    case LS_JN_COMPARE: return eval_compare(run, node, out);
    case LS_JN_CONCAT: return eval_concat(run, node, out);
    default: return eval_binary(run, node, out);
    }
}

leash_status ls_jeval(ls_jrun *run, const ls_jnode *node, ls_jval *out)
{
    run->at = node;
    LS_TRY(ls_jcharge(run, 0));
    LS_TRY(ls_jenter(run));
    leash_status status = eval_kind(run, node, out);
    run->depth--;
    return status;
}
