/* The command-line frame: commands, progress, tables, signals.  The only layer that prints and exits.
 *
 * stdout carries results, stderr carries progress and errors.  A command is a file with a run function and a row in commands.def. */
#ifndef LS_CLI_CLI_H
#define LS_CLI_CLI_H

#include <stdbool.h>
#include "api/settings.h"
#include "base/str.h"
#include "leash/leash.h"

typedef struct ls_command {
    const char *name, *group, *arguments, *help;
    leash_status (*run)(const struct ls_command *self, int argc, char **argv); /* argv after the command's name */
} ls_command;

#define LS_COMMAND_ROW(symbol, name, group, arguments, help) leash_status symbol(const ls_command *self, int argc, char **argv);
#include "cli/commands.def"
#undef LS_COMMAND_ROW
extern const ls_command ls_commands[];
extern const int64_t ls_n_commands;

/* Parses the flags of a command that takes settings.  --help prints and sets *is_done.  recipe NULL: none by default (a --recipe flag replaces
 * it).  Arguments that are no flags go to rest (argc of room). */
leash_status ls_cli_settings(leash_settings **out, const ls_command *self, const char *recipe, int argc, char **argv, const char **rest,
                             int *n_rest, bool *is_done) LEASH_MUST_USE;
/* Takes "--name" / "--name VALUE" out of argv; before settings are parsed.  False when it is not there. */
bool ls_cli_take_flag(int *argc, char **argv, const char *name);
leash_status ls_cli_take_value(const char **value, int *argc, char **argv, const char *name) LEASH_MUST_USE;
/* Errors: LEASH_USAGE when there are arguments. */
leash_status ls_cli_no_arguments(const ls_command *self, int n_rest, const char *const *rest) LEASH_MUST_USE;
/* "  name        help", the help wrapped under itself. */
void ls_wrap_help(ls_str *out, const char *name, const char *help, int columns);
int ls_cli_columns(void); /* of the terminal, at most 100 for text; 80 elsewhere */
void ls_cli_command_help(const ls_command *self, const leash_settings *settings, bool advanced_too);

/* Progress of steps on stderr: one line redrawn on a terminal, plain lines elsewhere. */
typedef struct ls_progress {
    bool is_terminal;
    double started, last_drawn;
    int64_t first_step; /* of this process: a resumed run starts later */
    int64_t every;      /* plain lines: steps between them            */
    char label[32], note[160];
} ls_progress;
void ls_progress_start(ls_progress *p, const char *label, int64_t every);
/* share: of the step that is going on.  note: figures shown at the end of the line. */
void ls_progress_draw(ls_progress *p, int64_t step, int64_t n_steps, const char *phase, double share);
void ls_progress_step(ls_progress *p, int64_t step, int64_t n_steps, const char *note);
void ls_progress_end(ls_progress *p);

/* First SIGINT or SIGTERM: ls_cli_should_stop turns true.  A second one ends the process at once. */
void ls_cli_catch_signals(void);
bool ls_cli_should_stop(void);

#endif
