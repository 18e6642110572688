/* Claims about base/clock.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"

static void seconds_never_go_back(void **state)
{
    (void)state;
    double last = ls_clock_seconds();
    for (int i = 0; i < 1000; i++) {
        double now = ls_clock_seconds();
        assert_true(now >= last);
        last = now;
    }
}

static void utc_has_the_form_of_iso_8601(void **state)
{
    (void)state;
    char text[32];
    int year, month, day, hour, minute, second, n = 0;
    assert_ptr_equal(ls_clock_utc(text), text);
    assert_int_equal(sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2dZ%n", &year, &month, &day, &hour, &minute,
                            &second, &n),
                     6);
    assert_int_equal(n, 20);
    assert_int_equal(strlen(text), 20);
    assert_true(year >= 2024 && month >= 1 && month <= 12 && day >= 1 && day <= 31);
    assert_true(hour < 24 && minute < 60 && second <= 60);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(seconds_never_go_back),
        cmocka_unit_test(utc_has_the_form_of_iso_8601),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
