/* Blocks through zlib, zstd and snappy. */
#include "formats/codec.h"

#include <snappy-c.h>
#include <stdint.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#define FIRST_ROOM ((size_t)64 << 10)
/* A copy of snappy's takes 2 bytes at the least and gives 64 at the most. */
#define SNAPPY_MOST_RATIO 32

static leash_status fail_size(size_t found, size_t claimed)
{
    return ls_fail(LEASH_FORMAT, "decompresses to %s%zu bytes, %zu are claimed",
                   found > claimed ? "at least " : "", found, claimed);
}

/* Makes room at the end of what is there: twice as much each time, never more than claimed and one
 * byte that tells a block that gives too much. */
static size_t grow(ls_str *out, size_t done, size_t claimed)
{
    size_t room = done ? done : FIRST_ROOM;
    if (room > claimed - done + 1)
        room = claimed - done + 1;
    ls_str_reserve(out, room);
    return room;
}

static leash_status inflate_block(ls_str *out, const unsigned char *bytes, size_t n, size_t claimed)
{
    z_stream z = {.next_in = (unsigned char *)bytes, .avail_in = (uInt)n};
    size_t done = 0;
    int code = Z_OK;
    if (n > UINT32_MAX)
        return ls_fail(LEASH_FORMAT, "the gzip block has %zu bytes, too many", n);
    if (inflateInit2(&z, 15 + 32) != Z_OK) /* 32: gzip or zlib header */
        return ls_fail(LEASH_FAILED, "zlib cannot start");
    while (code == Z_OK && done <= claimed) {
        size_t room = grow(out, done, claimed);
        z.next_out = (unsigned char *)out->data + out->len;
        z.avail_out = (uInt)room;
        code = inflate(&z, Z_NO_FLUSH);
        size_t got = room - z.avail_out;
        out->len += got;
        done += got;
        if (code == Z_STREAM_END && z.avail_in > 0 && done <= claimed)
            code = inflateReset(&z); /* the next member */
        else if (got == 0 && z.avail_in == 0 && code == Z_OK)
            code = Z_BUF_ERROR;
    }
    out->data[out->len] = 0;
    inflateEnd(&z);
    if (done > claimed)
        return fail_size(done, claimed);
    if (code != Z_STREAM_END)
        return ls_fail(LEASH_FORMAT, "the gzip block is %s",
                       code == Z_BUF_ERROR ? "cut off" : "damaged");
    return done == claimed ? LEASH_OK : fail_size(done, claimed);
}

static leash_status expand_zstd(ls_str *out, const unsigned char *bytes, size_t n, size_t claimed)
{
    ZSTD_DStream *z = ZSTD_createDStream();
    ZSTD_inBuffer in = {bytes, n, 0};
    size_t done = 0, left = 1;
    if (!z)
        return ls_fail(LEASH_MEMORY, "zstd cannot start");
    while (left != 0 && !ZSTD_isError(left) && done <= claimed) {
        size_t room = grow(out, done, claimed), before = in.pos;
        ZSTD_outBuffer to = {out->data + out->len, room, 0};
        left = ZSTD_decompressStream(z, &to, &in);
        out->len += to.pos;
        done += to.pos;
        if (left == 0 && in.pos < in.size)
            left = 1; /* the next frame */
        else if (to.pos == 0 && in.pos == before)
            break;
    }
    out->data[out->len] = 0;
    ZSTD_freeDStream(z);
    if (ZSTD_isError(left))
        return ls_fail(LEASH_FORMAT, "the zstd block is damaged: %s", ZSTD_getErrorName(left));
    if (left == 0 && done == claimed)
        return LEASH_OK;
    return left && done <= claimed ? ls_fail(LEASH_FORMAT, "the zstd block is cut off")
                                   : fail_size(done, claimed);
}

static leash_status expand_snappy(ls_str *out, const unsigned char *bytes, size_t n, size_t claimed)
{
    size_t size = 0;
    if (snappy_uncompressed_length((const char *)bytes, n, &size) != SNAPPY_OK)
        return ls_fail(LEASH_FORMAT, "the snappy block is damaged");
    if (size != claimed)
        return fail_size(size, claimed);
    if (size / SNAPPY_MOST_RATIO > n)
        return ls_fail(LEASH_FORMAT, "%zu bytes of snappy cannot hold the %zu that are claimed", n,
                       claimed);
    ls_str_reserve(out, size);
    if (snappy_uncompress((const char *)bytes, n, out->data + out->len, &size) != SNAPPY_OK)
        return ls_fail(LEASH_FORMAT, "the snappy block is damaged");
    out->len += size;
    out->data[out->len] = 0;
    return LEASH_OK;
}

leash_status ls_decompress(ls_str *out, int codec, const unsigned char *bytes, size_t n,
                           size_t claimed)
{
    static const char *const names[] = {"none",   "snappy", "gzip", "lzo",
                                        "brotli", "lz4",    "zstd", "lz4_raw"};
    switch (codec) {
    case LS_CODEC_NONE:
        if (n != claimed)
            return ls_fail(LEASH_FORMAT, "has %zu bytes, %zu are claimed", n, claimed);
        ls_str_append_n(out, (const char *)bytes, n);
        return LEASH_OK;
    case LS_CODEC_SNAPPY: return expand_snappy(out, bytes, n, claimed);
    case LS_CODEC_GZIP: return inflate_block(out, bytes, n, claimed);
    case LS_CODEC_ZSTD: return expand_zstd(out, bytes, n, claimed);
    default:
        return ls_fail(LEASH_UNSUPPORTED,
                       "compressed with %s (codec %d); none, snappy, gzip and zstd are read: write "
                       "the file with one of them",
                       codec >= 0 && codec < (int)LS_COUNT(names) ? names[codec] : "an unknown one",
                       codec);
    }
}
