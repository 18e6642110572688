/* Claims about binding and setting one value: types, ranges, choices, unknown keys, origins,
 * identity. */
#include "fixture.h"

#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

#define SET(key, value) ls_config_set(config, key, value, LS_FROM_FLAG, "--" key)

static void binding_writes_the_defaults(void **state)
{
    (void)state;
    fixture_options o = {.beta = 7, .packing = true};
    ls_config *config = fixture_new(&o);
    assert_true(o.learning_rate == 1e-6);
    assert_true(o.beta == 0);
    assert_int_equal(o.num_generations, 8);
    assert_false(o.packing);
    assert_true(o.shuffle);
    assert_string_equal(o.aggregation, "token-mean");
    assert_string_equal(o.model, "");
    assert_string_equal(o.isa, "");
    assert_false(ls_config_is_set(config, "seed"));
    ls_config_free(config);
    ls_config_free(NULL);
}

static void every_type_is_read_from_text(void **state)
{
    (void)state;
    fixture_options o;
    ls_config *config = fixture_new(&o);
    assert_int_equal(SET("beta", "-2.5e-3"), LEASH_OK);
    assert_int_equal(SET("seed", "-9223372036854775808"), LEASH_OK);
    assert_int_equal(SET("packing", "True"), LEASH_OK);
    assert_int_equal(SET("shuffle", "off"), LEASH_OK);
    assert_int_equal(SET("model", "a b/\xc3\xa4"), LEASH_OK);
    assert_int_equal(SET("aggregation", "seq-sum"), LEASH_OK);
    assert_true(o.beta == -2.5e-3);
    assert_true(o.seed == INT64_MIN);
    assert_true(o.packing);
    assert_false(o.shuffle);
    assert_string_equal(o.model, "a b/\xc3\xa4");
    assert_string_equal(o.aggregation, "seq-sum");
    ls_config_free(config);
}

static void dashes_and_underscores_name_the_same_key(void **state)
{
    (void)state;
    fixture_options o;
    ls_config *config = fixture_new(&o);
    assert_int_equal(SET("num-generations", "3"), LEASH_OK);
    assert_int_equal(o.num_generations, 3);
    assert_true(ls_config_is_set(config, "num_generations"));
    ls_config_free(config);
}

static void a_wrong_value_says_what_was_expected_and_found(void **state)
{
    (void)state;
    fixture_options o;
    ls_config *config = fixture_new(&o);
    assert_usage(SET("beta", "abc"), "--beta: expected a number, found 'abc'");
    assert_usage(SET("beta", ""), "--beta: expected a number, found nothing");
    assert_usage(SET("beta", "1e-4abc"), "--beta: expected a number, found '1e-4abc'");
    assert_usage(SET("beta", "nan"), "--beta: expected a number, found 'nan'");
    assert_usage(SET("beta", "inf"), "--beta: expected a number, found 'inf'");
    assert_usage(SET("beta", "1e999"), "--beta: expected a number, found '1e999'");
    assert_usage(SET("beta", "0x10"), "--beta: expected a number, found '0x10'");
    assert_usage(SET("beta", " 1"), "--beta: expected a number, found ' 1'");
    assert_usage(SET("seed", "1.0"), "--seed: expected a whole number, found '1.0'");
    assert_usage(SET("seed", "1e3"), "--seed: expected a whole number, found '1e3'");
    assert_usage(SET("packing", "maybe"), "--packing: expected true or false, found 'maybe'");
    assert_usage(SET("model", "\xff"), "--model: expected text in UTF-8, found '\\xff'");
    assert_true(o.beta == 0);
    ls_config_free(config);
}

static void a_value_out_of_range_says_the_range(void **state)
{
    (void)state;
    fixture_options o;
    ls_config *config = fixture_new(&o);
    assert_usage(SET("num_generations", "0"),
                 "--num_generations: 0 is out of range, allowed are 1 to 65536");
    assert_usage(SET("num_generations", "65537"),
                 "--num_generations: 65537 is out of range, allowed are 1 to 65536");
    assert_usage(SET("num_generations", "99999999999999999999"),
                 "--num_generations: 99999999999999999999 is out of range, allowed are 1 to 65536");
    assert_usage(
        SET("seed", "9223372036854775808"),
        "--seed: 9223372036854775808 is out of range, allowed are whole numbers of 64 bits");
    assert_usage(SET("learning_rate", "10.5"),
                 "--learning_rate: 10.5 is out of range, allowed are 0 to 10");
    assert_int_equal(SET("num_generations", "1"), LEASH_OK);
    assert_int_equal(SET("num_generations", "65536"), LEASH_OK);
    ls_config_free(config);
}

static void a_wrong_choice_gets_the_list_and_the_nearest(void **state)
{
    (void)state;
    fixture_options o;
    ls_config *config = fixture_new(&o);
    assert_usage(SET("aggregation", "tokenmean"),
                 "--aggregation: 'tokenmean' is none of token-mean, seq-mean, seq-sum "
                 "(did you mean 'token-mean'?)");
    assert_usage(SET("aggregation", "everything"),
                 "--aggregation: 'everything' is none of token-mean, seq-mean, seq-sum");
    assert_usage(SET("aggregation", ""),
                 "--aggregation: '' is none of token-mean, seq-mean, seq-sum");
    assert_usage(SET("isa", "x"), "--isa: 'x' is none of '', ref, avx2");
    ls_config_free(config);
}

static void an_unknown_key_gets_the_nearest_or_our_name_for_it(void **state)
{
    (void)state;
    fixture_options o;
    ls_config *config = fixture_new(&o);
    assert_usage(ls_config_set(config, "learning_rat", "1", LS_FROM_FILE, "run.yaml:3:1"),
                 "run.yaml:3:1: unknown key 'learning_rat' (did you mean 'learning_rate'?)");
    assert_usage(ls_config_set(config, "model-name-or-path", "1", LS_FROM_FILE, "x"),
                 "x: unknown key 'model-name-or-path' (here it is 'model')");
    assert_usage(ls_config_set(config, "zzzzzzzzzzzz", "1", LS_FROM_FILE, "x"),
                 "x: unknown key 'zzzzzzzzzzzz' (--help-all lists all keys)");
    ls_config_free(config);
}

static void a_small_table_is_listed_whole(void **state)
{
    (void)state;
    fixture_options o;
    ls_config *config = ls_config_new();
    ls_config_bind(config, &fixture_other_table, &o);
    assert_usage(ls_config_set(config, "zzzzzzzzzzzz", "1", LS_FROM_FLAG, "task"),
                 "task: unknown key 'zzzzzzzzzzzz' (known are model, task_args, seed, isa)");
    ls_config_free(config);
}

static void errors_that_are_no_flag_name_the_key(void **state)
{
    (void)state;
    fixture_options o;
    ls_config *config = fixture_new(&o);
    assert_usage(ls_config_set(config, "beta", "abc", LS_FROM_FLAG, "leash_settings_set"),
                 "leash_settings_set: beta: expected a number, found 'abc'");
    ls_config_free(config);
}

static void long_wrong_values_are_cut_between_characters(void **state)
{
    (void)state;
    fixture_options o;
    ls_config *config = fixture_new(&o);
    ls_str text = LS_STR_INIT;
    ls_str_append(&text, "1");
    for (int i = 0; i < 100; i++)
        ls_str_append(&text, "\xc3\xa4");
    assert_int_equal(SET("beta", text.data), LEASH_USAGE);
    assert_true(ls_is_utf8(leash_error(), strlen(leash_error())));
    assert_true(strlen(leash_error()) < 120);
    assert_non_null(strstr(leash_error(), "\xc3\xa4...'"));
    ls_str_release(&text);
    ls_config_free(config);
}

static void a_lower_origin_never_replaces_a_higher_one(void **state)
{
    (void)state;
    fixture_options o;
    ls_config *config = fixture_new(&o);
    static const ls_origin order[] = {LS_FROM_FLAG, LS_FROM_ENV, LS_FROM_FILE, LS_FROM_RECIPE};
    for (size_t i = 0; i < LS_COUNT(order); i++) {
        char digit[2] = {(char)('1' + i), '\0'};
        assert_int_equal(ls_config_set(config, "beta", digit, order[i], "x"), LEASH_OK);
        assert_true(o.beta == 1);
        assert_int_equal(ls_config_origin(config, "beta"), LS_FROM_FLAG);
    }
    /* but it is still checked */
    assert_int_equal(ls_config_set(config, "beta", "x", LS_FROM_RECIPE, "x"), LEASH_USAGE);
    assert_int_equal(SET("beta", "5"), LEASH_OK);
    assert_true(o.beta == 5);
    ls_config_free(config);
}

static void a_derived_value_replaces_all_and_gives_way_to_all(void **state)
{
    (void)state;
    fixture_options o;
    ls_config *config = fixture_new(&o);
    assert_int_equal(SET("seed", "1"), LEASH_OK);
    assert_int_equal(ls_config_set(config, "seed", "2", LS_FROM_DERIVED, "other"), LEASH_OK);
    assert_int_equal(o.seed, 2);
    assert_int_equal(ls_config_set(config, "seed", "3", LS_FROM_RECIPE, "r"), LEASH_OK);
    assert_int_equal(o.seed, 3);
    ls_config_free(config);
}

static void strings_outlive_their_replacement(void **state)
{
    (void)state;
    fixture_options o;
    ls_config *config = fixture_new(&o);
    assert_int_equal(SET("model", "first"), LEASH_OK);
    const char *borrowed = o.model;
    for (int i = 0; i < 100; i++)
        assert_int_equal(SET("model", "second"), LEASH_OK);
    assert_string_equal(borrowed, "first");
    assert_string_equal(o.model, "second");
    ls_config_free(config);
}

static void identity_follows_values_not_their_spelling_or_origin(void **state)
{
    (void)state;
    fixture_options o, p;
    ls_config *a = fixture_new(&o), *b = ls_config_new();
    ls_config_bind(b, &fixture_other_table, &p);
    ls_config_bind(b, &fixture_train_table, &p);
    const char *const except[] = {"seed", NULL};
    assert_true(ls_config_hash(a, NULL) == ls_config_hash(b, NULL)); /* order of binding */
    assert_int_equal(ls_config_set(b, "learning_rate", "0.0000010", LS_FROM_FLAG, "--x"), LEASH_OK);
    assert_true(ls_config_hash(a, NULL) == ls_config_hash(b, NULL));
    assert_int_equal(ls_config_set(b, "seed", "1", LS_FROM_FLAG, "--x"), LEASH_OK);
    assert_true(ls_config_hash(a, NULL) != ls_config_hash(b, NULL));
    assert_true(ls_config_hash(a, except) == ls_config_hash(b, except));
    ls_config_free(a);
    ls_config_free(b);
}

static void two_rows_with_one_key_are_a_bug(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        fixture_options o;
        if (!freopen("/dev/null", "w", stderr))
            _exit(1);
        ls_config *config = fixture_new(&o);
        ls_config_bind(config, &fixture_train_table, &o);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(binding_writes_the_defaults),
        cmocka_unit_test(every_type_is_read_from_text),
        cmocka_unit_test(dashes_and_underscores_name_the_same_key),
        cmocka_unit_test(a_wrong_value_says_what_was_expected_and_found),
        cmocka_unit_test(a_value_out_of_range_says_the_range),
        cmocka_unit_test(a_wrong_choice_gets_the_list_and_the_nearest),
        cmocka_unit_test(an_unknown_key_gets_the_nearest_or_our_name_for_it),
        cmocka_unit_test(a_small_table_is_listed_whole),
        cmocka_unit_test(errors_that_are_no_flag_name_the_key),
        cmocka_unit_test(long_wrong_values_are_cut_between_characters),
        cmocka_unit_test(a_lower_origin_never_replaces_a_higher_one),
        cmocka_unit_test(a_derived_value_replaces_all_and_gives_way_to_all),
        cmocka_unit_test(strings_outlive_their_replacement),
        cmocka_unit_test(identity_follows_values_not_their_spelling_or_origin),
        cmocka_unit_test(two_rows_with_one_key_are_a_bug),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
