/* leash: finds the command, runs it, turns its status into text and exit code. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "kernels/kernels.h"

const ls_command ls_commands[] = {
#define LS_COMMAND_ROW(symbol, name, group, arguments, takes_settings, help, more) \
    {name, group, arguments, help, takes_settings, symbol, more},
#include "cli/commands.def"
#undef LS_COMMAND_ROW
};
const int64_t ls_n_commands = (int64_t)LS_COUNT(ls_commands);

/* They work as they stand, in any directory, within seconds (tests/e2e/test_cli_frame.c). */
static const char examples[] =
    "leash %s: RL post-training of language models as one native program\n"
    "\n"
    "Train a tiny model from nothing, improve it against a verifier, look at both:\n"
    "\n"
    "  leash pretrain --model tiny --task arithmetic --task_args digits=1 \\\n"
    "                 --learning_rate 3e-3 --max_steps 200 --output_dir runs/base\n"
    "  leash grpo --model runs/base --task arithmetic --task_args digits=1 \\\n"
    "             --gradient_accumulation_steps 8 --learning_rate 2e-4 --max_steps 60 \\\n"
    "             --output_dir runs/grpo\n"
    "  leash report runs/base runs/grpo\n"
    "\n"
    "  leash --help            all commands\n"
    "  leash COMMAND --help    the settings of a command\n"
    "  leash help KEY          one setting in full, for example: leash help beta\n";

static void log_line(void *user, ls_log_level level, const char *line)
{
    (void)user;
    ls_str text = LS_STR_INIT;
    ls_str_appendf(&text, "leash: %s%s", level >= LS_LOG_WARN ? "warning: " : "", line);
    ls_progress_message(text.data);
    ls_str_release(&text);
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
    ls_str shown = LS_STR_INIT;
    ls_str_append_visible(&shown, name, strlen(name));
    fprintf(stderr, "leash: unknown command '%s'%s%s%s; leash --help lists them\n", shown.data,
            near ? " (did you mean '" : "", near ? near : "", near ? "'?)" : "");
    ls_str_release(&shown);
    return LEASH_USAGE;
}

/* What a report of a fault needs: version, compiler, build, kernels of this processor. */
static void print_version(void)
{
    const ls_kernels *tables[3];
    int n = ls_kernels_available(tables);
    ls_print("leash %s (", leash_version());
#ifdef __clang__
    ls_print("clang %d.%d.%d", __clang_major__, __clang_minor__, __clang_patchlevel__);
#else
    ls_print("gcc %d.%d.%d", __GNUC__, __GNUC_MINOR__, __GNUC_PATCHLEVEL__);
#endif
    ls_print(", %s, kernels", LEASH_BUILD_TYPE);
    for (int i = 0; i < n; i++)
        ls_print(" %s", tables[i]->name);
    ls_print_text(")\n");
}

static leash_status run(int argc, char **argv)
{
    if (argc < 2) {
        ls_print(examples, leash_version());
        return LEASH_OK;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
        ls_cli_list_commands();
        return LEASH_OK;
    }
    if (strcmp(argv[1], "--version") == 0) {
        print_version();
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
    ls_output_open();
    ls_memory_set_handler(out_of_memory);
    ls_log_set_sink(log_line, NULL, LS_LOG_INFO);
    leash_status status = run(argc, argv);
    ls_output_close();
    return leash_status_exit_code(status);
}
