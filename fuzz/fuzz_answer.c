/* Completions, which models write: any bytes have an answer or none by every route, a number equals
 * itself, and an expression has a value or a reason. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "reward/expression.h"
#include "reward/extract.h"
#include "reward/number_text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool is_inside(ls_span part, ls_span whole)
{
    return part.n == 0 || (part.at >= whole.at && part.n <= whole.n - (part.at - whole.at));
}

static void check_number(ls_span text)
{
    ls_number number;
    if (ls_number_parse(&number, text))
        LS_ASSERT(ls_number_equal(&number, &number));
}

static void check_expression(ls_span text)
{
    ls_expression e;
    if (ls_expression_evaluate(&e, text))
        return;
    LS_ASSERT(e.den >= 1);
    LS_ASSERT(e.n_literals >= 0 && e.n_literals <= LS_EXPRESSION_NUMBERS);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    bool is_open;
    char *copy = ls_malloc(n); /* of its very size: reading behind it is seen */
    memcpy(copy, data, n);
    ls_span whole = {copy, (int64_t)n};
    LS_ASSERT(is_inside(ls_extract_after_thinking(whole, &is_open), whole));
    for (int how = 0; how < LS_EXTRACT_COUNT; how++) {
        ls_answer answer = ls_extract_answer((ls_extract)how, whole);
        if (answer.route == LS_EXTRACT_COUNT) {
            LS_ASSERT(answer.reason);
            continue;
        }
        LS_ASSERT(is_inside(answer.text, whole));
        check_number(answer.text);
        check_expression(answer.text);
    }
    LS_ASSERT(is_inside(ls_extract_last_number(whole), whole));
    check_number(whole);
    check_expression(whole);
    ls_free(copy);
    return 0;
}
