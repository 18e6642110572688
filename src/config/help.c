/* Help for people: all keys of a command, or one key in full. */
#include "config/state.h"

#include <string.h>

#define LEAST_COLUMNS 40
#define FLAG_COLUMNS 30 /* of "  --key VALUE"; a longer one has its text below */

/* Bytes of the word that starts here, and its columns: one a character. */
static size_t word_bytes(const char *text, int *columns)
{
    size_t n = 0;
    for (*columns = 0; text[n] && text[n] != ' ' && text[n] != '\n'; n++)
        *columns += ((unsigned char)text[n] & 0xc0) != 0x80;
    return n;
}

/* A word that is wider than a line is cut into lines. */
static int append_long_word(ls_str *out, const char *word, size_t n, int indent, int columns)
{
    int at = indent;
    for (size_t i = 0; i < n; i++) {
        bool starts_character = ((unsigned char)word[i] & 0xc0) != 0x80;
        if (starts_character && at == columns) {
            ls_str_appendf(out, "\n%*s", indent, "");
            at = indent;
        }
        at += starts_character;
        ls_str_append_char(out, word[i]);
    }
    return at;
}

void ls_wrap(ls_str *out, const char *text, int indent, int columns)
{
    int at = indent, width;
    bool is_first = true; /* of its line */
    if (columns < indent + 10)
        columns = indent + 10;
    while (*text) {
        size_t n = word_bytes(text, &width);
        if (n > 0 && !is_first && at + 1 + width > columns) {
            ls_str_appendf(out, "\n%*s", indent, "");
            at = indent;
            is_first = true;
        }
        if (n > 0 && !is_first) {
            ls_str_append_char(out, ' ');
            at++;
        }
        if (width > columns - indent)
            at = append_long_word(out, text, n, indent, columns);
        else
            ls_str_append_n(out, text, n);
        at += width > columns - indent ? 0 : width;
        is_first = is_first && n == 0;
        text += n;
        if (*text == '\n') {
            ls_str_appendf(out, "\n%*s", text[1] && text[1] != '\n' ? indent : 0, "");
            at = indent;
            is_first = true;
        }
        text += *text != '\0';
    }
}

/* What a flag's value is called: "" for a switch. */
static const char *value_word(const ls_option *row)
{
    switch (row->type) {
    case LS_OPT_BOOL: return "";
    case LS_OPT_INT: return " N";
    case LS_OPT_FLOAT: return " X";
    case LS_OPT_STRING: return " TEXT";
    case LS_OPT_PATH: return " PATH";
    case LS_OPT_CHOICE: return " NAME";
    }
    return "";
}

static void append_row(ls_str *out, const ls_entry *entry, int columns)
{
    const ls_option *row = entry->row;
    ls_str flag = LS_STR_INIT, text = LS_STR_INIT, value = LS_STR_INIT;
    ls_str_appendf(&flag, "  --%s%s", row->key, value_word(row));
    ls_str_append(&text, row->help);
    if (row->type == LS_OPT_CHOICE) {
        ls_str_append(&text, " One of ");
        ls_option_choices(row, &text);
        ls_str_append_char(&text, '.');
    }
    ls_entry_shown_value(entry, &value);
    if (value.len > 0)
        ls_str_appendf(&text, " [%s%s%s]", value.data, row->unit ? " " : "",
                       row->unit ? row->unit : "");
    ls_str_append(out, flag.data);
    if (flag.len + 2 > FLAG_COLUMNS)
        ls_str_appendf(out, "\n%*s", FLAG_COLUMNS, "");
    else
        ls_str_appendf(out, "%*s", FLAG_COLUMNS - (int)flag.len, "");
    ls_wrap(out, text.data, FLAG_COLUMNS, columns);
    ls_str_append_char(out, '\n');
    ls_str_release(&flag);
    ls_str_release(&text);
    ls_str_release(&value);
}

/* A section whose rows are all advanced is left out with them. */
static void append_section(const ls_config *config, ls_str *out, const char *section, int columns,
                           bool advanced_too)
{
    bool has_heading = false;
    for (size_t i = 0; i < config->n_entries; i++) {
        const ls_entry *entry = &config->entries[i];
        if (strcmp(entry->table->section, section) != 0 ||
            (entry->row->is_advanced && !advanced_too))
            continue;
        if (!has_heading)
            ls_str_appendf(out, "\n%s\n", section);
        has_heading = true;
        append_row(out, entry, columns);
    }
}

void ls_config_help(const ls_config *config, ls_str *out, int columns, bool advanced_too)
{
    const char *section;
    columns = columns > LEAST_COLUMNS ? columns : LEAST_COLUMNS;
    for (size_t k = 0; (section = ls_config_section(config, k)) != NULL; k++)
        append_section(config, out, section, columns, advanced_too);
}

void ls_option_takes(const ls_option *row, ls_str *out)
{
    switch (row->type) {
    case LS_OPT_BOOL: ls_str_append(out, "true or false"); return;
    case LS_OPT_INT: ls_str_append(out, "whole number"); break;
    case LS_OPT_FLOAT: ls_str_append(out, "number"); break;
    case LS_OPT_STRING: ls_str_append(out, "text"); return;
    case LS_OPT_PATH: ls_str_append(out, "path"); return;
    case LS_OPT_CHOICE:
        ls_str_append(out, "one of ");
        ls_option_choices(row, out);
        return;
    }
    ls_str range = LS_STR_INIT;
    if (ls_option_range(row, &range))
        ls_str_appendf(out, " from %s", range.data);
    ls_str_release(&range);
}

static void append_fact(ls_str *out, const char *name, const char *text, int columns)
{
    if (!text || !text[0])
        return;
    ls_str_appendf(out, "  %-9s", name);
    ls_wrap(out, text, 11, columns);
    ls_str_append_char(out, '\n');
}

leash_status ls_config_help_key(const ls_config *config, const char *key, ls_str *out, int columns)
{
    const ls_entry *entry = ls_config_find(config, key);
    if (!entry)
        return ls_config_fail_key(config, "", key);
    const ls_option *row = entry->row;
    ls_str text = LS_STR_INIT;
    columns = columns > LEAST_COLUMNS ? columns : LEAST_COLUMNS;
    ls_str_appendf(out, "--%s%s\n  ", row->key, value_word(row));
    ls_wrap(out, row->help, 2, columns);
    ls_str_append(out, "\n\n");
    ls_option_takes(row, &text);
    append_fact(out, "takes", text.data, columns);
    append_fact(out, "unit", row->unit, columns);
    append_fact(out, "default", ls_option_default(row)[0] ? ls_option_default(row) : "(empty)",
                columns);
    if (entry->origin != LS_FROM_DEFAULT) {
        ls_str_clear(&text);
        ls_entry_value(entry, &text);
        ls_str_appendf(&text, " (%s)", entry->source);
        append_fact(out, "value", text.data, columns);
    }
    append_fact(out, "section", entry->table->section, columns);
    if (row->more) {
        ls_str_append(out, "\n  ");
        ls_wrap(out, row->more, 2, columns);
        ls_str_append_char(out, '\n');
    }
    ls_str_release(&text);
    return LEASH_OK;
}

void ls_config_keys(const ls_config *config, ls_str *out)
{
    for (size_t i = 0; i < config->n_entries; i++)
        ls_str_appendf(out, " --%s", config->entries[i].row->key);
}
