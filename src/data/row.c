/* The values of a row under their roles: texts, messages, labels, steps, answers. */
#include "data/row_reading.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "data/fill.h"
#include "data/json_text.h"
#include "data/messages.h"

/* --- rows --- */

void ls_row_init(ls_row *row)
{
    ls_field empty = {.text = LS_STR_INIT};
    *row = (ls_row){.prompt = empty,
                    .completion = empty,
                    .rejected = empty,
                    .answer = LS_STR_INIT,
                    .columns = LS_STR_INIT,
                    .role = LS_STR_INIT,
                    .column = LS_STR_INIT};
}

static void clear_field(ls_field *field)
{
    ls_str_clear(&field->text);
    json_decref(field->messages);
    field->messages = NULL;
}

void ls_row_clear(ls_row *row)
{
    clear_field(&row->prompt);
    clear_field(&row->completion);
    clear_field(&row->rejected);
    ls_str_clear(&row->answer);
    ls_str_clear(&row->columns);
    json_decref(row->steps);
    json_decref(row->labels);
    json_decref(row->tools);
    json_decref(row->kwargs);
    row->steps = row->labels = row->tools = row->kwargs = NULL;
    row->has_answer = row->label = false;
}

void ls_row_release(ls_row *row)
{
    ls_row_clear(row);
    ls_str_release(&row->prompt.text);
    ls_str_release(&row->completion.text);
    ls_str_release(&row->rejected.text);
    ls_str_release(&row->answer);
    ls_str_release(&row->columns);
    ls_str_release(&row->role);
    ls_str_release(&row->column);
}

static leash_status in_row(const ls_row_reading *r, leash_status status, const char *column)
{
    return ls_fail_in(status, "%s:%lld: column \"%s\"", r->file, (long long)r->record->number,
                      column);
}

/* --- values --- */

static leash_status read_string(ls_str *out, const json_t *value)
{
    if (!json_is_string(value))
        return ls_fail(LEASH_DATA, "is %s, expected a string", ls_json_kind(value));
    if (strlen(json_string_value(value)) != json_string_length(value))
        return ls_fail(LEASH_DATA, "contains a NUL character");
    ls_str_append_n(out, json_string_value(value), json_string_length(value));
    return LEASH_OK;
}

/* The texts of this file's own errors go on with the verb: "column "x" is a number". */
static leash_status fail_column(const ls_row_reading *r, leash_status status, const char *column)
{
    ls_str text = LS_STR_INIT;
    ls_str_append(&text, leash_error());
    status = ls_fail(status, "%s:%lld: column \"%s\" %s", r->file, (long long)r->record->number,
                     column, text.data);
    ls_str_release(&text);
    return status;
}

static leash_status read_field(const ls_row_reading *r, ls_field *out, const char *role)
{
    const json_t *value = ls_row_value(r, r->schema, role);
    const char *column = r->out->column.data;
    leash_status status;
    if (ls_is_messages(value)) {
        status = ls_messages_read(&out->messages, value);
        if (status != LEASH_OK)
            in_row(r, status, column);
    } else {
        status = strcmp(role, "messages") == 0
                     ? ls_fail(LEASH_DATA, "is %s, expected a list of {role, content}",
                               ls_json_kind(value))
                     : read_string(&out->text, value);
        if (status != LEASH_OK)
            fail_column(r, status, column);
    }
    return status;
}

/* The prompt: the user's pattern, the schema's, or the column. */
static leash_status read_prompt(const ls_row_reading *r)
{
    const char *pattern = r->rules->options->prompt_template;
    size_t n;
    bool is_ours = !pattern[0] && r->schema->pattern[0] &&
                   !ls_row_mapped(r->rules->columns.data, "prompt", &n);
    if (is_ours)
        pattern = r->schema->pattern;
    if (!pattern[0])
        return read_field(r, &r->out->prompt, "prompt");
    ls_str *text = &r->out->prompt.text;
    leash_status status = ls_fill(text, pattern, r->record->object);
    const json_t *input = json_object_get(r->record->object, "input");
    if (status == LEASH_OK && is_ours && strcmp(r->schema->name, "alpaca") == 0 &&
        json_string_length(input) > 0) /* the instruction is about something */
        ls_str_appendf(text, "\n%s\n", json_string_value(input));
    if (status == LEASH_OK && strlen(text->data) != text->len)
        status = ls_fail(LEASH_DATA, "the prompt contains a NUL character");
    if (status == LEASH_OK && is_ours && r->rules->options->apply_chat_template)
        while (text->len > 0 && text->data[text->len - 1] == '\n')
            text->data[--text->len] = 0; /* the chat template separates */
    return status == LEASH_OK
               ? LEASH_OK
               : ls_fail_in(status, "%s:%lld", r->file, (long long)r->record->number);
}

/* Where the texts of two answers part; not after a space, not inside of a character. */
static size_t common_text(const ls_str *a, const ls_str *b)
{
    size_t n = a->len < b->len ? a->len : b->len, i = 0;
    while (i + 1 < n && a->data[i] == b->data[i])
        i++;
    while (i > 0 && ((unsigned char)a->data[i] & 0xc0) == 0x80)
        i--;
    return i > 0 && i < n && a->data[i - 1] == ' ' ? i - 1 : i;
}

static void cut_front(ls_str *s, size_t n)
{
    memmove(s->data, s->data + n, s->len - n + 1);
    s->len -= n;
}

/* chosen and rejected are whole: their common start is the prompt. */
static leash_status split_common(const ls_row_reading *r)
{
    ls_field *prompt = &r->out->prompt, *a = &r->out->completion, *b = &r->out->rejected;
    if (!a->messages) {
        size_t n = common_text(&a->text, &b->text);
        ls_str_append_n(&prompt->text, a->text.data, n);
        if (n > 0) {
            cut_front(&a->text, n);
            cut_front(&b->text, n);
        }
        return LEASH_OK;
    }
    size_t n = ls_messages_common(a->messages, b->messages);
    if (n == 0)
        return ls_fail(LEASH_DATA,
                       "%s:%lld: \"chosen\" and \"rejected\" have no first message in common, so "
                       "there is no prompt",
                       r->file, (long long)r->record->number);
    json_t *whole_a = a->messages, *whole_b = b->messages;
    prompt->messages = ls_messages_slice(whole_a, 0, n);
    a->messages = ls_messages_slice(whole_a, n, json_array_size(whole_a));
    b->messages = ls_messages_slice(whole_b, n, json_array_size(whole_b));
    json_decref(whole_a);
    json_decref(whole_b);
    return LEASH_OK;
}

static leash_status fail_mixed(const ls_row_reading *r, const char *a, const char *b)
{
    return ls_fail(LEASH_DATA,
                   "%s:%lld: one of \"%s\" and \"%s\" is a text, the other a list of messages; "
                   "expected two of a kind",
                   r->file, (long long)r->record->number, a, b);
}

/* TRL's column for reward models; absent or null: 0. */
static leash_status read_margin(const ls_row_reading *r)
{
    const json_t *value = ls_row_value(r, r->schema, "margin");
    r->out->margin = 0;
    if (!value || json_is_null(value))
        return LEASH_OK;
    if (!json_is_number(value) || !(fabs(json_number_value(value)) <= 1e6))
        return ls_fail(LEASH_DATA, "%s:%lld: column \"%s\" is %s, expected a number within +-1e6",
                       r->file, (long long)r->record->number, r->out->column.data,
                       json_is_number(value) ? "out of range" : ls_json_kind(value));
    r->out->margin = json_number_value(value);
    return LEASH_OK;
}

static leash_status read_pair(const ls_row_reading *r)
{
    ls_row *row = r->out;
    LS_TRY(read_margin(r));
    bool has_prompt = strstr(r->schema->needs, "prompt") != NULL;
    LS_TRY(read_field(r, &row->completion, "chosen"));
    LS_TRY(read_field(r, &row->rejected, "rejected"));
    if (!row->completion.messages != !row->rejected.messages)
        return fail_mixed(r, "chosen", "rejected");
    if (!has_prompt)
        return split_common(r);
    LS_TRY(read_prompt(r));
    if (!row->prompt.messages == !row->completion.messages)
        return LEASH_OK;
    if (row->prompt.messages)
        return fail_mixed(r, "prompt", "chosen");
    /* A text beside whole conversations repeats their first question. */
    ls_str_clear(&row->prompt.text);
    return split_common(r);
}

static leash_status read_label(const ls_row_reading *r)
{
    const json_t *value = ls_row_value(r, r->schema, "label");
    const char *text = json_string_value(value);
    leash_status status = LEASH_OK;
    double number = json_is_number(value) ? json_number_value(value) : -1;
    if (json_is_boolean(value) || number == 0 || number == 1)
        r->out->label = json_is_true(value) || number == 1;
    else if (text && (strcasecmp(text, "true") == 0 || strcmp(text, "1") == 0))
        r->out->label = true;
    else if (!text || (strcasecmp(text, "false") != 0 && strcmp(text, "0") != 0))
        status = ls_fail(LEASH_DATA, "%s:%lld: column \"%s\" is %s, expected true or false",
                         r->file, (long long)r->record->number, r->out->column.data,
                         text ? "another text" : ls_json_kind(value));
    return status;
}

static leash_status fail_steps(const ls_row_reading *r, const char *what)
{
    return ls_fail(LEASH_DATA, "%s:%lld: %s", r->file, (long long)r->record->number, what);
}

static leash_status read_steps(const ls_row_reading *r)
{
    ls_row *row = r->out;
    LS_TRY(read_prompt(r));
    row->steps = json_incref((json_t *)ls_row_value(r, r->schema, "completions"));
    row->labels = json_incref((json_t *)ls_row_value(r, r->schema, "labels"));
    if (row->prompt.messages)
        return fail_steps(r, "steps need a prompt that is a text");
    size_t n = json_array_size(row->steps), i;
    if (!json_is_array(row->steps) || !json_is_array(row->labels) || n == 0 ||
        n != json_array_size(row->labels))
        return fail_steps(r, "\"completions\" and \"labels\" must be lists of one length, with at "
                             "least one step");
    for (i = 0; i < n; i++) {
        const json_t *step = json_array_get(row->steps, i), *label = json_array_get(row->labels, i);
        double value = json_number_value(label);
        if (!json_is_string(step) || strlen(json_string_value(step)) != json_string_length(step))
            return fail_steps(r, "\"completions\" must be a list of texts without NUL characters");
        if (!json_is_boolean(label) && !(json_is_number(label) && (value == 0 || value == 1)))
            return fail_steps(r, "\"labels\" must be a list of true and false");
    }
    return LEASH_OK;
}

/* What follows the last #### of a worked solution, when it has one. */
static void keep_final_answer(ls_str *answer)
{
    char *mark = NULL;
    for (char *p = answer->data; (p = strstr(p, "####")); p += 4)
        mark = p;
    if (!mark)
        return;
    cut_front(answer, (size_t)(mark - answer->data) + 4);
    size_t blanks = strspn(answer->data, " \t\n");
    cut_front(answer, blanks);
    while (answer->len > 0 && strchr(" \t\n", answer->data[answer->len - 1]))
        answer->data[--answer->len] = 0;
}

/* The gold answer: role answer, else the columns ground_truth and solution. */
static leash_status read_answer(const ls_row_reading *r)
{
    static const char *const names[] = {"answer", "ground_truth", "solution"};
    ls_row *row = r->out;
    const json_t *value = NULL;
    for (size_t i = 0; i < LS_COUNT(names) && !value; i++)
        value = ls_row_value(r, r->schema, names[i]);
    const char *column = row->column.data;
    leash_status status = LEASH_OK;
    row->has_answer = value != NULL;
    bool is_top = value && value == json_object_get(r->record->object, column);
    if (json_is_string(value)) {
        status = read_string(&row->answer, value);
        if (status != LEASH_OK)
            fail_column(r, status, column);
    } else if (json_is_number(value) && is_top && r->record->text) {
        ls_json_member_text(r->record->object, r->record->text, column, &row->answer);
    } else if (value && !ls_append_scalar(&row->answer, value)) {
        status = ls_fail(LEASH_DATA, "%s:%lld: column \"%s\" is %s, expected a string or a number",
                         r->file, (long long)r->record->number, column, ls_json_kind(value));
    }
    if (strcmp(r->schema->name, "gsm8k") == 0)
        keep_final_answer(&row->answer);
    return status;
}

/* tools may be a list or its JSON text; chat_template_kwargs an object. */
static leash_status read_extras(const ls_row_reading *r)
{
    ls_row *row = r->out;
    const json_t *tools = ls_row_value(r, r->schema, "tools");
    const json_t *kwargs = ls_row_value(r, r->schema, "chat_template_kwargs");
    if (json_is_string(tools) && json_string_length(tools) > 0)
        row->tools = json_loads(json_string_value(tools), 0, NULL);
    else if (json_is_array(tools) && json_array_size(tools) > 0)
        row->tools = json_incref((json_t *)tools);
    if (tools && row->tools ? !json_is_array(row->tools)
                            : json_is_string(tools) && json_string_length(tools) > 0)
        return fail_steps(r, "\"tools\" is neither a list nor the JSON text of one");
    if (json_is_object(kwargs))
        row->kwargs = json_incref((json_t *)kwargs);
    return LEASH_OK;
}

static leash_status read_for_rollouts(const ls_row_reading *r)
{
    ls_row *row = r->out;
    row->kind = LS_ROW_PROMPT;
    LS_TRY(read_prompt(r));
    const json_t *completion = json_object_get(r->record->object, "completion");
    if (json_is_string(completion))
        return read_field(r, &row->completion, "completion");
    return LEASH_OK;
}

static leash_status read_kind(const ls_row_reading *r)
{
    ls_row *row = r->out;
    const char *text =
        ls_row_has_role(r, r->schema, "messages") && strstr(r->schema->needs, "messages")
            ? "messages"
            : "text";
    row->kind = r->schema->kind;
    row->text_column = "completion";
    if (r->rules->use == LS_DATA_PROMPTS)
        return read_for_rollouts(r);
    switch (row->kind) {
    case LS_ROW_TEXT: row->text_column = text; return read_field(r, &row->completion, text);
    case LS_ROW_PAIR: row->text_column = "chosen"; return read_pair(r);
    case LS_ROW_STEPS: return read_steps(r);
    case LS_ROW_PROMPT: return read_for_rollouts(r);
    case LS_ROW_LABELLED: LS_TRY(read_label(r)); break;
    case LS_ROW_COMPLETION: break;
    }
    LS_TRY(read_prompt(r));
    LS_TRY(read_field(r, &row->completion, "completion"));
    if (!row->prompt.messages == !row->completion.messages)
        return LEASH_OK;
    return fail_mixed(r, "prompt", "completion");
}

/* --- conversations --- */

static void text_to_messages(ls_field *field, const char *role)
{
    if (field->messages)
        return;
    field->messages = ls_messages_of_text(role, field->text.data, field->text.len);
    ls_str_clear(&field->text);
}

/* apply_chat_template and system_prompt. */
static leash_status make_conversation(const ls_row_reading *r)
{
    const ls_data_options *o = r->rules->options;
    ls_row *row = r->out;
    bool is_text = row->kind == LS_ROW_TEXT;
    if (o->apply_chat_template && row->kind != LS_ROW_STEPS) {
        if (is_text && !row->completion.messages)
            return fail_steps(r, "apply_chat_template makes messages of prompts and completions; a "
                                 "\"text\" row has neither");
        if (!is_text)
            text_to_messages(&row->prompt, "user");
        if (row->kind == LS_ROW_COMPLETION || row->kind == LS_ROW_LABELLED ||
            row->kind == LS_ROW_PAIR)
            text_to_messages(&row->completion, "assistant");
        if (row->kind == LS_ROW_PAIR)
            text_to_messages(&row->rejected, "assistant");
    }
    if (!o->system_prompt[0])
        return LEASH_OK;
    json_t *first = is_text ? row->completion.messages : row->prompt.messages;
    if (!first)
        return fail_steps(r, "system_prompt belongs to conversations, and the row is plain text; "
                             "set apply_chat_template, or write the text into prompt_template");
    ls_messages_add_system(first, o->system_prompt);
    return LEASH_OK;
}

static void copy_columns(const ls_row_reading *r)
{
    ls_str *out = &r->out->columns;
    if (r->record->text) {
        ls_str_append_n(out, r->record->text, r->record->n);
        return;
    }
    char *text = json_dumps(r->record->object, 0);
    if (text)
        ls_str_append(out, text);
    free(text); /* jansson's */
}

leash_status ls_row_read(ls_row *out, const ls_row_rules *rules, const ls_record *record,
                         const char *file)
{
    ls_row_reading r = {.out = out, .rules = rules, .record = record, .file = file};
    ls_row_clear(out);
    out->file = file;
    out->line = record->number;
    LS_TRY(ls_row_choose_schema(&r));
    LS_TRY(read_kind(&r));
    LS_TRY(read_answer(&r));
    LS_TRY(read_extras(&r));
    if (out->kind == LS_ROW_PROMPT)
        copy_columns(&r);
    return make_conversation(&r);
}
