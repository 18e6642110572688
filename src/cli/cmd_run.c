/* leash run PIPELINE.yaml: several stages with gates between them.
 *
 * All stages are checked before the first one starts.  With --resume a stage whose final/ is there
 * is skipped (its gate still holds) and an unfinished one continues from its newest checkpoint.  A
 * summary and report.html end the run. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/pipeline_run.h"
#include "eval/run_log.h"

static bool stage_is_done(const ls_pipeline_run *r, const ls_stage *stage)
{
    char dir[LS_PATH_MAX], final[LS_PATH_MAX];
    return ls_dir_exists(ls_path_join(final, ls_stage_dir(dir, r, stage), "final"));
}

static leash_status check_gate(const ls_pipeline_run *r, const ls_stage *stage)
{
    if (!stage->gate_metric)
        return LEASH_OK;
    char dir[LS_PATH_MAX], found[32], wanted[32];
    ls_run_log log;
    LS_TRY(ls_run_log_open(&log, ls_stage_dir(dir, r, stage)));
    double value = ls_run_log_last(&log, stage->gate_metric);
    ls_run_log_close(&log);
    if (value >= stage->gate_min)
        return LEASH_OK;
    return ls_fail(LEASH_STOPPED, "gate of stage %s: %s is %s, at least %s is needed", stage->name,
                   stage->gate_metric, isnan(value) ? "missing" : ls_format_double(found, value),
                   ls_format_double(wanted, stage->gate_min));
}

static leash_status run_stages(ls_pipeline_run *r)
{
    int64_t n = r->pipeline.n_stages;
    for (int64_t i = 0; i < n; i++) {
        const ls_stage *stage = &r->pipeline.stages[i];
        char dir[LS_PATH_MAX];
        bool is_done = r->resume && stage_is_done(r, stage);
        fprintf(stderr, "stage %lld/%lld %s: %s%s\n", (long long)i + 1, (long long)n, stage->name,
                ls_stage_dir(dir, r, stage), is_done ? " is complete" : "");
        if (!is_done)
            LS_TRY(ls_stage_run(r, stage));
        LS_TRY(check_gate(r, stage));
        if (ls_cli_should_stop() && i + 1 < n)
            return ls_fail(LEASH_INTERRUPTED,
                           "stopped after stage %s: continue with leash run ... --resume",
                           stage->name);
    }
    return LEASH_OK;
}

static leash_status write_report(const ls_pipeline_run *r, const char *path)
{
    char dirs[LS_PIPELINE_STAGES][LS_PATH_MAX];
    const char *list[LS_PIPELINE_STAGES];
    for (int64_t i = 0; i < r->pipeline.n_stages; i++)
        list[i] = ls_stage_dir(dirs[i], r, &r->pipeline.stages[i]);
    return leash_report(path, list, r->pipeline.n_stages);
}

static leash_status print_configs(ls_pipeline_run *r)
{
    for (int64_t i = 0; i < r->pipeline.n_stages; i++) {
        ls_print("%s# stage %s\n", i ? "\n" : "", r->pipeline.stages[i].name);
        LS_TRY(ls_stage_run(r, &r->pipeline.stages[i]));
    }
    return LEASH_OK;
}

static leash_status run_pipeline(ls_pipeline_run *r, bool wants_json)
{
    double started = ls_clock_seconds();
    char directory[LS_PATH_MAX], report[LS_PATH_MAX], total[32];
    if (!r->output_dir)
        r->output_dir = ls_path_join(directory, "runs", r->pipeline.name);
    for (int64_t i = 0; i < r->pipeline.n_stages; i++)
        LS_TRY(ls_stage_check(r, &r->pipeline.stages[i]));
    ls_cli_catch_signals();
    if (r->wants_config)
        return print_configs(r);
    LS_TRY(run_stages(r));
    LS_TRY(write_report(r, ls_path_join(report, r->output_dir, "report.html")));
    double seconds = ls_clock_seconds() - started;
    fprintf(stderr, "%lld stages in %s\n\n", (long long)r->pipeline.n_stages,
            ls_format_seconds(total, seconds));
    if (wants_json)
        ls_pipeline_print_json(r, report, seconds);
    else
        ls_pipeline_print_table(r, report);
    return LEASH_OK;
}

/* The one argument that is no flag and no value of one; the others stay as flags of every stage. */
static leash_status take_path(ls_pipeline_run *r, int argc, char **argv)
{
    leash_settings *settings;
    const char **rest = ls_malloc(((size_t)argc + 1) * sizeof *rest);
    int n_rest = 0;
    leash_status status = leash_settings_new(&settings, NULL);
    if (status == LEASH_OK) {
        status = ls_config_parse_args(settings->config, argc, argv, rest, &n_rest);
        leash_settings_free(settings);
    }
    if (status == LEASH_OK && n_rest != 1)
        status = ls_fail(LEASH_USAGE, "leash run needs one pipeline file: leash run PIPELINE.yaml");
    for (int i = 0; status == LEASH_OK && i < argc; i++) {
        if (argv[i] == rest[0])
            r->path = argv[i];
        else
            argv[r->n_overrides++] = argv[i];
    }
    r->overrides = argv;
    ls_free(rest);
    return status;
}

leash_status ls_cmd_run(const ls_command *self, int argc, char **argv)
{
    if (ls_cli_take_flag(&argc, argv, "--help") || ls_cli_take_flag(&argc, argv, "-h")) {
        ls_cli_command_help(self, NULL, false);
        return LEASH_OK;
    }
    ls_pipeline_run *r = ls_calloc(1, sizeof *r);
    bool wants_json = ls_cli_take_flag(&argc, argv, "--json");
    r->resume = ls_cli_take_flag(&argc, argv, "--resume");
    r->overwrite = ls_cli_take_flag(&argc, argv, "--overwrite");
    r->wants_config = ls_cli_take_flag(&argc, argv, "--print-config");
    leash_status status;
    LS_TRY_OUT(ls_cli_take_value(&r->output_dir, &argc, argv, "--output_dir"));
    LS_TRY_OUT(take_path(r, argc, argv));
    LS_TRY_OUT(ls_pipeline_load(&r->pipeline, r->path));
    status = run_pipeline(r, wants_json);
    ls_pipeline_release(&r->pipeline);
out:
    ls_free(r);
    return status;
}
