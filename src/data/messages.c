/* Reading and cutting conversations. */
#include "data/messages.h"

#include <string.h>

#include "data/json_text.h"

bool ls_is_messages(const json_t *value)
{
    return json_is_array(value) &&
           (json_array_size(value) == 0 || json_is_object(json_array_get(value, 0)));
}

/* ShareGPT's names of those who speak. */
static const char *role_of(const char *name)
{
    static const char *const names[][2] = {{"human", "user"},        {"gpt", "assistant"},
                                           {"chatgpt", "assistant"}, {"bing", "assistant"},
                                           {"bard", "assistant"},    {"function_call", "assistant"},
                                           {"observation", "tool"},  {"function_response", "tool"}};
    for (size_t i = 0; i < LS_COUNT(names); i++)
        if (strcmp(name, names[i][0]) == 0)
            return names[i][1];
    return name;
}

/* Content is a text, or parts {"type": "text", "text"}; tool calls may come without. */
static leash_status check_content(const json_t *message, size_t i)
{
    const json_t *content = json_object_get(message, "content");
    if (json_is_string(content)) {
        if (strlen(json_string_value(content)) != json_string_length(content))
            return ls_fail(LEASH_DATA, "message %zu contains a NUL character", i + 1);
        return LEASH_OK;
    }
    if ((!content || json_is_null(content)) && json_object_get(message, "tool_calls"))
        return LEASH_OK;
    if (!json_is_array(content))
        return ls_fail(LEASH_DATA, "message %zu has %s as content, expected a string", i + 1,
                       content ? ls_json_kind(content) : "nothing");
    size_t k;
    json_t *part;
    json_array_foreach((json_t *)content, k, part)
    {
        const char *type = json_string_value(json_object_get(part, "type"));
        if (!type || strcmp(type, "text") != 0 || !json_is_string(json_object_get(part, "text")))
            return ls_fail(LEASH_DATA, "message %zu has a part of type \"%s\"; only text is read",
                           i + 1, type ? type : "(none)");
    }
    return LEASH_OK;
}

/* One message in the names of templates. */
static leash_status read_message(json_t *message, size_t i)
{
    if (!json_is_object(message))
        return ls_fail(LEASH_DATA, "message %zu is %s, expected {\"role\", \"content\"}", i + 1,
                       ls_json_kind(message));
    json_t *from = json_object_get(message, "from"), *value = json_object_get(message, "value");
    if (!json_object_get(message, "role") && json_is_string(from)) {
        json_object_set_new(message, "role", json_string(role_of(json_string_value(from))));
        if (value)
            json_object_set(message, "content", value);
        json_object_del(message, "from");
        json_object_del(message, "value");
    }
    const json_t *role = json_object_get(message, "role");
    if (!json_is_string(role) || json_string_length(role) == 0)
        return ls_fail(LEASH_DATA, "message %zu has no role", i + 1);
    return check_content(message, i);
}

leash_status ls_messages_read(json_t **out, const json_t *value)
{
    json_t *messages = json_deep_copy(value), *message;
    size_t i;
    leash_status status = LEASH_OK;
    if (json_array_size(messages) == 0)
        status = ls_fail(LEASH_DATA, "the list of messages is empty");
    json_array_foreach(messages, i, message) if (status == LEASH_OK) status =
        read_message(message, i);
    if (status == LEASH_OK)
        *out = messages;
    else
        json_decref(messages);
    return status;
}

json_t *ls_messages_of_text(const char *role, const char *text, size_t n)
{
    json_t *messages = json_array(), *message = json_object();
    json_object_set_new(message, "role", json_string(role));
    json_object_set_new(message, "content", json_stringn(text, n));
    json_array_append_new(messages, message);
    return messages;
}

void ls_messages_add_system(json_t *messages, const char *text)
{
    const char *role = json_string_value(json_object_get(json_array_get(messages, 0), "role"));
    if (role && (strcmp(role, "system") == 0 || strcmp(role, "developer") == 0))
        return;
    json_t *system = ls_messages_of_text("system", text, strlen(text));
    json_array_insert(messages, 0, json_array_get(system, 0));
    json_decref(system);
}

size_t ls_messages_common(const json_t *a, const json_t *b)
{
    size_t n = json_array_size(a) < json_array_size(b) ? json_array_size(a) : json_array_size(b);
    size_t i = 0;
    while (i + 1 < n && json_equal(json_array_get(a, i), json_array_get(b, i)))
        i++;
    return i;
}

json_t *ls_messages_slice(const json_t *messages, size_t begin, size_t end)
{
    json_t *slice = json_array();
    for (size_t i = begin; i < end; i++)
        json_array_append(slice, json_array_get(messages, i));
    return slice;
}

bool ls_messages_end_with(const json_t *messages, const char *role)
{
    size_t n = json_array_size(messages);
    const char *last =
        n ? json_string_value(json_object_get(json_array_get(messages, n - 1), "role")) : NULL;
    return last && strcmp(last, role) == 0;
}
