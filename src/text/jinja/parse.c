/* Statements of a template, and the template itself. */
#include "text/jinja/parse.h"

#include <stdarg.h>
#include <string.h>

#include "base/mem.h"
#include "text/utf8.h"

leash_status ls_jparse_fail(const ls_jparser *p, const ls_jtoken *at, const char *format, ...)
{
    ls_str text = LS_STR_INIT;
    va_list args;
    va_start(args, format);
    ls_str_appendv(&text, format, args);
    va_end(args);
    leash_status status =
        ls_fail(LEASH_FORMAT, "%s:%d:%d: %s", p->out->name, at->line, at->column, text.data);
    ls_str_release(&text);
    return status;
}

leash_status ls_jparse_expected(const ls_jparser *p, const char *what)
{
    const ls_jtoken *t = p->at;
    int n = t->text.n > 40 ? 40 : (int)t->text.n;
    switch (t->type) {
    case LS_JT_END: return ls_jparse_fail(p, t, "expected %s, found the end of the template", what);
    case LS_JT_DATA: return ls_jparse_fail(p, t, "expected %s, found text", what);
    case LS_JT_STRING: return ls_jparse_fail(p, t, "expected %s, found a string", what);
    default: return ls_jparse_fail(p, t, "expected %s, found '%.*s'", what, n, t->text.at);
    }
}

leash_status ls_jparse_enter(ls_jparser *p)
{
    if (++p->depth > LS_JINJA_MOST_DEPTH)
        return ls_jparse_fail(p, p->at, "constructs nest more than %d deep", LS_JINJA_MOST_DEPTH);
    return LEASH_OK;
}

ls_jnode *ls_jparse_node(ls_jparser *p, ls_jkind kind, const ls_jtoken *at)
{
    ls_jnode *node = ls_jpool_alloc(&p->out->pool, sizeof *node);
    node->kind = kind;
    node->line = at->line;
    node->column = at->column;
    return node;
}

#define MOST_NAMES 4096

leash_status ls_jparse_intern(ls_jparser *p, ls_jtext name, const char **out)
{
    ls_jinja *t = p->out;
    for (int64_t i = 0; i < t->n_names; i++)
        if (strlen(t->names[i]) == name.n && memcmp(t->names[i], name.at, name.n) == 0) {
            *out = t->names[i];
            return LEASH_OK;
        }
    if (t->n_names == MOST_NAMES)
        return ls_jparse_fail(p, p->at, "the template has more than %d names", MOST_NAMES);
    if (!t->names)
        t->names = ls_malloc(MOST_NAMES * sizeof *t->names);
    *out = t->names[t->n_names++] = ls_jpool_copy(&t->pool, name.at, name.n);
    return LEASH_OK;
}

static bool is_text(const ls_jparser *p, ls_jtoken_type type, const char *text)
{
    return p->at->type == type && p->at->text.n == strlen(text) &&
           memcmp(p->at->text.at, text, p->at->text.n) == 0;
}

bool ls_jparse_is_op(const ls_jparser *p, const char *op)
{
    return is_text(p, LS_JT_OPERATOR, op);
}

bool ls_jparse_is_name(const ls_jparser *p, const char *name)
{
    return is_text(p, LS_JT_NAME, name);
}

bool ls_jparse_skip_op(ls_jparser *p, const char *op)
{
    bool is_it = ls_jparse_is_op(p, op);
    p->at += is_it;
    return is_it;
}

bool ls_jparse_skip_name(ls_jparser *p, const char *name)
{
    bool is_it = ls_jparse_is_name(p, name);
    p->at += is_it;
    return is_it;
}

leash_status ls_jparse_op(ls_jparser *p, const char *op)
{
    char what[8] = {'\'', op[0], '\''};
    return ls_jparse_skip_op(p, op) ? LEASH_OK : ls_jparse_expected(p, what);
}

leash_status ls_jparse_name(ls_jparser *p, const char **out, const char *what)
{
    if (p->at->type != LS_JT_NAME)
        return ls_jparse_expected(p, what);
    LS_TRY(ls_jparse_intern(p, p->at->text, out));
    p->at++;
    return LEASH_OK;
}

static leash_status block_end(ls_jparser *p)
{
    if (p->at->type != LS_JT_BLOCK_END)
        return ls_jparse_expected(p, "'%}'");
    p->at++;
    return LEASH_OK;
}

/* Statements up to a tag whose name is one of `ends` (several with a space between), NULL: up to
 * the end of the template.  The parser then stands on that name. */
static leash_status parse_body(ls_jparser *p, const char *ends, const ls_jtoken *opened,
                               ls_jnode **out) LEASH_MUST_USE;

static leash_status parse_if(ls_jparser *p, const ls_jtoken *at, ls_jnode **out)
{
    ls_jnode *node = ls_jparse_node(p, LS_JN_IF, at), *last = node;
    *out = node;
    for (;;) {
        LS_TRY(ls_jparse_expression(p, true, &last->a));
        LS_TRY(block_end(p));
        LS_TRY(parse_body(p, "elif else endif", at, &last->list));
        if (!ls_jparse_is_name(p, "elif"))
            break;
        last->other = ls_jparse_node(p, LS_JN_IF, p->at++);
        last = last->other;
    }
    if (ls_jparse_skip_name(p, "else")) {
        LS_TRY(block_end(p));
        LS_TRY(parse_body(p, "endif", at, &last->other));
    }
    p->at++;
    return block_end(p);
}

static leash_status parse_for(ls_jparser *p, const ls_jtoken *at, ls_jnode **out)
{
    ls_jnode *node = *out = ls_jparse_node(p, LS_JN_FOR, at);
    LS_TRY(ls_jparse_target(p, false, &node->a));
    if (!ls_jparse_skip_name(p, "in"))
        return ls_jparse_expected(p, "'in'");
    /* Without a conditional expression: the "if" belongs to the loop. */
    LS_TRY(ls_jparse_expression(p, false, &node->b));
    if (ls_jparse_is_op(p, ",")) {
        ls_jnode *tuple = ls_jparse_node(p, LS_JN_TUPLE, p->at), **next = &node->b->next;
        tuple->list = node->b;
        node->b = tuple;
        while (ls_jparse_skip_op(p, ",") && p->at->type != LS_JT_BLOCK_END) {
            LS_TRY(ls_jparse_expression(p, false, next));
            next = &(*next)->next;
        }
    }
    if (ls_jparse_skip_name(p, "if"))
        LS_TRY(ls_jparse_expression(p, true, &node->c));
    if (ls_jparse_is_name(p, "recursive"))
        return ls_jparse_fail(p, p->at, "recursive loops are not supported");
    LS_TRY(block_end(p));
    p->loops++;
    LS_TRY(parse_body(p, "else endfor", at, &node->list));
    p->loops--;
    if (ls_jparse_skip_name(p, "else")) {
        LS_TRY(block_end(p));
        LS_TRY(parse_body(p, "endfor", at, &node->other));
    }
    p->at++;
    return block_end(p);
}

/* A body in which no loop around it can be left. */
static leash_status parse_closed_body(ls_jparser *p, const char *end, const ls_jtoken *opened,
                                      ls_jnode **out)
{
    int loops = p->loops;
    p->loops = 0;
    LS_TRY(parse_body(p, end, opened, out));
    p->loops = loops;
    p->at++;
    return block_end(p);
}

static leash_status parse_set(ls_jparser *p, const ls_jtoken *at, ls_jnode **out)
{
    ls_jnode *node = *out = ls_jparse_node(p, LS_JN_SET, at);
    LS_TRY(ls_jparse_target(p, true, &node->a));
    if (ls_jparse_skip_op(p, "=")) {
        LS_TRY(ls_jparse_tuple(p, &node->b));
        return block_end(p);
    }
    node->kind = LS_JN_SET_BLOCK;
    if (ls_jparse_is_op(p, "|"))
        LS_TRY(ls_jparse_filters(p, NULL, false, &node->b));
    else if (p->at->type != LS_JT_BLOCK_END)
        return ls_jparse_expected(p, "'='");
    LS_TRY(block_end(p));
    return parse_closed_body(p, "endset", at, &node->list);
}

#define MOST_MACRO_PARAMS 64

static leash_status parse_macro(ls_jparser *p, const ls_jtoken *at, ls_jnode **out)
{
    ls_jnode *node = *out = ls_jparse_node(p, LS_JN_MACRO, at);
    ls_jpool *pool = &p->out->pool;
    ls_jmacro *m = node->macro = ls_jpool_alloc(pool, sizeof *m);
    LS_TRY(ls_jparse_name(p, &m->name, "the name of the macro"));
    m->params = ls_jpool_alloc(pool, MOST_MACRO_PARAMS * sizeof *m->params);
    m->defaults = ls_jpool_alloc(pool, MOST_MACRO_PARAMS * sizeof *m->defaults);
    LS_TRY(ls_jparse_op(p, "("));
    while (!ls_jparse_is_op(p, ")")) {
        int i = m->n_params;
        if (i)
            LS_TRY(ls_jparse_op(p, ","));
        if (i == MOST_MACRO_PARAMS)
            return ls_jparse_fail(p, p->at, "a macro has at most %d parameters", MOST_MACRO_PARAMS);
        LS_TRY(ls_jparse_name(p, &m->params[i], "the name of a parameter"));
        if (ls_jparse_skip_op(p, "="))
            LS_TRY(ls_jparse_expression(p, true, &m->defaults[i]));
        else if (i && m->defaults[i - 1])
            return ls_jparse_fail(p, p->at, "a parameter without a default follows one with");
        m->n_params++;
    }
    p->at++;
    LS_TRY(block_end(p));
    LS_TRY(parse_closed_body(p, "endmacro", at, &node->list));
    m->body = node->list;
    return LEASH_OK;
}

static leash_status parse_filter_block(ls_jparser *p, const ls_jtoken *at, ls_jnode **out)
{
    *out = ls_jparse_node(p, LS_JN_FILTER, at);
    LS_TRY(ls_jparse_filters(p, NULL, true, &(*out)->b));
    LS_TRY(block_end(p));
    return parse_closed_body(p, "endfilter", at, &(*out)->list);
}

static leash_status parse_generation(ls_jparser *p, const ls_jtoken *at, ls_jnode **out)
{
    *out = ls_jparse_node(p, LS_JN_GENERATION, at);
    p->out->has_generation = true;
    LS_TRY(block_end(p));
    return parse_closed_body(p, "endgeneration", at, &(*out)->list);
}

static leash_status parse_jump(ls_jparser *p, const ls_jtoken *at, ls_jnode **out)
{
    bool is_break = at->text.at[0] == 'b';
    if (p->loops == 0)
        return ls_jparse_fail(p, at, "'%s' stands outside of a loop",
                              is_break ? "break" : "continue");
    *out = ls_jparse_node(p, is_break ? LS_JN_BREAK : LS_JN_CONTINUE, at);
    return block_end(p);
}

/* Behind the "{%", on the name of the tag. */
static leash_status parse_statement(ls_jparser *p, ls_jnode **out)
{
    static const struct {
        const char *name;
        leash_status (*parse)(ls_jparser *p, const ls_jtoken *at, ls_jnode **out);
    } tags[] = {{"if", parse_if},
                {"for", parse_for},
                {"set", parse_set},
                {"macro", parse_macro},
                {"break", parse_jump},
                {"continue", parse_jump},
                {"filter", parse_filter_block},
                {"generation", parse_generation}};
    const ls_jtoken *at = p->at;
    if (at->type != LS_JT_NAME)
        return ls_jparse_expected(p, "the name of a tag");
    for (size_t i = 0; i < LS_COUNT(tags); i++)
        if (ls_jparse_skip_name(p, tags[i].name))
            return tags[i].parse(p, at, out);
    bool ends = at->text.n > 3 && memcmp(at->text.at, "end", 3) == 0;
    if (ends || ls_jparse_is_name(p, "else") || ls_jparse_is_name(p, "elif"))
        return ls_jparse_fail(p, at, "'%.*s' has nothing to end here", (int)at->text.n,
                              at->text.at);
    return ls_jparse_fail(p, at,
                          "the tag '%.*s' is not supported (if, for, set, macro, filter, break, "
                          "continue, raw and generation are)",
                          (int)at->text.n, at->text.at);
}

static bool is_end(const ls_jparser *p, const char *ends)
{
    const ls_jtoken *t = p->at + 1;
    if (!ends || p->at->type != LS_JT_BLOCK_BEGIN || t->type != LS_JT_NAME)
        return false;
    for (const char *at = ends; *at;) {
        size_t n = strcspn(at, " ");
        if (n == t->text.n && memcmp(at, t->text.at, n) == 0)
            return true;
        at += n + (at[n] == ' ');
    }
    return false;
}

static leash_status parse_body(ls_jparser *p, const char *ends, const ls_jtoken *opened,
                               ls_jnode **out)
{
    ls_jnode **next = out;
    LS_TRY(ls_jparse_enter(p));
    while (!is_end(p, ends)) {
        const ls_jtoken *at = p->at++;
        if (at->type == LS_JT_END) {
            if (!ends)
                break;
            const char *last = strrchr(ends, ' ');
            return ls_jparse_fail(p, opened, "'%.*s' has no '%s'", (int)opened->text.n,
                                  opened->text.at, last ? last + 1 : ends);
        }
        if (at->type == LS_JT_DATA) {
            *next = ls_jparse_node(p, LS_JN_TEXT, at);
            (*next)->value = ls_jstring(at->text.at, at->text.n);
        } else if (at->type == LS_JT_PRINT_BEGIN) {
            *next = ls_jparse_node(p, LS_JN_PRINT, at);
            LS_TRY(ls_jparse_tuple(p, &(*next)->a));
            if (p->at->type != LS_JT_PRINT_END)
                return ls_jparse_expected(p, "'}}'");
            p->at++;
        } else {
            LS_TRY(parse_statement(p, next));
        }
        next = &(*next)->next;
    }
    p->at += ends != NULL; /* the "{%" */
    p->depth--;
    return LEASH_OK;
}

/* \r\n and \r become \n; one newline at the end is dropped. */
static ls_jtext normalized(ls_jpool *pool, const char *text, size_t n)
{
    char *copy = ls_jpool_alloc(pool, n + 1);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        copy[kept++] = text[i] == '\r' ? '\n' : text[i];
        i += text[i] == '\r' && i + 1 < n && text[i + 1] == '\n';
    }
    return (ls_jtext){copy, kept - (kept && copy[kept - 1] == '\n')};
}

leash_status ls_jinja_parse(ls_jinja **out, const char *text, size_t n, const char *name)
{
    if (n > LS_JINJA_MOST_SOURCE)
        return ls_fail(LEASH_FORMAT, "%s: a template of %zu bytes; at most %d are read", name, n,
                       LS_JINJA_MOST_SOURCE);
    if (!ls_is_utf8(text, n))
        return ls_fail(LEASH_FORMAT, "%s: the template is not UTF-8 (byte %zu)", name,
                       ls_utf8_valid_length(text, n));
    ls_jinja *t = ls_calloc(1, sizeof *t);
    ls_jtokens tokens = {0};
    t->name = ls_strdup(name);
    leash_status status = ls_jlex(&tokens, &t->pool, normalized(&t->pool, text, n), name);
    if (status == LEASH_OK) {
        ls_jparser p = {.out = t, .at = tokens.tokens};
        const char *loop;
        status = ls_jparse_intern(&p, (ls_jtext){"loop", 4}, &loop);
        if (status == LEASH_OK)
            status = parse_body(&p, NULL, NULL, &t->body);
    }
    ls_free(tokens.tokens);
    if (status == LEASH_OK)
        *out = t;
    else
        ls_jinja_free(t);
    return status;
}

void ls_jinja_free(ls_jinja *t)
{
    if (!t)
        return;
    ls_jpool_release(&t->pool);
    ls_free(t->names);
    ls_free(t->name);
    ls_free(t);
}

bool ls_jinja_has_generation(const ls_jinja *t)
{
    return t->has_generation;
}
