/* Conversations to ids with a mask.
 *
 * The text is tokenised as a whole, as at inference; what is trained is known in bytes of the text
 * and carried over to tokens by what each token decodes to. */
#include <string.h>

#include "base/mem.h"
#include "text/chat_parts.h"

void ls_chat_tokens_init(ls_chat_tokens *out)
{
    *out = (ls_chat_tokens){0};
}

void ls_chat_tokens_release(ls_chat_tokens *out)
{
    ls_free(out->ids);
    ls_free(out->mask);
    ls_chat_tokens_init(out);
}

/* ---- text to ids ---- */

static leash_status refuse_in(const json_t *json, const ls_tokenizer *tokenizer, size_t message)
{
    size_t i;
    json_t *value;
    const char *key;
    json_array_foreach((json_t *)(uintptr_t)json, i, value)
        LS_TRY(refuse_in(value, tokenizer, message));
    json_object_foreach((json_t *)(uintptr_t)json, key, value)
        LS_TRY(refuse_in(value, tokenizer, message));
    if (!json_is_string(json))
        return LEASH_OK;
    int32_t *ids = NULL;
    int64_t n = 0, cap = 0;
    leash_status status =
        ls_tokenizer_encode_as(tokenizer, LS_ENCODE_SPECIALS, json_string_value(json),
                               json_string_length(json), &ids, &n, &cap);
    for (int64_t k = 0; k < n && status == LEASH_OK; k++)
        if (ls_tokenizer_is_special(tokenizer, ids[k]))
            status = ls_fail(LEASH_DATA, "message %zu spells the special token \"%s\"", message,
                             ls_tokenizer_piece(tokenizer, ids[k]));
    ls_free(ids);
    return status;
}

static leash_status encode_text(ls_chat_tokens *out, const ls_tokenizer *tokenizer,
                                const ls_str *text)
{
    out->n = out->n_trained = 0;
    leash_status status = ls_tokenizer_encode_as(tokenizer, LS_ENCODE_SPECIALS, text->data,
                                                 text->len, &out->ids, &out->n, &out->cap);
    out->mask = ls_realloc(out->mask, (size_t)(out->cap ? out->cap : 1));
    memset(out->mask, 0, (size_t)(out->cap ? out->cap : 1));
    return status;
}

/* ---- bytes to tokens ---- */

/* ends[k]: bytes of the decoded text that are certain after token k. */
static void decode_ends(int64_t *ends, ls_str *text, const ls_tokenizer *tokenizer,
                        const int32_t *ids, int64_t n)
{
    ls_decoder d;
    ls_decoder_init(&d, tokenizer, true);
    for (int64_t k = 0; k < n; k++) {
        ls_decoder_push(&d, ids[k], text);
        ends[k] = (int64_t)text->len;
    }
    ls_decoder_finish(&d, text);
    if (n)
        ends[n - 1] = (int64_t)text->len;
    ls_decoder_release(&d);
}

/* Where a place of the text lies in what its ids decode to: the same where decoding gives the text
 * back, else (normal forms, dropped spaces) as far as the beginning decodes. */
static leash_status find_place(int64_t *place, const ls_tokenizer *tokenizer, const ls_str *text,
                               const ls_str *decoded)
{
    if (text->len == decoded->len && memcmp(text->data, decoded->data, text->len) == 0)
        return LEASH_OK;
    int32_t *ids = NULL;
    int64_t n = 0, cap = 0;
    ls_str beginning = LS_STR_INIT;
    leash_status status = ls_tokenizer_encode_as(tokenizer, LS_ENCODE_SPECIALS, text->data,
                                                 (size_t)*place, &ids, &n, &cap);
    ls_tokenizer_decode(tokenizer, ids, n, true, &beginning);
    *place = (int64_t)beginning.len;
    ls_str_release(&beginning);
    ls_free(ids);
    return status;
}

/* Marks the tokens that hold any byte of a span.  A token that ends within a character holds all of
 * it. */
static leash_status mark_spans(ls_chat_tokens *out, const ls_tokenizer *tokenizer,
                               const ls_str *text, const ls_chat_span *spans, int64_t n_spans)
{
    ls_str decoded = LS_STR_INIT;
    leash_status status = LEASH_OK;
    int64_t *ends = ls_malloc(ls_mul_size((size_t)out->n + 1, sizeof *ends));
    decode_ends(ends, &decoded, tokenizer, out->ids, out->n);
    int64_t whole = (int64_t)decoded.len;
    for (int64_t i = 0; i < n_spans && status == LEASH_OK; i++) {
        ls_chat_span span = spans[i];
        status = find_place(&span.start, tokenizer, text, &decoded);
        if (status == LEASH_OK)
            status = find_place(&span.end, tokenizer, text, &decoded);
        int64_t end = whole;
        for (int64_t k = out->n; k-- > 0 && status == LEASH_OK;) {
            int64_t begin = k ? ends[k - 1] : 0;
            if (ends[k] > begin)
                end = ends[k];
            if (begin < span.end && end > span.start && end > begin)
                out->mask[k] = 1;
        }
    }
    ls_free(ends);
    ls_str_release(&decoded);
    return status;
}

/* ---- what is trained, without {% generation %} ---- */

static size_t common(const ls_str *a, const ls_str *b)
{
    size_t n = 0;
    while (n < a->len && n < b->len && a->data[n] == b->data[n])
        n++;
    return n;
}

static leash_status fail_prefix(size_t message, const char *what, const ls_str *part,
                                const ls_str *whole)
{
    ls_str a = LS_STR_INIT, b = LS_STR_INIT;
    size_t at = common(part, whole);
    while (at && ((unsigned char)part->data[at] & 0xc0) == 0x80)
        at--;
    ls_str_append_visible(&a, part->data + at, part->len - at < 40 ? part->len - at : 40);
    ls_str_append_visible(&b, whole->data + at, whole->len - at < 40 ? whole->len - at : 40);
    leash_status status = ls_fail(
        LEASH_DATA,
        "message %zu (assistant): the text %s is no beginning of the whole conversation's: at byte "
        "%zu it has \"%s\", the whole \"%s\".  The template changes earlier turns; use one that "
        "marks them with {%% generation %%}, or train on prompt and completion",
        message, what, at, a.data, b.data);
    ls_str_release(&a);
    ls_str_release(&b);
    return status;
}

static bool begins(const ls_str *whole, const ls_str *part)
{
    return part->len <= whole->len && memcmp(part->data, whole->data, part->len) == 0;
}

/* Some templates close a conversation with eos, which the whole has only at its end. */
static void drop_eos(ls_str *part, const ls_str *whole, const ls_chat_template *t)
{
    const char *eos = json_string_value(json_object_get(t->specials, "eos_token"));
    if (!eos || begins(whole, part) || !ls_ends_with(part->data, eos))
        return;
    part->len -= strlen(eos);
    part->data[part->len] = 0;
}

/* The span of assistant message i (from 0). */
static leash_status find_turn(ls_chat_span *out, const ls_chat_template *t,
                              const ls_chat_request *request, size_t i, const ls_str *whole,
                              ls_chat_text *part)
{
    if (i == 0)
        return ls_fail(LEASH_DATA, "message 1 is the assistant's: without {%% generation %%} in "
                                   "the template its beginning cannot be found");
    LS_TRY(ls_chat_render_beginning(part, t, request, i, true));
    if (!begins(whole, &part->text))
        return fail_prefix(i + 1, "before it", &part->text, whole);
    out->start = (int64_t)part->text.len;
    if (i + 1 == json_array_size(request->messages) && !request->add_generation_prompt) {
        out->end = (int64_t)whole->len;
        return LEASH_OK;
    }
    LS_TRY(ls_chat_render_beginning(part, t, request, i + 1, false));
    drop_eos(&part->text, whole, t);
    if (!begins(whole, &part->text) || (int64_t)part->text.len < out->start)
        return fail_prefix(i + 1, "up to it", &part->text, whole);
    out->end = (int64_t)part->text.len;
    return LEASH_OK;
}

static leash_status find_turns(ls_chat_text *whole, const ls_chat_template *t,
                               const ls_chat_request *request)
{
    ls_chat_text part;
    leash_status status = LEASH_OK;
    size_t n = json_array_size(request->messages);
    ls_chat_text_init(&part);
    whole->n_spans = 0;
    for (size_t i = 0; i < n && status == LEASH_OK; i++) {
        const json_t *role = json_object_get(json_array_get(request->messages, i), "role");
        if (strcmp(json_string_value(role), "assistant") != 0)
            continue;
        if (whole->n_spans == whole->cap_spans) {
            whole->cap_spans = (int64_t)n;
            whole->spans = ls_realloc(whole->spans, ls_mul_size(n, sizeof *whole->spans));
        }
        status = find_turn(&whole->spans[whole->n_spans], t, request, i, &whole->text, &part);
        whole->n_spans += status == LEASH_OK;
    }
    ls_chat_text_release(&part);
    return status;
}

/* ---- */

static void count_trained(ls_chat_tokens *out)
{
    out->n_trained = 0;
    if (out->n)
        out->mask[0] = 0;
    for (int64_t k = 0; k < out->n; k++)
        out->n_trained += out->mask[k];
}

static leash_status encode_rendered(ls_chat_tokens *out, const ls_chat_template *t,
                                    const ls_tokenizer *tokenizer, const ls_chat_request *request,
                                    ls_chat_train train, ls_chat_text *text)
{
    const ls_chat_named *named;
    LS_TRY(ls_chat_render(text, t, request));
    LS_TRY(ls_chat_template_choose(&named, t, request->name, request->tools != NULL));
    if (train == LS_CHAT_TRAIN_ASSISTANT && !ls_jinja_has_generation(named->jinja))
        LS_TRY(find_turns(text, t, request));
    for (size_t i = 0; request->refuse_specials && i < json_array_size(request->messages); i++)
        LS_TRY(refuse_in(json_array_get(request->messages, i), tokenizer, i + 1));
    LS_TRY(encode_text(out, tokenizer, &text->text));
    if (train == LS_CHAT_TRAIN_ASSISTANT)
        LS_TRY(mark_spans(out, tokenizer, &text->text, text->spans, text->n_spans));
    else if (train == LS_CHAT_TRAIN_ALL && out->n)
        memset(out->mask, 1, (size_t)out->n);
    count_trained(out);
    for (out->n_prompt = 0; out->n_prompt < out->n && !out->mask[out->n_prompt];)
        out->n_prompt++;
    return LEASH_OK;
}

leash_status ls_chat_encode(ls_chat_tokens *out, const ls_chat_template *t,
                            const ls_tokenizer *tokenizer, const ls_chat_request *request,
                            ls_chat_train train)
{
    ls_chat_text text;
    ls_chat_text_init(&text);
    leash_status status = encode_rendered(out, t, tokenizer, request, train, &text);
    ls_chat_text_release(&text);
    return status;
}

static leash_status check_completion(const ls_chat_request *request, const json_t *completion)
{
    if (!json_is_array(request->messages) || json_array_size(request->messages) == 0)
        return ls_fail(LEASH_DATA, "the prompt is empty: expected an array of messages");
    if (!json_is_array(completion) || json_array_size(completion) == 0)
        return ls_fail(LEASH_DATA, "the completion is empty: expected an array of messages");
    return LEASH_OK;
}

static bool ends_with_assistant(const json_t *messages)
{
    const json_t *last = json_array_get(messages, json_array_size(messages) - 1);
    const char *role = json_string_value(json_object_get(last, "role"));
    return role && strcmp(role, "assistant") == 0;
}

static leash_status fail_pair(const ls_tokenizer *tokenizer, const ls_chat_tokens *prompt,
                              const ls_chat_tokens *whole, int64_t at)
{
    return ls_fail(LEASH_DATA,
                   "the prompt's tokens are no beginning of those with the completion: token %lld "
                   "is \"%s\" in the prompt and \"%s\" in the whole.  The template writes the "
                   "prompt differently once an answer follows",
                   (long long)at, ls_tokenizer_piece(tokenizer, prompt->ids[at]),
                   at < whole->n ? ls_tokenizer_piece(tokenizer, whole->ids[at]) : "");
}

static leash_status encode_pair(ls_chat_tokens *out, ls_chat_tokens *prompt,
                                const ls_chat_template *t, const ls_tokenizer *tokenizer,
                                const ls_chat_request *request, const ls_chat_request *both,
                                bool assistant_only)
{
    LS_TRY(ls_chat_encode(out, t, tokenizer, both,
                          assistant_only ? LS_CHAT_TRAIN_ASSISTANT : LS_CHAT_TRAIN_ALL));
    LS_TRY(ls_chat_encode(prompt, t, tokenizer, request, LS_CHAT_TRAIN_NONE));
    for (int64_t k = 0; k < prompt->n; k++) {
        if (k >= out->n || prompt->ids[k] != out->ids[k])
            return fail_pair(tokenizer, prompt, out, k);
        out->mask[k] = 0;
    }
    out->n_prompt = prompt->n;
    count_trained(out);
    return LEASH_OK;
}

leash_status ls_chat_encode_pair(ls_chat_tokens *out, const ls_chat_template *t,
                                 const ls_tokenizer *tokenizer, const ls_chat_request *request,
                                 const json_t *completion, bool assistant_only)
{
    ls_chat_tokens prompt;
    ls_chat_request first = *request, both = *request;
    LS_TRY(check_completion(request, completion));
    first.continue_final_message = ends_with_assistant(request->messages);
    first.add_generation_prompt = !first.continue_final_message;
    json_t *messages = json_copy((json_t *)(uintptr_t)request->messages);
    json_array_extend(messages, (json_t *)(uintptr_t)completion);
    both.messages = messages;
    both.add_generation_prompt = both.continue_final_message = false;
    ls_chat_tokens_init(&prompt);
    leash_status status = encode_pair(out, &prompt, t, tokenizer, &first, &both, assistant_only);
    ls_chat_tokens_release(&prompt);
    json_decref(messages);
    return status;
}
