/* math: the answer is the gold answer, as a number or as LaTeX written in one way.
 *
 * Two numbers are compared as `number` does.  Everything else (intervals, expressions, words) is
 * compared after ls_latex_normalize; nothing is computed, so equal expressions in another form are
 * wrong: right answers may be missed, wrong ones are not taken.  Lenient: or the last number of the
 * text is the gold number.  The gold column may be an answer or a worked solution that ends with
 * #### or a box. */
#include <string.h>
#include "reward/extract.h"
#include "reward/latex.h"
#include "reward/number_text.h"
#include "reward/text.h"

static bool is_equal(ls_span answer, ls_span gold)
{
    ls_number x, y;
    if (ls_number_parse(&x, answer) && ls_number_parse(&y, gold))
        return ls_number_equal(&x, &y);
    char a[LS_LATEX_BYTES], b[LS_LATEX_BYTES];
    int64_t n = ls_latex_normalize(a, answer), m = ls_latex_normalize(b, gold);
    return n > 0 && n == m && memcmp(a, b, (size_t)n) == 0;
}

static void judge(ls_verdict *verdict, const ls_reward_options *options,
                  const ls_reward_input *input, ls_strictness strictness)
{
    ls_answer answer = ls_extract_answer(options->extract, input->completion);
    ls_answer worked = ls_extract_answer(LS_EXTRACT_AUTO, input->gold);
    ls_span gold = worked.reason ? ls_span_trim(input->gold) : worked.text;
    if (gold.n == 0) {
        ls_verdict_set(verdict, LS_VERDICT_CANNOT_JUDGE, answer, "the gold answer is empty");
        return;
    }
    if (answer.reason)
        ls_verdict_set(verdict, LS_VERDICT_WRONG, answer, answer.reason);
    else if (is_equal(answer.text, gold))
        ls_verdict_set(verdict, LS_VERDICT_OK, answer, "equal");
    else
        ls_verdict_set(verdict, LS_VERDICT_WRONG, answer, "not equal");
    if (verdict->kind == LS_VERDICT_OK || strictness == LS_STRICT)
        return;
    bool is_open;
    ls_span last = ls_extract_last_number(ls_extract_after_thinking(input->completion, &is_open));
    if (last.n > 0 && is_equal(last, gold))
        ls_verdict_set(verdict, LS_VERDICT_OK, (ls_answer){last, LS_EXTRACT_NUMBER, NULL}, "equal");
}

const ls_reward ls_reward_math = {
    .name = "math",
    .help = "the answer equals the gold answer, as a number or as the same LaTeX",
    .judge = judge,
};
