/* Options of sampling and of the engine: defaults, ranges, and that they stand side by side. */
#include "rollout/rollout.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

typedef struct {
    ls_sampling_options sampling;
    ls_engine_options engine;
    ls_config *config;
} bound;

static void bind(bound *b)
{
    b->config = ls_config_new();
    ls_config_bind(b->config, &ls_sampling_option_table, &b->sampling);
    ls_config_bind(b->config, &ls_engine_option_table, &b->engine);
}

static void defaults_are_those_of_trl(void **state)
{
    (void)state;
    bound b;
    bind(&b);
    assert_true(b.sampling.temperature == 1.0);
    assert_int_equal(b.sampling.top_k, 0);
    assert_true(b.sampling.top_p == 1.0);
    assert_true(b.sampling.min_p == 0.0);
    assert_int_equal(b.sampling.max_completion_length, 512);
    assert_int_equal(b.engine.rollout_slots, 64);
    assert_int_equal(b.engine.prefill_chunk, 512);
    ls_config_free(b.config);
}

static void values_out_of_range_are_refused(void **state)
{
    (void)state;
    bound b;
    bind(&b);
    const char *const rows[][2] = {{"temperature", "-0.1"},
                                   {"top_k", "-1"},
                                   {"top_p", "1.01"},
                                   {"min_p", "-0.5"},
                                   {"max_completion_length", "0"},
                                   {"rollout_slots", "0"},
                                   {"prefill_chunk", "0"}};
    for (size_t i = 0; i < LS_COUNT(rows); i++)
        assert_int_equal(ls_config_set(b.config, rows[i][0], rows[i][1], LS_FROM_FLAG, "test"),
                         LEASH_USAGE);
    ls_config_free(b.config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_those_of_trl),
        cmocka_unit_test(values_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
