/* Models in and out: converted, looked into, talked with. */
#include "small_runs.h"

static int setup(void **state)
{
    if (small_runs_setup(state) != 0)
        return -1;
    run_ok("sft --max_steps 2 --use_peft --lora_target_modules all-linear --output_dir lora "
           "--overwrite " SMALL_SFT);
    /* Byte tokens, which a template can be written in and a GGUF file can hold. */
    run_write("text.jsonl", "{\"text\": \"one two three four five six seven eight nine ten\"}\n");
    run_ok("pretrain --model tiny --dataset text.jsonl --max_steps 2 --per_device_train_batch_size "
           "1 --gradient_accumulation_steps 1 --output_dir bytes --overwrite");
    return 0;
}

/* Of the rows that `leash score` printed. */
static double mean_logp(const char *rows)
{
    double sum = 0;
    int n = 0;
    for (const char *at = rows; (at = strstr(at, "\"mean\": ")); n++)
        sum += strtod(at += 8, NULL);
    assert_true(n > 0);
    return sum / n;
}

#define SCORE "--max_length 64 --dataset_num_rows 20 --task arithmetic --task_args digits=1 "

static void a_folder_converted_in_f32_is_the_same_model(void **state)
{
    (void)state;
    char *path = run_output("convert --model base same");
    assert_string_equal(path, "same\n");
    char *a = run_output("score --model base " SCORE), *b = run_output("score --model same " SCORE);
    assert_string_equal(a, b);
    assert_false(ls_file_exists("same/manifest.json"));
    ls_free(path);
    ls_free(a);
    ls_free(b);
}

static void rounded_folders_score_nearly_the_same(void **state)
{
    (void)state;
    static const char *const types[] = {"BF16", "F16"};
    for (size_t i = 0; i < LS_COUNT(types); i++) {
        run_ok("convert --model base --dtype %s --overwrite rounded", types[i]);
        ls_str config = run_read_file("rounded/config.json");
        assert_non_null(strstr(config.data, i == 0 ? "bfloat16" : "\"float16\""));
        ls_str_release(&config);
        char *a = run_output("score --model base " SCORE),
             *b = run_output("score --model rounded " SCORE);
        double x = mean_logp(a), y = mean_logp(b);
        assert_true(x != y && fabs(x - y) < 0.02);
        ls_free(a);
        ls_free(b);
    }
}

static void an_adapter_is_merged(void **state)
{
    (void)state;
    run_ok("convert --model lora merged");
    assert_true(ls_file_exists("merged/model.safetensors"));
    assert_false(ls_file_exists("merged/adapter_config.json"));
    char *a = run_output("score --model lora " SCORE),
         *b = run_output("score --model merged " SCORE),
         *c = run_output("score --model base " SCORE);
    assert_true(fabs(mean_logp(a) - mean_logp(b)) < 1e-5);
    assert_true(fabs(mean_logp(a) - mean_logp(c)) > 1e-4);
    ls_free(a);
    ls_free(b);
    ls_free(c);
}

static void what_stands_at_the_path_is_kept_unless_told(void **state)
{
    (void)state;
    run_ok("convert --model base kept");
    assert_error(run_program("convert --model base kept"), 2,
                 "kept exists: give another path, or --overwrite to replace it");
    run_ok("convert --model base --overwrite kept");
    run_write("file", "x");
    assert_error(run_program("convert --model base --overwrite file"), 2,
                 "file: there is a file of that name already");
    assert_error(run_program("convert --model base --dtype Q4_0 other"), 2,
                 "dtype: found 'Q4_0', expected F32, F16 or BF16 for a folder (a path that ends in "
                 ".gguf is a GGUF file)");
    assert_error(run_program("convert --model base other.gguf --dtype Q9"), 2,
                 "dtype: found 'Q9', expected F32, F16, BF16, Q8_0, Q4_0 or Q4_1 for a GGUF file");
    assert_error(run_program("convert --model base --adapter-alone other.gguf"), 2,
                 "base is no adapter: give --adapter a folder with adapter_config.json");
    assert_error(run_program("convert --model base"), 2,
                 "leash convert needs one path to write to: leash convert --model IN OUT, or "
                 "OUT.gguf");
    assert_false(ls_dir_exists("other"));
}

static void inspect_fits_80_columns_and_is_json_when_asked(void **state)
{
    (void)state;
    char *text = run_output("inspect --model lora");
    for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n')
        if (strcspn(line, "\n") > 80)
            fail_msg("more than 80 columns: %.120s", line);
    ls_free(text);
    char *json = run_output("inspect --model lora --json");
    json_error_t error;
    json_t *value = json_loads(json, JSON_REJECT_DUPLICATES, &error);
    if (!value)
        fail_msg("%s: %s", error.text, json);
    assert_string_equal(json_string_value(json_object_get(value, "model_type")), "llama");
    assert_true(json_array_size(json_object_get(value, "tensors")) > 10);
    assert_true(
        json_integer_value(json_object_get(json_object_get(value, "adapter"), "parameters")) > 0);
    json_decref(value);
    ls_free(json);
}

/* The program with its standard input from a file. */
static char *chat(const char *settings, const char *input)
{
    run_write("input.txt", input);
    ls_str script = LS_STR_INIT;
    ls_str_appendf(&script, "'%s' chat --model bytes %s < input.txt\n", LEASH_PROGRAM, settings);
    run_write("chat.bash", script.data);
    ls_str_release(&script);
    run_result r = run_command("/bin/bash", "chat.bash");
    if (r.code != 0)
        fail_msg("ended with %d: %s", r.code, r.err.data);
    char *out = ls_strdup(r.out.data);
    run_release(&r);
    return out;
}

static void chat_answers_line_by_line_and_keeps_the_conversation(void **state)
{
    (void)state;
    char *out = chat("--chat_template chatml --max_completion_length 4 --seed 3",
                     "one\n/system two\nthree\\\nfour\n/messages\n/quit\nnever\n");
    char *last = strstr(out, "[{\"role\"");
    assert_non_null(last);
    json_t *messages = json_loads(last, 0, NULL);
    assert_int_equal(json_array_size(messages), 3); /* system, user, assistant */
    assert_string_equal(json_string_value(json_object_get(json_array_get(messages, 0), "content")),
                        "two");
    assert_string_equal(json_string_value(json_object_get(json_array_get(messages, 1), "content")),
                        "three\nfour");
    assert_string_equal(json_string_value(json_object_get(json_array_get(messages, 2), "role")),
                        "assistant");
    json_decref(messages);
    char *again = chat("--chat_template chatml --max_completion_length 4 --seed 3",
                       "one\n/system two\nthree\\\nfour\n/messages\n/quit\nnever\n");
    assert_string_equal(out, again);
    ls_free(out);
    ls_free(again);
}

static void the_oldest_turns_leave_when_the_context_is_full(void **state)
{
    (void)state;
    ls_str input = LS_STR_INIT;
    for (int i = 0; i < 12; i++)
        ls_str_appendf(&input, "message number %d\n", i);
    ls_str_append(&input, "/messages\n");
    char *out =
        chat("--chat_template chatml --max_completion_length 8 --system_prompt stay", input.data);
    assert_non_null(strstr(out, "[{\"role\":\"system\",\"content\":\"stay\"}"));
    assert_non_null(strstr(out, "message number 11"));
    assert_null(strstr(out, "message number 0\""));
    ls_free(out);
    ls_str_release(&input);
}

static void chat_needs_a_template(void **state)
{
    (void)state;
    assert_error(run_program("chat --model base"), 2,
                 "base has no chat template: give --chat_template a name (chatml, ...; see "
                 "`leash info`) or a file, or use `leash generate --prompt`");
}

/* Every checkpoint tells how it came about. */
static void a_model_card_lies_beside_the_weights(void **state)
{
    (void)state;
    ls_str card = run_read_file("lora/final/README.md");
    assert_true(ls_starts_with(card.data, "---\nlibrary_name: \"peft\"\nbase_model: \"base\"\n"));
    assert_non_null(strstr(card.data, "| `use_peft` | `true` |"));
    assert_non_null(strstr(card.data, "step 2 of 2"));
    assert_null(strstr(card.data, "output_dir"));
    ls_str_release(&card);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_converted_in_f32_is_the_same_model),
        cmocka_unit_test(rounded_folders_score_nearly_the_same),
        cmocka_unit_test(an_adapter_is_merged),
        cmocka_unit_test(what_stands_at_the_path_is_kept_unless_told),
        cmocka_unit_test(inspect_fits_80_columns_and_is_json_when_asked),
        cmocka_unit_test(chat_answers_line_by_line_and_keeps_the_conversation),
        cmocka_unit_test(the_oldest_turns_leave_when_the_context_is_full),
        cmocka_unit_test(chat_needs_a_template),
        cmocka_unit_test(a_model_card_lies_beside_the_weights),
    };
    return cmocka_run_group_tests(tests, setup, small_runs_teardown);
}
