/* A chat template as its files see it.  Private to src/text/chat_*.c. */
#ifndef LS_TEXT_CHAT_PARTS_H
#define LS_TEXT_CHAT_PARTS_H

#include "text/chat_template.h"
#include "text/jinja/jinja.h"

typedef struct ls_chat_named {
    char *name; /* "default", "tool_use", ... */
    char *path; /* for messages */
    ls_str text;
    ls_jinja *jinja;
} ls_chat_named;

struct ls_chat_template {
    ls_chat_named *named; /* the default first, where there is one */
    int64_t n_named;
    json_t *specials; /* "bos_token": "<s>", ... */
};

ls_chat_template *ls_chat_template_alloc(void);
/* Parses a text and adds it; of two with one name the first stays. */
leash_status ls_chat_template_add(ls_chat_template *t, const char *name, const char *text, size_t n,
                                  const char *path) LEASH_MUST_USE;
/* The one for a request. */
leash_status ls_chat_template_choose(const ls_chat_named **out, const ls_chat_template *t,
                                     const char *name, bool has_tools) LEASH_MUST_USE;
/* The first `n` messages of a request, with another add_generation_prompt. */
leash_status ls_chat_render_beginning(ls_chat_text *out, const ls_chat_template *t,
                                      const ls_chat_request *request, size_t n,
                                      bool add_generation_prompt) LEASH_MUST_USE;

#endif
