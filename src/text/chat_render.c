/* Messages to text, with the preparation that transformers gives them: keys of a message that are
 * null are left out, and reasoning is found under each of its three names. */
#include <string.h>

#include "base/mem.h"
#include "text/chat_parts.h"
#include "text/jinja/ast.h"
#include "text/jinja/callable.h"

#define CONTINUE_TAG "CONTINUE_FINAL_MESSAGE_TAG "

void ls_chat_text_init(ls_chat_text *out)
{
    *out = (ls_chat_text){.text = LS_STR_INIT};
}

void ls_chat_text_release(ls_chat_text *out)
{
    ls_str_release(&out->text);
    ls_free(out->spans);
    ls_chat_text_init(out);
}

/* jansson counts references in what is const for its users. */
static json_t *shared(const json_t *json)
{
    return json_incref((json_t *)(uintptr_t)json);
}

static void alias_reasoning(json_t *message)
{
    static const char *const fields[] = {"reasoning_content", "thinking", "reasoning"};
    for (size_t i = 0; i < LS_COUNT(fields); i++) {
        json_t *reasoning = json_object_get(message, fields[i]);
        if (!reasoning)
            continue;
        json_object_set(message, "reasoning_content", reasoning);
        if (!json_object_get(message, "thinking"))
            json_object_set(message, "thinking", reasoning);
        return;
    }
}

static leash_status copy_messages(json_t *out, const json_t *messages, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        json_t *message = json_array_get(messages, i), *copy, *value;
        const char *key;
        if (!json_is_object(message) || !json_is_string(json_object_get(message, "role")))
            return ls_fail(LEASH_DATA,
                           "message %zu: expected an object with \"role\" and "
                           "\"content\"",
                           i + 1);
        copy = json_object();
        json_object_foreach(message, key, value) if (!json_is_null(value))
            json_object_set(copy, key, value);
        alias_reasoning(copy);
        json_array_append_new(out, copy);
    }
    return LEASH_OK;
}

/* Puts the tag behind the text that is to be continued: the content, or its last text block.
 * *final is that text. */
static leash_status tag_last(json_t *messages, ls_str *final)
{
    json_t *message = json_array_get(messages, json_array_size(messages) - 1), *holder = message;
    json_t *content = json_object_get(message, "content");
    const char *key = "content";
    if (json_is_array(content)) {
        json_t *blocks = json_deep_copy(content);
        json_object_set_new(message, "content", blocks);
        content = NULL;
        key = "text";
        for (size_t i = json_array_size(blocks); i-- > 0 && !content;) {
            holder = json_array_get(blocks, i);
            content = json_object_get(holder, "text");
        }
    }
    if (!json_is_string(content))
        return ls_fail(LEASH_DATA, "the last message has no text to continue");
    ls_str_append_n(final, json_string_value(content), json_string_length(content));
    ls_str_append(final, CONTINUE_TAG);
    json_object_set_new(holder, key, json_stringn(final->data, final->len));
    final->len -= strlen(CONTINUE_TAG);
    return LEASH_OK;
}

static const char *find_last(const ls_str *text, const char *part)
{
    const char *last = NULL, *at = text->data, *end = at + text->len;
    size_t n = strlen(part);
    while ((at = memmem(at, (size_t)(end - at), part, n)))
        last = at++;
    return last;
}

/* Cuts the text where the tag stands; if the template trimmed the tag's space, it would have
 * trimmed the content as well. */
static leash_status cut_at_tag(ls_str *text, const ls_str *final)
{
    static const char tag[] = CONTINUE_TAG;
    char bare[sizeof tag - 1] = {0};
    memcpy(bare, tag, sizeof tag - 2);
    const char *at = find_last(text, bare);
    ls_jtext content = ls_jstrip((ls_jtext){final->data, final->len}, NULL, true, true);
    if (!at || (content.n && !memmem(text->data, text->len, content.at, content.n)))
        return ls_fail(LEASH_DATA, "the last message cannot be continued: the template changes its "
                                   "content");
    bool is_trimmed = at[sizeof bare - 1] != ' ';
    ls_jtext kept = {text->data, (size_t)(at - text->data)};
    if (is_trimmed)
        kept = ls_jstrip(kept, NULL, false, true);
    text->len = kept.n;
    text->data[kept.n] = 0;
    return LEASH_OK;
}

static json_t *make_variables(const ls_chat_template *t, const ls_chat_request *request,
                              json_t *messages, bool add_generation_prompt)
{
    json_t *variables = json_copy(t->specials);
    if (request->kwargs) {
        json_t *kwargs = shared(request->kwargs);
        json_object_update(variables, kwargs);
        json_decref(kwargs);
    }
    json_object_set_new(variables, "messages", json_incref(messages));
    json_object_set_new(variables, "tools", request->tools ? shared(request->tools) : json_null());
    json_object_set_new(variables, "documents",
                        request->documents ? shared(request->documents) : json_null());
    json_object_set_new(variables, "add_generation_prompt", json_boolean(add_generation_prompt));
    return variables;
}

static leash_status render(ls_chat_text *out, const ls_chat_template *t,
                           const ls_chat_request *request, json_t *messages,
                           bool add_generation_prompt)
{
    const ls_chat_named *named;
    ls_jinja_output result = {.text = out->text};
    LS_TRY(ls_chat_template_choose(&named, t, request->name, request->tools != NULL));
    json_t *variables = make_variables(t, request, messages, add_generation_prompt);
    leash_status status = ls_jinja_render(
        &result, named->jinja, &(ls_jinja_input){.variables = variables, .now = request->now});
    json_decref(variables);
    out->text = result.text;
    for (int64_t i = 0; i < result.n_spans; i++) {
        if (out->n_spans == out->cap_spans) {
            out->cap_spans = result.n_spans;
            out->spans =
                ls_realloc(out->spans, ls_mul_size((size_t)out->cap_spans, sizeof *out->spans));
        }
        out->spans[out->n_spans++] = (ls_chat_span){result.spans[i].start, result.spans[i].end};
    }
    ls_free(result.spans);
    return status;
}

static leash_status render_some(ls_chat_text *out, const ls_chat_template *t,
                                const ls_chat_request *request, size_t n,
                                bool add_generation_prompt, bool continues)
{
    ls_str final = LS_STR_INIT;
    json_t *messages = json_array();
    ls_str_clear(&out->text);
    out->n_spans = 0;
    leash_status status = copy_messages(messages, request->messages, n);
    if (status == LEASH_OK && continues)
        status = tag_last(messages, &final);
    if (status == LEASH_OK)
        status = render(out, t, request, messages, add_generation_prompt);
    if (status == LEASH_OK && continues)
        status = cut_at_tag(&out->text, &final);
    /* A block whose text a macro or the cut took away may end behind the text. */
    int64_t n_bytes = (int64_t)out->text.len;
    for (int64_t i = 0; i < out->n_spans; i++) {
        out->spans[i].start = out->spans[i].start < n_bytes ? out->spans[i].start : n_bytes;
        out->spans[i].end = out->spans[i].end < n_bytes ? out->spans[i].end : n_bytes;
    }
    json_decref(messages);
    ls_str_release(&final);
    return status;
}

static leash_status check_request(const ls_chat_request *request)
{
    if (!json_is_array(request->messages) || json_array_size(request->messages) == 0)
        return ls_fail(LEASH_DATA, "the conversation is empty: expected an array of messages");
    if (request->tools && !json_is_array(request->tools))
        return ls_fail(LEASH_DATA, "tools: expected an array of JSON schemas");
    if (request->kwargs && !json_is_object(request->kwargs))
        return ls_fail(LEASH_DATA, "chat_template_kwargs: expected an object");
    if (request->add_generation_prompt && request->continue_final_message)
        return ls_fail(LEASH_USAGE, "a conversation gets a generation prompt or its last message "
                                    "is continued, not both");
    return LEASH_OK;
}

leash_status ls_chat_render(ls_chat_text *out, const ls_chat_template *t,
                            const ls_chat_request *request)
{
    LS_TRY(check_request(request));
    return render_some(out, t, request, json_array_size(request->messages),
                       request->add_generation_prompt, request->continue_final_message);
}

leash_status ls_chat_render_beginning(ls_chat_text *out, const ls_chat_template *t,
                                      const ls_chat_request *request, size_t n,
                                      bool add_generation_prompt)
{
    return render_some(out, t, request, n, add_generation_prompt, false);
}
