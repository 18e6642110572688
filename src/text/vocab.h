/* The vocabulary of a model: tokens by id, ids by token, merges by pair or scores; and its
 * reader.
 *
 * Real vocabularies have 50 to 300 thousand tokens and as many merges, several megabytes of JSON.
 * So this part of tokenizer.json has a reader of its own, which walks the text once and builds the
 * tables on the way; the small rest of the file goes to jansson. */
#ifndef LS_TEXT_VOCAB_H
#define LS_TEXT_VOCAB_H

#include <stdbool.h>

#include "base/err.h"
#include "base/str.h"

typedef struct ls_vocab_slot {
    uint32_t hash; /* upper half, compared before the text is touched */
    int32_t id;    /* -1: free */
} ls_vocab_slot;

typedef struct ls_merge {
    uint64_t pair; /* left id << 32 | right id; UINT64_MAX: free */
    int32_t rank, id;
} ls_merge;

typedef struct ls_vocab_place {
    uint32_t start; /* of the token in ls_vocab.text */
    int32_t length; /* bytes, -1: no token has this id */
} ls_vocab_place;

typedef struct ls_vocab {
    ls_str text;            /* the tokens one after the other, a NUL after each */
    ls_vocab_place *places; /* (n_ids) */
    int32_t n_ids;          /* largest id + 1 */
    int32_t cap_ids;
    int32_t n_tokens; /* without holes */
    ls_vocab_slot *slots;
    uint64_t n_slots; /* a power of two, at least twice n_tokens */
    ls_merge *merges;
    uint64_t n_merge_slots;
    int64_t n_merges; /* lines in the file: ranks are 0 .. n_merges-1 */
    double *scores;   /* (n_ids of the file) of a Unigram model, else NULL */
} ls_vocab;

/* Reads "vocab" and "merges" of "model" out of a whole tokenizer.json.  The same document with
 * these two empty is appended to `rest`; lines stay where they were.  A document that is no JSON is
 * left to jansson as a whole (then rest has all of it).  `file` stands in messages. */
leash_status ls_vocab_read(ls_vocab *v, ls_str *rest, const char *json, size_t n,
                           const char *file) LEASH_MUST_USE;
void ls_vocab_release(ls_vocab *v);

/* Id of a token, -1 when there is none. */
int32_t ls_vocab_find(const ls_vocab *v, const char *token, size_t n);
/* Text of a token; an id without one gives NULL. */
static inline const char *ls_vocab_token(const ls_vocab *v, int32_t id, size_t *n)
{
    if (id < 0 || id >= v->n_ids || v->places[id].length < 0)
        return NULL;
    *n = (size_t)v->places[id].length;
    return v->text.data + v->places[id].start;
}
/* False when the token or the id is taken. */
bool ls_vocab_add(ls_vocab *v, const char *token, size_t n, int32_t id);

/* The merges by rank (v->n_merges), NULL where a pair has a later one; ls_free it. */
const ls_merge **ls_vocab_merges_by_rank(const ls_vocab *v);

static inline uint64_t ls_vocab_pair(int32_t left, int32_t right)
{
    return (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
}
static inline uint64_t ls_vocab_pair_hash(uint64_t pair)
{
    uint64_t h = pair * 0x9e3779b97f4a7c15u;
    return h ^ h >> 32;
}
/* The merge of two neighbours, NULL when they do not merge. */
static inline const ls_merge *ls_vocab_merge(const ls_vocab *v, int32_t left, int32_t right)
{
    uint64_t pair = ls_vocab_pair(left, right), mask = v->n_merge_slots - 1;
    for (uint64_t i = ls_vocab_pair_hash(pair) & mask;; i = (i + 1) & mask) {
        if (v->merges[i].pair == pair)
            return &v->merges[i];
        if (v->merges[i].pair == UINT64_MAX)
            return NULL;
    }
}

#endif
