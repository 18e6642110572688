/* Claims about base/err.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/err.h"

static void fail_returns_the_status_and_stores_the_text(void **state)
{
    (void)state;
    assert_int_equal(ls_fail(LEASH_FORMAT, "%s: row %d", "a.jsonl", 7), LEASH_FORMAT);
    assert_string_equal(leash_error(), "a.jsonl: row 7");
    ls_error_clear();
    assert_string_equal(leash_error(), "");
}

static void context_is_put_before_the_old_text(void **state)
{
    (void)state;
    leash_status status = ls_fail(LEASH_DATA, "no rows");
    assert_int_equal(ls_fail_in(status, "recipe %s", "grpo"), LEASH_DATA);
    assert_string_equal(leash_error(), "recipe grpo: no rows");
}

static void the_text_of_errno_is_appended_and_errno_kept(void **state)
{
    (void)state;
    errno = ENOSPC;
    assert_int_equal(ls_fail_errno(LEASH_IO, "cannot write x"), LEASH_IO);
    assert_string_equal(leash_error(), "cannot write x: No space left on device");
    assert_int_equal(errno, ENOSPC);
}

static void arguments_may_point_into_the_old_text(void **state)
{
    (void)state;
    ls_fail(LEASH_IO, "first");
    ls_fail(LEASH_IO, "second after %s", leash_error());
    assert_string_equal(leash_error(), "second after first");
}

static void text_is_cut_at_4095_bytes(void **state)
{
    (void)state;
    char large[6000];
    memset(large, 'x', sizeof large - 1);
    large[sizeof large - 1] = '\0';
    ls_fail(LEASH_IO, "%s", large);
    assert_int_equal(strlen(leash_error()), 4095);
    assert_int_equal(ls_fail_in(LEASH_IO, "context"), LEASH_IO);
    assert_int_equal(strlen(leash_error()), 4095);
    assert_int_equal(strncmp(leash_error(), "context: xxx", 12), 0);
}

static void the_cut_leaves_no_half_character(void **state)
{
    (void)state;
    char large[4200];
    for (size_t offset = 0; offset < 3;
         offset++) { /* the cut falls at each byte of a 3-byte euro sign */
        memset(large, 'x', offset);
        for (size_t at = offset; at + 3 < sizeof large; at += 3)
            memcpy(large + at, "\xe2\x82\xac", 4);
        ls_fail(LEASH_IO, "%s", large);
        size_t n = strlen(leash_error());
        assert_true(n <= 4095 && n > 4095 - 3);
        assert_int_equal((n - offset) % 3, 0);
    }
}

static void control_characters_are_shown_as_question_marks(void **state)
{
    (void)state;
    ls_fail(LEASH_DATA, "%s", "a\x1b[31m\n\tb\x7f\xc2\x9b c\xc3\xa9");
    assert_string_equal(leash_error(), "a?[31m??b??? c\xc3\xa9");
}

static void *fail_in_thread(void *argument)
{
    (void)argument;
    assert_string_equal(leash_error(), "");
    ls_fail(LEASH_IO, "theirs");
    return NULL;
}

static void each_thread_has_its_own_text(void **state)
{
    (void)state;
    pthread_t thread;
    ls_fail(LEASH_IO, "ours");
    assert_int_equal(pthread_create(&thread, NULL, fail_in_thread, NULL), 0);
    pthread_join(thread, NULL);
    assert_string_equal(leash_error(), "ours");
}

static leash_status passes_on(leash_status first, int *n_calls)
{
    LS_TRY(first);
    ++*n_calls;
    return LEASH_OK;
}

static leash_status cleans_up(leash_status first, int *n_cleanups)
{
    leash_status status;
    LS_TRY_OUT(first);
    status = LEASH_STOPPED;
out:
    ++*n_cleanups;
    return status;
}

static void try_leaves_at_the_first_failure(void **state)
{
    (void)state;
    int n = 0;
    assert_int_equal(passes_on(LEASH_BUSY, &n), LEASH_BUSY);
    assert_int_equal(n, 0);
    assert_int_equal(passes_on(LEASH_OK, &n), LEASH_OK);
    assert_int_equal(n, 1);
    assert_int_equal(cleans_up(LEASH_BUSY, &n), LEASH_BUSY);
    assert_int_equal(cleans_up(LEASH_OK, &n), LEASH_STOPPED);
    assert_int_equal(n, 3);
}

/* Runs a claim about a bug in a child; true when it aborted and said `text`. */
static int aborts_saying(void (*bug)(void), const char *text)
{
    int ends[2], status = 0;
    char said[512];
    assert_int_equal(pipe(ends), 0);
    fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGABRT, SIG_DFL);
        dup2(ends[1], STDERR_FILENO);
        bug();
        _exit(0);
    }
    close(ends[1]);
    ssize_t n = read(ends[0], said, sizeof said - 1);
    said[n > 0 ? n : 0] = '\0';
    close(ends[0]);
    waitpid(child, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(said, text) != NULL;
}

static void assert_two_is_three(void)
{
    int a = 2;
    LS_ASSERT_EQ(a, 3);
}

static void assert_two_is_more(void)
{
    int a = 2;
    LS_ASSERT(a > 2);
}

static void a_failed_assert_prints_expression_and_values_and_aborts(void **state)
{
    (void)state;
    LS_ASSERT(1 + 1 == 2);
    LS_ASSERT_EQ(1 + 1, 2);
    assert_true(aborts_saying(assert_two_is_three, "a == 3 (2 and 3)"));
    assert_true(aborts_saying(assert_two_is_more, "a > 2"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fail_returns_the_status_and_stores_the_text),
        cmocka_unit_test(context_is_put_before_the_old_text),
        cmocka_unit_test(the_text_of_errno_is_appended_and_errno_kept),
        cmocka_unit_test(arguments_may_point_into_the_old_text),
        cmocka_unit_test(text_is_cut_at_4095_bytes),
        cmocka_unit_test(the_cut_leaves_no_half_character),
        cmocka_unit_test(control_characters_are_shown_as_question_marks),
        cmocka_unit_test(each_thread_has_its_own_text),
        cmocka_unit_test(try_leaves_at_the_first_failure),
        cmocka_unit_test(a_failed_assert_prints_expression_and_values_and_aborts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
