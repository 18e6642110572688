/* Chat templates: where they are read from, which one is taken, what is trained without
 * {% generation %}, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/mem.h"
#include "text/chat_template.h"

#define TURNS                                                                            \
    "[{\"role\":\"user\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\"}," \
    "{\"role\":\"user\",\"content\":\"c\"},{\"role\":\"assistant\",\"content\":\"d\"}]"

static char folder[] = "/tmp/leash-chat-XXXXXX";

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    return ls_dir_remove(folder) == LEASH_OK ? 0 : -1;
}

static void clear_folder(void)
{
    assert_int_equal(ls_dir_remove(folder), LEASH_OK);
    assert_int_equal(ls_dir_make(folder), LEASH_OK);
}

static void write_file(const char *name, const char *text)
{
    char path[LS_PATH_MAX];
    ls_path_join(path, folder, name);
    assert_int_equal(ls_file_write_synced(path, text, strlen(text)), LEASH_OK);
}

static ls_chat_template *load(void)
{
    ls_chat_template *t = NULL;
    if (ls_chat_template_load(&t, folder) != LEASH_OK)
        fail_msg("%s", leash_error());
    return t;
}

static ls_chat_template *parse(const char *text)
{
    ls_chat_template *t = NULL;
    if (ls_chat_template_parse(&t, text, strlen(text), "t") != LEASH_OK)
        fail_msg("%s", leash_error());
    return t;
}

static ls_chat_template *builtin(const char *name)
{
    ls_chat_template *t = NULL;
    if (ls_chat_template_builtin(&t, name) != LEASH_OK)
        fail_msg("%s", leash_error());
    ls_chat_template_set_special(t, "bos_token", "<s>");
    ls_chat_template_set_special(t, "eos_token", "</s>");
    return t;
}

/* Renders messages given as JSON; the text is the caller's (ls_free). */
static char *render(const ls_chat_template *t, const char *messages, ls_chat_request request)
{
    ls_chat_text out;
    json_t *parsed = json_loads(messages, 0, NULL);
    request.messages = parsed;
    ls_chat_text_init(&out);
    if (ls_chat_render(&out, t, &request) != LEASH_OK)
        fail_msg("%s", leash_error());
    char *text = ls_strdup(out.text.data);
    ls_chat_text_release(&out);
    json_decref(parsed);
    return text;
}

static void check(const ls_chat_template *t, const char *messages, ls_chat_request request,
                  const char *expected)
{
    char *text = render(t, messages, request);
    assert_string_equal(text, expected);
    ls_free(text);
}

static void a_folder_without_template_has_none(void **state)
{
    (void)state;
    clear_folder();
    assert_null(load());
    write_file("tokenizer_config.json", "{\"bos_token\":\"<s>\",\"chat_template\":null}");
    assert_null(load());
    ls_chat_template *t = NULL;
    assert_int_equal(ls_chat_template_open(&t, folder), LEASH_DATA);
}

static void the_template_file_wins_over_the_configuration(void **state)
{
    (void)state;
    clear_folder();
    write_file("tokenizer_config.json",
               "{\"bos_token\":{\"content\":\"<s>\"},\"eos_token\":\"</s>\","
               "\"chat_template\":\"config {{ bos_token }}\"}");
    ls_chat_template *t = load();
    check(t, TURNS, (ls_chat_request){0}, "config <s>");
    ls_chat_template_free(t);
    write_file("chat_template.jinja", "file {{ bos_token ~ eos_token }}");
    t = load();
    check(t, TURNS, (ls_chat_request){0}, "file <s></s>");
    ls_chat_template_free(t);
}

static void the_legacy_file_is_read_last(void **state)
{
    (void)state;
    clear_folder();
    write_file("chat_template.json", "{\"chat_template\":\"legacy\"}");
    write_file("special_tokens_map.json", "{\"bos_token\":\"[\"}");
    ls_chat_template *t = load();
    check(t, TURNS, (ls_chat_request){0}, "legacy");
    ls_chat_template_free(t);
}

static void tools_take_the_template_for_them(void **state)
{
    (void)state;
    clear_folder();
    write_file("tokenizer_config.json",
               "{\"chat_template\":[{\"name\":\"tool_use\",\"template\":\"T{{ tools|length }}\"},"
               "{\"name\":\"default\",\"template\":\"D\"},{\"name\":\"rag\",\"template\":\"R\"}]}");
    ls_chat_template *t = load();
    json_t *tools = json_loads("[{},{}]", 0, NULL);
    check(t, TURNS, (ls_chat_request){0}, "D");
    check(t, TURNS, (ls_chat_request){.tools = tools}, "T2");
    check(t, TURNS, (ls_chat_request){.name = "rag"}, "R");
    check(t, TURNS, (ls_chat_request){.name = "rag", .tools = tools}, "R");
    ls_chat_text out;
    json_t *messages = json_loads(TURNS, 0, NULL);
    ls_chat_text_init(&out);
    assert_int_equal(
        ls_chat_render(&out, t, &(ls_chat_request){.messages = messages, .name = "other"}),
        LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "there are: default, tool_use, rag"));
    ls_chat_text_release(&out);
    json_decref(messages);
    json_decref(tools);
    ls_chat_template_free(t);
}

static void what_is_saved_is_read_again_byte_for_byte(void **state)
{
    (void)state;
    const char *text = "{{ bos_token }}\r\n\n";
    ls_str back = LS_STR_INIT;
    char path[LS_PATH_MAX];
    clear_folder();
    write_file(
        "tokenizer_config.json",
        "{\"chat_template\":[{\"name\":\"default\",\"template\":\"{{ bos_token }}\\r\\n\\n\"},"
        "{\"name\":\"rag\",\"template\":\"R\"}]}");
    ls_chat_template *t = load();
    clear_folder();
    assert_int_equal(ls_chat_template_save(t, folder), LEASH_OK);
    ls_chat_template_free(t);
    ls_path_join(path, folder, "chat_template.jinja");
    assert_int_equal(ls_file_read(&back, path), LEASH_OK);
    assert_string_equal(back.data, text);
    t = load();
    check(t, TURNS, (ls_chat_request){.name = "rag"}, "R");
    ls_chat_template_free(t);
    ls_str_release(&back);
}

static void a_wrong_name_is_told_the_nearest(void **state)
{
    (void)state;
    ls_chat_template *t = NULL;
    assert_int_equal(ls_chat_template_open(&t, "qwen-3"), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "did you mean 'qwen3'?"));
}

static void every_builtin_marks_the_assistant_and_tells_what_it_is(void **state)
{
    (void)state;
    size_t n;
    const ls_chat_builtin *b = ls_chat_builtins(&n);
    assert_true(n >= 12);
    for (size_t i = 0; i < n; i++) {
        ls_chat_template *t = builtin(b[i].name);
        assert_true(ls_chat_template_has_generation(t, NULL));
        assert_true(strlen(b[i].help) > 20);
        ls_chat_template_free(t);
    }
}

static void keys_that_are_null_are_as_if_absent(void **state)
{
    (void)state;
    ls_chat_template *t = parse("{{ messages[0].content is defined }}{{ tools is none }}"
                                "{{ messages[0].thinking }}");
    check(t, "[{\"role\":\"user\",\"content\":null,\"reasoning\":\"r\"}]", (ls_chat_request){0},
          "FalseTruer");
    ls_chat_template_free(t);
}

static void kwargs_are_variables(void **state)
{
    (void)state;
    ls_chat_template *t = parse("{{ enable_thinking }}{{ bos_token }}");
    json_t *kwargs = json_loads("{\"enable_thinking\":false,\"bos_token\":\"B\"}", 0, NULL);
    ls_chat_template_set_special(t, "bos_token", "<s>");
    check(t, TURNS, (ls_chat_request){.kwargs = kwargs}, "FalseB");
    json_decref(kwargs);
    ls_chat_template_free(t);
}

static void the_last_message_can_be_continued(void **state)
{
    (void)state;
    ls_chat_template *t = builtin("chatml"), *trims = builtin("llama3");
    check(t, "[{\"role\":\"assistant\",\"content\":\"so far \"}]",
          (ls_chat_request){.continue_final_message = true}, "<|im_start|>assistant\nso far ");
    check(trims, "[{\"role\":\"assistant\",\"content\":\"so far \"}]",
          (ls_chat_request){.continue_final_message = true},
          "<s><|start_header_id|>assistant<|end_header_id|>\n\nso far");
    ls_chat_template_free(t);
    ls_chat_template_free(trims);
}

static void what_is_no_conversation_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {"[]", "{}", "[1]", "[{\"content\":\"x\"}]"};
    ls_chat_template *t = builtin("chatml");
    for (size_t i = 0; i < LS_COUNT(wrong); i++) {
        ls_chat_text out;
        json_t *messages = json_loads(wrong[i], 0, NULL);
        ls_chat_text_init(&out);
        assert_int_equal(ls_chat_render(&out, t, &(ls_chat_request){.messages = messages}),
                         LEASH_DATA);
        ls_chat_text_release(&out);
        json_decref(messages);
    }
    ls_chat_template_free(t);
}

/* ---- tokens, with the byte tokenizer: an id is a byte ---- */

static leash_status encode(ls_chat_tokens *out, const ls_chat_template *t, const char *messages,
                           ls_chat_train train)
{
    ls_tokenizer *bytes;
    json_t *parsed = json_loads(messages, 0, NULL);
    assert_int_equal(ls_tokenizer_new(&bytes, "byte"), LEASH_OK);
    leash_status status =
        ls_chat_encode(out, t, bytes, &(ls_chat_request){.messages = parsed}, train);
    ls_tokenizer_free(bytes);
    json_decref(parsed);
    return status;
}

/* What is trained, with | between runs. */
static void trained_text(ls_str *out, const ls_chat_tokens *tokens)
{
    ls_str_clear(out);
    for (int64_t k = 0; k < tokens->n; k++) {
        if (tokens->mask[k] && out->len && !tokens->mask[k - 1])
            ls_str_append_char(out, '|');
        if (tokens->mask[k])
            ls_str_append_char(out, (char)tokens->ids[k]);
    }
}

static void check_trained(const char *template, const char *messages, const char *expected)
{
    ls_chat_template *t = parse(template);
    ls_chat_tokens tokens;
    ls_str text = LS_STR_INIT;
    ls_chat_template_set_special(t, "eos_token", "</s>");
    ls_chat_tokens_init(&tokens);
    if (encode(&tokens, t, messages, LS_CHAT_TRAIN_ASSISTANT) != LEASH_OK)
        fail_msg("%s", leash_error());
    trained_text(&text, &tokens);
    assert_string_equal(text.data, expected);
    ls_chat_tokens_release(&tokens);
    ls_str_release(&text);
    ls_chat_template_free(t);
}

#define PLAIN                                                           \
    "{% for m in messages %}<{{ m.role }}>{{ m.content }};{% endfor %}" \
    "{% if add_generation_prompt %}<assistant>{% endif %}"

static void without_marks_the_turns_are_found_by_their_beginnings(void **state)
{
    (void)state;
    check_trained(PLAIN, TURNS, "b;|d;");
    check_trained(PLAIN, "[{\"role\":\"user\",\"content\":\"a\"}]", "");
    /* eos closes the conversation only at its end */
    check_trained(PLAIN "{% if not add_generation_prompt %}{{ eos_token }}{% endif %}", TURNS,
                  "b;|d;</s>");
}

static void with_marks_the_spans_are_trained(void **state)
{
    (void)state;
    check_trained("{% for m in messages %}{{ m.role }}:{% if m.role == 'assistant' %}"
                  "{% generation %}{{ m.content }}.{% endgeneration %}{% else %}{{ m.content }}"
                  "{% endif %}{% endfor %}",
                  TURNS, "b.|d.");
}

static void marks_and_beginnings_agree_for_the_builtins(void **state)
{
    (void)state;
    static const char *const names[] = {"chatml", "smollm2", "llama3", "gemma",
                                        "gemma3", "qwen2.5", "phi3"};
    for (size_t i = 0; i < LS_COUNT(names); i++) {
        ls_chat_tokens marked, found;
        ls_chat_template *t = builtin(names[i]);
        size_t n;
        const char *text = ls_chat_template_text(t, &n);
        /* The same without marks: the tags' names spell a filter block that changes nothing. */
        ls_str plain = LS_STR_INIT;
        for (const char *at = text; *at;) {
            if (ls_starts_with(at, "endgeneration")) {
                ls_str_append(&plain, "endfilter");
                at += strlen("endgeneration");
            } else if (ls_starts_with(at, "generation %}")) {
                ls_str_append(&plain, "filter string ");
                at += strlen("generation ");
            } else {
                ls_str_append_char(&plain, *at++);
            }
        }
        ls_chat_template *bare = parse(plain.data);
        ls_chat_template_set_special(bare, "bos_token", "<s>");
        ls_chat_template_set_special(bare, "eos_token", "</s>");
        assert_false(ls_chat_template_has_generation(bare, NULL));
        ls_chat_tokens_init(&marked);
        ls_chat_tokens_init(&found);
        assert_int_equal(encode(&marked, t, TURNS, LS_CHAT_TRAIN_ASSISTANT), LEASH_OK);
        if (encode(&found, bare, TURNS, LS_CHAT_TRAIN_ASSISTANT) != LEASH_OK)
            fail_msg("%s: %s", names[i], leash_error());
        assert_int_equal(marked.n, found.n);
        assert_memory_equal(marked.mask, found.mask, (size_t)marked.n);
        assert_true(marked.n_trained > 0);
        ls_chat_tokens_release(&marked);
        ls_chat_tokens_release(&found);
        ls_chat_template_free(bare);
        ls_chat_template_free(t);
        ls_str_release(&plain);
    }
}

static void a_template_that_rewrites_earlier_turns_is_told_by_message(void **state)
{
    (void)state;
    ls_chat_template *t = parse("{% for m in messages %}<{{ m.role }}>"
                                "{{ m.content if loop.last else '...' }};{% endfor %}"
                                "{% if add_generation_prompt %}<assistant>{% endif %}");
    ls_chat_tokens tokens;
    ls_chat_tokens_init(&tokens);
    assert_int_equal(encode(&tokens, t, TURNS, LS_CHAT_TRAIN_ASSISTANT), LEASH_DATA);
    assert_non_null(strstr(leash_error(), "message 2 (assistant): the text before it is no "
                                          "beginning of the whole conversation's: at byte 6"));
    ls_chat_tokens_release(&tokens);
    ls_chat_template_free(t);
}

static void all_tokens_but_the_first_can_be_trained(void **state)
{
    (void)state;
    ls_chat_template *t = parse(PLAIN);
    ls_chat_tokens tokens;
    ls_chat_tokens_init(&tokens);
    assert_int_equal(encode(&tokens, t, TURNS, LS_CHAT_TRAIN_ALL), LEASH_OK);
    assert_int_equal(tokens.n_trained, tokens.n - 1);
    assert_int_equal(tokens.mask[0], 0);
    assert_int_equal(encode(&tokens, t, TURNS, LS_CHAT_TRAIN_NONE), LEASH_OK);
    assert_int_equal(tokens.n_trained, 0);
    assert_int_equal(tokens.n_prompt, tokens.n);
    ls_chat_tokens_release(&tokens);
    ls_chat_template_free(t);
}

static leash_status encode_pair(ls_chat_tokens *out, const char *template, const char *prompt,
                                const char *completion, bool assistant_only)
{
    ls_tokenizer *bytes;
    ls_chat_template *t = parse(template);
    json_t *a = json_loads(prompt, 0, NULL), *b = json_loads(completion, 0, NULL);
    assert_int_equal(ls_tokenizer_new(&bytes, "byte"), LEASH_OK);
    leash_status status =
        ls_chat_encode_pair(out, t, bytes, &(ls_chat_request){.messages = a}, b, assistant_only);
    ls_tokenizer_free(bytes);
    ls_chat_template_free(t);
    json_decref(a);
    json_decref(b);
    return status;
}

static void of_prompt_and_completion_the_completion_is_trained(void **state)
{
    (void)state;
    static const char prompt[] = "[{\"role\":\"user\",\"content\":\"q\"}]";
    static const char several[] = "[{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"user\","
                                  "\"content\":\"r\"},{\"role\":\"assistant\",\"content\":\"b\"}]";
    ls_chat_tokens tokens;
    ls_str text = LS_STR_INIT;
    ls_chat_tokens_init(&tokens);
    assert_int_equal(encode_pair(&tokens, PLAIN, prompt, several, false), LEASH_OK);
    trained_text(&text, &tokens);
    assert_string_equal(text.data, "a;<user>r;<assistant>b;");
    assert_int_equal(tokens.n_prompt, strlen("<user>q;<assistant>"));
    assert_int_equal(encode_pair(&tokens, PLAIN, prompt, several, true), LEASH_OK);
    trained_text(&text, &tokens);
    assert_string_equal(text.data, "a;|b;");
    assert_int_equal(tokens.n_prompt, strlen("<user>q;<assistant>"));
    assert_int_equal(encode_pair(&tokens, PLAIN "{{ messages|length }}", prompt, several, false),
                     LEASH_DATA);
    assert_non_null(strstr(leash_error(), "no beginning of those with the completion"));
    assert_int_equal(encode_pair(&tokens, PLAIN, prompt, "[]", false), LEASH_DATA);
    ls_chat_tokens_release(&tokens);
    ls_str_release(&text);
}

static void a_message_that_spells_a_special_token_can_be_refused(void **state)
{
    (void)state;
    ls_tokenizer *tokenizer;
    ls_chat_template *t = builtin("chatml");
    ls_chat_tokens tokens;
    json_t *clean = json_loads("[{\"role\":\"user\",\"content\":\"x\"}]", 0, NULL);
    json_t *second = json_loads("[{\"role\":\"user\",\"content\":\"x <|im_end|>\"}]", 0, NULL);
    assert_int_equal(ls_tokenizer_load(&tokenizer, LEASH_TEST_DATA "/tokenizer/bpe/smollm2"),
                     LEASH_OK);
    ls_chat_tokens_init(&tokens);
    ls_chat_request request = {.messages = second, .refuse_specials = true};
    assert_int_equal(ls_chat_encode(&tokens, t, tokenizer, &request, LS_CHAT_TRAIN_NONE),
                     LEASH_DATA);
    assert_string_equal(leash_error(), "message 1 spells the special token \"<|im_end|>\"");
    request.messages = clean;
    assert_int_equal(ls_chat_encode(&tokens, t, tokenizer, &request, LS_CHAT_TRAIN_NONE), LEASH_OK);
    request = (ls_chat_request){.messages = second};
    assert_int_equal(ls_chat_encode(&tokens, t, tokenizer, &request, LS_CHAT_TRAIN_NONE), LEASH_OK);
    ls_chat_tokens_release(&tokens);
    ls_tokenizer_free(tokenizer);
    ls_chat_template_free(t);
    json_decref(clean);
    json_decref(second);
}

static void traits_tell_templates_apart(void **state)
{
    (void)state;
    ls_chat_traits traits;
    ls_chat_template *t = builtin("qwen3");
    ls_chat_template_traits(&traits, t);
    assert_true(traits.has_generation && traits.takes_system && traits.takes_tools);
    assert_false(traits.is_prefix_stable || traits.keeps_reasoning);
    ls_chat_template_free(t);
    t = builtin("qwen3-training");
    ls_chat_template_traits(&traits, t);
    assert_true(traits.is_prefix_stable && traits.keeps_reasoning);
    ls_chat_template_free(t);
    t = builtin("gemma");
    ls_chat_template_traits(&traits, t);
    assert_true(traits.is_prefix_stable && traits.keeps_reasoning);
    assert_false(traits.takes_system || traits.takes_tools);
    assert_string_equal(leash_error(), "");
    ls_chat_template_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_folder_without_template_has_none),
        cmocka_unit_test(the_template_file_wins_over_the_configuration),
        cmocka_unit_test(the_legacy_file_is_read_last),
        cmocka_unit_test(tools_take_the_template_for_them),
        cmocka_unit_test(what_is_saved_is_read_again_byte_for_byte),
        cmocka_unit_test(a_wrong_name_is_told_the_nearest),
        cmocka_unit_test(every_builtin_marks_the_assistant_and_tells_what_it_is),
        cmocka_unit_test(keys_that_are_null_are_as_if_absent),
        cmocka_unit_test(kwargs_are_variables),
        cmocka_unit_test(the_last_message_can_be_continued),
        cmocka_unit_test(what_is_no_conversation_is_refused),
        cmocka_unit_test(without_marks_the_turns_are_found_by_their_beginnings),
        cmocka_unit_test(with_marks_the_spans_are_trained),
        cmocka_unit_test(marks_and_beginnings_agree_for_the_builtins),
        cmocka_unit_test(a_template_that_rewrites_earlier_turns_is_told_by_message),
        cmocka_unit_test(all_tokens_but_the_first_can_be_trained),
        cmocka_unit_test(of_prompt_and_completion_the_completion_is_trained),
        cmocka_unit_test(a_message_that_spells_a_special_token_can_be_refused),
        cmocka_unit_test(traits_tell_templates_apart),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
