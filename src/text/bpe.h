/* Words to ids: the BPE model.
 *
 * A word starts as one symbol a character (or a byte); then the neighbours with the lowest rank
 * merge, the leftmost first, until none do.  Words of a real text repeat, so ids of short words are
 * kept; results do not depend on it. */
#ifndef LS_TEXT_BPE_H
#define LS_TEXT_BPE_H

#include "base/err.h"
#include "text/vocab.h"

typedef struct ls_bpe {
    ls_vocab vocab;
    bool is_byte_level; /* symbols are bytes, else characters */
    bool byte_fallback; /* a character without token becomes its bytes */
    bool fuses_unk, ignores_merges;
    int32_t unk;          /* -1: none */
    int32_t symbols[256]; /* byte level: id of a byte; else of "<0xNN>"; -1: none */
    int32_t ascii[128];   /* not byte level: id of a character */
    /* A word may be cut before a '\u2581' that follows something else, where no merge reaches
     * across: none does but behind the bytes that are marked. */
    bool cuts_at_space_sign;
    bool reaches_across[256];
} ls_bpe;

/* Growing ids. */
typedef struct ls_ids {
    int32_t *ids;
    int64_t n, cap;
} ls_ids;
void ls_ids_reserve(ls_ids *ids, int64_t n_more);

/* Memory of one running encoding. */
typedef struct ls_bpe_work ls_bpe_work;
ls_bpe_work *ls_bpe_work_new(void);
void ls_bpe_work_free(ls_bpe_work *work);

/* Fills what follows from the vocabulary and the flags. */
void ls_bpe_finish(ls_bpe *bpe);
/* Appends the ids of a word of 1 byte or more.  Errors: LEASH_DATA for a word of more than 512
 * MiB. */
leash_status ls_bpe_encode(const ls_bpe *bpe, ls_bpe_work *work, ls_ids *out, const char *word,
                           size_t n) LEASH_MUST_USE;
/* The symbol of a byte in a byte-level vocabulary, and back (-1 for other characters). */
uint32_t ls_byte_symbol(unsigned char byte);
int ls_byte_of_symbol(uint32_t codepoint);

#endif
