/* What an evaluation and its completions look like as text. */
#include "close.h"

#include <string.h>
#include "eval/completion_json.h"
#include "eval/evaluate.h"

static const ls_eval_result result = {.n_problems = 3,
                                      .n_samples = 2,
                                      .n_judged = 5,
                                      .n_cannot_judge = 1,
                                      .strict = {0.5, 0.25, 0.75},
                                      .lenient = {1, 0.875, 1},
                                      .n_k = 2,
                                      .k = {1, 2},
                                      .n_at_k = {3, 0},
                                      .pass_at_k = {0.5, NAN},
                                      .pass_at_k_lenient = {1, NAN},
                                      .maj_at_k = {0.5, NAN},
                                      .mean_length = 7.5,
                                      .clipped_ratio = 0.25,
                                      .entropy = 0.5,
                                      .no_answer = 0.2,
                                      .n_tokens = 45,
                                      .seconds = 0.5};

/* No problem has two samples that could be judged. */
static void a_k_without_problems_has_no_number(void **state)
{
    (void)state;
    ls_str text = LS_STR_INIT;
    ls_eval_print(&result, &text);
    assert_string_equal(text.data,
                        "problems    3, 2 completions each, 5 judged, 1 cannot be judged\n"
                        "accuracy     50.0 %  [25.0, 75.0]  strict\n"
                        "            100.0 %  [87.5, 100.0]  lenient\n"
                        "\n"
                        "       k    pass@k   lenient     maj@k\n"
                        "       1    50.0 %   100.0 %    50.0 %\n"
                        "       2         -         -         -\n"
                        "\n"
                        "length      7.5 tokens, 25.0 % cut short, 20.0 % without an answer\n"
                        "speed       90 tokens/s\n");
    ls_str_clear(&text);
    ls_eval_json(&result, &text);
    assert_string_equal(
        text.data,
        "{\"problems\": 3, \"samples\": 2, \"judged\": 5, \"cannot_judge\": 1, \"accuracy\": 0.5, "
        "\"accuracy_low\": 0.25, \"accuracy_high\": 0.75, \"accuracy_lenient\": 1, "
        "\"accuracy_lenient_low\": 0.875, \"accuracy_lenient_high\": 1, \"pass@k\": {\"1\": 0.5, "
        "\"2\": null}, \"pass@k_lenient\": {\"1\": 1, \"2\": null}, \"maj@k\": {\"1\": 0.5, "
        "\"2\": null}, \"mean_length\": 7.5, \"clipped_ratio\": 0.25, \"no_answer\": 0.2, "
        "\"entropy\": 0.5, \"tokens\": 45, \"seconds\": 0.5}");
    ls_str_release(&text);
}

static void a_completion_has_its_members_in_one_order(void **state)
{
    (void)state;
    static const int32_t ids[] = {1, 2, 0};
    ls_example example = {.prompt = "a\"\n", .line = 12};
    ls_completion_json completion = {.example = &example, .sample = 3, .ids = ids, .n_ids = 3};
    ls_tokenizer *tokenizer;
    ls_str line = LS_STR_INIT, text = LS_STR_INIT;
    assert_int_equal(ls_tokenizer_new(&tokenizer, "char:abc"), LEASH_OK);
    ls_completion_json_begin(&line, &completion, tokenizer, &text);
    assert_string_equal(line.data,
                        "{\"row\": 12, \"sample\": 3, \"prompt\": \"a\\\"\\n\", \"completion\": "
                        "\"bca\"");
    completion.has_answer = true;
    completion.n_ids = 0;
    ls_str_clear(&line);
    ls_completion_json_begin(&line, &completion, tokenizer, &text);
    assert_string_equal(line.data,
                        "{\"row\": 12, \"sample\": 3, \"prompt\": \"a\\\"\\n\", \"completion\": "
                        "\"\", \"answer\": null");
    completion.step = 7;
    example.answer = "b";
    ls_str_clear(&line);
    ls_completion_json_begin(&line, &completion, tokenizer, &text);
    assert_string_equal(line.data, "{\"step\": 7, \"row\": 12, \"sample\": 3, \"prompt\": "
                                   "\"a\\\"\\n\", \"completion\": \"\", \"answer\": \"b\"");
    ls_str_release(&line);
    ls_str_release(&text);
    ls_tokenizer_free(tokenizer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_k_without_problems_has_no_number),
        cmocka_unit_test(a_completion_has_its_members_in_one_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
