/* leash convert: a model as a folder or a GGUF file, an adapter merged into it. */
#include "cli/cli.h"

static leash_status convert(const ls_command *self, int argc, char **argv, const char *dtype,
                            bool adapter_alone)
{
    ls_invocation inv;
    leash_status status = ls_cli_open(&inv, self, NULL, argc, argv);
    if (status == LEASH_OK && !inv.is_done) {
        if (inv.n_rest != 1)
            status = ls_fail(LEASH_USAGE, "leash convert needs one path to write to: "
                                          "leash convert --model IN OUT, or OUT.gguf");
        else
            status = leash_convert(inv.settings, inv.rest[0], dtype, adapter_alone);
        if (status == LEASH_OK)
            ls_print("%s\n", inv.rest[0]);
    }
    ls_cli_close(&inv);
    return status;
}

leash_status ls_cmd_convert(const ls_command *self, int argc, char **argv)
{
    const char *dtype;
    bool adapter_alone = ls_cli_take_flag(&argc, argv, "--adapter-alone");
    LS_TRY(ls_cli_take_value(&dtype, &argc, argv, "--dtype"));
    return convert(self, argc, argv, dtype, adapter_alone);
}
