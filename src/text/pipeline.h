/* A whole tokenizer.json of a real model: the third kind of tokenizer.  Private to src/text.
 *
 *     text --added tokens--> pieces --normalizer--> added tokens again
 * --pre-tokenizer--> words
 *          --BPE or Unigram--> ids --post-processor--> ids with beginning and end
 *
 * Immutable but for `works`, memory of running encodings that each call borrows. */
#ifndef LS_TEXT_PIPELINE_H
#define LS_TEXT_PIPELINE_H

#include <stdatomic.h>

#include "text/added.h"
#include "text/bpe.h"
#include "text/normalize.h"
#include "text/pretokenize.h"
#include "text/tokenizer.h"
#include "text/unigram.h"

/* What a token's text goes through when it is decoded, in this order. */
typedef enum ls_text_step_type {
    LS_TEXT_REPLACE,
    LS_TEXT_METASPACE,
    LS_TEXT_BYTE_LEVEL
} ls_text_step_type;
typedef struct ls_text_step {
    ls_text_step_type type;
    ls_str from, to;
    bool drops_first; /* metaspace: of the first token, `from` disappears */
} ls_text_step;

typedef struct ls_decoding {
    ls_text_step *steps;
    int n_steps;
    bool joins_by_space; /* no decoder: tokens with a space between them */
    bool byte_fallback;  /* runs of <0xNN> are bytes */
    bool is_bytes;       /* a token may be part of a character (byte level) */
    ls_str strip;        /* the character that Strip takes off the whole text */
    int64_t strip_start, strip_stop;
} ls_decoding;

#define LS_MOST_AFFIX 8
typedef struct ls_affix {
    int32_t ids[LS_MOST_AFFIX];
    int n;
} ls_affix;

typedef struct ls_work ls_work;
#define LS_N_WORKS 8

typedef struct ls_pipeline {
    ls_bpe bpe; /* its vocabulary is that of either model */
    ls_unigram unigram;
    bool is_unigram;
    ls_added_tokens added;
    ls_normalizer normalizer;
    ls_pretokenizer pretokenizer;
    ls_decoding decoding;
    ls_affix prefix, suffix; /* of the post-processor */
    ls_str json, config;     /* the files as they were read */
    /* Of a GGUF file, in place of json: its beginning, up to vocabulary and merges, which are
     * written from the tables. */
    ls_str json_head;
    int32_t n_model_ids; /* ids below are the model's, others only added */
    ls_work *works[LS_N_WORKS];
    atomic_flag is_used[LS_N_WORKS];
} ls_pipeline;

/* From the document without vocabulary and merges, which stand in `vocab` (taken over). */
leash_status ls_pipeline_read(ls_pipeline **out, ls_vocab *vocab, const json_t *rest,
                              const char *file) LEASH_MUST_USE;
void ls_pipeline_free(ls_pipeline *p);
/* Appends the text of tokenizer.json. */
void ls_pipeline_write_json(const ls_pipeline *p, ls_str *out);
leash_status ls_pipeline_encode(ls_pipeline *p, ls_ids *out, const char *text, size_t n,
                                unsigned flags) LEASH_MUST_USE;

/* pipeline_json.c, decoding.c: the sections that have no module of their own. */
leash_status ls_affixes_read(ls_pipeline *p, const json_t *json, const char *file) LEASH_MUST_USE;
leash_status ls_decoding_read(ls_decoding *d, const json_t *json, const char *file) LEASH_MUST_USE;
void ls_decoding_release(ls_decoding *d);
/* Appends a token's text; *byte is its value for a <0xNN> token (then nothing is appended), else
 * -1. */
void ls_decoding_token(const ls_decoding *d, const char *token, size_t n, bool is_first,
                       ls_str *out, int *byte);

#endif
