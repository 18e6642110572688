/* number: the answer is a number equal to the gold number.
 *
 * Strict: the answer stands where options.extract says and is nothing but a number (with a unit at
 * the most).  Lenient: or the last number of the text is right.  The gold column may be a bare
 * number or a whole worked solution that ends with #### or a box, as in GSM8K and MATH. */
#include <stddef.h>
#include "reward/extract.h"
#include "reward/number_text.h"
#include "reward/text.h"

static bool parse_gold(ls_number *gold, ls_span text)
{
    ls_answer answer = ls_extract_answer(LS_EXTRACT_AUTO, text);
    return ls_number_parse(gold, answer.reason ? text : answer.text);
}

static void judge_answer(ls_verdict *verdict, ls_answer answer, const ls_number *gold)
{
    ls_number number;
    if (answer.reason)
        ls_verdict_set(verdict, LS_VERDICT_WRONG, answer, answer.reason);
    else if (!ls_number_parse(&number, answer.text))
        ls_verdict_set(verdict, LS_VERDICT_WRONG, answer, "the answer is not a number");
    else if (ls_number_equal(&number, gold))
        ls_verdict_set(verdict, LS_VERDICT_OK, answer, "equal");
    else
        ls_verdict_set(verdict, LS_VERDICT_WRONG, answer, "not equal");
}

static void judge(ls_verdict *verdict, const ls_reward_options *options,
                  const ls_reward_input *input, ls_strictness strictness)
{
    ls_number gold;
    ls_answer answer = ls_extract_answer(options->extract, input->completion);
    if (!parse_gold(&gold, input->gold)) {
        ls_verdict_set(verdict, LS_VERDICT_CANNOT_JUDGE, answer, "the gold answer is not a number");
        return;
    }
    judge_answer(verdict, answer, &gold);
    if (verdict->kind == LS_VERDICT_OK || strictness == LS_STRICT)
        return;
    bool is_open;
    ls_span last = ls_extract_last_number(ls_extract_after_thinking(input->completion, &is_open));
    if (last.n > 0)
        judge_answer(verdict, (ls_answer){last, LS_EXTRACT_NUMBER, NULL}, &gold);
}

const ls_reward ls_reward_number = {
    .name = "number",
    .help = "the answer equals the gold number; fractions exactly, decimals to 1e-6",
    .judge = judge,
};
