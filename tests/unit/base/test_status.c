/* Claims about leash/status.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "base/compiler.h"
#include "leash/status.h"

static const leash_status all[] = {
#define ROW(name, value, exit_code, text) name,
    LEASH_STATUS_LIST(ROW)
#undef ROW
};

static void names_and_values_are_those_of_the_list(void **state)
{
    (void)state;
    assert_int_equal(LEASH_OK, 0);
    assert_string_equal(leash_status_name(LEASH_OK), "LEASH_OK");
    assert_string_equal(leash_status_name(LEASH_IO), "LEASH_IO");
    assert_string_equal(leash_status_text(LEASH_FORMAT), "malformed file");
    for (size_t i = 0; i < LS_COUNT(all); i++) {
        assert_int_equal(all[i], -(int)i);
        assert_int_equal(strncmp(leash_status_name(all[i]), "LEASH_", 6), 0);
        assert_true(strlen(leash_status_text(all[i])) > 0);
    }
}

static void exit_codes_follow_the_convention(void **state)
{
    (void)state;
    assert_int_equal(leash_status_exit_code(LEASH_OK), 0);
    assert_int_equal(leash_status_exit_code(LEASH_FAILED), 1);
    assert_int_equal(leash_status_exit_code(LEASH_USAGE), 2);
    assert_int_equal(leash_status_exit_code(LEASH_STOPPED), 3);
    assert_int_equal(leash_status_exit_code(LEASH_INTERRUPTED), 75);
}

static void a_value_outside_of_the_list_is_an_unknown_failure(void **state)
{
    (void)state;
    assert_string_equal(leash_status_name((leash_status)-99), "LEASH_UNKNOWN");
    assert_string_equal(leash_status_text((leash_status)-99), "unknown status");
    assert_int_equal(leash_status_exit_code((leash_status)-99), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_and_values_are_those_of_the_list),
        cmocka_unit_test(exit_codes_follow_the_convention),
        cmocka_unit_test(a_value_outside_of_the_list_is_an_unknown_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
