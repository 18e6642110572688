/* UTF-8 by the table of the Unicode standard (section 3.9, well-formed byte sequences).  Nothing
 * here allocates. */
#include "text/utf8.h"

#include <string.h>

#include "base/err.h"

static uint32_t continuation(unsigned char byte)
{
    return byte & 0x3fu;
}

size_t ls_utf8_next(uint32_t *codepoint, const char *at, size_t n)
{
    const unsigned char *b = (const unsigned char *)at;
    if (b[0] < 0x80) {
        *codepoint = b[0];
        return 1;
    }
    size_t length = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
    if (b[0] < 0xc2 || b[0] > 0xf4 || n < length)
        return 0;
    for (size_t i = 1; i < length; i++)
        if ((b[i] & 0xc0) != 0x80)
            return 0;
    uint32_t c;
    if (length == 2)
        c = (b[0] & 0x1fu) << 6 | continuation(b[1]);
    else if (length == 3)
        c = (b[0] & 0x0fu) << 12 | continuation(b[1]) << 6 | continuation(b[2]);
    else
        c = (b[0] & 0x07u) << 18 | continuation(b[1]) << 12 | continuation(b[2]) << 6 |
            continuation(b[3]);
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    if (c < least[length] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    *codepoint = c;
    return length;
}

size_t ls_utf8_put(char out[5], uint32_t codepoint)
{
    LS_ASSERT(codepoint <= 0x10ffff);
    static const unsigned char lead[5] = {0, 0, 0xc0, 0xe0, 0xf0};
    size_t n = codepoint < 0x80 ? 1 : codepoint < 0x800 ? 2 : codepoint < 0x10000 ? 3 : 4;
    out[n] = 0;
    for (size_t i = n; i-- > 1; codepoint >>= 6)
        out[i] = (char)(0x80u | (codepoint & 0x3fu));
    out[0] = (char)(lead[n] | codepoint);
    return n;
}

/* Length of the maximal subpart of a character that starts at an invalid place, at least 1; *is_cut
 * when it would be valid with more bytes than there are. */
static size_t invalid_length(const char *at, size_t n, bool *is_cut)
{
    const unsigned char *b = (const unsigned char *)at;
    size_t length = b[0] >= 0xf0 ? 4 : b[0] >= 0xe0 ? 3 : 2;
    *is_cut = false;
    if (b[0] < 0xc2 || b[0] > 0xf4)
        return 1;
    /* The second byte has a narrower range after some first bytes. */
    unsigned low = b[0] == 0xe0 ? 0xa0 : b[0] == 0xf0 ? 0x90 : 0x80;
    unsigned high = b[0] == 0xed ? 0x9f : b[0] == 0xf4 ? 0x8f : 0xbf;
    size_t used = 1;
    for (; used < length && used < n; used++, low = 0x80, high = 0xbf)
        if (b[used] < low || b[used] > high)
            return used;
    *is_cut = used < length;
    return used;
}

size_t ls_utf8_valid_length(const char *bytes, size_t n)
{
    size_t at = 0;
    while (at < n) {
        uint64_t eight;
        if (at + 8 <= n) {
            memcpy(&eight, bytes + at, 8);
            if ((eight & 0x8080808080808080u) == 0) {
                at += 8;
                continue;
            }
        }
        uint32_t codepoint;
        size_t length = ls_utf8_next(&codepoint, bytes + at, n - at);
        if (length == 0)
            break;
        at += length;
    }
    return at;
}

size_t ls_utf8_repair(ls_str *out, const char *bytes, size_t n, bool is_end, int64_t *n_replaced)
{
    size_t at = 0;
    while (at < n) {
        size_t valid = ls_utf8_valid_length(bytes + at, n - at);
        ls_str_append_n(out, bytes + at, valid);
        at += valid;
        if (at == n)
            break;
        bool is_cut;
        size_t length = invalid_length(bytes + at, n - at, &is_cut);
        if (is_cut && !is_end)
            break;
        ls_str_append_n(out, "\xef\xbf\xbd", 3);
        ++*n_replaced;
        at += length;
    }
    return at;
}
