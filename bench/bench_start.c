/* bench_start: from the start of the process to the first optimiser step, and to the end of --help.
 *
 *     bench_start [--quick] [--json]
 *
 * Runs the `leash` that was built beside this program in a directory of its own below /tmp, which
 * it removes.  A first step is over when its line stands in metrics.jsonl: the time of the file's
 * last change.  Before that the run has read its options, generated its task, measured itself in a
 * dry run, taken all memory, started threads and made its directory durable; the checkpoint comes
 * afterwards and is in the time of the whole command alone.  Times are medians; the limits are
 * those of a person who waits (a tenth of a second) and of a shell that completes. */
#include "base/clock.h"
#include "base/file.h"

#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "measure.h"

extern char **environ;

#define MOST_ROUNDS 21

static double wall_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

/* Runs a command with its output thrown away; returns its exit code, -1 when it did not start. */
static int run_command(char *const argv[])
{
    posix_spawn_file_actions_t actions;
    pid_t child;
    int code;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    int error = posix_spawn(&child, argv[0], &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0 || waitpid(child, &code, 0) != child || !WIFEXITED(code))
        return -1;
    return WEXITSTATUS(code);
}

/* build/x/bench/bench_start -> build/x/leash */
static void find_program(char path[LS_PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", path, LS_PATH_MAX - 16);
    path[n > 0 ? n : 0] = '\0';
    for (int i = 0; i < 2 && strrchr(path, '/'); i++)
        *strrchr(path, '/') = '\0';
    strncat(path, "/leash", 7);
}

typedef struct times {
    double help, first_step, whole; /* seconds */
} times;

static int run_round(times *t, char *program, char *dir)
{
    char output[LS_PATH_MAX], metrics[LS_PATH_MAX];
    struct stat info;
    ls_path_join(output, dir, "run");
    ls_path_join(metrics, output, "metrics.jsonl");
    double start = wall_seconds();
    if (run_command((char *[]){program, "--help", NULL}) != 0)
        return 1;
    t->help = wall_seconds() - start;
    start = wall_seconds();
    if (run_command((char *[]){program, "sft", "--model", "tiny", "--task", "arithmetic",
                               "--max_steps", "1", "--overwrite", "--output_dir", output, NULL}) !=
            0 ||
        stat(metrics, &info) != 0)
        return 1;
    t->whole = wall_seconds() - start;
    t->first_step = (double)info.st_mtim.tv_sec + 1e-9 * (double)info.st_mtim.tv_nsec - start;
    return 0;
}

static void print_row(bool is_json, const char *what, double seconds, double limit)
{
    if (is_json)
        printf("{\"what\":\"%s\",\"ms\":%.2f,\"limit_ms\":%.0f,\"share_of_limit\":%.3f}\n", what,
               1e3 * seconds, 1e3 * limit, seconds / limit);
    else
        printf("%-36s %8.2f ms   %4.0f %% of %.0f ms\n", what, 1e3 * seconds, 100 * seconds / limit,
               1e3 * limit);
}

int main(int argc, char **argv)
{
    bool is_json = false;
    int n_rounds = MOST_ROUNDS;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            n_rounds = 5;
        } else if (strcmp(argv[i], "--json") == 0) {
            is_json = true;
        } else {
            fprintf(stderr, "usage: bench_start [--quick] [--json]\n");
            return 2;
        }
    }
    char program[LS_PATH_MAX], dir[] = "/tmp/leash-bench-XXXXXX";
    double help[MOST_ROUNDS], first_step[MOST_ROUNDS], whole[MOST_ROUNDS];
    int result = mkdtemp(dir) ? 0 : 1;
    find_program(program);
    for (int i = 0; i < n_rounds && result == 0; i++) {
        times t = {0};
        result = run_round(&t, program, dir);
        help[i] = t.help;
        first_step[i] = t.first_step;
        whole[i] = t.whole;
    }
    (void)run_command((char *[]){"/bin/rm", "-rf", dir, NULL});
    if (result != 0) {
        fprintf(stderr, "bench_start: %s did not run to its end\n", program);
        return 1;
    }
    print_row(is_json, "leash --help", median(help, n_rounds), 0.01);
    print_row(is_json, "tiny sft, to the first step", median(first_step, n_rounds), 0.1);
    print_row(is_json, "the same, to the end of the process", median(whole, n_rounds), 0.1);
    return 0;
}
