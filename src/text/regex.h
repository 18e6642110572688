/* Regular expressions of tokenizer.json, by PCRE2.
 *
 * The Hugging Face library uses Oniguruma with Ruby's syntax.  What both engines read alike is
 * passed on, \s and \w are written out where their tables differ, and what means something else in
 * PCRE2 is refused by name.  A match that takes too long is an error, not a wait: patterns come
 * from strangers. */
#ifndef LS_TEXT_REGEX_H
#define LS_TEXT_REGEX_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

typedef struct ls_regex ls_regex;
/* `where` names file and key in messages. */
leash_status ls_regex_new(ls_regex **out, const char *pattern, size_t n,
                          const char *where) LEASH_MUST_USE;
void ls_regex_free(ls_regex *regex);

/* Memory for matching: one a thread. */
typedef struct ls_regex_match ls_regex_match;
ls_regex_match *ls_regex_match_new(void);
void ls_regex_match_free(ls_regex_match *match);

/* One walk over the matches in a valid UTF-8 text, left to right without overlap; an empty match
 * right behind the last match is passed over. */
typedef struct ls_regex_walk {
    const ls_regex *regex;
    ls_regex_match *match;
    const char *text;
    size_t n;
    size_t start, end; /* the match found */
    size_t next;       /* where the search goes on */
    size_t last_end;   /* end of the last match, SIZE_MAX before any */
} ls_regex_walk;
void ls_regex_walk_init(ls_regex_walk *walk, const ls_regex *regex, ls_regex_match *match,
                        const char *text, size_t n);
/* *found is false when there are no more. */
leash_status ls_regex_walk_next(ls_regex_walk *walk, bool *found) LEASH_MUST_USE;

#endif
