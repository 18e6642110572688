/* Claims about flags, environment and the order of origins. */
#include "fixture.h"

#include <unistd.h>
#include "base/file.h"

static ls_config *config;
static fixture_options o;
static const char *rest[16];
static int n_rest;
static char path[32];

static int open_config(void **state)
{
    (void)state;
    config = fixture_new(&o);
    memcpy(path, "/tmp/leash_test_args.XXXXXX", 28);
    int fd = mkstemp(path);
    close(fd);
    return fd >= 0 ? 0 : -1;
}

static int close_config(void **state)
{
    (void)state;
    ls_config_free(config);
    unlink(path);
    unsetenv("LEASH_BETA");
    unsetenv("LEASH_SEED");
    return 0;
}

/* The arguments are words with one blank between them. */
static leash_status parse(const char *words)
{
    static char text[512];
    char *argv[16];
    int argc = 0;
    size_t n = strlen(words) + 1;
    assert_true(n <= sizeof text);
    memcpy(text, words, n);
    for (char *word = text; word; argc++) {
        argv[argc] = word;
        word = strchr(word, ' ');
        if (word)
            *word++ = '\0';
    }
    return ls_config_parse_args(config, words[0] ? argc : 0, argv, rest, &n_rest);
}

static void write_file(const char *text)
{
    assert_int_equal(ls_file_write_atomic(path, text, strlen(text)), LEASH_OK);
}

static void a_flag_has_four_forms(void **state)
{
    (void)state;
    assert_int_equal(parse("--beta 1 --learning-rate=2 --packing --no-shuffle"), LEASH_OK);
    assert_true(o.beta == 1);
    assert_true(o.learning_rate == 2);
    assert_true(o.packing);
    assert_false(o.shuffle);
    assert_int_equal(n_rest, 0);
}

static void switches_take_true_and_false_as_the_next_word(void **state)
{
    (void)state;
    assert_int_equal(parse("--packing true --shuffle False data.jsonl"), LEASH_OK);
    assert_true(o.packing);
    assert_false(o.shuffle);
    assert_int_equal(n_rest, 1);
    assert_int_equal(parse("--packing=no --no_shuffle --packing on"), LEASH_OK);
    assert_true(o.packing);
    assert_string_equal(rest[0], "on"); /* no value of a switch */
}

static void words_that_are_no_flags_are_handed_back_in_order(void **state)
{
    (void)state;
    assert_int_equal(parse("a --beta 1 b - -- --beta -x"), LEASH_OK);
    assert_int_equal(n_rest, 5);
    static const char *const words[] = {"a", "b", "-", "--beta", "-x"};
    for (int i = 0; i < 5; i++)
        assert_string_equal(rest[i], words[i]);
    assert_int_equal(parse(""), LEASH_OK);
    assert_int_equal(n_rest, 0);
}

static void values_may_be_negative_and_hold_equal_signs(void **state)
{
    (void)state;
    assert_int_equal(parse("--beta -1 --task_args=digits=2,operators=+- --model --"), LEASH_OK);
    assert_true(o.beta == -1);
    assert_string_equal(o.task_args, "digits=2,operators=+-");
    assert_string_equal(o.model, "--");
    assert_int_equal(parse("--model=--x"), LEASH_OK);
    assert_string_equal(o.model, "--x");
}

static void the_last_of_two_equal_flags_counts(void **state)
{
    (void)state;
    assert_int_equal(parse("--beta 1 --beta 2"), LEASH_OK);
    assert_true(o.beta == 2);
}

static void wrong_flags_say_so(void **state)
{
    (void)state;
    assert_usage(parse("--beta abc"), "--beta: expected a number, found 'abc'");
    assert_usage(parse("--num-generations 0"),
                 "--num-generations: 0 is out of range, allowed are 1 to 65536");
    assert_usage(parse("--learning_rat 1"),
                 "--learning_rat: unknown option (did you mean '--learning_rate'?)");
    assert_usage(parse("--model_name_or_path=x"),
                 "--model_name_or_path: unknown option (here it is '--model')");
    assert_usage(parse("--lr 1"), "--lr: unknown option (here it is '--learning_rate')");
    assert_usage(parse("-x"), "-x: unknown option (--help-all lists all keys)");
    assert_usage(parse("--beta"), "--beta: expected a number, found nothing");
    assert_usage(parse("--beta --seed 1"), "--beta: expected a number, found the option '--seed'");
    assert_usage(parse("--beta="), "--beta: expected a number, found nothing");
    assert_usage(parse("--packing=maybe"), "--packing: expected true or false, found 'maybe'");
    assert_usage(parse("--no-beta"),
                 "--no-beta: only switches have a --no- form, beta takes a number");
    assert_usage(parse("--no-packing=true"), "--no-packing: expected no value, found 'true'");
    assert_usage(parse("--config"), "--config: expected a file, found nothing");
    assert_usage(parse("--recipe"), "--recipe: expected the name of a recipe, found nothing");
    assert_int_equal(parse("--recipe grop"), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "--recipe: 'grop' is none of "));
    assert_non_null(strstr(leash_error(), "(did you mean 'grpo'?)"));
}

static void file_environment_and_flags_take_their_turns(void **state)
{
    (void)state;
    write_file("beta: 1\nseed: 1\nnum_generations: 1\n");
    setenv("LEASH_BETA", "2", 1);
    setenv("LEASH_SEED", "2", 1);
    ls_str words = LS_STR_INIT;
    ls_str_appendf(&words, "--beta 3 -c %s", path); /* the flag stands before the file */
    assert_int_equal(parse(words.data), LEASH_OK);
    assert_true(o.beta == 3);
    assert_int_equal(o.seed, 2);
    assert_int_equal(o.num_generations, 1);
    assert_int_equal(ls_config_origin(config, "beta"), LS_FROM_FLAG);
    assert_int_equal(ls_config_origin(config, "seed"), LS_FROM_ENV);
    assert_int_equal(ls_config_origin(config, "num_generations"), LS_FROM_FILE);
    assert_int_equal(ls_config_origin(config, "model"), LS_FROM_DEFAULT);
    ls_str_release(&words);
}

static void a_wrong_variable_is_named(void **state)
{
    (void)state;
    setenv("LEASH_BETA", "abc", 1);
    assert_usage(parse(""), "LEASH_BETA: expected a number, found 'abc'");
    setenv("LEASH_BETA", "", 1);
    assert_int_equal(parse(""), LEASH_OK);
    assert_false(ls_config_is_set(config, "beta"));
}

int main(void)
{
#define CASE(claim) cmocka_unit_test_setup_teardown(claim, open_config, close_config)
    const struct CMUnitTest tests[] = {
        CASE(a_flag_has_four_forms),
        CASE(switches_take_true_and_false_as_the_next_word),
        CASE(words_that_are_no_flags_are_handed_back_in_order),
        CASE(values_may_be_negative_and_hold_equal_signs),
        CASE(the_last_of_two_equal_flags_counts),
        CASE(wrong_flags_say_so),
        CASE(file_environment_and_flags_take_their_turns),
        CASE(a_wrong_variable_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
