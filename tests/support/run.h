/* For tests of whole runs: the program as a child process, its output, temporary directories, and
 * what a run left behind.
 *
 *     run_workspace_open();                                          in a group's setup: an empty
 *       current directory
 *     run_ok("grpo --model tiny %s --output_dir a", TASK);           fails the test with stderr
 *       unless the exit code is 0
 *     run_result r = run_program("plan --task 'a b'");               words are split at blanks,
 *       '...' is one word
 *     assert_same_run("a", "b");                                     weights, moments, metrics,
 *       completions
 *     run_workspace_close();                                         removes everything
 *
 * A program that does not end is killed after RUN_LIMIT_S and fails the test; nothing else looks at
 * the clock. */
#ifndef RUN_FIXTURE_H
#define RUN_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include <jansson.h>
#include "base/clock.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"
#include "train/metrics.h"

#define RUN_LIMIT_S 300.0
#define RUN_WORDS_MAX 96

#define assert_ok(call)                               \
    do {                                              \
        if ((call) != LEASH_OK)                       \
            fail_msg("%s: %s", #call, leash_error()); \
    } while (0)

/* --- how much --- */

/* Sanitizer builds set LEASH_TEST_QUICK: the same claims over fewer cases. */
static inline bool run_is_quick(void)
{
    const char *value = getenv("LEASH_TEST_QUICK");
    return value && value[0] && strcmp(value, "0") != 0;
}

static inline int run_count(int full, int quick)
{
    return run_is_quick() ? quick : full;
}

/* --- workspaces --- */

static char run_workspace[LS_PATH_MAX], run_former_dir[LS_PATH_MAX];

/* Makes an empty directory below $TMPDIR the current one. */
static inline int run_workspace_open(void)
{
    const char *parent = getenv("TMPDIR");
    snprintf(run_workspace, sizeof run_workspace, "%s/leash-test-XXXXXX", parent ? parent : "/tmp");
    assert_non_null(getcwd(run_former_dir, sizeof run_former_dir));
    assert_non_null(mkdtemp(run_workspace));
    return chdir(run_workspace);
}

static inline int run_workspace_close(void)
{
    int failed = chdir(run_former_dir);
    return ls_dir_remove(run_workspace) != LEASH_OK || failed;
}

/* The same as a group's setup and teardown. */
static inline int run_setup(void **state)
{
    (void)state;
    return run_workspace_open();
}

static inline int run_teardown(void **state)
{
    (void)state;
    return run_workspace_close();
}

/* --- the program --- */

typedef struct run_result {
    int code; /* exit code, or 128 + the signal that ended it */
    ls_str out, err;
} run_result;

static inline void run_release(run_result *r)
{
    ls_str_release(&r->out);
    ls_str_release(&r->err);
}

typedef struct run_child {
    pid_t pid;
    int out_fd, err_fd; /* -1: closed by the child */
    double deadline;
    run_result result;
} run_child;

/* Splits a command at blanks; the words point into it. */
static inline void run_split(char *command, char **words)
{
    int n = 0;
    for (char *at = command; *at;) {
        at += strspn(at, " \n");
        if (!*at)
            break;
        assert_true(n < RUN_WORDS_MAX - 1);
        char quote = *at == '\'' ? '\'' : ' ';
        words[n++] = at += quote == '\'';
        at += strcspn(at, quote == '\'' ? "'" : " \n");
        if (*at)
            *at++ = 0;
    }
    words[n] = NULL;
}

/* Replaces the process by PATH ARGUMENTS...; words NAME=VALUE before "--" go to the environment. */
LS_NORETURN static inline void run_exec(const char *path, char *command)
{
    char *words[RUN_WORDS_MAX], *name = strdup(path), *argv[RUN_WORDS_MAX + 1] = {name};
    int n = 1, first = 0;
    run_split(command, words);
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], "--") == 0)
            first = i + 1;
    for (int i = 0; i < first - 1; i++)
        putenv(words[i]);
    for (char **word = words + first; *word; word++)
        argv[n++] = *word;
    execv(path, argv);
    _exit(127);
}

static inline void run_start_v(run_child *child, const char *path, const char *format, va_list args)
{
    ls_str command = LS_STR_INIT;
    int out[2], err[2];
    ls_str_appendv(&command, format, args);
    assert_int_equal(pipe2(out, O_CLOEXEC), 0);
    assert_int_equal(pipe2(err, O_CLOEXEC), 0);
    fflush(NULL);
    child->pid = fork();
    assert_true(child->pid >= 0);
    if (child->pid == 0) {
        int nothing = open("/dev/null", O_RDONLY);
        dup2(nothing, STDIN_FILENO);
        dup2(out[1], STDOUT_FILENO);
        dup2(err[1], STDERR_FILENO);
        run_exec(path, command.data);
    }
    close(out[1]);
    close(err[1]);
    ls_str_release(&command);
    child->out_fd = out[0];
    child->err_fd = err[0];
    child->deadline = ls_clock_seconds() + RUN_LIMIT_S;
    child->result = (run_result){.out = LS_STR_INIT, .err = LS_STR_INIT};
}

LS_PRINTF(2, 3) static inline void run_start(run_child *child, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    run_start_v(child, LEASH_PROGRAM, format, args);
    va_end(args);
}

static inline void run_read(int *fd, ls_str *text)
{
    char buffer[4096];
    ssize_t n = read(*fd, buffer, sizeof buffer);
    if (n > 0) {
        ls_str_append_n(text, buffer, (size_t)n);
    } else if (n == 0 || errno != EINTR) {
        close(*fd);
        *fd = -1;
    }
}

/* Reads what the child writes for at most `seconds` and at most once; false when both ends are
 * closed or the time is over. */
static inline bool run_listen(run_child *child, double seconds)
{
    struct pollfd fds[2] = {{.fd = child->out_fd, .events = POLLIN},
                            {.fd = child->err_fd, .events = POLLIN}};
    if (child->out_fd < 0 && child->err_fd < 0)
        return false;
    if (poll(fds, 2, seconds > 0 ? (int)(seconds * 1e3) + 1 : 0) <= 0)
        return false;
    if (fds[0].revents)
        run_read(&child->out_fd, &child->result.out);
    if (fds[1].revents)
        run_read(&child->err_fd, &child->result.err);
    return true;
}

/* Lines of DIR/metrics.jsonl, 0 when there is none. */
static inline int64_t run_count_steps(const char *dir)
{
    char path[LS_PATH_MAX];
    ls_str text = LS_STR_INIT;
    int64_t n = 0;
    if (ls_file_exists(ls_path_join(path, dir, "metrics.jsonl")))
        assert_ok(ls_file_read(&text, path));
    for (size_t i = 0; i < text.len; i++)
        n += text.data[i] == '\n';
    ls_str_release(&text);
    return n;
}

/* Reads until the run, which began in an empty directory, has done so many steps. */
static inline void run_wait_for_steps(run_child *child, const char *dir, int64_t n)
{
    while (run_count_steps(dir) < n) {
        run_listen(child, 0.001);
        if (ls_clock_seconds() > child->deadline || (child->out_fd < 0 && child->err_fd < 0))
            fail_msg("the program ended before step %lld:\n%s", (long long)n,
                     child->result.err.data);
    }
}

/* Reads for so long, or until the end. */
static inline void run_listen_for(run_child *child, double seconds)
{
    double end = ls_clock_seconds() + seconds;
    while (run_listen(child, end - ls_clock_seconds()))
        continue;
}

static inline run_result run_finish(run_child *child)
{
    int state;
    bool is_late = false;
    run_listen_for(child, child->deadline - ls_clock_seconds());
    if (child->out_fd >= 0 || child->err_fd >= 0) {
        is_late = true;
        kill(child->pid, SIGKILL);
    }
    while (waitpid(child->pid, &state, 0) < 0)
        assert_int_equal(errno, EINTR);
    if (child->out_fd >= 0)
        close(child->out_fd);
    if (child->err_fd >= 0)
        close(child->err_fd);
    if (is_late)
        fail_msg("the program did not end in %.0f s:\n%s", RUN_LIMIT_S, child->result.err.data);
    child->result.code = WIFEXITED(state) ? WEXITSTATUS(state) : 128 + WTERMSIG(state);
    return child->result;
}

/* Runs `leash ARGUMENTS...` to its end. */
LS_PRINTF(1, 2) static inline run_result run_program(const char *format, ...)
{
    run_child child;
    va_list args;
    va_start(args, format);
    run_start_v(&child, LEASH_PROGRAM, format, args);
    va_end(args);
    return run_finish(&child);
}

/* Another program, by its path. */
LS_PRINTF(2, 3) static inline run_result run_command(const char *path, const char *format, ...)
{
    run_child child;
    va_list args;
    va_start(args, format);
    run_start_v(&child, path, format, args);
    va_end(args);
    return run_finish(&child);
}

/* Runs `leash ARGUMENTS...`, which must succeed, and returns its stdout (ls_free). */
LS_PRINTF(1, 2) static inline char *run_output(const char *format, ...)
{
    run_child child;
    va_list args;
    va_start(args, format);
    run_start_v(&child, LEASH_PROGRAM, format, args);
    va_end(args);
    run_result r = run_finish(&child);
    if (r.code != 0)
        fail_msg("leash %s\nended with %d:\n%s", format, r.code, r.err.data);
    char *out = ls_str_steal(&r.out);
    run_release(&r);
    return out;
}

#define run_ok(...) ls_free(run_output(__VA_ARGS__))

/* The error of a command: what stands after the last "leash: " of stderr must be `text`. */
static inline void assert_error(run_result r, int code, const char *text)
{
    const char *found = r.err.data;
    for (const char *at = found; (at = strstr(at, "leash: ")); at += 7)
        if (at == r.err.data || at[-1] == '\n')
            found = at + 7;
    size_t n = strcspn(found, "\n");
    if (r.code != code || n != strlen(text) || memcmp(found, text, n) != 0)
        fail_msg("exit code %d, stderr:\n%s\nexpected %d and:\n%s", r.code, r.err.data, code, text);
    run_release(&r);
}

/* A command must end with this code and have the text in what it says. */
static inline void run_fails(const char *arguments, int code, const char *text)
{
    run_result r = run_program("%s", arguments);
    if (r.code != code || !strstr(r.err.data, text))
        fail_msg("%s ended with %d, expected %d and \"%s\":\n%s", arguments, r.code, code, text,
                 r.err.data);
    run_release(&r);
}

/* --- files --- */

static inline void run_write(const char *path, const char *text)
{
    assert_ok(ls_file_write_atomic(path, text, strlen(text)));
}

/* The content of a file (ls_str_release). */
LS_PRINTF(1, 2) static inline ls_str run_read_file(const char *format, ...)
{
    ls_str path = LS_STR_INIT, text = LS_STR_INIT;
    va_list args;
    va_start(args, format);
    ls_str_appendv(&path, format, args);
    va_end(args);
    assert_ok(ls_file_read(&text, path.data));
    ls_str_release(&path);
    return text;
}

/* --- what a run left behind --- */

static inline bool run_is_timing(const char *metric)
{
    size_t n;
    const ls_metric_row *rows = ls_metric_rows(&n);
    for (size_t i = 0; i < n; i++)
        if (strcmp(rows[i].name, metric) == 0)
            return rows[i].is_timing;
    return false;
}

/* metrics.jsonl without what two equal runs may differ in; every number as it is written
 * (ls_str_release). */
static inline ls_str run_metrics_text(const char *dir)
{
    ls_str file = run_read_file("%s/metrics.jsonl", dir), out = LS_STR_INIT;
    for (char *line = file.data; *line; line += strcspn(line, "\n") + 1) {
        json_t *row = json_loadb(line, strcspn(line, "\n"), 0, NULL);
        assert_non_null(row);
        const char *key;
        json_t *value;
        void *next;
        json_object_foreach_safe(row, next, key, value) if (run_is_timing(key))
            json_object_del(row, key);
        char *text = json_dumps(row, JSON_COMPACT);
        ls_str_appendf(&out, "%s\n", text);
        free(text); /* jansson's */
        json_decref(row);
    }
    ls_str_release(&file);
    return out;
}

/* A metric of a line of metrics.jsonl, counted from 0, or from the end when negative. */
static inline double run_metric(const char *dir, int line, const char *name)
{
    ls_str file = run_read_file("%s/metrics.jsonl", dir);
    int n_lines = 0;
    for (const char *at = file.data; *at; at++)
        n_lines += *at == '\n';
    const char *at = file.data;
    for (int i = line < 0 ? n_lines + line : line; i > 0; i--)
        at += strcspn(at, "\n") + 1;
    json_t *row = json_loadb(at, strcspn(at, "\n"), 0, NULL);
    json_t *value = json_object_get(row, name);
    if (!json_is_number(value))
        fail_msg("%s/metrics.jsonl: line %d has no number %s", dir, line, name);
    double number = json_number_value(value);
    json_decref(row);
    ls_str_release(&file);
    return number;
}

static inline void assert_same_text(const ls_str *a, const ls_str *b, const char *what)
{
    const char *x = a->data, *y = b->data;
    if (a->len == b->len && memcmp(x, y, a->len) == 0)
        return;
    while (strcspn(x, "\n") == strcspn(y, "\n") && *x && memcmp(x, y, strcspn(x, "\n")) == 0) {
        x += strcspn(x, "\n") + 1;
        y += strcspn(y, "\n") + 1;
    }
    fail_msg("%s differs:\n%.*s\n%.*s", what, (int)strcspn(x, "\n"), x, (int)strcspn(y, "\n"), y);
}

static inline void assert_same_file(const char *a, const char *b, const char *name)
{
    char path[LS_PATH_MAX], x[33], y[33];
    assert_ok(ls_hash128_file(x, ls_path_join(path, a, name)));
    assert_ok(ls_hash128_file(y, ls_path_join(path, b, name)));
    if (strcmp(x, y) != 0)
        fail_msg("%s of %s and %s differ", name, a, b);
}

/* Two runs are one in all but their times. */
static inline void assert_same_run(const char *a, const char *b)
{
    ls_str x = run_metrics_text(a), y = run_metrics_text(b);
    char what[LS_PATH_MAX];
    snprintf(what, sizeof what, "metrics.jsonl of %s and %s", a, b);
    assert_same_text(&x, &y, what);
    ls_str_release(&x);
    ls_str_release(&y);
    assert_same_file(a, b, "completions.jsonl");
    char adapter[LS_PATH_MAX];
    bool has_adapter = ls_file_exists(ls_path_join(adapter, a, "final/adapter_model.safetensors"));
    assert_same_file(a, b,
                     has_adapter ? "final/adapter_model.safetensors" : "final/model.safetensors");
    assert_same_file(a, b, "final/leash_state/optimizer.safetensors");
}

#endif
