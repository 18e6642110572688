/* gzip, zstd and plain bytes behind one stream: any bytes give a text or an error, the same however
 * much is asked for at once.  Blocks of Parquet pages: ls_decompress gives what is claimed or an
 * error.
 *
 * The first byte chooses the step and the codec; the rest is the file. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "data/stream.h"
#include "formats/codec.h"

#define MOST_BYTES ((size_t)4 << 20) /* of an output: small files may claim gigabytes */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static leash_status read_all(ls_str *out, const uint8_t *data, size_t n, size_t step)
{
    ls_stream *stream = NULL;
    LS_TRY(ls_stream_open_memory(&stream, (const char *)data, n, "fuzz"));
    leash_status status = LEASH_OK;
    while (status == LEASH_OK && out->len < MOST_BYTES) {
        status = ls_stream_need(stream, step);
        size_t left = ls_stream_left(stream), taken = left < step ? left : step;
        if (status != LEASH_OK || left == 0)
            break;
        ls_str_append_n(out, ls_stream_data(stream), taken);
        ls_stream_take(stream, taken);
    }
    ls_stream_free(stream);
    return status;
}

static void check_stream(const uint8_t *data, size_t n, size_t step)
{
    ls_str a = LS_STR_INIT, b = LS_STR_INIT;
    leash_status first = read_all(&a, data, n, step), second = read_all(&b, data, n, 65536);
    if (a.len < MOST_BYTES && b.len < MOST_BYTES) {
        LS_ASSERT_EQ(first, second);
        size_t both = a.len < b.len ? a.len : b.len;
        LS_ASSERT(first != LEASH_OK || a.len == b.len);
        LS_ASSERT(memcmp(a.data, b.data, both) == 0);
    }
    ls_str_release(&a);
    ls_str_release(&b);
}

static void check_block(const uint8_t *data, size_t n, int codec)
{
    if (n < 2)
        return;
    size_t claimed = (size_t)data[0] | (size_t)data[1] << 8;
    ls_str out = LS_STR_INIT;
    if (ls_decompress(&out, codec, data + 2, n - 2, claimed) == LEASH_OK)
        LS_ASSERT_EQ(out.len, claimed);
    ls_str_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    if (data[0] & 0x80)
        check_block(data + 1, n - 1, data[0] & 7);
    else
        check_stream(data + 1, n - 1, (size_t)1 << (data[0] & 15));
    return 0;
}
