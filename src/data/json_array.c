/* One JSON array of objects, alone or as the member "data" of an object (what `json.dump` of a
 * list, and pandas, write).
 *
 * A scanner finds where each element ends, the parser then gets it alone: the memory is that of one
 * element. */
#include <string.h>

#include "base/mem.h"
#include "data/json_text.h"
#include "data/reader.h"

typedef struct array {
    int64_t row, line; /* rows given; 1-based line of the next byte */
    size_t column;     /* bytes of that line before it              */
    size_t taken;      /* bytes of the last element                 */
    bool is_inside, is_done, has_braces;
} array;

static leash_status fail_at(const array *a, const ls_stream *stream, const char *what)
{
    return ls_fail(LEASH_FORMAT, "%s:%lld:%zu: malformed JSON: %s", ls_stream_name(stream),
                   (long long)a->line, a->column + 1, what);
}

static void take(array *a, ls_stream *stream, size_t n)
{
    const char *p = ls_stream_data(stream);
    for (size_t i = 0; i < n; i++) {
        a->column++;
        if (p[i] == '\n') {
            a->line++;
            a->column = 0;
        }
    }
    ls_stream_take(stream, n);
}

/* Skips white space; the byte after it, or -1 at the end. */
static leash_status peek(array *a, ls_stream *stream, int *c)
{
    for (;;) {
        LS_TRY(ls_stream_need(stream, 1));
        if (ls_stream_left(stream) == 0) {
            *c = -1;
            return LEASH_OK;
        }
        *c = (unsigned char)*ls_stream_data(stream);
        if (!strchr(" \t\r\n", *c) || *c == 0)
            return LEASH_OK;
        take(a, stream, 1);
    }
}

static leash_status expect(array *a, ls_stream *stream, char wanted)
{
    int c;
    LS_TRY(peek(a, stream, &c));
    if (c != (unsigned char)wanted) {
        char text[64] = "'?' expected";
        text[1] = wanted;
        return fail_at(a, stream, text);
    }
    take(a, stream, 1);
    return LEASH_OK;
}

/* Finds the end of the value at the front: a balanced { } or [ ], or what stands before , ] }. */
static leash_status find_value(array *a, ls_stream *stream, size_t *n)
{
    int64_t depth = 0;
    bool is_in_string = false, is_escaped = false;
    for (size_t i = 0;; i++) {
        LS_TRY(ls_stream_need(stream, i + 1));
        if (ls_stream_left(stream) <= i)
            return fail_at(a, stream, "the file ends inside of an element");
        if (i > LS_RECORD_MAX)
            return fail_at(a, stream, "an element of more than 64 MiB");
        char c = ls_stream_data(stream)[i];
        if (is_in_string) {
            if (!is_escaped && c == '"')
                is_in_string = false;
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        if (depth == 0 && (c == ',' || c == ']' || c == '}')) {
            *n = i;
            return LEASH_OK;
        }
        is_in_string = c == '"';
        depth += (c == '{' || c == '[') - (c == '}' || c == ']');
        if (depth == 0 && (c == '}' || c == ']')) {
            *n = i + 1;
            return LEASH_OK;
        }
    }
}

static leash_status open_array(void **state, ls_stream *stream)
{
    array *a = ls_calloc(1, sizeof *a);
    *state = a;
    a->line = 1;
    LS_TRY(ls_stream_need(stream, 3));
    if (ls_stream_left(stream) >= 3 && memcmp(ls_stream_data(stream), "\xef\xbb\xbf", 3) == 0)
        ls_stream_take(stream, 3);
    int c;
    LS_TRY(peek(a, stream, &c));
    if (c == '{') {
        a->has_braces = true;
        take(a, stream, 1);
        LS_TRY(peek(a, stream, &c));
        LS_TRY(ls_stream_need(stream, 6));
        if (ls_stream_left(stream) < 6 || memcmp(ls_stream_data(stream), "\"data\"", 6) != 0)
            return fail_at(a, stream,
                           "expected an array of objects, {\"data\": [...]}, or one object a line");
        take(a, stream, 6);
        LS_TRY(expect(a, stream, ':'));
    }
    return expect(a, stream, '[');
}

/* After the closing bracket: members after "data" are passed over. */
static leash_status finish(array *a, ls_stream *stream)
{
    a->is_done = true;
    int c;
    if (a->has_braces) {
        for (size_t n;;) {
            LS_TRY(peek(a, stream, &c));
            if (c != ',')
                break;
            take(a, stream, 1);
            LS_TRY(peek(a, stream, &c));
            LS_TRY(find_value(a, stream, &n)); /* key and value as one: no comma between them */
            if (n == 0)
                return fail_at(a, stream, "a member is missing");
            take(a, stream, n);
            LS_TRY(peek(a, stream, &c));
        }
        LS_TRY(expect(a, stream, '}'));
    }
    LS_TRY(peek(a, stream, &c));
    return c < 0 ? LEASH_OK : fail_at(a, stream, "end of file expected");
}

static leash_status next_element(void *state, ls_stream *stream, ls_record *out)
{
    array *a = state;
    int c;
    if (a->is_done)
        return LEASH_OK;
    take(a, stream, a->taken);
    a->taken = 0;
    LS_TRY(peek(a, stream, &c));
    if (c == ']') {
        take(a, stream, 1);
        return finish(a, stream);
    }
    if (a->is_inside) {
        LS_TRY(expect(a, stream, ','));
        LS_TRY(peek(a, stream, &c));
    }
    a->is_inside = true;
    size_t n;
    LS_TRY(find_value(a, stream, &n));
    if (n == 0)
        return fail_at(a, stream, "an element is missing");
    ls_json_source source = {.text = ls_stream_data(stream),
                             .n = n,
                             .name = ls_stream_name(stream),
                             .line = a->line,
                             .column = a->column};
    bool is_repaired;
    LS_TRY(ls_json_parse(&out->object, &source, &is_repaired));
    out->text = is_repaired ? NULL : source.text;
    out->n = n;
    out->number = ++a->row;
    a->taken = n;
    return LEASH_OK;
}

const ls_reader_kind ls_reader_json = {.name = "a JSON array",
                                       .endings = ".json",
                                       .open = open_array,
                                       .next = next_element,
                                       .close = ls_free};
