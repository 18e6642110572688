/* Choosing the format, and the rows of Parquet files. */
#include "data/reader.h"

#include <string.h>

#include "base/file.h"
#include "base/mem.h"
#include "formats/parquet/parquet.h"

#define LOOK ((size_t)4096) /* bytes that decide between formats */

#define LS_READER_ROW(descriptor) extern const ls_reader_kind descriptor;
#include "data/readers.def"
#undef LS_READER_ROW

static const ls_reader_kind *const kinds[] = {
#define LS_READER_ROW(descriptor) &descriptor,
#include "data/readers.def"
#undef LS_READER_ROW
};

struct ls_reader {
    const ls_reader_kind *kind;
    ls_stream *stream; /* NULL: Parquet */
    void *state;
    int64_t row; /* Parquet: rows given */
};

static leash_status next_parquet(void *state, ls_stream *stream, ls_record *out)
{
    (void)stream;
    return ls_parquet_next(state, &out->object);
}

static void close_parquet(void *state)
{
    ls_parquet_free(state);
}

/* Opened by ls_reader_open, since its columns are read from the end of the file. */
const ls_reader_kind ls_reader_parquet = {
    .name = "Parquet", .endings = ".parquet", .next = next_parquet, .close = close_parquet};

/* Length of a name without .gz or .zst. */
static size_t bare_length(const char *name)
{
    size_t n = strlen(name);
    if (ls_ends_with(name, ".gz"))
        return n - 3;
    return ls_ends_with(name, ".zst") ? n - 4 : n;
}

static bool has_ending(const char *name, size_t n, const char *endings)
{
    while (*endings) {
        size_t length = strcspn(endings, " ");
        if (n > length && memcmp(name + n - length, endings, length) == 0)
            return true;
        endings += length;
        endings += *endings == ' ';
    }
    return false;
}

static const ls_reader_kind *kind_of_name(const char *name)
{
    size_t n = bare_length(name);
    for (size_t i = 0; i < LS_COUNT(kinds); i++)
        if (has_ending(name, n, kinds[i]->endings))
            return kinds[i];
    return NULL;
}

bool ls_reader_takes(const char *name)
{
    return kind_of_name(name) != NULL;
}

/* {"data": [ and white space between. */
static bool is_wrapped_array(const char *p, const char *end)
{
    static const char *const tokens[] = {"{", "\"data\"", ":", "["};
    for (size_t i = 0; i < LS_COUNT(tokens); i++) {
        while (p < end && strchr(" \t\r\n", *p) && *p)
            p++;
        size_t n = strlen(tokens[i]);
        if ((size_t)(end - p) < n || memcmp(p, tokens[i], n) != 0)
            return false;
        p += n;
    }
    return true;
}

/* The ending decides where it says something; .json and names without a known ending may be JSON
 * Lines or an array, and their content tells. */
static const ls_reader_kind *kind_of_content(const ls_stream *s, const ls_reader_kind *by_name)
{
    const char *p = ls_stream_data(s), *end = p + ls_stream_left(s);
    if (ls_is_parquet((const unsigned char *)p, (size_t)(end - p)))
        return &ls_reader_parquet;
    if (by_name && by_name != &ls_reader_json)
        return by_name;
    if (end - p >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0)
        p += 3;
    const char *start = p;
    while (p < end && strchr(" \t\r\n", *p) && *p)
        p++;
    if (p < end && *p == '[')
        return &ls_reader_json;
    return is_wrapped_array(start, end) ? &ls_reader_json : &ls_reader_jsonl;
}

static leash_status open_stream(ls_reader *reader, const ls_reader_kind *by_name)
{
    LS_TRY(ls_stream_need(reader->stream, LOOK));
    reader->kind = kind_of_content(reader->stream, by_name);
    return reader->kind->open ? reader->kind->open(&reader->state, reader->stream) : LEASH_OK;
}

/* Parquet is read where it lies: from the path, or from `bytes` when there is no file. */
static leash_status open_parquet(ls_reader *reader, const char *bytes, size_t n, const char *name)
{
    ls_parquet *file = NULL;
    if (bare_length(name) != strlen(name))
        return ls_fail(LEASH_UNSUPPORTED,
                       "%s: a compressed Parquet file; decompress it (its pages are compressed by "
                       "themselves)",
                       name);
    ls_stream_free(reader->stream);
    reader->stream = NULL;
    LS_TRY(bytes ? ls_parquet_open_memory(&file, (const unsigned char *)bytes, n, name)
                 : ls_parquet_open(&file, name));
    reader->state = file;
    return LEASH_OK;
}

static leash_status open_reader(ls_reader **out, const char *bytes, size_t n, const char *name)
{
    ls_reader *reader = ls_calloc(1, sizeof *reader);
    leash_status status = bytes ? ls_stream_open_memory(&reader->stream, bytes, n, name)
                                : ls_stream_open(&reader->stream, name);
    if (status == LEASH_OK)
        status = open_stream(reader, kind_of_name(name));
    if (status == LEASH_OK && reader->kind == &ls_reader_parquet)
        status = open_parquet(reader, bytes, n, name);
    if (status == LEASH_OK)
        *out = reader;
    else
        ls_reader_free(reader);
    return status;
}

leash_status ls_reader_open(ls_reader **out, const char *path)
{
    return open_reader(out, NULL, 0, path);
}

leash_status ls_reader_open_memory(ls_reader **out, const char *bytes, size_t n, const char *name)
{
    return open_reader(out, bytes, n, name);
}

void ls_reader_free(ls_reader *reader)
{
    if (!reader)
        return;
    if (reader->state)
        reader->kind->close(reader->state);
    ls_stream_free(reader->stream);
    ls_free(reader);
}

leash_status ls_reader_next(ls_reader *reader, ls_record *out)
{
    *out = (ls_record){0};
    leash_status status = reader->kind->next(reader->state, reader->stream, out);
    if (status == LEASH_OK && out->object && out->number == 0)
        out->number = ++reader->row;
    return status;
}

const char *ls_reader_kind_name(const ls_reader *reader)
{
    return reader->kind->name;
}
