/* Lists of messages: from what files hold to [{"role", "content", ...}]. */
#ifndef LS_DATA_MESSAGES_H
#define LS_DATA_MESSAGES_H

#include <jansson.h>
#include <stdbool.h>

#include "base/err.h"

/* Whether a value is meant as messages: an array whose first element is an object, or an empty
 * one. */
bool ls_is_messages(const json_t *value);
/* A copy with ShareGPT's from/value as role/content (human -> user, gpt -> assistant).  Errors:
 * LEASH_DATA without a place, naming the message: no role, content that is no text (images,
 * say). */
leash_status ls_messages_read(json_t **out, const json_t *value) LEASH_MUST_USE;
/* [{"role": role, "content": text}] */
json_t *ls_messages_of_text(const char *role, const char *text, size_t n);
/* Puts a system message at the front unless there is one. */
void ls_messages_add_system(json_t *messages, const char *text);
/* How many messages two conversations begin with in common, at least one of each left over. */
size_t ls_messages_common(const json_t *a, const json_t *b);
/* New array of messages [begin, end). */
json_t *ls_messages_slice(const json_t *messages, size_t begin, size_t end);
bool ls_messages_end_with(const json_t *messages, const char *role);

#endif
