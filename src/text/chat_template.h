/* Chat templates: messages to text, and messages to ids with a mask of what is trained.
 *
 * A model folder carries a Jinja template that says how its conversations are written.  Rendering
 * gives the bytes that transformers' apply_chat_template gives; text/jinja/jinja.h is the engine.
 *
 *     ls_chat_template *t;
 *     LS_TRY(ls_chat_template_load(&t, "model"));            (t is NULL: the folder has none)
 *     ls_chat_request request = {.messages = messages, .add_generation_prompt = true};
 *     LS_TRY(ls_chat_encode(&tokens, t, tokenizer, &request, LS_CHAT_TRAIN_NONE));
 *
 * What a rendered text spells as special tokens becomes special tokens, also where a message's own
 * content spells them: that is what transformers does and what models were trained with.
 * `refuse_specials` makes such a message an error.
 *
 * A template is made of strangers' text: it reads nothing but its variables, and time, depth and
 * output are limited.  Immutable after loading and ls_chat_template_set_special, so threads may
 * share it. */
#ifndef LS_TEXT_CHAT_TEMPLATE_H
#define LS_TEXT_CHAT_TEMPLATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "text/tokenizer.h"

typedef struct ls_chat_template ls_chat_template;

/* One template from its text; `name` stands in messages ("model/chat_template.jinja").  Errors:
 * LEASH_FORMAT with name, line, column and the construct that is wrong or not supported. */
leash_status ls_chat_template_parse(ls_chat_template **out, const char *text, size_t n,
                                    const char *name) LEASH_MUST_USE;
/* From a model folder: chat_template.jinja, else tokenizer_config.json's "chat_template" (one text
 * or a list of named ones), else chat_template.json; besides, additional_chat_templates/NAME.jinja.
 * The special strings come from special_tokens_map.json and tokenizer_config.json.  *out is NULL,
 * with LEASH_OK, where a folder has no template. */
leash_status ls_chat_template_load(ls_chat_template **out, const char *dir) LEASH_MUST_USE;
/* A template that comes with the program: "chatml", "qwen3", ...  Errors: LEASH_USAGE with the
 * nearest name. */
leash_status ls_chat_template_builtin(ls_chat_template **out, const char *name) LEASH_MUST_USE;
/* What a user may write in an option: the name of a built-in, a template file, or a folder (that
 * must have a template). */
leash_status ls_chat_template_open(ls_chat_template **out, const char *where) LEASH_MUST_USE;
/* Writes DIR/chat_template.jinja, and where there are named ones
 * DIR/additional_chat_templates/NAME.jinja, byte for byte as they were read. */
leash_status ls_chat_template_save(const ls_chat_template *t, const char *dir) LEASH_MUST_USE;
void ls_chat_template_free(ls_chat_template *t);

typedef struct ls_chat_builtin {
    const char *name, *help; /* help is the first comment of the file */
    const char *text;
    size_t n;
} ls_chat_builtin;
/* All built-ins, sorted by name. */
const ls_chat_builtin *ls_chat_builtins(size_t *n);

/* Gives templates the string of a special token under its usual name: "bos_token", "eos_token",
 * "pad_token", "unk_token", ...  A copy is kept; an old value is replaced. */
void ls_chat_template_set_special(ls_chat_template *t, const char *name, const char *text);
/* bos_token and eos_token from a tokenizer, where the template has none yet. */
void ls_chat_template_set_specials_of(ls_chat_template *t, const ls_tokenizer *tokenizer);
/* The name under which the default template was read. */
const char *ls_chat_template_name(const ls_chat_template *t);
/* Source text of the default template. */
const char *ls_chat_template_text(const ls_chat_template *t, size_t *n);
/* Whether the template that `name` chooses (NULL: the default) marks the assistant's turns with
 * {% generation %}. */
bool ls_chat_template_has_generation(const ls_chat_template *t, const char *name);

/* What is rendered.  Zeroed fields are the defaults. */
typedef struct ls_chat_request {
    const json_t *messages;  /* array of {"role", "content", ...}                            */
    const json_t *tools;     /* array of JSON schemas, NULL: none                             */
    const json_t *documents; /* array, NULL: none                                             */
    const json_t *kwargs;    /* object of further variables ("enable_thinking"), NULL: none   */
    const char *name;        /* named template; NULL: "tool_use" if tools are given and it
                              * exists, else the default                                      */
    bool add_generation_prompt;
    bool continue_final_message; /* the text ends with the last message's content             */
    bool refuse_specials;        /* ls_chat_encode: a message that spells a special token is
                                  * LEASH_DATA                                                */
    int64_t now; /* wall-clock seconds since 1970-01-01 for strftime_now; 0: the clock, local */
} ls_chat_request;

typedef struct ls_chat_span { /* bytes [start, end) of the rendered text */
    int64_t start, end;
} ls_chat_span;

typedef struct ls_chat_text {
    ls_str text;
    ls_chat_span *spans; /* outputs of {% generation %} blocks, in order */
    int64_t n_spans, cap_spans;
} ls_chat_text;

void ls_chat_text_init(ls_chat_text *out);
void ls_chat_text_release(ls_chat_text *out);
/* Replaces *out (initialised) by the rendering.  Errors: LEASH_DATA where the template refuses the
 * messages (raise_exception, with its text) or cannot be evaluated, with line and column of the
 * template. */
leash_status ls_chat_render(ls_chat_text *out, const ls_chat_template *t,
                            const ls_chat_request *request) LEASH_MUST_USE;

/* Which tokens get mask 1. */
typedef enum ls_chat_train {
    LS_CHAT_TRAIN_NONE,
    LS_CHAT_TRAIN_ALL,      /* all but the first token, which nothing predicts                 */
    LS_CHAT_TRAIN_ASSISTANT /* assistant_only_loss: what the assistant says and how it ends    */
} ls_chat_train;

typedef struct ls_chat_tokens {
    int32_t *ids;
    uint8_t *mask; /* n: 1 = trained target */
    int64_t n, cap;
    int64_t n_prompt;  /* tokens before the completion (ls_chat_encode_pair), else before the
                        * first trained one, n where none is trained */
    int64_t n_trained; /* ones in mask */
} ls_chat_tokens;

void ls_chat_tokens_init(ls_chat_tokens *out);
void ls_chat_tokens_release(ls_chat_tokens *out);

/* A conversation as one sequence.  *out (initialised) is replaced.
 *
 * LS_CHAT_TRAIN_ASSISTANT takes the spans of {% generation %} where the template has them.  Else it
 * renders the messages before and up to each assistant turn: what the second has more than the
 * first (with generation prompt) is trained.  That is right only where each is a beginning of the
 * whole text; if one is not (templates that drop earlier reasoning, or move the system prompt), it
 * is LEASH_DATA with the message that breaks it.  A token is trained if any of its bytes is.  The
 * first token never is.  A conversation without an assistant's turn gives n_trained 0. */
leash_status ls_chat_encode(ls_chat_tokens *out, const ls_chat_template *t,
                            const ls_tokenizer *tokenizer, const ls_chat_request *request,
                            ls_chat_train train) LEASH_MUST_USE;
/* Prompt and completion, both messages: request->messages is the prompt, rendered with generation
 * prompt (or, if its last message is the assistant's, continued); `completion` an array of further
 * messages.  The ids are those of the whole; the ones after the prompt's are trained, with
 * assistant_only only what LS_CHAT_TRAIN_ASSISTANT would train of them.  Errors: as above, and
 * LEASH_DATA where the prompt's ids are no beginning of the whole's. */
leash_status ls_chat_encode_pair(ls_chat_tokens *out, const ls_chat_template *t,
                                 const ls_tokenizer *tokenizer, const ls_chat_request *request,
                                 const json_t *completion, bool assistant_only) LEASH_MUST_USE;

/* What a template does with conversations, found by rendering small ones: for the start of a run
 * and for choosing how to train. */
typedef struct ls_chat_traits {
    bool has_generation;   /* {% generation %} marks the assistant's turns                       */
    bool is_prefix_stable; /* a conversation's text begins with that of its beginning            */
    bool keeps_reasoning;  /* reasoning of earlier turns stays in the text (or there is none)    */
    bool takes_system;     /* a system message is accepted                                       */
    bool takes_tools;      /* `tools` change the text                                            */
} ls_chat_traits;
void ls_chat_template_traits(ls_chat_traits *out, const ls_chat_template *t);

#endif
