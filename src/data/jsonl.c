/* JSON Lines: one object a line.
 *
 * A byte order mark, CRLF, blank lines and a last line without newline are fine. */
#include <string.h>

#include "base/mem.h"
#include "data/json_text.h"
#include "data/reader.h"

typedef struct lines {
    int64_t line; /* of the last row, 1-based */
    size_t taken; /* bytes of the last row    */
} lines;

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

static leash_status open_lines(void **state, ls_stream *stream)
{
    LS_TRY(ls_stream_need(stream, 3));
    if (ls_stream_left(stream) >= 3 && memcmp(ls_stream_data(stream), "\xef\xbb\xbf", 3) == 0)
        ls_stream_take(stream, 3);
    *state = ls_calloc(1, sizeof(lines));
    return LEASH_OK;
}

/* Bytes of the next line with its newline; 0 at the end of the file. */
static leash_status find_line(lines *l, ls_stream *stream, size_t *n)
{
    size_t searched = 0;
    LS_TRY(ls_stream_need(stream, 1));
    for (;;) {
        const char *data = ls_stream_data(stream);
        size_t left = ls_stream_left(stream);
        const char *newline = memchr(data + searched, '\n', left - searched);
        if (newline) {
            *n = (size_t)(newline - data) + 1;
            return LEASH_OK;
        }
        *n = left;
        if (ls_stream_is_at_end(stream))
            return LEASH_OK;
        if (left > LS_RECORD_MAX)
            return ls_fail(LEASH_FORMAT,
                           "%s:%lld: the line has more than %zu bytes (64 MiB), the most that are "
                           "read",
                           ls_stream_name(stream), (long long)l->line + 1, LS_RECORD_MAX);
        searched = left;
        LS_TRY(ls_stream_need(stream, left + 1));
    }
}

static leash_status next_line(void *state, ls_stream *stream, ls_record *out)
{
    lines *l = state;
    for (size_t n;;) {
        ls_stream_take(stream, l->taken);
        l->taken = 0;
        LS_TRY(find_line(l, stream, &n));
        if (n == 0)
            return LEASH_OK;
        l->line++;
        l->taken = n;
        const char *line = ls_stream_data(stream), *text = line, *stop = line + n;
        while (text < stop && is_blank(*text))
            text++;
        while (text < stop && is_blank(stop[-1]))
            stop--;
        if (text == stop)
            continue;
        ls_json_source source = {.text = text,
                                 .n = (size_t)(stop - text),
                                 .name = ls_stream_name(stream),
                                 .line = l->line,
                                 .column = (size_t)(text - line),
                                 .is_line = true};
        bool is_repaired;
        LS_TRY(ls_json_parse(&out->object, &source, &is_repaired));
        out->text = is_repaired ? NULL : text;
        out->n = source.n;
        out->number = l->line;
        return LEASH_OK;
    }
}

const ls_reader_kind ls_reader_jsonl = {.name = "JSON Lines",
                                        .endings = ".jsonl .ndjson .jsonlines",
                                        .open = open_lines,
                                        .next = next_line,
                                        .close = ls_free};
