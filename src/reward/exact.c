/* exact: the answer is the gold text, white space at the ends and runs of it inside apart.
 *
 * Lenient: capitals, quotes, * and a full stop at the ends do not matter either, and where the
 * answer is not found at its place the last line counts. */
#include <string.h>
#include "reward/extract.h"
#include "reward/text.h"

static ls_span strip_marks(ls_span s)
{
    int64_t begin = 0, end = s.n;
    while (begin < end && (ls_is_space(s.at[begin]) || memchr("*\"'`$", s.at[begin], 5)))
        begin++;
    while (end > begin && (ls_is_space(s.at[end - 1]) || memchr("*\"'`$.", s.at[end - 1], 6)))
        end--;
    return ls_span_cut(s, begin, end);
}

/* The next byte of a text read with runs of white space as one blank; -1 at the end. */
static int next_byte(ls_span s, int64_t *i, bool folds_case)
{
    if (*i >= s.n)
        return -1;
    char c = s.at[(*i)++];
    if (ls_is_space(c)) {
        while (*i < s.n && ls_is_space(s.at[*i]))
            (*i)++;
        return ' ';
    }
    if (folds_case && c >= 'A' && c <= 'Z')
        c = (char)(c - 'A' + 'a');
    return (unsigned char)c;
}

static bool is_same(ls_span a, ls_span b, bool folds_case)
{
    for (int64_t i = 0, k = 0;;) {
        int x = next_byte(a, &i, folds_case), y = next_byte(b, &k, folds_case);
        if (x != y)
            return false;
        if (x < 0)
            return true;
    }
}

static bool is_same_lenient(ls_span a, ls_span b)
{
    return is_same(strip_marks(a), strip_marks(b), true);
}

static void judge(ls_verdict *verdict, const ls_reward_options *options,
                  const ls_reward_input *input, ls_strictness strictness)
{
    ls_span gold = ls_span_trim(input->gold);
    ls_answer answer = ls_extract_answer(options->extract, input->completion);
    if (gold.n == 0) {
        ls_verdict_set(verdict, LS_VERDICT_CANNOT_JUDGE, answer, "the gold answer is empty");
        return;
    }
    if (!answer.reason && is_same(answer.text, gold, false)) {
        ls_verdict_set(verdict, LS_VERDICT_OK, answer, "equal");
        return;
    }
    ls_verdict_set(verdict, LS_VERDICT_WRONG, answer, answer.reason ? answer.reason : "not equal");
    if (strictness == LS_STRICT)
        return;
    bool is_open;
    ls_span rest = ls_extract_after_thinking(input->completion, &is_open);
    ls_answer last = {ls_span_last_line(rest), LS_EXTRACT_WHOLE, NULL};
    if (!answer.reason && is_same_lenient(answer.text, gold))
        ls_verdict_set(verdict, LS_VERDICT_OK, answer, "equal but for capitals or marks");
    else if (answer.reason && is_same_lenient(last.text, gold))
        ls_verdict_set(verdict, LS_VERDICT_OK, last, "the last line is equal");
}

const ls_reward ls_reward_exact = {
    .name = "exact",
    .help = "the answer equals the gold text, white space apart",
    .judge = judge,
};
