/* Unicode by libutf8proc.  ASCII, most of all text, never reaches the library. */
#include "text/unicode.h"

#include <stdlib.h>

#include <utf8proc.h>

#include "base/mem.h"

#define L (LS_LETTER | LS_WORD)
#define N (LS_NUMBER | LS_WORD)
#define P LS_PUNCTUATION
#define S LS_SPACE
#define R (LS_SPACE | LS_NEWLINE)
const unsigned char ls_ascii_classes[128] = {
    0, 0, 0, 0, 0, 0, 0, 0, 0, S, R, S, S, R, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, S, P, P, P, P, P, P, P, P, P, P, P, P, P, P, P,
    N, N, N, N, N, N, N, N, N, N, P, P, P, P, P, P, P, L, L, L, L, L, L, L,
    L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, P, P, P, P, P | LS_WORD, /* _ */
    P, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L, L,
    L, L, L, P, P, P, P, 0};
#undef L
#undef N
#undef P
#undef S
#undef R

static bool is_space(uint32_t c)
{
    return (c >= 9 && c <= 13) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
           (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f ||
           c == 0x205f || c == 0x3000;
}

/* Symbols that are alphabetic all the same (Other_Alphabetic), and the two joiners. */
static bool is_word_symbol(uint32_t c)
{
    return (c >= 0x24b6 && c <= 0x24e9) || (c >= 0x1f130 && c <= 0x1f149) ||
           (c >= 0x1f150 && c <= 0x1f169) || (c >= 0x1f170 && c <= 0x1f189) || c == 0x200c ||
           c == 0x200d;
}

unsigned ls_unicode_class_of(uint32_t codepoint)
{
    if (codepoint < 0x80)
        return ls_ascii_classes[codepoint];
    switch (utf8proc_category((utf8proc_int32_t)codepoint)) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return LS_LETTER | LS_WORD;
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_MC:
    case UTF8PROC_CATEGORY_ME: return LS_MARK | LS_WORD;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL: return LS_NUMBER | LS_WORD;
    case UTF8PROC_CATEGORY_NO: return LS_NUMBER;
    case UTF8PROC_CATEGORY_PC: return LS_PUNCTUATION | LS_WORD;
    case UTF8PROC_CATEGORY_PD:
    case UTF8PROC_CATEGORY_PS:
    case UTF8PROC_CATEGORY_PE:
    case UTF8PROC_CATEGORY_PI:
    case UTF8PROC_CATEGORY_PF:
    case UTF8PROC_CATEGORY_PO: return LS_PUNCTUATION;
    default: return is_space(codepoint) ? LS_SPACE : is_word_symbol(codepoint) ? LS_WORD : 0;
    }
}

/* Characters below `limit` are their own normal form and combine with nothing before them, so a
 * text of them alone is left as it is: U+0300 is the first mark that composes, U+00C0 the first
 * letter that decomposes, U+00A0 the first compatibility character. */
static bool is_normal(const char *text, size_t n, ls_normal_form form)
{
    uint32_t limit = form == LS_NFC ? 0x300 : form == LS_NFD ? 0xc0 : 0xa0;
    for (size_t i = 0, length; i < n; i += length)
        if (ls_utf8_at(text + i, &length) >= limit)
            return false;
    return true;
}

void ls_unicode_normalize(ls_str *out, const char *text, size_t n, ls_normal_form form)
{
    if (is_normal(text, n, form)) {
        ls_str_append_n(out, text, n);
        return;
    }
    static const utf8proc_option_t options[] = {
        [LS_NFC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE,
        [LS_NFD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE,
        [LS_NFKC] = UTF8PROC_STABLE | UTF8PROC_COMPOSE | UTF8PROC_COMPAT,
        [LS_NFKD] = UTF8PROC_STABLE | UTF8PROC_DECOMPOSE | UTF8PROC_COMPAT};
    const utf8proc_uint8_t *bytes = (const utf8proc_uint8_t *)text;
    utf8proc_ssize_t room = (utf8proc_ssize_t)n + 32;
    utf8proc_int32_t *codes = ls_malloc(ls_mul_size((size_t)room, sizeof *codes));
    utf8proc_ssize_t n_codes =
        utf8proc_decompose(bytes, (utf8proc_ssize_t)n, codes, room, options[form]);
    if (n_codes > room) {
        room = n_codes;
        codes = ls_realloc(codes, ls_mul_size((size_t)room, sizeof *codes));
        n_codes = utf8proc_decompose(bytes, (utf8proc_ssize_t)n, codes, room, options[form]);
    }
    LS_ASSERT(n_codes >= 0 && n_codes <= room); /* negative: invalid UTF-8, excluded above */
    n_codes = utf8proc_normalize_utf32(codes, n_codes, options[form]);
    LS_ASSERT(n_codes >= 0);
    ls_str_reserve(out, (size_t)n_codes * 4);
    for (utf8proc_ssize_t i = 0; i < n_codes; i++) {
        char utf8[5];
        ls_str_append_n(out, utf8, ls_utf8_put(utf8, (uint32_t)codes[i]));
    }
    ls_free(codes);
}

void ls_unicode_lower(ls_str *out, const char *text, size_t n)
{
    for (size_t i = 0, length; i < n; i += length) {
        uint32_t c = ls_utf8_at(text + i, &length);
        char utf8[5];
        if (c < 0x80) {
            ls_str_append_char(out, (char)(c >= 'A' && c <= 'Z' ? c + 32 : c));
        } else if (c == 0x130) { /* the only one whose lower case is two characters */
            ls_str_append_n(out, "i\xcc\x87", 3);
        } else {
            uint32_t low = (uint32_t)utf8proc_tolower((utf8proc_int32_t)c);
            ls_str_append_n(out, utf8, ls_utf8_put(utf8, low));
        }
    }
}

void ls_unicode_strip_accents(ls_str *out, const char *text, size_t n)
{
    for (size_t i = 0, length; i < n; i += length) {
        if (!(ls_class_at(text + i, &length) & LS_MARK))
            ls_str_append_n(out, text + i, length);
    }
}
