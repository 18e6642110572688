/* The line reader: what it forgives, what it refuses, and numbers as they are written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "data/jsonl.h"

static void marks_blank_lines_crlf_and_a_missing_last_newline_are_fine(void **state)
{
    (void)state;
    const char *text = "\xef\xbb\xbf{\"a\": 1}\r\n\n  \t\r\n  {\"a\": 2} \n{\"a\": 3}";
    ls_jsonl reader = ls_jsonl_open("x.jsonl", text, strlen(text));
    static const int64_t lines[] = {1, 4, 5};
    static const char *const texts[] = {"{\"a\": 1}", "{\"a\": 2}", "{\"a\": 3}"};
    ls_jsonl_row row;
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ls_jsonl_next(&reader, &row), LEASH_OK);
        assert_non_null(row.object);
        assert_int_equal(row.line, lines[i]);
        assert_int_equal(row.n, 8);
        assert_memory_equal(row.text, texts[i], 8);
        json_decref(row.object);
    }
    assert_int_equal(ls_jsonl_next(&reader, &row), LEASH_OK);
    assert_null(row.object);
}

static void numbers_keep_their_spelling(void **state)
{
    (void)state;
    const char *text = " {\"x\": [1, {\"y\": \"]}\\\"\"}], \"\\u0061\": 0.10 , \"b\":-1E+2,"
                       "\"c\":123456789012345678901234567890, \"d\": {}, \"e\":true}";
    static const char *const cases[][2] = {
        {"a", "0.10"}, {"b", "-1E+2"}, {"c", "123456789012345678901234567890"},
        {"d", "{}"},   {"e", "true"},  {"x", "[1, {\"y\": \"]}\\\"\"}]"}};
    ls_jsonl reader = ls_jsonl_open("x.jsonl", text, strlen(text));
    ls_jsonl_row row;
    assert_int_equal(ls_jsonl_next(&reader, &row), LEASH_OK);
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        ls_str got = LS_STR_INIT;
        ls_jsonl_member_text(&row, cases[i][0], &got);
        assert_string_equal(got.data, cases[i][1]);
        ls_str_release(&got);
    }
    json_decref(row.object);
}

static void bad_lines_are_refused_with_line_and_column(void **state)
{
    (void)state;
    static const struct {
        const char *text, *error;
    } cases[] = {
        {"{\"a\": 1}\n{\"a\": }\n", "x.jsonl:2:7: malformed JSON: unexpected token near '}'"},
        {"\n   {\"a\": 1", "x.jsonl:2:10: malformed JSON: '}' expected near end of line"},
        {"{\"a\": 1} {", "x.jsonl:1:10: malformed JSON: end of line expected near '{'"},
        {"{\"a\": 1, \"a\": 2}", "x.jsonl:1:12: malformed JSON: duplicate object key near '\"a\"'"},
        {"{\"a\": NaN}", "x.jsonl:1:9: malformed JSON: invalid token near 'NaN'"},
        {"{\"a\": \"\xff\"}", "x.jsonl:1:7: malformed JSON: unable to decode byte 0xff near '\"'"},
        {"[{\"a\": 1}]", "x.jsonl:1: the line is an array, expected one JSON object a line"},
        {"\"a\"", "x.jsonl:1: the line is a string, expected one JSON object a line"},
        {"7", "x.jsonl:1: the line is a number, expected one JSON object a line"},
        {"null", "x.jsonl:1: the line is null, expected one JSON object a line"},
    };
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        ls_jsonl reader = ls_jsonl_open("x.jsonl", cases[i].text, strlen(cases[i].text));
        ls_jsonl_row row;
        leash_status status;
        while ((status = ls_jsonl_next(&reader, &row)) == LEASH_OK) {
            assert_non_null(row.object);
            json_decref(row.object);
        }
        assert_int_equal(status, LEASH_FORMAT);
        assert_null(row.object);
        assert_string_equal(leash_error(), cases[i].error);
    }
}

static void a_line_of_more_than_16_mib_is_refused(void **state)
{
    (void)state;
    size_t n = LS_JSONL_LINE_MAX + 1;
    char *text = ls_malloc(n);
    memset(text, 'x', n);
    ls_jsonl reader = ls_jsonl_open("x.jsonl", text, n);
    ls_jsonl_row row;
    assert_int_equal(ls_jsonl_next(&reader, &row), LEASH_FORMAT);
    assert_string_equal(leash_error(), "x.jsonl:1: the line has 16777217 bytes; at most 16777216 "
                                       "(16 MiB) are read");
    ls_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(marks_blank_lines_crlf_and_a_missing_last_newline_are_fine),
        cmocka_unit_test(numbers_keep_their_spelling),
        cmocka_unit_test(bad_lines_are_refused_with_line_and_column),
        cmocka_unit_test(a_line_of_more_than_16_mib_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
