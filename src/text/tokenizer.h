/* Text to ids and back.
 *
 * Kinds now: `byte` (ids 0..255 are bytes) and `char` (one id a Unicode character of a given
 * alphabet); more kinds are further rows with the same functions.  Special tokens have ids after
 * the ordinary ones and are never produced from text: a <|bos|> exists only where a file sets
 * bos_token and add_bos_token, <|eos|> ends a completion, <|pad|> does not exist (masks come from
 * lengths). */
#ifndef LS_TEXT_TOKENIZER_H
#define LS_TEXT_TOKENIZER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

typedef struct ls_tokenizer ls_tokenizer;

/* kind "byte", or "char:ALPHABET" with the characters allowed (UTF-8; duplicates are an error). */
leash_status ls_tokenizer_new(ls_tokenizer **out, const char *kind) LEASH_MUST_USE;
/* From DIR/tokenizer.json (the Hugging Face layout: the subset that ls_tokenizer_save writes). */
leash_status ls_tokenizer_load(ls_tokenizer **out, const char *dir) LEASH_MUST_USE;
/* The same from the texts of the two files; `dir` stands in messages alone. */
typedef struct ls_tokenizer_text {
    const char *json, *config;
    size_t n_json, n_config;
    const char *dir;
} ls_tokenizer_text;
leash_status ls_tokenizer_load_text(ls_tokenizer **out,
                                    const ls_tokenizer_text *text) LEASH_MUST_USE;
/* Writes tokenizer.json and tokenizer_config.json, readable by the Hugging Face tokenizers
 * library, into an existing directory. */
leash_status ls_tokenizer_save(const ls_tokenizer *t, const char *dir) LEASH_MUST_USE;
void ls_tokenizer_free(ls_tokenizer *t);

int32_t ls_tokenizer_vocab_size(const ls_tokenizer *t);
int32_t ls_tokenizer_bos(const ls_tokenizer *t); /* -1: none */
int32_t ls_tokenizer_eos(const ls_tokenizer *t);
/* Appends ids to *ids (grown with ls_realloc; *n, *cap updated).  Errors: LEASH_DATA naming the
 * character and its byte offset. */
leash_status ls_tokenizer_encode(const ls_tokenizer *t, const char *text, size_t n_bytes,
                                 int32_t **ids, int64_t *n, int64_t *cap) LEASH_MUST_USE;
/* Appends the text of ids; specials are left out unless asked for, and ids that do not exist
 * always. */
void ls_tokenizer_decode(const ls_tokenizer *t, const int32_t *ids, int64_t n, bool with_specials,
                         ls_str *out);
/* The text of one id for showing: "<|eos|>" for specials, <0x0A> for what cannot be printed, ""
 * for an id that does not exist. */
const char *ls_tokenizer_piece(const ls_tokenizer *t, int32_t id);
bool ls_tokenizer_is_special(const ls_tokenizer *t, int32_t id);
/* Short description: "char, 41 tokens". */
void ls_tokenizer_describe(const ls_tokenizer *t, ls_str *out);

#endif
