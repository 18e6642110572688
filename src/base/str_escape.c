/* Foreign bytes made safe for JSON, HTML and terminals. */
#include "base/str.h"

#include "base/err.h"

#define REPLACEMENT "\xef\xbf\xbd" /* U+FFFD */

/* One code point, or the bytes to replace by one U+FFFD: the longest prefix of a valid sequence. */
typedef struct utf8_piece {
    int32_t code; /* -1 for bytes that are no UTF-8 */
    size_t bytes; /* at least 1 */
} utf8_piece;

/* The next code point of n >= 1 bytes, strict: no overlong forms, surrogates, or values past
 * U+10FFFF (Unicode, table 3-7). */
static utf8_piece next_piece(const char *text, size_t n)
{
    const unsigned char *b = (const unsigned char *)text;
    if (b[0] < 0x80)
        return (utf8_piece){b[0], 1};
    if (b[0] < 0xc2 || b[0] > 0xf4)
        return (utf8_piece){-1, 1};
    size_t want = b[0] < 0xe0 ? 2 : b[0] < 0xf0 ? 3 : 4;
    unsigned least = b[0] == 0xe0 ? 0xa0 : b[0] == 0xf0 ? 0x90 : 0x80;
    unsigned most = b[0] == 0xed ? 0x9f : b[0] == 0xf4 ? 0x8f : 0xbf;
    int32_t code = b[0] & (0x7f >> want);
    for (size_t i = 1; i < want; i++) {
        if (i >= n || b[i] < least || b[i] > most)
            return (utf8_piece){-1, i};
        code = code << 6 | (b[i] & 0x3f);
        least = 0x80;
        most = 0xbf;
    }
    return (utf8_piece){code, want};
}

bool ls_is_utf8(const char *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        utf8_piece piece = next_piece(bytes + at, n - at);
        if (piece.code < 0)
            return false;
        at += piece.bytes;
    }
    return true;
}

/* The picture of a C0 control character or DEL (U+2400 to U+2421). */
static void append_picture(ls_str *s, int32_t code)
{
    int32_t low = code == 0x7f ? 0x21 : code;
    ls_str_append_n(s, "\xe2\x90", 2);
    ls_str_append_char(s, (char)(0x80 | low));
}

static bool is_c0_or_delete(int32_t code)
{
    return (code >= 0 && code < 0x20) || code == 0x7f;
}

static bool is_c1(int32_t code)
{
    return code >= 0x80 && code < 0xa0;
}

/* The two-character escape of JSON, NULL when there is none. */
static const char *json_escape(int32_t code)
{
    switch (code) {
    case '"': return "\\\"";
    case '\\': return "\\\\";
    case '\b': return "\\b";
    case '\f': return "\\f";
    case '\n': return "\\n";
    case '\r': return "\\r";
    case '\t': return "\\t";
    default: return NULL;
    }
}

void ls_str_append_json(ls_str *s, const char *bytes, size_t n)
{
    ls_str_append_char(s, '"');
    for (size_t at = 0; at < n;) {
        utf8_piece piece = next_piece(bytes + at, n - at);
        const char *escape = json_escape(piece.code);
        if (escape)
            ls_str_append(s, escape);
        else if (piece.code < 0)
            ls_str_append(s, REPLACEMENT);
        else if (is_c0_or_delete(piece.code))
            ls_str_appendf(s, "\\u%04x", (unsigned)piece.code);
        else
            ls_str_append_n(s, bytes + at, piece.bytes);
        at += piece.bytes;
    }
    ls_str_append_char(s, '"');
}

static const char *html_entity(int32_t code)
{
    switch (code) {
    case '&': return "&amp;";
    case '<': return "&lt;";
    case '>': return "&gt;";
    case '"': return "&quot;";
    case '\'': return "&#39;";
    default: return NULL;
    }
}

void ls_str_append_html(ls_str *s, const char *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        utf8_piece piece = next_piece(bytes + at, n - at);
        const char *entity = html_entity(piece.code);
        if (entity)
            ls_str_append(s, entity);
        else if (piece.code < 0 || is_c1(piece.code))
            ls_str_append(s, REPLACEMENT);
        else if (is_c0_or_delete(piece.code) && piece.code != '\n' && piece.code != '\t')
            append_picture(s, piece.code);
        else
            ls_str_append_n(s, bytes + at, piece.bytes);
        at += piece.bytes;
    }
}

void ls_str_append_visible(ls_str *s, const char *bytes, size_t n)
{
    for (size_t at = 0; at < n;) {
        utf8_piece piece = next_piece(bytes + at, n - at);
        if (piece.code == '\n')
            ls_str_append(s, "\\n");
        else if (is_c0_or_delete(piece.code))
            append_picture(s, piece.code);
        else if (piece.code < 0 || is_c1(piece.code))
            for (size_t i = 0; i < piece.bytes; i++)
                ls_str_appendf(s, "\\x%02x", (unsigned char)bytes[at + i]);
        else
            ls_str_append_n(s, bytes + at, piece.bytes);
        at += piece.bytes;
    }
}
