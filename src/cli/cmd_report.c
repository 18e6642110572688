/* leash report RUN... [--output FILE]: one self-contained page. */
#include <stdio.h>

#include "base/file.h"
#include "cli/cli.h"

leash_status ls_cmd_report(const ls_command *self, int argc, char **argv)
{
    const char *output;
    char path[LS_PATH_MAX];
    if (ls_cli_take_flag(&argc, argv, "--help") || ls_cli_take_flag(&argc, argv, "-h")) {
        printf("leash %s %s [--output FILE.html]\n\n%s\n", self->name, self->arguments, self->help);
        return LEASH_OK;
    }
    LS_TRY(ls_cli_take_value(&output, &argc, argv, "--output"));
    if (argc < 1)
        return ls_fail(LEASH_USAGE, "leash report needs run directories: leash report runs/sft runs/grpo");
    if (!output)
        output = ls_path_join(path, argv[argc - 1], "report.html");
    LS_TRY(leash_report(output, (const char *const *)argv, argc));
    puts(output);
    return LEASH_OK;
}
