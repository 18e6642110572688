/* Claims about what a configuration looks like from outside: dump, help, documents. */
#include "fixture.h"

#define COLUMNS 80

static ls_config *config;
static fixture_options o;
static ls_str text;

static int open_config(void **state)
{
    (void)state;
    config = fixture_new(&o);
    ls_str_init(&text);
    return 0;
}

static int close_config(void **state)
{
    (void)state;
    ls_config_free(config);
    ls_str_release(&text);
    return 0;
}

static void set(const char *key, const char *value, ls_origin origin, const char *where)
{
    assert_int_equal(ls_config_set(config, key, value, origin, where), LEASH_OK);
}

static void the_dump_tells_value_and_origin_by_section(void **state)
{
    (void)state;
    set("beta", "0.040", LS_FROM_RECIPE, "recipe grpo");
    set("packing", "yes", LS_FROM_ENV, "LEASH_PACKING");
    set("aggregation", "seq-mean", LS_FROM_FILE, "run.yaml:3");
    set("model", "my model", LS_FROM_FLAG, "--model");
    set("task_args", "no", LS_FROM_DERIVED, "task");
    ls_config_dump_yaml(config, &text);
    assert_string_equal(text.data, "# Training\n"
                                   "learning_rate: 1e-06  # default\n"
                                   "beta: 0.04  # recipe grpo\n"
                                   "num_generations: 8  # default\n"
                                   "packing: true  # LEASH_PACKING\n"
                                   "shuffle: true  # default\n"
                                   "aggregation: seq-mean  # run.yaml:3\n"
                                   "\n"
                                   "# Model\n"
                                   "model: \"my model\"  # --model\n"
                                   "task_args: \"no\"  # derived from task\n"
                                   "seed: 42  # default\n"
                                   "isa: \"\"  # default\n");
}

/* The dump of a configuration, loaded into a fresh one, gives the same values. */
static void expect_round_trip(void)
{
    fixture_options p;
    ls_config *copy = fixture_new(&p);
    ls_str_clear(&text);
    ls_config_dump_yaml(config, &text);
    if (fixture_load(copy, text.data) != LEASH_OK)
        fail_msg("%s\n%s", leash_error(), text.data);
    assert_true(ls_config_hash(copy, NULL) == ls_config_hash(config, NULL));
    assert_true(p.learning_rate == o.learning_rate && p.beta == o.beta && p.seed == o.seed);
    assert_string_equal(p.task_args, o.task_args);
    ls_config_free(copy);
}

static void a_dump_loads_to_the_same_values(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        " ",
                                        "null",
                                        "~",
                                        "true",
                                        "12",
                                        "1e5",
                                        ".5",
                                        "-",
                                        "- x",
                                        "a: b",
                                        "a #b",
                                        "#",
                                        "*a",
                                        "&a",
                                        "!x",
                                        "[a]",
                                        "{a}",
                                        "'",
                                        "\"",
                                        "\\",
                                        "\\n",
                                        "a\nb",
                                        "\t",
                                        "\x01\x1f\x7f",
                                        " lead",
                                        "trail ",
                                        "|",
                                        ">",
                                        "%x",
                                        "@x",
                                        "`x",
                                        "?",
                                        ": ",
                                        "a,b",
                                        "\xc3\xa4",
                                        "\xf0\x9f\x98\x80",
                                        "\xc2\x85",
                                        "\xc2\x9f",
                                        "\xc2\xa0",
                                        "\xe2\x80\xa8\xe2\x80\xa9",
                                        "\xef\xbb\xbf",
                                        "\xef\xbf\xbe\xef\xbf\xbf",
                                        "\xef\xbf\xbd",
                                        "---",
                                        "...",
                                        "/a/b.c-d_e+f",
                                        "end\r\n"};
    static const char *const numbers[] = {
        "0.1",         "-0",  "5e-324", "1.7976931348623157e308", "1e22", "0.30000000000000004",
        "-123456.789", "1e-5"};
    for (size_t i = 0; i < LS_COUNT(texts); i++) {
        set("task_args", texts[i], LS_FROM_FLAG, "--task_args");
        set("model", texts[LS_COUNT(texts) - 1 - i], LS_FROM_FILE, "we\nird\x7f:1");
        expect_round_trip();
    }
    for (size_t i = 0; i < LS_COUNT(numbers); i++) {
        set("beta", numbers[i], LS_FROM_FLAG, "--beta");
        expect_round_trip();
    }
    set("seed", "-9223372036854775808", LS_FROM_FLAG, "--seed");
    set("isa", "ref", LS_FROM_FLAG, "--isa");
    expect_round_trip();
}

/* No line of the text is wider. */
static void expect_width(const char *lines, size_t columns)
{
    while (*lines) {
        size_t n = strcspn(lines, "\n");
        if (n > columns)
            fail_msg("%zu columns: %.*s", n, (int)n, lines);
        lines += n + (lines[n] == '\n');
    }
}

static void help_fits_the_columns(void **state)
{
    (void)state;
    static const int widths[] = {40, 57, 80, 100};
    set("model",
        "/a/very/long/path/without/any/blank/that/is/wider/than/one/line/of/the/help/and/more",
        LS_FROM_FLAG, "--model");
    for (size_t i = 0; i < LS_COUNT(widths); i++) {
        ls_str_clear(&text);
        ls_config_help(config, &text, widths[i], true);
        expect_width(text.data, (size_t)widths[i]);
        ls_str_clear(&text);
        assert_int_equal(ls_config_help_key(config, "model", &text, widths[i]), LEASH_OK);
        expect_width(text.data, (size_t)widths[i]);
    }
}

static void help_lists_keys_by_section_with_their_values(void **state)
{
    (void)state;
    set("beta", "0.5", LS_FROM_RECIPE, "recipe grpo");
    ls_config_help(config, &text, COLUMNS, false);
    assert_string_equal(
        text.data, "\nTraining\n"
                   "  --learning_rate X           Peak learning rate. [1e-6]\n"
                   "  --beta X                    Weight of the KL term. [0.5 reward/nat]\n"
                   "  --num_generations N         Completions of a prompt. [8 completions]\n"
                   "  --packing                   Several sequences in a row. [false]\n"
                   "  --shuffle                   Draw rows in a new order. [true]\n"
                   "  --aggregation NAME          How token losses become one number. One of\n"
                   "                              token-mean, seq-mean, seq-sum. [token-mean]\n"
                   "\nModel\n"
                   "  --model PATH                Model folder.\n"
                   "  --task_args TEXT            Arguments of the task.\n"
                   "  --seed N                    Names all randomness. [42]\n");
}

static void advanced_keys_are_shown_on_demand(void **state)
{
    (void)state;
    ls_config_help(config, &text, COLUMNS, true);
    assert_non_null(
        strstr(text.data, "  --isa NAME                  Kernel table. One of '', ref, "));
}

static void help_of_a_key_tells_everything(void **state)
{
    (void)state;
    set("beta", "0.5", LS_FROM_RECIPE, "recipe grpo");
    assert_int_equal(ls_config_help_key(config, "beta", &text, COLUMNS), LEASH_OK);
    assert_string_equal(text.data, "--beta X\n"
                                   "  Weight of the KL term.\n\n"
                                   "  takes    number\n"
                                   "  unit     reward/nat\n"
                                   "  default  0\n"
                                   "  value    0.5 (recipe grpo)\n"
                                   "  section  Training\n"
                                   "\n"
                                   "  Loss = objective + beta * KL.\n");
    assert_usage(ls_config_help_key(config, "bta", &text, COLUMNS),
                 "unknown key 'bta' (did you mean 'beta'?)");
}

static void wrapped_text_keeps_paragraphs_and_counts_characters(void **state)
{
    (void)state;
    ls_wrap(&text, "one two\nthree   \xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 five", 2, 12);
    assert_string_equal(text.data, "one two\n  three \xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\n  five");
    ls_str_clear(&text);
    ls_wrap(&text, "abcdefghijklmnopqrstuvwx y", 2, 12);
    assert_string_equal(text.data, "abcdefghij\n  klmnopqrst\n  uvwx y");
    ls_str_clear(&text);
    ls_wrap(&text, "", 2, 12);
    assert_string_equal(text.data, "");
}

static void markdown_has_a_table_a_section(void **state)
{
    (void)state;
    set("beta", "3", LS_FROM_FLAG, "--beta"); /* documents tell defaults, whatever is set */
    ls_config_markdown(config, &text);
    assert_non_null(strstr(text.data, "\n## Training\n\nHow the weights move.\n\n| key | takes |"));
    assert_non_null(strstr(text.data,
                           "| `beta` | number | `0` | reward/nat | Weight of the KL term. "
                           "Loss = objective + beta * KL. |\n"));
    assert_non_null(
        strstr(text.data, "| `num_generations` | whole number from 1 to 65536 | `8` |"));
    assert_non_null(strstr(text.data, "| `isa` | one of '', ref, avx2 |  |  | Kernel table. |\n"));
}

static void the_man_page_escapes_roff(void **state)
{
    (void)state;
    ls_config_man(config, &text);
    assert_non_null(strstr(text.data,
                           ".TP\n.B \\-\\-aggregation\nHow token losses become one number.\n"
                           "Takes one of token\\-mean, seq\\-mean, seq\\-sum; default "
                           "token\\-mean.\n"));
}

static void all_keys_are_listed_for_completion(void **state)
{
    (void)state;
    ls_config_keys(config, &text);
    assert_string_equal(text.data, " --learning_rate --beta --num_generations --packing --shuffle "
                                   "--aggregation --model --task_args --seed --isa");
}

int main(void)
{
#define CASE(claim) cmocka_unit_test_setup_teardown(claim, open_config, close_config)
    const struct CMUnitTest tests[] = {
        CASE(the_dump_tells_value_and_origin_by_section),
        CASE(a_dump_loads_to_the_same_values),
        CASE(help_fits_the_columns),
        CASE(help_lists_keys_by_section_with_their_values),
        CASE(advanced_keys_are_shown_on_demand),
        CASE(help_of_a_key_tells_everything),
        CASE(wrapped_text_keeps_paragraphs_and_counts_characters),
        CASE(markdown_has_a_table_a_section),
        CASE(the_man_page_escapes_roff),
        CASE(all_keys_are_listed_for_completion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
