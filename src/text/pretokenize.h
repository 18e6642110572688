/* The "pre_tokenizer" of tokenizer.json: cuts a piece of text into words for the model.
 *
 * Each step cuts the pieces of the step before.  Nothing is collected: a step hands every piece to
 * the next one as soon as it is known, the last one to the caller.  ByteLevel, which turns bytes
 * into the symbols of a byte-level vocabulary, can only be the last step; the words stay raw bytes
 * here, and `is_byte_level` tells the model that its symbols are bytes. */
#ifndef LS_TEXT_PRETOKENIZE_H
#define LS_TEXT_PRETOKENIZE_H

#include <jansson.h>

#include "text/regex.h"
#include "text/split_known.h"

typedef enum ls_cut_type {
    LS_CUT_KNOWN, /* a matcher of split_known.h that covers all text */
    LS_CUT_REGEX,
    LS_CUT_LITERAL,
    LS_CUT_CLASS, /* every character of some classes is a match */
    LS_CUT_WORDS, /* runs of \w, and runs of neither \w nor \s */
    LS_CUT_METASPACE,
    LS_CUT_BYTE_LEVEL
} ls_cut_type;

/* What becomes of matches and of what lies between them. */
typedef enum ls_behavior {
    LS_ISOLATED,
    LS_REMOVED,
    LS_CONTIGUOUS,
    LS_MERGED_WITH_PREVIOUS,
    LS_MERGED_WITH_NEXT
} ls_behavior;

typedef enum ls_prepend { LS_PREPEND_NEVER, LS_PREPEND_FIRST, LS_PREPEND_ALWAYS } ls_prepend;

typedef struct ls_cut_step {
    ls_cut_type type;
    ls_behavior behavior;
    bool inverts;
    ls_matcher *match; /* known; byte level: GPT-2's or NULL */
    ls_regex *regex;
    ls_str literal; /* literal; regex: its text; metaspace: what stands for a space */
    unsigned classes;
    ls_prepend prepend; /* metaspace: where the replacement is put before the text */
    bool splits;        /* metaspace: cut before each replacement */
    bool adds_space;    /* byte level: a space goes before a piece that has none */
} ls_cut_step;

typedef struct ls_pretokenizer {
    ls_cut_step *steps;
    int n_steps;
    bool is_byte_level;
} ls_pretokenizer;

leash_status ls_pretokenizer_read(ls_pretokenizer *out, const json_t *json,
                                  const char *file) LEASH_MUST_USE;
void ls_pretokenizer_release(ls_pretokenizer *p);

typedef leash_status ls_word_sink(void *user, const char *word, size_t n);
/* One run: who takes the words, and memory for the steps that change text. */
typedef struct ls_cutting {
    const ls_pretokenizer *pretokenizer;
    ls_regex_match *match;
    ls_str *buffers; /* one a step */
    ls_word_sink *sink;
    void *user;
} ls_cutting;
/* `is_start`: the piece begins the whole text. */
leash_status ls_pretokenize(const ls_cutting *c, const char *text, size_t n,
                            bool is_start) LEASH_MUST_USE;

#endif
