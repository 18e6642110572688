/* Filling patterns with columns. */
#include "data/fill.h"

#include <string.h>

#include "data/json_text.h"

const json_t *ls_find_path(const json_t *row, const char *path)
{
    const json_t *value = json_object_get(row, path); /* a name with dots is a name first */
    if (value || !strchr(path, '.'))
        return value;
    ls_str name = LS_STR_INIT;
    value = row;
    while (value) {
        size_t n = strcspn(path, ".");
        ls_str_clear(&name);
        ls_str_append_n(&name, path, n);
        value = json_object_get(value, name.data);
        if (!path[n])
            break;
        path += n + 1;
    }
    ls_str_release(&name);
    return value;
}

bool ls_append_scalar(ls_str *out, const json_t *value)
{
    char buffer[32];
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        ls_str_append_n(out, json_string_value(value), json_string_length(value));
        return true;
    case JSON_INTEGER:
        ls_str_appendf(out, "%lld", (long long)json_integer_value(value));
        return true;
    case JSON_REAL:
        ls_str_append(out, ls_format_double(buffer, json_real_value(value)));
        return true;
    case JSON_TRUE: ls_str_append(out, "true"); return true;
    case JSON_FALSE: ls_str_append(out, "false"); return true;
    default: return false;
    }
}

static char escape_of(char c)
{
    return c == 'n' ? '\n' : c == 't' ? '\t' : c == '\\' ? '\\' : 0;
}

void ls_unescape(ls_str *out, const char *text)
{
    for (const char *p = text; *p; p++) {
        char c = *p == '\\' ? escape_of(p[1]) : 0;
        ls_str_append_char(out, c ? c : *p);
        p += c != 0;
    }
}

/* Reads {name} at p into `name`; what follows it, NULL when it is no placeholder. */
static const char *read_name(ls_str *name, const char *p)
{
    size_t n = strcspn(p + 1, "{}");
    if (n == 0 || p[1 + n] != '}')
        return NULL;
    ls_str_clear(name);
    ls_str_append_n(name, p + 1, n);
    return p + n + 2;
}

leash_status ls_fill(ls_str *out, const char *pattern, const json_t *row)
{
    ls_str name = LS_STR_INIT;
    leash_status status = LEASH_OK;
    for (const char *p = pattern; *p && status == LEASH_OK;) {
        char c = *p == '\\' ? escape_of(p[1]) : 0;
        const char *behind;
        if (c || ((*p == '{' || *p == '}') && p[1] == *p)) {
            ls_str_append_char(out, c ? c : *p);
            p += 2;
        } else if (*p == '{' && (behind = read_name(&name, p))) {
            p = behind;
            const json_t *value = ls_find_path(row, name.data);
            if (!ls_append_scalar(out, value))
                status = ls_fail(LEASH_DATA, "column \"%s\" is %s, a text is made of it", name.data,
                                 value ? ls_json_kind(value) : "not there");
        } else {
            ls_str_append_char(out, *p++);
        }
    }
    ls_str_release(&name);
    return status;
}

leash_status ls_fill_check(const char *pattern, const char *key)
{
    ls_str name = LS_STR_INIT;
    leash_status status = LEASH_OK;
    for (const char *p = pattern; *p && status == LEASH_OK;) {
        if (*p == '\\' && p[1]) {
            p += 2;
        } else if ((*p == '{' || *p == '}') && p[1] == *p) {
            p += 2;
        } else if (*p == '{' || *p == '}') {
            p = *p == '{' ? read_name(&name, p) : NULL;
            if (!p)
                status = ls_fail(LEASH_USAGE,
                                 "%s: \"%s\" has a brace that belongs to no {column}; write {{ or "
                                 "}} for a brace",
                                 key, pattern);
        } else {
            p++;
        }
        if (!p)
            break;
    }
    ls_str_release(&name);
    return status;
}
