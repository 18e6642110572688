/* What a kind of tokenizer consists of, and the struct behind ls_tokenizer. Private to src/text.
 *
 * In the byte and char kinds, ids 0 .. n_ordinary-1 come from text, the specials follow.  A kind
 * knows its ordinary ids; specials, JSON and ids in general are the business of tokenizer.c and
 * tokenizer_json.c.  A bpe tokenizer is a pipeline (pipeline.h), which knows everything itself. */
#ifndef LS_TEXT_KIND_H
#define LS_TEXT_KIND_H

#include <jansson.h>

#include "base/str.h"
#include "text/pipeline.h"
#include "text/tokenizer.h"

typedef struct ls_tokenizer_kind {
    const char *name, *help;
    /* A tokenizer of this kind without specials, from what follows "name:" ("" without a colon). */
    leash_status (*create)(ls_tokenizer *t, const char *args);
    leash_status (*encode)(const ls_tokenizer *t, int32_t *ids, int64_t *n, const char *text,
                           size_t n_bytes);
    /* The bytes that an ordinary id stands for. */
    void (*append)(const ls_tokenizer *t, int32_t id, ls_str *out);
    /* Key of an ordinary id in the vocabulary of tokenizer.json. */
    void (*symbol)(const ls_tokenizer *t, int32_t id, ls_str *out);
    /* Fills t from the vocabulary {symbol: id} of a file; `file` is for messages. */
    leash_status (*read_vocab)(ls_tokenizer *t, const json_t *vocab, const char *file);
    const char *pre_tokenizer, *decoder; /* these parts of tokenizer.json, as JSON */
} ls_tokenizer_kind;

typedef struct ls_char_entry {
    uint32_t codepoint;
    int32_t id;
} ls_char_entry;

struct ls_tokenizer {
    const ls_tokenizer_kind *kind;
    int32_t n_ordinary, n_special;
    int32_t bos, eos;  /* ids, -1: none                                 */
    int32_t *stop_ids; /* n_stop, the first is eos                      */
    int32_t n_stop;
    ls_str generation;      /* generation_config.json as it was read, "" without one */
    char **pieces;          /* n_ordinary + n_special texts for showing      */
    ls_char_entry *entries; /* char: n_ordinary, sorted by codepoint         */
    uint32_t *codepoints;   /* char: codepoint of an id                      */
    ls_pipeline *pipeline;  /* bpe: all of it; n_ordinary counts every id    */
};

extern const ls_tokenizer_kind ls_byte_kind, ls_char_kind;
const ls_tokenizer_kind *const *ls_tokenizer_kinds(size_t *n);

/* An empty tokenizer of a kind. */
ls_tokenizer *ls_tokenizer_alloc(const ls_tokenizer_kind *kind);
/* To be called once, when the ordinary ids stand: makes the pieces and takes the specials. */
void ls_tokenizer_finish(ls_tokenizer *t, const char *const *specials, int32_t n_special);
/* Makes a tokenizer of a pipeline, which it takes over. */
ls_tokenizer *ls_tokenizer_of_pipeline(ls_pipeline *pipeline);
/* Id of a special by its text, -1 when there is none (bpe: of any token). */
int32_t ls_tokenizer_special_id(const ls_tokenizer *t, const char *text);

/* The tokenizer.json of a byte or char tokenizer, as ls_tokenizer_save writes it. */
leash_status ls_tokenizer_read_own(ls_tokenizer **out, const ls_tokenizer_kind *kind,
                                   const char *json, size_t n, const char *file) LEASH_MUST_USE;
void ls_tokenizer_write_own(const ls_tokenizer *t, ls_str *out);
void ls_tokenizer_write_own_config(const ls_tokenizer *t, ls_str *out);
/* Ends, beginning and the texts for saving, from tokenizer_config.json and generation_config.json
 * of `text`. */
leash_status ls_tokenizer_read_configs(ls_tokenizer *t,
                                       const ls_tokenizer_text *text) LEASH_MUST_USE;
/* Parses one JSON object; json_decref it. */
leash_status ls_json_object(json_t **out, const char *json, size_t n,
                            const char *file) LEASH_MUST_USE;

#endif
