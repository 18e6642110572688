/* Files, memory, gzip and zstd behind one buffer. */
#include "data/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include "base/file.h"
#include "base/mem.h"

#define BLOCK ((size_t)256 << 10)

typedef enum packing { PACKED_NOT, PACKED_GZIP, PACKED_ZSTD } packing;

struct ls_stream {
    char *name;
    int fd;            /* -1: memory  */
    const char *bytes; /* memory left */
    size_t n_bytes;
    packing packing;
    bool is_raw_end, is_end; /* of the file; of what comes out of it            */
    unsigned char *raw;      /* (BLOCK) compressed bytes, [raw_at, raw_len) to go */
    size_t raw_at, raw_len;
    z_stream gzip;
    ZSTD_DStream *zstd;
    bool is_inside; /* of a member or frame: the end may not come here */
    ls_str buffer;
    size_t at; /* first byte that is not taken */
};

/* Up to n bytes as they stand in the file. */
static leash_status read_raw(ls_stream *s, char *out, size_t n, size_t *got)
{
    if (s->fd < 0) {
        *got = n < s->n_bytes ? n : s->n_bytes;
        memcpy(out, s->bytes, *got);
        s->bytes += *got;
        s->n_bytes -= *got;
    } else {
        ssize_t result;
        do
            result = read(s->fd, out, n);
        while (result < 0 && errno == EINTR);
        if (result < 0)
            return ls_fail_path("read", s->name, errno);
        *got = (size_t)result;
    }
    s->is_raw_end = *got == 0;
    return LEASH_OK;
}

static leash_status fail_packed(const ls_stream *s, const char *what)
{
    return ls_fail(LEASH_FORMAT, "%s: the %s data %s; fetch the file again", s->name,
                   s->packing == PACKED_GZIP ? "gzip" : "zstd", what);
}

static leash_status inflate_some(ls_stream *s, char *out, size_t room, size_t *got)
{
    s->gzip.next_in = s->raw + s->raw_at;
    s->gzip.avail_in = (uInt)(s->raw_len - s->raw_at);
    s->gzip.next_out = (unsigned char *)out;
    s->gzip.avail_out = (uInt)room;
    bool has_input = s->gzip.avail_in > 0;
    int code = inflate(&s->gzip, Z_NO_FLUSH);
    s->raw_at = s->raw_len - s->gzip.avail_in;
    *got = room - s->gzip.avail_out;
    if (code == Z_STREAM_END) {
        s->is_inside = false;
        code = inflateReset(&s->gzip);
    } else if (has_input) {
        s->is_inside = true;
    }
    return code == Z_OK || code == Z_BUF_ERROR ? LEASH_OK : fail_packed(s, "is damaged");
}

static leash_status expand_some(ls_stream *s, char *out, size_t room, size_t *got)
{
    ZSTD_inBuffer in = {s->raw, s->raw_len, s->raw_at};
    ZSTD_outBuffer to = {out, room, 0};
    size_t left = ZSTD_decompressStream(s->zstd, &to, &in);
    if (ZSTD_isError(left))
        return fail_packed(s, "is damaged");
    if (in.pos > s->raw_at || to.pos > 0)
        s->is_inside = left != 0;
    s->raw_at = in.pos;
    *got = to.pos;
    return LEASH_OK;
}

/* Adds a block to the buffer, or sets is_end. */
static leash_status read_block(ls_stream *s)
{
    ls_str *b = &s->buffer;
    ls_str_reserve(b, BLOCK);
    size_t got = 0;
    if (s->packing == PACKED_NOT) {
        LS_TRY(read_raw(s, b->data + b->len, BLOCK, &got));
        s->is_end = s->is_raw_end;
    }
    while (s->packing != PACKED_NOT && got == 0 && !s->is_end) {
        if (s->raw_at == s->raw_len && !s->is_raw_end) {
            s->raw_at = s->raw_len = 0;
            LS_TRY(read_raw(s, (char *)s->raw, BLOCK, &s->raw_len));
        }
        bool was_dry = s->raw_at == s->raw_len;
        LS_TRY(s->packing == PACKED_GZIP ? inflate_some(s, b->data + b->len, BLOCK, &got)
                                         : expand_some(s, b->data + b->len, BLOCK, &got));
        s->is_end = got == 0 && was_dry && s->is_raw_end;
        if (s->is_end && s->is_inside)
            return fail_packed(s, "is cut off");
    }
    b->len += got;
    b->data[b->len] = 0;
    return LEASH_OK;
}

/* Looks at the first bytes, which read_raw gave into the buffer. */
static leash_status find_packing(ls_stream *s)
{
    const unsigned char *p = (const unsigned char *)s->buffer.data;
    size_t n = s->buffer.len;
    if (n >= 2 && p[0] == 0x1f && p[1] == 0x8b)
        s->packing = PACKED_GZIP;
    else if (n >= 4 && memcmp(p, "\x28\xb5\x2f\xfd", 4) == 0)
        s->packing = PACKED_ZSTD;
    else
        return LEASH_OK;
    s->raw = ls_malloc(BLOCK);
    memcpy(s->raw, p, n);
    s->raw_len = n;
    ls_str_clear(&s->buffer);
    if (s->packing == PACKED_GZIP ? inflateInit2(&s->gzip, 15 + 16) != Z_OK
                                  : !(s->zstd = ZSTD_createDStream()))
        return ls_fail(LEASH_MEMORY, "%s: decompression cannot start", s->name);
    return LEASH_OK;
}

static leash_status start(ls_stream **out, ls_stream *s)
{
    size_t got = 0;
    ls_str_init(&s->buffer);
    ls_str_reserve(&s->buffer, BLOCK);
    leash_status status;
    do { /* the magic may come in pieces */
        status = read_raw(s, s->buffer.data + s->buffer.len, BLOCK - s->buffer.len, &got);
        s->buffer.len += status == LEASH_OK ? got : 0;
    } while (status == LEASH_OK && got > 0 && s->buffer.len < 4);
    s->buffer.data[s->buffer.len] = 0;
    if (status == LEASH_OK)
        status = find_packing(s);
    if (status == LEASH_OK)
        *out = s;
    else
        ls_stream_free(s);
    return status;
}

leash_status ls_stream_open(ls_stream **out, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return ls_fail_path("read", path, errno);
    ls_stream *s = ls_calloc(1, sizeof *s);
    s->fd = fd;
    s->name = ls_strdup(path);
    return start(out, s);
}

leash_status ls_stream_open_memory(ls_stream **out, const char *bytes, size_t n, const char *name)
{
    ls_stream *s = ls_calloc(1, sizeof *s);
    s->fd = -1;
    s->bytes = bytes;
    s->n_bytes = n;
    s->name = ls_strdup(name);
    return start(out, s);
}

void ls_stream_free(ls_stream *s)
{
    if (!s)
        return;
    if (s->fd >= 0)
        close(s->fd);
    if (s->packing == PACKED_GZIP)
        inflateEnd(&s->gzip);
    ZSTD_freeDStream(s->zstd);
    ls_free(s->raw);
    ls_str_release(&s->buffer);
    ls_free(s->name);
    ls_free(s);
}

leash_status ls_stream_need(ls_stream *s, size_t n)
{
    while (ls_stream_left(s) < n && !s->is_end) {
        /* What is taken goes before the buffer grows. */
        if (s->at > 0) {
            s->buffer.len -= s->at;
            memmove(s->buffer.data, s->buffer.data + s->at, s->buffer.len + 1);
            s->at = 0;
        }
        LS_TRY(read_block(s));
    }
    return LEASH_OK;
}

size_t ls_stream_left(const ls_stream *s)
{
    return s->buffer.len - s->at;
}

const char *ls_stream_data(const ls_stream *s)
{
    return s->buffer.data + s->at;
}

void ls_stream_take(ls_stream *s, size_t n)
{
    LS_ASSERT(n <= ls_stream_left(s));
    s->at += n;
}

bool ls_stream_is_at_end(const ls_stream *s)
{
    return s->is_end;
}

const char *ls_stream_name(const ls_stream *s)
{
    return s->name;
}
