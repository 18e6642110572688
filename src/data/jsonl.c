/* Lines, and what a line must be.  jansson does the parsing; a small scanner finds the spelling of
 * a member in a line that jansson has accepted, so it need not check anything again. */
#include "data/jsonl.h"

#include <string.h>

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

ls_jsonl ls_jsonl_open(const char *name, const char *text, size_t n)
{
    bool has_mark = n >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0;
    return (ls_jsonl){.name = name, .at = text + (has_mark ? 3 : 0), .end = text + n};
}

/* Takes the next line that is not blank; false at the end. */
static bool next_line(ls_jsonl *reader, ls_jsonl_row *row)
{
    while (reader->at < reader->end) {
        const char *line = reader->at, *start = line;
        const char *newline = memchr(line, '\n', (size_t)(reader->end - line));
        const char *stop = newline ? newline : reader->end;
        reader->at = newline ? newline + 1 : reader->end;
        reader->line++;
        while (start < stop && is_blank(*start))
            start++;
        while (start < stop && is_blank(stop[-1]))
            stop--;
        if (start < stop) {
            *row = (ls_jsonl_row){.text = start,
                                  .n = (size_t)(stop - start),
                                  .indent = (size_t)(start - line),
                                  .line = reader->line};
            return true;
        }
    }
    return false;
}

/* The parser saw one line, not a file. */
static void say_line_for_file(ls_str *out, const char *text)
{
    const char *at = strstr(text, "end of file");
    ls_str_append_n(out, text, at ? (size_t)(at - text) : strlen(text));
    if (at) {
        ls_str_append(out, "end of line");
        ls_str_append(out, at + strlen("end of file"));
    }
}

static leash_status fail_malformed(const ls_jsonl *reader, const json_error_t *error)
{
    ls_str text = LS_STR_INIT;
    say_line_for_file(&text, error->text);
    leash_status status = ls_fail(LEASH_FORMAT, "%s:%lld:%d: malformed JSON: %s", reader->name,
                                  (long long)reader->line, error->column, text.data);
    ls_str_release(&text);
    return status;
}

const char *ls_json_kind(const json_t *value)
{
    static const char *const names[] = {"an object", "an array", "a string", "a number",
                                        "a number",  "true",     "false",    "null"};
    return names[json_typeof(value)];
}

leash_status ls_jsonl_next(ls_jsonl *reader, ls_jsonl_row *row)
{
    *row = (ls_jsonl_row){0};
    if (!next_line(reader, row))
        return LEASH_OK;
    if (row->n > LS_JSONL_LINE_MAX)
        return ls_fail(LEASH_FORMAT,
                       "%s:%lld: the line has %zu bytes; at most %zu (16 MiB) are read",
                       reader->name, (long long)row->line, row->n, LS_JSONL_LINE_MAX);
    json_error_t error;
    json_t *value = json_loadb(row->text - row->indent, row->n + row->indent,
                               JSON_DECODE_ANY | JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL |
                                   JSON_DECODE_INT_AS_REAL,
                               &error);
    if (!value)
        return fail_malformed(reader, &error);
    if (!json_is_object(value)) {
        leash_status status =
            ls_fail(LEASH_FORMAT, "%s:%lld: the line is %s, expected one JSON object a line",
                    reader->name, (long long)row->line, ls_json_kind(value));
        json_decref(value);
        return status;
    }
    row->object = value;
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

void ls_jsonl_member_text(const ls_jsonl_row *row, const char *key, ls_str *out)
{
    /* Members come in the order of the line, so the place of a key finds it however it is escaped.
     */
    int64_t place = 0;
    const char *name;
    json_t *value;
    json_object_foreach(row->object, name, value)
    {
        if (strcmp(name, key) == 0)
            break;
        place++;
    }
    const char *p = skip_blanks(row->text + 1);
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
