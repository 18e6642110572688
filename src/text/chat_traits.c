/* What a template does, found by rendering small conversations. */
#include <string.h>

#include "base/mem.h"
#include "text/chat_parts.h"

#define REASONING "leash-probe-of-reasoning"

/* False where the template refuses the messages. */
static bool try_render(ls_chat_text *out, const ls_chat_template *t, const char *messages,
                       const char *tools, bool add_generation_prompt)
{
    json_t *parsed = json_loads(messages, 0, NULL), *parsed_tools = NULL;
    if (tools)
        parsed_tools = json_loads(tools, 0, NULL);
    ls_chat_request request = {.messages = parsed,
                               .tools = parsed_tools,
                               .add_generation_prompt = add_generation_prompt,
                               .now = 1};
    bool is_ok = ls_chat_render(out, t, &request) == LEASH_OK;
    json_decref(parsed);
    json_decref(parsed_tools);
    return is_ok;
}

static bool begins(const ls_str *whole, const ls_str *part)
{
    return part->len <= whole->len && memcmp(part->data, whole->data, part->len) == 0;
}

#define USER(text) "{\"role\":\"user\",\"content\":\"" text "\"}"
#define ANSWER "{\"role\":\"assistant\",\"content\":\""

/* Whether the reasoning that the answer has at the end of a conversation, in one of the two ways to
 * write it, is still there when the conversation goes on; and whether the text begins alike. */
static void probe_reasoning(ls_chat_traits *out, const ls_chat_template *t, const char *ending,
                            const char *going_on, ls_chat_text *a, ls_chat_text *b)
{
    if (!try_render(a, t, ending, NULL, false) || !try_render(b, t, going_on, NULL, false)) {
        out->is_prefix_stable = false;
        return;
    }
    out->is_prefix_stable &= begins(&b->text, &a->text);
    out->keeps_reasoning &= !strstr(a->text.data, REASONING) || strstr(b->text.data, REASONING);
}

static void probe(ls_chat_traits *out, const ls_chat_template *t, ls_chat_text *a, ls_chat_text *b)
{
    static const char inline_answer[] = ANSWER "<think>\\n" REASONING "\\n</think>\\n\\nb\"}";
    static const char field_answer[] = ANSWER "b\",\"reasoning_content\":\"" REASONING "\"}";
    static const char *const answers[] = {inline_answer, field_answer};
    static const char one[] = "[" USER("a") "]";
    static const char tools[] =
        "[{\"type\":\"function\",\"function\":{\"name\":\"f\",\"description\":\"d\",\"parameters\":"
        "{\"type\":\"object\",\"properties\":{}}}}]";
    out->is_prefix_stable = out->keeps_reasoning = true;
    for (size_t i = 0; i < LS_COUNT(answers); i++) {
        ls_str ending = LS_STR_INIT, going_on = LS_STR_INIT;
        ls_str_appendf(&ending, "[" USER("a") ",%s]", answers[i]);
        ls_str_appendf(&going_on, "[" USER("a") ",%s," USER("c") "]", answers[i]);
        probe_reasoning(out, t, ending.data, going_on.data, a, b);
        out->is_prefix_stable &= try_render(a, t, one, NULL, true) && begins(&b->text, &a->text);
        ls_str_release(&ending);
        ls_str_release(&going_on);
    }
    out->takes_system =
        try_render(a, t, "[{\"role\":\"system\",\"content\":\"s\"}," USER("a") "]", NULL, false);
    out->takes_tools = try_render(a, t, one, NULL, true) && try_render(b, t, one, tools, true) &&
                       strcmp(a->text.data, b->text.data) != 0;
}

void ls_chat_template_traits(ls_chat_traits *out, const ls_chat_template *t)
{
    ls_chat_text a, b;
    *out = (ls_chat_traits){.has_generation = ls_chat_template_has_generation(t, NULL)};
    ls_chat_text_init(&a);
    ls_chat_text_init(&b);
    probe(out, t, &a, &b);
    ls_error_clear();
    ls_chat_text_release(&a);
    ls_chat_text_release(&b);
}
