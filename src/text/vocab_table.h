/* How the reader of tokenizer.json fills a vocabulary.  Private to vocab.c and vocab_json.c. */
#ifndef LS_TEXT_VOCAB_TABLE_H
#define LS_TEXT_VOCAB_TABLE_H

#include "text/vocab.h"

/* Empty, with room for a file of this size. */
void ls_vocab_init(ls_vocab *v, size_t n_json);
/* Takes the next rank.  A pair that stands twice keeps its last rank, as in the Hugging Face
 * library. */
void ls_vocab_add_merge(ls_vocab *v, int32_t left, int32_t right, int32_t id);

#endif
