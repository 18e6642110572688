/* The merges of a SentencePiece BPE model, which has scores in their place.  Private to src/text.
 * */
#ifndef LS_TEXT_SPM_MERGES_H
#define LS_TEXT_SPM_MERGES_H

#include "text/vocab.h"

/* Adds a merge for every way to cut a token into two tokens.  The better the token's score, the
 * earlier; of equal scores longer left parts first, then longer right ones, then smaller ids: the
 * order in which transformers converts such models.  scores (v->n_ids). */
void ls_spm_merges(ls_vocab *v, const double *scores);

#endif
