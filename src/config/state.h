/* What the files of config/ share: the entries behind an ls_config, and how one value is
 * assigned.
 *
 * An entry is one bound row with the place of its value.  A value of a lower origin never
 * replaces one of a higher origin (default < recipe < file < environment < flag), so the order
 * of calls does not matter; a derived value replaces anything and is replaced by anything.
 * Strings live until the ls_config is freed, also those that were replaced, because options
 * structs borrow them. */
#ifndef LS_CONFIG_STATE_H
#define LS_CONFIG_STATE_H

#include "config/option.h"

typedef struct ls_entry {
    const ls_option *row;
    const ls_option_table *table;
    void *field;
    ls_origin origin;
    const char
        *source; /* shown in the dump: "recipe grpo", "run.yaml:3", "--beta"; "" for a default */
} ls_entry;

struct ls_config {
    ls_entry *entries; /* in the order of binding */
    size_t n_entries;
    char **texts; /* every string handed out */
    size_t n_texts;
    ls_origin recipe_origin; /* who chose the recipe; LS_FROM_DEFAULT: nobody yet */
};

/* Where a value comes from: its rank, the beginning of an error about it, and the dump's
 * comment. */
typedef struct ls_provenance {
    ls_origin origin;
    const char *where, *source;
} ls_provenance;

/* NULL when the key is not bound.  Dashes count as underscores. */
ls_entry *ls_config_find(const ls_config *config, const char *key);
/* A copy that lives as long as the config. */
const char *ls_config_keep(ls_config *config, const char *text);
/* Checks the text and, when the origin's rank allows, stores it. */
leash_status ls_config_assign(ls_config *config, ls_entry *entry, const char *value,
                              const ls_provenance *from) LEASH_MUST_USE;
/* Puts values that a recipe gave back to their defaults. */
void ls_config_forget_recipe(ls_config *config);
/* The recipe on behalf of a file or a flag.  Does nothing when a higher origin has chosen one.
 * `where` NULL: no prefix. */
leash_status ls_config_use_recipe(ls_config *config, const char *name, ls_origin origin,
                                  const char *where) LEASH_MUST_USE;

/* LEASH_USAGE: "<where>: unknown key '<key>' (did you mean '...'?)". */
leash_status ls_config_fail_key(const ls_config *config, const char *where, const char *key);
/* LEASH_USAGE: "<flag>: unknown option (did you mean '--...'?)". */
leash_status ls_config_fail_flag(const ls_config *config, const char *flag);

/* The value as text, in its shortest form. */
void ls_entry_value(const ls_entry *entry, ls_str *out);
/* As people see it: the default as it is written in the table, else the value. */
void ls_entry_shown_value(const ls_entry *entry, ls_str *out);
/* The default as it is written in the table, "false", "0" or "" when there is none. */
const char *ls_option_default(const ls_option *row);
/* Appends "0 to 10" and returns true when the row has a range. */
bool ls_option_range(const ls_option *row, ls_str *out);
/* Appends the choices with commas, '' for the empty one. */
void ls_option_choices(const ls_option *row, ls_str *out);
/* Appends what a value looks like: "number from 0 to 10", "one of a, b". */
void ls_option_takes(const ls_option *row, ls_str *out);
/* A user's text for an error: quoted and cut, or "nothing". */
void ls_append_found(ls_str *out, const char *text);

/* The k-th different section in the order of binding, NULL past the last. */
const char *ls_config_section(const ls_config *config, size_t k);

#endif
