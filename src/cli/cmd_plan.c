/* leash plan [pretrain|sft|grpo]: what a run needs, before it starts. */
#include <stdio.h>
#include <string.h>

#include "base/mem.h"
#include "cli/cli.h"

leash_status ls_cmd_plan(const ls_command *self, int argc, char **argv)
{
    static const char *const methods[] = {"pretrain", "sft", "grpo"};
    leash_settings *settings = NULL;
    const char **rest = ls_malloc(((size_t)argc + 1) * sizeof *rest), *method = NULL;
    int n_rest = 0;
    bool is_done = false, wants_json = ls_cli_take_flag(&argc, argv, "--json");
    for (size_t i = 0; i < LS_COUNT(methods) && !method; i++)
        if (ls_cli_take_flag(&argc, argv, methods[i]))
            method = methods[i];
    leash_status status = ls_cli_settings(&settings, self, method, argc, argv, rest, &n_rest, &is_done);
    if (status == LEASH_OK && !is_done)
        status = ls_cli_no_arguments(self, n_rest, rest);
    if (status == LEASH_OK && !is_done) {
        char *text = NULL, *json = NULL;
        status = leash_plan(&text, &json, settings);
        if (status == LEASH_OK)
            printf("%s%s", wants_json ? json : text, wants_json ? "\n" : "");
        leash_free(text);
        leash_free(json);
    }
    leash_settings_free(settings);
    ls_free(rest);
    return status;
}
