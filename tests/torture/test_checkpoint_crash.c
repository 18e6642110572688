/* kill -9 at random moments and at every system call of saving, publishing, pruning and cleaning:
 * what was acknowledged is there and whole, and what a dead writer left can be removed.  And two
 * writers: exactly one gets the directory. */
#include "train_fixture.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/compiler.h"
#include "train/rundir.h"

#define N_RANDOM_KILLS 250
#define N_RACES 100
/* Seconds after which the random kills end early, so that a slow disk does not hold up
 * everything. */
#define MOST_SECONDS 15.0

static void assert_no_temporaries(const char *dir)
{
    char **names;
    int64_t n;
    assert_ok(ls_dir_list(&names, &n, dir));
    for (int64_t i = 0; i < n; i++)
        if (names[i][0] == '.')
            fail_msg("%s/%s is left over", dir, names[i]);
    ls_names_free(names, n);
}

/* The step of the newest whole checkpoint, whose every bit is right. */
static int64_t recover(void)
{
    char path[LS_PATH_MAX];
    assert_ok(ls_checkpoint_latest(path, t.root));
    int64_t step = strtoll(strrchr(path, '-') + 1, NULL, 10);
    train_fixture_assert_loads(&t, path, step);
    assert_ok(ls_checkpoint_clean(t.root));
    assert_no_temporaries(t.root);
    assert_no_temporaries(at("checkpoints"));
    return step;
}

/* --- random moments --- */

static double random_share(uint32_t i)
{
    ls_rng_name name = {.seed = 1, .purpose = LS_RNG_TEST, .prompt = 77, .position = i};
    return ls_rng_uniform(&name);
}

/* Saves one step after the other and reports each through the pipe, until it is killed. */
LS_NORETURN static void save_for_ever(int pipe_fd, int64_t step)
{
    if (ls_checkpoint_clean(t.root) != LEASH_OK)
        _exit(1);
    for (;; step++)
        if (train_fixture_save(&t, step, 2) != LEASH_OK ||
            write(pipe_fd, &step, sizeof step) != (ssize_t)sizeof step)
            _exit(1);
}

static int64_t last_report(int pipe_fd, int64_t acknowledged)
{
    int64_t step;
    while (read(pipe_fd, &step, sizeof step) == (ssize_t)sizeof step)
        acknowledged = step;
    return acknowledged;
}

static void wait_seconds(double seconds)
{
    struct timespec time = {.tv_nsec = (long)(seconds * 1e9) % 1000000000,
                            .tv_sec = (time_t)seconds};
    (void)ppoll(NULL, 0, &time, NULL);
}

static void a_kill_at_a_random_moment_loses_no_acknowledged_save(void **state)
{
    (void)state;
    int64_t acknowledged = 1, n_kills = 0, n_unacknowledged = 0;
    double started = ls_clock_seconds();
    assert_ok(train_fixture_save(&t, 1, 2));
    double one_save = ls_clock_seconds() - started;
    while (n_kills < N_RANDOM_KILLS && ls_clock_seconds() - started < MOST_SECONDS) {
        int fds[2], status;
        assert_int_equal(pipe(fds), 0);
        pid_t child = fork();
        assert_true(child >= 0);
        if (child == 0)
            save_for_ever(fds[1], acknowledged + 1);
        close(fds[1]);
        wait_seconds(random_share((uint32_t)n_kills) * 3 * one_save);
        assert_int_equal(kill(child, SIGKILL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFSIGNALED(status));
        acknowledged = last_report(fds[0], acknowledged);
        close(fds[0]);
        int64_t found = recover();
        assert_true(found == acknowledged || found == acknowledged + 1);
        n_unacknowledged += found > acknowledged;
        acknowledged = found;
        n_kills++;
    }
    print_message("%lld random kills over %lld saves, 0 acknowledged saves lost (%lld were whole "
                  "before they were acknowledged)\n",
                  (long long)n_kills, (long long)acknowledged, (long long)n_unacknowledged);
    assert_true(n_kills >= N_RANDOM_KILLS / 5);
}

/* --- every system call --- */

/* Runs `work` in a child that is killed as it enters or leaves its n-th system call.  Returns
 * whether it was done before. */
static bool run_until_call(leash_status (*work)(void), int64_t n)
{
    int status;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0)
            _exit(2);
        _exit(work() == LEASH_OK ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status));
    for (int64_t i = 0; i < n; i++) {
        assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (WIFEXITED(status)) {
            assert_int_equal(WEXITSTATUS(status), 0);
            return true;
        }
        assert_true(WIFSTOPPED(status));
    }
    assert_int_equal(kill(child, SIGKILL), 0);
    do
        assert_int_equal(waitpid(child, &status, 0), child);
    while (!WIFSIGNALED(status));
    return false;
}

/* Kills `work` at each of its calls in turn, from the state that `prepare` makes, and lets `check`
 * look at what is left. */
static void kill_everywhere(void (*prepare)(void), leash_status (*work)(void),
                            void (*check)(bool is_done), const char *what)
{
    int64_t n = 0;
    for (bool is_done = false; !is_done; n++) {
        assert_ok(ls_dir_remove(at("checkpoints")));
        assert_ok(ls_dir_remove(at("final")));
        prepare();
        is_done = run_until_call(work, n);
        check(is_done);
    }
    print_message("%s: %lld kills, 0 left anything but whole folders\n", what, (long long)n - 1);
}

static void prepare_two(void)
{
    assert_ok(train_fixture_save(&t, 1, 2));
    assert_ok(train_fixture_save(&t, 2, 2));
}

static leash_status save_three(void)
{
    return train_fixture_save(&t, 3, 1);
}

static void check_saved(bool is_done)
{
    int64_t step = recover();
    assert_true(step == 3 || (step == 2 && !is_done));
    int64_t n = count_names(at("checkpoints"));
    assert_true(is_done ? n == 1 : n >= 1 && n <= 3);
}

static leash_status save_two_again(void)
{
    return train_fixture_save(&t, 2, 2);
}

static void check_still_two(bool is_done)
{
    (void)is_done;
    assert_int_equal(recover(), 2);
    assert_int_equal(count_names(at("checkpoints")), 2);
}

static void prepare_final(void)
{
    prepare_two();
    assert_ok(ls_checkpoint_publish(t.root, at("checkpoints/step-1")));
}

static leash_status publish_two(void)
{
    return ls_checkpoint_publish(t.root, at("checkpoints/step-2"));
}

static void check_final(bool is_done)
{
    const char *final = at("final");
    assert_ok(ls_checkpoint_verify(final));
    assert_ok(ls_checkpoint_load(final, &t.state, t.f.model, &t.optimizer, NULL));
    assert_true(t.state.step == 2 || (t.state.step == 1 && !is_done));
    assert_int_equal(recover(), 2);
}

static void prepare_leftovers(void)
{
    prepare_two();
    assert_int_equal(rename(at("checkpoints/step-1"), at("checkpoints/.step-1.tmp.77")), 0);
    assert_ok(ls_dir_make(at(".final.tmp.77/leash_state")));
}

static leash_status clean(void)
{
    return ls_checkpoint_clean(t.root);
}

static void check_cleaned(bool is_done)
{
    if (is_done)
        assert_no_temporaries(at("checkpoints"));
    assert_int_equal(recover(), 2);
    assert_int_equal(count_names(at("checkpoints")), 1);
}

static void a_kill_at_any_system_call_of_a_save_leaves_whole_checkpoints(void **state)
{
    (void)state;
    kill_everywhere(prepare_two, save_three, check_saved, "saving and pruning");
}

static void a_kill_while_a_step_is_replaced_leaves_the_old_or_the_new(void **state)
{
    (void)state;
    kill_everywhere(prepare_two, save_two_again, check_still_two, "replacing");
}

static void a_kill_while_final_is_replaced_leaves_the_old_or_the_new(void **state)
{
    (void)state;
    kill_everywhere(prepare_final, publish_two, check_final, "publishing");
}

static void a_kill_during_the_clean_up_can_be_cleaned_up(void **state)
{
    (void)state;
    kill_everywhere(prepare_leftovers, clean, check_cleaned, "cleaning");
}

/* --- two writers --- */

typedef struct answer {
    pid_t pid;
    leash_status status;
    char text[512];
} answer;

/* Opens the directory when the starting pipe is closed, answers, and holds it until the ending pipe
 * is closed. */
LS_NORETURN static void be_writer(const char *path, const int start[2], const int end[2], int out)
{
    ls_rundir dir;
    answer a = {.pid = getpid()};
    char byte;
    close(start[1]);
    close(end[1]);
    if (read(start[0], &byte, 1) != 0)
        _exit(1);
    a.status = ls_rundir_open(&dir, path, true, false);
    snprintf(a.text, sizeof a.text, "%s", a.status == LEASH_OK ? "" : leash_error());
    if (write(out, &a, sizeof a) != (ssize_t)sizeof a || read(end[0], &byte, 1) != 0)
        _exit(1);
    _exit(0);
}

/* "PATH is in use by process PID on host HOST since TIME: wait for it or choose another
 * directory" */
static bool names_holder(const char *text, const char *path, pid_t holder)
{
    char host[65] = "", want[LS_PATH_MAX + 256], since[33];
    const char *at = strstr(text, " since ");
    if (gethostname(host, sizeof host - 1) != 0 || !at || sscanf(at, " since %20s", since) != 1)
        return false;
    snprintf(want, sizeof want,
             "%s is in use by process %ld on host %s since %s: wait for it or choose another "
             "directory",
             path, (long)holder, host, since);
    return strcmp(text, want) == 0;
}

/* The loser may look before the winner has written its name. */
static bool is_nameless(const char *text, const char *path)
{
    char want[LS_PATH_MAX + 128];
    snprintf(want, sizeof want,
             "%s is in use by another process: wait for it or choose another directory", path);
    return strcmp(text, want) == 0;
}

static void race(const char *path, int64_t *n_named)
{
    int start[2], end[2], out[2], status;
    answer answers[2];
    pid_t children[2];
    assert_true(pipe(start) == 0 && pipe(end) == 0 && pipe(out) == 0);
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        assert_true(children[i] >= 0);
        if (children[i] == 0)
            be_writer(path, start, end, out[1]);
    }
    close(start[1]);
    for (int i = 0; i < 2; i++)
        assert_int_equal(read(out[0], &answers[i], sizeof answers[i]), sizeof answers[i]);
    int winner = answers[0].status == LEASH_OK ? 0 : 1;
    const answer *loser = &answers[!winner];
    assert_int_equal(answers[winner].status, LEASH_OK);
    assert_int_equal(loser->status, LEASH_BUSY);
    bool is_named = names_holder(loser->text, path, answers[winner].pid);
    if (!is_named && !is_nameless(loser->text, path))
        fail_msg("the loser says: %s", loser->text);
    *n_named += is_named;
    /* A third one comes when the name is written. */
    ls_rundir dir;
    assert_int_equal(ls_rundir_open(&dir, path, true, false), LEASH_BUSY);
    assert_true(names_holder(leash_error(), path, answers[winner].pid));
    /* The lock of a killed holder is free. */
    assert_int_equal(kill(answers[winner].pid, SIGKILL), 0);
    assert_int_equal(waitpid(answers[winner].pid, &status, 0), answers[winner].pid);
    assert_ok(ls_rundir_open(&dir, path, true, false));
    ls_rundir_close(&dir);
    close(end[1]);
    assert_int_equal(waitpid(loser->pid, &status, 0), loser->pid);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    close(start[0]);
    close(end[0]);
    close(out[0]);
    close(out[1]);
}

static void of_two_writers_exactly_one_gets_the_directory(void **state)
{
    (void)state;
    int64_t n_named = 0;
    for (int i = 0; i < N_RACES; i++) {
        char name[32];
        snprintf(name, sizeof name, "race-%d", i);
        race(at(name), &n_named);
    }
    print_message("%d races, one winner each; %lld losers named the winner, the rest came before "
                  "its name was written\n",
                  N_RACES, (long long)n_named);
}

#define claim(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        claim(a_kill_at_a_random_moment_loses_no_acknowledged_save),
        claim(a_kill_at_any_system_call_of_a_save_leaves_whole_checkpoints),
        claim(a_kill_while_a_step_is_replaced_leaves_the_old_or_the_new),
        claim(a_kill_while_final_is_replaced_leaves_the_old_or_the_new),
        claim(a_kill_during_the_clean_up_can_be_cleaned_up),
        claim(of_two_writers_exactly_one_gets_the_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
