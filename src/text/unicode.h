/* What the pipelines need to know of Unicode: classes of characters, normal forms, lower case.
 *
 * Tables are those of libutf8proc (Debian 12: Unicode 15.0; PCRE2's: 14).  The library that models
 * were trained with may have newer ones: characters added to Unicode since then may be cut
 * differently.  All text here is valid UTF-8. */
#ifndef LS_TEXT_UNICODE_H
#define LS_TEXT_UNICODE_H

#include "base/err.h"
#include "base/str.h"
#include "text/utf8.h"

enum {
    LS_LETTER = 1,       /* \p{L} */
    LS_MARK = 2,         /* \p{M} */
    LS_NUMBER = 4,       /* \p{N}: decimal digits, letter numbers and others alike */
    LS_SPACE = 8,        /* White_Space: not U+180E, U+200B or U+FEFF */
    LS_NEWLINE = 16,     /* carriage return and line feed, which are LS_SPACE too */
    LS_PUNCTUATION = 32, /* \p{P}, and of ASCII the symbols too */
    LS_WORD = 64         /* \w: alphabetic, marks, decimal digits, connectors, joiners */
};
extern const unsigned char ls_ascii_classes[128];
unsigned ls_unicode_class_of(uint32_t codepoint);

/* Class bits of the character at `at`; its length goes to *n. */
static inline unsigned ls_class_at(const char *at, size_t *n)
{
    if ((unsigned char)*at < 0x80) {
        *n = 1;
        return ls_ascii_classes[(unsigned char)*at];
    }
    return ls_unicode_class_of(ls_utf8_at(at, n));
}

typedef enum ls_normal_form { LS_NFC, LS_NFD, LS_NFKC, LS_NFKD } ls_normal_form;
/* Appends the normal form of text. */
void ls_unicode_normalize(ls_str *out, const char *text, size_t n, ls_normal_form form);
/* Appends text without its marks (\p{M}). */
void ls_unicode_strip_accents(ls_str *out, const char *text, size_t n);
/* Appends text with each character in lower case by itself (no context: no final sigma). */
void ls_unicode_lower(ls_str *out, const char *text, size_t n);

#endif
