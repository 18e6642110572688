/* The "added_tokens" of tokenizer.json: texts that become one token wherever they stand, found
 * before the model sees a text.
 *
 * Tokens with "normalized": false are looked for in the text as it is, the others in the normalized
 * pieces between those.  The scan takes the leftmost match, of these the longest, and goes on
 * behind it. */
#ifndef LS_TEXT_ADDED_H
#define LS_TEXT_ADDED_H

#include <jansson.h>

#include "text/vocab.h"

typedef struct ls_added_token {
    int32_t id;
    bool is_special, is_normalized, single_word, lstrip, rstrip;
} ls_added_token;

typedef struct ls_trie_node {
    int32_t token;          /* index into tokens, -1 within a token */
    int32_t child, sibling; /* node numbers, 0: none */
    unsigned char byte;
} ls_trie_node;

/* A set of texts to look for. */
typedef struct ls_trie {
    ls_trie_node *nodes; /* node 0 is not used */
    int32_t n_nodes, cap;
    int32_t first[256]; /* node of a first byte, 0: none */
    int32_t n_texts;
} ls_trie;

typedef struct ls_added_tokens {
    ls_added_token *tokens; /* in the order of the file */
    int32_t n;
    ls_trie raw, normalized;
    unsigned char *is_special; /* (vocab->n_ids) by id */
} ls_added_tokens;

/* Takes ids for the tokens, adding to the vocabulary those that it lacks.  The tries stay empty
 * until ls_added_tokens_index. */
leash_status ls_added_tokens_read(ls_added_tokens *out, ls_vocab *vocab, const json_t *json,
                                  const char *file) LEASH_MUST_USE;
/* Adds token number `i` to the trie that its flag names, under its text or normalized text. */
void ls_added_tokens_index(ls_added_tokens *a, int32_t i, const char *text, size_t n);
void ls_added_tokens_release(ls_added_tokens *a);

/* One walk over a text: pieces between tokens, and tokens. */
typedef struct ls_added_walk {
    const ls_added_tokens *added;
    const ls_trie *trie;
    const char *text;
    size_t n;
    bool takes_specials; /* false: the text of a special token is no match */
    size_t at, done;     /* where the scan goes on; up to where the text is given out */
    size_t begin, end;   /* the piece found: text, or the token's place */
    int32_t id;          /* of the token, -1: text */
    int32_t pending;     /* token found behind the text just given out, -1 none */
    size_t pending_end;
} ls_added_walk;
void ls_added_walk_init(ls_added_walk *w, const ls_added_tokens *added, const ls_trie *trie,
                        const char *text, size_t n, bool takes_specials);
bool ls_added_walk_next(ls_added_walk *w);

#endif
