/* Expressions, by recursive descent.  From loose to tight: conditional, or, and, not, comparisons,
 * + -, ~, * / // %, **, signs, filters and tests, then . [] (). */
#include "text/jinja/parse.h"

#include <string.h>

#include "text/jinja/callable.h"

static leash_status parse_unary(ls_jparser *p, bool with_filter, ls_jnode **out) LEASH_MUST_USE;

static ls_jnode *two(ls_jparser *p, ls_jkind kind, const ls_jtoken *at, ls_jnode *a)
{
    ls_jnode *node = ls_jparse_node(p, kind, at);
    node->a = a;
    return node;
}

static leash_status parse_power(ls_jparser *p, ls_jnode **out)
{
    LS_TRY(parse_unary(p, true, out));
    while (ls_jparse_is_op(p, "**")) {
        *out = two(p, LS_JN_BINARY, p->at++, *out);
        (*out)->op = 'p';
        LS_TRY(parse_unary(p, true, &(*out)->b));
    }
    return LEASH_OK;
}

static int product_op(const ls_jparser *p)
{
    return ls_jparse_is_op(p, "*")    ? '*'
           : ls_jparse_is_op(p, "/")  ? '/'
           : ls_jparse_is_op(p, "//") ? 'd'
           : ls_jparse_is_op(p, "%")  ? '%'
                                      : 0;
}

static leash_status parse_product(ls_jparser *p, ls_jnode **out)
{
    LS_TRY(parse_power(p, out));
    for (int op; (op = product_op(p));) {
        *out = two(p, LS_JN_BINARY, p->at++, *out);
        (*out)->op = op;
        LS_TRY(parse_power(p, &(*out)->b));
    }
    return LEASH_OK;
}

static leash_status parse_concat(ls_jparser *p, ls_jnode **out)
{
    ls_jnode *first, **next;
    LS_TRY(parse_product(p, &first));
    *out = first;
    if (!ls_jparse_is_op(p, "~"))
        return LEASH_OK;
    *out = ls_jparse_node(p, LS_JN_CONCAT, p->at);
    (*out)->list = first;
    for (next = &first->next; ls_jparse_skip_op(p, "~"); next = &(*next)->next)
        LS_TRY(parse_product(p, next));
    return LEASH_OK;
}

static leash_status parse_sum(ls_jparser *p, ls_jnode **out)
{
    LS_TRY(parse_concat(p, out));
    while (ls_jparse_is_op(p, "+") || ls_jparse_is_op(p, "-")) {
        *out = two(p, LS_JN_BINARY, p->at, *out);
        (*out)->op = p->at++->text.at[0];
        LS_TRY(parse_concat(p, &(*out)->b));
    }
    return LEASH_OK;
}

/* Consumes a comparing operator; 0 when there is none. */
static int take_comparison(ls_jparser *p)
{
    static const struct {
        const char *text;
        int op;
    } operators[] = {{"==", LS_JOP_EQ}, {"!=", LS_JOP_NE}, {"<", LS_JOP_LT},
                     {"<=", LS_JOP_LE}, {">", LS_JOP_GT},  {">=", LS_JOP_GE}};
    for (size_t i = 0; i < LS_COUNT(operators); i++)
        if (ls_jparse_skip_op(p, operators[i].text))
            return operators[i].op;
    if (ls_jparse_skip_name(p, "in"))
        return LS_JOP_IN;
    if (ls_jparse_is_name(p, "not")) {
        p->at++;
        if (ls_jparse_skip_name(p, "in"))
            return LS_JOP_NOT_IN;
        p->at--;
    }
    return 0;
}

static leash_status parse_compare(ls_jparser *p, ls_jnode **out)
{
    ls_jnode *first, **next = NULL;
    LS_TRY(parse_sum(p, &first));
    *out = first;
    for (;;) {
        const ls_jtoken *at = p->at;
        int op = take_comparison(p);
        if (!op)
            return LEASH_OK;
        if (!next) {
            *out = two(p, LS_JN_COMPARE, at, first);
            next = &(*out)->list;
        }
        *next = ls_jparse_node(p, LS_JN_COMPARISON, at);
        (*next)->op = op;
        LS_TRY(parse_sum(p, &(*next)->a));
        next = &(*next)->next;
    }
}

static leash_status parse_not(ls_jparser *p, ls_jnode **out)
{
    if (!ls_jparse_is_name(p, "not"))
        return parse_compare(p, out);
    LS_TRY(ls_jparse_enter(p));
    *out = ls_jparse_node(p, LS_JN_NOT, p->at++);
    LS_TRY(parse_not(p, &(*out)->a));
    p->depth--;
    return LEASH_OK;
}

static leash_status parse_and(ls_jparser *p, ls_jnode **out)
{
    LS_TRY(parse_not(p, out));
    while (ls_jparse_is_name(p, "and")) {
        *out = two(p, LS_JN_AND, p->at++, *out);
        LS_TRY(parse_not(p, &(*out)->b));
    }
    return LEASH_OK;
}

static leash_status parse_or(ls_jparser *p, ls_jnode **out)
{
    LS_TRY(parse_and(p, out));
    while (ls_jparse_is_name(p, "or")) {
        *out = two(p, LS_JN_OR, p->at++, *out);
        LS_TRY(parse_and(p, &(*out)->b));
    }
    return LEASH_OK;
}

leash_status ls_jparse_expression(ls_jparser *p, bool with_choice, ls_jnode **out)
{
    LS_TRY(ls_jparse_enter(p));
    LS_TRY(parse_or(p, out));
    while (with_choice && ls_jparse_is_name(p, "if")) {
        ls_jnode *node = ls_jparse_node(p, LS_JN_CHOOSE, p->at++);
        node->b = *out;
        LS_TRY(parse_or(p, &node->a));
        if (ls_jparse_skip_name(p, "else"))
            LS_TRY(ls_jparse_expression(p, true, &node->c));
        *out = node;
    }
    p->depth--;
    return LEASH_OK;
}

static bool is_tuple_end(const ls_jparser *p)
{
    return p->at->type == LS_JT_PRINT_END || p->at->type == LS_JT_BLOCK_END ||
           ls_jparse_is_op(p, ")");
}

leash_status ls_jparse_tuple(ls_jparser *p, ls_jnode **out)
{
    const ls_jtoken *at = p->at;
    ls_jnode *first;
    if (is_tuple_end(p))
        return ls_jparse_expected(p, "an expression");
    LS_TRY(ls_jparse_expression(p, true, &first));
    *out = first;
    if (!ls_jparse_is_op(p, ","))
        return LEASH_OK;
    *out = ls_jparse_node(p, LS_JN_TUPLE, at);
    (*out)->list = first;
    for (ls_jnode **next = &first->next; ls_jparse_skip_op(p, ",") && !is_tuple_end(p);
         next = &(*next)->next)
        LS_TRY(ls_jparse_expression(p, true, next));
    return LEASH_OK;
}

static bool is_constant_name(const ls_jparser *p, ls_jval *out)
{
    static const struct {
        const char *name;
        ls_jval value;
    } constants[] = {{"true", {.type = LS_J_BOOL, .truth = true}},
                     {"True", {.type = LS_J_BOOL, .truth = true}},
                     {"false", {.type = LS_J_BOOL, .truth = false}},
                     {"False", {.type = LS_J_BOOL, .truth = false}},
                     {"none", {.type = LS_J_NONE}},
                     {"None", {.type = LS_J_NONE}}};
    for (size_t i = 0; i < LS_COUNT(constants); i++)
        if (ls_jparse_is_name(p, constants[i].name)) {
            *out = constants[i].value;
            return true;
        }
    return false;
}

static leash_status parse_target_name(ls_jparser *p, bool with_attribute, ls_jnode **out)
{
    ls_jval constant;
    if (p->at->type != LS_JT_NAME || is_constant_name(p, &constant))
        return ls_jparse_expected(p, "the name of a variable");
    *out = ls_jparse_node(p, LS_JN_NAME, p->at);
    LS_TRY(ls_jparse_name(p, &(*out)->name, "the name of a variable"));
    if (!with_attribute || !ls_jparse_is_op(p, "."))
        return LEASH_OK;
    *out = two(p, LS_JN_ATTRIBUTE, p->at++, *out);
    LS_TRY(ls_jparse_name(p, &(*out)->name, "the name of an attribute"));
    return (*out)->name[0] != '_' ? LEASH_OK
                                  : ls_jparse_fail(p, p->at - 1,
                                                   "attributes that begin with '_' "
                                                   "cannot be set");
}

leash_status ls_jparse_target(ls_jparser *p, bool with_attribute, ls_jnode **out)
{
    const ls_jtoken *at = p->at;
    ls_jnode *first;
    bool has_parentheses = ls_jparse_skip_op(p, "(");
    LS_TRY(parse_target_name(p, with_attribute, &first));
    *out = first;
    if (ls_jparse_is_op(p, ",")) {
        *out = ls_jparse_node(p, LS_JN_TUPLE, at);
        (*out)->list = first;
        for (ls_jnode **next = &first->next; ls_jparse_skip_op(p, ","); next = &(*next)->next) {
            if (ls_jparse_is_name(p, "in") || ls_jparse_is_op(p, "=") || ls_jparse_is_op(p, ")"))
                break;
            LS_TRY(parse_target_name(p, with_attribute, next));
        }
    }
    return has_parentheses ? ls_jparse_op(p, ")") : LEASH_OK;
}

static leash_status parse_string(ls_jparser *p, ls_jnode **out)
{
    const ls_jtoken *at = p->at;
    size_t n = 0;
    *out = ls_jparse_node(p, LS_JN_CONSTANT, at);
    for (const ls_jtoken *t = at; t->type == LS_JT_STRING; t++)
        n += t->text.n;
    char *text = ls_jpool_alloc(&p->out->pool, n + 1);
    (*out)->value = ls_jstring(text, n);
    for (; p->at->type == LS_JT_STRING; p->at++) {
        memcpy(text, p->at->text.at, p->at->text.n);
        text += p->at->text.n;
    }
    return LEASH_OK;
}

/* Elements between brackets, the opening one read. */
static leash_status parse_list(ls_jparser *p, const ls_jtoken *at, ls_jnode **out)
{
    *out = ls_jparse_node(p, LS_JN_LIST, at);
    for (ls_jnode **next = &(*out)->list; !ls_jparse_is_op(p, "]"); next = &(*next)->next) {
        if (next != &(*out)->list)
            LS_TRY(ls_jparse_op(p, ","));
        if (ls_jparse_is_op(p, "]"))
            break;
        LS_TRY(ls_jparse_expression(p, true, next));
    }
    return ls_jparse_op(p, "]");
}

static leash_status parse_dict(ls_jparser *p, const ls_jtoken *at, ls_jnode **out)
{
    *out = ls_jparse_node(p, LS_JN_DICT, at);
    for (ls_jnode **next = &(*out)->list; !ls_jparse_is_op(p, "}"); next = &(*next)->next) {
        if (next != &(*out)->list)
            LS_TRY(ls_jparse_op(p, ","));
        if (ls_jparse_is_op(p, "}"))
            break;
        *next = ls_jparse_node(p, LS_JN_PAIR, p->at);
        LS_TRY(ls_jparse_expression(p, true, &(*next)->a));
        LS_TRY(ls_jparse_op(p, ":"));
        LS_TRY(ls_jparse_expression(p, true, &(*next)->b));
    }
    return ls_jparse_op(p, "}");
}

static leash_status parse_parentheses(ls_jparser *p, const ls_jtoken *at, ls_jnode **out)
{
    if (ls_jparse_is_op(p, ")"))
        *out = ls_jparse_node(p, LS_JN_TUPLE, at);
    else
        LS_TRY(ls_jparse_tuple(p, out));
    return ls_jparse_op(p, ")");
}

static leash_status parse_primary(ls_jparser *p, ls_jnode **out)
{
    const ls_jtoken *at = p->at;
    ls_jval constant;
    switch (at->type) {
    case LS_JT_NAME:
        if (is_constant_name(p, &constant)) {
            *out = ls_jparse_node(p, LS_JN_CONSTANT, p->at++);
            (*out)->value = constant;
            return LEASH_OK;
        }
        *out = ls_jparse_node(p, LS_JN_NAME, at);
        return ls_jparse_name(p, &(*out)->name, "a name");
    case LS_JT_STRING: return parse_string(p, out);
    case LS_JT_INT:
    case LS_JT_FLOAT:
        *out = ls_jparse_node(p, LS_JN_CONSTANT, p->at++);
        (*out)->value = at->type == LS_JT_INT ? ls_jint(at->integer) : ls_jfloat(at->number);
        return LEASH_OK;
    default:
        if (ls_jparse_skip_op(p, "("))
            return parse_parentheses(p, at, out);
        if (ls_jparse_skip_op(p, "["))
            return parse_list(p, at, out);
        if (ls_jparse_skip_op(p, "{"))
            return parse_dict(p, at, out);
        return ls_jparse_expected(p, "an expression");
    }
}

/* Behind the "(". */
static leash_status parse_arguments(ls_jparser *p, ls_jnode **list)
{
    bool has_keyword = false;
    for (ls_jnode **next = list; !ls_jparse_is_op(p, ")"); next = &(*next)->next) {
        if (next != list)
            LS_TRY(ls_jparse_op(p, ","));
        if (ls_jparse_is_op(p, ")"))
            break;
        if (ls_jparse_is_op(p, "*") || ls_jparse_is_op(p, "**"))
            return ls_jparse_fail(p, p->at, "arguments out of a list or dict are not supported");
        const ls_jtoken *at = p->at;
        bool is_keyword = at->type == LS_JT_NAME && at[1].type == LS_JT_OPERATOR &&
                          at[1].text.n == 1 && at[1].text.at[0] == '=';
        if (is_keyword) {
            *next = ls_jparse_node(p, LS_JN_KEYWORD, at);
            LS_TRY(ls_jparse_name(p, &(*next)->name, "the name of a parameter"));
            p->at++;
            LS_TRY(ls_jparse_expression(p, true, &(*next)->a));
        } else if (has_keyword) {
            return ls_jparse_fail(p, at, "an argument without a name follows one with a name");
        } else {
            LS_TRY(ls_jparse_expression(p, true, next));
        }
        has_keyword = is_keyword;
    }
    return ls_jparse_op(p, ")");
}

/* One part of a slice, up to ":" or the end: none when it is empty. */
static leash_status parse_slice_part(ls_jparser *p, ls_jnode **out)
{
    if (!ls_jparse_is_op(p, ":") && !ls_jparse_is_op(p, "]"))
        return ls_jparse_expression(p, true, out);
    *out = ls_jparse_node(p, LS_JN_CONSTANT, p->at);
    (*out)->value = ls_jnone();
    return LEASH_OK;
}

/* Behind the "[". */
static leash_status parse_subscript(ls_jparser *p, ls_jnode *subject, const ls_jtoken *at,
                                    ls_jnode **out)
{
    ls_jnode *start, **next;
    if (ls_jparse_is_op(p, "]"))
        return ls_jparse_expected(p, "an expression");
    LS_TRY(parse_slice_part(p, &start));
    if (!ls_jparse_is_op(p, ":")) {
        *out = two(p, LS_JN_ITEM, at, subject);
        (*out)->b = start;
        return ls_jparse_op(p, "]");
    }
    *out = two(p, LS_JN_SLICE, at, subject);
    (*out)->list = start;
    next = &start->next;
    LS_TRY(ls_jparse_op(p, ":"));
    LS_TRY(parse_slice_part(p, next));
    next = &(*next)->next;
    if (!ls_jparse_skip_op(p, ":") && !ls_jparse_is_op(p, "]"))
        return ls_jparse_expected(p, "']'");
    LS_TRY(parse_slice_part(p, next));
    return ls_jparse_op(p, "]");
}

static leash_status parse_postfix(ls_jparser *p, ls_jnode *subject, ls_jnode **out)
{
    *out = subject;
    for (;;) {
        const ls_jtoken *at = p->at;
        if (ls_jparse_skip_op(p, ".")) {
            bool is_index = p->at->type == LS_JT_INT;
            subject = *out;
            *out = two(p, is_index ? LS_JN_ITEM : LS_JN_ATTRIBUTE, at, subject);
            if (is_index) {
                (*out)->b = ls_jparse_node(p, LS_JN_CONSTANT, p->at);
                (*out)->b->value = ls_jint(p->at++->integer);
            } else {
                LS_TRY(ls_jparse_name(p, &(*out)->name, "the name of an attribute"));
            }
        } else if (ls_jparse_skip_op(p, "[")) {
            LS_TRY(parse_subscript(p, *out, at, out));
        } else if (ls_jparse_skip_op(p, "(")) {
            *out = two(p, LS_JN_CALL, at, *out);
            LS_TRY(parse_arguments(p, &(*out)->list));
        } else {
            return LEASH_OK;
        }
    }
}

leash_status ls_jparse_filters(ls_jparser *p, ls_jnode *subject, bool starts_inline, ls_jnode **out)
{
    *out = subject;
    while (starts_inline || ls_jparse_skip_op(p, "|")) {
        starts_inline = false;
        const ls_jtoken *at = p->at;
        ls_jnode *node = ls_jparse_node(p, LS_JN_APPLY, at);
        node->a = *out;
        *out = node;
        LS_TRY(ls_jparse_name(p, &node->name, "the name of a filter"));
        node->callable = ls_jfind_filter(at->text);
        if (!node->callable)
            return ls_jparse_fail(p, at, "there is no filter '%s'", node->name);
        if (ls_jparse_skip_op(p, "("))
            LS_TRY(parse_arguments(p, &node->list));
    }
    return LEASH_OK;
}

/* Whether a token begins the argument of a test that has no parentheses. */
static bool begins_argument(const ls_jparser *p)
{
    switch (p->at->type) {
    case LS_JT_NAME:
        return !ls_jparse_is_name(p, "else") && !ls_jparse_is_name(p, "or") &&
               !ls_jparse_is_name(p, "and");
    case LS_JT_STRING:
    case LS_JT_INT:
    case LS_JT_FLOAT: return true;
    default: return ls_jparse_is_op(p, "[") || ls_jparse_is_op(p, "{");
    }
}

/* Behind the "is". */
static leash_status parse_test(ls_jparser *p, ls_jnode *subject, ls_jnode **out)
{
    bool is_negated = ls_jparse_skip_name(p, "not");
    const ls_jtoken *at = p->at;
    ls_jnode *node = two(p, LS_JN_APPLY, at, subject);
    LS_TRY(ls_jparse_name(p, &node->name, "the name of a test"));
    node->callable = ls_jfind_test(at->text);
    if (!node->callable)
        return ls_jparse_fail(p, at, "there is no test '%s'", node->name);
    if (ls_jparse_skip_op(p, "(")) {
        LS_TRY(parse_arguments(p, &node->list));
    } else if (begins_argument(p)) {
        if (ls_jparse_is_name(p, "is"))
            return ls_jparse_fail(p, p->at, "tests cannot be chained");
        LS_TRY(parse_primary(p, &node->list));
        LS_TRY(parse_postfix(p, node->list, &node->list));
    }
    *out = is_negated ? two(p, LS_JN_NOT, at, node) : node;
    return LEASH_OK;
}

static leash_status parse_unary(ls_jparser *p, bool with_filter, ls_jnode **out)
{
    ls_jnode *node;
    LS_TRY(ls_jparse_enter(p));
    bool is_minus = ls_jparse_is_op(p, "-");
    if (is_minus || ls_jparse_is_op(p, "+")) {
        node = ls_jparse_node(p, is_minus ? LS_JN_NEGATE : LS_JN_PLUS, p->at++);
        LS_TRY(parse_unary(p, false, &node->a));
    } else {
        LS_TRY(parse_primary(p, &node));
    }
    LS_TRY(parse_postfix(p, node, out));
    while (with_filter) {
        const ls_jtoken *at = p->at;
        if (ls_jparse_is_op(p, "|")) {
            LS_TRY(ls_jparse_filters(p, *out, false, out));
        } else if (ls_jparse_skip_name(p, "is")) {
            LS_TRY(parse_test(p, *out, out));
        } else if (ls_jparse_skip_op(p, "(")) {
            *out = two(p, LS_JN_CALL, at, *out);
            LS_TRY(parse_arguments(p, &(*out)->list));
        } else {
            break;
        }
    }
    p->depth--;
    return LEASH_OK;
}
