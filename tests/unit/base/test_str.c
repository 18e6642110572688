/* Claims about base/str.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"

static void data_is_a_c_string_through_the_whole_life(void **state)
{
    (void)state;
    ls_str s = LS_STR_INIT;
    assert_string_equal(s.data, "");
    ls_str_append(&s, "ab");
    ls_str_append_n(&s, "c\0d", 3);
    ls_str_append_char(&s, 'e');
    assert_int_equal(s.len, 6);
    assert_memory_equal(s.data, "abc\0de", 7);
    const char *data = s.data;
    ls_str_clear(&s);
    assert_ptr_equal(s.data, data);
    assert_string_equal(s.data, "");
    ls_str_release(&s);
    assert_string_equal(s.data, "");
    ls_str_release(&s);
    ls_str_clear(&s);
    ls_str_append_n(&s, NULL, 0);
    assert_string_equal(s.data, "");
}

static void reserved_room_is_filled_without_an_allocation(void **state)
{
    (void)state;
    ls_str s = LS_STR_INIT;
    ls_str_append(&s, "ab");
    ls_str_reserve(&s, 1000);
    assert_string_equal(s.data, "ab");
    uint64_t events = ls_memory_events();
    for (int i = 0; i < 1000; i++)
        ls_str_append_char(&s, 'c');
    assert_int_equal(ls_memory_events(), events);
    assert_int_equal(s.len, 1002);
    ls_str_release(&s);
}

static void long_strings_grow_by_any_kind_of_append(void **state)
{
    (void)state;
    ls_str s = LS_STR_INIT, line = LS_STR_INIT;
    for (int i = 0; i < 1000; i++) {
        ls_str_appendf(&s, "%d,", i % 10);
        ls_str_append_char(&line, 'x');
    }
    assert_int_equal(s.len, 2000);
    ls_str_appendf(&s, "[%s]", line.data);
    assert_int_equal(s.len, 3002);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(s.data[2 * i], '0' + i % 10);
    ls_str_release(&s);
    ls_str_release(&line);
}

static void a_string_can_be_appended_to_itself(void **state)
{
    (void)state;
    ls_str s = LS_STR_INIT;
    ls_str_append(&s, "abcdefghij");
    for (int i = 0; i < 6; i++)
        ls_str_append_n(&s, s.data, s.len);
    assert_int_equal(s.len, 640);
    for (size_t i = 0; i < s.len; i++)
        assert_int_equal(s.data[i], "abcdefghij"[i % 10]);
    ls_str_appendf(&s, "%s", s.data);
    assert_int_equal(s.len, 1280);
    ls_str_release(&s);
}

static void steal_gives_the_bytes_away(void **state)
{
    (void)state;
    ls_str s = LS_STR_INIT;
    ls_str_append(&s, "mine");
    char *text = ls_str_steal(&s), *empty = ls_str_steal(&s);
    assert_string_equal(text, "mine");
    assert_string_equal(empty, "");
    assert_string_equal(s.data, "");
    ls_free(text);
    ls_free(empty);
}

static void prefixes_and_suffixes_are_found(void **state)
{
    (void)state;
    assert_true(ls_starts_with("model.bin", "model"));
    assert_true(ls_starts_with("x", ""));
    assert_false(ls_starts_with("mo", "model"));
    assert_true(ls_ends_with("model.bin", ".bin"));
    assert_true(ls_ends_with("x", ""));
    assert_false(ls_ends_with("n", ".bin"));
}

/* --- escapes --- */

typedef void append_fn(ls_str *s, const char *bytes, size_t n);

static void check_escape(append_fn *append, const char *bytes, size_t n, const char *want)
{
    ls_str s = LS_STR_INIT;
    append(&s, bytes, n);
    assert_string_equal(s.data, want);
    ls_str_release(&s);
}

static void json_escapes_what_must_be(void **state)
{
    (void)state;
    check_escape(ls_str_append_json, "", 0, "\"\"");
    check_escape(ls_str_append_json, "a\"b\\c/\n\t\r\b\f", 11, "\"a\\\"b\\\\c/\\n\\t\\r\\b\\f\"");
    check_escape(ls_str_append_json, "\0\x1f\x7f", 3, "\"\\u0000\\u001f\\u007f\"");
    check_escape(ls_str_append_json, "\xc3\xa9\xf0\x9f\x98\x80", 6, "\"\xc3\xa9\xf0\x9f\x98\x80\"");
}

/* The replacements are those of Unicode, table 3-8 and 3-9: one for each maximal subpart. */
static void json_replaces_bytes_that_are_no_utf8(void **state)
{
    (void)state;
#define R "\xef\xbf\xbd"
    check_escape(ls_str_append_json, "\xc0\xaf", 2, "\"" R R "\"");       /* overlong */
    check_escape(ls_str_append_json, "\xed\xa0\x80", 3, "\"" R R R "\""); /* surrogate */
    check_escape(ls_str_append_json, "\xf4\x91\x92\x93\xff\x41", 6, "\"" R R R R R "A\"");
    check_escape(ls_str_append_json, "\xe1\x80\xe2\xf0\x91\x92\xf1\xbf\x41", 9, "\"" R R R R "A\"");
    check_escape(ls_str_append_json, "\xe2\x82", 2, "\"" R "\""); /* cut at the end */
#undef R
}

static void json_of_any_bytes_is_read_by_a_parser(void **state)
{
    (void)state;
    ls_str s = LS_STR_INIT;
    for (uint32_t i = 0; i < 3000; i++) {
        char bytes[64];
        const ls_rng_name name = {.seed = 1, .purpose = LS_RNG_TEST, .step = i};
        size_t n = ls_rng_below(&name, 16) * 4;
        for (uint32_t k = 0; k < n; k += 4) {
            const ls_rng_name piece = {
                .seed = 1, .purpose = LS_RNG_TEST, .step = i, .prompt = k + 1};
            uint32_t words[4];
            ls_rng_words(words, &piece);
            /* half of the pieces favour lead and continuation bytes */
            words[0] = words[1] & 1 ? words[0] | 0x808080e0u : words[0];
            memcpy(bytes + k, words, 4);
        }
        ls_str_clear(&s);
        ls_str_append_json(&s, bytes, n);
        json_t *value = json_loadb(s.data, s.len, JSON_DECODE_ANY | JSON_ALLOW_NUL, NULL);
        assert_non_null(value);
        assert_true(json_is_string(value));
        json_decref(value);
    }
    ls_str_release(&s);
}

static void html_escapes_markup_and_shows_control_characters(void **state)
{
    (void)state;
    check_escape(ls_str_append_html, "<a href=\"x\">'&'</a>", 19,
                 "&lt;a href=&quot;x&quot;&gt;&#39;&amp;&#39;&lt;/a&gt;");
    check_escape(ls_str_append_html, "a\n\tb\x1b\0\xff", 7,
                 "a\n\tb\xe2\x90\x9b\xe2\x90\x80\xef\xbf\xbd");
}

static void visible_text_holds_no_control_characters(void **state)
{
    (void)state;
    check_escape(ls_str_append_visible, "a\nb\t\x1b[1m\x7f", 9,
                 "a\\nb\xe2\x90\x89\xe2\x90\x9b[1m\xe2\x90\xa1");
    check_escape(ls_str_append_visible, "\xff\xc2\x9b\xc3\xa9", 5, "\\xff\\xc2\\x9b\xc3\xa9");
}

/* --- names --- */

static const char *nearest(const char *text)
{
    static const char *const names[] = {"learning_rate", "num_generations", "beta",
                                        "epsilon",       "epsilon_high",    "seed"};
    return ls_nearest_name(text, names, LS_COUNT(names));
}

static void the_nearest_name_is_found_within_a_third(void **state)
{
    (void)state;
    assert_string_equal(nearest("learning_rte"), "learning_rate");
    assert_string_equal(nearest("lerning-rate"), "learning_rate");
    assert_string_equal(nearest("baet"), "beta"); /* 2 edits or 1 swap, at least 2 are allowed */
    assert_string_equal(nearest("sede"), "seed"); /* 1 swap */
    assert_string_equal(nearest("epsilon_hgih"), "epsilon_high");
    assert_null(nearest("epsilon_low")); /* 4 edits of 11 letters from either */
    assert_string_equal(nearest("epsilon"), "epsilon");
    assert_null(nearest("temperature"));
    assert_null(nearest("ab"));
    assert_null(ls_nearest_name("x", NULL, 0));
}

/* --- numbers --- */

static void integers_are_read_whole_or_not_at_all(void **state)
{
    (void)state;
    int64_t value = 77;
    assert_true(ls_parse_int64("-12", &value));
    assert_int_equal(value, -12);
    assert_true(ls_parse_int64("+007", &value));
    assert_int_equal(value, 7);
    assert_true(ls_parse_int64("9223372036854775807", &value));
    assert_true(value == INT64_MAX);
    assert_true(ls_parse_int64("-9223372036854775808", &value));
    assert_true(value == INT64_MIN);
    value = 77;
    const char *const junk[] = {"",    "-",    "+",     " 1",  "1 ",
                                "1.0", "0x10", "1e3",   "--1", "9223372036854775808",
                                "1_0", "one",  "\t\n1", "1\n", "-9223372036854775809"};
    for (size_t i = 0; i < LS_COUNT(junk); i++)
        assert_false(ls_parse_int64(junk[i], &value));
    assert_int_equal(value, 77);
}

static void doubles_are_read_whole_or_not_at_all(void **state)
{
    (void)state;
    double value = 77;
    const struct {
        const char *text;
        double value;
    } good[] = {{"1e-4", 1e-4},
                {"0", 0},
                {"-.5", -0.5},
                {"5.", 5},
                {"+1.25E+2", 125},
                {"1e-400", 0},
                {"1.7976931348623157e308", 1.7976931348623157e308},
                {"5e-324", 5e-324}};
    for (size_t i = 0; i < LS_COUNT(good); i++) {
        assert_true(ls_parse_double(good[i].text, &value));
        assert_true(value == good[i].value);
    }
    value = 77;
    const char *const junk[] = {"1e-4abc", "nan", "NaN", "inf", "-inf",  "infinity", "1e999",
                                "-1e999",  "",    ".",   "-",   "e5",    "1e",       "1e+",
                                "0x1p3",   " 1",  "1 ",  "1,5", "1.2.3", "--1",      "1_0"};
    for (size_t i = 0; i < LS_COUNT(junk); i++)
        assert_false(ls_parse_double(junk[i], &value));
    assert_true(value == 77);
}

static void check_double(double value, const char *want)
{
    char text[32];
    assert_string_equal(ls_format_double(text, value), want);
}

static void doubles_are_written_as_people_write_them(void **state)
{
    (void)state;
    check_double(0.1, "0.1");
    check_double(1e-6, "1e-06");
    check_double(3, "3");
    check_double(0, "0");
    check_double(-0.0, "-0");
    check_double(-2.5, "-2.5");
    check_double(100, "100");
    check_double(1e15, "1000000000000000");
    check_double(1e16, "1e+16");
    check_double(123456.789, "123456.789");
    check_double(0.0001, "0.0001");
    check_double(0.00012345, "0.00012345");
    check_double(1.5e-5, "1.5e-05");
    check_double(1.0 / 3, "0.3333333333333333");
    check_double(0.1 + 0.2, "0.30000000000000004");
    check_double(5e-324, "5e-324");
    check_double(-1.7976931348623157e308, "-1.7976931348623157e+308");
    check_double(NAN, "nan");
    check_double(-INFINITY, "-inf");
    char text[32];
    assert_string_equal(ls_format_float(text, 0.1f), "0.1");
    assert_string_equal(ls_format_float(text, 1e-6f), "1e-06");
    assert_string_equal(ls_format_float(text, 16777216.0f), "16777216");
    assert_string_equal(ls_format_float(text, 1.0f / 3), "0.33333334");
    assert_string_equal(ls_format_float(text, 3.4028235e38f), "3.4028235e+38");
}

static void any_number_reads_back_to_the_same_bits(void **state)
{
    (void)state;
    char text[32];
    for (uint32_t i = 0; i < 20000; i++) {
        const ls_rng_name name = {.seed = 5, .purpose = LS_RNG_TEST, .step = i};
        uint32_t words[4];
        ls_rng_words(words, &name);
        double d, back;
        float f;
        memcpy(&d, words, sizeof d);
        memcpy(&f, words + 2, sizeof f);
        if (isfinite(d)) {
            assert_true(ls_parse_double(ls_format_double(text, d), &back));
            assert_memory_equal(&back, &d, sizeof d);
        }
        if (isfinite(f)) {
            float float_back = strtof(ls_format_float(text, f), NULL);
            assert_memory_equal(&float_back, &f, sizeof f);
        }
    }
}

static void check_people(char *(*format)(char *, double), double value, const char *want)
{
    char text[32];
    assert_string_equal(format(text, value), want);
}

static void sizes_counts_and_times_are_short(void **state)
{
    (void)state;
    check_people(ls_format_bytes, 0, "0 B");
    check_people(ls_format_bytes, 1023, "1023 B");
    check_people(ls_format_bytes, 1024, "1.0 KiB");
    check_people(ls_format_bytes, 1.5 * 1024 * 1024 * 1024, "1.5 GiB");
    check_people(ls_format_bytes, 1024 * 1024 - 1, "1.0 MiB");
    check_people(ls_format_bytes, 1e300, "8.882e+284 PiB");
    check_people(ls_format_count, 999, "999");
    check_people(ls_format_count, 34.2e6, "34.2M");
    check_people(ls_format_count, 999999, "1.0M");
    check_people(ls_format_count, 7.1e9, "7.1B");
    check_people(ls_format_count, NAN, "nan");
    check_people(ls_format_seconds, 0.0123, "12ms");
    check_people(ls_format_seconds, 0.9999, "1.0s");
    check_people(ls_format_seconds, 12.34, "12.3s");
    check_people(ls_format_seconds, 59.96, "1m 00s");
    check_people(ls_format_seconds, 80, "1m 20s");
    check_people(ls_format_seconds, 3599.6, "1h 00m");
    check_people(ls_format_seconds, 2 * 3600 + 5 * 60, "2h 05m");
    check_people(ls_format_seconds, 3 * 86400 + 4 * 3600, "3d 04h");
    check_people(ls_format_seconds, INFINITY, "inf");
    check_people(ls_format_seconds, 1e300, "1.000e+300s");
}

static void utf8_is_told_from_other_bytes(void **state)
{
    (void)state;
    static const char *const valid[] = {"", "a\x7f", "\xc3\xa4", "\xef\xbf\xbf",
                                        "\xf4\x8f\xbf\xbf"};
    static const char *const invalid[] = {
        "\xff", "a\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\x80"};
    for (size_t i = 0; i < LS_COUNT(valid); i++)
        assert_true(ls_is_utf8(valid[i], strlen(valid[i])));
    for (size_t i = 0; i < LS_COUNT(invalid); i++)
        assert_false(ls_is_utf8(invalid[i], strlen(invalid[i])));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(utf8_is_told_from_other_bytes),
        cmocka_unit_test(data_is_a_c_string_through_the_whole_life),
        cmocka_unit_test(reserved_room_is_filled_without_an_allocation),
        cmocka_unit_test(long_strings_grow_by_any_kind_of_append),
        cmocka_unit_test(a_string_can_be_appended_to_itself),
        cmocka_unit_test(steal_gives_the_bytes_away),
        cmocka_unit_test(prefixes_and_suffixes_are_found),
        cmocka_unit_test(json_escapes_what_must_be),
        cmocka_unit_test(json_replaces_bytes_that_are_no_utf8),
        cmocka_unit_test(json_of_any_bytes_is_read_by_a_parser),
        cmocka_unit_test(html_escapes_markup_and_shows_control_characters),
        cmocka_unit_test(visible_text_holds_no_control_characters),
        cmocka_unit_test(the_nearest_name_is_found_within_a_third),
        cmocka_unit_test(integers_are_read_whole_or_not_at_all),
        cmocka_unit_test(doubles_are_read_whole_or_not_at_all),
        cmocka_unit_test(doubles_are_written_as_people_write_them),
        cmocka_unit_test(any_number_reads_back_to_the_same_bits),
        cmocka_unit_test(sizes_counts_and_times_are_short),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
