/* leash tokenize: arguments, files, conversations, and back. */
#include "run.h"

#define SMOLLM2 LEASH_TEST_DATA "/tokenizer/bpe/smollm2"

static void assert_output(const char *expected, char *got)
{
    assert_string_equal(got, expected);
    ls_free(got);
}

static void texts_become_ids_and_ids_text(void **state)
{
    (void)state;
    assert_output("97 98\n99\n", run_output("tokenize --model byte ab c"));
    assert_output("ab\n", run_output("tokenize --model byte --decode 97 98"));
    assert_output("{\"ids\": [97, 9], \"tokens\": [\"a\", \"<0x09>\"]}\n",
                  run_output("tokenize --model byte --json a\t"));
    assert_output("{\"text\": \"a\\u0000\"}\n",
                  run_output("tokenize --model byte --json --decode 97,0"));
}

static void special_tokens_are_text_unless_asked_for(void **state)
{
    (void)state;
    char *text = run_output("tokenize --model %s --json hi<|im_end|>", SMOLLM2);
    assert_null(strstr(text, "\"<|im_end|>\""));
    ls_free(text);
    text = run_output("tokenize --model %s --json --specials hi<|im_end|>", SMOLLM2);
    assert_non_null(strstr(text, "\"<|im_end|>\"]"));
    ls_free(text);
}

static void rows_of_a_file_are_taken_by_column(void **state)
{
    (void)state;
    run_write("rows.jsonl", "{\"text\": \"ab\", \"ids\": [99, 100]}\n\n{\"text\": \"\"}\n");
    assert_output("97 98\n\n", run_output("tokenize --model byte --file rows.jsonl"));
    assert_error(run_program("tokenize --model byte --file rows.jsonl --decode"), 1,
                 "rows.jsonl:3: there is no column \"ids\" (see --column)");
    run_write("rows.jsonl", "{\"p\": \"b\", \"ids\": [99, 100]}\n");
    assert_output("cd\n", run_output("tokenize --model byte --file rows.jsonl --decode"));
    assert_output("98\n", run_output("tokenize --model byte --file rows.jsonl --column p"));
}

static void conversations_go_through_the_models_template(void **state)
{
    (void)state;
    run_result r = run_command("/bin/cp", "-r %s chat", SMOLLM2);
    assert_int_equal(r.code, 0);
    run_release(&r);
    run_write("chat/chat_template.jinja",
              "{% for m in messages %}<|im_start|>{{ m.role }}:{{ m.content }}<|im_end|>"
              "{% endfor %}{% if add_generation_prompt %}<|im_start|>{% endif %}");
    run_write("messages.json", "[{\"role\": \"user\", \"content\": \"Hi\"}]");
    char *ids = run_output("tokenize --model chat --generation-prompt --messages messages.json");
    run_write("ids", ids);
    char *rows = run_output("tokenize --model chat --specials --decode %s", ids);
    assert_string_equal(rows, "<|im_start|>user:Hi<|im_end|><|im_start|>\n");
    ls_free(rows);
    ls_free(ids);
    assert_error(run_program("tokenize --model byte --messages messages.json"), 1,
                 "byte has no chat template for --messages");
}

static void bad_input_is_named(void **state)
{
    (void)state;
    assert_error(
        run_program("tokenize a"), 2,
        "leash tokenize needs --model: a model folder, a GGUF file, byte or char:ALPHABET");
    assert_error(run_program("tokenize --model byte --decode 257"), 1,
                 "--decode: expected ids from 0 to 256, found \"257\"");
    assert_error(run_program("tokenize --model byte --decode x"), 1,
                 "--decode: expected ids from 0 to 256, found \"x\"");
    assert_error(run_program("tokenize --model byte --messages [] --decode"), 2,
                 "--messages goes with neither --file nor --decode");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts_become_ids_and_ids_text),
        cmocka_unit_test(special_tokens_are_text_unless_asked_for),
        cmocka_unit_test(rows_of_a_file_are_taken_by_column),
        cmocka_unit_test(conversations_go_through_the_models_template),
        cmocka_unit_test(bad_input_is_named),
    };
    return cmocka_run_group_tests(tests, run_setup, run_teardown);
}
