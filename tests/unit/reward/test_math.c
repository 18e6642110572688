/* Claims about the math reward and LaTeX written in one way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>
#include "reward/latex.h"
#include "reward/reward.h"

static ls_span span(const char *text)
{
    return (ls_span){text, (int64_t)strlen(text)};
}

static ls_verdict_kind judge(const char *completion, const char *gold, ls_strictness strictness)
{
    static const ls_reward_options options = {0};
    ls_reward_input input = {.completion = span(completion), .gold = span(gold)};
    ls_verdict verdict = {0};
    ls_reward_math.judge(&verdict, &options, &input, strictness);
    return verdict.kind;
}

static void latex_is_written_in_one_way(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"\\dfrac{1}{2}", "\\frac12"},
        {"1/2", "\\tfrac{1}{2}"},
        {"-1/2", "-\\frac{1}{2}"},
        {"\\left( 3, \\frac{\\pi}{2} \\right)", "(3,\\frac{\\pi}{2})"},
        {"x = 5\\sqrt2", "5\\sqrt{2}"},
        {"$90^\\circ$", "90^{\\circ}"},
        {"x^{2}+1", "x^2 + 1"},
        {"\\text{even}", "even"},
        {"\\text{ (C) }", "(C)"},
        {"3 \\times 10^5.", "3 \\cdot 10^5"},
        {"x \\ge 2", "x\\geq 2"},
        {"{[0, 1)}", "[0,1)"},
        {"12\\%", "12"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char a[LS_LATEX_BYTES], b[LS_LATEX_BYTES];
        int64_t n = ls_latex_normalize(a, span(pairs[i][0])),
                m = ls_latex_normalize(b, span(pairs[i][1]));
        if (n != m || memcmp(a, b, (size_t)n) != 0)
            fail_msg("%s -> %.*s, %s -> %.*s", pairs[i][0], (int)n, a, pairs[i][1], (int)m, b);
    }
}

static void what_differs_stays_different(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"x^{12}", "x^12"}, {"\\frac{1}{2}", "\\frac{2}{1}"}, {"(0,1)", "[0,1)"},
        {"1+x", "x+1"},     {"\\sqrt[3]{2}", "\\sqrt{2}"},    {"-x", "x"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char a[LS_LATEX_BYTES], b[LS_LATEX_BYTES];
        int64_t n = ls_latex_normalize(a, span(pairs[i][0])),
                m = ls_latex_normalize(b, span(pairs[i][1]));
        assert_false(n == m && memcmp(a, b, (size_t)n) == 0);
    }
}

static void broken_and_long_latex_is_no_crash(void **state)
{
    (void)state;
    static const char *const texts[] = {"\\",       "\\frac",  "\\frac{", "\\frac{1",  "\\sqrt",
                                        "^{",       "x^{2",    "{{{{",    "}}}}",      "=",
                                        "\\frac\\", "{",       "/",       "-/",        "1/",
                                        "\\text{",  "\\frac1", "$$",      "\\left\\(", ""};
    char out[LS_LATEX_BYTES], text[4000];
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_true(ls_latex_normalize(out, span(texts[i])) >= 0);
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = 0;
    assert_int_equal(ls_latex_normalize(out, span(text)), -1);
}

static void numbers_are_numbers_and_the_rest_is_latex(void **state)
{
    (void)state;
    assert_int_equal(judge("so \\boxed{\\frac{1}{2}}", "0.5", LS_STRICT), LS_VERDICT_OK);
    assert_int_equal(judge("#### 1,234", "1234", LS_STRICT), LS_VERDICT_OK);
    assert_int_equal(judge("\\boxed{\\left(2,\\infty\\right)}", "(2, \\infty)", LS_STRICT),
                     LS_VERDICT_OK);
    assert_int_equal(judge("\\boxed{x+1}", "work \\boxed{x + 1}", LS_STRICT), LS_VERDICT_OK);
    assert_int_equal(judge("\\boxed{x+2}", "x+1", LS_STRICT), LS_VERDICT_WRONG);
    assert_int_equal(judge("it is 72", "70+2=72 #### 72", LS_STRICT), LS_VERDICT_WRONG);
    assert_int_equal(judge("it is 72", "70+2=72 #### 72", LS_LENIENT), LS_VERDICT_OK);
    assert_int_equal(judge("#### 72", "", LS_STRICT), LS_VERDICT_CANNOT_JUDGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(latex_is_written_in_one_way),
        cmocka_unit_test(what_differs_stays_different),
        cmocka_unit_test(broken_and_long_latex_is_no_crash),
        cmocka_unit_test(numbers_are_numbers_and_the_rest_is_latex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
