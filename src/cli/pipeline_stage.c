/* A stage of a pipeline: the arguments of its command, and the child process that runs it.  The
 * memory, signals and failures of a stage are its own. */
#include "cli/pipeline_run.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "train/metrics.h"

char *ls_stage_dir(char out[LS_PATH_MAX], const ls_pipeline_run *r, const ls_stage *stage)
{
    return ls_path_join(out, r->output_dir, stage->name);
}

/* "--key=value" in the pipeline's arena. */
static void add_argument(ls_arena *arena, char **argv, int *argc, const char *key,
                         const char *value)
{
    ls_str text = LS_STR_INIT;
    ls_str_appendf(&text, "--%s=%s", key, value);
    argv[(*argc)++] = ls_arena_strdup(arena, text.data);
    ls_str_release(&text);
}

static const ls_stage *find_stage(const ls_pipeline_run *r, const char *name)
{
    for (int64_t i = 0; i < r->pipeline.n_stages; i++)
        if (strcmp(r->pipeline.stages[i].name, name) == 0)
            return &r->pipeline.stages[i];
    return NULL;
}

/* argv[0] and argv[1] are the program and the command; *argc without the NULL at the end. */
static char **stage_arguments(ls_pipeline_run *r, const ls_stage *stage, int *argc)
{
    ls_arena *arena = &r->pipeline.arena;
    char dir[LS_PATH_MAX];
    char **argv =
        ls_arena_alloc(arena, (size_t)(stage->n_settings + r->n_overrides + 12) * sizeof *argv);
    int n = 0;
    argv[n++] = ls_arena_strdup(arena, "leash");
    argv[n++] = ls_arena_strdup(arena, stage->command);
    if (stage->recipe)
        add_argument(arena, argv, &n, "recipe", stage->recipe);
    for (int64_t i = 0; i < stage->n_settings; i++)
        add_argument(arena, argv, &n, stage->settings[i].key, stage->settings[i].value);
    if (stage->from)
        add_argument(arena, argv, &n, "model", ls_stage_dir(dir, r, find_stage(r, stage->from)));
    for (int i = 0; i < r->n_overrides; i++)
        argv[n++] = r->overrides[i];
    add_argument(arena, argv, &n, "output_dir", ls_stage_dir(dir, r, stage));
    if (r->resume)
        argv[n++] = ls_arena_strdup(arena, "--resume");
    if (r->overwrite)
        argv[n++] = ls_arena_strdup(arena, "--overwrite");
    if (r->wants_config)
        argv[n++] = ls_arena_strdup(arena, "--print-config");
    argv[n] = NULL;
    *argc = n;
    return argv;
}

/* A gate that no step can pass is found now, not after the training. */
static leash_status check_gate_name(const ls_stage *stage, const ls_run_options *options)
{
    const char *metric = stage->gate_metric;
    if (!metric)
        return LEASH_OK;
    if (!ls_metrics_exists(metric))
        return ls_fail(LEASH_USAGE, "gate: there is no metric '%s' (leash docs metrics lists them)",
                       metric);
    if (ls_starts_with(metric, "eval/") && !ls_run_has_evaluations(options))
        return ls_fail(LEASH_USAGE, "gate: %s needs evaluations: set eval_steps", metric);
    return LEASH_OK;
}

leash_status ls_stage_check(ls_pipeline_run *r, const ls_stage *stage)
{
    int argc;
    bool wants_config = r->wants_config;
    r->wants_config = false;
    char **argv = stage_arguments(r, stage, &argc);
    r->wants_config = wants_config;
    ls_command command = {.name = stage->command};
    ls_invocation inv;
    leash_status status = ls_cli_open_plain(&inv, &command, stage->command, argc - 2, argv + 2);
    if (status == LEASH_OK)
        status = ls_run_options_check(&inv.settings->options);
    if (status == LEASH_OK)
        status = check_gate_name(stage, &inv.settings->options);
    ls_cli_close(&inv);
    return status == LEASH_OK ? LEASH_OK : ls_fail_in(status, "%s: stage %s", r->path, stage->name);
}

/* In the child: signals as they were before, an end with the parent's, and the program again. */
LS_NORETURN static void become_stage(const ls_pipeline_run *r, char **argv, const sigset_t *mask)
{
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    signal(SIGINT, SIG_DFL);
    signal(SIGTERM, SIG_DFL);
    signal(SIGTTOU, SIG_IGN); /* its group is not the terminal's, its line of progress is */
    sigprocmask(SIG_SETMASK, mask, NULL);
    if (!r->wants_config && !freopen("/dev/null", "w", stdout))
        _exit(1);
    execv("/proc/self/exe", argv);
    fprintf(stderr, "leash: cannot start %s: %s\n", argv[1], strerror(errno));
    _exit(1);
}

/* The child's exit as a status; it has printed its own error. */
static leash_status wait_stage(pid_t child, const ls_stage *stage)
{
    int state;
    while (waitpid(child, &state, 0) < 0)
        if (errno != EINTR)
            return ls_fail_errno(LEASH_FAILED, "stage %s: cannot wait for it", stage->name);
    int code = WIFEXITED(state) ? WEXITSTATUS(state) : -1;
    if (code == 0)
        return LEASH_OK;
    if (code == leash_status_exit_code(LEASH_INTERRUPTED))
        return ls_fail(LEASH_INTERRUPTED,
                       "stage %s was stopped and saved: continue with leash run ... --resume",
                       stage->name);
    if (ls_cli_should_stop())
        return ls_fail(LEASH_INTERRUPTED,
                       "stage %s was stopped: continue with leash run ... --resume", stage->name);
    if (code == leash_status_exit_code(LEASH_STOPPED))
        return ls_fail(LEASH_STOPPED, "stage %s was stopped by a monitor", stage->name);
    if (code < 0)
        return ls_fail(LEASH_FAILED, "stage %s was ended by signal %d", stage->name,
                       WTERMSIG(state));
    return ls_fail(code == leash_status_exit_code(LEASH_USAGE) ? LEASH_USAGE : LEASH_FAILED,
                   "stage %s ended with code %d", stage->name, code);
}

/* Signals wait until the child is known, so that none is lost between fork and then. */
leash_status ls_stage_run(ls_pipeline_run *r, const ls_stage *stage)
{
    int argc;
    char **argv = stage_arguments(r, stage, &argc);
    sigset_t held, mask;
    sigemptyset(&held);
    sigaddset(&held, SIGINT);
    sigaddset(&held, SIGTERM);
    ls_output_flush();
    sigprocmask(SIG_BLOCK, &held, &mask);
    pid_t child = fork();
    if (child == 0)
        become_stage(r, argv, &mask);
    int error = errno;
    if (child > 0) {
        setpgid(child, child); /* whoever comes first, child or parent */
        ls_cli_set_child(child);
    }
    sigprocmask(SIG_SETMASK, &mask, NULL);
    if (child < 0)
        return ls_fail(LEASH_FAILED, "stage %s: cannot start a process: %s", stage->name,
                       strerror(error));
    leash_status status = wait_stage(child, stage);
    ls_cli_set_child(0);
    return status;
}
