/* Claims about the program around its commands: what it prints without one, errors and exit
 * codes, generated texts. */
#include "run.h"

#include "train/options.h"

static int open_workspace(void **state)
{
    (void)state;
    return run_workspace_open();
}

static int close_workspace(void **state)
{
    (void)state;
    return run_workspace_close();
}

static int count_lines(const char *text)
{
    int n = 0;
    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* The usage error of a command. */
static void expect_usage(const char *arguments, const char *text)
{
    assert_error(run_program("%s", arguments), 2, text);
}

static void without_a_command_it_prints_examples_to_copy(void **state)
{
    (void)state;
    char *out = run_output("%s", "");
    assert_true(count_lines(out) <= 15);
    assert_non_null(strstr(out, "\n  leash pretrain "));
    assert_non_null(strstr(out, "\n  leash grpo "));
    assert_non_null(strstr(out, "\n  leash report "));
    ls_free(out);
}

static void version_is_one_line_with_the_compiler(void **state)
{
    (void)state;
    char *out = run_output("--version");
    assert_true(ls_starts_with(out, "leash " LEASH_VERSION " "));
    assert_non_null(strstr(out, "gcc") ? strstr(out, "gcc") : strstr(out, "clang"));
    assert_int_equal(count_lines(out), 1);
    ls_free(out);
}

static void help_lists_every_command_and_each_explains_itself(void **state)
{
    (void)state;
    static const char *const names[] = {
#define LS_COMMAND_ROW(symbol, name, group, arguments, help) name,
#include "cli/commands.def"
#undef LS_COMMAND_ROW
    };
    char *list = run_output("--help");
    for (size_t i = 0; i < LS_COUNT(names); i++) {
        ls_str entry = LS_STR_INIT;
        ls_str_appendf(&entry, "\n  %s ", names[i]);
        assert_non_null(strstr(list, entry.data));
        ls_str_release(&entry);
        char *help = run_output("%s --help", names[i]);
        assert_non_null(strstr(help, names[i]));
        ls_free(help);
    }
    ls_free(list);
}

static void wrong_use_ends_with_code_2_and_names_what_was_meant(void **state)
{
    (void)state;
    expect_usage("grop", "unknown command 'grop' (did you mean 'grpo'?); leash --help lists them");
    expect_usage("sft --learning_rat 1",
                 "--learning_rat: unknown option (did you mean '--learning_rate'?)");
    expect_usage("sft --learning-rate abc", "--learning-rate: expected a number, found 'abc'");
    expect_usage("grpo --num_generations 0",
                 "--num_generations: 0 is out of range, allowed are 1 to 65536");
    expect_usage("grpo --model_name_or_path x",
                 "--model_name_or_path: unknown option (here it is '--model')");
    expect_usage("help bta", "unknown key 'bta' (did you mean 'beta'?)");
    expect_usage("LEASH_BETA=x -- grpo --model tiny", "LEASH_BETA: expected a number, found 'x'");
}

static void a_wrong_file_is_named_with_line_and_column(void **state)
{
    (void)state;
    run_write("run.yaml", "model: tiny\n\nlearning_rat: 1\n");
    expect_usage("sft --config run.yaml",
                 "run.yaml:3:1: unknown key 'learning_rat' (did you mean 'learning_rate'?)");
    assert_error(run_program("sft -c missing.yaml"), 1,
                 "cannot read missing.yaml: no such file or directory");
}

/* One line a recipe: its keys are known and its values are allowed in the commands that take it. */
static void every_recipe_fits_the_settings(void **state)
{
    (void)state;
    size_t n;
    const ls_recipe *recipes = ls_recipes(&n);
    for (size_t i = 0; i < n; i++) {
        ls_config *config = ls_config_new();
        ls_run_options options;
        ls_run_options_bind(config, &options);
        assert_ok(ls_config_load_recipe(config, recipes[i].name));
        ls_config_free(config);
    }
}

static void help_of_settings_fits_80_columns(void **state)
{
    (void)state;
    char *help = run_output("grpo --help-all");
    for (const char *line = help; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
    ls_free(help);
}

static void the_completion_script_is_bash_that_completes(void **state)
{
    (void)state;
    char *script = run_output("completion bash");
    run_write("completion.bash", script);
    run_write("try.bash", "source ./completion.bash\n"
                          "COMP_WORDS=(leash gr); COMP_CWORD=1; _leash; echo \"${COMPREPLY[@]}\"\n"
                          "COMP_WORDS=(leash grpo --learning_r); COMP_CWORD=2; _leash\n"
                          "echo \"${COMPREPLY[@]}\"\n");
    run_result r = run_command("/bin/bash", "try.bash");
    assert_string_equal(r.out.data, "grpo\n--learning_rate\n");
    assert_string_equal(r.err.data, "");
    assert_int_equal(r.code, 0);
    run_release(&r);
    ls_free(script);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_command_it_prints_examples_to_copy),
        cmocka_unit_test(version_is_one_line_with_the_compiler),
        cmocka_unit_test(help_lists_every_command_and_each_explains_itself),
        cmocka_unit_test(wrong_use_ends_with_code_2_and_names_what_was_meant),
        cmocka_unit_test(a_wrong_file_is_named_with_line_and_column),
        cmocka_unit_test(every_recipe_fits_the_settings),
        cmocka_unit_test(help_of_settings_fits_80_columns),
        cmocka_unit_test(the_completion_script_is_bash_that_completes),
    };
    return cmocka_run_group_tests(tests, open_workspace, close_workspace);
}
