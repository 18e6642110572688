/* The resolved configuration as YAML that loads to the same values. */
#include "config/state.h"

#include <string.h>
#include <strings.h>

/* Words that other readers of YAML take for something else than text. */
static bool is_special_word(const char *text)
{
    static const char *const words[] = {"true", "false", "yes", "no",  "on",
                                        "off",  "y",     "n",   "null"};
    for (size_t i = 0; i < LS_COUNT(words); i++)
        if (strcasecmp(text, words[i]) == 0)
            return true;
    return false;
}

/* Text that means itself without quotes: begins with a letter, _ or /, goes on with file name
 * characters. */
static bool is_plain(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_/";
    static const char others[] = "0123456789.+-";
    if (!text[0] || !strchr(letters, text[0]) || is_special_word(text))
        return false;
    for (const char *c = text; *c; c++)
        if (!strchr(letters, *c) && !strchr(others, *c))
            return false;
    return true;
}

/* The code point of a character that YAML does not take as it is (other than " and \), 0 for all
 * others; *n: its bytes. These are control characters, the line breaks U+0085, U+2028 and
 * U+2029, U+FEFF, U+FFFE and U+FFFF. */
static unsigned escaped_code(const unsigned char *c, size_t *n)
{
    *n = 1;
    if (c[0] < 0x20 || c[0] == 0x7f)
        return c[0];
    if (c[0] == 0xc2 && c[1] < 0xa0) {
        *n = 2;
        return c[1];
    }
    *n = 3;
    if (c[0] == 0xe2 && c[1] == 0x80 && (c[2] == 0xa8 || c[2] == 0xa9))
        return 0x2000u + c[2] - 0x80u;
    if (c[0] == 0xef && c[1] == 0xbb && c[2] == 0xbf)
        return 0xfeff;
    if (c[0] == 0xef && c[1] == 0xbf && c[2] >= 0xbe)
        return 0xff40u + c[2];
    *n = 1;
    return 0;
}

static void append_quoted(ls_str *out, const char *text)
{
    size_t n;
    ls_str_append_char(out, '"');
    for (; *text; text += n) {
        unsigned code = escaped_code((const unsigned char *)text, &n);
        if (code)
            ls_str_appendf(out, "\\u%04x", code);
        else if (*text == '"' || *text == '\\')
            ls_str_appendf(out, "\\%c", *text);
        else
            ls_str_append_char(out, *text);
    }
    ls_str_append_char(out, '"');
}

static void append_value(ls_str *out, const ls_entry *entry)
{
    ls_str value = LS_STR_INIT;
    ls_entry_value(entry, &value);
    bool is_number = entry->row->type == LS_OPT_BOOL || entry->row->type == LS_OPT_INT ||
                     entry->row->type == LS_OPT_FLOAT;
    if (is_number || is_plain(value.data))
        ls_str_append(out, value.data);
    else
        append_quoted(out, value.data);
    ls_str_release(&value);
}

static void append_origin(ls_str *out, const ls_entry *entry)
{
    if (entry->origin == LS_FROM_DEFAULT) {
        ls_str_append(out, "default");
        return;
    }
    if (entry->origin == LS_FROM_DERIVED)
        ls_str_append(out, "derived from ");
    ls_str_append_visible(out, entry->source, strlen(entry->source));
}

void ls_config_dump_yaml(const ls_config *config, ls_str *out)
{
    const char *section;
    for (size_t k = 0; (section = ls_config_section(config, k)) != NULL; k++) {
        ls_str_appendf(out, "%s# %s\n", k ? "\n" : "", section);
        for (size_t i = 0; i < config->n_entries; i++) {
            const ls_entry *entry = &config->entries[i];
            if (strcmp(entry->table->section, section) != 0)
                continue;
            ls_str_appendf(out, "%s: ", entry->row->key);
            append_value(out, entry);
            ls_str_append(out, "  # ");
            append_origin(out, entry);
            ls_str_append_char(out, '\n');
        }
    }
}
