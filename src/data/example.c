/* Tokens, masks and lengths.
 *
 * Prompt and completion are tokenised apart, so no token spans their border and a sampled
 * completion continues the very ids that were trained on.  (A chat template ends the prompt with
 * its own tokens; the whole is tokenised at once there, and checked.)  Token 0 is never a target,
 * since nothing predicts it.  Masks come from counts of tokens, never from ids: eos is trained like
 * any other token.  A row without a trained token is an error, as training on it would look like it
 * works. */
#include "data/example.h"

#include <string.h>

#include "data/fill.h"
#include "data/messages.h"

enum { TRUNCATION_ERROR, TRUNCATION_KEEP_START, TRUNCATION_DROP };
enum { LOSS_AUTO, LOSS_COMPLETION, LOSS_ALL };

/* Index of `value` in a list that ends with NULL, -1 when it is not there. */
static int find_choice(const char *value, const char *const *choices)
{
    for (int i = 0; choices[i]; i++)
        if (strcmp(value, choices[i]) == 0)
            return i;
    return -1;
}

static leash_status check_options(ls_maker *m, const ls_data_options *o)
{
    static const char *const truncations[] = {"error", "keep_start", "drop", NULL};
    static const char *const losses[] = {"auto", "true", "false", NULL};
    m->truncation = find_choice(o->truncation, truncations);
    m->loss_on = find_choice(o->completion_only_loss, losses);
    if (m->truncation < 0)
        return ls_fail(LEASH_USAGE, "truncation is \"%s\", expected error, keep_start or drop",
                       o->truncation);
    if (m->loss_on < 0)
        return ls_fail(LEASH_USAGE, "completion_only_loss is \"%s\", expected auto, true or false",
                       o->completion_only_loss);
    if (o->max_length < 2 || o->max_length > INT32_MAX)
        return ls_fail(LEASH_USAGE, "max_length is %lld, expected at least 2",
                       (long long)o->max_length);
    return LEASH_OK;
}

leash_status ls_maker_init(ls_maker *m, const ls_dataset_input *input)
{
    *m = (ls_maker){.input = input, .separator = LS_STR_INIT};
    for (int i = 0; i < 2; i++) {
        ls_chat_tokens_init(&m->sequences[i].chat);
        ls_str_init(&m->sequences[i].prompt);
        ls_str_init(&m->sequences[i].completion);
    }
    ls_unescape(&m->separator, input->options->step_separator);
    return check_options(m, input->options);
}

void ls_maker_release(ls_maker *m)
{
    for (int i = 0; i < 2; i++) {
        ls_chat_tokens_release(&m->sequences[i].chat);
        ls_str_release(&m->sequences[i].prompt);
        ls_str_release(&m->sequences[i].completion);
    }
    ls_str_release(&m->separator);
    ls_free(m->step_end);
    ls_free(m->step_label);
}

/* --- texts --- */

static leash_status encode(ls_maker *m, ls_tokens *t, const ls_row *row, const char *text, size_t n,
                           const char *column)
{
    ls_chat_tokens *c = &t->chat;
    /* Ids alone grow here; the mask is given its room when it is written. */
    leash_status status =
        ls_tokenizer_encode(m->input->tokenizer, text, n, &c->ids, &c->n, &c->cap);
    if (status != LEASH_OK)
        return ls_fail_in(status, "%s:%lld: column \"%s\"", row->file, (long long)row->line,
                          column);
    return LEASH_OK;
}

static void push(ls_tokens *t, int32_t id)
{
    ls_chat_tokens *c = &t->chat;
    if (c->n == c->cap) {
        c->cap = c->cap ? c->cap * 2 : 256;
        c->ids = ls_realloc(c->ids, ls_mul_size((size_t)c->cap, sizeof *c->ids));
    }
    c->ids[c->n++] = id;
}

/* Masks every token from `first` on. */
static void mask_from(ls_tokens *t, int64_t first, bool is_trained)
{
    ls_chat_tokens *c = &t->chat;
    if (t->cap_mask < c->cap) {
        t->cap_mask = c->cap;
        c->mask = ls_realloc(c->mask, (size_t)c->cap);
    }
    for (int64_t i = 0; i < c->n; i++)
        c->mask[i] = is_trained && i > 0 && i >= first;
}

static void set_text(ls_str *out, const ls_str *text)
{
    ls_str_clear(out);
    ls_str_append_n(out, text->data, text->len);
}

/* bos and the prompt. */
static leash_status encode_prompt(ls_maker *m, ls_tokens *t, const ls_row *row)
{
    t->chat.n = 0;
    if (ls_tokenizer_bos(m->input->tokenizer) >= 0)
        push(t, ls_tokenizer_bos(m->input->tokenizer));
    LS_TRY(encode(m, t, row, row->prompt.text.data, row->prompt.text.len, "prompt"));
    t->chat.n_prompt = t->chat.n;
    set_text(&t->prompt, &row->prompt.text);
    return LEASH_OK;
}

/* Whether the tokens before the completion are trained too. */
static bool trains_all(const ls_maker *m, const ls_row *row)
{
    return row->kind == LS_ROW_TEXT || (row->kind == LS_ROW_COMPLETION && m->loss_on == LOSS_ALL);
}

static leash_status make_text(ls_maker *m, ls_tokens *t, const ls_row *row, const ls_field *field,
                              const char *column)
{
    LS_TRY(encode_prompt(m, t, row));
    set_text(&t->completion, &field->text);
    if (row->kind != LS_ROW_PROMPT) {
        LS_TRY(encode(m, t, row, field->text.data, field->text.len, column));
        push(t, ls_tokenizer_eos(m->input->tokenizer));
    }
    mask_from(t, trains_all(m, row) ? 0 : t->chat.n_prompt, row->kind != LS_ROW_PROMPT);
    return LEASH_OK;
}

/* --- conversations --- */

/* What the model reads, as text: for people, logs and rewards. */
static void decode_texts(const ls_maker *m, ls_tokens *t)
{
    const ls_chat_tokens *c = &t->chat;
    ls_str_clear(&t->prompt);
    ls_str_clear(&t->completion);
    ls_tokenizer_decode(m->input->tokenizer, c->ids, c->n_prompt, true, &t->prompt);
    ls_tokenizer_decode(m->input->tokenizer, c->ids + c->n_prompt, c->n - c->n_prompt, true,
                        &t->completion);
}

static leash_status encode_conversation(ls_maker *m, ls_tokens *t, const ls_row *row,
                                        const ls_field *field)
{
    bool is_assistant_only = m->input->options->assistant_only_loss;
    ls_chat_request request = {
        .messages = row->prompt.messages, .tools = row->tools, .kwargs = row->kwargs};
    if (row->kind == LS_ROW_TEXT) {
        request.messages = row->completion.messages;
        return ls_chat_encode(&t->chat, m->input->chat, m->input->tokenizer, &request,
                              is_assistant_only ? LS_CHAT_TRAIN_ASSISTANT : LS_CHAT_TRAIN_ALL);
    }
    if (row->kind == LS_ROW_PROMPT) {
        request.continue_final_message = ls_messages_end_with(row->prompt.messages, "assistant");
        request.add_generation_prompt = !request.continue_final_message;
        return ls_chat_encode(&t->chat, m->input->chat, m->input->tokenizer, &request,
                              LS_CHAT_TRAIN_NONE);
    }
    return ls_chat_encode_pair(&t->chat, m->input->chat, m->input->tokenizer, &request,
                               field->messages, is_assistant_only);
}

static leash_status make_conversation(ls_maker *m, ls_tokens *t, const ls_row *row,
                                      const ls_field *field)
{
    if (!m->input->chat)
        return ls_fail(LEASH_DATA,
                       "%s:%lld: the row is a conversation and the model has no chat template; "
                       "name one with chat_template (chatml, or a file)",
                       row->file, (long long)row->line);
    leash_status status = encode_conversation(m, t, row, field);
    if (status != LEASH_OK)
        return ls_fail_in(status, "%s:%lld", row->file, (long long)row->line);
    if (row->kind == LS_ROW_TEXT)
        t->chat.n_prompt = 0;
    else if (row->kind == LS_ROW_PROMPT)
        t->chat.n_prompt = t->chat.n;
    if (row->kind == LS_ROW_COMPLETION && m->loss_on == LOSS_ALL)
        mask_from(t, 0, true);
    decode_texts(m, t);
    if (row->kind == LS_ROW_PROMPT)
        set_text(&t->completion, &row->completion.text);
    return LEASH_OK;
}

/* --- steps --- */

static void end_step(ls_maker *m, int64_t i, int64_t end, bool label)
{
    if (i == m->cap_steps) {
        m->cap_steps = m->cap_steps ? 2 * m->cap_steps : 16;
        m->step_end =
            ls_realloc(m->step_end, ls_mul_size((size_t)m->cap_steps, sizeof *m->step_end));
        m->step_label = ls_realloc(m->step_label, (size_t)m->cap_steps);
    }
    m->step_end[i] = (int32_t)end;
    m->step_label[i] = label;
}

/* Each step and the separator behind it are tokenised by themselves; the last token of the
 * separator carries the step's label. */
static leash_status make_steps(ls_maker *m, ls_tokens *t, const ls_row *row)
{
    size_t n = json_array_size(row->steps);
    LS_TRY(encode_prompt(m, t, row));
    ls_str_clear(&t->completion);
    for (size_t i = 0; i < n; i++) {
        const json_t *step = json_array_get(row->steps, i), *label = json_array_get(row->labels, i);
        LS_TRY(encode(m, t, row, json_string_value(step), json_string_length(step), "completions"));
        LS_TRY(encode(m, t, row, m->separator.data, m->separator.len, "step_separator"));
        if (t->chat.n == t->chat.n_prompt)
            return ls_fail(LEASH_DATA, "%s:%lld: step %zu is empty", row->file,
                           (long long)row->line, i + 1);
        end_step(m, (int64_t)i, t->chat.n - 1,
                 json_is_true(label) || json_number_value(label) == 1);
        ls_str_append_n(&t->completion, json_string_value(step), json_string_length(step));
        ls_str_append_n(&t->completion, m->separator.data, m->separator.len);
    }
    mask_from(t, 0, false);
    for (size_t i = 0; i < n; i++)
        t->chat.mask[m->step_end[i]] = m->step_end[i] > 0;
    return LEASH_OK;
}

/* --- lengths --- */

/* Applies max_length: cuts ids, or sets *is_dropped. */
static leash_status limit_length(const ls_maker *m, ls_tokens *t, const ls_row *row,
                                 bool *is_dropped)
{
    bool is_prompt = row->kind == LS_ROW_PROMPT;
    long long line = row->line, n = t->chat.n, most = m->input->options->max_length;
    t->is_truncated = false;
    if (is_prompt && n == 0)
        return ls_fail(LEASH_DATA, "%s:%lld: the prompt is empty", row->file, line);
    if (n + is_prompt <= most)
        return LEASH_OK;
    if (m->truncation == TRUNCATION_DROP) {
        *is_dropped = true;
        return LEASH_OK;
    }
    if (is_prompt)
        return ls_fail(LEASH_DATA,
                       "%s:%lld: the prompt has %lld tokens and leaves no room for a completion in "
                       "max_length = %lld; prompts are never cut: raise max_length, or set "
                       "truncation to drop",
                       row->file, line, n, most);
    if (m->truncation == TRUNCATION_ERROR)
        return ls_fail(LEASH_DATA,
                       "%s:%lld: the row has %lld tokens, max_length is %lld; raise max_length, or "
                       "set truncation to keep_start or drop",
                       row->file, line, n, most);
    t->chat.n = most;
    t->is_truncated = true;
    return LEASH_OK;
}

static leash_status check_trained(const ls_maker *m, const ls_tokens *t, const ls_row *row)
{
    if (row->kind == LS_ROW_PROMPT)
        return LEASH_OK;
    for (int64_t i = 0; i < t->chat.n; i++)
        if (t->chat.mask[i])
            return LEASH_OK;
    if (t->is_truncated && t->chat.n_prompt >= t->chat.n)
        return ls_fail(LEASH_DATA,
                       "%s:%lld: no token of the row is trained: the prompt alone has %lld tokens, "
                       "max_length is %lld; raise max_length, or set truncation to drop",
                       row->file, (long long)row->line, (long long)t->chat.n_prompt,
                       (long long)m->input->options->max_length);
    if (t->chat.n > 1)
        return ls_fail(LEASH_DATA, "%s:%lld: no token of the row is trained: %s", row->file,
                       (long long)row->line,
                       t->is_truncated ? "what is trained is cut off by max_length; raise it, or "
                                         "set truncation to drop"
                                       : "the conversation has nothing that the assistant says");
    return ls_fail(LEASH_DATA,
                   "%s:%lld: no token of the row is trained: it has one token, and the first token "
                   "of a row is never a target",
                   row->file, (long long)row->line);
}

/* --- rows --- */

/* One sequence: the row's prompt and `field`. */
static leash_status make_sequence(ls_maker *m, ls_tokens *t, const ls_row *row,
                                  const ls_field *field, const char *column, bool *is_dropped)
{
    if (row->kind == LS_ROW_STEPS)
        LS_TRY(make_steps(m, t, row));
    else if (row->prompt.messages || field->messages)
        LS_TRY(make_conversation(m, t, row, field));
    else
        LS_TRY(make_text(m, t, row, field, column));
    LS_TRY(limit_length(m, t, row, is_dropped));
    return *is_dropped ? LEASH_OK : check_trained(m, t, row);
}

static ls_example view(const ls_tokens *t, const ls_row *row)
{
    const ls_chat_tokens *c = &t->chat;
    return (ls_example){.prompt = t->prompt.data,
                        .completion = t->completion.data,
                        .answer = row->has_answer ? row->answer.data : NULL,
                        .columns = row->columns.data,
                        .file = row->file,
                        .line = row->line,
                        .ids = c->ids,
                        .mask = c->mask,
                        .n_tokens = (int32_t)c->n,
                        .n_prompt = (int32_t)(c->n_prompt < c->n ? c->n_prompt : c->n),
                        .is_truncated = t->is_truncated,
                        .label = -1};
}

static void add_steps(ls_maker *m, const ls_row *row)
{
    ls_example *e = &m->made[0];
    e->step_end = m->step_end;
    e->step_label = m->step_label;
    int32_t n = (int32_t)json_array_size(row->steps);
    while (n > 0 && m->step_end[n - 1] >= e->n_tokens) /* cut off */
        n--;
    e->n_steps = n;
}

leash_status ls_maker_make(ls_maker *m, const ls_row *row)
{
    bool is_dropped = false, is_pair = row->kind == LS_ROW_PAIR;
    m->n = 0;
    if (row->kind == LS_ROW_TEXT && m->loss_on == LOSS_COMPLETION)
        return ls_fail(LEASH_DATA,
                       "%s:%lld: completion_only_loss is true, but a \"%s\" row has no "
                       "completion; set it to auto, or give \"prompt\" and \"completion\"",
                       row->file, (long long)row->line, row->text_column);
    LS_TRY(
        make_sequence(m, &m->sequences[0], row, &row->completion, row->text_column, &is_dropped));
    if (is_pair)
        LS_TRY(make_sequence(m, &m->sequences[1], row, &row->rejected, "rejected", &is_dropped));
    if (is_dropped)
        return LEASH_OK;
    m->n = 1;
    m->made[0] = view(&m->sequences[0], row);
    if (row->kind == LS_ROW_LABELLED)
        m->made[0].label = row->label;
    if (row->kind == LS_ROW_STEPS)
        add_steps(m, row);
    if (is_pair && m->input->use == LS_DATA_LABELS) {
        m->made[1] = view(&m->sequences[1], row);
        m->made[0].label = 1;
        m->made[1].label = 0;
        m->n = 2;
    } else if (is_pair) {
        m->made[0].margin = (float)row->margin;
        m->rejected = view(&m->sequences[1], row);
        m->made[0].rejected = &m->rejected;
    }
    return LEASH_OK;
}

/* --- blocks --- */

static size_t text_bytes(const char *text)
{
    return text ? strlen(text) + 1 : 0;
}

/* Without the rejected sequence. */
static size_t own_bytes(const ls_example *e)
{
    size_t n = (size_t)e->n_tokens, steps = (size_t)e->n_steps;
    return (n + steps) * sizeof(int32_t) + n + steps + text_bytes(e->prompt) +
           text_bytes(e->completion) + text_bytes(e->answer) + text_bytes(e->columns);
}

static size_t round_up(size_t n)
{
    return (n + 7) & ~(size_t)7;
}

size_t ls_example_bytes(const ls_example *e)
{
    size_t n = round_up(own_bytes(e));
    if (e->rejected)
        n += round_up(sizeof *e) + round_up(own_bytes(e->rejected));
    return n;
}

static void *put(unsigned char **at, const void *from, size_t n)
{
    void *start = *at;
    if (n > 0)
        memcpy(start, from, n);
    *at += n;
    return start;
}

static char *put_text(unsigned char **at, const char *text)
{
    return text ? put(at, text, strlen(text) + 1) : NULL;
}

static void place_own(ls_example *to, unsigned char *at, const ls_example *from)
{
    size_t n = (size_t)from->n_tokens, steps = (size_t)from->n_steps;
    *to = *from;
    to->ids = put(&at, from->ids, n * sizeof(int32_t));
    to->step_end = steps ? put(&at, from->step_end, steps * sizeof(int32_t)) : NULL;
    to->mask = put(&at, from->mask, n);
    to->step_label = steps ? put(&at, from->step_label, steps) : NULL;
    to->prompt = put_text(&at, from->prompt);
    to->completion = put_text(&at, from->completion);
    to->answer = put_text(&at, from->answer);
    to->columns = put_text(&at, from->columns);
}

void ls_example_place(ls_example *to, void *block, const ls_example *from)
{
    unsigned char *at = block;
    const ls_example *rejected = from->rejected;
    place_own(to, at, from);
    if (!rejected)
        return;
    at += round_up(own_bytes(from));
    ls_example *other = (ls_example *)(void *)at;
    place_own(other, at + round_up(sizeof *other), rejected);
    to->rejected = other;
}
