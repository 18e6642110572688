/* One row an option; everything else follows from the rows.
 *
 * The module that owns a setting owns its row: a struct with plain fields and a table that
 * describes them.  From the table come the command-line flag (--key, --key=value, --no-key for
 * booleans), the YAML key, type and range errors with line and nearest name, --help, `leash help
 * KEY`, docs/CONFIG.md, shell completion and the resolved dump with the origin of each value.
 *
 *     typedef struct { double learning_rate; bool packing; const char *dataset; } my_options;
 *     static const ls_option rows[] = {
 *         {.key = "learning_rate", .type = LS_OPT_FLOAT, .offset = offsetof(my_options,
 *           learning_rate), .def = "1e-6",
 *          .min = 0, .max = 10, .help = "Peak learning rate of AdamW."},
 *         ...
 *     };
 *     const ls_option_table my_option_table = {"Optimiser", "One sentence for the docs.", rows,
 *       LS_COUNT(rows)};
 *
 * Keys are flat and unique over all tables of a command; they take TRL's names where TRL has one,
 * with the same meaning.  Fields: bool for BOOL, int64_t for INT, double for FLOAT, const char *
 * for STRING, PATH and CHOICE (borrowed from the ls_config, never NULL: "" is the empty value). */
#ifndef LS_CONFIG_OPTION_H
#define LS_CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

typedef enum ls_option_type {
    LS_OPT_BOOL,
    LS_OPT_INT,
    LS_OPT_FLOAT,
    LS_OPT_STRING,
    LS_OPT_PATH,
    LS_OPT_CHOICE
} ls_option_type;

typedef struct ls_option {
    const char *key;
    ls_option_type type;
    size_t offset;   /* of the field in the owner's struct                               */
    const char *def; /* default as text; NULL means ""/0/false                           */
    double min, max; /* inclusive range of INT and FLOAT when min < max; min == max: any */
    const char *const *choices; /* CHOICE: allowed values, NULL-terminated               */
    const char *unit;           /* "tokens", "nats", "steps", ...; NULL: none            */
    const char *help;           /* one sentence                                          */
    /* Optional: formula, safe range, differences from TRL; shown by `leash help KEY`. */
    const char *more;
    bool is_advanced; /* only in --help-all */
} ls_option;

typedef struct ls_option_table {
    /* Heading: Model, Data, Reward, Optimiser, Rollout, Objective, Evaluation, Logging, System. */
    const char *section;
    const char *help; /* one sentence */
    const ls_option *rows;
    size_t n_rows;
} ls_option_table;

/* Where a value came from, for the resolved dump and for errors. */
typedef enum ls_origin {
    LS_FROM_DEFAULT,
    LS_FROM_RECIPE,
    LS_FROM_FILE,
    LS_FROM_ENV,
    LS_FROM_FLAG,
    LS_FROM_DERIVED
} ls_origin;

/* A set of tables bound to structs; owns the strings. */
typedef struct ls_config ls_config;

ls_config *ls_config_new(void);
void ls_config_free(ls_config *config);
/* Binds a table to the struct it describes and writes the defaults into it.  Both are borrowed.
 * Duplicate keys over tables assert. */
void ls_config_bind(ls_config *config, const ls_option_table *table, void *options);
/* Sets one key from text, checks type, range and choice.  A value of a lower origin is checked and
 * then dropped: the order of ls_origin decides, not that of the calls (LS_FROM_DERIVED replaces
 * all and gives way to all).  `where` is shown in errors ("run.yaml:12:3", "--beta", "recipe
 * grpo:4"). Errors: LEASH_USAGE with the text of what was expected and found, and for an unknown
 * key the nearest one. */
leash_status ls_config_set(ls_config *config, const char *key, const char *value, ls_origin origin,
                           const char *where) LEASH_MUST_USE;
/* A flat YAML (or JSON) mapping key: scalar; lists of scalars are joined with commas.  Refused
 * with file:line:column: nested maps, duplicate keys, unknown keys, anchors, tags, junk numbers,
 * nan, inf, more than 1 MiB.  An unquoted null is "" for texts. `recipe: NAME` in a file loads
 * that recipe first. */
leash_status ls_config_load_file(ls_config *config, const char *path) LEASH_MUST_USE;
leash_status ls_config_load_text(ls_config *config, const char *text, size_t n, const char *name,
                                 ls_origin origin) LEASH_MUST_USE;
/* A built-in recipe (recipes/NAME.yaml); values of a former recipe go back to their defaults.
 * Errors: LEASH_USAGE with the list and the nearest name. */
leash_status ls_config_load_recipe(ls_config *config, const char *name) LEASH_MUST_USE;
/* LEASH_<KEY> variables for every bound key; an empty one counts as not set. */
leash_status ls_config_load_env(ls_config *config) LEASH_MUST_USE;
/* Flags: --key value, --key=value, --switch [true|false], --no-switch; "--" ends them.  Arguments
 * that are no flag go to `rest` (capacity argc) in order.  "--config FILE" / "-c FILE" and
 * "--recipe NAME" are handled in the documented order whatever their place: defaults, recipe,
 * file, environment, flags. */
leash_status ls_config_parse_args(ls_config *config, int argc, char **argv, const char **rest,
                                  int *n_rest) LEASH_MUST_USE;
ls_origin ls_config_origin(const ls_config *config, const char *key);
bool ls_config_is_set(const ls_config *config, const char *key); /* origin is not the default */
/* Current value as text (into the caller's string). */
void ls_config_value(const ls_config *config, const char *key, ls_str *out);

/* The resolved configuration as YAML, sections as comments, each line with its origin:
 *     beta: 0.04  # recipe grpo */
void ls_config_dump_yaml(const ls_config *config, ls_str *out);
/* Help text, at most `columns` wide (at least 40), grouped by section, each after an empty line. */
void ls_config_help(const ls_config *config, ls_str *out, int columns, bool advanced_too);
/* One key in full: type, range, unit, default, help, more.  Errors: LEASH_USAGE, nearest key. */
leash_status ls_config_help_key(const ls_config *config, const char *key, ls_str *out,
                                int columns) LEASH_MUST_USE;
/* Tables as Markdown for docs/CONFIG.md. */
void ls_config_markdown(const ls_config *config, ls_str *out);
/* One .TP entry a key, in man(7) macros. */
void ls_config_man(const ls_config *config, ls_str *out);
/* " --key" of every key. */
void ls_config_keys(const ls_config *config, ls_str *out);
/* Identity of all values that decide results: XXH3-64 over "key=value\n" of all keys but those
 * given (NULL-terminated), sorted by key, values in their shortest form. */
uint64_t ls_config_hash(const ls_config *config, const char *const *except);

/* Appends text in lines of at most `columns` characters, each after the first indented; a newline
 * starts a line. */
void ls_wrap(ls_str *out, const char *text, int indent, int columns);

/* Recipes built into the program. */
typedef struct ls_recipe {
    const char *name, *help; /* help: first comment line of the file */
    const char *text;
    size_t n;
} ls_recipe;
const ls_recipe *ls_recipes(size_t *n);

#endif
