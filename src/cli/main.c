/* leash: finds the command, runs it, turns its status into text and exit code. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"

const ls_command ls_commands[] = {
#define LS_COMMAND_ROW(symbol, name, group, arguments, help) {name, group, arguments, help, symbol},
#include "cli/commands.def"
#undef LS_COMMAND_ROW
};
const int64_t ls_n_commands = (int64_t)LS_COUNT(ls_commands);

static const char examples[] =
    "leash %s: RL post-training of language models as one native program\n"
    "\n"
    "Train a tiny model from nothing, then improve it against a verifier:\n"
    "\n"
    "  leash pretrain --model tiny --task arithmetic --max_steps 300 --output_dir runs/base\n"
    "  leash grpo --model runs/base --task arithmetic --learning_rate 3e-4 --max_steps 50 \\\n"
    "             --output_dir runs/grpo\n"
    "  leash report runs/base runs/grpo\n"
    "\n"
    "  leash COMMAND --help    the settings of a command\n"
    "  leash help KEY          one setting in full, for example: leash help beta\n"
    "\n";

static void print_commands(void)
{
    const char *group = "";
    for (int64_t i = 0; i < ls_n_commands; i++) {
        if (strcmp(group, ls_commands[i].group) != 0)
            printf("%s%s\n", i ? "\n" : "", ls_commands[i].group);
        group = ls_commands[i].group;
        printf("  %-12s%s\n", ls_commands[i].name, ls_commands[i].help);
    }
}

static void log_line(void *user, ls_log_level level, const char *line)
{
    (void)user;
    fprintf(stderr, "leash: %s%s\n", level >= LS_LOG_WARN ? "warning: " : "", line);
}

static void out_of_memory(const char *text)
{
    fprintf(stderr, "leash: %s\n", text);
    _Exit(leash_status_exit_code(LEASH_MEMORY));
}

static leash_status unknown_command(const char *name)
{
    const char *names[64];
    int64_t n = 0;
    for (; n < ls_n_commands && n < 64; n++)
        names[n] = ls_commands[n].name;
    const char *near = ls_nearest_name(name, names, n);
    fprintf(stderr, "leash: unknown command '%s'%s%s%s; leash --help lists them\n", name, near ? " (did you mean '" : "", near ? near : "",
            near ? "'?)" : "");
    return LEASH_USAGE;
}

static leash_status run(int argc, char **argv)
{
    if (argc < 2) {
        printf(examples, leash_version());
        return LEASH_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        printf(examples, leash_version());
        print_commands();
        return LEASH_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        printf("leash %s (%s %s)\n", leash_version(),
#ifdef __clang__
               "clang", __clang_version__);
#else
               "gcc", __VERSION__);
#endif
        return LEASH_OK;
    }
    for (int64_t i = 0; i < ls_n_commands; i++) {
        if (strcmp(argv[1], ls_commands[i].name) != 0)
            continue;
        leash_status status = ls_commands[i].run(&ls_commands[i], argc - 2, argv + 2);
        if (status != LEASH_OK && leash_error()[0])
            fprintf(stderr, "leash: %s\n", leash_error());
        return status;
    }
    return unknown_command(argv[1]);
}

int main(int argc, char **argv)
{
    signal(SIGPIPE, SIG_IGN);
    ls_memory_set_handler(out_of_memory);
    ls_log_set_sink(log_line, NULL, LS_LOG_INFO);
    int code = leash_status_exit_code(run(argc, argv));
    if (fflush(stdout) != 0 && code == 0)
        code = 1;
    return code;
}
