/* Keys of a JSON text, found by walking over it. */
#include "formats/json_edit.h"

#include <string.h>

typedef struct { /* offsets: of the key's quote, of the value and behind it */
    size_t key, value, end;
} place;

static size_t skip_blank(const char *text, size_t at)
{
    return at + strspn(text + at, " \t\r\n");
}

/* Behind the string that begins at `at`. */
static size_t skip_string(const char *text, size_t at)
{
    for (at++; text[at] && text[at] != '"'; at++)
        if (text[at] == '\\' && text[at + 1])
            at++;
    return text[at] ? at + 1 : at;
}

/* Behind the value that begins at `at`: up to the comma or bracket that ends it. */
static size_t skip_value(const char *text, size_t at)
{
    int depth = 0;
    while (text[at]) {
        char c = text[at];
        if (c == '"') {
            at = skip_string(text, at);
            continue;
        }
        if (depth == 0 && (c == ',' || c == '}' || c == ']'))
            break;
        depth += c == '{' || c == '[';
        depth -= c == '}' || c == ']';
        at++;
    }
    while (at > 0 && strchr(" \t\r\n", text[at - 1]))
        at--;
    return at;
}

static bool find(place *out, const char *text, const char *key)
{
    size_t n = strlen(key), at = skip_blank(text, 0);
    if (text[at] != '{')
        return false;
    at = skip_blank(text, at + 1);
    while (text[at] == '"') {
        out->key = at;
        size_t behind = skip_string(text, at);
        bool is_it = behind - at == n + 2 && memcmp(text + at + 1, key, n) == 0;
        at = skip_blank(text, behind);
        at = skip_blank(text, at + (text[at] == ':'));
        out->value = at;
        out->end = skip_value(text, at);
        if (is_it)
            return true;
        at = skip_blank(text, out->end);
        at = skip_blank(text, at + (text[at] == ','));
    }
    return false;
}

static void replace(ls_str *text, size_t begin, size_t end, const char *by)
{
    ls_str out = LS_STR_INIT;
    ls_str_append_n(&out, text->data, begin);
    ls_str_append(&out, by);
    ls_str_append(&out, text->data + end);
    ls_str_release(text);
    *text = out;
}

bool ls_json_has_key(const char *text, const char *key)
{
    place p;
    return find(&p, text, key);
}

void ls_json_set_key(ls_str *text, const char *key, const char *value)
{
    place p;
    if (find(&p, text->data, key)) {
        replace(text, p.value, p.end, value);
        return;
    }
    size_t close = text->len;
    while (close > 0 && text->data[close - 1] != '}')
        close--;
    if (close == 0)
        return;
    size_t last = close - 1; /* behind the last value or the opening bracket */
    while (last > 0 && strchr(" \t\r\n", text->data[last - 1]))
        last--;
    bool is_empty = text->data[last - 1] == '{';
    ls_str member = LS_STR_INIT;
    ls_str_appendf(&member, "%s\n  \"%s\": %s\n", is_empty ? "" : ",", key, value);
    replace(text, last, close - 1, member.data);
    ls_str_release(&member);
}

void ls_json_remove_key(ls_str *text, const char *key)
{
    place p;
    if (!find(&p, text->data, key))
        return;
    /* With the comma behind it, or, for the last key, the one before. */
    size_t begin = p.key, end = skip_blank(text->data, p.end);
    if (text->data[end] == ',') {
        end = skip_blank(text->data, end + 1);
    } else {
        end = p.end;
        while (begin > 0 && strchr(" \t\r\n", text->data[begin - 1]))
            begin--;
        if (begin > 0 && text->data[begin - 1] == ',')
            begin--;
    }
    replace(text, begin, end, "");
}
