/* Renderings, ids and masks of chat templates, equal to those of transformers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/mem.h"
#include "template_goldens.h"
#include "text/chat_template.h"

static ls_chat_template *open_template(const char *name)
{
    char path[LS_PATH_MAX];
    ls_chat_template *t = NULL;
    const char *short_name = strchr(name, '/') + 1;
    snprintf(path, sizeof path, GOLDEN_TEMPLATES "%s.jinja", name);
    leash_status status = ls_starts_with(name, "templates/")
                              ? ls_chat_template_builtin(&t, short_name)
                              : ls_chat_template_open(&t, path);
    if (status != LEASH_OK)
        fail_msg("%s", leash_error());
    ls_chat_template_set_special(t, "bos_token", "<s>");
    ls_chat_template_set_special(t, "eos_token", "</s>");
    ls_chat_template_set_special(t, "pad_token", "<pad>");
    ls_chat_template_set_special(t, "unk_token", "<unk>");
    return t;
}

static ls_chat_request request_of(const json_t *c)
{
    return (ls_chat_request){
        .messages = json_object_get(c, "messages"),
        .tools = json_object_get(c, "tools"),
        .kwargs = json_object_get(c, "kwargs"),
        .add_generation_prompt = json_is_true(json_object_get(c, "add_generation_prompt")),
        .continue_final_message = json_is_true(json_object_get(c, "continue_final_message")),
        .now = 1700000000};
}

static void check_rendering(const ls_chat_template *t, const char *name, size_t i,
                            const json_t *conversation, const char *hash)
{
    ls_chat_text out;
    char found[17] = "-";
    ls_chat_request request = request_of(conversation);
    ls_chat_text_init(&out);
    if (ls_chat_render(&out, t, &request) == LEASH_OK) {
        for (int64_t k = 0; k < out.n_spans && !request.continue_final_message; k++)
            ls_str_appendf(&out.text, "|%lld,%lld", (long long)out.spans[k].start,
                           (long long)out.spans[k].end);
        snprintf(found, sizeof found, "%016llx",
                 (unsigned long long)golden_hash(out.text.data, out.text.len));
    }
    if (strncmp(found, hash, strlen(found)) != 0)
        fail_msg("%s, conversation %zu: expected %.16s, found %s: %s", name, i, hash, found,
                 found[0] == '-' ? leash_error() : out.text.data);
    ls_chat_text_release(&out);
}

static void every_rendering_is_that_of_transformers(void **state)
{
    (void)state;
    json_t *rows = golden_lines(GOLDEN_TEMPLATES "conversations.jsonl");
    ls_str text = golden_text(GOLDEN_TEMPLATES "renderings.txt");
    size_t n = 0;
    for (char *line = text.data, *end; *line && (end = strchr(line, '\n')); line = end + 1) {
        *end = 0;
        char *at = strchr(line, ' ');
        *at++ = 0;
        ls_chat_template *t = open_template(line);
        for (size_t i = 0; i < json_array_size(rows); i++, n++) {
            check_rendering(t, line, i, json_array_get(rows, i), at);
            at += strcspn(at, " ");
            at += *at == ' ';
        }
        ls_chat_template_free(t);
    }
    assert_true(n >= 30 * 240);
    ls_str_release(&text);
    json_decref(rows);
}

static void renderings_in_full_are_those_of_transformers(void **state)
{
    (void)state;
    json_t *rows = golden_lines(GOLDEN_TEMPLATES "conversations.jsonl");
    json_t *texts = golden_lines(GOLDEN_TEMPLATES "texts.jsonl"), *row;
    size_t i;
    json_array_foreach(texts, i, row)
    {
        ls_chat_text out;
        ls_chat_template *t = open_template(json_string_value(json_object_get(row, "template")));
        size_t which = (size_t)json_integer_value(json_object_get(row, "conversation"));
        ls_chat_request request = request_of(json_array_get(rows, which));
        ls_chat_text_init(&out);
        assert_int_equal(ls_chat_render(&out, t, &request), LEASH_OK);
        assert_string_equal(out.text.data, json_string_value(json_object_get(row, "text")));
        ls_chat_text_release(&out);
        ls_chat_template_free(t);
    }
    assert_true(i > 20);
    json_decref(texts);
    json_decref(rows);
}

static void builtins_write_what_published_templates_write(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"llama3", "llama3"},   {"llama3.1", "llama3_1"}, {"llama3.2", "llama3_2"},
        {"gemma", "gemma"},     {"gemma3", "gemma3"},     {"phi3", "phi3"},
        {"qwen2.5", "qwen2_5"}, {"qwen3", "qwen3"},       {"qwen3-training", "qwen3_training"}};
    json_t *rows = golden_lines(GOLDEN_TEMPLATES "conversations.jsonl");
    for (size_t p = 0; p < LS_COUNT(pairs); p++) {
        char name[2][64];
        snprintf(name[0], sizeof name[0], "templates/%s", pairs[p][0]);
        snprintf(name[1], sizeof name[1], "published/%s", pairs[p][1]);
        ls_chat_template *t[2] = {open_template(name[0]), open_template(name[1])};
        for (size_t i = 0; i < json_array_size(rows); i++) {
            ls_chat_text out[2];
            leash_status status[2];
            ls_chat_request request = request_of(json_array_get(rows, i));
            for (int k = 0; k < 2; k++) {
                ls_chat_text_init(&out[k]);
                status[k] = ls_chat_render(&out[k], t[k], &request);
            }
            if (status[0] != status[1])
                fail_msg("%s, conversation %zu: one of both fails: %s", name[0], i, leash_error());
            if (status[0] == LEASH_OK)
                assert_string_equal(out[0].text.data, out[1].text.data);
            ls_chat_text_release(&out[0]);
            ls_chat_text_release(&out[1]);
        }
        ls_chat_template_free(t[0]);
        ls_chat_template_free(t[1]);
    }
    json_decref(rows);
}

static ls_tokenizer *open_tokenizer(const char *name)
{
    char path[LS_PATH_MAX];
    ls_tokenizer *t = NULL;
    snprintf(path, sizeof path, LEASH_TEST_DATA "/tokenizer/bpe/%s", name);
    if (ls_tokenizer_load(&t, path) != LEASH_OK)
        fail_msg("%s", leash_error());
    return t;
}

static void check_tokens(const ls_chat_tokens *tokens, const json_t *row)
{
    const json_t *changes = json_object_get(row, "changes");
    ls_str ids = LS_STR_INIT;
    char hash[17];
    size_t n_changes = 0;
    assert_int_equal(tokens->n, json_integer_value(json_object_get(row, "n")));
    for (int64_t k = 0; k < tokens->n; k++) {
        ls_str_appendf(&ids, "%s%d", k ? "," : "", (int)tokens->ids[k]);
        if (tokens->mask[k] == (k ? tokens->mask[k - 1] : 0))
            continue;
        assert_int_equal(k, json_integer_value(json_array_get(changes, n_changes)));
        n_changes++;
    }
    assert_int_equal(n_changes, json_array_size(changes));
    snprintf(hash, sizeof hash, "%016llx", (unsigned long long)golden_hash(ids.data, ids.len));
    assert_string_equal(hash, json_string_value(json_object_get(row, "ids")));
    ls_str_release(&ids);
}

static void ids_and_masks_are_those_of_transformers(void **state)
{
    (void)state;
    json_t *rows = golden_lines(GOLDEN_TEMPLATES "conversations.jsonl");
    json_t *masks = golden_lines(GOLDEN_TEMPLATES "masks.jsonl"), *row;
    size_t i;
    json_array_foreach(masks, i, row)
    {
        char name[64];
        ls_chat_tokens out;
        snprintf(name, sizeof name, "templates/%s",
                 json_string_value(json_object_get(row, "template")));
        ls_chat_template *t = open_template(name);
        ls_tokenizer *tokenizer =
            open_tokenizer(json_string_value(json_object_get(row, "tokenizer")));
        size_t which = (size_t)json_integer_value(json_object_get(row, "conversation"));
        ls_chat_request request = request_of(json_array_get(rows, which));
        ls_chat_tokens_init(&out);
        if (ls_chat_encode(&out, t, tokenizer, &request, LS_CHAT_TRAIN_ASSISTANT) != LEASH_OK)
            fail_msg("%s, conversation %zu: %s", name, which, leash_error());
        check_tokens(&out, row);
        ls_chat_tokens_release(&out);
        ls_tokenizer_free(tokenizer);
        ls_chat_template_free(t);
    }
    assert_true(i > 200);
    json_decref(masks);
    json_decref(rows);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_rendering_is_that_of_transformers),
        cmocka_unit_test(renderings_in_full_are_those_of_transformers),
        cmocka_unit_test(builtins_write_what_published_templates_write),
        cmocka_unit_test(ids_and_masks_are_those_of_transformers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
