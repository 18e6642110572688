/* One value from text into its field: type, range, choice, and the order of origins. */
#include "config/state.h"

#include <string.h>
#include <strings.h>

#define SHOWN_BYTES 60 /* of a wrong value in an error */

void ls_append_found(ls_str *out, const char *text)
{
    size_t n = strlen(text), cut = n;
    if (n == 0) {
        ls_str_append(out, "nothing");
        return;
    }
    if (n > SHOWN_BYTES) {
        cut = SHOWN_BYTES;
        while (cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80)
            cut--; /* not inside a character */
    }
    ls_str_append_char(out, '\'');
    ls_str_append_visible(out, text, cut);
    ls_str_append(out, cut < n ? "...'" : "'");
}

static leash_status fail_expected(const ls_provenance *from, const char *expected,
                                  const char *value)
{
    ls_str found = LS_STR_INIT;
    ls_append_found(&found, value);
    leash_status status =
        ls_fail(LEASH_USAGE, "%s: expected %s, found %s", from->where, expected, found.data);
    ls_str_release(&found);
    return status;
}

bool ls_option_range(const ls_option *row, ls_str *out)
{
    char least[32], most[32];
    bool is_number = row->type == LS_OPT_INT || row->type == LS_OPT_FLOAT;
    if (!is_number || !(row->min < row->max))
        return false;
    ls_str_appendf(out, "%s to %s", ls_format_double(least, row->min),
                   ls_format_double(most, row->max));
    return true;
}

static leash_status fail_range(const ls_provenance *from, const ls_option *row, const char *value)
{
    ls_str range = LS_STR_INIT;
    if (!ls_option_range(row, &range))
        ls_str_append(&range, "whole numbers of 64 bits");
    leash_status status = ls_fail(LEASH_USAGE, "%s: %.60s is out of range, allowed are %s",
                                  from->where, value, range.data);
    ls_str_release(&range);
    return status;
}

static bool is_in_range(const ls_option *row, double value)
{
    return !(row->min < row->max) || (value >= row->min && value <= row->max);
}

static bool parse_bool(const char *text, bool *out)
{
    static const char *const words[] = {"false", "true", "no", "yes", "off", "on", "0", "1"};
    for (size_t i = 0; i < LS_COUNT(words); i++)
        if (strcasecmp(text, words[i]) == 0) {
            *out = i % 2 == 1;
            return true;
        }
    return false;
}

static bool is_whole_number(const char *text)
{
    text += *text == '-' || *text == '+';
    return *text && !text[strspn(text, "0123456789")];
}

static size_t count_choices(const ls_option *row)
{
    size_t n = 0;
    while (row->choices[n])
        n++;
    return n;
}

void ls_option_choices(const ls_option *row, ls_str *out)
{
    for (size_t i = 0; row->choices[i]; i++)
        ls_str_appendf(out, "%s%s", i ? ", " : "", row->choices[i][0] ? row->choices[i] : "''");
}

static leash_status fail_choice(const ls_provenance *from, const ls_option *row, const char *value)
{
    ls_str text = LS_STR_INIT;
    if (value[0])
        ls_append_found(&text, value);
    else
        ls_str_append(&text, "''");
    ls_str_append(&text, " is none of ");
    ls_option_choices(row, &text);
    const char *nearest =
        value[0] ? ls_nearest_name(value, row->choices, (int64_t)count_choices(row)) : NULL;
    if (nearest && nearest[0])
        ls_str_appendf(&text, " (did you mean '%s'?)", nearest);
    leash_status status = ls_fail(LEASH_USAGE, "%s: %s", from->where, text.data);
    ls_str_release(&text);
    return status;
}

/* The row's own string for a choice, NULL when there is none. */
static const char *find_choice(const ls_option *row, const char *value)
{
    for (size_t i = 0; row->choices[i]; i++)
        if (strcmp(row->choices[i], value) == 0)
            return row->choices[i];
    return NULL;
}

typedef union parsed {
    bool flag;
    int64_t integer;
    double number;
    const char *text; /* not yet a copy */
} parsed;

static leash_status parse_number(parsed *out, const ls_option *row, const char *value,
                                 const ls_provenance *from)
{
    if (row->type == LS_OPT_INT) {
        if (!is_whole_number(value))
            return fail_expected(from, "a whole number", value);
        if (!ls_parse_int64(value, &out->integer) || !is_in_range(row, (double)out->integer))
            return fail_range(from, row, value);
        return LEASH_OK;
    }
    if (!ls_parse_double(value, &out->number))
        return fail_expected(from, "a number", value);
    return is_in_range(row, out->number) ? LEASH_OK : fail_range(from, row, value);
}

static leash_status parse(parsed *out, const ls_option *row, const char *value,
                          const ls_provenance *from)
{
    switch (row->type) {
    case LS_OPT_BOOL:
        return parse_bool(value, &out->flag) ? LEASH_OK
                                             : fail_expected(from, "true or false", value);
    case LS_OPT_INT:
    case LS_OPT_FLOAT: return parse_number(out, row, value, from);
    case LS_OPT_CHOICE:
        out->text = find_choice(row, value);
        return out->text ? LEASH_OK : fail_choice(from, row, value);
    case LS_OPT_STRING:
    case LS_OPT_PATH:
        out->text = value;
        return ls_is_utf8(value, strlen(value)) ? LEASH_OK
                                                : fail_expected(from, "text in UTF-8", value);
    }
    return LEASH_OK;
}

static void store(ls_config *config, ls_entry *entry, const parsed *value)
{
    switch (entry->row->type) {
    case LS_OPT_BOOL: *(bool *)entry->field = value->flag; return;
    case LS_OPT_INT: *(int64_t *)entry->field = value->integer; return;
    case LS_OPT_FLOAT: *(double *)entry->field = value->number; return;
    case LS_OPT_CHOICE: *(const char **)entry->field = value->text; return;
    case LS_OPT_STRING:
    case LS_OPT_PATH:
        *(const char **)entry->field =
            value->text[0] ? ls_config_keep(config, value->text) : ls_str_empty;
        return;
    }
}

/* A derived value is the program's own: it was asked for, and gives way to whatever is set
 * later. */
static bool may_replace(ls_origin old, ls_origin new)
{
    return new == LS_FROM_DERIVED || old == LS_FROM_DERIVED || new >= old;
}

leash_status ls_config_assign(ls_config *config, ls_entry *entry, const char *value,
                              const ls_provenance *from)
{
    parsed result;
    LS_TRY(parse(&result, entry->row, value, from));
    if (!may_replace(entry->origin, from->origin))
        return LEASH_OK;
    store(config, entry, &result);
    entry->origin = from->origin;
    entry->source = from->source[0] ? ls_config_keep(config, from->source) : "";
    return LEASH_OK;
}

leash_status ls_config_set(ls_config *config, const char *key, const char *value, ls_origin origin,
                           const char *where)
{
    ls_entry *entry = ls_config_find(config, key);
    if (!entry)
        return ls_config_fail_key(config, where, key);
    ls_str prefix = LS_STR_INIT;
    ls_str_append(&prefix, where);
    if (where[0] != '-') /* a flag names its key */
        ls_str_appendf(&prefix, ": %s", entry->row->key);
    ls_provenance from = {origin, prefix.data, where};
    leash_status status = ls_config_assign(config, entry, value, &from);
    ls_str_release(&prefix);
    return status;
}
