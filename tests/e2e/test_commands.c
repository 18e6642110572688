/* Every command runs, and what it prints is what it says: goldens, JSON that parses, agreement
 * between commands. */
#include "small_runs.h"

static void assert_contains(const char *text, const char *part)
{
    if (!strstr(text, part))
        fail_msg("expected '%s' in:\n%s", part, text);
}

/* The JSON value of a text (json_decref). */
static json_t *parse_json(const char *text, size_t n)
{
    json_error_t error;
    json_t *value = json_loadb(text, n, JSON_REJECT_DUPLICATES, &error);
    if (!value)
        fail_msg("%s in:\n%s", error.text, text);
    return value;
}

/* JSON lines as an array (json_decref). */
static json_t *parse_lines(const char *text)
{
    json_t *rows = json_array();
    for (const char *line = text; *line; line += strcspn(line, "\n") + 1)
        json_array_append_new(rows, parse_json(line, strcspn(line, "\n")));
    return rows;
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    assert_non_null(text);
    return text;
}

/* --- looking --- */

static void data_show_marks_what_is_trained(void **state)
{
    (void)state;
    run_write("rows.jsonl", "{\"prompt\": \"1+1=\", \"completion\": \"2\"}\n"
                            "{\"prompt\": \"12+3=\", \"completion\": \"15\"}\n"
                            "\n"
                            "{\"text\": \"a\\tb <c> \\u00e9\"}\n");
    char *text = run_output("data show --dataset rows.jsonl");
    assert_string_equal(text, "row 1 (line 1): 6 tokens, 4 of prompt, 2 trained\n"
                              "  1+1=[[2<|eos|>]]\n"
                              "row 2 (line 2): 8 tokens, 5 of prompt, 3 trained\n"
                              "  12+3=[[15<|eos|>]]\n"
                              "row 3 (line 4): 11 tokens, 0 of prompt, 10 trained\n"
                              "  a[[\xe2\x90\x89"
                              "b <c> \xc3\xa9<|eos|>]]\n"
                              "data       rows.jsonl\n"
                              "rows       3 (0 truncated, 0 dropped)\n"
                              "tokens     25, 15 trained (60.0%)\n"
                              "length     min 6, median 8, p90 11, p99 11, max 11\n"
                              "prompt     max 5\n"
                              "hash       4885c463699a057e\n");
    ls_free(text);
    text = run_output("data show --first 2 --rows 1 --dataset rows.jsonl");
    assert_true(ls_starts_with(text, "row 2 (line 2): "));
    assert_null(strstr(text, "row 3"));
    ls_free(text);
    text = run_output("data show --json --dataset rows.jsonl");
    json_t *summary = parse_json(text, strlen(text));
    assert_int_equal(json_integer_value(json_object_get(summary, "trained_tokens")), 15);
    json_decref(summary);
    ls_free(text);
}

static void reward_test_judges_a_text_and_a_file(void **state)
{
    (void)state;
    char *text =
        run_output("reward test --reward number --completion 'The answer is 4.' --answer 4");
    assert_string_equal(text, "row 1\n"
                              "  strict   number     wrong         no answer found\n"
                              "  lenient  number     ok            equal: '4'\n");
    ls_free(text);
    run_write("judged.jsonl", "{\"completion\": \"#### 4\", \"answer\": 4}\n"
                              "{\"completion\": \"so 5 is it\", \"answer\": \"4\"}\n"
                              "{\"completion\": \"x\", \"prompt\": \"q\"}\n");
    text = run_output("reward test --reward number --dataset judged.jsonl");
    assert_contains(text, "\n                 ok    wrong   cannot judge\n"
                          "strict            1        1              1\n"
                          "lenient           1        1              1\n");
    ls_free(text);
    text = run_output("reward test --json --reward number --dataset judged.jsonl");
    json_t *rows = parse_lines(text);
    assert_int_equal(json_array_size(rows), 3);
    assert_string_equal(text_of(json_array_get(rows, 0), "strict"), "ok");
    assert_string_equal(text_of(json_array_get(rows, 1), "strict"), "wrong");
    assert_true(json_is_null(json_object_get(json_array_get(rows, 2), "reward")));
    json_decref(rows);
    ls_free(text);
}

static void plan_prints_tables_and_json(void **state)
{
    (void)state;
    char *text = run_output("plan sft --model 1m --task arithmetic");
    assert_contains(text, "\nmemory\n  policy ");
    assert_contains(text, "  total ");
    ls_free(text);
    text = run_output("plan grpo --json --model 1m --max_completion_length 16 --task arithmetic");
    json_t *plan = parse_json(text, strlen(text)), *bytes = json_object_get(plan, "bytes"), *part;
    const char *name;
    double sum = 0;
    json_object_foreach(bytes, name, part) sum +=
        strcmp(name, "total") == 0 ? 0 : json_number_value(part);
    assert_true(sum > 0 && sum == json_number_value(json_object_get(bytes, "total")));
    json_decref(plan);
    ls_free(text);
}

static void info_and_doctor_tell_about_program_and_machine(void **state)
{
    (void)state;
    char *text = run_output("info");
    static const char *const parts[] = {"Recipes", "dr-grpo", "ppo-clip", "arithmetic",
                                        "135m",    "llama",   "\n  ref "};
    for (size_t i = 0; i < LS_COUNT(parts); i++)
        assert_contains(text, parts[i]);
    ls_free(text);
    text = run_output("doctor");
    assert_contains(text, "kernels");
    ls_free(text);
    text = run_output("doctor --json");
    json_t *checks = parse_json(text, strlen(text)), *check;
    size_t i;
    assert_true(json_array_size(checks) >= 5);
    json_array_foreach(checks, i, check)
    {
        (void)text_of(check, "found");
        bool is_ok = json_is_true(json_object_get(check, "ok"));
        assert_true(is_ok == !json_object_get(check, "remedy"));
    }
    json_decref(checks);
    ls_free(text);
}

static void help_and_documents_come_from_the_tables(void **state)
{
    (void)state;
    static const char *const documents[][2] = {
        {"--help", "\n  grpo        RL on prompts with rewards"},
        {"help beta", "--beta X"},
        {"help grpo", "RL on prompts with rewards"},
        {"grpo --help", "--max_completion_length"},
        {"grpo --help-all", "--rollout_slots"},
        {"docs config", "| `learning_rate` |"},
        {"docs metrics", "| `memory/events` |"},
        {"docs man", ".SH EXIT STATUS\n"},
        {"--version", "leash " LEASH_VERSION " ("},
    };
    for (size_t i = 0; i < LS_COUNT(documents); i++) {
        char *text = run_output("%s", documents[i][0]);
        assert_contains(text, documents[i][1]);
        ls_free(text);
    }
    assert_error(run_program("help betta"), 2, "unknown key 'betta' (did you mean 'beta'?)");
}

static void every_command_has_a_help(void **state)
{
    (void)state;
    char *all = run_output("--help");
    int n = 0;
    for (const char *line = all; *line; line += strcspn(line, "\n") + 1) {
        char name[32], first[128];
        /* "  name        help" in the list of commands */
        if (strncmp(line, "  ", 2) != 0 || sscanf(line, "  %31[a-z] %127[^\n]", name, first) != 2 ||
            strcmp(name, "leash") == 0)
            continue;
        char *help = run_output("%s --help", name);
        assert_contains(help, first);
        ls_free(help);
        n++;
    }
    assert_true(n >= 15);
    ls_free(all);
}

static void bash_accepts_the_completion(void **state)
{
    (void)state;
    char *text = run_output("completion bash");
    assert_contains(text, "complete -o filenames -F _leash leash");
    assert_contains(text, " --max_completion_length");
    run_write("completion.sh", text);
    ls_free(text);
    run_result r = run_command("/bin/bash", "-n completion.sh");
    assert_int_equal(r.code, 0);
    assert_string_equal(r.err.data, "");
    run_release(&r);
}

/* --- using --- */

/* What generate sampled, as rows for score. */
static void write_completions(const json_t *rows)
{
    ls_str lines = LS_STR_INIT;
    size_t i;
    json_t *row;
    json_array_foreach(rows, i, row)
    {
        const char *prompt = text_of(row, "prompt"), *completion = text_of(row, "completion");
        ls_str_append(&lines, "{\"prompt\": ");
        ls_str_append_json(&lines, prompt, strlen(prompt));
        ls_str_append(&lines, ", \"completion\": ");
        ls_str_append_json(&lines, completion, strlen(completion));
        ls_str_append(&lines, "}\n");
    }
    run_write("completions.jsonl", lines.data);
    ls_str_release(&lines);
}

/* Every number of the shorter array stands in the longer one, digit for digit. */
static void assert_begins_with(const json_t *whole, const json_t *part)
{
    size_t i;
    json_t *value;
    assert_true(json_array_size(part) > 0 && json_array_size(part) <= json_array_size(whole));
    json_array_foreach(part, i, value)
        assert_true(json_number_value(json_array_get(whole, i)) == json_number_value(value));
}

/* A completion that was cut has no end token, which score adds. */
static void score_equals_generate_bit_for_bit(void **state)
{
    (void)state;
    char *sampled = run_output("generate --model base --num_generations 3 --dataset_num_rows 12 "
                               "--rollout_slots 5 --threads 2 " SUMS);
    json_t *rows = parse_lines(sampled), *row;
    assert_int_equal(json_array_size(rows), 36);
    write_completions(rows);
    char *scored = run_output("score --model base --dataset completions.jsonl "
                              "--per_device_train_batch_size 7 --threads 1");
    json_t *scores = parse_lines(scored);
    assert_int_equal(json_array_size(scores), 36);
    size_t i, n_cut = 0;
    json_array_foreach(rows, i, row)
    {
        const json_t *score = json_array_get(scores, i);
        assert_begins_with(json_object_get(score, "token_ids"), json_object_get(row, "token_ids"));
        assert_begins_with(json_object_get(score, "logps"), json_object_get(row, "logps"));
        n_cut += strcmp(text_of(row, "finish_reason"), "length") == 0;
        assert_int_equal(json_integer_value(json_object_get(row, "n_tokens")),
                         json_array_size(json_object_get(row, "logps")));
    }
    assert_true(n_cut < 36);
    json_decref(rows);
    json_decref(scores);
    ls_free(sampled);
    ls_free(scored);
}

static void generate_completes_one_prompt_and_greedy_repeats_itself(void **state)
{
    (void)state;
    char *text = run_output("generate --model base --prompt 1+1= --max_completion_length 8 "
                            "--temperature 0 --num_generations 2");
    json_t *rows = parse_lines(text);
    assert_int_equal(json_array_size(rows), 2);
    assert_string_equal(text_of(json_array_get(rows, 0), "completion"),
                        text_of(json_array_get(rows, 1), "completion"));
    json_decref(rows);
    ls_free(text);
    assert_error(run_program("generate --model base"), 2,
                 "nothing to complete: give --prompt TEXT, --dataset a file with prompts, or "
                 "--task a name");
}

static void eval_judges_a_task_and_a_file(void **state)
{
    (void)state;
    char *text = run_output(
        "eval --model base --eval_num_rows 12 --eval_samples 2 --eval_temperature 1 " SUMS);
    assert_contains(text, "problems    12, 2 completions each, 24 judged\naccuracy ");
    assert_contains(text, "maj@k");
    ls_free(text);
    run_write("problems.jsonl",
              "{\"prompt\": \"1+1=\", \"answer\": 2}\n{\"prompt\": \"2+1=\", \"answer\": \"3\"}\n");
    text = run_output("eval --json --model base --dataset problems.jsonl --reward number "
                      "--max_completion_length 8");
    json_t *result = parse_json(text, strlen(text));
    assert_int_equal(json_integer_value(json_object_get(result, "problems")), 2);
    double accuracy = json_number_value(json_object_get(result, "accuracy"));
    assert_true(accuracy >= json_number_value(json_object_get(result, "accuracy_low")));
    assert_true(accuracy <= json_number_value(json_object_get(result, "accuracy_high")));
    json_decref(result);
    ls_free(text);
}

/* --- runs --- */

static void check_report(const char *path)
{
    ls_str page = run_read_file("%s", path);
    assert_contains(page.data, "<svg");
    assert_null(strstr(page.data, "http://"));
    assert_null(strstr(page.data, "https://"));
    assert_null(strstr(page.data, "<script src"));
    assert_null(strstr(page.data, "<link"));
    ls_str_release(&page);
}

static void report_writes_one_self_contained_page(void **state)
{
    (void)state;
    run_ok("grpo --max_steps 4 --per_device_train_batch_size 8 --eval_steps 2 --eval_num_rows 8 "
           "--output_dir run " SMALL_RL);
    char *text = run_output("report base run");
    assert_string_equal(text, "run/report.html\n");
    ls_free(text);
    check_report("run/report.html");
    run_ok("report base run --output page.html");
    check_report("page.html");
    assert_error(run_program("report nothing"), 1,
                 "cannot read nothing/metrics.jsonl: no such file or directory");
}

#define PIPELINE                                                                                 \
    "name: small\n"                                                                              \
    "settings: {task: arithmetic, task_args: 'digits=1,operators=+', max_completion_length: 8, " \
    "max_length: 64, per_device_train_batch_size: 8, eval_num_rows: 8}\n"                        \
    "stages:\n"                                                                                  \
    "  - name: first\n"                                                                          \
    "    command: pretrain\n"                                                                    \
    "    settings: {model: tiny, max_steps: 2, eval_steps: 1}\n"                                 \
    "    gate: {metric: eval/mean_length, min: %s}\n"                                            \
    "  - name: second\n"                                                                         \
    "    command: grpo\n"                                                                        \
    "    from: first\n"                                                                          \
    "    settings: {max_steps: 2, gradient_accumulation_steps: 1}\n"

static void write_pipeline(const char *path, const char *least)
{
    ls_str text = LS_STR_INIT;
    ls_str_appendf(&text, PIPELINE, least);
    run_write(path, text.data);
    ls_str_release(&text);
}

static void a_pipeline_whose_gate_passes_runs_to_its_report(void **state)
{
    (void)state;
    write_pipeline("pass.yaml", "0.5");
    char *text = run_output("run pass.yaml --output_dir pass");
    assert_contains(text, "\nfirst ");
    assert_contains(text, "\nsecond ");
    assert_contains(text, "rollout = training: 0 of ");
    assert_contains(text, "report: pass/report.html\n");
    ls_free(text);
    check_report("pass/report.html");
    assert_true(ls_dir_exists("pass/second/final"));
}

static void a_pipeline_whose_gate_fails_stops_with_3(void **state)
{
    (void)state;
    static const char text[] = "gate of stage first: eval/mean_length is ";
    write_pipeline("fail.yaml", "1000");
    for (int resumes = 0; resumes <= 1; resumes++) {
        run_result r = run_program("run fail.yaml --output_dir fail %s", resumes ? "--resume" : "");
        assert_int_equal(r.code, 3);
        assert_contains(r.err.data, text);
        assert_contains(r.err.data, ", at least 1000 is needed\n");
        run_release(&r);
        assert_false(ls_dir_exists("fail/second"));
    }
}

static void a_pipeline_that_was_killed_resumes_to_the_same_runs(void **state)
{
    (void)state;
    write_pipeline("pass.yaml", "0.5");
    run_ok("run pass.yaml --overwrite --output_dir pass");
    run_child child;
    run_start(&child, "run pass.yaml --output_dir killed");
    run_wait_for_steps(&child, "killed/second", 1);
    kill(child.pid, SIGTERM);
    run_result r = run_finish(&child);
    run_release(&r);
    run_ok("run pass.yaml --resume --output_dir killed");
    assert_same_run("pass/first", "killed/first");
    assert_same_run("pass/second", "killed/second");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data_show_marks_what_is_trained),
        cmocka_unit_test(reward_test_judges_a_text_and_a_file),
        cmocka_unit_test(plan_prints_tables_and_json),
        cmocka_unit_test(info_and_doctor_tell_about_program_and_machine),
        cmocka_unit_test(help_and_documents_come_from_the_tables),
        cmocka_unit_test(every_command_has_a_help),
        cmocka_unit_test(bash_accepts_the_completion),
        cmocka_unit_test(score_equals_generate_bit_for_bit),
        cmocka_unit_test(generate_completes_one_prompt_and_greedy_repeats_itself),
        cmocka_unit_test(eval_judges_a_task_and_a_file),
        cmocka_unit_test(report_writes_one_self_contained_page),
        cmocka_unit_test(a_pipeline_whose_gate_passes_runs_to_its_report),
        cmocka_unit_test(a_pipeline_whose_gate_fails_stops_with_3),
        cmocka_unit_test(a_pipeline_that_was_killed_resumes_to_the_same_runs),
    };
    return cmocka_run_group_tests(tests, small_runs_setup, small_runs_teardown);
}
