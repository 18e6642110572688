/* Tokens of a template.  Outside of tags text is text; a tag begins with {{, {% or {# and takes
 * white space off its neighbours: by its own signs (- takes all, + keeps all), and by the two
 * settings: a block or comment that stands alone behind spaces on its line takes these spaces
 * (lstrip_blocks), and the newline right behind it (trim_blocks). */
#include "text/jinja/lexer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/jinja/ast.h"
#include "text/unicode.h"

typedef struct lexer {
    ls_jtokens *out;
    ls_jpool *pool;
    const char *name;
    const char *begin, *at, *end;
    const char *seen; /* lines and columns are counted up to here */
    int line, column;
    bool after_newline; /* what was consumed last ended with a newline, or nothing was */
} lexer;

static void find_place(lexer *x, const char *at)
{
    if (at < x->seen) {
        x->seen = x->begin;
        x->line = x->column = 1;
    }
    for (; x->seen < at; x->seen++) {
        if (*x->seen == '\n') {
            x->line++;
            x->column = 1;
        } else {
            x->column += ((unsigned char)*x->seen & 0xc0) != 0x80;
        }
    }
}

static leash_status fail_at(lexer *x, const char *at, const char *what)
{
    find_place(x, at);
    return ls_fail(LEASH_FORMAT, "%s:%d:%d: %s", x->name, x->line, x->column, what);
}

static ls_jtoken *add(lexer *x, ls_jtoken_type type, const char *at, size_t n)
{
    ls_jtokens *t = x->out;
    if (t->n == t->cap) {
        t->cap = 2 * t->cap + 64;
        t->tokens = ls_realloc(t->tokens, ls_mul_size((size_t)t->cap, sizeof *t->tokens));
    }
    ls_jtoken *token = &t->tokens[t->n++];
    *token = (ls_jtoken){.type = type, .text = {at, n}};
    find_place(x, at);
    token->line = x->line;
    token->column = x->column;
    return token;
}

static bool starts(const lexer *x, const char *text)
{
    size_t n = strlen(text);
    return (size_t)(x->end - x->at) >= n && memcmp(x->at, text, n) == 0;
}

static const char *skip_space(const char *at, const char *end)
{
    size_t length;
    while (at < end && ls_jis_space(ls_utf8_at(at, &length)))
        at += length;
    return at;
}

static const char *strip_end(const char *begin, const char *end)
{
    while (end > begin) {
        const char *last = end - 1;
        size_t length;
        while (last > begin && ((unsigned char)*last & 0xc0) == 0x80)
            last--;
        if (!ls_jis_space(ls_utf8_at(last, &length)))
            break;
        end = last;
    }
    return end;
}

/* Adds the text in front of a tag without what the tag takes off it.  `sign` stands behind the
 * tag's brace. */
static void add_data(lexer *x, const char *end, char sign, bool strips_line)
{
    const char *begin = x->at, *kept = end;
    if (sign == '-') {
        kept = strip_end(begin, end);
    } else if (sign != '+' && strips_line) {
        const char *line = end;
        while (line > begin && line[-1] != '\n')
            line--;
        if ((line > begin || x->after_newline) && skip_space(line, end) == end)
            kept = line;
    }
    if (kept > begin)
        add(x, LS_JT_DATA, begin, (size_t)(kept - begin));
    x->at = end;
}

/* Consumes up to `to`. */
static void consume(lexer *x, const char *to)
{
    if (to > x->at)
        x->after_newline = to[-1] == '\n';
    x->at = to;
}

/* At the end of a tag, `close` without its sign: false when it is not there.  Consumes white space
 * as the sign or trim_blocks says. */
static bool take_end(lexer *x, const char *close, bool trims, bool takes_plus)
{
    const char *at = x->at;
    bool strips = at < x->end && *at == '-', keeps = takes_plus && at < x->end && *at == '+';
    at += strips || keeps;
    if (x->end - at < 2 || memcmp(at, close, 2) != 0)
        return false;
    at += 2;
    if (strips)
        at = skip_space(at, x->end);
    else if (!keeps && trims && at < x->end && *at == '\n')
        at++;
    consume(x, at);
    return true;
}

static leash_status lex_comment(lexer *x)
{
    const char *begin = x->at;
    for (x->at += 2; x->at < x->end; x->at++)
        if (take_end(x, "#}", true, true))
            return LEASH_OK;
    return fail_at(x, begin, "the comment has no end (expected '#}')");
}

/* At "{%": whether the tag is {% NAME %}; *behind is where its brace closes. */
static bool is_plain_tag(const lexer *x, const char *name, const char **behind)
{
    const char *at = x->at + 2;
    size_t n = strlen(name);
    if (at < x->end && (*at == '-' || *at == '+'))
        at++;
    at = skip_space(at, x->end);
    if ((size_t)(x->end - at) < n || memcmp(at, name, n) != 0)
        return false;
    at = skip_space(at + n, x->end);
    *behind = at;
    at += at < x->end && (*at == '-' || *at == '+');
    return x->end - at >= 2 && memcmp(at, "%}", 2) == 0;
}

static leash_status lex_raw(lexer *x, const char *behind)
{
    const char *begin = x->at, *body;
    x->at = behind;
    take_end(x, "%}", false, false);
    body = x->at;
    for (; x->at < x->end; x->at++) {
        if (!starts(x, "{%") || !is_plain_tag(x, "endraw", &behind))
            continue;
        const char *tag = x->at;
        x->at = body;
        add_data(x, tag, tag[2], true);
        x->at = behind;
        take_end(x, "%}", true, true);
        return LEASH_OK;
    }
    return fail_at(x, begin, "{% raw %} has no {% endraw %}");
}

static bool hex_digits(const char *at, const char *end, int n, uint32_t *out)
{
    *out = 0;
    if (end - at < n)
        return false;
    for (int i = 0; i < n; i++) {
        char c = at[i];
        if (!((c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F')))
            return false;
        *out = *out * 16 + (uint32_t)(c <= '9' ? c - '0' : (c | 32) - 'a' + 10);
    }
    return true;
}

/* The escape behind a backslash at `at`; writes to *out and returns what was read, 0 when it is
 * wrong. */
static size_t unescape(const char *at, const char *end, char **out)
{
    static const char from[] = "\\'\"abfnrtv", to[] = "\\'\"\a\b\f\n\r\t\v";
    char bytes[5];
    uint32_t code = 0;
    size_t used = 1;
    const char *found = *at ? strchr(from, *at) : NULL;
    if (*at == '\n')
        return 1;
    if (found) {
        *(*out)++ = to[found - from];
        return 1;
    }
    if (*at == 'x' || *at == 'u' || *at == 'U') {
        int n = *at == 'x' ? 2 : *at == 'u' ? 4 : 8;
        if (!hex_digits(at + 1, end, n, &code) || code > 0x10ffff ||
            (code >= 0xd800 && code < 0xe000))
            return 0;
        used = (size_t)n + 1;
    } else if (*at >= '0' && *at <= '7') {
        for (used = 0; used < 3 && at + used < end && at[used] >= '0' && at[used] <= '7'; used++)
            code = code * 8 + (uint32_t)(at[used] - '0');
    } else if (*at == 'N') {
        return 0;
    } else {
        *(*out)++ = '\\';
        return (size_t)-1;
    }
    size_t n = ls_utf8_put(bytes, code);
    memcpy(*out, bytes, n);
    *out += n;
    return used;
}

static leash_status lex_string(lexer *x)
{
    const char *begin = x->at, *end = begin + 1;
    while (end < x->end && *end != *begin)
        end += *end == '\\' ? 2 : 1;
    if (end >= x->end)
        return fail_at(x, begin, "the string has no end");
    /* An escape is never shorter than what it stands for. */
    char *text = ls_jpool_alloc(x->pool, (size_t)(end - begin) + 8), *to = text;
    for (const char *at = begin + 1; at < end;) {
        if (*at != '\\') {
            *to++ = *at++;
            continue;
        }
        size_t used = unescape(at + 1, end, &to);
        if (used == 0)
            return fail_at(x, at, "the escape sequence is not supported");
        at += used == (size_t)-1 ? 1 : used + 1;
    }
    ls_jtoken *token = add(x, LS_JT_STRING, begin, 0);
    token->text = (ls_jtext){text, (size_t)(to - text)};
    consume(x, end + 1);
    return LEASH_OK;
}

static bool is_digit(const lexer *x, const char *at)
{
    return at < x->end && *at >= '0' && *at <= '9';
}

/* Digits with single underscores between them. */
static const char *skip_digits(const lexer *x, const char *at)
{
    while (is_digit(x, at) || (at < x->end && *at == '_' && is_digit(x, at + 1)))
        at++;
    return at;
}

static leash_status lex_number(lexer *x)
{
    const char *begin = x->at, *at = skip_digits(x, begin), *integer_end = at;
    char digits[64];
    size_t n = 0;
    bool is_float = false, is_index = begin > x->begin && begin[-1] == '.';
    if (!is_index && at < x->end && *at == '.' && is_digit(x, at + 1)) {
        at = skip_digits(x, at + 1);
        is_float = true;
    }
    if (!is_index && at < x->end && (*at | 32) == 'e') {
        const char *exponent = at + 1;
        exponent += exponent < x->end && (*exponent == '+' || *exponent == '-');
        if (is_digit(x, exponent)) {
            at = skip_digits(x, exponent);
            is_float = true;
        }
    }
    if (!is_float)
        at = integer_end;
    for (const char *c = begin; c < at; c++)
        if (*c != '_' && n < sizeof digits - 1)
            digits[n++] = *c;
    digits[n] = 0;
    bool is_odd = !is_float && n > 1 && digits[0] == '0'; /* 0x, 0o, 0b, 012 */
    if (n == sizeof digits - 1 || is_odd ||
        (at == begin + 1 && *begin == '0' && at < x->end && strchr("xXoObB", *at) && *at))
        return fail_at(x, begin, "the number is not supported (decimal ones are)");
    ls_jtoken *token = add(x, is_float ? LS_JT_FLOAT : LS_JT_INT, begin, (size_t)(at - begin));
    errno = 0;
    if (is_float)
        token->number = strtod(digits, NULL);
    else
        token->integer = strtoll(digits, NULL, 10);
    if (errno == ERANGE && !is_float)
        return fail_at(x, begin, "the number does not fit 64 bits");
    consume(x, at);
    return LEASH_OK;
}

static bool is_word(const char *at, size_t *length)
{
    return ls_class_at(at, length) & LS_WORD;
}

static leash_status lex_operator(lexer *x, char *closers, int *n_closers)
{
    static const char *const operators[] = {"//", "**", "==", "!=", ">=", "<=", "+", "-", "/",
                                            "*",  "%",  "~",  "[",  "]",  "(",  ")", "{", "}",
                                            ">",  "<",  "=",  ".",  ":",  "|",  ",", ";"};
    size_t i = 0;
    while (i < LS_COUNT(operators) && !starts(x, operators[i]))
        i++;
    if (i == LS_COUNT(operators))
        return fail_at(x, x->at, "the character does not belong into a tag");
    char c = *x->at;
    size_t n = strlen(operators[i]);
    if (c == '(' || c == '[' || c == '{') {
        if (*n_closers == LS_JINJA_MOST_DEPTH)
            return fail_at(x, x->at, "brackets nest too deeply");
        closers[(*n_closers)++] = c == '(' ? ')' : c == '[' ? ']' : '}';
    } else if (c == ')' || c == ']' || c == '}') {
        if (*n_closers == 0 || closers[*n_closers - 1] != c)
            return fail_at(x, x->at,
                           *n_closers ? "another bracket is still open"
                                      : "the bracket was not opened");
        --*n_closers;
    }
    add(x, LS_JT_OPERATOR, x->at, n);
    consume(x, x->at + n);
    return LEASH_OK;
}

/* The inside of {{ }} or {% %}. */
static leash_status lex_tag(lexer *x)
{
    const char *begin = x->at;
    bool is_block = begin[1] == '%';
    char closers[LS_JINJA_MOST_DEPTH];
    int n_closers = 0;
    size_t length;
    add(x, is_block ? LS_JT_BLOCK_BEGIN : LS_JT_PRINT_BEGIN, begin, 2);
    const char *inside = begin + 2;
    consume(x, inside + (inside < x->end && (*inside == '-' || *inside == '+')));
    for (;;) {
        const char *at = x->at;
        if (at == x->end)
            return fail_at(x, begin,
                           is_block ? "the tag has no end (expected '%}')"
                                    : "the tag has no end (expected '}}')");
        if (n_closers == 0 && take_end(x, is_block ? "%}" : "}}", is_block, is_block)) {
            add(x, is_block ? LS_JT_BLOCK_END : LS_JT_PRINT_END, at, 2);
            return LEASH_OK;
        }
        const char *behind = skip_space(at, x->end);
        if (behind > at) {
            consume(x, behind);
        } else if (is_digit(x, at)) {
            LS_TRY(lex_number(x));
        } else if (*at == '"' || *at == '\'') {
            LS_TRY(lex_string(x));
        } else if (is_word(at, &length)) {
            while (behind < x->end && is_word(behind, &length))
                behind += length;
            add(x, LS_JT_NAME, at, (size_t)(behind - at));
            consume(x, behind);
        } else {
            LS_TRY(lex_operator(x, closers, &n_closers));
        }
    }
}

static const char *find_tag(const char *at, const char *end)
{
    while (at < end && (at = memchr(at, '{', (size_t)(end - at)))) {
        if (end - at >= 2 && (at[1] == '{' || at[1] == '%' || at[1] == '#'))
            return at;
        at++;
    }
    return end;
}

leash_status ls_jlex(ls_jtokens *out, ls_jpool *pool, ls_jtext text, const char *name)
{
    lexer x = {.out = out,
               .pool = pool,
               .name = name,
               .begin = text.at,
               .at = text.at,
               .end = text.at + text.n,
               .seen = text.at,
               .line = 1,
               .column = 1,
               .after_newline = true};
    while (x.at < x.end) {
        const char *tag = find_tag(x.at, x.end), *behind = NULL;
        if (tag == x.end) {
            add(&x, LS_JT_DATA, x.at, (size_t)(tag - x.at));
            break;
        }
        char sign = tag + 2 < x.end ? tag[2] : 0;
        add_data(&x, tag, sign, tag[1] != '{');
        if (tag[1] == '#')
            LS_TRY(lex_comment(&x));
        else if (tag[1] == '%' && is_plain_tag(&x, "raw", &behind) && *behind != '+')
            LS_TRY(lex_raw(&x, behind));
        else
            LS_TRY(lex_tag(&x));
    }
    add(&x, LS_JT_END, x.end, 0);
    return LEASH_OK;
}
