/* Rows to ids and masks by hand, the length policies, every error text, and the order of rows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "base/mem.h"
#include "data/dataset.h"
#include "data_options.h"

static ls_tokenizer *abc; /* a=0 b=1 c=2 d=3 '='=4 eos=5 */

static ls_data_options defaults;

static leash_status load(ls_dataset *d, const char *text, const ls_data_options *options,
                         bool prompts_only)
{
    ls_dataset_input input = {.options = options,
                              .tokenizer = abc,
                              .use = prompts_only ? LS_DATA_PROMPTS : LS_DATA_SEQUENCES};
    return ls_dataset_load_text(d, &(ls_dataset_text){"x.jsonl", text, strlen(text)}, &input);
}

static leash_status load_named(ls_dataset *d, const ls_data_options *options,
                               const ls_tokenizer *tokenizer, bool prompts_only)
{
    ls_dataset_input input = {.options = options,
                              .tokenizer = tokenizer,
                              .use = prompts_only ? LS_DATA_PROMPTS : LS_DATA_SEQUENCES,
                              .seed = 1};
    return ls_dataset_load(d, &input);
}

static ls_dataset must_load(const char *text, const ls_data_options *options, bool prompts_only)
{
    ls_dataset d;
    if (load(&d, text, options, prompts_only) != LEASH_OK)
        fail_msg("%s", leash_error());
    return d;
}

/* "0 1 2|3 4" and "..xx" */
static void assert_row(const ls_example *row, const int32_t *ids, const char *mask,
                       int32_t n_prompt)
{
    assert_int_equal(row->n_tokens, strlen(mask));
    assert_int_equal(row->n_prompt, n_prompt);
    for (int32_t i = 0; i < row->n_tokens; i++) {
        assert_int_equal(row->ids[i], ids[i]);
        assert_int_equal(row->mask[i], mask[i] == 'x');
    }
}

#define PAIR "{\"prompt\": \"ab=\", \"completion\": \"cd\"}"

static void prompt_is_masked_and_eos_is_trained(void **state)
{
    (void)state;
    ls_dataset d = must_load(PAIR, &defaults, false);
    assert_int_equal(d.n_rows, 1);
    assert_row(&d.rows[0], (int32_t[]){0, 1, 4, 2, 3, 5}, "...xxx", 3);
    assert_string_equal(d.rows[0].prompt, "ab=");
    assert_string_equal(d.rows[0].completion, "cd");
    assert_null(d.rows[0].answer);
    assert_string_equal(d.rows[0].columns, ""); /* only rewards read them */
    assert_string_equal(d.rows[0].file, "x.jsonl");
    assert_int_equal(d.rows[0].line, 1);
    assert_int_equal(d.n_tokens, 6);
    assert_int_equal(d.n_trained, 3);
    assert_int_equal(d.max_tokens, 6);
    assert_int_equal(d.max_prompt, 3);
    assert_string_equal(d.name, "x.jsonl");
    ls_dataset_release(&d);
}

static void all_tokens_but_the_first_of_a_text_are_trained(void **state)
{
    (void)state;
    ls_dataset d = must_load("{\"text\": \"abc\"}", &defaults, false);
    assert_row(&d.rows[0], (int32_t[]){0, 1, 2, 5}, ".xxx", 0);
    assert_string_equal(d.rows[0].prompt, "");
    assert_string_equal(d.rows[0].completion, "abc");
    ls_dataset_release(&d);
}

static void completion_only_loss_false_trains_the_prompt_too(void **state)
{
    (void)state;
    ls_data_options options = defaults;
    options.completion_only_loss = "false";
    ls_dataset d = must_load(PAIR "\n{\"text\": \"ab\"}", &options, false);
    assert_row(&d.rows[0], (int32_t[]){0, 1, 4, 2, 3, 5}, ".xxxxx", 3);
    assert_row(&d.rows[1], (int32_t[]){0, 1, 5}, ".xx", 0);
    ls_dataset_release(&d);
    options.completion_only_loss = "true";
    d = must_load(PAIR, &options, false);
    assert_row(&d.rows[0], (int32_t[]){0, 1, 4, 2, 3, 5}, "...xxx", 3);
    ls_dataset_release(&d);
    assert_int_equal(load(&d, PAIR "\n{\"text\": \"ab\"}", &options, false), LEASH_DATA);
    assert_string_equal(leash_error(),
                        "x.jsonl:2: completion_only_loss is true, but a \"text\" row has no "
                        "completion; set it to auto, or give \"prompt\" and \"completion\"");
}

static void an_empty_completion_trains_eos_and_an_empty_prompt_no_first_token(void **state)
{
    (void)state;
    ls_dataset d = must_load("{\"prompt\": \"a\", \"completion\": \"\"}\n"
                             "{\"prompt\": \"\", \"completion\": \"ab\"}",
                             &defaults, false);
    assert_row(&d.rows[0], (int32_t[]){0, 5}, ".x", 1);
    assert_row(&d.rows[1], (int32_t[]){0, 1, 5}, ".xx", 0);
    ls_dataset_release(&d);
}

static void bos_counts_as_prompt(void **state)
{
    (void)state;
    const char *json =
        "{\"version\":\"1.0\",\"pre_tokenizer\":null,\"decoder\":{\"type\":\"Fuse\"},"
        "\"added_tokens\":[{\"id\":2,\"content\":\"<s>\",\"special\":true},"
        "{\"id\":3,\"content\":\"</s>\",\"special\":true}],"
        "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[]}}";
    const char *config = "{\"eos_token\":\"</s>\",\"bos_token\":\"<s>\",\"add_bos_token\":true}";
    ls_tokenizer *t = NULL;
    ls_tokenizer_text source = {.json = json,
                                .config = config,
                                .n_json = strlen(json),
                                .n_config = strlen(config),
                                .dir = "D"};
    assert_int_equal(ls_tokenizer_load_text(&t, &source), LEASH_OK);
    const char *text = "{\"prompt\": \"a\", \"completion\": \"b\"}\n{\"text\": \"\"}";
    ls_dataset d;
    assert_int_equal(
        ls_dataset_load_text(&d, &(ls_dataset_text){"x", text, strlen(text)},
                             &(ls_dataset_input){.options = &defaults, .tokenizer = t}),
        LEASH_OK);
    assert_row(&d.rows[0], (int32_t[]){2, 0, 1, 3}, "..xx", 2);
    assert_row(&d.rows[1], (int32_t[]){2, 3}, ".x", 1);
    ls_dataset_release(&d);
    ls_tokenizer_free(t);
}

static void prompts_for_rollouts_carry_their_answer_and_columns(void **state)
{
    (void)state;
    ls_dataset d = must_load("{\"prompt\": \"ab\", \"answer\": 0.10, \"numbers\": [1, 2]}\n"
                             "{\"prompt\": \"a\", \"answer\": \"x y\", \"completion\": \"cd\"}\n"
                             "{\"prompt\": \"b\", \"answer\": null}\n"
                             "{\"prompt\": \"b\", \"answer\": true}\n"
                             "{\"prompt\": \"b\", \"answer\": 123456789012345678901234567890}",
                             &defaults, true);
    assert_row(&d.rows[0], (int32_t[]){0, 1}, "..", 2);
    assert_string_equal(d.rows[0].answer, "0.10");
    assert_string_equal(d.rows[0].columns,
                        "{\"prompt\": \"ab\", \"answer\": 0.10, \"numbers\": [1, 2]}");
    assert_string_equal(d.rows[1].answer, "x y");
    assert_string_equal(d.rows[1].completion, "cd");
    assert_int_equal(d.rows[1].n_tokens, 1);
    assert_null(d.rows[2].answer);
    assert_string_equal(d.rows[3].answer, "true");
    assert_string_equal(d.rows[4].answer, "123456789012345678901234567890");
    assert_int_equal(d.n_trained, 0);
    ls_dataset_release(&d);
}

static void max_length_counts_prompt_completion_and_eos(void **state)
{
    (void)state;
    ls_data_options options = defaults;
    options.max_length = 6;
    ls_dataset d = must_load(PAIR, &options, false);
    ls_dataset_release(&d);
    options.max_length = 5;
    assert_int_equal(load(&d, PAIR, &options, false), LEASH_DATA);
    assert_string_equal(leash_error(), "x.jsonl:1: the row has 6 tokens, max_length is 5; raise "
                                       "max_length, or set truncation to keep_start or drop");
}

static void keep_start_cuts_the_end_and_counts(void **state)
{
    (void)state;
    ls_data_options options = defaults;
    options.truncation = "keep_start";
    options.max_length = 5;
    ls_dataset d = must_load(PAIR "\n{\"text\": \"ab\"}", &options, false);
    assert_row(&d.rows[0], (int32_t[]){0, 1, 4, 2, 3}, "...xx", 3);
    assert_true(d.rows[0].is_truncated);
    assert_false(d.rows[1].is_truncated);
    assert_int_equal(d.n_truncated, 1);
    ls_dataset_release(&d);
    options.max_length = 3;
    assert_int_equal(load(&d, PAIR, &options, false), LEASH_DATA);
    assert_string_equal(leash_error(),
                        "x.jsonl:1: no token of the row is trained: the prompt alone has 3 tokens, "
                        "max_length is 3; raise max_length, or set truncation to drop");
    options.max_length = 2;
    assert_int_equal(load(&d, PAIR, &options, false), LEASH_DATA);
}

static void drop_leaves_long_rows_out_and_counts(void **state)
{
    (void)state;
    ls_data_options options = defaults;
    options.truncation = "drop";
    options.max_length = 5;
    ls_dataset d = must_load(PAIR "\n{\"text\": \"ab\"}\n" PAIR, &options, false);
    assert_int_equal(d.n_rows, 1);
    assert_int_equal(d.n_dropped, 2);
    assert_int_equal(d.rows[0].line, 2);
    ls_dataset_release(&d);
    assert_int_equal(load(&d, PAIR "\n" PAIR, &options, false), LEASH_DATA);
    assert_string_equal(leash_error(),
                        "x.jsonl: all 2 rows were dropped, as they exceed max_length = 5");
}

static void prompts_of_rollouts_are_never_cut(void **state)
{
    (void)state;
    static const char *const modes[] = {"error", "keep_start"};
    ls_data_options options = defaults;
    options.max_length = 3;
    ls_dataset d = must_load("{\"prompt\": \"ab\"}", &options, true);
    ls_dataset_release(&d);
    for (int i = 0; i < 2; i++) {
        options.truncation = modes[i];
        assert_int_equal(load(&d, "{\"prompt\": \"abc\"}", &options, true), LEASH_DATA);
        assert_string_equal(
            leash_error(), "x.jsonl:1: the prompt has 3 tokens and leaves no room for a completion "
                           "in max_length = 3; prompts are never cut: raise max_length, or set "
                           "truncation to drop");
    }
    options.truncation = "drop";
    d = must_load("{\"prompt\": \"abc\"}\n{\"prompt\": \"a\"}", &options, true);
    assert_int_equal(d.n_rows, 1);
    assert_int_equal(d.n_dropped, 1);
    ls_dataset_release(&d);
}

static void bad_rows_are_refused_with_file_and_line(void **state)
{
    (void)state;
    static const struct {
        bool prompts_only;
        const char *text, *error;
    } cases[] = {
        {false, "", "x.jsonl: there is no row; expected one JSON object a line"},
        {false, "\n\n", "x.jsonl: there is no row; expected one JSON object a line"},
        {false, PAIR "\n{\"prompt\": \"a\",}\n",
         "x.jsonl:2:16: malformed JSON: string or '}' expected near '}'"},
        {false, "{\"text\": \"\"}",
         "x.jsonl:1: no token of the row is trained: it has one token, and the first token of a "
         "row is never a target"},
        {false, "{\"prompt\": \"a\", \"answer\": \"b\"}",
         "x.jsonl:1: no schema for training fits: found \"prompt\", \"answer\"; expected "
         "{\"prompt\", \"completion\"}, or {\"messages\"}, or {\"conversations\"}, or {\"text\"}, "
         "or {\"question\", \"answer\"}, or {\"instruction\", \"output\"}; other names are mapped "
         "with columns, as in prompt=question"},
        {false, "{\"completion\": \"a\", \"messages\": null}",
         "x.jsonl:1: no schema for training fits: found \"completion\", \"messages\" (null); "
         "expected {\"prompt\", \"completion\"}, or {\"messages\"}, or {\"conversations\"}, or "
         "{\"text\"}, or {\"question\", \"answer\"}, or {\"instruction\", \"output\"}; other names "
         "are mapped with columns, as in prompt=question"},
        {false, "{}",
         "x.jsonl:1: no schema for training fits: found no columns; expected {\"prompt\", "
         "\"completion\"}, or {\"messages\"}, or {\"conversations\"}, or {\"text\"}, or "
         "{\"question\", \"answer\"}, or {\"instruction\", \"output\"}; other names are mapped "
         "with columns, as in prompt=question"},
        {false, "{\"text\": \"a\", \"prompt\": \"c\", \"completion\": \"b\"}",
         "x.jsonl:1: the row has both \"text\" and \"completion\"; say which is meant with "
         "dataset_schema: text, messages or prompt_completion"},
        {false, "{\"text\": 7}", "x.jsonl:1: column \"text\" is a number, expected a string"},
        {false, "{\"prompt\": [1], \"completion\": \"\"}",
         "x.jsonl:1: column \"prompt\" is an array, expected a string"},
        {false, "{\"prompt\": [{\"role\": \"user\"}], \"completion\": \"\"}",
         "x.jsonl:1: column \"prompt\": message 1 has nothing as content, expected a string"},
        {false, "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}",
         "x.jsonl:1: the row is a conversation and the model has no chat template; name one with "
         "chat_template (chatml, or a file)"},
        {false, "{\"text\": \"a\\u0000b\"}", "x.jsonl:1: column \"text\" contains a NUL character"},
        {false, "\n{\"prompt\": \"a\", \"completion\": \"bz\"}",
         "x.jsonl:2: column \"completion\": character \"z\" (U+007A) at byte offset 1 is not among "
         "the 5 characters of the tokenizer"},
        {true, "{\"text\": \"a\"}",
         "x.jsonl:1: no schema for rollouts fits: found \"text\"; expected {\"prompt\", "
         "\"reward_model.ground_truth\"}, or {\"prompt\"}, or {\"question\", \"answer\"}, or "
         "{\"instruction\", \"output\"}; such rows are for leash sft; other names are mapped with "
         "columns, as in prompt=question"},
        {true, "{\"prompt\": \"\"}", "x.jsonl:1: the prompt is empty"},
        {true, "{\"prompt\": \"a\", \"answer\": [1]}",
         "x.jsonl:1: column \"answer\" is an array, expected a string or a number"},
    };
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        ls_dataset d;
        if (load(&d, cases[i].text, &defaults, cases[i].prompts_only) == LEASH_OK)
            fail_msg("case %zu is accepted", i);
        assert_string_equal(leash_error(), cases[i].error);
    }
}

static void bad_options_are_usage_errors(void **state)
{
    (void)state;
    ls_data_options options = defaults;
    ls_dataset d;
    assert_int_equal(load_named(&d, &options, abc, false), LEASH_USAGE);
    assert_string_equal(leash_error(), "there is no data: set dataset to a file, or task to a "
                                       "built-in task");
    options.dataset = "a.jsonl";
    options.task = "sort";
    assert_int_equal(load_named(&d, &options, abc, false), LEASH_USAGE);
    assert_string_equal(leash_error(), "both dataset and task are set; expected one of them");
    options.task = "";
    options.split = "test";
    assert_int_equal(load_named(&d, &options, abc, false), LEASH_USAGE);
    assert_string_equal(leash_error(),
                        "dataset_split and task_args belong to tasks, but dataset is "
                        "a file (a.jsonl)");
    options = defaults;
    options.truncation = "left";
    assert_int_equal(load(&d, PAIR, &options, false), LEASH_USAGE);
    assert_string_equal(leash_error(),
                        "truncation is \"left\", expected error, keep_start or drop");
    options = defaults;
    options.completion_only_loss = "yes";
    assert_int_equal(load(&d, PAIR, &options, false), LEASH_USAGE);
    options = defaults;
    options.max_length = 1;
    assert_int_equal(load(&d, PAIR, &options, false), LEASH_USAGE);
    options = defaults;
    options.dataset = "/nonexistent/a.jsonl";
    assert_int_equal(load_named(&d, &options, abc, false), LEASH_IO);
    assert_non_null(strstr(leash_error(), "/nonexistent/a.jsonl"));
}

static void a_file_reads_like_its_text(void **state)
{
    (void)state;
    char path[] = "/tmp/leash-dataset-XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    const char *text = PAIR "\r\n{\"text\": \"abcd\"}";
    assert_int_equal(ls_file_write_atomic(path, text, strlen(text)), LEASH_OK);
    ls_data_options options = defaults;
    options.dataset = path;
    ls_dataset a, b = must_load(text, &defaults, false);
    assert_int_equal(load_named(&a, &options, abc, false), LEASH_OK);
    assert_string_equal(a.name, path);
    assert_int_equal(a.n_rows, 2);
    assert_int_equal(a.hash, b.hash);
    ls_dataset_release(&a);
    options.dataset_num_rows = 1;
    assert_int_equal(load_named(&a, &options, abc, false), LEASH_OK);
    assert_int_equal(a.n_rows, 1);
    assert_true(a.hash != b.hash);
    ls_dataset_release(&a);
    ls_dataset_release(&b);
    unlink(path);
}

static void the_hash_sees_ids_and_masks(void **state)
{
    (void)state;
    ls_data_options all = defaults;
    all.completion_only_loss = "false";
    ls_dataset a = must_load(PAIR, &defaults, false), b = must_load(PAIR, &all, false),
               c = must_load("{\"prompt\": \"ab=\", \"completion\": \"cc\"}", &defaults, false),
               d = must_load("{\"prompt\": \"ab=\", \"completion\": \"cd\", \"id\": 7}", &defaults,
                             false);
    assert_true(a.hash != b.hash && a.hash != c.hash && b.hash != c.hash);
    assert_int_equal(a.hash, d.hash);
    ls_dataset_release(&a);
    ls_dataset_release(&b);
    ls_dataset_release(&c);
    ls_dataset_release(&d);
}

static void the_hash_of_prompts_sees_what_rewards_read(void **state)
{
    (void)state;
    ls_dataset a = must_load("{\"prompt\": \"ab=\", \"answer\": \"c\"}", &defaults, true),
               b = must_load("{\"prompt\": \"ab=\", \"answer\": \"d\"}", &defaults, true);
    assert_true(a.hash != b.hash);
    ls_dataset_release(&a);
    ls_dataset_release(&b);
}

static void tasks_give_datasets_with_columns(void **state)
{
    (void)state;
    ls_tokenizer *t = NULL;
    assert_int_equal(ls_tokenizer_new(&t, "byte"), LEASH_OK);
    ls_data_options options = defaults;
    options.task = "countdown";
    options.task_args = "numbers=3";
    options.max_length = 64;
    options.dataset_num_rows = 50;
    ls_dataset train, again, prompts, test;
    assert_int_equal(load_named(&train, &options, t, false), LEASH_OK);
    assert_int_equal(load_named(&again, &options, t, false), LEASH_OK);
    assert_int_equal(load_named(&prompts, &options, t, true), LEASH_OK);
    assert_int_equal(train.n_rows, 50);
    assert_string_equal(train.name, "countdown");
    assert_int_equal(train.hash, again.hash);
    for (int64_t i = 0; i < train.n_rows; i++) {
        const ls_example *row = &train.rows[i];
        json_t *columns = json_loads(prompts.rows[i].columns, JSON_REJECT_DUPLICATES, NULL);
        assert_string_equal(json_string_value(json_object_get(columns, "prompt")), row->prompt);
        assert_string_equal(json_string_value(json_object_get(columns, "answer")), row->answer);
        assert_int_equal(json_array_size(json_object_get(columns, "numbers")), 3);
        assert_int_equal(row->n_prompt, strlen(row->prompt));
        assert_int_equal(row->n_tokens, strlen(row->prompt) + strlen(row->completion) + 1);
        assert_int_equal(row->line, i + 1);
        json_decref(columns);
    }
    options.split = "test";
    options.dataset_num_rows = 0;
    assert_int_equal(load_named(&test, &options, t, true), LEASH_OK);
    assert_int_equal(test.n_rows, 1000);
    assert_int_equal(test.n_trained, 0);
    ls_dataset_release(&train);
    ls_dataset_release(&again);
    ls_dataset_release(&prompts);
    ls_dataset_release(&test);
    options.task = "sorting";
    assert_int_equal(load_named(&test, &options, t, true), LEASH_USAGE);
    ls_tokenizer_free(t);
    options.task = "sort";
    options.task_args = "";
    assert_int_equal(load_named(&test, &options, abc, true), LEASH_DATA);
    assert_non_null(strstr(leash_error(), "sort:1: column \"prompt\": character \"s\""));
}

static int64_t order(ls_dataset *d, bool shuffles, uint64_t seed, int64_t draw)
{
    d->shuffles = shuffles;
    d->seed = seed;
    return ls_dataset_order(d, draw);
}

static void order_is_a_permutation_of_each_epoch(void **state)
{
    (void)state;
    ls_dataset d = {.n_rows = 37};
    int64_t first[37];
    int n_same = 0;
    for (int64_t epoch = 0; epoch < 5; epoch++) {
        bool is_seen[37] = {false};
        for (int64_t i = 0; i < 37; i++) {
            int64_t row = order(&d, true, 4, epoch * 37 + i);
            assert_in_range(row, 0, 36);
            assert_false(is_seen[row]);
            is_seen[row] = true;
            if (epoch == 0)
                first[i] = row;
            else
                n_same += row == first[i];
            assert_int_equal(order(&d, false, 4, epoch * 37 + i), i);
        }
    }
    assert_true(n_same < 37);
    /* The same draw gives the same row, whatever was drawn before it. */
    for (int64_t i = 36; i >= 0; i--)
        assert_int_equal(order(&d, true, 4, i), first[i]);
    int n_other = 0;
    for (int64_t i = 0; i < 37; i++)
        n_other += order(&d, true, 5, i) != first[i];
    assert_true(n_other > 18);
}

static int make_tokenizer(void **state)
{
    (void)state;
    defaults = data_options(8);
    return ls_tokenizer_new(&abc, "char:abcd=") == LEASH_OK ? 0 : -1;
}

static int free_tokenizer(void **state)
{
    (void)state;
    ls_tokenizer_free(abc);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(prompt_is_masked_and_eos_is_trained),
        cmocka_unit_test(all_tokens_but_the_first_of_a_text_are_trained),
        cmocka_unit_test(completion_only_loss_false_trains_the_prompt_too),
        cmocka_unit_test(an_empty_completion_trains_eos_and_an_empty_prompt_no_first_token),
        cmocka_unit_test(bos_counts_as_prompt),
        cmocka_unit_test(prompts_for_rollouts_carry_their_answer_and_columns),
        cmocka_unit_test(max_length_counts_prompt_completion_and_eos),
        cmocka_unit_test(keep_start_cuts_the_end_and_counts),
        cmocka_unit_test(drop_leaves_long_rows_out_and_counts),
        cmocka_unit_test(prompts_of_rollouts_are_never_cut),
        cmocka_unit_test(bad_rows_are_refused_with_file_and_line),
        cmocka_unit_test(bad_options_are_usage_errors),
        cmocka_unit_test(a_file_reads_like_its_text),
        cmocka_unit_test(the_hash_sees_ids_and_masks),
        cmocka_unit_test(the_hash_of_prompts_sees_what_rewards_read),
        cmocka_unit_test(tasks_give_datasets_with_columns),
        cmocka_unit_test(order_is_a_permutation_of_each_epoch),
    };
    return cmocka_run_group_tests(tests, make_tokenizer, free_tokenizer);
}
