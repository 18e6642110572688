/* countdown: the answer is an expression over the given numbers, each used at most once, whose
 * value is the target.
 *
 * input.numbers are the numbers, input.gold is the target.  "expression = value" is allowed; what
 * stands right of = is not read. Strict: at options.extract.  Lenient: or on the last line. */
#include <stddef.h>
#include "reward/expression.h"
#include "reward/extract.h"
#include "reward/number_text.h"
#include "reward/text.h"

static const char *check_numbers(const ls_expression *e, const ls_reward_input *input)
{
    uint64_t used = 0;
    for (int64_t i = 0; i < e->n_literals; i++) {
        int64_t k = 0;
        while (k < input->n_numbers && ((used >> k & 1) || input->numbers[k] != e->literal[i]))
            k++;
        if (k == input->n_numbers)
            return "a number is not among those given, or is used twice";
        used |= UINT64_C(1) << k;
    }
    return NULL;
}

static void judge_answer(ls_verdict *verdict, ls_answer answer, const ls_reward_input *input,
                         const ls_number *target)
{
    ls_expression e;
    const char *reason = answer.reason;
    ls_span text = answer.text;
    while (ls_span_starts_with(text, "$"))
        text = ls_span_cut(text, 1, text.n);
    while (ls_span_ends_with(text, "$") || ls_span_ends_with(text, "."))
        text = ls_span_cut(text, 0, text.n - 1);
    int64_t equals = ls_span_find(text, "=");
    if (equals >= 0)
        text = ls_span_cut(text, 0, equals);
    if (!reason)
        reason = ls_expression_evaluate(&e, text);
    if (!reason)
        reason = check_numbers(&e, input);
    if (!reason) {
        int64_t num = e.num < 0 ? -e.num : e.num;
        double value = (double)e.num / (double)e.den;
        bool is_exact = target->form == LS_NUMBER_FRACTION
                            ? num == target->num && e.den == target->den
                            : e.den == 1;
        if (!is_exact || value != target->value)
            reason = "the value is not the target";
    }
    ls_verdict_set(verdict, reason ? LS_VERDICT_WRONG : LS_VERDICT_OK, answer,
                   reason ? reason : "hits the target");
}

static void judge(ls_verdict *verdict, const ls_reward_options *options,
                  const ls_reward_input *input, ls_strictness strictness)
{
    ls_number target;
    ls_answer answer = ls_extract_answer(options->extract, input->completion);
    const char *reason = NULL;
    if (!ls_number_parse(&target, input->gold) || target.form == LS_NUMBER_DECIMAL)
        reason = "the target is not a whole number or a fraction";
    else if (input->n_numbers < 1 || input->n_numbers > LS_EXPRESSION_NUMBERS)
        reason = "between 1 and 64 numbers must be given";
    if (reason) {
        ls_verdict_set(verdict, LS_VERDICT_CANNOT_JUDGE, answer, reason);
        return;
    }
    judge_answer(verdict, answer, input, &target);
    if (verdict->kind == LS_VERDICT_OK || strictness == LS_STRICT)
        return;
    bool is_open;
    ls_span rest = ls_extract_after_thinking(input->completion, &is_open);
    ls_answer last = {ls_span_last_line(rest), LS_EXTRACT_WHOLE, NULL};
    ls_verdict second;
    judge_answer(&second, last, input, &target);
    if (second.kind == LS_VERDICT_OK)
        *verdict = second;
}

const ls_reward ls_reward_countdown = {
    .name = "countdown",
    .help = "the answer is an expression over the given numbers that hits the target",
    .judge = judge,
};
