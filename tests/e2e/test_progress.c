/* Claims about what stderr shows during a run: one line that never wraps on a terminal, few plain
 * lines elsewhere. */
#include "run.h"

#include <ctype.h>
#include <pty.h>

#define RUN                                                                               \
    "grpo --model tiny --task arithmetic --task_args digits=1 --max_completion_length 8 " \
    "--gradient_accumulation_steps 1 --max_steps 5 --eval_steps 2 --eval_num_rows 8 "     \
    "--max_idle_steps 0 --overwrite --output_dir shown"

/* Everything that the program writes to a terminal of so many columns (ls_str_release). */
static ls_str run_in_terminal(unsigned short columns, const char *environment)
{
    struct winsize size = {.ws_row = 24, .ws_col = columns};
    ls_str out = LS_STR_INIT, command = LS_STR_INIT;
    int terminal, state;
    char buffer[4096];
    ls_str_appendf(&command, "%s -- " RUN, environment);
    fflush(NULL);
    pid_t pid = forkpty(&terminal, NULL, NULL, &size);
    assert_true(pid >= 0);
    if (pid == 0)
        run_exec(LEASH_PROGRAM, command.data);
    for (ssize_t n; (n = read(terminal, buffer, sizeof buffer)) > 0;)
        ls_str_append_n(&out, buffer, (size_t)n);
    close(terminal);
    assert_int_equal(waitpid(pid, &state, 0), pid);
    assert_int_equal(state, 0);
    ls_str_release(&command);
    return out;
}

/* Columns of a drawn line: characters without escape sequences. */
static size_t columns_of(const char *line, size_t n)
{
    size_t columns = 0;
    for (size_t i = 0; i < n; i++) {
        if (line[i] == 27)
            while (i < n && !isalpha((unsigned char)line[i]))
                i++;
        else
            columns += ((unsigned char)line[i] & 0xc0) != 0x80;
    }
    return columns;
}

static void assert_never_wraps(const ls_str *out, size_t columns)
{
    for (const char *line = out->data; *line;) {
        size_t n = strcspn(line, "\r\n");
        if (columns_of(line, n) >= columns)
            fail_msg("%zu columns or more: %.*s", columns, (int)n, line);
        line += n + strspn(line + n, "\r\n");
    }
}

static void the_line_of_progress_never_wraps(void **state)
{
    (void)state;
    static const unsigned short widths[] = {20, 40, 80, 200};
    for (size_t i = 0; i < LS_COUNT(widths); i++) {
        ls_str out = run_in_terminal(widths[i], "TERM=xterm LC_ALL=C.UTF-8");
        assert_non_null(strstr(out.data, "\r"));
        if (widths[i] > 20)
            assert_never_wraps(&out, widths[i]);
        ls_str_release(&out);
    }
}

static void at_80_columns_it_shows_bar_pace_and_figures(void **state)
{
    (void)state;
    ls_str out = run_in_terminal(80, "TERM=xterm LC_ALL=C.UTF-8");
    char *last = strstr(out.data, "5/5  ");
    assert_non_null(strstr(out.data, "grpo \xe2\x94"));
    assert_non_null(last);
    assert_non_null(strstr(last, "in all  reward 0."));
    assert_non_null(strstr(last, "acc "));
    ls_str_release(&out);
}

static void without_utf_8_the_bar_is_ascii(void **state)
{
    (void)state;
    ls_str out = run_in_terminal(80, "TERM=xterm LC_ALL=C");
    for (const char *c = out.data; *c; c++)
        assert_true((unsigned char)*c < 0x80);
    assert_non_null(strstr(out.data, "grpo --"));
    ls_str_release(&out);
}

static void a_dumb_terminal_gets_plain_lines(void **state)
{
    (void)state;
    ls_str out = run_in_terminal(80, "TERM=dumb");
    assert_null(strchr(out.data, 27));
    assert_non_null(strstr(out.data, "grpo 5/5  "));
    ls_str_release(&out);
}

static int count(const char *text, const char *part)
{
    int n = 0;
    for (const char *at = text; (at = strstr(at, part)); at += strlen(part))
        n++;
    return n;
}

static void plain_lines_come_for_every_step_when_asked(void **state)
{
    (void)state;
    run_result r = run_program(RUN " --logging_steps 1");
    assert_int_equal(r.code, 0);
    assert_int_equal(count(r.err.data, "\ngrpo ") + ls_starts_with(r.err.data, "grpo "), 5);
    assert_null(strchr(r.err.data, '\r'));
    run_release(&r);
    r = run_program(RUN " --logging_steps 2");
    assert_non_null(strstr(r.err.data, "grpo 2/5  "));
    assert_null(strstr(r.err.data, "grpo 3/5  "));
    assert_non_null(strstr(r.err.data, "grpo 5/5  "));
    run_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_line_of_progress_never_wraps),
        cmocka_unit_test(at_80_columns_it_shows_bar_pace_and_figures),
        cmocka_unit_test(without_utf_8_the_bar_is_ascii),
        cmocka_unit_test(a_dumb_terminal_gets_plain_lines),
        cmocka_unit_test(plain_lines_come_for_every_step_when_asked),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
