/* leash run PIPELINE.yaml: each stage is a child process `leash COMMAND ...`, so that a stage's memory, signals and failures are its own.
 *
 * A stage whose final/ is there is done and is skipped with --resume; an unfinished one continues from its newest checkpoint.  A summary
 * table and report.html end the run. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "cli/pipeline.h"
#include "eval/run_log.h"

typedef struct runner {
    ls_pipeline pipeline;
    const char *output_dir;
    bool resume, overwrite;
    char **overrides; /* flags for every stage */
    int n_overrides;
} runner;

static char *stage_dir(const runner *r, const ls_stage *stage, char out[LS_PATH_MAX])
{
    return ls_path_join(out, r->output_dir, stage->name);
}

static bool stage_is_done(const runner *r, const ls_stage *stage)
{
    char dir[LS_PATH_MAX], final[LS_PATH_MAX];
    return ls_dir_exists(ls_path_join(final, stage_dir(r, stage, dir), "final"));
}

/* "--key=value" on the heap of the argument list. */
static void add_argument(ls_arena *arena, char **argv, int *argc, const char *key, const char *value)
{
    ls_str text = LS_STR_INIT;
    ls_str_appendf(&text, "--%s=%s", key, value);
    argv[(*argc)++] = ls_arena_strdup(arena, text.data);
    ls_str_release(&text);
}

static const ls_stage *find_stage(const runner *r, const char *name)
{
    for (int64_t i = 0; i < r->pipeline.n_stages; i++)
        if (strcmp(r->pipeline.stages[i].name, name) == 0)
            return &r->pipeline.stages[i];
    return NULL;
}

static char **stage_arguments(runner *r, const ls_stage *stage)
{
    ls_arena *arena = &r->pipeline.arena;
    char dir[LS_PATH_MAX];
    int argc = 0;
    char **argv = ls_arena_alloc(arena, (size_t)(stage->n_settings + r->n_overrides + 12) * sizeof *argv);
    argv[argc++] = ls_arena_strdup(arena, "leash");
    argv[argc++] = ls_arena_strdup(arena, stage->command);
    if (stage->recipe)
        add_argument(arena, argv, &argc, "recipe", stage->recipe);
    for (int64_t i = 0; i < stage->n_settings; i++)
        add_argument(arena, argv, &argc, stage->settings[i].key, stage->settings[i].value);
    if (stage->from)
        add_argument(arena, argv, &argc, "model", stage_dir(r, find_stage(r, stage->from), dir));
    for (int i = 0; i < r->n_overrides; i++)
        argv[argc++] = r->overrides[i];
    add_argument(arena, argv, &argc, "output_dir", stage_dir(r, stage, dir));
    if (r->resume)
        argv[argc++] = ls_arena_strdup(arena, "--resume");
    if (r->overwrite)
        argv[argc++] = ls_arena_strdup(arena, "--overwrite");
    argv[argc] = NULL;
    return argv;
}

/* The child's exit as a status; it has printed its own error. */
static leash_status wait_stage(pid_t child, const ls_stage *stage)
{
    int state;
    while (waitpid(child, &state, 0) < 0)
        if (errno != EINTR)
            return ls_fail_errno(LEASH_FAILED, "stage %s: cannot wait for it", stage->name);
    if (WIFEXITED(state) && WEXITSTATUS(state) == 0)
        return LEASH_OK;
    if (WIFEXITED(state) && WEXITSTATUS(state) == leash_status_exit_code(LEASH_INTERRUPTED))
        return ls_fail(LEASH_INTERRUPTED, "stage %s was stopped and saved: continue with leash run ... --resume", stage->name);
    if (WIFEXITED(state) && WEXITSTATUS(state) == leash_status_exit_code(LEASH_STOPPED))
        return ls_fail(LEASH_STOPPED, "stage %s was stopped by a monitor", stage->name);
    if (WIFEXITED(state))
        return ls_fail(WEXITSTATUS(state) == 2 ? LEASH_USAGE : LEASH_FAILED, "stage %s ended with code %d", stage->name, WEXITSTATUS(state));
    return ls_fail(LEASH_FAILED, "stage %s was ended by signal %d", stage->name, WTERMSIG(state));
}

static leash_status run_stage(runner *r, const ls_stage *stage)
{
    char **argv = stage_arguments(r, stage);
    fflush(stdout);
    pid_t child = fork();
    if (child < 0)
        return ls_fail_errno(LEASH_FAILED, "stage %s: cannot start a process", stage->name);
    if (child == 0) {
        if (!freopen("/dev/null", "w", stdout))
            _exit(1);
        execv("/proc/self/exe", argv);
        _exit(127);
    }
    return wait_stage(child, stage);
}

static leash_status check_gate(const runner *r, const ls_stage *stage)
{
    if (!stage->gate_metric)
        return LEASH_OK;
    char dir[LS_PATH_MAX], found[32], wanted[32];
    ls_run_log log;
    LS_TRY(ls_run_log_open(&log, stage_dir(r, stage, dir)));
    double value = ls_run_log_last(&log, stage->gate_metric);
    ls_run_log_close(&log);
    if (value >= stage->gate_min)
        return LEASH_OK;
    return ls_fail(LEASH_STOPPED, "gate of stage %s: %s is %s, at least %s is needed", stage->name, stage->gate_metric,
                   isnan(value) ? "missing" : ls_format_double(found, value), ls_format_double(wanted, stage->gate_min));
}

static void print_cell(double value, const char *format, int width)
{
    char text[48] = "-";
    if (!isnan(value))
        snprintf(text, sizeof text, format, value);
    printf("%*s", width, text);
}

static void print_summary(const runner *r)
{
    double compared = 0, mismatched = 0;
    printf("\n%-10s %8s  %-14s %8s %8s %7s %9s %9s\n", "stage", "accuracy", "95 %", "lenient", "KL", "length", "rollout", "training");
    printf("%-10s %8s  %-14s %8s %8s %7s %9s %9s\n", "", "held-out", "", "", "nats", "tokens", "tok/s", "tok/s");
    for (int64_t i = 0; i < r->pipeline.n_stages; i++) {
        char dir[LS_PATH_MAX], interval[40] = "-";
        ls_run_log log;
        if (ls_run_log_open(&log, stage_dir(r, &r->pipeline.stages[i], dir)) != LEASH_OK)
            continue;
        double low = ls_run_log_last(&log, "eval/accuracy_low"), high = ls_run_log_last(&log, "eval/accuracy_high");
        double more = ls_run_log_sum(&log, "rollout/compared"), rollout = ls_run_log_median(&log, "tokens_per_second/rollout");
        if (!isnan(low))
            snprintf(interval, sizeof interval, "[%.1f, %.1f]", 100 * low, 100 * high);
        printf("%-10s", r->pipeline.stages[i].name);
        print_cell(100 * ls_run_log_last(&log, "eval/accuracy"), "%.1f %%", 9);
        printf("  %-14s", interval);
        print_cell(100 * ls_run_log_last(&log, "eval/accuracy_lenient"), "%.1f %%", 9);
        print_cell(ls_run_log_last(&log, "kl/seq_k1"), "%.3f", 9);
        print_cell(ls_run_log_last(&log, "eval/mean_length"), "%.1f", 8);
        print_cell(isnan(rollout) ? ls_run_log_last(&log, "tokens_per_second/eval") : rollout, "%.0f", 10);
        print_cell(ls_run_log_median(&log, "tokens_per_second/train"), "%.0f", 10);
        printf("\n");
        if (!isnan(more)) {
            compared += more;
            mismatched += ls_run_log_sum(&log, "rollout/mismatched");
        }
        ls_run_log_close(&log);
    }
    if (compared > 0)
        printf("\nrollout = training: %.0f of %.0f log-probabilities differ\n", mismatched, compared);
}

static leash_status write_report(const runner *r)
{
    char path[LS_PATH_MAX], dirs[LS_PIPELINE_STAGES][LS_PATH_MAX];
    const char *list[LS_PIPELINE_STAGES];
    for (int64_t i = 0; i < r->pipeline.n_stages; i++)
        list[i] = stage_dir(r, &r->pipeline.stages[i], dirs[i]);
    LS_TRY(leash_report(ls_path_join(path, r->output_dir, "report.html"), list, r->pipeline.n_stages));
    printf("report: %s\n", path);
    return LEASH_OK;
}

static leash_status run_pipeline(runner *r)
{
    ls_cli_catch_signals();
    for (int64_t i = 0; i < r->pipeline.n_stages; i++) {
        const ls_stage *stage = &r->pipeline.stages[i];
        if (r->resume && stage_is_done(r, stage))
            continue;
        LS_TRY(run_stage(r, stage));
        LS_TRY(check_gate(r, stage));
        if (ls_cli_should_stop())
            return ls_fail(LEASH_INTERRUPTED, "stopped after stage %s: continue with leash run ... --resume", stage->name);
    }
    print_summary(r);
    return write_report(r);
}

leash_status ls_cmd_run(const ls_command *self, int argc, char **argv)
{
    runner *r = ls_calloc(1, sizeof *r);
    char directory[LS_PATH_MAX];
    leash_status status = LEASH_OK;
    if (ls_cli_take_flag(&argc, argv, "--help") || ls_cli_take_flag(&argc, argv, "-h")) {
        printf("leash %s %s [--output_dir DIR] [--resume] [--overwrite] [--KEY=VALUE ...]\n\n%s\nOther flags go to every stage.\n", self->name,
               self->arguments, self->help);
        goto out;
    }
    r->resume = ls_cli_take_flag(&argc, argv, "--resume");
    r->overwrite = ls_cli_take_flag(&argc, argv, "--overwrite");
    LS_TRY_OUT(ls_cli_take_value(&r->output_dir, &argc, argv, "--output_dir"));
    if (argc < 1 || argv[0][0] == '-') {
        status = ls_fail(LEASH_USAGE, "leash run needs a pipeline file: leash run PIPELINE.yaml");
        goto out;
    }
    r->overrides = argv + 1;
    r->n_overrides = argc - 1;
    LS_TRY_OUT(ls_pipeline_load(&r->pipeline, argv[0]));
    if (!r->output_dir)
        r->output_dir = ls_path_join(directory, "runs", r->pipeline.name);
    status = run_pipeline(r);
    ls_pipeline_release(&r->pipeline);
out:
    ls_free(r);
    return status;
}
