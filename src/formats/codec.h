/* Decompression of one block whose size is known: the pages of Parquet files.
 *
 * The claimed size is a claim: memory grows with what really comes out, and a block that gives more
 * or fewer bytes than claimed is an error.  Streams of unknown length are read by data/stream.h. */
#ifndef LS_FORMATS_CODEC_H
#define LS_FORMATS_CODEC_H

#include <stddef.h>
#include "base/err.h"
#include "base/str.h"

typedef enum ls_codec { /* values of Parquet's CompressionCodec */
                        LS_CODEC_NONE = 0,
                        LS_CODEC_SNAPPY = 1,
                        LS_CODEC_GZIP = 2,
                        LS_CODEC_ZSTD = 6
} ls_codec;

/* Appends exactly `claimed` bytes to out.  Errors: LEASH_FORMAT with what is wrong (the caller adds
 * where), LEASH_UNSUPPORTED for a codec that is none of these, named. */
leash_status ls_decompress(ls_str *out, int codec, const unsigned char *bytes, size_t n,
                           size_t claimed) LEASH_MUST_USE;

#endif
