/* leash inspect: what a model's files hold. */
#include "cli/cli.h"

leash_status ls_cmd_inspect(const ls_command *self, int argc, char **argv)
{
    ls_invocation inv;
    bool wants_json = ls_cli_take_flag(&argc, argv, "--json");
    leash_status status = ls_cli_open_plain(&inv, self, NULL, argc, argv);
    if (status == LEASH_OK && !inv.is_done) {
        char *text = NULL;
        status = leash_inspect(wants_json ? NULL : &text, wants_json ? &text : NULL, inv.settings);
        if (status == LEASH_OK)
            ls_print("%s%s", text, wants_json ? "\n" : "");
        leash_free(text);
    }
    ls_cli_close(&inv);
    return status;
}
