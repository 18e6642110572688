/* All keys as documents: Markdown for docs/CONFIG.md, roff for the man page. */
#include "config/state.h"

#include <string.h>

static void append_cell(ls_str *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '|')
            ls_str_append_char(out, '\\');
        ls_str_append_char(out, *text == '\n' ? ' ' : *text);
    }
}

static void append_markdown_row(ls_str *out, const ls_option *row)
{
    ls_str takes = LS_STR_INIT;
    ls_option_takes(row, &takes);
    ls_str_appendf(out, "| `%s` | ", row->key);
    append_cell(out, takes.data);
    ls_str_append(out, " | ");
    if (ls_option_default(row)[0])
        ls_str_appendf(out, "`%s`", ls_option_default(row));
    ls_str_appendf(out, " | %s | ", row->unit ? row->unit : "");
    append_cell(out, row->help);
    if (row->more) {
        ls_str_append_char(out, ' ');
        append_cell(out, row->more);
    }
    ls_str_append(out, " |\n");
    ls_str_release(&takes);
}

/* The sentences of a section's tables, each once. */
static void append_markdown_heading(const ls_config *config, ls_str *out, const char *section)
{
    const ls_option_table *last = NULL;
    ls_str_appendf(out, "\n## %s\n\n", section);
    for (size_t i = 0; i < config->n_entries; i++) {
        const ls_option_table *table = config->entries[i].table;
        if (table == last || strcmp(table->section, section) != 0)
            continue;
        ls_str_appendf(out, "%s%s", last ? " " : "", table->help);
        last = table;
    }
    ls_str_append(out, "\n\n| key | takes | default | unit | meaning |\n|---|---|---|---|---|\n");
}

void ls_config_markdown(const ls_config *config, ls_str *out)
{
    const char *section;
    for (size_t k = 0; (section = ls_config_section(config, k)) != NULL; k++) {
        append_markdown_heading(config, out, section);
        for (size_t i = 0; i < config->n_entries; i++)
            if (strcmp(config->entries[i].table->section, section) == 0)
                append_markdown_row(out, config->entries[i].row);
    }
}

/* Text of a roff line: backslashes and dashes escaped, nothing that begins like a request. */
static void append_roff(ls_str *out, const char *text)
{
    if (*text == '.' || *text == '\'')
        ls_str_append(out, "\\&");
    for (; *text; text++) {
        if (*text == '\\')
            ls_str_append(out, "\\e");
        else if (*text == '-')
            ls_str_append(out, "\\-");
        else
            ls_str_append_char(out, *text == '\n' ? ' ' : *text);
    }
}

void ls_config_man(const ls_config *config, ls_str *out)
{
    for (size_t i = 0; i < config->n_entries; i++) {
        const ls_option *row = config->entries[i].row;
        ls_str takes = LS_STR_INIT;
        ls_option_takes(row, &takes);
        ls_str_append(out, ".TP\n.B \\-\\-");
        append_roff(out, row->key);
        ls_str_append_char(out, '\n');
        append_roff(out, row->help);
        ls_str_append(out, "\nTakes ");
        append_roff(out, takes.data);
        if (ls_option_default(row)[0]) {
            ls_str_append(out, "; default ");
            append_roff(out, ls_option_default(row));
        }
        ls_str_append(out, ".\n");
        ls_str_release(&takes);
    }
}
