/* leash plan [pretrain|sft|dpo|kto|reward|prm|grpo|ppo|distill]: what a run needs, before it
 * starts. */
#include <string.h>

#include "cli/cli.h"

static leash_status plan(leash_settings *settings, bool wants_json)
{
    char *text = NULL, *json = NULL;
    LS_TRY(leash_plan(&text, &json, settings));
    ls_print("%s%s", wants_json ? json : text, wants_json ? "\n" : "");
    leash_free(text);
    leash_free(json);
    return LEASH_OK;
}

leash_status ls_cmd_plan(const ls_command *self, int argc, char **argv)
{
    static const char *const methods[] = {"pretrain", "sft",  "dpo", "kto",    "reward",
                                          "prm",      "grpo", "ppo", "distill"};
    bool wants_json = ls_cli_take_flag(&argc, argv, "--json");
    const char *method = NULL;
    ls_invocation inv;
    for (size_t i = 0; i < LS_COUNT(methods) && argc > 0; i++)
        if (strcmp(argv[0], methods[i]) == 0)
            method = methods[i];
    int skip = method != NULL;
    leash_status status = ls_cli_open_plain(&inv, self, method, argc - skip, argv + skip);
    if (status == LEASH_OK && !inv.is_done)
        status = plan(inv.settings, wants_json);
    ls_cli_close(&inv);
    return status;
}
