/* Template text to tokens, with Jinja2's rules of white space (trim_blocks, lstrip_blocks). */
#ifndef LS_TEXT_JINJA_LEXER_H
#define LS_TEXT_JINJA_LEXER_H

#include "text/jinja/value.h"

typedef enum ls_jtoken_type {
    LS_JT_DATA, /* text outside of tags */
    LS_JT_BLOCK_BEGIN,
    LS_JT_BLOCK_END,
    LS_JT_PRINT_BEGIN,
    LS_JT_PRINT_END,
    LS_JT_NAME,
    LS_JT_STRING, /* unescaped */
    LS_JT_INT,
    LS_JT_FLOAT,
    LS_JT_OPERATOR, /* text is the operator */
    LS_JT_END       /* of the template */
} ls_jtoken_type;

typedef struct ls_jtoken {
    ls_jtoken_type type;
    int line, column; /* from 1; columns in characters */
    ls_jtext text;
    int64_t integer;
    double number;
} ls_jtoken;

typedef struct ls_jtokens {
    ls_jtoken *tokens; /* ends with LS_JT_END; ls_free */
    int64_t n, cap;
} ls_jtokens;

/* `text` is UTF-8 with \n line ends, and stays alive; unescaped strings go to `pool`. */
leash_status ls_jlex(ls_jtokens *out, ls_jpool *pool, ls_jtext text,
                     const char *name) LEASH_MUST_USE;

#endif
