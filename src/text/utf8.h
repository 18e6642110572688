/* Unicode scalar values out of bytes and back, strictly: overlong forms, surrogates and values
 * above U+10FFFF are invalid. */
#ifndef LS_TEXT_UTF8_H
#define LS_TEXT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/str.h"

/* Reads one character at `at` of the `n` >= 1 bytes left.  Returns its length in bytes (1 to 4), 0
 * when the bytes are no UTF-8. */
size_t ls_utf8_next(uint32_t *codepoint, const char *at, size_t n);
/* Writes the bytes of a character and a NUL; returns the number of bytes. */
size_t ls_utf8_put(char out[5], uint32_t codepoint);

/* Appends bytes as valid UTF-8: each maximal invalid subpart becomes one U+FFFD (the practice
 * recommended by the Unicode standard, section 3.9).  An unfinished character at the end is left
 * for later unless `is_end`.  Returns the number of bytes used, and adds the number of U+FFFD made
 * to *n_replaced. */
size_t ls_utf8_repair(ls_str *out, const char *bytes, size_t n, bool is_end, int64_t *n_replaced);
/* Length of the longest valid beginning. */
size_t ls_utf8_valid_length(const char *bytes, size_t n);

/* The character at `at` of text that is known to be valid; its length goes to *n. */
static inline uint32_t ls_utf8_at(const char *at, size_t *n)
{
    const unsigned char *b = (const unsigned char *)at;
    *n = b[0] < 0x80 ? 1 : b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
    switch (*n) {
    case 1: return b[0];
    case 2: return (b[0] & 0x1fu) << 6 | (b[1] & 0x3fu);
    case 3: return (b[0] & 0x0fu) << 12 | (b[1] & 0x3fu) << 6 | (b[2] & 0x3fu);
    default:
        return (b[0] & 0x07u) << 18 | (b[1] & 0x3fu) << 12 | (b[2] & 0x3fu) << 6 | (b[3] & 0x3fu);
    }
}

#endif
