/* The "normalizer" of tokenizer.json: a list of steps, each from text to text. */
#ifndef LS_TEXT_NORMALIZE_H
#define LS_TEXT_NORMALIZE_H

#include <jansson.h>

#include "text/charsmap.h"
#include "text/regex.h"
#include "text/unicode.h"

typedef enum ls_normal_type {
    LS_NORMAL_FORM,
    LS_NORMAL_LOWERCASE,
    LS_NORMAL_PREPEND,
    LS_NORMAL_REPLACE,
    LS_NORMAL_STRIP,
    LS_NORMAL_STRIP_ACCENTS,
    LS_NORMAL_CHARSMAP
} ls_normal_type;

typedef struct ls_normal_step {
    ls_normal_type type;
    ls_normal_form form;    /* LS_NORMAL_FORM */
    ls_str from, to;        /* replace: a literal and its content; prepend: `to` */
    ls_regex *regex;        /* replace: in place of the literal, NULL without */
    bool is_left, is_right; /* strip: which sides */
    ls_charsmap *charsmap;  /* of Precompiled */
} ls_normal_step;

typedef struct ls_normalizer {
    ls_normal_step *steps;
    int n_steps;
} ls_normalizer;

/* From the JSON value of "normalizer" (NULL and null: no steps). */
leash_status ls_normalizer_read(ls_normalizer *out, const json_t *json,
                                const char *file) LEASH_MUST_USE;
void ls_normalizer_release(ls_normalizer *n);
/* Puts the normal form of a valid text into `out`; `spare` is memory for the steps between. */
leash_status ls_normalizer_run(const ls_normalizer *n, ls_str *out, ls_str *spare,
                               ls_regex_match *match, const char *text,
                               size_t n_bytes) LEASH_MUST_USE;

#endif
