/* A weight as its file stores it: a type, bytes, and in which order the values stand.
 *
 * Most weights stand row by row as the model wants them.  What may differ: the order of rows (GGUF
 * files of Llama's relatives have the rows of q and k in pairs for another rotation; those of
 * GPT-NeoX have q, k and v apart), matrices stored transposed (GPT-2 in Hugging Face folders), and
 * gains stored with one added (Gemma in GGUF). */
#ifndef LS_FORMATS_STORED_H
#define LS_FORMATS_STORED_H

#include "base/str.h"
#include "model/model.h"

typedef enum ls_row_order {
    LS_ROWS_AS_THEY_ARE,
    LS_ROWS_IN_PAIRS, /* in each of `heads` heads of D rows, row 2i+p is ours p*(D/2) + i */
    LS_ROWS_BY_KIND,  /* all q, all k, all v; ours go head by head, in each q, k, v */
} ls_row_order;

typedef struct ls_stored {
    const char *name, *path;   /* in the file; the file */
    const char *type_name;     /* "Q4_K" */
    const ls_quant_type *type; /* NULL: cannot be computed with */
    const unsigned char *data;
    int64_t shape[4]; /* as stored, last index fastest */
    int32_t rank;
    ls_row_order order;
    int64_t heads;
    bool is_transposed;
    float added;
} ls_stored;

/* Gains and biases: one row in the model, one dimension in files. */
static inline bool ls_is_vector(const ls_weight *w)
{
    return w->rows == 1 && !w->is_decayed;
}
/* Whether the shape is that of the weight. */
bool ls_stored_fits(const ls_stored *s, const ls_weight *w);
/* Appends " [3,4] instead of [4,3]". */
void ls_stored_describe(ls_str *out, const ls_stored *s, const ls_weight *w);
/* The type in which a model can keep the bytes; NULL: only floats can be made of them. */
const ls_quant_type *ls_stored_type(const ls_stored *s);
/* Gives the weight of the model its values; shapes fit.  Errors: LEASH_UNSUPPORTED naming a type
 * that cannot be computed with. */
leash_status ls_stored_put(ls_model *model, ls_weight *w, const ls_stored *s) LEASH_MUST_USE;
/* Row of the file that is row i of `rows` of ours. */
int64_t ls_stored_row(ls_row_order order, int64_t heads, int64_t rows, int64_t i);

#endif
