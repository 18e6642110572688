/* Claims about configuration files: what is read, the place and text of every error, and hostile
 * bytes. */
#include "fixture.h"

#include <stdio.h>
#include <unistd.h>
#include "base/file.h"

static ls_config *config;
static fixture_options o;

static int open_config(void **state)
{
    (void)state;
    config = fixture_new(&o);
    return 0;
}

static int close_config(void **state)
{
    (void)state;
    ls_config_free(config);
    return 0;
}

static void a_flat_map_sets_keys(void **state)
{
    (void)state;
    assert_int_equal(fixture_load(config, "# a run\n---\nlearning-rate: 1e-4\nbeta: \"0.5\"\n"
                                          "packing: yes   # comment\nmodel: ~\n"
                                          "task_args: digits=2,operators=+-\n...\n"),
                     LEASH_OK);
    assert_true(o.learning_rate == 1e-4);
    assert_true(o.beta == 0.5);
    assert_true(o.packing);
    assert_string_equal(o.model, "");
    assert_string_equal(o.task_args, "digits=2,operators=+-");
    assert_int_equal(ls_config_origin(config, "beta"), LS_FROM_FILE);
}

static void json_is_read_as_well(void **state)
{
    (void)state;
    assert_int_equal(
        fixture_load(config,
                     "{\n\t\"beta\": 0.25,\n\t\"packing\": true,\n\t\"model\": \"a\\u00e4\"}"),
        LEASH_OK);
    assert_true(o.beta == 0.25);
    assert_true(o.packing);
    assert_string_equal(o.model, "a\xc3\xa4");
}

static void lists_of_scalars_are_joined(void **state)
{
    (void)state;
    assert_int_equal(fixture_load(config, "task_args: [a, \"b c\", 3]\nmodel:\n  - x\n"), LEASH_OK);
    assert_string_equal(o.task_args, "a,b c,3");
    assert_string_equal(o.model, "x");
}

static void an_empty_file_changes_nothing(void **state)
{
    (void)state;
    assert_int_equal(fixture_load(config, ""), LEASH_OK);
    assert_int_equal(fixture_load(config, "# only a comment\n"), LEASH_OK);
    assert_int_equal(fixture_load(config, "{}"), LEASH_OK);
    assert_false(ls_config_is_set(config, "beta"));
}

static void every_error_names_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *yaml, *error;
    } cases[] = {
        {"\n\nlearning_rat: 1\n",
         "run.yaml:3:1: unknown key 'learning_rat' (did you mean 'learning_rate'?)"},
        {"beta: abc\n", "run.yaml:1:7: beta: expected a number, found 'abc'"},
        {"beta:\n", "run.yaml:1:6: beta: expected a number, found nothing"},
        {"beta: null\n", "run.yaml:1:7: beta: expected a number, found 'null'"},
        {"beta: .nan\n", "run.yaml:1:7: beta: expected a number, found '.nan'"},
        {"beta: -.inf\n", "run.yaml:1:7: beta: expected a number, found '-.inf'"},
        {"beta: 1e-4abc\n", "run.yaml:1:7: beta: expected a number, found '1e-4abc'"},
        {"seed: 1\nnum_generations: 0\n",
         "run.yaml:2:18: num_generations: 0 is out of range, allowed are 1 to 65536"},
        {"aggregation: seqmean\n",
         "run.yaml:1:14: aggregation: 'seqmean' is none of token-mean, seq-mean, seq-sum "
         "(did you mean 'seq-mean'?)"},
        {"beta: 1\nseed: 2\nbeta: 1\n",
         "run.yaml:3:1: duplicate key 'beta', first given in line 1"},
        {"task-args: a\ntask_args: b\n",
         "run.yaml:2:1: duplicate key 'task_args', first given in line 1"},
        {"beta: {x: 1}\n", "run.yaml:1:7: beta: expected one value, found a map: keys are flat"},
        {"beta:\n  x: 1\n", "run.yaml:2:3: beta: expected one value, found a map: keys are flat"},
        {"task_args: [a, [b]]\n",
         "run.yaml:1:16: task_args: nested lists and maps are not allowed"},
        {"task_args: ['a,b']\n",
         "run.yaml:1:13: task_args: an element of a list may not hold a comma"},
        {"beta: &x 1\n", "run.yaml:1:7: beta: anchors are not allowed (&x): write the value"},
        {"beta: *x\n", "run.yaml:1:7: beta: aliases are not allowed (*x): write the value"},
        {"task_args: [*x]\n",
         "run.yaml:1:13: task_args: aliases are not allowed (*x): write the value"},
        {"*x : 1\n", "run.yaml:1:1: expected a key, found a list, a map or an alias"},
        {"? [a]\n: 1\n", "run.yaml:1:3: expected a key, found a list, a map or an alias"},
        {"beta: !!float 1\n", "run.yaml:1:7: beta: tags are not allowed "
                              "(tag:yaml.org,2002:float): write the value alone"},
        {"- beta\n", "run.yaml:1:1: expected lines of key: value"},
        {"beta\n", "run.yaml:1:1: expected lines of key: value"},
        {"beta: 1\n---\nseed: 1\n", "run.yaml:2:1: expected one document, found a second"},
        {"model: \"a\\0b\"\n", "run.yaml:1:8: model: a value may not hold a NUL byte"},
        {"beta: \"1\n", "run.yaml:2:1: malformed YAML: found unexpected end of stream"},
        {"beta: [1\n", "run.yaml:2:1: malformed YAML: did not find expected ',' or ']'"},
        {"beta: 1\n\tseed: 2\n",
         "run.yaml:2:1: malformed YAML: found a tab character that violates indentation"},
        {"seed: 1\nmodel: \xff\n",
         "run.yaml:2:8: expected text in UTF-8, found invalid leading UTF-8 octet"},
        {"recipe: grop\n", NULL},
    };
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        assert_int_equal(fixture_load(config, cases[i].yaml), LEASH_USAGE);
        if (cases[i].error)
            assert_string_equal(leash_error(), cases[i].error);
    }
    assert_non_null(strstr(leash_error(), "run.yaml:1:9: recipe: 'grop' is none of "));
    assert_non_null(strstr(leash_error(), "(did you mean 'grpo'?)"));
}

static void a_malformed_file_sets_nothing(void **state)
{
    (void)state;
    assert_int_equal(fixture_load(config, "beta: 3\nseed: [1\n"), LEASH_USAGE);
    assert_true(o.beta == 0);
}

static void a_file_is_named_by_its_path(void **state)
{
    (void)state;
    char path[] = "/tmp/leash_test_config.XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(ls_file_write_atomic(path, "beta: x\n", 8), LEASH_OK);
    ls_str expected = LS_STR_INIT;
    ls_str_appendf(&expected, "%s:1:7: beta: expected a number, found 'x'", path);
    assert_usage(ls_config_load_file(config, path), expected.data);
    ls_str_release(&expected);
    unlink(path);
    assert_int_equal(ls_config_load_file(config, path), LEASH_IO);
    assert_int_equal(ls_config_load_file(config, "/tmp"), LEASH_IO);
}

static void an_endless_file_is_refused_at_one_mebibyte(void **state)
{
    (void)state;
    assert_usage(ls_config_load_file(config, "/dev/zero"),
                 "/dev/zero: expected a configuration of at most 1 MiB, found more");
    ls_str text = LS_STR_INIT;
    ls_str_append(&text, "beta: 1\n");
    while (text.len < (size_t)1 << 20)
        ls_str_append_char(&text, '#');
    assert_int_equal(fixture_load(config, text.data), LEASH_OK);
    ls_str_append_char(&text, '#');
    assert_usage(fixture_load(config, text.data),
                 "run.yaml: expected a configuration of at most 1 MiB, found more");
    ls_str_release(&text);
}

static void an_alias_bomb_is_refused_at_its_first_anchor(void **state)
{
    (void)state;
    assert_usage(fixture_load(config, "model: &a [x,x,x,x,x,x,x,x,x]\n"
                                      "task_args: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\n"),
                 "run.yaml:1:8: model: anchors are not allowed (&a): write the value");
}

static void deep_nesting_is_refused_without_recursion(void **state)
{
    (void)state;
    static const char *const units[] = {"[",   "{",   "- ", "{a: ", "? ",
                                        "&a ", "!a ", "\"", "'",    "|\n"};
    for (size_t i = 0; i < LS_COUNT(units); i++) {
        ls_str text = LS_STR_INIT;
        ls_str_append(&text, "task_args: ");
        while (text.len < 200000)
            ls_str_append(&text, units[i]);
        leash_status status = fixture_load(config, text.data);
        assert_true(status == LEASH_OK || status == LEASH_USAGE);
        ls_str_release(&text);
    }
}

/* Random edits of a good file, and random bytes: each ends with a status, and a text when it is
 * refused. */
static void damaged_files_never_crash(void **state)
{
    (void)state;
    static const char good[] = "recipe: grpo\nbeta: 0.04\ntask_args: [a, b]\nmodel: \"x\\n\"\n"
                               "? packing\n: true\nseed: |\n  7\naggregation: 'seq-mean'\n";
    static const char alphabet[] = "\"'[]{}:,-?&*!|>#%@\\\n\t \0a1\xc3\xff\xfe";
    uint64_t random = 88172645463325252ull;
    for (int round = 0; round < 20000; round++) {
        char text[sizeof good];
        memcpy(text, good, sizeof good);
        size_t n = sizeof good - 1;
        for (int edit = 0; edit < 1 + round % 4; edit++) {
            random ^= random << 13, random ^= random >> 7, random ^= random << 17;
            text[random % n] = alphabet[(random >> 20) % (sizeof alphabet - 1)];
        }
        if (round % 5 == 0)
            n = random % n; /* cut */
        ls_error_clear();
        leash_status status = ls_config_load_text(config, text, n, "run.yaml", LS_FROM_FILE);
        assert_true(status == LEASH_OK || status == LEASH_USAGE);
        assert_true((status == LEASH_OK) || strncmp(leash_error(), "run.yaml:", 9) == 0 ||
                    strncmp(leash_error(), "recipe ", 7) == 0);
    }
}

int main(void)
{
#define CASE(claim) cmocka_unit_test_setup_teardown(claim, open_config, close_config)
    const struct CMUnitTest tests[] = {
        CASE(a_flat_map_sets_keys),
        CASE(json_is_read_as_well),
        CASE(lists_of_scalars_are_joined),
        CASE(an_empty_file_changes_nothing),
        CASE(every_error_names_line_and_column),
        CASE(a_malformed_file_sets_nothing),
        CASE(a_file_is_named_by_its_path),
        CASE(an_endless_file_is_refused_at_one_mebibyte),
        CASE(an_alias_bomb_is_refused_at_its_first_anchor),
        CASE(deep_nesting_is_refused_without_recursion),
        CASE(damaged_files_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
