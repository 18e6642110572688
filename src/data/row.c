/* The schemas of a JSONL row.  Which one a row follows is decided by its columns: `completion`
 * makes it prompt-completion, `text` a text row; both at once would be a guess, so they are an
 * error. */
#include "data/row.h"

#include <string.h>

typedef struct reading {
    const ls_jsonl_row *line;
    const char *name;
} reading;

void ls_row_init(ls_row *row)
{
    *row = (ls_row){.prompt = LS_STR_INIT,
                    .completion = LS_STR_INIT,
                    .answer = LS_STR_INIT,
                    .columns = LS_STR_INIT};
}

void ls_row_release(ls_row *row)
{
    ls_str_release(&row->prompt);
    ls_str_release(&row->completion);
    ls_str_release(&row->answer);
    ls_str_release(&row->columns);
}

static leash_status fail_missing(const reading *r, const char *key, const char *expected)
{
    ls_str found = LS_STR_INIT;
    const char *name;
    json_t *value;
    json_object_foreach(r->line->object, name, value)
        ls_str_appendf(&found, "%s\"%s\"", found.len ? ", " : "", name);
    leash_status status =
        ls_fail(LEASH_DATA, "%s:%lld: there is no column \"%s\"; expected %s, found %s", r->name,
                (long long)r->line->line, key, expected, found.len ? found.data : "no columns");
    ls_str_release(&found);
    return status;
}

static leash_status read_text(ls_str *out, const reading *r, const char *key)
{
    const json_t *value = json_object_get(r->line->object, key);
    if (!json_is_string(value))
        return ls_fail(LEASH_DATA, "%s:%lld: column \"%s\" is %s, expected a string%s", r->name,
                       (long long)r->line->line, key, ls_json_kind(value),
                       json_is_array(value) ? " (write lists of messages out as text first)" : "");
    if (strlen(json_string_value(value)) != json_string_length(value))
        return ls_fail(LEASH_DATA, "%s:%lld: column \"%s\" contains a NUL character", r->name,
                       (long long)r->line->line, key);
    ls_str_append_n(out, json_string_value(value), json_string_length(value));
    return LEASH_OK;
}

static leash_status read_answer(ls_row *out, const reading *r)
{
    const json_t *value = json_object_get(r->line->object, "answer");
    if (!value || json_is_null(value))
        return LEASH_OK;
    out->has_answer = true;
    if (json_is_number(value) || json_is_boolean(value)) {
        ls_jsonl_member_text(r->line, "answer", &out->answer);
        return LEASH_OK;
    }
    if (!json_is_string(value))
        return ls_fail(LEASH_DATA,
                       "%s:%lld: column \"answer\" is %s, expected a string or a number", r->name,
                       (long long)r->line->line, ls_json_kind(value));
    return read_text(&out->answer, r, "answer");
}

static leash_status read_for_training(ls_row *out, const reading *r)
{
    static const char expected[] = "{\"prompt\", \"completion\"} or {\"text\"}";
    bool has_text = json_object_get(r->line->object, "text");
    bool has_completion = json_object_get(r->line->object, "completion");
    bool has_prompt = json_object_get(r->line->object, "prompt");
    if (has_text && has_completion)
        return ls_fail(LEASH_DATA,
                       "%s:%lld: the row has both \"text\" and \"completion\"; expected %s",
                       r->name, (long long)r->line->line, expected);
    if (has_text) {
        out->is_text = true;
        return read_text(&out->completion, r, "text");
    }
    if (!has_completion)
        return fail_missing(r, has_prompt ? "completion" : "text", expected);
    if (!has_prompt)
        return fail_missing(r, "prompt", expected);
    LS_TRY(read_text(&out->prompt, r, "prompt"));
    return read_text(&out->completion, r, "completion");
}

static leash_status read_for_rollouts(ls_row *out, const reading *r)
{
    if (!json_object_get(r->line->object, "prompt"))
        return fail_missing(r, "prompt", "{\"prompt\"} with \"answer\" and what else rewards need");
    LS_TRY(read_text(&out->prompt, r, "prompt"));
    if (json_is_string(json_object_get(r->line->object, "completion")))
        return read_text(&out->completion, r, "completion");
    return LEASH_OK;
}

leash_status ls_row_read(ls_row *out, const ls_jsonl_row *line, const char *name, bool prompts_only)
{
    reading r = {line, name};
    ls_str_clear(&out->prompt);
    ls_str_clear(&out->completion);
    ls_str_clear(&out->answer);
    ls_str_clear(&out->columns);
    out->is_text = out->has_answer = false;
    out->line = line->line;
    ls_str_append_n(&out->columns, line->text, line->n);
    LS_TRY(prompts_only ? read_for_rollouts(out, &r) : read_for_training(out, &r));
    return read_answer(out, &r);
}
