/* The controller of the entropy bonus. */
#include "close.h"

#include "rl/entropy.h"

static const ls_entropy_controller controller = {.target = 0.2, .delta = 0.005, .min = 0, .max = 1};

static void the_bonus_acts_only_up_to_the_target(void **state)
{
    (void)state;
    assert_true(ls_entropy_bonus(&controller, 0.03, 0.1) == 0.03);
    assert_true(ls_entropy_bonus(&controller, 0.03, 0.2) == 0.03);
    assert_true(ls_entropy_bonus(&controller, 0.03, 0.21) == 0);
    assert_true(ls_entropy_bonus(&controller, 0.03, NAN) == 0);
}

static void the_coefficient_moves_by_delta_and_stays_in_its_range(void **state)
{
    (void)state;
    assert_close(ls_entropy_adapt(&controller, 0, 0.1), 0.005, 0);
    assert_close(ls_entropy_adapt(&controller, 0.02, 0.3), 0.015, 1e-15);
    assert_close(ls_entropy_adapt(&controller, 0.001, 0.3), 0, 0);
    assert_close(ls_entropy_adapt(&controller, 0.999, 0.1), 1, 0);
    assert_close(ls_entropy_adapt(&controller, 0.5, NAN), 0.5, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bonus_acts_only_up_to_the_target),
        cmocka_unit_test(the_coefficient_moves_by_delta_and_stays_in_its_range),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
