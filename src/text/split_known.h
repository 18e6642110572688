/* Matchers written by hand for the split patterns of well-known models.
 *
 * These patterns match at every place of every text, so a matcher only says where the match that
 * starts at `at` ends.  tests/unit/text compares each with PCRE2 on its pattern. */
#ifndef LS_TEXT_SPLIT_KNOWN_H
#define LS_TEXT_SPLIT_KNOWN_H

#include <stddef.h>

typedef size_t ls_matcher(const char *text, size_t n, size_t at);

typedef struct ls_known_split {
    const char *name, *pattern;
    ls_matcher *match;
} ls_known_split;

/* GPT-2's, which the ByteLevel pre-tokenizer uses by itself. */
ls_matcher ls_match_gpt2;
const ls_known_split *ls_known_splits(size_t *n);
/* By the exact text of the pattern; NULL when it is not known. */
ls_matcher *ls_known_split_find(const char *pattern, size_t n);

#endif
