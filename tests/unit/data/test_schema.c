/* Every schema of a row: what it becomes, how columns are named, and conversations through a chat
 * template. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "data/dataset.h"
#include "data_options.h"
#include "text/chat_template.h"

static ls_tokenizer *byte; /* ids are bytes, eos behind them */
static ls_chat_template *chat;
static ls_data_options options;
static ls_dataset data;

/* "<user>hi\n<assistant>yo\n": an assistant's turn is marked. */
static const char template_text[] =
    "{% for m in messages %}<{{ m.role }}>{% if m.role == 'assistant' %}{% generation %}"
    "{{ m.content }};{% endgeneration %}{% else %}{{ m.content }};{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}";

static leash_status load(const char *row, ls_data_use use)
{
    ls_dataset_input input = {.options = &options, .tokenizer = byte, .chat = chat, .use = use};
    return ls_dataset_load_text(&data, &(ls_dataset_text){"x.jsonl", row, strlen(row)}, &input);
}

static void must_load(const char *row, ls_data_use use)
{
    if (load(row, use) != LEASH_OK)
        fail_msg("%s", leash_error());
}

/* Tokens as text with the trained ones in brackets, eos as $. */
static void assert_tokens(const ls_example *e, const char *expected)
{
    ls_str text = LS_STR_INIT;
    bool is_on = false;
    for (int32_t i = 0; i <= e->n_tokens; i++) {
        bool is_trained = i < e->n_tokens && e->mask[i];
        if (is_trained != is_on)
            ls_str_append_char(&text, is_trained ? '[' : ']');
        is_on = is_trained;
        if (i < e->n_tokens)
            ls_str_append_char(&text, e->ids[i] < 256 ? (char)e->ids[i] : '$');
    }
    assert_string_equal(text.data, expected);
    ls_str_release(&text);
}

static void done(void)
{
    ls_dataset_release(&data);
    options = data_options(1024);
}

static void preference_rows_are_pairs_with_one_prompt(void **state)
{
    (void)state;
    must_load("{\"prompt\": \"q \", \"chosen\": \"good\", \"rejected\": \"bad\"}", LS_DATA_PAIRS);
    assert_int_equal(data.n_rows, 1);
    assert_int_equal(data.n_sequences, 2);
    assert_tokens(&data.rows[0], "q [good$]");
    assert_tokens(data.rows[0].rejected, "q [bad$]");
    assert_int_equal(data.rows[0].n_prompt, 2);
    assert_int_equal(data.rows[0].rejected->n_prompt, 2);
    assert_string_equal(data.rows[0].rejected->prompt, "q ");
    assert_string_equal(data.rows[0].rejected->completion, "bad");
    assert_null(data.rows[0].rejected->rejected);
    done();
}

static void the_common_start_of_a_pair_is_its_prompt(void **state)
{
    (void)state;
    static const char *const cases[][3] = {
        {"{\"chosen\": \"H: hi A: yes\", \"rejected\": \"H: hi A: no\"}", "H: hi A:[ yes$]",
         "H: hi A:[ no$]"}, /* steps back over the space */
        {"{\"chosen\": \"ab\", \"rejected\": \"ac\"}", "a[b$]", "a[c$]"},
        {"{\"chosen\": \"a\xc3\xa9\", \"rejected\": \"a\xc3\xa8\"}", "a[\xc3\xa9$]",
         "a[\xc3\xa8$]"},
        {"{\"chosen\": \"same\", \"rejected\": \"same\"}", "sam[e$]", "sam[e$]"},
        {"{\"chosen\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": \"assistant\", "
         "\"content\": \"y\"}], \"rejected\": [{\"role\": \"user\", \"content\": \"q\"}, "
         "{\"role\": \"assistant\", \"content\": \"n\"}]}",
         "<user>q;<assistant>[y;]", "<user>q;<assistant>[n;]"},
        /* a text beside whole conversations repeats their question */
        {"{\"prompt\": \"q\", \"chosen\": [{\"role\": \"user\", \"content\": \"q\"}, {\"role\": "
         "\"assistant\", \"content\": \"y\"}], \"rejected\": [{\"role\": \"user\", \"content\": "
         "\"q\"}, {\"role\": \"assistant\", \"content\": \"n\"}]}",
         "<user>q;<assistant>[y;]", "<user>q;<assistant>[n;]"}};
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        must_load(cases[i][0], LS_DATA_PAIRS);
        assert_tokens(&data.rows[0], cases[i][1]);
        assert_tokens(data.rows[0].rejected, cases[i][2]);
        done();
    }
}

static void labels_come_with_rows_or_out_of_pairs(void **state)
{
    (void)state;
    must_load("{\"prompt\": \"q\", \"completion\": \"a\", \"label\": true}\n"
              "{\"prompt\": \"q\", \"completion\": \"b\", \"label\": 0}\n"
              "{\"prompt\": \"q\", \"chosen\": \"c\", \"rejected\": \"d\"}\n",
              LS_DATA_LABELS);
    static const char *const tokens[] = {"q[a$]", "q[b$]", "q[c$]", "q[d$]"};
    static const int labels[] = {1, 0, 1, 0};
    assert_int_equal(data.n_rows, 4);
    for (int i = 0; i < 4; i++) {
        assert_tokens(&data.rows[i], tokens[i]);
        assert_int_equal(data.rows[i].label, labels[i]);
        assert_null(data.rows[i].rejected);
    }
    done();
    assert_int_equal(
        load("{\"prompt\": \"q\", \"completion\": \"a\", \"label\": 2}", LS_DATA_LABELS),
        LEASH_DATA);
    assert_string_equal(leash_error(), "x.jsonl:1: column \"label\" is a number, expected true or "
                                       "false");
}

static void steps_end_at_their_separator(void **state)
{
    (void)state;
    const char *row =
        "{\"prompt\": \"q\", \"completions\": [\"ab\", \"c\"], \"labels\": [true, false]}";
    must_load(row, LS_DATA_STEPS);
    const ls_example *e = &data.rows[0];
    assert_tokens(e, "qab[\n]c[\n]");
    assert_int_equal(e->n_steps, 2);
    assert_int_equal(e->step_end[0], 3);
    assert_int_equal(e->step_end[1], 5);
    assert_int_equal(e->step_label[0], 1);
    assert_int_equal(e->step_label[1], 0);
    done();
    options.max_length = 5; /* the second step is cut off */
    options.truncation = "keep_start";
    options.step_separator = "--";
    must_load(row, LS_DATA_STEPS);
    assert_tokens(&data.rows[0], "qab-[-]");
    assert_int_equal(data.rows[0].n_steps, 1);
    done();
    assert_int_equal(
        load("{\"prompt\": \"q\", \"completions\": [\"a\"], \"labels\": []}", LS_DATA_STEPS),
        LEASH_DATA);
}

static void conversations_train_all_or_the_assistant(void **state)
{
    (void)state;
    const char *row =
        "{\"messages\": [{\"role\": \"user\", \"content\": \"a\"}, {\"role\": "
        "\"assistant\", \"content\": \"b\"}, {\"role\": \"user\", \"content\": \"c\"}, "
        "{\"role\": \"assistant\", \"content\": \"d\"}]}";
    must_load(row, LS_DATA_SEQUENCES);
    assert_tokens(&data.rows[0], "<[user>a;<assistant>b;<user>c;<assistant>d;]");
    assert_int_equal(data.rows[0].n_prompt, 0);
    done();
    options.assistant_only_loss = true;
    must_load(row, LS_DATA_SEQUENCES);
    assert_tokens(&data.rows[0], "<user>a;<assistant>[b;]<user>c;<assistant>[d;]");
    done();
    options.completion_only_loss = "true";
    assert_int_equal(load(row, LS_DATA_SEQUENCES), LEASH_DATA);
    assert_non_null(strstr(leash_error(), "a \"messages\" row has no completion"));
    options = data_options(1024);
}

static void sharegpt_names_become_roles(void **state)
{
    (void)state;
    must_load("{\"conversations\": [{\"from\": \"human\", \"value\": \"a\"}, {\"from\": \"gpt\", "
              "\"value\": \"b\"}]}",
              LS_DATA_SEQUENCES);
    assert_tokens(&data.rows[0], "<[user>a;<assistant>b;]");
    done();
}

static void prompts_and_completions_may_be_conversations(void **state)
{
    (void)state;
    const char *row = "{\"prompt\": [{\"role\": \"user\", \"content\": \"a\"}], \"completion\": "
                      "[{\"role\": \"assistant\", \"content\": \"b\"}], \"answer\": \"7\"}";
    must_load(row, LS_DATA_SEQUENCES);
    assert_tokens(&data.rows[0], "<user>a;<assistant>[b;]");
    assert_string_equal(data.rows[0].prompt, "<user>a;<assistant>");
    assert_string_equal(data.rows[0].completion, "b;");
    done();
    options.completion_only_loss = "false";
    must_load(row, LS_DATA_SEQUENCES);
    assert_tokens(&data.rows[0], "<[user>a;<assistant>b;]");
    done();
    options.system_prompt = "S";
    must_load(row, LS_DATA_PROMPTS);
    assert_tokens(&data.rows[0], "<system>S;<user>a;<assistant>");
    assert_int_equal(data.rows[0].n_prompt, data.rows[0].n_tokens);
    assert_string_equal(data.rows[0].answer, "7");
    done();
    assert_int_equal(load("{\"prompt\": \"a\", \"completion\": [{\"role\": \"assistant\", "
                          "\"content\": \"b\"}]}",
                          LS_DATA_SEQUENCES),
                     LEASH_DATA);
}

static void texts_become_conversations_when_asked(void **state)
{
    (void)state;
    options.apply_chat_template = true;
    options.system_prompt = "S";
    must_load("{\"question\": \"1+1?\", \"answer\": \"It is <<1+1=2>>2.\\n#### 2\"}",
              LS_DATA_PROMPTS);
    assert_tokens(&data.rows[0], "<system>S;<user>1+1?;<assistant>");
    assert_string_equal(data.rows[0].answer, "2");
    ls_dataset_release(&data);
    must_load("{\"prompt\": \"p\", \"completion\": \"c\"}", LS_DATA_SEQUENCES);
    assert_tokens(&data.rows[0], "<system>S;<user>p;<assistant>[c;]");
    ls_dataset_release(&data);
    assert_int_equal(load("{\"text\": \"t\"}", LS_DATA_SEQUENCES), LEASH_DATA);
    options.apply_chat_template = false;
    assert_int_equal(load("{\"prompt\": \"p\", \"completion\": \"c\"}", LS_DATA_SEQUENCES),
                     LEASH_DATA);
    assert_non_null(strstr(leash_error(), "x.jsonl:1: system_prompt belongs to conversations"));
    options = data_options(1024);
}

static void named_sets_need_no_mapping(void **state)
{
    (void)state;
    const char *gsm = "{\"question\": \"q?\", \"answer\": \"s\\n#### 1,072 \"}";
    must_load(gsm, LS_DATA_SEQUENCES);
    assert_tokens(&data.rows[0], "q?\n[s\n#### 1,072 $]");
    done();
    must_load(gsm, LS_DATA_PROMPTS);
    assert_tokens(&data.rows[0], "q?\n");
    assert_string_equal(data.rows[0].answer, "1,072");
    assert_string_equal(data.rows[0].columns, gsm);
    done();
    must_load("{\"instruction\": \"i\", \"input\": \"x\", \"output\": \"o\"}\n"
              "{\"instruction\": \"i\", \"input\": \"\", \"output\": \"o\"}",
              LS_DATA_SEQUENCES);
    assert_tokens(&data.rows[0], "i\n\nx\n[o$]");
    assert_tokens(&data.rows[1], "i\n[o$]");
    done();
    must_load(
        "{\"prompt\": [{\"role\": \"user\", \"content\": \"q\"}], \"reward_model\": {\"style\": "
        "\"rule\", \"ground_truth\": \"5\"}}",
        LS_DATA_PROMPTS);
    assert_tokens(&data.rows[0], "<user>q;<assistant>");
    assert_string_equal(data.rows[0].answer, "5");
    done();
    must_load("{\"prompt\": \"p\", \"solution\": 0.50}", LS_DATA_PROMPTS);
    assert_string_equal(data.rows[0].answer, "0.50");
    done();
}

static void columns_and_patterns_name_what_is_read(void **state)
{
    (void)state;
    options.columns = "completion=out,answer=meta.gold";
    options.prompt_template = "{{{q}}}\\n{meta.n}:";
    must_load("{\"q\": \"x\", \"out\": \"y\", \"meta\": {\"n\": 3, \"gold\": 7}}",
              LS_DATA_SEQUENCES);
    assert_tokens(&data.rows[0], "{x}\n3:[y$]");
    assert_string_equal(data.rows[0].answer, "7");
    ls_dataset_release(&data);
    assert_int_equal(load("{\"out\": \"y\", \"meta\": {\"n\": 3}}", LS_DATA_SEQUENCES), LEASH_DATA);
    assert_string_equal(leash_error(),
                        "x.jsonl:1: column \"q\" is not there, a text is made of it");
    static const char *const bad[][2] = {
        {"promt=q",
         "columns: there is no role \"promt\" (did you mean \"prompt\"?); roles are text, "
         "messages, prompt, completion, chosen, rejected, label, completions, labels, "
         "answer, tools, chat_template_kwargs"},
        {"prompt", "columns: expected role=column,role=column, found \"prompt\""},
        {"prompt=", "columns: expected role=column,role=column, found \"prompt=\""}};
    options = data_options(1024);
    for (size_t i = 0; i < LS_COUNT(bad); i++) {
        options.columns = bad[i][0];
        assert_int_equal(load("{}", LS_DATA_PROMPTS), LEASH_USAGE);
        assert_string_equal(leash_error(), bad[i][1]);
    }
    options = data_options(1024);
    options.prompt_template = "a}";
    assert_int_equal(load("{}", LS_DATA_PROMPTS), LEASH_USAGE);
    options = data_options(1024);
    options.dataset_schema = "preference";
    assert_int_equal(load("{}", LS_DATA_SEQUENCES), LEASH_USAGE);
    options = data_options(1024);
}

static void two_meanings_are_not_guessed(void **state)
{
    (void)state;
    const char *row = "{\"text\": \"t\", \"messages\": [{\"role\": \"user\", \"content\": \"a\"}]}";
    assert_int_equal(load(row, LS_DATA_SEQUENCES), LEASH_DATA);
    assert_string_equal(leash_error(),
                        "x.jsonl:1: the row has both \"text\" and \"messages\"; say which is meant "
                        "with dataset_schema: text, messages or prompt_completion");
    options.dataset_schema = "text";
    must_load(row, LS_DATA_SEQUENCES);
    assert_tokens(&data.rows[0], "t[$]");
    done();
}

static void tools_may_be_json_text(void **state)
{
    (void)state;
    must_load(
        "{\"prompt\": [{\"role\": \"user\", \"content\": \"q\"}], \"tools\": \"[{\\\"a\\\": 1}]\"}",
        LS_DATA_PROMPTS);
    done();
    assert_int_equal(
        load("{\"prompt\": [{\"role\": \"user\", \"content\": \"q\"}], \"tools\": \"{\"}",
             LS_DATA_PROMPTS),
        LEASH_DATA);
    assert_int_equal(
        load("{\"prompt\": [{\"role\": \"user\", \"content\": [{\"type\": \"image\"}]}]}",
             LS_DATA_PROMPTS),
        LEASH_DATA);
    assert_string_equal(leash_error(), "x.jsonl:1: column \"prompt\": message 1 has a part of type "
                                       "\"image\"; only text is read");
}

static int open_all(void **state)
{
    (void)state;
    options = data_options(1024);
    if (ls_chat_template_parse(&chat, template_text, sizeof template_text - 1, "t") != LEASH_OK)
        return -1;
    return ls_tokenizer_new(&byte, "byte") == LEASH_OK ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    ls_chat_template_free(chat);
    ls_tokenizer_free(byte);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(preference_rows_are_pairs_with_one_prompt),
        cmocka_unit_test(the_common_start_of_a_pair_is_its_prompt),
        cmocka_unit_test(labels_come_with_rows_or_out_of_pairs),
        cmocka_unit_test(steps_end_at_their_separator),
        cmocka_unit_test(conversations_train_all_or_the_assistant),
        cmocka_unit_test(sharegpt_names_become_roles),
        cmocka_unit_test(prompts_and_completions_may_be_conversations),
        cmocka_unit_test(texts_become_conversations_when_asked),
        cmocka_unit_test(named_sets_need_no_mapping),
        cmocka_unit_test(columns_and_patterns_name_what_is_read),
        cmocka_unit_test(two_meanings_are_not_guessed),
        cmocka_unit_test(tools_may_be_json_text),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
