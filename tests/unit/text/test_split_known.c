/* The matchers written by hand against PCRE2 on the very patterns that they stand for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "text/regex.h"
#include "text/split_known.h"
#include "text/unicode.h"

static uint32_t n_draws;

static uint32_t below(uint32_t n)
{
    ls_rng_name name = {.seed = 11, .purpose = LS_RNG_TEST, .position = n_draws++};
    return (uint32_t)(ls_rng_uniform(&name) * n);
}

static void random_text(ls_str *out)
{
    static const char *const parts[] = {"'",
                                        "s",
                                        "S",
                                        "t",
                                        "'ll",
                                        "'RE",
                                        "'Ve",
                                        "'m",
                                        "'d",
                                        "\xc5\xbf",
                                        "a",
                                        "Z",
                                        "abc",
                                        "1",
                                        "22",
                                        "4567",
                                        " ",
                                        "  ",
                                        "\n",
                                        "\r",
                                        "\r\n",
                                        "\t",
                                        "\xc2\xa0",
                                        "\xe3\x80\x80",
                                        "\xc2\x85",
                                        "\xe2\x80\x8b",
                                        "\xef\xbb\xbf",
                                        "\xe1\xa0\x8e",
                                        ".",
                                        "!?",
                                        "_",
                                        "(",
                                        "=",
                                        "\xc3\xa9",
                                        "\xcc\x81",
                                        "\xe0\xa4\xbf",
                                        "\xe4\xb8\xad",
                                        "\xc2\xbd",
                                        "\xe2\x85\xa7",
                                        "\xf0\x9f\x98\x80",
                                        "\xe2\x80\x8d",
                                        "/",
                                        "\x01",
                                        "\xd9\xa3"};
    ls_str_clear(out);
    for (uint32_t i = 1 + below(14); i > 0; i--)
        ls_str_append(out, parts[below(LS_COUNT(parts))]);
}

static void each_matcher_cuts_as_its_pattern_does(void **state)
{
    (void)state;
    size_t n_splits;
    const ls_known_split *splits = ls_known_splits(&n_splits);
    ls_regex_match *match = ls_regex_match_new();
    ls_str text = LS_STR_INIT;
    for (size_t s = 0; s < n_splits; s++) {
        ls_regex *regex = NULL;
        assert_int_equal(
            ls_regex_new(&regex, splits[s].pattern, strlen(splits[s].pattern), splits[s].name),
            LEASH_OK);
        for (int round = 0; round < 20000; round++) {
            ls_regex_walk walk;
            bool found = true;
            random_text(&text);
            ls_regex_walk_init(&walk, regex, match, text.data, text.len);
            for (size_t at = 0; at < text.len; at = walk.end) {
                assert_int_equal(ls_regex_walk_next(&walk, &found), LEASH_OK);
                size_t end = splits[s].match(text.data, text.len, at);
                if (!found || walk.start != at || walk.end != end)
                    fail_msg("%s: \"%s\": at %zu ours ends at %zu, PCRE2 has %zu to %zu",
                             splits[s].name, text.data, at, end, walk.start, walk.end);
            }
            assert_int_equal(ls_regex_walk_next(&walk, &found), LEASH_OK);
            assert_false(found);
        }
        ls_regex_free(regex);
    }
    ls_str_release(&text);
    ls_regex_match_free(match);
}

static void a_known_pattern_is_found_by_its_exact_text(void **state)
{
    (void)state;
    size_t n_splits;
    const ls_known_split *splits = ls_known_splits(&n_splits);
    for (size_t s = 0; s < n_splits; s++) {
        size_t n = strlen(splits[s].pattern);
        assert_true(ls_known_split_find(splits[s].pattern, n) == splits[s].match);
        assert_null(ls_known_split_find(splits[s].pattern, n - 1));
    }
}

static void a_run_of_spaces_leaves_its_last_to_the_word(void **state)
{
    (void)state;
    assert_int_equal(ls_match_gpt2("   a", 4, 0), 2);
    assert_int_equal(ls_match_gpt2("   a", 4, 2), 4);
    assert_int_equal(ls_match_gpt2("   ", 3, 0), 3);
    assert_int_equal(ls_match_gpt2("\n a", 3, 0), 1);
    assert_int_equal(ls_match_gpt2(" \xc2\xa0x", 4, 0), 1);
}

/* Searching that takes exponential time gives up with an error. */
static void a_pattern_that_explodes_is_stopped(void **state)
{
    (void)state;
    static const char pattern[] = "(a+)+\\z";
    ls_regex *regex = NULL;
    ls_regex_match *match = ls_regex_match_new();
    ls_regex_walk walk;
    bool found;
    assert_int_equal(ls_regex_new(&regex, pattern, strlen(pattern), "x"), LEASH_OK);
    static const char text[] = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab";
    ls_regex_walk_init(&walk, regex, match, text, strlen(text));
    assert_int_equal(ls_regex_walk_next(&walk, &found), LEASH_DATA);
    assert_non_null(strstr(leash_error(), "gave up"));
    ls_regex_free(regex);
    ls_regex_match_free(match);
}

static void white_space_and_words_are_those_of_the_reference_engine(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *text;
        bool matches;
    } cases[] = {{"\\s", "\xe1\xa0\x8e", false},
                 {"\\s", "\xc2\x85", true},
                 {"[\\s]", "\xe3\x80\x80", true},
                 {"\\S", "\xe2\x80\x8b", true},
                 {"\\w", "\xc2\xbd", true},
                 {"\\w", "\xe2\x85\x93", false},
                 {"\\w", "\xcc\x81", true},
                 {"\\w", "\xe2\x80\x8d", false},
                 {"\\W", "\xe2\x80\x8d", true},
                 {"[^\\w]", "_", false},
                 {"\\p{N}{2}", "\xc2\xbd\xc2\xbd", true},
                 {"(?i:'s)", "'\xc5\xbf", true}};
    ls_regex_match *match = ls_regex_match_new();
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        ls_regex *regex = NULL;
        ls_regex_walk walk;
        bool found;
        assert_int_equal(ls_regex_new(&regex, cases[i].pattern, strlen(cases[i].pattern), "x"),
                         LEASH_OK);
        ls_regex_walk_init(&walk, regex, match, cases[i].text, strlen(cases[i].text));
        assert_int_equal(ls_regex_walk_next(&walk, &found), LEASH_OK);
        if (found != cases[i].matches)
            fail_msg("%s on %s", cases[i].pattern, cases[i].text);
        ls_regex_free(regex);
    }
    ls_regex_match_free(match);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_matcher_cuts_as_its_pattern_does),
        cmocka_unit_test(a_known_pattern_is_found_by_its_exact_text),
        cmocka_unit_test(a_run_of_spaces_leaves_its_last_to_the_word),
        cmocka_unit_test(a_pattern_that_explodes_is_stopped),
        cmocka_unit_test(white_space_and_words_are_those_of_the_reference_engine),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
