/* leash_chat: a conversation with a model, reply by reply.
 *
 * The messages are rendered anew for every reply, so the model reads what training would show it.
 * Where they have outgrown the context, the oldest turns are left out, never the system message. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "api/session.h"
#include "base/clock.h"
#include "base/mem.h"

/* Longest context that is asked for: the cache for it is taken at the start. */
#define MOST_CONTEXT 8192

struct leash_chat {
    ls_session session;
    ls_sampling_options sampling;
    uint64_t seed;
    int64_t context;
    json_t *messages;
    bool has_system;
    uint32_t n_replies;
    ls_chat_tokens tokens;
    ls_str reply;
};

typedef struct reply_stream {
    leash_chat *chat;
    const leash_events *events;
    ls_decoder decoder;
    ls_str piece;
    int64_t n_tokens;
} reply_stream;

static leash_status add_message(leash_chat *chat, const char *role, const char *content)
{
    json_t *message = json_pack("{s:s, s:s}", "role", role, "content", content);
    if (!message)
        return ls_fail(LEASH_DATA, "the %s's message is no valid UTF-8", role);
    json_array_append_new(chat->messages, message);
    return LEASH_OK;
}

static leash_status open_chat(leash_chat *chat, leash_settings *settings)
{
    ls_run_options *o = &settings->options;
    o->engine.rollout_slots = 1;
    LS_TRY(ls_session_open(&chat->session, settings));
    if (!chat->session.source.chat)
        return ls_fail(LEASH_USAGE,
                       "%s has no chat template: give --chat_template a name (chatml, ...; see "
                       "`leash info`) or a file, or use `leash generate --prompt`",
                       o->model.model);
    int64_t context = ls_model_context(&chat->session.source.config);
    chat->context = context < MOST_CONTEXT ? context : MOST_CONTEXT;
    chat->sampling = o->sampling;
    chat->seed = (uint64_t)o->train.seed;
    return ls_session_open_engine(&chat->session, settings, chat->context);
}

leash_status leash_chat_new(leash_chat **out, leash_settings *settings)
{
    leash_chat *chat = ls_calloc(1, sizeof *chat);
    ls_chat_tokens_init(&chat->tokens);
    ls_str_init(&chat->reply);
    leash_status status = ls_settings_derive(settings, "chat");
    if (status == LEASH_OK)
        status = open_chat(chat, settings);
    if (status == LEASH_OK)
        status = leash_chat_reset(chat, settings->options.data.system_prompt);
    if (status != LEASH_OK) {
        leash_chat_free(chat);
        return status;
    }
    *out = chat;
    return LEASH_OK;
}

void leash_chat_free(leash_chat *chat)
{
    if (!chat)
        return;
    ls_session_close(&chat->session);
    json_decref(chat->messages);
    ls_chat_tokens_release(&chat->tokens);
    ls_str_release(&chat->reply);
    ls_free(chat);
}

leash_status leash_chat_reset(leash_chat *chat, const char *system_prompt)
{
    json_decref(chat->messages);
    chat->messages = json_array();
    chat->has_system = system_prompt && system_prompt[0];
    return chat->has_system ? add_message(chat, "system", system_prompt) : LEASH_OK;
}

/* Renders the messages, the oldest turns left out until a reply has room. */
static leash_status render(leash_chat *chat, int64_t *n_left_out)
{
    int64_t room = chat->sampling.max_completion_length;
    if (room > chat->context / 2)
        room = chat->context / 2;
    *n_left_out = 0;
    for (;;) {
        ls_chat_request request = {.messages = chat->messages, .add_generation_prompt = true};
        LS_TRY(ls_chat_encode(&chat->tokens, chat->session.source.chat,
                              chat->session.source.tokenizer, &request, LS_CHAT_TRAIN_NONE));
        if (chat->tokens.n + room <= chat->context)
            return LEASH_OK;
        size_t oldest = chat->has_system ? 1 : 0;
        if (json_array_size(chat->messages) <= oldest + 1)
            return ls_fail(LEASH_DATA,
                           "the message has %lld tokens, which leaves no room for a reply in a "
                           "context of %lld: shorten it",
                           (long long)chat->tokens.n, (long long)chat->context);
        /* A turn: what the user said and what was replied to it. */
        do {
            json_array_remove(chat->messages, oldest);
            (*n_left_out)++;
        } while (json_array_size(chat->messages) > oldest + 1 &&
                 strcmp(json_string_value(
                            json_object_get(json_array_get(chat->messages, oldest), "role")),
                        "user") != 0);
    }
}

static void take_piece(reply_stream *s)
{
    if (s->piece.len == 0)
        return;
    ls_str_append_n(&s->chat->reply, s->piece.data, s->piece.len);
    if (s->events->on_text)
        s->events->on_text(s->events->user, s->piece.data);
    ls_str_clear(&s->piece);
}

static void on_token(void *user, int64_t prompt, int32_t sample, int32_t id)
{
    (void)prompt, (void)sample;
    reply_stream *s = user;
    s->n_tokens++;
    ls_decoder_push(&s->decoder, id, &s->piece);
    take_piece(s);
}

static leash_status reply(leash_chat *chat, const leash_events *events, leash_chat_reply *out)
{
    const ls_tokenizer *tokenizer = chat->session.source.tokenizer;
    reply_stream stream = {.chat = chat, .events = events, .piece = LS_STR_INIT};
    const int32_t *stop_ids;
    int32_t n_stop_ids = ls_tokenizer_stop_ids(tokenizer, &stop_ids);
    ls_prompt prompt = {.ids = chat->tokens.ids, .n_ids = (int32_t)chat->tokens.n, .n_samples = 1};
    ls_rollout_request request = {.prompts = &prompt,
                                  .n_prompts = 1,
                                  .sampling = chat->sampling,
                                  .seed = chat->seed,
                                  .purpose = LS_RNG_SAMPLE,
                                  .step = chat->n_replies++,
                                  .stop_ids = stop_ids,
                                  .n_stop_ids = n_stop_ids,
                                  .should_stop = events->should_stop,
                                  .on_token = on_token,
                                  .user = &stream};
    ls_rollout rollout = {0};
    ls_str_clear(&chat->reply);
    ls_decoder_init(&stream.decoder, tokenizer, false);
    ls_arena_mark mark = ls_arena_get_mark(&chat->session.work);
    leash_status status =
        ls_engine_run(chat->session.engine, &request, &chat->session.work, &rollout);
    ls_decoder_finish(&stream.decoder, &stream.piece);
    take_piece(&stream);
    out->n_tokens = stream.n_tokens;
    out->is_complete = status == LEASH_OK && rollout.completions[0].finish == LS_FINISH_STOP;
    ls_decoder_release(&stream.decoder);
    ls_str_release(&stream.piece);
    ls_arena_rewind(&chat->session.work, mark);
    return status == LEASH_INTERRUPTED ? LEASH_OK : status;
}

leash_status leash_chat_say(leash_chat_reply *out, leash_chat *chat, const char *message,
                            const leash_events *events)
{
    static const leash_events none = {0};
    double start = ls_clock_seconds();
    json_t *former = json_copy(chat->messages);
    *out = (leash_chat_reply){0};
    leash_status status = add_message(chat, "user", message);
    if (status == LEASH_OK)
        status = render(chat, &out->n_left_out);
    out->n_context = chat->tokens.n;
    if (status == LEASH_OK)
        status = reply(chat, events ? events : &none, out);
    if (status == LEASH_OK)
        status = add_message(chat, "assistant", chat->reply.data);
    if (status != LEASH_OK) { /* as if it had not been said */
        json_decref(chat->messages);
        chat->messages = former;
        return status;
    }
    json_decref(former);
    out->text = chat->reply.data;
    out->seconds = ls_clock_seconds() - start;
    return LEASH_OK;
}

char *leash_chat_messages(const leash_chat *chat)
{
    char *text = json_dumps(chat->messages, JSON_COMPACT), *out = ls_strdup(text);
    free(text); /* jansson's */
    return out;
}
