/* Every system call that touches a file fails in turn, is interrupted, or writes only a part, while
 * a checkpoint is saved and published: no crash, an error with a text, what was there before stays
 * whole, and interruptions are not seen at all. */
#include "train_fixture.h"

#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/compiler.h"

/* What happens to the n-th call of the kind. */
typedef struct fault {
    bool (*is_hit)(const struct user_regs_struct *regs);
    int error; /* 0: the call is carried out, with half of its bytes */
} fault;

static bool touches_a_file(const struct user_regs_struct *regs)
{
    static const long calls[] = {SYS_open,    SYS_openat,     SYS_write,     SYS_read,
                                 SYS_pread64, SYS_pwrite64,   SYS_fsync,     SYS_ftruncate,
                                 SYS_mkdir,   SYS_rename,     SYS_rmdir,     SYS_renameat2,
                                 SYS_unlink,  SYS_link,       SYS_unlinkat,  SYS_stat,
                                 SYS_fstat,   SYS_newfstatat, SYS_getdents64};
    for (size_t i = 0; i < LS_COUNT(calls); i++)
        if ((long)regs->orig_rax == calls[i])
            return true;
    return false;
}

static bool moves_bytes(const struct user_regs_struct *regs)
{
    return regs->orig_rax == SYS_write || regs->orig_rax == SYS_read;
}

static bool moves_several_bytes(const struct user_regs_struct *regs)
{
    return moves_bytes(regs) && regs->rdx > 1;
}

typedef enum outcome { DONE, FAILED, NOT_HIT } outcome;

/* Continues the child to the next entry or exit of a call.  False when it has ended. */
static bool next_stop(pid_t child, int *status)
{
    assert_int_equal(ptrace(PTRACE_SYSCALL, child, NULL, NULL), 0);
    assert_int_equal(waitpid(child, status, 0), child);
    if (WIFEXITED(*status))
        return false;
    if (!WIFSTOPPED(*status) || WSTOPSIG(*status) != SIGTRAP)
        fail_msg("the child was stopped by a signal (status 0x%x)", (unsigned)*status);
    return true;
}

/* The child stands at the entry of a call: makes it fail or shortens it. */
static bool inject(pid_t child, const fault *f, struct user_regs_struct *regs, int *status)
{
    if (f->error == 0) {
        regs->rdx /= 2;
        assert_int_equal(ptrace(PTRACE_SETREGS, child, NULL, regs), 0);
        return next_stop(child, status);
    }
    regs->orig_rax = (unsigned long long)-1; /* no call: skipped */
    assert_int_equal(ptrace(PTRACE_SETREGS, child, NULL, regs), 0);
    if (!next_stop(child, status))
        return false;
    assert_int_equal(ptrace(PTRACE_GETREGS, child, NULL, regs), 0);
    regs->rax = (unsigned long long)-(long long)f->error;
    assert_int_equal(ptrace(PTRACE_SETREGS, child, NULL, regs), 0);
    return true;
}

/* The child's part: 0 done, 1 failed with a text, 3 failed without one. */
LS_NORETURN static void be_child(leash_status (*work)(void))
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0 || raise(SIGSTOP) != 0)
        _exit(2);
    if (work() == LEASH_OK)
        _exit(0);
    _exit(leash_error()[0] ? 1 : 3);
}

static outcome run_with_fault(leash_status (*work)(void), const fault *f, int64_t n)
{
    int status;
    bool is_alive = true, is_injected = false;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        be_child(work);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSTOPPED(status));
    while (is_alive && !is_injected) {
        struct user_regs_struct regs;
        is_alive = next_stop(child, &status);
        if (!is_alive)
            break;
        assert_int_equal(ptrace(PTRACE_GETREGS, child, NULL, &regs), 0);
        bool is_entry = (long long)regs.rax == -ENOSYS; /* until the call has a result */
        if (is_entry && f->is_hit(&regs) && n-- == 0) {
            is_alive = inject(child, f, &regs, &status);
            is_injected = true;
        }
    }
    if (is_alive) {
        assert_int_equal(ptrace(PTRACE_CONT, child, NULL, NULL), 0);
        assert_int_equal(waitpid(child, &status, 0), child);
    }
    if (!WIFEXITED(status) || WEXITSTATUS(status) > 1)
        fail_msg("the child ended with status 0x%x", (unsigned)status);
    return !is_injected ? NOT_HIT : WEXITSTATUS(status) == 0 ? DONE : FAILED;
}

static leash_status save_and_publish(void)
{
    LS_TRY(train_fixture_save(&t, 3, 1));
    return ls_checkpoint_publish(t.root, at("checkpoints/step-3"));
}

static void prepare(void)
{
    assert_ok(ls_checkpoint_remove_all(t.root));
    assert_ok(train_fixture_save(&t, 1, 2));
    assert_ok(train_fixture_save(&t, 2, 2));
    assert_ok(ls_checkpoint_publish(t.root, at("checkpoints/step-1")));
}

static void check(outcome result)
{
    char path[LS_PATH_MAX];
    const char *final = at("final");
    assert_ok(ls_checkpoint_latest(path, t.root));
    int64_t step = strtoll(strrchr(path, '-') + 1, NULL, 10);
    train_fixture_assert_loads(&t, path, step);
    assert_true(step == 3 || (step == 2 && result == FAILED));
    assert_ok(ls_checkpoint_load(final, &t.state, t.f.model, &t.optimizer, NULL));
    assert_true(t.state.step == 3 || (t.state.step == 1 && result == FAILED));
    assert_ok(ls_checkpoint_clean(t.root));
}

/* Lets every call of the kind go wrong in turn.  Returns how many runs failed of how many. */
static int64_t go_wrong_everywhere(const fault *f, int64_t *n_runs)
{
    int64_t n_failed = 0;
    outcome result = DONE;
    for (*n_runs = 0; result != NOT_HIT; (*n_runs)++) {
        prepare();
        result = run_with_fault(save_and_publish, f, *n_runs);
        check(result);
        n_failed += result == FAILED;
    }
    (*n_runs)--;
    return n_failed;
}

static void a_failing_call_leaves_what_was_there(void **state)
{
    (void)state;
    static const int errors[] = {ENOSPC, EIO};
    for (size_t i = 0; i < LS_COUNT(errors); i++) {
        fault f = {.is_hit = touches_a_file, .error = errors[i]};
        int64_t n_runs, n_failed = go_wrong_everywhere(&f, &n_runs);
        print_message(
            "%s: %lld calls failed in turn, %lld made the save fail, 0 damaged anything\n",
            strerror(errors[i]), (long long)n_runs, (long long)n_failed);
        assert_true(n_failed > n_runs / 2);
    }
}

static void an_interrupted_call_is_repeated(void **state)
{
    (void)state;
    fault f = {.is_hit = moves_bytes, .error = EINTR};
    int64_t n_runs, n_failed = go_wrong_everywhere(&f, &n_runs);
    print_message("%lld reads and writes interrupted, 0 seen\n", (long long)n_runs);
    assert_int_equal(n_failed, 0);
    assert_true(n_runs > 0);
}

static void a_short_read_or_write_is_continued(void **state)
{
    (void)state;
    fault f = {.is_hit = moves_several_bytes};
    int64_t n_runs, n_failed = go_wrong_everywhere(&f, &n_runs);
    print_message("%lld reads and writes cut in half, 0 seen\n", (long long)n_runs);
    assert_int_equal(n_failed, 0);
    assert_true(n_runs > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failing_call_leaves_what_was_there),
        cmocka_unit_test(an_interrupted_call_is_repeated),
        cmocka_unit_test(a_short_read_or_write_is_continued),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
