/* The golden file of verdicts, and the contracts that hold for every reward and every text. */
#include "close.h"

#include <stdlib.h>
#include <string.h>
#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "reward/reward.h"

#define N_COLUMNS 8
enum { REWARD, EXTRACT, COMPLETION, GOLD, EXTRA, STRICT, LENIENT, REASON };
static const char newline[] = "\xe2\x90\xa4";
static const char *const kinds[] = {"ok", "wrong", "skip"};

/* Cuts a line at its tabs and turns the newline sign into newlines, in place. */
static void split(char *line, char *column[N_COLUMNS])
{
    for (int i = 0; i < N_COLUMNS; i++) {
        column[i] = line;
        char *tab = strchr(line, '\t');
        assert_true((tab != NULL) == (i < N_COLUMNS - 1));
        if (tab) {
            *tab = '\0';
            line = tab + 1;
        }
        for (char *at; (at = strstr(column[i], newline));) {
            *at = '\n';
            memmove(at + 1, at + 3, strlen(at + 3) + 1);
        }
    }
}

static int64_t parse_numbers(int64_t *numbers, const char *list)
{
    int64_t n = 0;
    for (char *end; *list; list = *end == ',' ? end + 1 : end)
        numbers[n++] = strtoll(list, &end, 10);
    return n;
}

static ls_verdict judge_row(char *column[N_COLUMNS], ls_strictness strictness)
{
    ls_verdict verdict;
    int64_t numbers[64];
    bool is_countdown = strcmp(column[REWARD], "countdown") == 0;
    ls_reward_options options = LS_REWARD_OPTIONS_INIT;
    options.format_tags = column[EXTRA];
    for (int i = 0; i < LS_EXTRACT_COUNT; i++) {
        if (strcmp(ls_extract_names[i], column[EXTRACT]) == 0)
            options.extract = (ls_extract)i;
    }
    ls_reward_input input = {.completion = ls_span_of(column[COMPLETION]),
                             .gold = ls_span_of(column[GOLD]),
                             .numbers = numbers,
                             .n_numbers = is_countdown ? parse_numbers(numbers, column[EXTRA]) : 0};
    const ls_reward *reward = ls_reward_find(column[REWARD]);
    assert_non_null(reward);
    ls_reward_judge(&verdict, reward, &options, &input, strictness);
    return verdict;
}

static void every_golden_case_has_its_verdict(void **state)
{
    (void)state;
    ls_str file = LS_STR_INIT;
    assert_int_equal(ls_file_read(&file, LEASH_TEST_DATA "/verifier_cases.tsv"), LEASH_OK);
    int n_rows = 0, n_bad = 0, line_number = 0;
    for (char *line = file.data, *next; *line; line = next) {
        next = strchr(line, '\n');
        assert_non_null(next);
        *next++ = '\0';
        line_number++;
        if (line[0] == '#')
            continue;
        char *column[N_COLUMNS];
        split(line, column);
        ls_verdict strict = judge_row(column, LS_STRICT), lenient = judge_row(column, LS_LENIENT);
        bool is_right = strcmp(kinds[strict.kind], column[STRICT]) == 0 &&
                        strcmp(kinds[lenient.kind], column[LENIENT]) == 0 &&
                        strstr(strict.reason, column[REASON]) &&
                        strict.score == (strict.kind == LS_VERDICT_OK);
        if (!is_right)
            print_error("line %d: %s \"%s\" gold \"%s\": strict %s (%s), lenient %s (%s)\n",
                        line_number, column[REWARD], column[COMPLETION], column[GOLD],
                        kinds[strict.kind], strict.reason, kinds[lenient.kind], lenient.reason);
        n_bad += !is_right;
        n_rows++;
    }
    ls_str_release(&file);
    assert_int_equal(n_bad, 0);
    assert_true(n_rows >= 100);
}

static uint64_t below(uint32_t trial, uint32_t i, uint64_t n)
{
    ls_rng_name name = {.seed = 17, .purpose = LS_RNG_TEST, .step = trial, .position = i};
    return ls_rng_below(&name, n);
}

/* Text made of the pieces that the readers look for, so that every branch is met. */
static int64_t random_text(char *text, int64_t room, uint32_t trial)
{
    static const char *const pieces[] = {
        "<think>",  "</think>", "<answer>", "</answer>", "\\boxed",
        "\\boxed{", "{",        "}",        "####",      "Answer:",
        "=",        "1",        "42",       "007",       "-",
        "+",        "*",        "/",        "(",         ")",
        ".",        ",",        " ",        "\n",        "\\frac",
        "\\text{",  "$",        "%",        "e9",        "\xe2\x88\x92",
        "\xc3\x97", "x",        "apples",   "1,000",     "999999999999",
        "<",        ">"};
    int64_t n = 0;
    for (uint32_t i = 0; i < 60; i++) {
        uint64_t pick = below(trial, i, LS_COUNT(pieces) + 6);
        if (pick >= LS_COUNT(pieces)) {
            text[n++] = (char)below(trial, 1000 + i, 256);
        } else {
            size_t length = strlen(pieces[pick]);
            memcpy(text + n, pieces[pick], length);
            n += (int64_t)length;
        }
        assert_true(n < room - 16);
    }
    return n;
}

static void random_bytes_never_crash_and_lenient_is_never_below_strict(void **state)
{
    (void)state;
    static const int64_t numbers[] = {1, 42, 7};
    static const char *const golds[] = {"42", "1", "1/2", "x", ""};
    int n_ok = 0;
    for (uint32_t trial = 0; trial < 40000; trial++) {
        char room[1024], gold_room[1024];
        int64_t n = random_text(room, sizeof room, trial);
        /* An allocation of exactly n bytes lets the address sanitizer see one byte too many. */
        char *text = ls_malloc((size_t)n);
        memcpy(text, room, (size_t)n);
        bool has_random_gold = trial % 3 == 0;
        int64_t n_gold = has_random_gold ? random_text(gold_room, sizeof gold_room, trial + 1) : 0;
        ls_reward_input input = {.prompt = {text, n / 2},
                                 .completion = {text, n},
                                 .gold = has_random_gold
                                             ? (ls_span){gold_room, n_gold}
                                             : ls_span_of(golds[trial % LS_COUNT(golds)]),
                                 .numbers = numbers,
                                 .n_numbers = 3};
        ls_reward_options options = LS_REWARD_OPTIONS_INIT;
        options.extract = (ls_extract)(trial % LS_EXTRACT_COUNT);
        for (int64_t i = 0; i < ls_n_rewards; i++) {
            ls_verdict strict, lenient;
            ls_reward_judge(&strict, ls_rewards[i], &options, &input, LS_STRICT);
            ls_reward_judge(&lenient, ls_rewards[i], &options, &input, LS_LENIENT);
            assert_true(lenient.score >= strict.score);
            assert_true((lenient.kind == LS_VERDICT_CANNOT_JUDGE) ==
                        (strict.kind == LS_VERDICT_CANNOT_JUDGE));
            assert_true(strict.reason[0] != '\0' &&
                        memchr(strict.extracted, 0, sizeof strict.extracted));
            n_ok += lenient.kind == LS_VERDICT_OK;
        }
        ls_free(text);
    }
    assert_true(n_ok > 100);
}

static void long_runs_of_any_marker_are_read_in_linear_time(void **state)
{
    (void)state;
    static const char *const units[] = {"<think>", "<answer>", "</answer>", "\\boxed{", "\\boxed",
                                        "####",    "=",        "Answer:",   "((((",     "----",
                                        "1+",      "9",        "1,",        ".",        " ",
                                        "\n",      "$",        "\\text{"};
    static const int64_t numbers[] = {1, 2};
    const int64_t n = 1 << 17; /* quadratic time would be minutes */
    char *text = ls_malloc((size_t)n);
    for (size_t u = 0; u < LS_COUNT(units); u++) {
        int64_t length = (int64_t)strlen(units[u]);
        for (int64_t i = 0; i < n; i++)
            text[i] = units[u][i % length];
        for (int extract = 0; extract < LS_EXTRACT_COUNT; extract++) {
            ls_reward_options options = LS_REWARD_OPTIONS_INIT;
            options.extract = (ls_extract)extract;
            ls_reward_input input = {.prompt = {text, n},
                                     .completion = {text, n},
                                     .gold = {"42", 2},
                                     .numbers = numbers,
                                     .n_numbers = 2};
            for (int64_t i = 0; i < ls_n_rewards; i++) {
                ls_verdict verdict;
                ls_reward_judge(&verdict, ls_rewards[i], &options, &input, LS_LENIENT);
                assert_int_not_equal(verdict.kind, LS_VERDICT_OK);
            }
        }
    }
    ls_free(text);
}

static void a_long_answer_is_cut_at_a_character(void **state)
{
    (void)state;
    char text[1024];
    ls_verdict verdict;
    ls_reward_options options = {.extract = LS_EXTRACT_WHOLE};
    for (int i = 0; i + 2 < 600; i += 2)
        memcpy(text + i, "\xc3\xa9", 3);
    for (int shift = 0; shift < 2; shift++) {
        ls_reward_input input = {.completion =
                                     ls_span_of(shift ? memcpy(text + 600, "x", 2) : text),
                                 .gold = ls_span_of("y")};
        ls_reward_judge(&verdict, &ls_reward_exact, &options, &input, LS_STRICT);
        size_t n = strlen(verdict.extracted);
        assert_true(n == 1 || (n == 126 && (unsigned char)verdict.extracted[n - 1] == 0xa9));
    }
}

static void a_prompt_that_opens_the_first_tag_counts(void **state)
{
    (void)state;
    ls_verdict verdict;
    ls_reward_options options = LS_REWARD_OPTIONS_INIT;
    ls_reward_input input = {.prompt = ls_span_of("Question. <think>\n"),
                             .completion = ls_span_of("a</think><answer>b</answer>")};
    ls_reward_judge(&verdict, &ls_reward_format, &options, &input, LS_STRICT);
    assert_int_equal(verdict.kind, LS_VERDICT_OK);
    input.completion = ls_span_of("<think>a</think><answer>b</answer>");
    ls_reward_judge(&verdict, &ls_reward_format, &options, &input, LS_STRICT);
    assert_int_equal(verdict.kind, LS_VERDICT_WRONG);
}

static void a_verdict_names_the_route_and_the_answer(void **state)
{
    (void)state;
    ls_verdict verdict;
    ls_reward_options options = LS_REWARD_OPTIONS_INIT;
    ls_reward_input input = {.completion = ls_span_of("so 7.\n#### 42 "), .gold = ls_span_of("7")};
    ls_reward_judge(&verdict, &ls_reward_number, &options, &input, LS_STRICT);
    assert_int_equal(verdict.route, LS_EXTRACT_HASH);
    assert_string_equal(verdict.extracted, "42");
    input.completion = ls_span_of("so 7.");
    ls_reward_judge(&verdict, &ls_reward_number, &options, &input, LS_STRICT);
    assert_int_equal(verdict.route, LS_EXTRACT_COUNT);
    assert_string_equal(verdict.extracted, "");
    ls_reward_judge(&verdict, &ls_reward_number, &options, &input, LS_LENIENT);
    assert_int_equal(verdict.route, LS_EXTRACT_NUMBER);
    assert_string_equal(verdict.extracted, "7");
}

static void a_gold_number_equals_itself(void **state)
{
    (void)state;
    static const char *const golds[] = {"0",
                                        "-12",
                                        "1/3",
                                        "-7/2",
                                        "3.25",
                                        "1,000",
                                        "123456789012345678901",
                                        "#### 5",
                                        "\\boxed{\\frac{3}{4}}",
                                        "$2.50"};
    for (size_t i = 0; i < LS_COUNT(golds); i++) {
        ls_verdict verdict;
        ls_reward_options options = {.extract = LS_EXTRACT_WHOLE};
        ls_reward_input input = {.completion = ls_span_of(golds[i]), .gold = ls_span_of(golds[i])};
        if (strstr(golds[i], "####"))
            options.extract = LS_EXTRACT_AUTO;
        ls_reward_judge(&verdict, &ls_reward_number, &options, &input, LS_STRICT);
        assert_int_equal(verdict.kind, LS_VERDICT_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_golden_case_has_its_verdict),
        cmocka_unit_test(random_bytes_never_crash_and_lenient_is_never_below_strict),
        cmocka_unit_test(long_runs_of_any_marker_are_read_in_linear_time),
        cmocka_unit_test(a_long_answer_is_cut_at_a_character),
        cmocka_unit_test(a_prompt_that_opens_the_first_tag_counts),
        cmocka_unit_test(a_verdict_names_the_route_and_the_answer),
        cmocka_unit_test(a_gold_number_equals_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
