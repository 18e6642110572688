/* Flags and environment variables.
 *
 * All arguments are read first and stored afterwards, so that recipe, file, environment and
 * flags take their turns whatever the order on the command line. */
#include "config/state.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "base/mem.h"

typedef struct flag {
    ls_entry *entry;
    const char *value;
    ls_str typed; /* "--beta", as the user wrote it */
} flag;

typedef struct arguments {
    int argc;
    char **argv;
    int at; /* the argument that is being read */
    const char *recipe;
    const char **files;
    flag *flags;
    int n_files, n_flags;
} arguments;

/* The value of a flag: after "=", or the next argument unless that is a flag too. */
static leash_status take_value(arguments *a, const char *typed, const char *attached,
                               const char *expected, const char **value)
{
    *value = attached;
    if (attached)
        return LEASH_OK;
    if (a->at + 1 < a->argc) {
        const char *next = a->argv[a->at + 1];
        if (ls_starts_with(next, "--") && isalpha((unsigned char)next[2]))
            return ls_fail(LEASH_USAGE, "%s: expected %s, found the option '%s'", typed, expected,
                           next);
        *value = a->argv[++a->at];
        return LEASH_OK;
    }
    return ls_fail(LEASH_USAGE, "%s: expected %s, found nothing", typed, expected);
}

static const char *expected_value(const ls_option *row)
{
    switch (row->type) {
    case LS_OPT_INT: return "a whole number";
    case LS_OPT_FLOAT: return "a number";
    case LS_OPT_PATH: return "a path";
    case LS_OPT_CHOICE: return "one of its choices";
    case LS_OPT_BOOL: return "true or false";
    case LS_OPT_STRING: break;
    }
    return "a text";
}

/* A switch takes the next argument only when that says true or false. */
static const char *switch_value(arguments *a)
{
    if (a->at + 1 < a->argc && (strcasecmp(a->argv[a->at + 1], "true") == 0 ||
                                strcasecmp(a->argv[a->at + 1], "false") == 0))
        return a->argv[++a->at];
    return "true";
}

static void add_flag(arguments *a, ls_entry *entry, const char *typed, const char *value)
{
    flag *f = &a->flags[a->n_flags++];
    *f = (flag){.entry = entry, .value = value, .typed = LS_STR_INIT};
    ls_str_append(&f->typed, typed);
}

/* --no-key of a switch; NULL when this is no such flag. */
static ls_entry *negated(const ls_config *config, const char *name)
{
    if (!ls_starts_with(name, "no-") && !ls_starts_with(name, "no_"))
        return NULL;
    return ls_config_find(config, name + 3);
}

static leash_status read_setting(const ls_config *config, arguments *a, const char *typed,
                                 const char *attached)
{
    const char *value;
    ls_entry *entry = ls_config_find(config, typed + 2);
    if (!entry && (entry = negated(config, typed + 2))) {
        if (entry->row->type != LS_OPT_BOOL)
            return ls_fail(LEASH_USAGE, "%s: only switches have a --no- form, %s takes %s", typed,
                           entry->row->key, expected_value(entry->row));
        if (attached)
            return ls_fail(LEASH_USAGE, "%s: expected no value, found '%s'", typed, attached);
        add_flag(a, entry, typed, "false");
        return LEASH_OK;
    }
    if (!entry)
        return ls_config_fail_flag(config, typed);
    if (entry->row->type == LS_OPT_BOOL)
        value = attached ? attached : switch_value(a);
    else
        LS_TRY(take_value(a, typed, attached, expected_value(entry->row), &value));
    add_flag(a, entry, typed, value);
    return LEASH_OK;
}

/* One flag without its value (typed), and what follows its "=" (attached, NULL: nothing). */
static leash_status read_flag(const ls_config *config, arguments *a, const char *typed,
                              const char *attached)
{
    if (strcmp(typed, "--config") == 0 || strcmp(typed, "-c") == 0) {
        LS_TRY(take_value(a, typed, attached, "a file", &a->files[a->n_files]));
        a->n_files++;
        return LEASH_OK;
    }
    if (strcmp(typed, "--recipe") == 0)
        return take_value(a, typed, attached, "the name of a recipe", &a->recipe);
    if (typed[1] != '-')
        return ls_config_fail_flag(config, typed);
    return read_setting(config, a, typed, attached);
}

static leash_status read_arguments(const ls_config *config, arguments *a, const char **rest,
                                   int *n_rest)
{
    bool has_ended = false;
    for (a->at = 0; a->at < a->argc; a->at++) {
        const char *text = a->argv[a->at];
        if (has_ended || text[0] != '-' || !text[1]) {
            rest[(*n_rest)++] = text;
        } else if (strcmp(text, "--") == 0) {
            has_ended = true;
        } else {
            ls_str typed = LS_STR_INIT;
            const char *equals = strchr(text, '=');
            ls_str_append_n(&typed, text, equals ? (size_t)(equals - text) : strlen(text));
            leash_status status = read_flag(config, a, typed.data, equals ? equals + 1 : NULL);
            ls_str_release(&typed);
            LS_TRY(status);
        }
    }
    return LEASH_OK;
}

static leash_status assign_arguments(ls_config *config, const arguments *a)
{
    if (a->recipe)
        LS_TRY(ls_config_use_recipe(config, a->recipe, LS_FROM_FLAG, "--recipe"));
    for (int i = 0; i < a->n_files; i++)
        LS_TRY(ls_config_load_file(config, a->files[i]));
    LS_TRY(ls_config_load_env(config));
    for (int i = 0; i < a->n_flags; i++) {
        const flag *f = &a->flags[i];
        ls_provenance from = {LS_FROM_FLAG, f->typed.data, f->typed.data};
        LS_TRY(ls_config_assign(config, f->entry, f->value, &from));
    }
    return LEASH_OK;
}

leash_status ls_config_parse_args(ls_config *config, int argc, char **argv, const char **rest,
                                  int *n_rest)
{
    arguments a = {.argc = argc, .argv = argv};
    a.files = ls_calloc((size_t)argc + 1, sizeof *a.files);
    a.flags = ls_calloc((size_t)argc + 1, sizeof *a.flags);
    *n_rest = 0;
    leash_status status = read_arguments(config, &a, rest, n_rest);
    if (status == LEASH_OK)
        status = assign_arguments(config, &a);
    for (int i = 0; i < a.n_flags; i++)
        ls_str_release(&a.flags[i].typed);
    ls_free(a.flags);
    ls_free(a.files);
    return status;
}

/* An empty variable counts as one that is not set. */
leash_status ls_config_load_env(ls_config *config)
{
    leash_status status = LEASH_OK;
    ls_str name = LS_STR_INIT;
    for (size_t i = 0; i < config->n_entries && status == LEASH_OK; i++) {
        ls_str_clear(&name);
        ls_str_appendf(&name, "LEASH_%s", config->entries[i].row->key);
        for (char *c = name.data; *c; c++)
            *c = (char)toupper((unsigned char)*c);
        const char *value = getenv(name.data);
        ls_provenance from = {LS_FROM_ENV, name.data, name.data};
        if (value && value[0])
            status = ls_config_assign(config, &config->entries[i], value, &from);
    }
    ls_str_release(&name);
    return status;
}
