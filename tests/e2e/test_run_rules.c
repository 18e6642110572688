/* Rules of runs and evaluations: settings that are refused before anything is written, what a
 * stopped or resumed run leaves behind, and what its numbers mean. */
#include "small_runs.h"

#define STEP "--per_device_train_batch_size 8 --gradient_accumulation_steps 1 "
#define GRPO "grpo --max_steps 2 --output_dir out --overwrite " STEP SMALL_RL
#define SFT "sft --max_steps 2 --output_dir out --overwrite " STEP SMALL_SFT
/* Samples of which about one in twenty is right. */
#define SAMPLES "--eval_num_rows 16 --eval_samples 4 --eval_temperature 1 "

/* --- settings that are refused --- */

static void a_method_is_given_only_what_it_can_use(void **state)
{
    (void)state;
    static const refused cases[] = {
        {SFT "--beta 0.1", 2,
         "method rows trains on given tokens, which have no advantages and no reference: objective "
         "must be sft and beta 0, found sft and 0.1"},
        {SFT "--objective ppo-clip", 2,
         "method rows trains on given tokens, which have no advantages and no reference: objective "
         "must be sft and beta 0, found ppo-clip and 0"},
        {GRPO "--objective reinforce --beta 0 --num_iterations 2", 2,
         "objective reinforce has no importance ratio and takes one update a step, found 2: set "
         "num_iterations to 1 and generation_batch_size to 0, or take objective ppo-clip"},
        {GRPO "--objective reinforce --beta 0 --generation_batch_size 24", 2,
         "objective reinforce has no importance ratio and takes one update a step, found 3: set "
         "num_iterations to 1 and generation_batch_size to 0, or take objective ppo-clip"},
        {GRPO "--overlong_cache 9", 2,
         "overlong_cache = 9 is more than max_completion_length = 8: it is the last part of it"},
        {GRPO "--degenerate_groups drop --num_generations 1 --advantage_estimator none", 2,
         "degenerate_groups is drop, but groups of num_generations 1 have no spread and would all "
         "be dropped; set num_generations to 2 or more"},
        {GRPO "--reward number,format,number", 2, "reward: number is named twice"},
    };
    check_refused(cases, LS_COUNT(cases));
}

/* An evaluation that can never be is found before the steps that come before it. */
static void samples_of_a_greedy_policy_are_refused_at_the_start(void **state)
{
    (void)state;
    static const char *const text =
        "eval_samples = 2 completions of a greedy policy are equal: set eval_temperature above 0, "
        "or eval_samples to 1";
    const refused cases[] = {
        {GRPO "--eval_steps 2 --eval_samples 2", 2, text},
        {SFT "--eval_steps 2 --eval_samples 2", 2, text},
        {"eval --model base --eval_samples 2 " SUMS, 2, text},
        {"eval --model base --temperature 0.5 " SUMS, 2,
         "temperature belongs to training and generate: set eval_temperature for evaluations"},
    };
    check_refused(cases, LS_COUNT(cases));
    run_ok("eval --model base --temperature 0.5 --eval_temperature 0.5 --eval_samples 2 "
           "--eval_num_rows 2 " SUMS);
}

/* A row of 33000 bytes fits the model's positions, but not the attention kernels. */
static void rows_beyond_the_kernels_limit_are_refused(void **state)
{
    (void)state;
    ls_str text = LS_STR_INIT;
    ls_str_append(&text, "{\"text\": \"");
    for (int i = 0; i < 33000; i++)
        ls_str_append_char(&text, 'a');
    ls_str_append(&text, "\"}\n");
    run_write("long.jsonl", text.data);
    ls_str_release(&text);
#define LONG "--model tiny --max_position_embeddings 65536 --max_length 40000 --dataset long.jsonl "
    static const refused cases[] = {
        {"pretrain --output_dir out " LONG, 1,
         "long.jsonl:1: the row has 33001 tokens, the model's context is 32768: set max_length to "
         "at most 32768 and truncation to keep_start or drop"},
        {"pretrain --packing --output_dir out " LONG, 2,
         "max_length = 40000 is more than the model's context of 32768: lower it"},
        {"score " LONG, 1,
         "long.jsonl: the longest row has 33001 tokens, the model's context is 32768"},
    };
    check_refused(cases, LS_COUNT(cases));
}

/* --- the reference --- */

static void a_reference_must_fit_the_policy(void **state)
{
    (void)state;
    run_write("sums.jsonl", "{\"prompt\": \"1+1=\", \"answer\": \"2\"}\n");
    static const refused cases[] = {
        {GRPO "--ref_model tiny --max_position_embeddings 8", 2,
         "ref_model: its context is 8 tokens, sequences have up to 12: lower "
         "max_completion_length or max_length, or take another model"},
        /* without a task a built-in shape reads bytes */
        {"grpo --model base --ref_model tiny --reward number --dataset sums.jsonl "
         "--max_completion_length 8 --output_dir out",
         2,
         "ref_model: its tokenizer is not the policy's: both must give the same ids to the same "
         "text"},
        {GRPO "--ref_model nowhere", 2,
         "--ref_model: 'nowhere' is neither a folder nor a GGUF file nor a built-in shape (tiny, "
         "1m, 15m, 135m)"},
    };
    check_refused(cases, LS_COUNT(cases));
    run_ok(GRPO "--ref_model tiny --max_position_embeddings 12");
}

/* The text of an error with a number of a row somewhere inside. */
static void assert_error_at_a_row(run_result r, const char *before, const char *after)
{
    const char *at = strstr(r.err.data, before);
    if (r.code != 1 || !at)
        fail_msg("exit code %d, stderr:\n%s\nexpected 1 and:\n%s", r.code, r.err.data, before);
    at += strlen(before);
    size_t n_digits = strspn(at, "0123456789");
    assert_true(n_digits > 0 && ls_starts_with(at + n_digits, after));
    run_release(&r);
}

static void a_reference_with_a_nan_is_named(void **state)
{
    (void)state;
    make_nan_model();
    static const char *const wirings[] = {"loss", "reward --kl_estimator k1"};
    for (size_t i = 0; i < LS_COUNT(wirings); i++) {
        assert_error_at_a_row(
            run_program(GRPO "--ref_model nan --beta 0.1 --kl_in %s", wirings[i]),
            "leash: ref_model: its log-probability of a completion of dataset row ",
            " is not finite; look for such numbers in its file\n");
        assert_int_equal(run_count_steps("out"), 0);
        assert_false(ls_dir_exists("out/checkpoints"));
    }
}

/* --- numbers that are not finite --- */

/* Blank lines count, so that an editor finds the row. */
static void a_row_is_named_by_its_line_in_the_file(void **state)
{
    (void)state;
    make_nan_model();
    run_write("gaps.jsonl", "\n\n{\"prompt\": \"1+1=\", \"completion\": \"2\", \"answer\": 2}\n");
    static const char *const methods[] = {"sft", "grpo --reward number --max_completion_length 8"};
    for (size_t i = 0; i < LS_COUNT(methods); i++) {
        run_result r = run_program(
            "%s --model nan --dataset gaps.jsonl --output_dir gaps --overwrite " STEP, methods[i]);
        assert_int_equal(r.code, 1);
        if (!strstr(r.err.data, ", position 0, of dataset row 3, sample 0; the weights were not "
                                "changed and the sequences are saved in not-finite.json"))
            fail_msg("%s", r.err.data);
        run_release(&r);
        ls_str dump = run_read_file("gaps/not-finite.json");
        assert_true(ls_starts_with(dump.data, "[{\"row\": 3, \"sample\": 0, \"ids\": ["));
        ls_str_release(&dump);
    }
    char *out = run_output("generate --model base --dataset gaps.jsonl --max_completion_length 8");
    assert_true(ls_starts_with(out, "{\"row\": 3, \"sample\": 0, \"prompt\": \"1+1=\", "));
    ls_free(out);
}

/* --- stopping and resuming --- */

static void an_idle_run_stops_with_3_and_saves_its_last_step(void **state)
{
    (void)state;
    run_result r = run_program("grpo --model tiny --num_generations 4 --beta 0 --max_idle_steps 2 "
                               "--max_steps 9 --save_steps 0 --output_dir idle " STEP SUMS);
    assert_error(r, 3,
                 "2 steps in a row had no useful token (every group had equal rewards): nothing is "
                 "learnt.  Look at reward, completions/clipped_ratio and groups/all_wrong in "
                 "metrics.jsonl; easier problems, more num_generations or a longer "
                 "max_completion_length help");
    assert_int_equal(run_count_steps("idle"), 2);
    assert_true(run_metric("idle", -1, "step") == 2);
    assert_true(run_metric("idle", -1, "groups/all_wrong") == 1);
    assert_false(ls_dir_exists("idle/final"));
    char **names;
    int64_t n;
    assert_ok(ls_dir_list(&names, &n, "idle/checkpoints"));
    assert_int_equal(n, 1);
    assert_string_equal(names[0], "step-2");
    ls_names_free(names, n);
    ls_str checkpoint = run_read_file("idle/checkpoints/step-2/leash_state/state.json");
    assert_non_null(strstr(checkpoint.data, "\"idle_steps\": 2"));
    ls_str_release(&checkpoint);
    run_ok("generate --model idle --max_completion_length 8 --prompt 1+1=");
}

static void resume_without_a_whole_checkpoint_changes_nothing(void **state)
{
    (void)state;
    run_ok("sft --max_steps 3 --save_steps 1 --output_dir broken " STEP SMALL_SFT);
    ls_str before = run_read_file("broken/metrics.jsonl");
    char **names, path[LS_PATH_MAX];
    int64_t n;
    assert_ok(ls_dir_list(&names, &n, "broken/checkpoints"));
    assert_int_equal(n, 2);
    for (int64_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "broken/checkpoints/%s/model.safetensors", names[i]);
        change_byte(path, ls_file_size(path) - 50);
    }
    run_result r = run_program(
        "sft --max_steps 3 --save_steps 1 --resume --output_dir broken " STEP SMALL_SFT);
    assert_int_equal(r.code, 1);
    const char *error = strstr(
        r.err.data, "leash: --resume (restore a checkpoint, or start again with --overwrite): "
                    "broken: no whole checkpoint in 2 folders checkpoints/step-N; ");
    if (!error)
        fail_msg("%s", r.err.data);
    for (int64_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "broken/checkpoints/%s/model.safetensors: damaged: ", names[i]);
        assert_non_null(strstr(error, path));
    }
    run_release(&r);
    ls_names_free(names, n);
    ls_str after = run_read_file("broken/metrics.jsonl");
    assert_same_text(&before, &after, "metrics.jsonl");
    ls_str_release(&before);
    ls_str_release(&after);
}

/* --- what numbers mean --- */

/* One group an update and eight updates a step, most of which drop out.  At learning rate 0 every
 * update is the first one. */
static void means_are_over_the_updates_that_took_place(void **state)
{
    (void)state;
    run_ok("grpo --per_device_train_batch_size 4 --gradient_accumulation_steps 1 "
           "--generation_batch_size 32 --degenerate_groups drop --beta 0 --max_steps 3 "
           "--output_dir slices " SMALL_RL "--learning_rate 0");
    double updates = 0;
    for (int step = 0; step < 3; step++) {
        double now = run_metric("slices", step, "updates") - updates;
        assert_true(now > 0 && now < 8);
        assert_true(run_metric("slices", step, "ratio/mean") == 1);
        assert_true(run_metric("slices", step, "rollout/compared") > 0);
        assert_true(run_metric("slices", step, "rollout/mismatched") == 0);
        updates += now;
    }
}

/* A gate in front changes neither what is correct nor what is rewarded. */
static void the_first_reward_that_is_no_gate_is_what_accuracy_means(void **state)
{
    (void)state;
    static const char *const orders[] = {"format,number", "number,format"};
    static const char *const same[] = {
        "eval/accuracy", "eval/accuracy_lenient", "groups/all_correct", "groups/all_wrong",
        "reward",        "rewards/number/mean"};
    for (size_t i = 0; i < LS_COUNT(orders); i++)
        run_ok("grpo --model base --advantage_estimator none --num_generations 1 --beta 0 "
               "--per_device_train_batch_size 64 --gradient_accumulation_steps 1 --max_steps 1 "
               "--eval_steps 1 --output_dir %s --reward %s " SAMPLES SUMS,
               orders[i], orders[i]);
    for (size_t i = 0; i < LS_COUNT(same); i++)
        assert_true(run_metric(orders[0], -1, same[i]) == run_metric(orders[1], -1, same[i]));
    assert_true(run_metric(orders[0], -1, "eval/accuracy") > 0);
    assert_true(run_metric(orders[0], -1, "groups/all_correct") > 0);
    assert_true(run_metric(orders[0], -1, "rewards/format/mean") == 0);
}

/* The KL in the reward moves the advantage; what is logged is what the verifier said. */
static void completions_show_the_reward_without_the_kl(void **state)
{
    (void)state;
    run_ok("grpo --recipe rloo --num_completions_to_log 8 --max_steps 3 --output_dir rloo " STEP
               SMALL_RL);
    ls_str lines = run_read_file("rloo/completions.jsonl");
    int n = 0, n_right = 0, n_shaped = 0;
    for (char *line = lines.data; *line; line += strcspn(line, "\n") + 1, n++) {
        json_t *row = json_loadb(line, strcspn(line, "\n"), 0, NULL);
        double reward = json_number_value(json_object_get(row, "reward")),
               thirds = 3 * json_number_value(json_object_get(row, "advantage"));
        assert_true(json_is_number(json_object_get(row, "reward")));
        assert_true(reward == 0 || reward == 1);
        n_right += reward == 1;
        n_shaped += fabs(thirds - nearbyint(thirds)) > 1e-6;
        json_decref(row);
    }
    ls_str_release(&lines);
    assert_int_equal(n, 24);
    assert_true(n_right > 0 && n_shaped > 0);
}

/* --- evaluations --- */

static void rows_that_cannot_be_judged_are_an_error_of_the_data(void **state)
{
    (void)state;
    run_write("open.jsonl", "{\"prompt\": \"1+1=\"}\n{\"prompt\": \"2+1=\", \"answer\": \"?\"}\n");
    assert_error(run_program("eval --json --model base --dataset open.jsonl --reward number "
                             "--max_completion_length 8"),
                 1,
                 "open.jsonl: none of 2 completions could be judged by number: rows need an answer "
                 "that it can read");
}

static int64_t count_problems(const char *arguments)
{
    char *text = run_output("eval --json --model base %s", arguments);
    json_t *result = json_loads(text, 0, NULL);
    int64_t n = json_integer_value(json_object_get(result, "problems"));
    json_decref(result);
    ls_free(text);
    return n;
}

static void an_evaluation_takes_the_rows_that_it_is_told_to(void **state)
{
    (void)state;
    run_write("four.jsonl", "{\"prompt\": \"1+1=\", \"answer\": 2}\n"
                            "{\"prompt\": \"1+2=\", \"answer\": 3}\n"
                            "{\"prompt\": \"1+3=\", \"answer\": 4}\n"
                            "{\"prompt\": \"1+4=\", \"answer\": 5}\n");
#define SHORT "--reward number --max_completion_length 8 "
    assert_int_equal(count_problems(SHORT "--dataset four.jsonl"), 4);
    assert_int_equal(count_problems(SHORT "--eval_dataset four.jsonl"), 4);
    assert_int_equal(count_problems(SHORT "--dataset four.jsonl --eval_num_rows 2"), 2);
    assert_int_equal(count_problems(SHORT "--eval_dataset four.jsonl --eval_num_rows 2"), 2);
    assert_int_equal(
        count_problems(SHORT "--dataset four.jsonl --eval_num_rows 2 --dataset_num_rows 3"), 3);
    assert_int_equal(count_problems(SUMS "--eval_num_rows 6"), 6);
    assert_int_equal(count_problems(SUMS "--eval_num_rows 6 --dataset_num_rows 7"), 7);
    assert_int_equal(count_problems(SUMS), 200);
    /* the task still brings its verifier */
    char *rows = run_output("eval --rows --model base --eval_dataset four.jsonl " SUMS);
    assert_true(ls_starts_with(rows, "{\"row\": 1, \"sample\": 0, \"prompt\": \"1+1=\", "));
    assert_non_null(strstr(rows, "\"answer\": \"5\", \"correct\": "));
    ls_free(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_method_is_given_only_what_it_can_use),
        cmocka_unit_test(samples_of_a_greedy_policy_are_refused_at_the_start),
        cmocka_unit_test(rows_beyond_the_kernels_limit_are_refused),
        cmocka_unit_test(a_reference_must_fit_the_policy),
        cmocka_unit_test(a_reference_with_a_nan_is_named),
        cmocka_unit_test(a_row_is_named_by_its_line_in_the_file),
        cmocka_unit_test(an_idle_run_stops_with_3_and_saves_its_last_step),
        cmocka_unit_test(resume_without_a_whole_checkpoint_changes_nothing),
        cmocka_unit_test(means_are_over_the_updates_that_took_place),
        cmocka_unit_test(the_first_reward_that_is_no_gate_is_what_accuracy_means),
        cmocka_unit_test(completions_show_the_reward_without_the_kl),
        cmocka_unit_test(rows_that_cannot_be_judged_are_an_error_of_the_data),
        cmocka_unit_test(an_evaluation_takes_the_rows_that_it_is_told_to),
    };
    return cmocka_run_group_tests(tests, small_runs_setup, small_runs_teardown);
}
