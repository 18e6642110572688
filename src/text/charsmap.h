/* The "Precompiled" normalizer of tokenizer.json: SentencePiece's table of texts and what they
 * become, as a double array of their bytes.
 *
 * The table is applied as the Hugging Face library does: to a whole grapheme cluster of less than
 * 6 bytes first, of which the shortest beginning that has an entry decides, else to each character.
 * Clusters are those of libutf8proc (Unicode 15.0).
 * Source: huggingface/spm_precompiled; darts-clone's layout of a unit. */
#ifndef LS_TEXT_CHARSMAP_H
#define LS_TEXT_CHARSMAP_H

#include "base/err.h"
#include "base/str.h"

typedef struct ls_charsmap {
    uint32_t *units;
    size_t n_units;
    ls_str texts; /* what texts become, a NUL after each */
} ls_charsmap;

/* From base64.  False when it is none, or no such table. */
bool ls_charsmap_read(ls_charsmap *map, const char *base64, size_t n);
void ls_charsmap_release(ls_charsmap *map);
/* Appends the normal form of a valid text. */
void ls_charsmap_run(const ls_charsmap *map, ls_str *out, const char *text, size_t n);

#endif
