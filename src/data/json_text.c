/* jansson does the parsing.  What it refuses and Python writes is repaired in a copy; a small
 * scanner finds members in texts that jansson has accepted, so it need not check anything again. */
#include "data/json_text.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The parser saw a line, not a file. */
static void say_line_for_file(ls_str *out, const char *text, bool is_line)
{
    const char *at = is_line ? strstr(text, "end of file") : NULL;
    ls_str_append_n(out, text, at ? (size_t)(at - text) : strlen(text));
    if (at) {
        ls_str_append(out, "end of line");
        ls_str_append(out, at + strlen("end of file"));
    }
}

static leash_status fail_malformed(const ls_json_source *s, const json_error_t *error)
{
    ls_str text = LS_STR_INIT;
    say_line_for_file(&text, error->text, s->is_line);
    int64_t line = s->line + error->line - 1;
    int64_t column = error->column + (error->line == 1 ? (int64_t)s->column : 0);
    leash_status status = ls_fail(LEASH_FORMAT, "%s:%lld:%lld: malformed JSON: %s", s->name,
                                  (long long)line, (long long)column, text.data);
    ls_str_release(&text);
    return status;
}

const char *ls_json_kind(const json_t *value)
{
    static const char *const names[] = {"an object", "an array", "a string", "a number",
                                        "a number",  "true",     "false",    "null"};
    return names[json_typeof(value)];
}

static bool hex4(const char *p, size_t n, unsigned *out)
{
    *out = 0;
    for (size_t i = 0; i < 4; i++) {
        if (i >= n)
            return false;
        char c = p[i];
        unsigned digit = c >= '0' && c <= '9'   ? (unsigned)(c - '0')
                         : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10
                         : c >= 'A' && c <= 'F' ? (unsigned)(c - 'A') + 10
                                                : 16;
        if (digit == 16)
            return false;
        *out = *out * 16 + digit;
    }
    return true;
}

/* A \uXXXX at p: copies it, or U+FFFD for half of a pair.  Returns the bytes taken. */
static size_t repair_escape(ls_str *out, const char *p, size_t n)
{
    unsigned high, low;
    if (!hex4(p + 2, n - 2, &high) || high < 0xd800 || high > 0xdfff) {
        ls_str_append_n(out, p, 2);
        return 2;
    }
    if (high < 0xdc00 && n >= 12 && p[6] == '\\' && p[7] == 'u' && hex4(p + 8, n - 8, &low) &&
        low >= 0xdc00 && low <= 0xdfff) {
        ls_str_append_n(out, p, 12);
        return 12;
    }
    ls_str_append(out, "\\ufffd");
    return 6;
}

static void repair(ls_str *out, const char *p, size_t n)
{
    static const char *const words[] = {"NaN", "-Infinity", "Infinity"};
    bool is_in_string = false;
    for (size_t i = 0; i < n;) {
        size_t taken = 1;
        if (is_in_string && p[i] == '\\' && i + 1 < n) {
            taken = 2;
            if (p[i + 1] == 'u')
                taken = repair_escape(out, p + i, n - i);
            else
                ls_str_append_n(out, p + i, 2);
            i += taken;
            continue;
        }
        for (size_t w = 0; !is_in_string && w < LS_COUNT(words); w++)
            if (n - i >= strlen(words[w]) && memcmp(p + i, words[w], strlen(words[w])) == 0)
                taken = strlen(words[w]);
        if (taken > 1)
            ls_str_append(out, "null");
        else
            ls_str_append_char(out, p[i]);
        is_in_string ^= p[i] == '"';
        i += taken;
    }
}

static json_t *parse(const char *text, size_t n, json_error_t *error)
{
    size_t flags = JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL;
    json_t *value = json_loadb(text, n, flags, error);
    if (!value && json_error_code(error) == json_error_numeric_overflow)
        value = json_loadb(text, n, flags | JSON_DECODE_INT_AS_REAL, error);
    return value;
}

leash_status ls_json_parse(json_t **out, const ls_json_source *s, bool *is_repaired)
{
    json_error_t error;
    json_t *value = parse(s->text, s->n, &error);
    *out = NULL;
    *is_repaired = false;
    if (!value) {
        json_error_t ignored;
        ls_str repaired = LS_STR_INIT;
        repair(&repaired, s->text, s->n);
        value = parse(repaired.data, repaired.len, &ignored);
        ls_str_release(&repaired);
        if (!value)
            return fail_malformed(s, &error);
        *is_repaired = true;
    }
    if (!json_is_object(value)) {
        leash_status status =
            ls_fail(LEASH_FORMAT, "%s:%lld: the %s is %s, expected %s", s->name, (long long)s->line,
                    s->is_line ? "line" : "element", ls_json_kind(value),
                    s->is_line ? "one JSON object a line" : "an object");
        json_decref(value);
        return status;
    }
    *out = value;
    return LEASH_OK;
}

/* Scanner of valid JSON: each takes the start of something and returns what follows it. */

static const char *skip_blanks(const char *p)
{
    while (is_blank(*p))
        p++;
    return p;
}

static const char *skip_string(const char *p)
{
    for (p++; *p != '"'; p++)
        if (*p == '\\')
            p++;
    return p + 1;
}

static const char *skip_value(const char *p)
{
    int64_t depth = 0;
    do {
        if (*p == '"') {
            p = skip_string(p);
        } else if (*p == '{' || *p == '[') {
            depth++;
            p++;
        } else if (*p == '}' || *p == ']') {
            depth--;
            p++;
        } else if (depth > 0) {
            p++;
        } else {
            while (!is_blank(*p) && *p != ',' && *p != '}')
                p++;
        }
    } while (depth > 0);
    return p;
}

void ls_json_member_text(const json_t *object, const char *text, const char *key, ls_str *out)
{
    /* Members come in the order of the text, so the place of a key finds it however it is
     * escaped. */
    int64_t place = 0;
    const char *name;
    json_t *value;
    json_object_foreach((json_t *)object, name, value)
    {
        if (strcmp(name, key) == 0)
            break;
        place++;
    }
    const char *p = skip_blanks(text + 1);
    for (int64_t i = 0;; i++) {
        p = skip_blanks(skip_string(p)); /* key   */
        p = skip_blanks(p + 1);          /* colon */
        const char *end = skip_value(p);
        if (i == place) {
            ls_str_append_n(out, p, (size_t)(end - p));
            return;
        }
        p = skip_blanks(skip_blanks(end) + 1); /* comma */
    }
}
