/* Reading the table, the walk over graphemes, and the look-up. */
#include "text/charsmap.h"

#include <string.h>

#include <utf8proc.h>

#include "base/mem.h"
#include "text/utf8.h"

#define LONGEST_CLUSTER 5 /* bytes of a cluster that is looked up as a whole */

static int base64_value(char c)
{
    return c >= 'A' && c <= 'Z'   ? c - 'A'
           : c >= 'a' && c <= 'z' ? c - 'a' + 26
           : c >= '0' && c <= '9' ? c - '0' + 52
           : c == '+'             ? 62
           : c == '/'             ? 63
                                  : -1;
}

static bool decode_base64(ls_str *out, const char *text, size_t n)
{
    uint32_t bits = 0;
    int n_bits = 0;
    while (n > 0 && text[n - 1] == '=')
        n--;
    ls_str_reserve(out, n);
    for (size_t i = 0; i < n; i++) {
        int value = base64_value(text[i]);
        if (value < 0)
            return false;
        bits = bits << 6 | (uint32_t)value;
        n_bits += 6;
        if (n_bits >= 8) {
            n_bits -= 8;
            ls_str_append_char(out, (char)(bits >> n_bits & 0xffu));
        }
    }
    return true;
}

static uint32_t read_u32(const char *at)
{
    const unsigned char *b = (const unsigned char *)at;
    return b[0] | (uint32_t)b[1] << 8 | (uint32_t)b[2] << 16 | (uint32_t)b[3] << 24;
}

/* Size of the units in bytes, the units, the texts. */
bool ls_charsmap_read(ls_charsmap *map, const char *base64, size_t n)
{
    ls_str blob = LS_STR_INIT;
    *map = (ls_charsmap){.texts = LS_STR_INIT};
    bool is_good = decode_base64(&blob, base64, n) && blob.len >= 4;
    size_t n_bytes = is_good ? read_u32(blob.data) : 0;
    is_good = is_good && n_bytes % 4 == 0 && n_bytes >= 4 && n_bytes <= blob.len - 4 &&
              ls_is_utf8(blob.data + 4 + n_bytes, blob.len - 4 - n_bytes);
    if (is_good) {
        map->n_units = n_bytes / 4;
        map->units = ls_calloc(map->n_units, sizeof *map->units);
        for (size_t i = 0; i < map->n_units; i++)
            map->units[i] = read_u32(blob.data + 4 + 4 * i);
        ls_str_append_n(&map->texts, blob.data + 4 + n_bytes, blob.len - 4 - n_bytes);
    }
    ls_str_release(&blob);
    return is_good;
}

void ls_charsmap_release(ls_charsmap *map)
{
    ls_free(map->units);
    ls_str_release(&map->texts);
}

static size_t offset_of(uint32_t unit)
{
    return (size_t)(unit >> 10) << ((unit & 1u << 9) >> 6);
}

/* What the shortest beginning of `text` that has an entry becomes; NULL without one. */
static const char *find(const ls_charsmap *map, const char *text, size_t n)
{
    size_t at = offset_of(map->units[0]);
    for (size_t i = 0; i < n && text[i]; i++) {
        unsigned char byte = (unsigned char)text[i];
        at ^= byte;
        if (at >= map->n_units || (map->units[at] & (1u << 31 | 0xffu)) != byte)
            return NULL;
        uint32_t unit = map->units[at];
        at ^= offset_of(unit);
        if (!(unit >> 8 & 1))
            continue;
        size_t place = at < map->n_units ? map->units[at] & 0x7fffffffu : SIZE_MAX;
        bool is_start =
            place < map->texts.len && ((unsigned char)map->texts.data[place] & 0xc0) != 0x80;
        return is_start ? map->texts.data + place : NULL;
    }
    return NULL;
}

static void put_cluster(const ls_charsmap *map, ls_str *out, const char *text, size_t n)
{
    const char *whole = n <= LONGEST_CLUSTER ? find(map, text, n) : NULL;
    if (whole) {
        ls_str_append(out, whole);
        return;
    }
    for (size_t i = 0, length; i < n; i += length) {
        ls_utf8_at(text + i, &length);
        const char *one = find(map, text + i, length);
        if (one)
            ls_str_append(out, one);
        else
            ls_str_append_n(out, text + i, length);
    }
}

void ls_charsmap_run(const ls_charsmap *map, ls_str *out, const char *text, size_t n)
{
    size_t begin = 0, length;
    utf8proc_int32_t state = 0, before = 0;
    for (size_t i = 0; i < n; i += length) {
        utf8proc_int32_t c = (utf8proc_int32_t)ls_utf8_at(text + i, &length);
        if (i > 0 && utf8proc_grapheme_break_stateful(before, c, &state)) {
            put_cluster(map, out, text + begin, i - begin);
            begin = i;
        }
        before = c;
    }
    put_cluster(map, out, text + begin, n - begin);
}
