/* Unicode scalar values out of bytes and back, strictly: overlong forms, surrogates and values
 * above U+10FFFF are invalid. */
#ifndef LS_TEXT_UTF8_H
#define LS_TEXT_UTF8_H

#include <stddef.h>
#include <stdint.h>

/* Reads one character at `at` of the `n` >= 1 bytes left.  Returns its length in bytes (1 to 4), 0
 * when the bytes are no UTF-8. */
size_t ls_utf8_next(uint32_t *codepoint, const char *at, size_t n);
/* Writes the bytes of a character and a NUL; returns the number of bytes. */
size_t ls_utf8_put(char out[5], uint32_t codepoint);

#endif
