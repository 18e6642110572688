/* Claims about the program around its commands: what it prints without one, errors and exit
 * codes, generated texts. */
#include "run.h"

#include "train/options.h"

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

static void version_is_one_line_with_compiler_build_and_kernels(void **state)
{
    (void)state;
    char *out = run_output("--version");
    assert_true(ls_starts_with(out, "leash " LEASH_VERSION " ("));
    assert_non_null(strstr(out, "gcc") ? strstr(out, "gcc") : strstr(out, "clang"));
    assert_non_null(strstr(out, ", kernels ref"));
    assert_int_equal(count_lines(out), 1);
    ls_free(out);
}

static const char *const commands[] = {
#define LS_COMMAND_ROW(symbol, name, group, arguments, takes_settings, help, more) name,
#include "cli/commands.def"
#undef LS_COMMAND_ROW
};

static void assert_columns(const char *text, size_t columns)
{
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (strcspn(line, "\n") > columns)
            fail_msg("more than %zu columns: %.*s", columns, (int)strcspn(line, "\n"), line);
}

static void help_lists_every_command_and_each_explains_itself_in_80_columns(void **state)
{
    (void)state;
    char *list = run_output("--help");
    assert_columns(list, 80);
    for (size_t i = 0; i < LS_COUNT(commands); i++) {
        ls_str entry = LS_STR_INIT;
        ls_str_appendf(&entry, "\n  %s ", commands[i]);
        assert_non_null(strstr(list, entry.data));
        ls_str_release(&entry);
        char *help = run_output("%s --help", commands[i]);
        char *same = run_output("help %s", commands[i]);
        assert_string_equal(help, same);
        assert_non_null(strstr(help, commands[i]));
        assert_columns(help, 80);
        ls_free(help);
        ls_free(same);
    }
    ls_free(list);
}

static void flags_that_are_no_settings_stand_in_the_help_of_their_command(void **state)
{
    (void)state;
    static const char *const flags[][2] = {
#define LS_FLAG_ROW(command, name, value, help) {command, name},
#include "cli/flags.def"
#undef LS_FLAG_ROW
    };
    for (size_t i = 0; i < LS_COUNT(flags); i++) {
        char *help = run_output("%s --help", flags[i][0]);
        assert_non_null(strstr(help, flags[i][1]));
        ls_free(help);
    }
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
    expect_usage("info --jsn", "--jsn: unknown option (did you mean '--json'?)");
    expect_usage("doctor --jsno=1", "--jsno: unknown option (did you mean '--json'?)");
    expect_usage("report --outptu x runs", "--outptu: unknown option (did you mean '--output'?)");
    expect_usage("run --seeed 4 x.yaml", "--seeed: unknown option (did you mean '--seed'?)");
    expect_usage("docs --quite_other",
                 "--quite_other: unknown option (leash docs --help lists what it takes)");
    expect_usage(
        "info everything",
        "leash info takes flags only, found 'everything': a setting is --KEY VALUE, a switch --KEY "
        "or --no-KEY");
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

static void help_of_all_settings_fits_80_columns(void **state)
{
    (void)state;
    char *help = run_output("grpo --help-all");
    assert_columns(help, 80);
    ls_free(help);
}

/* Runs a line of bash in which $leash is the program; stdout must be `out`. */
static void expect_shell(const char *line, const char *out, const char *err)
{
    ls_str script = LS_STR_INIT;
    ls_str_appendf(&script, "leash='%s'\n%s\n", LEASH_PROGRAM, line);
    run_write("line.bash", script.data);
    run_result r = run_command("/bin/bash", "line.bash");
    assert_string_equal(r.out.data, out);
    assert_string_equal(r.err.data, err);
    run_release(&r);
    ls_str_release(&script);
}

static void output_that_cannot_be_written_is_an_error(void **state)
{
    (void)state;
    const char *error = "leash: cannot write the output: No space left on device\n";
    expect_shell("$leash docs config >/dev/full; echo $?", "1\n", error);
    expect_shell("$leash --version >/dev/full; echo $?", "1\n", error);
}

static void a_reader_that_goes_ends_the_program_quietly(void **state)
{
    (void)state;
    /* the program starts when the reader has closed its end */
    expect_shell("mkfifo closed\n"
                 "{ read -r _ <closed; $leash docs config; echo $? >code; } | "
                 "{ exec <&-; echo >closed; }\ncat code",
                 "141\n", "");
    expect_shell("$leash generate --model tiny --task arithmetic --max_completion_length 4 |"
                 "head -n 1 >/dev/null; echo ${PIPESTATUS[0]}",
                 "141\n", "");
}

static void closed_streams_are_no_files_of_a_run(void **state)
{
    (void)state;
    expect_shell(
        "$leash pretrain --model tiny --task arithmetic --max_steps 1 --output_dir streams "
        "<&- >&- 2>&-; echo $?; ls streams/final/model.safetensors",
        "0\nstreams/final/model.safetensors\n", "");
}

/* Lines that are no comments. */
static char *values_of(const char *yaml)
{
    ls_str out = LS_STR_INIT;
    for (const char *line = yaml; *line; line += strcspn(line, "\n"), line += *line == '\n') {
        size_t n = strcspn(line, "\n");
        for (size_t i = 0; i + 3 <= n; i++)
            if (strncmp(line + i, "  #", 3) == 0)
                n = i;
        if (n > 0 && line[0] != '#')
            ls_str_appendf(&out, "%.*s\n", (int)n, line);
    }
    return ls_str_steal(&out);
}

static void printed_settings_name_their_origins_and_load_to_the_same(void **state)
{
    (void)state;
    char *yaml = run_output("grpo --recipe dapo --task arithmetic --beta 0.5 --print-config");
    assert_non_null(strstr(yaml, "\nbeta: 0.5  # --beta\n"));
    assert_non_null(strstr(yaml, "\nepsilon_high: 0.28  # recipe dapo\n"));
    assert_non_null(strstr(yaml, "\nreward: number  # derived from task\n"));
    assert_non_null(strstr(yaml, "\nseed: 42  # default\n"));
    run_write("printed.yaml", yaml);
    char *again = run_output("grpo --config printed.yaml --print-config");
    char *a = values_of(yaml), *b = values_of(again);
    assert_string_equal(a, b);
    ls_free(a);
    ls_free(b);
    ls_free(yaml);
    ls_free(again);
}

static void expect_json(const char *arguments)
{
    char *text = run_output("%s", arguments);
    json_error_t error;
    json_t *value = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!value || json_object_size(value) + json_array_size(value) == 0)
        fail_msg("leash %s: %s\n%s", arguments, error.text, text);
    json_decref(value);
    ls_free(text);
}

static void lists_and_checks_are_json_when_asked(void **state)
{
    (void)state;
    expect_json("info --json");
    expect_json("doctor --json");
}

static double mean_reward(const char *dir, int first, int n)
{
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += run_metric(dir, first + i, "reward");
    return sum / n;
}

/* What stands between the first and the last command of the text that `leash` prints. */
static void the_printed_examples_work_as_they_stand(void **state)
{
    (void)state;
    char *text = run_output("%s", "");
    char *first = strstr(text, "  leash pretrain"), *last = strstr(text, "  leash report");
    assert_non_null(first);
    assert_non_null(last);
    last[strcspn(last, "\n")] = 0;
    ls_str script = LS_STR_INIT;
    ls_str_appendf(&script, "set -e\nleash() { '%s' \"$@\"; }\n%s\n", LEASH_PROGRAM, first);
    run_write("examples.bash", script.data);
    run_result r = run_command("/bin/bash", "examples.bash");
    if (r.code != 0)
        fail_msg("ended with %d:\n%s", r.code, r.err.data);
    assert_string_equal(r.out.data, "runs/base/final\nruns/grpo/final\nruns/grpo/report.html\n");
    assert_true(ls_file_exists("runs/grpo/report.html"));
    assert_true(mean_reward("runs/grpo", 0, 5) > 0.3);
    assert_true(mean_reward("runs/grpo", -5, 5) > mean_reward("runs/grpo", 0, 5));
    run_release(&r);
    ls_str_release(&script);
    ls_free(text);
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
        cmocka_unit_test(the_printed_examples_work_as_they_stand),
        cmocka_unit_test(version_is_one_line_with_compiler_build_and_kernels),
        cmocka_unit_test(help_lists_every_command_and_each_explains_itself_in_80_columns),
        cmocka_unit_test(flags_that_are_no_settings_stand_in_the_help_of_their_command),
        cmocka_unit_test(wrong_use_ends_with_code_2_and_names_what_was_meant),
        cmocka_unit_test(a_wrong_file_is_named_with_line_and_column),
        cmocka_unit_test(every_recipe_fits_the_settings),
        cmocka_unit_test(help_of_all_settings_fits_80_columns),
        cmocka_unit_test(output_that_cannot_be_written_is_an_error),
        cmocka_unit_test(a_reader_that_goes_ends_the_program_quietly),
        cmocka_unit_test(closed_streams_are_no_files_of_a_run),
        cmocka_unit_test(printed_settings_name_their_origins_and_load_to_the_same),
        cmocka_unit_test(lists_and_checks_are_json_when_asked),
        cmocka_unit_test(the_completion_script_is_bash_that_completes),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
