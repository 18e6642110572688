/* One leaf column of a row group as a stream of (repetition level, definition level, value).
 *
 *     LS_TRY(ls_column_peek(c));         levels of the next entry, or is_at_end
 *     LS_TRY(ls_column_take(c, &raw));   moves past it; raw.bytes is NULL where there is no value
 *
 * One page is in memory at a time, beside the dictionary. */
#ifndef LS_FORMATS_PARQUET_COLUMN_H
#define LS_FORMATS_PARQUET_COLUMN_H

#include "formats/parquet/decode.h"

typedef struct ls_column {
    const ls_parquet_footer *footer;
    const ls_parquet_node *leaf;
    int32_t index; /* of the leaf          */
    int64_t group; /* row group, for messages */
    int32_t codec;
    const unsigned char *at, *end; /* pages to come */
    int64_t n_left;                /* entries of the chunk to come, with those of the page */
    int64_t n_page;                /* of the page                                          */
    ls_str page;
    ls_hybrid reps, defs;
    ls_values values;
    ls_dictionary dictionary;
    bool has_dictionary;
    bool has_levels, is_at_end; /* of what was peeked */
    uint32_t rep, def;
} ls_column;

void ls_column_init(ls_column *c, const ls_parquet_footer *footer, const ls_parquet_node *leaf,
                    int32_t index);
void ls_column_release(ls_column *c);
void ls_column_begin(ls_column *c, int64_t group);
leash_status ls_column_peek(ls_column *c) LEASH_MUST_USE;
leash_status ls_column_take(ls_column *c, ls_raw *out) LEASH_MUST_USE;
/* "FILE: row group 1, column a.b: " before the text. */
leash_status ls_column_fail(const ls_column *c, const char *what);

#endif
