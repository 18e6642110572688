/* The objects of tokenizer.json that have a "type": lists of them, their keys, their values.  What
 * each type means is the business of those who call. */
#include "text/part.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static leash_status add_part(ls_part_list *out, const json_t *json, const char *where,
                             const char *list_key, const char *file, int depth)
{
    const char *type = json_string_value(json_object_get(json, "type"));
    if (!type)
        return ls_fail(LEASH_FORMAT, "%s: %s must be an object with a \"type\"", file, where);
    if (strcmp(type, "Sequence") != 0) {
        if (out->n == LS_MOST_PARTS)
            return ls_fail(LEASH_UNSUPPORTED, "%s: %s: more than %d steps", file, where,
                           LS_MOST_PARTS);
        ls_part *part = &out->parts[out->n++];
        *part = (ls_part){.json = json, .type = type, .file = file};
        snprintf(part->where, sizeof part->where, "%s", where);
        return LEASH_OK;
    }
    const json_t *list = json_object_get(json, list_key);
    if (!json_is_array(list) || depth > 4)
        return ls_fail(LEASH_FORMAT, "%s: %s.%s must be a list of objects", file, where, list_key);
    for (size_t i = 0; i < json_array_size(list); i++) {
        char inner[96];
        snprintf(inner, sizeof inner, "%.40s.%s[%zu]", where, list_key, i);
        LS_TRY(add_part(out, json_array_get(list, i), inner, list_key, file, depth + 1));
    }
    return LEASH_OK;
}

leash_status ls_part_list_read(ls_part_list *out, const json_t *json, const char *name,
                               const char *list_key, const char *file)
{
    out->n = 0;
    if (!json || json_is_null(json))
        return LEASH_OK;
    return add_part(out, json, name, list_key, file, 0);
}

bool ls_part_is(const ls_part *part, const char *type)
{
    return strcmp(part->type, type) == 0;
}

leash_status ls_part_keys(const ls_part *part, ...)
{
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)part->json, key, value)
    {
        (void)value;
        bool is_known = strcmp(key, "type") == 0;
        va_list known;
        va_start(known, part);
        for (const char *name; !is_known && (name = va_arg(known, const char *)) != NULL;)
            is_known = strcmp(key, name) == 0;
        va_end(known);
        if (!is_known)
            return ls_fail(LEASH_UNSUPPORTED, "%s: %s (%s): the key %s is not known", part->file,
                           part->where, part->type, key);
    }
    return LEASH_OK;
}

leash_status ls_part_unsupported(const ls_part *part, const char *expected)
{
    return ls_fail(LEASH_UNSUPPORTED, "%s: %s: type \"%s\" is not supported; supported are %s",
                   part->file, part->where, part->type, expected);
}

leash_status ls_part_wrong(const ls_part *part, const char *key, const char *expected)
{
    return ls_fail(LEASH_FORMAT, "%s: %s.%s: expected %s", part->file, part->where, key, expected);
}

leash_status ls_part_bool(const ls_part *part, const char *key, bool if_absent, bool *out)
{
    const json_t *value = json_object_get(part->json, key);
    if (value && !json_is_boolean(value))
        return ls_part_wrong(part, key, "true or false");
    *out = value ? json_is_true(value) : if_absent;
    return LEASH_OK;
}

leash_status ls_part_string(const ls_part *part, const char *key, ls_str *out)
{
    const json_t *value = json_object_get(part->json, key);
    if (!json_is_string(value))
        return ls_part_wrong(part, key, "a string");
    ls_str_append_n(out, json_string_value(value), json_string_length(value));
    return LEASH_OK;
}

leash_status ls_part_pattern(const ls_part *part, ls_str *literal, ls_regex **regex)
{
    const json_t *pattern = json_object_get(part->json, "pattern");
    const json_t *text = json_object_get(pattern, "String");
    if (json_is_string(text)) {
        ls_str_append_n(literal, json_string_value(text), json_string_length(text));
        return LEASH_OK;
    }
    text = json_object_get(pattern, "Regex");
    if (!json_is_string(text))
        return ls_part_wrong(part, "pattern", "{\"String\": text} or {\"Regex\": text}");
    char where[400];
    snprintf(where, sizeof where, "%.250s: %s.pattern", part->file, part->where);
    return ls_regex_new(regex, json_string_value(text), json_string_length(text), where);
}
