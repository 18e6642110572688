/* Words to ids: the Unigram model of SentencePiece, where the pieces of a text are those whose
 * scores (log-probabilities) have the largest sum.
 *
 * The best path is found from left to right over the characters; on equal sums the piece that
 * starts first stays.  A character that no piece of its length covers costs 10 less than the least
 * score; neighbours of that kind are one text, which becomes the tokens of its bytes (with
 * byte_fallback, if there are all) or one unk.
 * Source: google/sentencepiece, unigram_model.cc, as the Hugging Face library follows it. */
#ifndef LS_TEXT_UNIGRAM_H
#define LS_TEXT_UNIGRAM_H

#include "text/bpe.h"

/* The pieces as a tree of bytes.  Children of a node stand side by side, sorted. */
typedef struct ls_piece_node {
    int32_t first, token; /* first child; id of the piece that ends here, -1: none */
    int16_t n_children;   /* 0 .. 256 */
} ls_piece_node;

typedef struct ls_unigram {
    const ls_vocab *vocab; /* with scores; of the pipeline */
    ls_piece_node *nodes;
    unsigned char *bytes; /* by which a node is reached from its parent */
    int32_t n_nodes, cap;
    int32_t n_pieces; /* ids from here on are added tokens */
    int32_t unk;      /* -1: none */
    bool byte_fallback;
    int32_t symbols[256]; /* id of "<0xNN>", -1: none */
    double unk_score;
} ls_unigram;

/* Before tokens are added to the vocabulary, which stays where it is. */
void ls_unigram_init(ls_unigram *u, const ls_vocab *vocab, int32_t unk, bool byte_fallback);
void ls_unigram_release(ls_unigram *u);

/* Memory of one running encoding. */
typedef struct ls_unigram_work {
    struct ls_best_end *ends;
    int64_t cap;
    struct ls_unigram_span *spans;
    int64_t n_spans, cap_spans;
} ls_unigram_work;
void ls_unigram_work_release(ls_unigram_work *work);

/* Appends the ids of a text of 1 byte or more.  Errors: LEASH_DATA for a text of more than 512 MiB
 * and for an unknown character where the model has no unk. */
leash_status ls_unigram_encode(const ls_unigram *u, ls_unigram_work *work, ls_ids *out,
                               const char *text, size_t n) LEASH_MUST_USE;

#endif
