/* Encodings of Parquet pages: runs of levels and indices, and values.
 *
 * Decoders are iterators over borrowed bytes: nothing is unpacked ahead, so a page costs its own
 * bytes and no more, whatever it claims.  A `false` means that the bytes ran out or make no sense.
 * Source: apache/parquet-format, Encodings.md. */
#ifndef LS_FORMATS_PARQUET_DECODE_H
#define LS_FORMATS_PARQUET_DECODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/str.h"
#include "formats/parquet/file.h"

typedef struct ls_hybrid { /* RLE / bit-packed hybrid */
    const unsigned char *at, *end;
    int width;     /* bits of a value, 0 to 32; at 0 all values are 0 */
    uint64_t left; /* values of the run                               */
    bool is_packed;
    uint32_t value; /* of a repeated run                     */
    uint64_t bit;   /* of a packed run: next bit from `base` */
    const unsigned char *base;
} ls_hybrid;

ls_hybrid ls_hybrid_open(const unsigned char *at, size_t n, int width);
bool ls_hybrid_next(ls_hybrid *h, uint32_t *out);
/* Bits that hold 0..max. */
int ls_bit_width(uint32_t max);

typedef struct ls_delta { /* DELTA_BINARY_PACKED */
    const unsigned char *at, *end;
    uint64_t n_left, mini_size, n_minis; /* values to come; of a miniblock; miniblocks of a block */
    uint64_t mini, in_mini;              /* miniblock at work, values left in it                  */
    int64_t last, min_delta;
    const unsigned char *widths, *bits;
    uint64_t bit;
    bool has_last;
} ls_delta;

bool ls_delta_open(ls_delta *d, const unsigned char *at, const unsigned char *end);
bool ls_delta_next(ls_delta *d, int64_t *out);
/* Walks over all values; the bytes after them, NULL when they are damaged. */
const unsigned char *ls_delta_end(ls_delta d);

typedef struct ls_raw { /* one value: little-endian number or bytes, borrowed */
    const unsigned char *bytes;
    size_t n;
} ls_raw;

typedef struct ls_dictionary {
    ls_str page;       /* its bytes        */
    uint32_t *offsets; /* (n + 1), of byte arrays; NULL for types of fixed width */
    uint32_t n;
    size_t width;
} ls_dictionary;

typedef enum ls_encoding {
    LS_ENCODING_PLAIN = 0,
    LS_ENCODING_PLAIN_DICTIONARY = 2,
    LS_ENCODING_RLE = 3,
    LS_ENCODING_DELTA = 5,
    LS_ENCODING_DELTA_LENGTH = 6,
    LS_ENCODING_DELTA_BYTES = 7,
    LS_ENCODING_RLE_DICTIONARY = 8,
    LS_ENCODING_SPLIT = 9
} ls_encoding;

typedef struct ls_values { /* the values of one page */
    ls_encoding encoding;
    ls_parquet_type type;
    size_t width; /* bytes of a value, 0 for byte arrays */
    const unsigned char *at, *end;
    uint64_t bit; /* of plain booleans; index of split values */
    ls_hybrid indices;
    ls_delta numbers, lengths; /* lengths: of suffixes with DELTA_BYTES */
    const ls_dictionary *dictionary;
    unsigned char scratch[16];
    ls_str last; /* DELTA_BYTES: the value before */
} ls_values;

/* Bytes of a value of a type of fixed width, 0 for booleans and byte arrays. */
size_t ls_parquet_width(const ls_parquet_node *leaf);
/* Begins a page: the bytes of its values.  Errors: LEASH_UNSUPPORTED / LEASH_FORMAT without a
 * place. */
leash_status ls_values_open(ls_values *v, const ls_parquet_node *leaf, int encoding,
                            const unsigned char *at, size_t n,
                            const ls_dictionary *dictionary) LEASH_MUST_USE;
/* The next value, valid until the next call. */
bool ls_values_next(ls_values *v, ls_raw *out);
void ls_values_release(ls_values *v);

/* Takes d->page, already filled, as `n` plain values. */
bool ls_dictionary_index(ls_dictionary *d, const ls_parquet_node *leaf, uint64_t n);
void ls_dictionary_release(ls_dictionary *d);

#endif
