/* Flags and settings of commands, and their help. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"
#include "cli/cli.h"

int ls_cli_columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 40)
        return 80;
    return size.ws_col < 100 ? size.ws_col : 100;
}

void ls_wrap_help(ls_str *out, const char *name, const char *help, int columns)
{
    ls_str_appendf(out, "  %-14s", name);
    ls_wrap(out, help, 16, columns);
    ls_str_append_char(out, '\n');
}

static void remove_arguments(int *argc, char **argv, int at, int n)
{
    for (int i = at; i + n < *argc; i++)
        argv[i] = argv[i + n];
    *argc -= n;
}

bool ls_cli_take_flag(int *argc, char **argv, const char *name)
{
    for (int i = 0; i < *argc; i++) {
        if (strcmp(argv[i], name) == 0) {
            remove_arguments(argc, argv, i, 1);
            return true;
        }
    }
    return false;
}

leash_status ls_cli_take_value(const char **value, int *argc, char **argv, const char *name)
{
    size_t n = strlen(name);
    *value = NULL;
    for (int i = 0; i < *argc; i++) {
        if (strncmp(argv[i], name, n) == 0 && argv[i][n] == '=') {
            *value = argv[i] + n + 1;
            remove_arguments(argc, argv, i, 1);
            return LEASH_OK;
        }
        if (strcmp(argv[i], name) != 0)
            continue;
        if (i + 1 >= *argc)
            return ls_fail(LEASH_USAGE, "%s: a value is missing", name);
        *value = argv[i + 1];
        remove_arguments(argc, argv, i, 2);
        return LEASH_OK;
    }
    return LEASH_OK;
}

leash_status ls_cli_no_arguments(const ls_command *self, int n_rest, const char *const *rest)
{
    if (n_rest == 0)
        return LEASH_OK;
    return ls_fail(LEASH_USAGE, "leash %s takes flags only, found '%s' (did you mean --%s?)", self->name, rest[0], rest[0]);
}

void ls_cli_command_help(const ls_command *self, const leash_settings *settings, bool advanced_too)
{
    printf("leash %s %s%s[--KEY VALUE ...] [--config FILE.yaml]\n\n%s\n", self->name, self->arguments, self->arguments[0] ? " " : "",
           self->help);
    ls_str text = LS_STR_INIT;
    ls_config_help(settings->config, &text, ls_cli_columns(), advanced_too);
    fputs(text.data, stdout);
    ls_str_release(&text);
    if (!advanced_too)
        printf("\nMore settings: leash %s --help-all\n", self->name);
}

static bool has_recipe_flag(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--recipe") == 0 || ls_starts_with(argv[i], "--recipe="))
            return true;
    return false;
}

leash_status ls_cli_settings(leash_settings **out, const ls_command *self, const char *recipe, int argc, char **argv, const char **rest,
                             int *n_rest, bool *is_done)
{
    bool wants_all = ls_cli_take_flag(&argc, argv, "--help-all");
    bool wants_help = ls_cli_take_flag(&argc, argv, "--help") || ls_cli_take_flag(&argc, argv, "-h");
    *is_done = false;
    *n_rest = 0;
    LS_TRY(leash_settings_new(out, has_recipe_flag(argc, argv) ? NULL : recipe));
    if (wants_all || wants_help) {
        ls_cli_command_help(self, *out, wants_all);
        *is_done = true;
        return LEASH_OK;
    }
    return ls_config_parse_args((*out)->config, argc, argv, rest, n_rest);
}
