/* The reader of model.vocab and model.merges.
 *
 * A cursor over the text; functions return false when the text is no JSON (then jansson, which
 * counts lines and columns, gets the whole document and reports it).  What is JSON and yet wrong
 * sets `status`. */
#include <string.h>

#include "base/mem.h"
#include "text/utf8.h"
#include "text/vocab.h"
#include "text/vocab_table.h"

#define MOST_DEPTH 512
#define MOST_HOLES 1000000

typedef struct cursor {
    const char *at, *end;
    ls_vocab *vocab;
    ls_str token; /* the last string read, unescaped */
    const char *file;
    leash_status status; /* of what is JSON */
} cursor;

typedef struct span {
    const char *begin, *end;
} span;

static bool skip_space(cursor *c)
{
    while (c->at < c->end && (*c->at == ' ' || *c->at == '\n' || *c->at == '\r' || *c->at == '\t'))
        c->at++;
    return c->at < c->end;
}

static bool take(cursor *c, char expected)
{
    if (!skip_space(c) || *c->at != expected)
        return false;
    c->at++;
    return true;
}

static bool is_next(cursor *c, char expected)
{
    return skip_space(c) && *c->at == expected;
}

static bool skip_string(cursor *c)
{
    if (!take(c, '"'))
        return false;
    for (; c->at < c->end && *c->at != '"'; c->at++)
        if (*c->at == '\\' && c->at + 1 < c->end)
            c->at++;
    return take(c, '"');
}

/* Any value, without looking closely: jansson sees it again. */
static bool skip_value(cursor *c)
{
    int depth = 0;
    do {
        if (!skip_space(c))
            return false;
        char first = *c->at;
        if (first == '"') {
            if (!skip_string(c))
                return false;
        } else {
            depth += (first == '{' || first == '[') - (first == '}' || first == ']');
            c->at++;
            if (depth == 0 && first != '}' && first != ']') /* a number or word */
                while (c->at < c->end && !strchr(" \t\r\n,]}", *c->at))
                    c->at++;
        }
    } while (depth > 0 && depth < MOST_DEPTH);
    return depth == 0;
}

static bool read_hex(cursor *c, uint32_t *out)
{
    *out = 0;
    if (c->end - c->at < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        char digit = *c->at++;
        uint32_t value = digit >= '0' && digit <= '9'   ? (uint32_t)(digit - '0')
                         : digit >= 'a' && digit <= 'f' ? (uint32_t)(digit - 'a' + 10)
                         : digit >= 'A' && digit <= 'F' ? (uint32_t)(digit - 'A' + 10)
                                                        : 16;
        if (value == 16)
            return false;
        *out = *out * 16 + value;
    }
    return true;
}

/* What follows a backslash. */
static bool read_escape(cursor *c)
{
    static const char names[] = "\"\\/bfnrt", values[] = "\"\\/\b\f\n\r\t";
    char name = c->at < c->end ? *c->at++ : 0;
    const char *found = name ? strchr(names, name) : NULL;
    if (found) {
        ls_str_append_char(&c->token, values[found - names]);
        return true;
    }
    uint32_t code, low;
    if (name != 'u' || !read_hex(c, &code))
        return false;
    if (code >= 0xd800 && code < 0xdc00 && c->end - c->at >= 6 && c->at[0] == '\\' &&
        c->at[1] == 'u') {
        c->at += 2;
        if (!read_hex(c, &low) || low < 0xdc00 || low > 0xdfff)
            return false;
        code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
    }
    if (code >= 0xd800 && code <= 0xdfff)
        return false;
    char utf8[5];
    ls_str_append_n(&c->token, utf8, ls_utf8_put(utf8, code));
    return true;
}

/* Appends a string to c->token. */
static bool read_string(cursor *c)
{
    if (!take(c, '"'))
        return false;
    while (c->at < c->end && *c->at != '"') {
        const char *begin = c->at;
        while (c->at < c->end && *c->at != '"' && *c->at != '\\' && (unsigned char)*c->at >= 0x20)
            c->at++;
        ls_str_append_n(&c->token, begin, (size_t)(c->at - begin));
        if (c->at == c->end || (unsigned char)*c->at < 0x20)
            return false;
        if (*c->at == '\\') {
            c->at++;
            if (!read_escape(c))
                return false;
        }
    }
    return take(c, '"');
}

/* A whole number from 0 to INT32_MAX; -1 for any other value. */
static bool read_id(cursor *c, int64_t *id)
{
    if (!skip_space(c))
        return false;
    const char *begin = c->at;
    if (!skip_value(c))
        return false;
    *id = 0;
    for (const char *digit = begin; digit < c->at; digit++)
        if (*digit < '0' || *digit > '9' || *id > INT32_MAX)
            *id = INT32_MAX + 1ll;
        else
            *id = *id * 10 + (*digit - '0');
    if (*id > INT32_MAX)
        *id = -1;
    return true;
}

static void check_id(cursor *c, int64_t id)
{
    ls_vocab *v = c->vocab;
    const char *token = c->token.data;
    size_t n = c->token.len;
    if (id < 0 || id > (int64_t)v->n_tokens * 8 + MOST_HOLES)
        c->status =
            ls_fail(LEASH_FORMAT, "%s: model.vocab[\"%s\"]: expected a token id", c->file, token);
    else if (ls_utf8_valid_length(token, n) != n)
        c->status = ls_fail(LEASH_FORMAT, "%s: model.vocab[\"%s\"] is no UTF-8", c->file, token);
    else if (!ls_vocab_add(v, token, n, (int32_t)id))
        c->status =
            ls_fail(LEASH_FORMAT, "%s: model.vocab[\"%s\"]: this token or its id %d stands twice",
                    c->file, token, (int)id);
}

/* A number as JSON has it; false for any other value. */
static bool read_score(cursor *c, double *score)
{
    char text[64];
    if (!skip_space(c))
        return false;
    const char *begin = c->at;
    if (!skip_value(c) || (size_t)(c->at - begin) >= sizeof text)
        return false;
    memcpy(text, begin, (size_t)(c->at - begin));
    text[c->at - begin] = 0;
    return ls_parse_double(text, score);
}

/* [["token", score], ...]: the vocabulary of a Unigram model, where ids are places. */
static bool read_scored_vocab(cursor *c)
{
    int64_t n = 0, cap = 0;
    ls_vocab *v = c->vocab;
    c->at++;
    v->scores = ls_calloc(1, sizeof *v->scores);
    if (is_next(c, ']'))
        return take(c, ']');
    do {
        if (n == cap) {
            cap = cap ? cap * 2 : 1024;
            v->scores = ls_realloc(v->scores, ls_mul_size((size_t)cap, sizeof *v->scores));
        }
        ls_str_clear(&c->token);
        if (!take(c, '[') || !read_string(c) || !take(c, ',') || !read_score(c, &v->scores[n]) ||
            !take(c, ']'))
            return false;
        check_id(c, n++);
        if (c->status != LEASH_OK)
            return true;
    } while (is_next(c, ',') && take(c, ','));
    return take(c, ']');
}

static bool read_vocab(cursor *c)
{
    if (is_next(c, '['))
        return read_scored_vocab(c);
    if (!is_next(c, '{')) {
        c->status = ls_fail(LEASH_FORMAT, "%s: model.vocab must be an object {token: id}", c->file);
        return true;
    }
    c->at++;
    if (is_next(c, '}')) {
        c->at++;
        return true;
    }
    do {
        int64_t id;
        ls_str_clear(&c->token);
        if (!read_string(c) || !take(c, ':') || !read_id(c, &id))
            return false;
        check_id(c, id);
        if (c->status != LEASH_OK)
            return true;
    } while (is_next(c, ',') && take(c, ','));
    return take(c, '}');
}

/* c->token has both parts of a merge, the right one from `middle` on. */
static void add_merge(cursor *c, size_t middle)
{
    const char *text = c->token.data;
    size_t n = c->token.len;
    int32_t left = ls_vocab_find(c->vocab, text, middle);
    int32_t right = ls_vocab_find(c->vocab, text + middle, n - middle);
    int32_t merged = ls_vocab_find(c->vocab, text, n);
    if (left >= 0 && right >= 0 && merged >= 0)
        ls_vocab_add_merge(c->vocab, left, right, merged);
    else
        c->status = ls_fail(LEASH_FORMAT,
                            "%s: model.merges[%lld] is \"%.*s\" and \"%s\", but \"%.*s\" is not in "
                            "model.vocab",
                            c->file, (long long)c->vocab->n_merges, (int)middle, text,
                            text + middle, (int)(left < 0 ? middle : n - (right < 0 ? middle : 0)),
                            left < 0    ? text
                            : right < 0 ? text + middle
                                        : text);
}

/* ["a", "b"] */
static bool read_merge_pair(cursor *c)
{
    if (!take(c, '[') || !read_string(c))
        return false;
    size_t middle = c->token.len;
    if (!take(c, ',') || !read_string(c) || !take(c, ']'))
        return false;
    add_merge(c, middle);
    return true;
}

/* "a b" */
static bool read_merge_line(cursor *c)
{
    if (!read_string(c))
        return false;
    char *text = c->token.data, *space = memchr(text, ' ', c->token.len);
    size_t n_left = space ? (size_t)(space - text) : 0, n_right = c->token.len - n_left - 1;
    if (!space || memchr(space + 1, ' ', n_right)) {
        c->status = ls_fail(LEASH_FORMAT,
                            "%s: model.merges[%lld] is \"%s\"; expected two tokens with one space "
                            "between them",
                            c->file, (long long)c->vocab->n_merges, text);
        return true;
    }
    memmove(space, space + 1, n_right + 1);
    c->token.len--;
    add_merge(c, n_left);
    return true;
}

static bool read_merges(cursor *c)
{
    if (!is_next(c, '[')) {
        c->status = ls_fail(LEASH_FORMAT, "%s: model.merges must be a list", c->file);
        return true;
    }
    c->at++;
    if (is_next(c, ']')) {
        c->at++;
        return true;
    }
    do {
        ls_str_clear(&c->token);
        if (is_next(c, '[') ? !read_merge_pair(c) : !read_merge_line(c))
            return false;
        if (c->status != LEASH_OK)
            return true;
    } while (is_next(c, ',') && take(c, ','));
    return take(c, ']');
}

/* Calls for each key of an object: the cursor stands at its value. */
typedef bool visit(cursor *c, span *found);

static bool walk_object(cursor *c, span *found, visit *model_key)
{
    if (!take(c, '{'))
        return false;
    if (is_next(c, '}'))
        return take(c, '}');
    do {
        ls_str_clear(&c->token);
        if (!read_string(c) || !take(c, ':') || !skip_space(c) || !model_key(c, found))
            return false;
    } while (is_next(c, ',') && take(c, ','));
    return take(c, '}');
}

static bool visit_model(cursor *c, span *found)
{
    span *kept = strcmp(c->token.data, "vocab") == 0    ? &found[0]
                 : strcmp(c->token.data, "merges") == 0 ? &found[1]
                                                        : NULL;
    const char *begin = c->at;
    if (!skip_value(c))
        return false;
    if (kept && !kept->begin) /* a key that stands twice stays, for jansson to find it */
        *kept = (span){begin, c->at};
    return true;
}

static bool visit_root(cursor *c, span *found)
{
    if (strcmp(c->token.data, "model") != 0 || *c->at != '{' || found[0].begin)
        return skip_value(c);
    return walk_object(c, found, visit_model);
}

/* The document with "{}" and "[]" for the two spans, and their line ends. */
static void copy_rest(ls_str *rest, const char *json, size_t n, const span *found)
{
    bool is_vocab_first = !found[1].begin || found[0].begin < found[1].begin;
    const char *at = json;
    for (int i = 0; i < 2; i++) {
        const span *cut = &found[is_vocab_first ? i : 1 - i];
        if (!cut->begin)
            continue;
        ls_str_append_n(rest, at, (size_t)(cut->begin - at));
        ls_str_append(rest, cut == &found[0] ? "{" : "[");
        for (const char *line = cut->begin;
             (line = memchr(line, '\n', (size_t)(cut->end - line))) != NULL; line++)
            ls_str_append_char(rest, '\n');
        ls_str_append(rest, cut == &found[0] ? "}" : "]");
        at = cut->end;
    }
    ls_str_append_n(rest, at, (size_t)(json + n - at));
}

leash_status ls_vocab_read(ls_vocab *v, ls_str *rest, const char *json, size_t n, const char *file)
{
    ls_vocab_init(v, n);
    if (n > UINT32_MAX)
        return ls_fail(LEASH_UNSUPPORTED, "%s: a tokenizer.json of %zu bytes is too long", file, n);
    cursor c = {json, json + n, v, LS_STR_INIT, file, LEASH_OK};
    span found[2] = {{NULL, NULL}, {NULL, NULL}};
    bool is_json = walk_object(&c, found, visit_root);
    if (is_json && found[0].begin) {
        c.at = found[0].begin;
        is_json = read_vocab(&c);
    }
    if (is_json && found[1].begin && !found[0].begin)
        c.status = ls_fail(LEASH_FORMAT, "%s: model.vocab is missing", file);
    if (is_json && found[1].begin && c.status == LEASH_OK) {
        c.at = found[1].begin;
        is_json = read_merges(&c);
    }
    ls_str_release(&c.token);
    if (!is_json)
        ls_str_append_n(rest, json, n);
    else if (c.status == LEASH_OK)
        copy_rest(rest, json, n, found);
    return c.status;
}
