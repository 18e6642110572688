/* Text to ids and back.
 *
 * Kinds: `byte` (ids 0..255 are bytes) and `char` (one id a Unicode character of a given alphabet),
 * made by name; and the pipeline of a real model's tokenizer.json, `bpe` or `unigram`.  A
 * pipeline's special tokens stand wherever its vocabulary puts them.  Text that spells a special
 * token stays text unless it is asked for: data comes from strangers.  <|bos|> exists only where a
 * file says that it is added, <|eos|> ends a completion, <|pad|> does not exist (masks come from
 * lengths).
 *
 * A tokenizer is immutable once made, so threads may share it. */
#ifndef LS_TEXT_TOKENIZER_H
#define LS_TEXT_TOKENIZER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"

typedef struct ls_tokenizer ls_tokenizer;

/* kind "byte", or "char:ALPHABET" with the characters allowed (UTF-8; duplicates are an error). */
leash_status ls_tokenizer_new(ls_tokenizer **out, const char *kind) LEASH_MUST_USE;
/* From a Hugging Face folder: DIR/tokenizer.json, DIR/tokenizer_config.json and, where there is
 * one, DIR/generation_config.json.  The content decides the kind.  What tokenizer.json has and this
 * library lacks is an error that names file, section and construct. */
leash_status ls_tokenizer_load(ls_tokenizer **out, const char *dir) LEASH_MUST_USE;
/* The same from the texts of the files (`generation` NULL: none); `dir` stands in messages
 * alone. */
typedef struct ls_tokenizer_text {
    const char *json, *config;
    size_t n_json, n_config;
    const char *dir;
    const char *generation;
    size_t n_generation;
} ls_tokenizer_text;
leash_status ls_tokenizer_load_text(ls_tokenizer **out,
                                    const ls_tokenizer_text *text) LEASH_MUST_USE;
/* Writes tokenizer.json and tokenizer_config.json, readable by the Hugging Face tokenizers library,
 * into an existing directory; those of a pipeline byte for byte as they were read.  A
 * generation_config.json that was read (one number or a list of ends, and what else it says) is
 * written back too. */
leash_status ls_tokenizer_save(const ls_tokenizer *t, const char *dir) LEASH_MUST_USE;
void ls_tokenizer_free(ls_tokenizer *t);

int32_t ls_tokenizer_vocab_size(const ls_tokenizer *t);
int32_t ls_tokenizer_bos(const ls_tokenizer *t); /* -1: none */
int32_t ls_tokenizer_eos(const ls_tokenizer *t);
/* All ids that end a completion: that of ls_tokenizer_eos first, then the others that
 * generation_config.json has in eos_token_id (or, where a folder has no such file, config.json has
 * in a list).  Returns their number; *ids is borrowed. */
int32_t ls_tokenizer_stop_ids(const ls_tokenizer *t, const int32_t **ids);
/* Appends ids to *ids (grown with ls_realloc; *n, *cap updated).  Errors: LEASH_DATA naming the
 * character and its byte offset. */
leash_status ls_tokenizer_encode(const ls_tokenizer *t, const char *text, size_t n_bytes,
                                 int32_t **ids, int64_t *n, int64_t *cap) LEASH_MUST_USE;
/* The same with what a bpe tokenizer can do besides (the other kinds take no notice): text that
 * spells a special token becomes that token, for rendered chat templates; and the ids that the
 * file's post-processor puts before and behind a text. */
enum { LS_ENCODE_SPECIALS = 1, LS_ENCODE_AFFIXES = 2 };
leash_status ls_tokenizer_encode_as(const ls_tokenizer *t, unsigned flags, const char *text,
                                    size_t n_bytes, int32_t **ids, int64_t *n,
                                    int64_t *cap) LEASH_MUST_USE;
/* Appends the text of ids; specials are left out unless asked for, and ids that do not exist
 * always.  The byte kind gives back any bytes that it got; a bpe tokenizer always gives UTF-8, with
 * U+FFFD for bytes that are none. */
void ls_tokenizer_decode(const ls_tokenizer *t, const int32_t *ids, int64_t n, bool with_specials,
                         ls_str *out);
/* The text of ids as they come, in whole characters: what an id makes certain is appended by _push,
 * the rest by _finish.  All together is what ls_tokenizer_decode gives (as UTF-8); the one
 * exception are bytes of a <0xNN> run that turn out to be no UTF-8 late: the characters before them
 * are out by then.
 *
 *     ls_decoder_init(&d, tokenizer, false);
 *     while (...) { ls_decoder_push(&d, id, &text); show(&text);
 * ls_str_clear(&text); } ls_decoder_finish(&d, &text); ls_decoder_release(&d); */
typedef struct ls_decoder {
    const ls_tokenizer *tokenizer;
    bool with_specials;
    bool is_whole;    /* nobody looks before the end: runs of bytes are judged as a
                    whole */
    int64_t n_tokens; /* without those left out */
    int64_t to_strip; /* characters that may still be taken off the start */
    ls_str held;      /* bytes of an unfinished character or run      */
    ls_str tail;      /* characters that may have to be taken off the end      */
    ls_str piece;
} ls_decoder;
void ls_decoder_init(ls_decoder *d, const ls_tokenizer *t, bool with_specials);
void ls_decoder_push(ls_decoder *d, int32_t id, ls_str *out);
void ls_decoder_finish(ls_decoder *d, ls_str *out);
void ls_decoder_release(ls_decoder *d);

/* The text of one id for showing: "<|eos|>" for specials, <0x0A> for what cannot be printed, the
 * vocabulary's own symbols ("\u0120the") for a bpe tokenizer, "" for an id that does not exist. */
const char *ls_tokenizer_piece(const ls_tokenizer *t, int32_t id);
bool ls_tokenizer_is_special(const ls_tokenizer *t, int32_t id);
/* Short description: "char, 41 tokens". */
void ls_tokenizer_describe(const ls_tokenizer *t, ls_str *out);

#endif
