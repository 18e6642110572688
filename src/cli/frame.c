/* Flags and settings of commands, and their help. */
#include "cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/mem.h"

const ls_flag ls_flags[] = {
#define LS_FLAG_ROW(command, name, value, help) {command, name, value, help},
#include "cli/flags.def"
#undef LS_FLAG_ROW
};
const int64_t ls_n_flags = (int64_t)LS_COUNT(ls_flags);

#define OWN_COLUMNS 30 /* as the settings, see ls_config_help */

int ls_cli_columns(void)
{
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col < 40)
        return 80;
    return size.ws_col < 100 ? size.ws_col : 100;
}

void ls_wrap_help(ls_str *out, const char *name, const char *help, int columns)
{
    ls_str_appendf(out, "  %-13s ", name);
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
    return ls_fail(LEASH_USAGE,
                   "leash %s takes flags only, found '%s': a setting is --KEY VALUE, a switch "
                   "--KEY or --no-KEY",
                   self->name, rest[0]);
}

/* The command's own flags, in one column with the settings below them. */
static void append_own_flags(ls_str *out, const ls_command *self, int columns)
{
    bool has_heading = false;
    for (int64_t i = 0; i < ls_n_flags; i++) {
        const ls_flag *flag = &ls_flags[i];
        if (strcmp(flag->command, self->name) != 0)
            continue;
        ls_str_append(out, has_heading ? "" : "\n");
        has_heading = true;
        int n = (int)(strlen(flag->name) + strlen(flag->value)) + 3;
        ls_str_appendf(out, "  %s %s%*s", flag->name, flag->value,
                       n < OWN_COLUMNS ? OWN_COLUMNS - n : 1, "");
        ls_wrap(out, flag->help, OWN_COLUMNS, columns);
        ls_str_append_char(out, '\n');
    }
}

void ls_cli_command_help(const ls_command *self, const leash_settings *settings, bool advanced_too)
{
    ls_str text = LS_STR_INIT;
    int columns = ls_cli_columns();
    ls_str_appendf(&text, "leash %s%s%s%s\n\n%s\n", self->name, self->arguments[0] ? " " : "",
                   self->arguments, settings ? " [--KEY VALUE ...] [--config FILE.yaml]" : "",
                   self->help);
    if (self->more)
        ls_str_appendf(&text, "\n%s\n", self->more);
    append_own_flags(&text, self, columns);
    if (settings) {
        ls_config_help(settings->config, &text, columns, advanced_too);
        ls_str_append(&text, "\nEverywhere\n"
                             "  --config FILE, -c FILE      Settings from a YAML file.\n"
                             "  --recipe NAME               A built-in recipe; see leash info.\n"
                             "  --print-config              Print all settings with their "
                             "origins, do nothing.\n");
        if (!advanced_too)
            ls_str_appendf(&text,
                           "\nMore settings: leash %s --help-all\n"
                           "One in full:   leash help KEY\n",
                           self->name);
    }
    ls_print_text(text.data);
    ls_str_release(&text);
}

void ls_cli_list_commands(void)
{
    const char *group = "";
    for (int64_t i = 0; i < ls_n_commands; i++) {
        if (strcmp(group, ls_commands[i].group) != 0)
            ls_print("%s%s\n", i ? "\n" : "", ls_commands[i].group);
        group = ls_commands[i].group;
        ls_print("  %-12s%s\n", ls_commands[i].name, ls_commands[i].help);
    }
}

static bool take_help(int *argc, char **argv)
{
    return ls_cli_take_flag(argc, argv, "--help") || ls_cli_take_flag(argc, argv, "-h");
}

static leash_status unknown_flag(const ls_command *self, const char *typed)
{
    const char *names[16] = {"--help"};
    int64_t n = 1;
    for (int64_t i = 0; i < ls_n_flags && n < (int64_t)LS_COUNT(names); i++)
        if (strcmp(ls_flags[i].command, self->name) == 0)
            names[n++] = ls_flags[i].name;
    int length = (int)strcspn(typed, "=");
    ls_str flag = LS_STR_INIT;
    ls_str_append_visible(&flag, typed, (size_t)length);
    const char *near = ls_nearest_name(flag.data, names, n);
    leash_status status = LEASH_USAGE;
    if (near)
        status = ls_fail(status, "%s: unknown option (did you mean '%s'?)", flag.data, near);
    else
        status = ls_fail(status, "%s: unknown option (leash %s --help lists what it takes)",
                         flag.data, self->name);
    ls_str_release(&flag);
    return status;
}

leash_status ls_cli_check_flags(bool *is_done, const ls_command *self, int argc, char **argv)
{
    *is_done = take_help(&argc, argv);
    if (*is_done)
        ls_cli_command_help(self, NULL, false);
    for (int i = 0; i < argc && !*is_done; i++)
        if (argv[i][0] == '-' && argv[i][1])
            return unknown_flag(self, argv[i]);
    return LEASH_OK;
}

static bool has_recipe_flag(int argc, char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--recipe") == 0 || ls_starts_with(argv[i], "--recipe="))
            return true;
    return false;
}

leash_status ls_cli_open(ls_invocation *out, const ls_command *self, const char *recipe, int argc,
                         char **argv)
{
    bool wants_all = ls_cli_take_flag(&argc, argv, "--help-all"), wants_help = wants_all;
    wants_help |= take_help(&argc, argv);
    bool wants_config = ls_cli_take_flag(&argc, argv, "--print-config");
    *out = (ls_invocation){.is_done = wants_help || wants_config};
    LS_TRY(leash_settings_new(&out->settings, has_recipe_flag(argc, argv) ? NULL : recipe));
    if (wants_help) {
        ls_cli_command_help(self, out->settings, wants_all);
        return LEASH_OK;
    }
    out->rest = ls_malloc(((size_t)argc + 1) * sizeof *out->rest);
    LS_TRY(ls_config_parse_args(out->settings->config, argc, argv, out->rest, &out->n_rest));
    LS_TRY(ls_settings_derive(out->settings, self->name));
    if (wants_config)
        ls_print("# leash %s\n\n%s", self->name, leash_settings_yaml(out->settings));
    return LEASH_OK;
}

leash_status ls_cli_open_plain(ls_invocation *out, const ls_command *self, const char *recipe,
                               int argc, char **argv)
{
    LS_TRY(ls_cli_open(out, self, recipe, argc, argv));
    return ls_cli_no_arguments(self, out->n_rest, out->rest);
}

void ls_cli_close(ls_invocation *invocation)
{
    leash_settings_free(invocation->settings);
    ls_free(invocation->rest);
    *invocation = (ls_invocation){0};
}
