/* Every format gives the same rows; what is wrong is told with its place; damage never crashes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>
#include <zlib.h>
#include <zstd.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/json_text.h"
#include "data/reader.h"

typedef struct expected {
    const char *object;
    int64_t number;
} expected;

static void assert_rows(const char *name, const char *bytes, size_t n, const expected *rows,
                        size_t n_rows)
{
    ls_reader *reader = NULL;
    ls_record record;
    if (ls_reader_open_memory(&reader, bytes, n, name) != LEASH_OK)
        fail_msg("%s", leash_error());
    for (size_t i = 0; i < n_rows; i++) {
        if (ls_reader_next(reader, &record) != LEASH_OK)
            fail_msg("%s", leash_error());
        assert_non_null(record.object);
        json_t *object = json_loads(rows[i].object, JSON_ALLOW_NUL, NULL);
        assert_non_null(object);
        if (!json_equal(record.object, object))
            fail_msg("%s row %zu: %s", name, i, json_dumps(record.object, 0));
        assert_int_equal(record.number, rows[i].number);
        json_decref(object);
        json_decref(record.object);
    }
    assert_int_equal(ls_reader_next(reader, &record), LEASH_OK);
    assert_null(record.object);
    assert_int_equal(ls_reader_next(reader, &record), LEASH_OK); /* and stays at the end */
    assert_null(record.object);
    ls_reader_free(reader);
}

/* Reads to the end or the first error. */
static leash_status read_all(const char *name, const char *bytes, size_t n)
{
    ls_reader *reader = NULL;
    LS_TRY(ls_reader_open_memory(&reader, bytes, n, name));
    leash_status status = LEASH_OK;
    ls_record record = {0};
    do {
        status = ls_reader_next(reader, &record);
        json_decref(record.object);
    } while (status == LEASH_OK && record.object);
    ls_reader_free(reader);
    return status;
}

static const expected three[] = {{"{\"a\": 1}", 1}, {"{\"a\": 2}", 2}, {"{\"a\": 3}", 3}};

static void lines_may_have_marks_blanks_and_crlf(void **state)
{
    (void)state;
    const char *text = "\xef\xbb\xbf{\"a\": 1}\r\n\n  \t\r\n  {\"a\": 2} \n{\"a\": 3}";
    const expected rows[] = {{"{\"a\": 1}", 1}, {"{\"a\": 2}", 4}, {"{\"a\": 3}", 5}};
    assert_rows("x.jsonl", text, strlen(text), rows, 3);
    assert_rows("x", text, strlen(text), rows, 3);
    assert_rows("x.json", text, strlen(text), rows, 3);
    assert_rows("x.jsonl", "", 0, NULL, 0);
}

static void arrays_and_wrapped_arrays_are_read(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "[{\"a\": 1}, {\"a\": 2},\n{\"a\": 3}]", "\xef\xbb\xbf [\n{\"a\":1},{\"a\":2},{\"a\":3}]\n",
        "{\"data\": [{\"a\": 1}, {\"a\": 2}, {\"a\": 3}]}",
        "{ \"data\" :\n[{\"a\": 1}, {\"a\": 2}, {\"a\": 3}], \"version\": \"1\", \"x\": [1, {}]}"};
    for (size_t i = 0; i < LS_COUNT(texts); i++)
        assert_rows("x.json", texts[i], strlen(texts[i]), three, 3);
    const char *tricky = "[{\"a\": \"]},{\\\"\"}]";
    assert_rows("x.json", tricky, strlen(tricky), &(expected){"{\"a\": \"]},{\\\"\"}", 1}, 1);
    assert_rows("x.json", "[]", 2, NULL, 0);
}

static void csv_fields_may_be_quoted(void **state)
{
    (void)state;
    const char *text = "\xef\xbb\xbf"
                       "a,b b\r\n1,x\r\n\r\n\"2,\"\"q\"\"\",\"two\nlines\"\n,\n\"\",y";
    const expected rows[] = {{"{\"a\": \"1\", \"b b\": \"x\"}", 2},
                             {"{\"a\": \"2,\\\"q\\\"\", \"b b\": \"two\\nlines\"}", 4},
                             {"{\"a\": \"\", \"b b\": \"\"}", 6},
                             {"{\"a\": \"\", \"b b\": \"y\"}", 7}};
    assert_rows("x.csv", text, strlen(text), rows, 4);
    const char *tabs = "a\tb\n1,2\t\"x\ty\"\n";
    assert_rows("x.tsv", tabs, strlen(tabs), &(expected){"{\"a\": \"1,2\", \"b\": \"x\\ty\"}", 2},
                1);
    assert_rows("x.csv", "a,b\n", 4, NULL, 0);
    assert_rows("x.csv", "", 0, NULL, 0);
}

static void what_python_writes_beyond_json_is_taken(void **state)
{
    (void)state;
    const char *text = "{\"a\": NaN, \"b\": [-Infinity, \"NaN \\\\ \\\" NaN\"], "
                       "\"c\": \"\\ud83d \\ud83d\\ude00 \\udc00\"}";
    const expected row = {"{\"a\": null, \"b\": [null, \"NaN \\\\ \\\" NaN\"], "
                          "\"c\": \"\xef\xbf\xbd \xf0\x9f\x98\x80 \xef\xbf\xbd\"}",
                          1};
    assert_rows("x.jsonl", text, strlen(text), &row, 1);
}

static void numbers_keep_their_spelling(void **state)
{
    (void)state;
    const char *text = " {\"x\": [1, {\"y\": \"]}\\\"\"}], \"\\u0061\": 0.10 , \"b\":-1E+2,"
                       "\"c\":123456789012345678901234567890, \"d\": {}, \"e\":true}";
    static const char *const cases[][2] = {
        {"a", "0.10"}, {"b", "-1E+2"}, {"c", "123456789012345678901234567890"},
        {"d", "{}"},   {"e", "true"},  {"x", "[1, {\"y\": \"]}\\\"\"}]"}};
    ls_reader *reader;
    ls_record record;
    assert_int_equal(ls_reader_open_memory(&reader, text, strlen(text), "x.jsonl"), LEASH_OK);
    assert_int_equal(ls_reader_next(reader, &record), LEASH_OK);
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        ls_str got = LS_STR_INIT;
        ls_json_member_text(record.object, record.text, cases[i][0], &got);
        assert_string_equal(got.data, cases[i][1]);
        ls_str_release(&got);
    }
    json_decref(record.object);
    ls_reader_free(reader);
}

static void what_is_wrong_is_told_with_its_place(void **state)
{
    (void)state;
    static const struct {
        const char *name, *text, *error;
    } cases[] = {
        {"x.jsonl", "{\"a\": 1}\n{\"a\": }\n",
         "x.jsonl:2:7: malformed JSON: unexpected token near '}'"},
        {"x.jsonl", "\n   {\"a\": 1",
         "x.jsonl:2:10: malformed JSON: '}' expected near end of line"},
        {"x.jsonl", "{\"a\": 1} {", "x.jsonl:1:10: malformed JSON: end of line expected near '{'"},
        {"x.jsonl", "{\"a\": 1, \"a\": 2}",
         "x.jsonl:1:12: malformed JSON: duplicate object key near '\"a\"'"},
        {"x.jsonl", "{\"a\": \"\xff\"}",
         "x.jsonl:1:7: malformed JSON: unable to decode byte 0xff near '\"'"},
        {"x.jsonl", "[{\"a\": 1}]",
         "x.jsonl:1: the line is an array, expected one JSON object a line"},
        {"x.jsonl", "null", "x.jsonl:1: the line is null, expected one JSON object a line"},
        {"x.json", "[\n {\"a\": 1},\n {\"a\": }]",
         "x.json:3:8: malformed JSON: unexpected token near '}'"},
        {"x.json", "[{\"a\": 1}, 7]", "x.json:1: the element is a number, expected an object"},
        {"x.json", "[{\"a\": 1} {}]", "x.json:1:11: malformed JSON: ',' expected"},
        {"x.json", "[{\"a\": 1}", "x.json:1:10: malformed JSON: ',' expected"},
        {"x.json", "[{\"a\": 1},]", "x.json:1:11: malformed JSON: an element is missing"},
        {"x.json", "[] x", "x.json:1:4: malformed JSON: end of file expected"},
        {"x.csv", "a,b\n1,2\n3\n", "x.csv:3: 1 fields, the header has 2"},
        {"x.csv", "a,b\n1,2\"\"\n",
         "x.csv:2: a quote inside of an unquoted field; quote the whole field and double the "
         "quote"},
        {"x.csv", "a,b\n1,\"2\n3\n", "x.csv:2: a quote is opened and never closed"},
        {"x.csv", "a,b\n\"1\"x,2\n",
         "x.csv:2: text after a closing quote; write \"\" for a quote inside of a quoted field"},
        {"x.csv", "a,a\n", "x.csv:1: the column \"a\" stands twice"},
        {"x.csv", "a,\n", "x.csv:1: column 2 of the header has no usable name"},
        {"x.csv", "a\n\xff\n", "x.csv:2: column \"a\" is no UTF-8"},
        {"x.parquet", "{}", "x.parquet: no Parquet file: it does not begin with PAR1"},
        {"x.parquet.gz", "PAR1",
         "x.parquet.gz: a compressed Parquet file; decompress it (its pages "
         "are compressed by themselves)"},
    };
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        if (read_all(cases[i].name, cases[i].text, strlen(cases[i].text)) == LEASH_OK)
            fail_msg("case %zu is accepted", i);
        assert_string_equal(leash_error(), cases[i].error);
    }
    assert_int_equal(read_all("/nonexistent/x.jsonl", "", 0), LEASH_OK);
    ls_reader *reader;
    assert_int_equal(ls_reader_open(&reader, "/nonexistent/x.jsonl"), LEASH_IO);
}

/* --- compressed --- */

static size_t gzip(unsigned char *out, size_t room, const char *text, size_t n)
{
    z_stream z = {0};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    z.next_in = (unsigned char *)text;
    z.avail_in = (uInt)n;
    z.next_out = out;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    deflateEnd(&z);
    return room - z.avail_out;
}

static const char lines[] = "{\"a\": 1}\n{\"a\": 2}\n{\"a\": 3}\n";

static void compressed_files_are_known_by_their_bytes(void **state)
{
    (void)state;
    unsigned char packed[512];
    size_t n = gzip(packed, sizeof packed, lines, sizeof lines - 1);
    assert_rows("x.jsonl.gz", (char *)packed, n, three, 3);
    assert_rows("x.jsonl", (char *)packed, n, three, 3);
    n = gzip(packed, sizeof packed, lines, 9); /* in two members */
    n += gzip(packed + n, sizeof packed - n, lines + 9, sizeof lines - 10);
    assert_rows("x.jsonl.gz", (char *)packed, n, three, 3);
    n = ZSTD_compress(packed, sizeof packed, lines, sizeof lines - 1, 3);
    assert_false(ZSTD_isError(n));
    assert_rows("x.jsonl.zst", (char *)packed, n, three, 3);
    n = gzip(packed, sizeof packed, "a\n1\n", 4);
    assert_rows("x.csv.gz", (char *)packed, n, &(expected){"{\"a\": \"1\"}", 2}, 1);
}

static void cut_and_flipped_compressed_files_are_refused(void **state)
{
    (void)state;
    unsigned char packed[2][512];
    size_t sizes[2] = {gzip(packed[0], sizeof packed[0], lines, sizeof lines - 1)};
    ZSTD_CCtx *z = ZSTD_createCCtx(); /* with a checksum */
    ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1);
    sizes[1] = ZSTD_compress2(z, packed[1], sizeof packed[1], lines, sizeof lines - 1);
    ZSTD_freeCCtx(z);
    for (int k = 0; k < 2; k++) {
        for (size_t n = 4; n < sizes[k]; n++) {
            char *copy = ls_malloc(n);
            memcpy(copy, packed[k], n);
            assert_int_equal(read_all("x.jsonl", copy, n), LEASH_FORMAT);
            assert_non_null(strstr(leash_error(), "is cut off; fetch the file again"));
            ls_free(copy);
        }
        for (size_t i = 10 * 8; i < sizes[k] * 8; i++) { /* behind the header */
            packed[k][i / 8] ^= (unsigned char)(1 << i % 8);
            /* A bit may mean nothing; then the checksum vouches for the rows. */
            if (read_all("x.jsonl", (char *)packed[k], sizes[k]) == LEASH_OK)
                assert_rows("x.jsonl", (char *)packed[k], sizes[k], three, 3);
            packed[k][i / 8] ^= (unsigned char)(1 << i % 8);
        }
    }
}

static void cut_and_flipped_texts_never_crash(void **state)
{
    (void)state;
    static const char *const texts[][2] = {
        {"x.csv", "a,\"b\"\n1,\"2\"\"\n\"\n\"\",3\n"},
        {"x.json", "{\"data\": [{\"a\": \"\\ud83d\"}, {\"a\": [NaN]}], \"x\": {\"y\": \"]\"}}"},
        {"x.jsonl", "{\"a\": \"\\ud83d\\u00e9\"}\n{\"b\": [1, {}]}\n"}};
    for (size_t k = 0; k < LS_COUNT(texts); k++) {
        size_t n = strlen(texts[k][1]);
        for (size_t i = 0; i <= n; i++) {
            char *copy = ls_malloc(n + 1);
            memcpy(copy, texts[k][1], i);
            (void)read_all(texts[k][0], copy, i);
            for (int bit = 0; bit < 8 && i < n; bit++) {
                memcpy(copy, texts[k][1], n);
                copy[i] = (char)(copy[i] ^ 1 << bit);
                (void)read_all(texts[k][0], copy, n);
            }
            ls_free(copy);
        }
    }
}

/* Blocks of the stream end inside of rows, and rows are longer than blocks. */
static void long_rows_cross_the_blocks_of_the_buffer(void **state)
{
    (void)state;
    ls_str json = LS_STR_INIT, csv = LS_STR_INIT;
    static const size_t lengths[] = {10, 300000, 5, 700000, 262144};
    ls_str_append(&csv, "a\n");
    for (size_t i = 0; i < LS_COUNT(lengths); i++) {
        ls_str_append(&json, "{\"a\": \"");
        ls_str_append(&csv, "\"");
        for (size_t k = 0; k < lengths[i]; k++) {
            ls_str_append_char(&json, (char)('a' + k % 26));
            ls_str_append_char(&csv, (char)('a' + k % 26));
        }
        ls_str_append(&json, "\"}\n");
        ls_str_append(&csv, "\"\n");
    }
    const ls_str *texts[] = {&json, &csv};
    static const char *const names[] = {"x.jsonl", "x.csv"};
    for (int t = 0; t < 2; t++) {
        ls_reader *reader;
        ls_record record;
        assert_int_equal(ls_reader_open_memory(&reader, texts[t]->data, texts[t]->len, names[t]),
                         LEASH_OK);
        for (size_t i = 0; i < LS_COUNT(lengths); i++) {
            assert_int_equal(ls_reader_next(reader, &record), LEASH_OK);
            const json_t *a = json_object_get(record.object, "a");
            assert_int_equal(json_string_length(a), lengths[i]);
            assert_int_equal(json_string_value(a)[lengths[i] - 1], 'a' + (lengths[i] - 1) % 26);
            json_decref(record.object);
        }
        ls_reader_free(reader);
    }
    ls_str_release(&json);
    ls_str_release(&csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_may_have_marks_blanks_and_crlf),
        cmocka_unit_test(arrays_and_wrapped_arrays_are_read),
        cmocka_unit_test(csv_fields_may_be_quoted),
        cmocka_unit_test(what_python_writes_beyond_json_is_taken),
        cmocka_unit_test(numbers_keep_their_spelling),
        cmocka_unit_test(what_is_wrong_is_told_with_its_place),
        cmocka_unit_test(compressed_files_are_known_by_their_bytes),
        cmocka_unit_test(cut_and_flipped_compressed_files_are_refused),
        cmocka_unit_test(cut_and_flipped_texts_never_crash),
        cmocka_unit_test(long_rows_cross_the_blocks_of_the_buffer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
