/* Claims about base/log.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include "base/log.h"

typedef struct record {
    int n_lines, n_broken;
    ls_log_level level;
    char last[600];
} record;

static void keep(void *user, ls_log_level level, const char *line)
{
    record *r = user;
    r->n_lines++;
    r->level = level;
    snprintf(r->last, sizeof r->last, "%s", line);
    r->n_broken += strchr(line, '\n') != NULL;
}

static void without_a_sink_lines_are_dropped(void **state)
{
    (void)state;
    ls_log_set_sink(NULL, NULL, LS_LOG_DEBUG);
    ls_log(LS_LOG_ERROR, "nobody sees %d", 1);
}

static void a_sink_gets_lines_of_its_level_and_above(void **state)
{
    (void)state;
    record r = {0};
    ls_log_set_sink(keep, &r, LS_LOG_INFO);
    ls_debug("no");
    assert_int_equal(r.n_lines, 0);
    ls_info("step %d", 3);
    assert_string_equal(r.last, "step 3");
    ls_warn("careful");
    assert_int_equal(r.level, LS_LOG_WARN);
    assert_int_equal(r.n_lines, 2);
    ls_log_set_sink(NULL, NULL, LS_LOG_DEBUG);
    ls_warn("after");
    assert_int_equal(r.n_lines, 2);
}

static void lines_carry_no_newline_and_no_control_character(void **state)
{
    (void)state;
    record r = {0};
    ls_log_set_sink(keep, &r, LS_LOG_DEBUG);
    ls_info("a\nb\x1b[0m");
    assert_string_equal(r.last, "a\\nb\xe2\x90\x9b[0m");
    ls_log_set_sink(NULL, NULL, LS_LOG_DEBUG);
}

static void long_lines_come_whole(void **state)
{
    (void)state;
    record r = {0};
    char text[500];
    memset(text, 'y', sizeof text);
    text[sizeof text - 1] = '\0';
    ls_log_set_sink(keep, &r, LS_LOG_DEBUG);
    ls_info("%s", text);
    ls_log_set_sink(NULL, NULL, LS_LOG_DEBUG);
    assert_string_equal(r.last, text);
}

static void log_again(void *user, ls_log_level level, const char *line)
{
    keep(user, level, line);
    ls_warn("from inside the sink");
}

static void a_sink_that_logs_is_not_called_again(void **state)
{
    (void)state;
    record r = {0};
    ls_log_set_sink(log_again, &r, LS_LOG_DEBUG);
    ls_info("once");
    ls_log_set_sink(NULL, NULL, LS_LOG_DEBUG);
    assert_int_equal(r.n_lines, 1);
}

static void *log_a_hundred(void *user)
{
    (void)user;
    for (int i = 0; i < 100; i++)
        ls_info("line %d", i);
    return NULL;
}

static void lines_of_several_threads_come_one_at_a_time(void **state)
{
    (void)state;
    record r = {0};
    pthread_t threads[4];
    ls_log_set_sink(keep, &r, LS_LOG_DEBUG);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, log_a_hundred, NULL), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    ls_log_set_sink(NULL, NULL, LS_LOG_DEBUG);
    assert_int_equal(r.n_lines, 400);
    assert_int_equal(r.n_broken, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_sink_lines_are_dropped),
        cmocka_unit_test(a_sink_gets_lines_of_its_level_and_above),
        cmocka_unit_test(lines_carry_no_newline_and_no_control_character),
        cmocka_unit_test(long_lines_come_whole),
        cmocka_unit_test(a_sink_that_logs_is_not_called_again),
        cmocka_unit_test(lines_of_several_threads_come_one_at_a_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
