/* The command-line frame: commands, their flags and help, signals.  The only layer that prints and
 * exits.
 *
 * stdout carries results (cli/output.h), stderr carries progress and errors (cli/progress.h).  A
 * command is a file with a run function and a row in commands.def; flags that are no settings have
 * rows in flags.def. */
#ifndef LS_CLI_CLI_H
#define LS_CLI_CLI_H

#include <stdbool.h>
#include "api/settings.h"
#include "base/str.h"
#include "cli/output.h"
#include "leash/leash.h"

typedef struct ls_command {
    const char *name, *group, *arguments, *help;
    bool takes_settings;
    /* argv: what follows the command's name */
    leash_status (*run)(const struct ls_command *self, int argc, char **argv);
    const char *more; /* paragraphs below the help, NULL: none */
} ls_command;

/* A flag of one command that is no setting. */
typedef struct ls_flag {
    const char *command, *name, *value, *help; /* value: "" for a switch */
} ls_flag;

#define LS_COMMAND_ROW(symbol, name, group, arguments, takes_settings, help, more) \
    leash_status symbol(const ls_command *self, int argc, char **argv);
#include "cli/commands.def"
#undef LS_COMMAND_ROW
extern const ls_command ls_commands[];
extern const int64_t ls_n_commands;
extern const ls_flag ls_flags[];
extern const int64_t ls_n_flags;

/* --- commands that take settings --- */

typedef struct ls_invocation {
    leash_settings *settings;
    const char **rest; /* arguments that are no flags */
    int n_rest;
    bool is_done; /* --help or --print-config was all that was wanted */
} ls_invocation;

/* Parses settings, after the command has taken its own flags, and derives those that follow from
 * others.  recipe NULL: none by default (a --recipe flag replaces it).  Close it also after an
 * error. */
leash_status ls_cli_open(ls_invocation *out, const ls_command *self, const char *recipe, int argc,
                         char **argv) LEASH_MUST_USE;
/* The same for a command without arguments: those are a LEASH_USAGE. */
leash_status ls_cli_open_plain(ls_invocation *out, const ls_command *self, const char *recipe,
                               int argc, char **argv) LEASH_MUST_USE;
/* A training command: settings, the run, its result. */
leash_status ls_cli_train(const ls_command *self, const char *recipe, int argc,
                          char **argv) LEASH_MUST_USE;
void ls_cli_close(ls_invocation *invocation);

/* --- commands that take none --- */

/* After the command has taken its own flags: prints the help when it is asked for and sets
 * *is_done, else refuses what still looks like a flag, with the nearest one of the command. */
leash_status ls_cli_check_flags(bool *is_done, const ls_command *self, int argc,
                                char **argv) LEASH_MUST_USE;

/* --- both --- */

/* Take "--name" / "--name VALUE" / "--name=VALUE" out of argv.  False, NULL: it is not there. */
bool ls_cli_take_flag(int *argc, char **argv, const char *name);
leash_status ls_cli_take_value(const char **value, int *argc, char **argv,
                               const char *name) LEASH_MUST_USE;
/* Errors: LEASH_USAGE when there are arguments. */
leash_status ls_cli_no_arguments(const ls_command *self, int n_rest,
                                 const char *const *rest) LEASH_MUST_USE;

/* "  name        help", the help wrapped under itself from column 16. */
void ls_wrap_help(ls_str *out, const char *name, const char *help, int columns);
int ls_cli_columns(void); /* of the terminal, at most 100 for text; 80 elsewhere */
/* settings NULL: of a command that takes none. */
void ls_cli_command_help(const ls_command *self, const leash_settings *settings, bool advanced_too);
void ls_cli_list_commands(void);

/* First SIGINT or SIGTERM: ls_cli_should_stop turns true.  A second one ends the process at once.
 * Both are passed on to the child process that is set (0: none). */
void ls_cli_catch_signals(void);
bool ls_cli_should_stop(void);
/* The next signal counts as a first one again. */
void ls_cli_clear_stop(void);
void ls_cli_set_child(int pid);

#endif
