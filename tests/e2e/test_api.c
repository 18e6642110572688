/* The library as others use it: include/leash/leash.h alone, events that stop a run at once, and
 * callers that want no events. */
#include "small_runs.h"

#include "leash/leash.h"

/* Settings of a recipe and pairs of key and value; the list ends with NULL. */
static leash_settings *make_settings(const char *recipe, const char *const *pairs)
{
    leash_settings *s;
    assert_ok(leash_settings_new(&s, recipe));
    for (; *pairs; pairs += 2)
        assert_ok(leash_settings_set(s, pairs[0], pairs[1]));
    return s;
}

#define SETTINGS(recipe, ...) make_settings(recipe, (const char *const[]){__VA_ARGS__, NULL})
#define SUM_PAIRS                                                                  \
    "task", "arithmetic", "task_args", "digits=1,operators=+", "max_length", "64", \
        "max_completion_length", "8"
#define RUN_PAIRS                                                    \
    SUM_PAIRS, "max_steps", "2", "per_device_train_batch_size", "8", \
        "gradient_accumulation_steps", "1"

static bool stop_at_once(void)
{
    return true;
}

static const leash_events stopping = {.should_stop = stop_at_once};

/* --- training --- */

static void a_step_that_fails_is_not_saved_when_a_stop_is_pending(void **state)
{
    (void)state;
    make_nan_model();
    leash_settings *s =
        SETTINGS("sft", "model", "nan", "save_steps", "1", "output_dir", "failed", RUN_PAIRS);
    assert_int_equal(leash_train(s, &stopping), LEASH_NUMERIC);
    assert_non_null(strstr(leash_error(), "the forward pass is not finite: "));
    leash_settings_free(s);
    assert_false(ls_dir_exists("failed/checkpoints"));
    assert_false(ls_dir_exists("failed/final"));
    assert_int_equal(run_count_steps("failed"), 0);
}

static void a_stop_that_is_pending_saves_the_step_that_is_done(void **state)
{
    (void)state;
    leash_settings *s = SETTINGS("sft", "model", "base", "output_dir", "stopped", RUN_PAIRS);
    assert_int_equal(leash_train(s, &stopping), LEASH_INTERRUPTED);
    leash_settings_free(s);
    assert_true(ls_dir_exists("stopped/checkpoints/step-1"));
    assert_int_equal(run_count_steps("stopped"), 1);
}

/* The first rollout is cut short, so that the state is that of step 0, evaluation done. */
static void the_evaluation_at_the_start_is_logged_once(void **state)
{
    (void)state;
    leash_settings *s = SETTINGS("grpo", "model", "base", "output_dir", "started", "eval_on_start",
                                 "true", "eval_num_rows", "8", "num_generations", "4", RUN_PAIRS);
    assert_int_equal(leash_train(s, &stopping), LEASH_INTERRUPTED);
    assert_int_equal(run_count_steps("started"), 1);
    assert_true(run_metric("started", 0, "step") == 0);
    assert_ok(leash_settings_set(s, "resume", "true"));
    assert_ok(leash_train(s, NULL));
    leash_settings_free(s);
    assert_int_equal(run_count_steps("started"), 3);
    for (int line = 0; line < 3; line++)
        assert_true(run_metric("started", line, "step") == line);
    assert_true(run_metric("started", 0, "eval/problems") == 8);
    run_ok("grpo --max_steps 2 --per_device_train_batch_size 8 --gradient_accumulation_steps 1 "
           "--eval_on_start --eval_num_rows 8 --num_generations 4 --model base "
           "--output_dir straight " SUMS);
    assert_same_run("straight", "started");
}

/* --- evaluations --- */

/* pass@k, pass@k_lenient and maj@k of an evaluation of a file (ls_str_release). */
static ls_str evaluate_file(leash_eval_report *report, const char *rows)
{
    char *json;
    ls_str series = LS_STR_INIT;
    run_write("rows.jsonl", rows);
    leash_settings *s =
        SETTINGS(NULL, "model", "base", "dataset", "rows.jsonl", "reward", "number", "eval_samples",
                 "16", "eval_temperature", "1", "max_completion_length", "8");
    assert_ok(leash_eval(report, NULL, &json, s, NULL));
    const char *first = strstr(json, "\"pass@k\""), *end = strstr(json, ", \"mean_length\"");
    assert_true(first && end);
    ls_str_append_n(&series, first, (size_t)(end - first));
    leash_free(json);
    leash_settings_free(s);
    return series;
}

/* The samples of the first row are those that it has alone.  Its answer is one that the model
 * gives. */
static void a_row_that_cannot_be_judged_does_not_dilute_pass_at_k(void **state)
{
    (void)state;
    leash_eval_report alone, both;
#define JUDGED "{\"prompt\": \"9+9=\", \"answer\": \"11\"}\n"
    ls_str x = evaluate_file(&alone, JUDGED),
           y = evaluate_file(&both, JUDGED "{\"prompt\": \"2+1=\", \"answer\": \"?\"}\n");
    assert_true(alone.accuracy > 0);
    assert_true(both.accuracy == alone.accuracy);
    assert_int_equal(alone.n_problems, 1);
    assert_int_equal(both.n_problems, 2);
    assert_same_text(&x, &y, "pass@k");
    assert_null(strstr(x.data, "null"));
    ls_str_release(&x);
    ls_str_release(&y);
}

static void an_evaluation_that_judges_nothing_is_an_error(void **state)
{
    (void)state;
    run_write("open.jsonl", "{\"prompt\": \"1+1=\"}\n");
    leash_settings *s = SETTINGS(NULL, "model", "base", "dataset", "open.jsonl", "reward", "number",
                                 "max_completion_length", "8");
    leash_eval_report report;
    assert_int_equal(leash_eval(&report, NULL, NULL, s, NULL), LEASH_DATA);
    assert_non_null(strstr(leash_error(), "rows need an answer that it can read"));
    leash_settings_free(s);
}

/* --- events that nobody wants --- */

static void work_without_events_or_rows_is_done_in_silence(void **state)
{
    (void)state;
    static const leash_events nothing = {0};
    const leash_events *const events[] = {NULL, &nothing};
    leash_eval_report report;
    for (size_t i = 0; i < LS_COUNT(events); i++) {
        leash_settings *s = SETTINGS(NULL, "model", "base", "dataset_num_rows", "3", SUM_PAIRS);
        assert_ok(leash_generate(s, NULL, events[i]));
        assert_ok(leash_generate(s, "1+1=", events[i]));
        assert_ok(leash_score(s, events[i]));
        assert_ok(leash_eval(&report, NULL, NULL, s, events[i]));
        assert_int_equal(report.n_problems, 3);
        leash_settings_free(s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_that_fails_is_not_saved_when_a_stop_is_pending),
        cmocka_unit_test(a_stop_that_is_pending_saves_the_step_that_is_done),
        cmocka_unit_test(the_evaluation_at_the_start_is_logged_once),
        cmocka_unit_test(a_row_that_cannot_be_judged_does_not_dilute_pass_at_k),
        cmocka_unit_test(an_evaluation_that_judges_nothing_is_an_error),
        cmocka_unit_test(work_without_events_or_rows_is_done_in_silence),
    };
    return cmocka_run_group_tests(tests, small_runs_setup, small_runs_teardown);
}
