/* leash report RUN... [--output FILE]: one self-contained page. */
#include "base/file.h"
#include "cli/cli.h"

leash_status ls_cmd_report(const ls_command *self, int argc, char **argv)
{
    const char *output;
    char path[LS_PATH_MAX];
    bool is_done;
    LS_TRY(ls_cli_take_value(&output, &argc, argv, "--output"));
    LS_TRY(ls_cli_check_flags(&is_done, self, argc, argv));
    if (is_done)
        return LEASH_OK;
    if (argc < 1)
        return ls_fail(LEASH_USAGE,
                       "leash report needs run directories: leash report runs/sft runs/grpo");
    if (!output)
        output = ls_path_join(path, argv[argc - 1], "report.html");
    LS_TRY(leash_report(output, (const char *const *)argv, argc));
    ls_print("%s\n", output);
    return LEASH_OK;
}
