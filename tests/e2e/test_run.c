/* Claims about pipelines: what is checked before, signals, resuming, what is printed. */
#include "run.h"

/* The last stage takes long enough to be stopped. */
#define PIPELINE                                                              \
    "name: two\n"                                                             \
    "settings: {task: arithmetic, task_args: 'digits=1', eval_num_rows: 8}\n" \
    "stages:\n"                                                               \
    "  - name: base\n"                                                        \
    "    command: pretrain\n"                                                 \
    "    settings: {model: tiny, max_steps: 2, eval_steps: 2}\n"              \
    "    gate: {metric: eval/accuracy, min: 0}\n"                             \
    "  - name: long\n"                                                        \
    "    command: sft\n"                                                      \
    "    from: base\n"                                                        \
    "    settings: {max_steps: 400, save_steps: 0, logging_steps: 1}\n"

static int open_workspace(void **state)
{
    (void)state;
    if (run_workspace_open() != 0)
        return -1;
    run_write("two.yaml", PIPELINE);
    return 0;
}

static int close_workspace(void **state)
{
    (void)state;
    return run_workspace_close();
}

static void a_pipeline_prints_its_stages_and_a_table_of_80_columns(void **state)
{
    (void)state;
    run_result r = run_program("run two.yaml --max_steps 2");
    assert_int_equal(r.code, 0);
    assert_non_null(strstr(r.err.data, "stage 1/2 base: runs/two/base\n"));
    assert_non_null(strstr(r.err.data, "stage 2/2 long: runs/two/long\n"));
    assert_non_null(strstr(r.err.data, "\n2 stages in "));
    assert_true(ls_starts_with(r.out.data, "stage "));
    assert_non_null(strstr(r.out.data, "\nreport: runs/two/report.html\n"));
    for (const char *line = r.out.data; *line; line += strcspn(line, "\n") + 1)
        assert_true(strcspn(line, "\n") <= 80);
    run_release(&r);
}

static void the_summary_is_json_when_asked(void **state)
{
    (void)state;
    char *text = run_output("run two.yaml --json --max_steps=2 --overwrite --output_dir json");
    json_t *summary = json_loads(text, JSON_REJECT_DUPLICATES, NULL), *stages;
    assert_non_null(summary);
    stages = json_object_get(summary, "stages");
    assert_int_equal(json_array_size(stages), 2);
    const char *dir = json_string_value(json_object_get(json_array_get(stages, 1), "dir"));
    assert_string_equal(dir, "json/long");
    assert_true(json_is_number(json_object_get(json_array_get(stages, 0), "accuracy")));
    json_decref(summary);
    ls_free(text);
}

static void every_stage_is_checked_before_the_first_starts(void **state)
{
    (void)state;
    run_write("bad.yaml", PIPELINE "  - {name: last, command: sft, from: long, settings: "
                                   "{learning_rat: 1}}\n");
    assert_error(run_program("run bad.yaml --output_dir bad"), 2,
                 "bad.yaml: stage last: --learning_rat: unknown option (did you mean "
                 "'--learning_rate'?)");
    assert_false(ls_dir_exists("bad"));
    assert_error(run_program("run two.yaml bad.yaml"), 2,
                 "leash run needs one pipeline file: leash run PIPELINE.yaml");
}

static void settings_of_all_stages_are_printed_and_nothing_runs(void **state)
{
    (void)state;
    char *text = run_output("run --print-config --seed 7 two.yaml --output_dir printed");
    assert_non_null(strstr(text, "# stage base\n# leash pretrain\n"));
    assert_non_null(strstr(text, "# stage long\n# leash sft\n"));
    assert_non_null(strstr(text, "\nmodel: printed/base  # --model\n"));
    assert_false(ls_dir_exists("printed"));
    ls_free(text);
}

static void stop_in_long(const char *dir, int signal_number)
{
    run_child child;
    char stage[64];
    snprintf(stage, sizeof stage, "%s/long", dir);
    run_start(&child, "run two.yaml --output_dir %s", dir);
    run_wait_for_steps(&child, stage, 3);
    kill(child.pid, signal_number);
    run_result r = run_finish(&child);
    assert_int_equal(r.code, 75);
    assert_non_null(strstr(r.err.data, " of 400 and saved: continue with --resume"));
    assert_error(r, 75, "stage long was stopped and saved: continue with leash run ... --resume");
}

static void a_signal_stops_the_stage_once_and_resume_continues(void **state)
{
    (void)state;
    stop_in_long("by-term", SIGTERM);
    stop_in_long("by-int", SIGINT);
    assert_false(ls_dir_exists("by-int/long/final"));
    run_result r = run_program("run two.yaml --output_dir by-int --resume");
    assert_int_equal(r.code, 0);
    assert_non_null(strstr(r.err.data, "stage 1/2 base: by-int/base is complete\n"));
    assert_non_null(strstr(r.err.data, "resuming by-int/long at step "));
    run_release(&r);
    assert_true(ls_dir_exists("by-int/long/final"));
}

/* --resume does not go through a gate that was closed. */
static void a_gate_stays_closed_for_resume(void **state)
{
    (void)state;
    run_write("gate.yaml", "name: gate\nstages:\n  - name: base\n    command: pretrain\n"
                           "    settings: {model: tiny, task: arithmetic, max_steps: 1, "
                           "eval_steps: 1, eval_num_rows: 4}\n"
                           "    gate: {metric: eval/accuracy, min: 2}\n");
    const char *error = "gate of stage base: eval/accuracy is 0, at least 2 is needed";
    assert_error(run_program("run gate.yaml"), 3, error);
    assert_error(run_program("run gate.yaml --resume"), 3, error);
}

/* What a later stage cannot do is told before an earlier one has trained. */
static void impossible_stages_and_gates_stop_before_the_first(void **state)
{
    (void)state;
    static const struct {
        const char *last, *error;
    } cases[] = {
        {"    settings: {max_steps: 1, eval_steps: 1}\n    gate: {metric: eval/acuracy, min: 0}\n",
         "there is no metric 'eval/acuracy'"},
        {"    settings: {max_steps: 1}\n    gate: {metric: eval/accuracy, min: 0}\n",
         "eval/accuracy needs evaluations: set eval_steps"},
        {"    settings: {max_steps: 1, reward: nosuch}\n", "no reward named"},
        {"    settings: {max_steps: 1, beta: 0.1, kl_estimator: k1}\n", "kl_estimator"},
    };
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        ls_str yaml = LS_STR_INIT;
        ls_str_appendf(&yaml,
                       "name: never\nsettings: {task: arithmetic, max_completion_length: 8}\n"
                       "stages:\n  - name: base\n    command: pretrain\n    settings: {model: "
                       "tiny, max_steps: 1}\n  - name: last\n    command: grpo\n    from: base\n%s",
                       cases[i].last);
        run_write("never.yaml", yaml.data);
        run_result r = run_program("run never.yaml");
        assert_int_equal(r.code, 2);
        assert_non_null(strstr(r.err.data, cases[i].error));
        assert_false(ls_dir_exists("runs/never/base"));
        run_release(&r);
        ls_str_release(&yaml);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pipeline_prints_its_stages_and_a_table_of_80_columns),
        cmocka_unit_test(the_summary_is_json_when_asked),
        cmocka_unit_test(every_stage_is_checked_before_the_first_starts),
        cmocka_unit_test(settings_of_all_stages_are_printed_and_nothing_runs),
        cmocka_unit_test(a_signal_stops_the_stage_once_and_resume_continues),
        cmocka_unit_test(a_gate_stays_closed_for_resume),
        cmocka_unit_test(impossible_stages_and_gates_stop_before_the_first),
    };
    return cmocka_run_group_tests(tests, open_workspace, close_workspace);
}
