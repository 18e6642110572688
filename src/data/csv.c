/* Comma and tab separated values after RFC 4180: a header with the columns' names, fields that may
 * be quoted and then hold separators, newlines and doubled quotes.  All values are strings.
 *
 * CRLF and LF end a row, a byte order mark and blank lines are passed over.  A row with another
 * number of fields than the header is an error, as is a quote inside of an unquoted field: both
 * mean that the columns would be wrong. */
#include <string.h>

#include "base/mem.h"
#include "data/reader.h"

#define MOST_COLUMNS 10000

typedef struct table {
    char separator;
    int64_t line; /* 1-based, of the next byte */
    char **names;
    size_t n_names;
    ls_str cells; /* of the row at work, each with a NUL behind it */
    size_t *ends; /* of each cell in `cells` */
    size_t n_cells, cap_cells;
} table;

static leash_status fail_row(const table *t, const ls_stream *stream, const char *what)
{
    return ls_fail(LEASH_FORMAT, "%s:%lld: %s", ls_stream_name(stream), (long long)t->line, what);
}

/* Bytes of the next row with its end of line: newlines between quotes belong to it. */
static leash_status find_row(const table *t, ls_stream *stream, size_t *n)
{
    bool is_quoted = false;
    size_t i = 0;
    for (;;) {
        LS_TRY(ls_stream_need(stream, i + 1));
        const char *data = ls_stream_data(stream);
        size_t left = ls_stream_left(stream);
        for (; i < left; i++) {
            if (data[i] == '"')
                is_quoted = !is_quoted;
            if (data[i] == '\n' && !is_quoted) {
                *n = i + 1;
                return LEASH_OK;
            }
        }
        if (left > LS_RECORD_MAX)
            return fail_row(t, stream,
                            is_quoted ? "a quote is opened and not closed within 64 MiB"
                                      : "a row of more than 64 MiB");
        if (ls_stream_is_at_end(stream)) {
            *n = left;
            return is_quoted ? fail_row(t, stream, "a quote is opened and never closed") : LEASH_OK;
        }
    }
}

static void end_cell(table *t)
{
    ls_str_append_char(&t->cells, 0);
    if (t->n_cells == t->cap_cells) {
        t->cap_cells = t->cap_cells ? 2 * t->cap_cells : 16;
        t->ends = ls_realloc(t->ends, ls_mul_size(t->cap_cells, sizeof *t->ends));
    }
    t->ends[t->n_cells++] = t->cells.len;
}

/* A quoted field at p, after its quote; returns what follows the closing one. */
static const char *take_quoted(table *t, const char *p, const char *end)
{
    for (;;) {
        const char *quote = memchr(p, '"', (size_t)(end - p));
        ls_str_append_n(&t->cells, p, (size_t)(quote - p));
        if (quote + 1 == end || quote[1] != '"')
            return quote + 1;
        ls_str_append_char(&t->cells, '"');
        p = quote + 2;
    }
}

/* Splits [p, end), a row without its end of line in which quotes are balanced. */
static leash_status split(table *t, const ls_stream *stream, const char *p, const char *end)
{
    t->n_cells = 0;
    ls_str_clear(&t->cells);
    for (;;) {
        if (p < end && *p == '"') {
            p = take_quoted(t, p + 1, end);
            if (p < end && *p != t->separator)
                return fail_row(t, stream,
                                "text after a closing quote; write \"\" for a quote "
                                "inside of a quoted field");
        } else {
            const char *stop = memchr(p, t->separator, (size_t)(end - p));
            stop = stop ? stop : end;
            if (memchr(p, '"', (size_t)(stop - p)))
                return fail_row(t, stream,
                                "a quote inside of an unquoted field; quote the whole "
                                "field and double the quote");
            ls_str_append_n(&t->cells, p, (size_t)(stop - p));
            p = stop;
        }
        end_cell(t);
        if (t->n_cells > MOST_COLUMNS)
            return fail_row(t, stream, "more than 10000 fields");
        if (p == end)
            return LEASH_OK;
        p++;
    }
}

static const char *cell(const table *t, size_t i, size_t *n)
{
    size_t begin = i ? t->ends[i - 1] : 0;
    *n = t->ends[i] - 1 - begin;
    return t->cells.data + begin;
}

/* The next row that is not blank, split; *has_row false at the end.  *n_lines: lines that it takes,
 * to be added to t->line when nothing is said about it any more. */
static leash_status next_row(table *t, ls_stream *stream, bool *has_row, int64_t *n_lines)
{
    for (size_t n = 0;;) {
        LS_TRY(find_row(t, stream, &n));
        *has_row = n > 0;
        if (n == 0)
            return LEASH_OK;
        const char *p = ls_stream_data(stream), *end = p + n;
        *n_lines = 0;
        for (const char *q = p; q < end && (q = memchr(q, '\n', (size_t)(end - q))); q++)
            ++*n_lines;
        end -= end[-1] == '\n';
        end -= end > p && end[-1] == '\r';
        if (p == end) {
            t->line += *n_lines;
            ls_stream_take(stream, n);
            continue;
        }
        LS_TRY(split(t, stream, p, end));
        ls_stream_take(stream, n);
        return LEASH_OK;
    }
}

static leash_status read_header(table *t, ls_stream *stream)
{
    bool has_row;
    int64_t n_lines;
    LS_TRY(ls_stream_need(stream, 3));
    if (ls_stream_left(stream) >= 3 && memcmp(ls_stream_data(stream), "\xef\xbb\xbf", 3) == 0)
        ls_stream_take(stream, 3);
    LS_TRY(next_row(t, stream, &has_row, &n_lines));
    if (!has_row)
        return LEASH_OK;
    t->names = ls_calloc(t->n_cells, sizeof *t->names);
    t->n_names = t->n_cells;
    for (size_t i = 0, n; i < t->n_names; i++) {
        const char *name = cell(t, i, &n);
        if (n == 0 || strlen(name) != n || !ls_is_utf8(name, n))
            return ls_fail(LEASH_FORMAT, "%s:%lld: column %zu of the header has no usable name",
                           ls_stream_name(stream), (long long)t->line, i + 1);
        for (size_t k = 0; k < i; k++)
            if (strcmp(t->names[k], name) == 0)
                return ls_fail(LEASH_FORMAT, "%s:%lld: the column \"%s\" stands twice",
                               ls_stream_name(stream), (long long)t->line, name);
        t->names[i] = ls_strdup(name);
    }
    t->line += n_lines;
    return LEASH_OK;
}

static leash_status open_table(void **state, ls_stream *stream, char separator)
{
    table *t = ls_calloc(1, sizeof *t);
    *state = t;
    t->separator = separator;
    t->line = 1;
    ls_str_init(&t->cells);
    return read_header(t, stream);
}

static leash_status open_csv(void **state, ls_stream *stream)
{
    return open_table(state, stream, ',');
}

static leash_status open_tsv(void **state, ls_stream *stream)
{
    return open_table(state, stream, '\t');
}

static leash_status next_record(void *state, ls_stream *stream, ls_record *out)
{
    table *t = state;
    bool has_row;
    int64_t n_lines;
    LS_TRY(next_row(t, stream, &has_row, &n_lines));
    if (!has_row)
        return LEASH_OK;
    if (t->n_cells != t->n_names)
        return ls_fail(LEASH_FORMAT, "%s:%lld: %zu fields, the header has %zu",
                       ls_stream_name(stream), (long long)t->line, t->n_cells, t->n_names);
    json_t *object = json_object();
    for (size_t i = 0, n; i < t->n_names; i++) {
        const char *text = cell(t, i, &n);
        json_t *value = json_stringn(text, n);
        if (!value) {
            json_decref(object);
            return ls_fail(LEASH_FORMAT, "%s:%lld: column \"%s\" is no UTF-8",
                           ls_stream_name(stream), (long long)t->line, t->names[i]);
        }
        json_object_set_new(object, t->names[i], value);
    }
    out->object = object;
    out->number = t->line;
    t->line += n_lines;
    return LEASH_OK;
}

static void close_table(void *state)
{
    table *t = state;
    for (size_t i = 0; t && t->names && i < t->n_names; i++)
        ls_free(t->names[i]);
    if (t) {
        ls_free(t->names);
        ls_free(t->ends);
        ls_str_release(&t->cells);
    }
    ls_free(t);
}

const ls_reader_kind ls_reader_csv = {
    .name = "CSV", .endings = ".csv", .open = open_csv, .next = next_record, .close = close_table};

const ls_reader_kind ls_reader_tsv = {
    .name = "TSV", .endings = ".tsv", .open = open_tsv, .next = next_record, .close = close_table};
