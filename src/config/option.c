/* Rows bound to structs: finding, reading and life cycle.
 *
 * Checking and storing one value is assign.c; files are yaml.c, flags args.c, recipes recipes.c,
 * texts for people help.c, dump.c and markdown.c. */
#include "config/option.h"

#include <stdlib.h>
#include <string.h>
#include "base/hash.h"
#include "base/mem.h"
#include "config/state.h"

ls_config *ls_config_new(void)
{
    return ls_calloc(1, sizeof(ls_config));
}

void ls_config_free(ls_config *config)
{
    if (!config)
        return;
    for (size_t i = 0; i < config->n_texts; i++)
        ls_free(config->texts[i]);
    ls_free(config->texts);
    ls_free(config->entries);
    ls_free(config);
}

/* Room for one more element of an array that grows at powers of two. */
static void *grow(void *array, size_t n, size_t size)
{
    if ((n & (n - 1)) != 0)
        return array;
    return ls_realloc(array, ls_mul_size(n ? 2 * n : 1, size));
}

const char *ls_config_keep(ls_config *config, const char *text)
{
    config->texts = grow(config->texts, config->n_texts, sizeof *config->texts);
    return config->texts[config->n_texts++] = ls_strdup(text);
}

/* Keys are equal when they differ in dashes and underscores alone. */
static bool keys_match(const char *a, const char *b)
{
    for (; *a && *b; a++, b++)
        if ((*a == '-' ? '_' : *a) != (*b == '-' ? '_' : *b))
            return false;
    return *a == *b;
}

ls_entry *ls_config_find(const ls_config *config, const char *key)
{
    for (size_t i = 0; i < config->n_entries; i++)
        if (keys_match(config->entries[i].row->key, key))
            return &config->entries[i];
    return NULL;
}

const char *ls_option_default(const ls_option *row)
{
    static const char *const empty[] = {
        [LS_OPT_BOOL] = "false", [LS_OPT_INT] = "0", [LS_OPT_FLOAT] = "0",
        [LS_OPT_STRING] = "",    [LS_OPT_PATH] = "", [LS_OPT_CHOICE] = ""};
    return row->def ? row->def : empty[row->type];
}

static void set_default(ls_config *config, ls_entry *entry)
{
    ls_provenance from = {LS_FROM_DEFAULT, entry->row->key, ""};
    entry->origin = LS_FROM_DEFAULT;
    if (ls_config_assign(config, entry, ls_option_default(entry->row), &from) != LEASH_OK)
        ls_assert_failed(leash_error(), __FILE__, __LINE__); /* the table's default is wrong */
}

void ls_config_bind(ls_config *config, const ls_option_table *table, void *options)
{
    for (size_t i = 0; i < table->n_rows; i++) {
        const ls_option *row = &table->rows[i];
        LS_ASSERT(!ls_config_find(config, row->key));
        LS_ASSERT(!strchr(row->key, '-') && strcmp(row->key, "config") != 0 &&
                  strcmp(row->key, "recipe") != 0 && strcmp(row->key, "help") != 0);
        config->entries = grow(config->entries, config->n_entries, sizeof *config->entries);
        ls_entry *entry = &config->entries[config->n_entries++];
        *entry = (ls_entry){.row = row, .table = table, .field = (char *)options + row->offset};
        set_default(config, entry);
    }
}

void ls_config_forget_recipe(ls_config *config)
{
    for (size_t i = 0; i < config->n_entries; i++)
        if (config->entries[i].origin == LS_FROM_RECIPE)
            set_default(config, &config->entries[i]);
}

ls_origin ls_config_origin(const ls_config *config, const char *key)
{
    const ls_entry *entry = ls_config_find(config, key);
    LS_ASSERT(entry);
    return entry->origin;
}

bool ls_config_is_set(const ls_config *config, const char *key)
{
    return ls_config_origin(config, key) != LS_FROM_DEFAULT;
}

void ls_entry_value(const ls_entry *entry, ls_str *out)
{
    char number[32];
    switch (entry->row->type) {
    case LS_OPT_BOOL: ls_str_append(out, *(const bool *)entry->field ? "true" : "false"); return;
    case LS_OPT_INT: ls_str_appendf(out, "%lld", (long long)*(const int64_t *)entry->field); return;
    case LS_OPT_FLOAT:
        ls_str_append(out, ls_format_double(number, *(const double *)entry->field));
        return;
    case LS_OPT_STRING:
    case LS_OPT_PATH:
    case LS_OPT_CHOICE: ls_str_append(out, *(const char *const *)entry->field); return;
    }
}

void ls_entry_shown_value(const ls_entry *entry, ls_str *out)
{
    if (entry->origin == LS_FROM_DEFAULT)
        ls_str_append(out, ls_option_default(entry->row));
    else
        ls_entry_value(entry, out);
}

void ls_config_value(const ls_config *config, const char *key, ls_str *out)
{
    const ls_entry *entry = ls_config_find(config, key);
    LS_ASSERT(entry);
    ls_entry_value(entry, out);
}

const char *ls_config_section(const ls_config *config, size_t k)
{
    for (size_t i = 0; i < config->n_entries; i++) {
        const char *section = config->entries[i].table->section;
        size_t j = 0;
        while (strcmp(config->entries[j].table->section, section) != 0)
            j++;
        if (j == i && k-- == 0)
            return section;
    }
    return NULL;
}

static int compare_keys(const void *a, const void *b)
{
    const ls_entry *const *x = a, *const *y = b;
    return strcmp((*x)->row->key, (*y)->row->key);
}

static bool is_listed(const char *key, const char *const *names)
{
    for (; names && *names; names++)
        if (strcmp(key, *names) == 0)
            return true;
    return false;
}

/* In the order of the keys, so that moving a row in its table changes no run's identity. */
uint64_t ls_config_hash(const ls_config *config, const char *const *except)
{
    ls_str text = LS_STR_INIT;
    const ls_entry **sorted = ls_malloc(ls_mul_size(config->n_entries + 1, sizeof *sorted));
    for (size_t i = 0; i < config->n_entries; i++)
        sorted[i] = &config->entries[i];
    qsort(sorted, config->n_entries, sizeof *sorted, compare_keys);
    for (size_t i = 0; i < config->n_entries; i++) {
        if (is_listed(sorted[i]->row->key, except))
            continue;
        ls_str_appendf(&text, "%s=", sorted[i]->row->key);
        ls_entry_value(sorted[i], &text);
        ls_str_append_char(&text, '\n');
    }
    uint64_t hash = ls_hash64(text.data, text.len);
    ls_free(sorted);
    ls_str_release(&text);
    return hash;
}
