/* The places where models are told to put answers, each as one linear scan for its last
 * occurrence. */
#include "reward/extract.h"

#include <stdio.h>
#include <string.h>
#include "reward/text.h"

/* "Answer:" counts near the end alone: earlier ones are candidates that the model went on from. */
#define ANSWER_LINE_WINDOW 300

const char *const ls_extract_names[LS_EXTRACT_COUNT] = {
#define LS_EXTRACT_NAME(id, name, help) name,
    LS_EXTRACT_LIST(LS_EXTRACT_NAME)
#undef LS_EXTRACT_NAME
};

static ls_answer found(ls_extract route, ls_span text)
{
    text = ls_span_trim(text);
    if (text.n == 0)
        return (ls_answer){text, route, "the answer is empty"};
    return (ls_answer){text, route, NULL};
}

static ls_answer not_found(void)
{
    return (ls_answer){{NULL, 0}, LS_EXTRACT_COUNT, "no answer found"};
}

ls_span ls_extract_after_thinking(ls_span completion, bool *is_open)
{
    static const char end_tag[] = "</think>";
    int64_t end = ls_span_find_last(completion, end_tag);
    int64_t begin = ls_span_find_last(completion, "<think>");
    *is_open = begin > end;
    if (end < 0 || *is_open)
        return completion;
    return ls_span_cut(completion, end + (int64_t)strlen(end_tag), completion.n);
}

static ls_answer from_tag(ls_span text)
{
    static const char open_tag[] = "<answer>";
    int64_t end = ls_span_find_last(text, "</answer>");
    if (end < 0)
        return not_found();
    int64_t begin = ls_span_find_last(ls_span_cut(text, 0, end), open_tag);
    if (begin < 0)
        return not_found();
    return found(LS_EXTRACT_TAG, ls_span_cut(text, begin + (int64_t)strlen(open_tag), end));
}

/* The span of balanced braces that opens at text[begin]; is_balanced false when it never closes. */
static ls_span braces(ls_span text, int64_t begin, bool *is_balanced)
{
    int64_t depth = 0;
    *is_balanced = true;
    for (int64_t i = begin; i < text.n; i++) {
        depth += (text.at[i] == '{') - (text.at[i] == '}');
        if (depth == 0)
            return ls_span_cut(text, begin + 1, i);
    }
    *is_balanced = false;
    return ls_span_cut(text, begin, begin);
}

static ls_answer from_box(ls_span text)
{
    static const char boxed[] = "\\boxed", framed[] = "\\fbox";
    int64_t box = ls_span_find_last(text, boxed), frame = ls_span_find_last(text, framed);
    if (box < 0 && frame < 0)
        return not_found();
    int64_t i = box > frame ? box + (int64_t)strlen(boxed) : frame + (int64_t)strlen(framed);
    while (i < text.n && (text.at[i] == ' ' || text.at[i] == '\t'))
        i++;
    if (i < text.n && text.at[i] == '{') {
        bool is_balanced;
        ls_span inside = braces(text, i, &is_balanced);
        if (!is_balanced)
            return (ls_answer){inside, LS_EXTRACT_BOXED, "the braces of the box do not close"};
        return found(LS_EXTRACT_BOXED, inside);
    }
    /* "\boxed 5$": up to the end of the formula, or of the line. */
    ls_span rest = ls_span_rest_of_line(text, i);
    int64_t dollar = ls_span_find(rest, "$");
    return found(LS_EXTRACT_BOXED, dollar < 0 ? rest : ls_span_cut(rest, 0, dollar));
}

static ls_answer from_marker(ls_span text, const char *marker, ls_extract route)
{
    int64_t i = ls_span_find_last(text, marker);
    if (i < 0)
        return not_found();
    return found(route, ls_span_rest_of_line(text, i + (int64_t)strlen(marker)));
}

static ls_answer from_answer_line(ls_span text)
{
    static const char marker[] = "answer:";
    int64_t begin = text.n > ANSWER_LINE_WINDOW ? text.n - ANSWER_LINE_WINDOW : 0;
    ls_span tail = ls_span_cut(text, begin, text.n);
    int64_t i = ls_span_find_last_nocase(tail, marker);
    if (i < 0)
        return not_found();
    i += (int64_t)strlen(marker);
    while (i < tail.n && tail.at[i] == '*') /* "**Answer:** 5" */
        i++;
    return found(LS_EXTRACT_LINE, ls_span_rest_of_line(tail, i));
}

static ls_answer from_any(ls_span text)
{
    ls_answer answer = from_tag(text);
    if (answer.route == LS_EXTRACT_COUNT)
        answer = from_box(text);
    if (answer.route == LS_EXTRACT_COUNT)
        answer = from_marker(text, "####", LS_EXTRACT_HASH);
    if (answer.route == LS_EXTRACT_COUNT)
        answer = from_answer_line(text);
    return answer;
}

ls_answer ls_extract_answer(ls_extract how, ls_span completion)
{
    bool is_open;
    ls_span text = ls_extract_after_thinking(completion, &is_open);
    if (is_open)
        return (ls_answer){{NULL, 0}, LS_EXTRACT_COUNT, "no answer found: <think> is not closed"};
    switch (how) {
    case LS_EXTRACT_AUTO: return from_any(text);
    case LS_EXTRACT_TAG: return from_tag(text);
    case LS_EXTRACT_BOXED: return from_box(text);
    case LS_EXTRACT_HASH: return from_marker(text, "####", how);
    case LS_EXTRACT_LINE: return from_answer_line(text);
    case LS_EXTRACT_EQUALS: return from_marker(text, "=", how);
    case LS_EXTRACT_WHOLE: return found(how, text);
    case LS_EXTRACT_NUMBER: {
        ls_span number = ls_extract_last_number(text);
        return number.n ? found(how, number) : not_found();
    }
    case LS_EXTRACT_COUNT: break;
    }
    LS_ASSERT(how < LS_EXTRACT_COUNT);
    return not_found();
}

/* The end of the number that starts at digit or point `i`. */
static int64_t number_end(ls_span text, int64_t i)
{
    int64_t end = i;
    while (end < text.n &&
           (ls_is_digit(text.at[end]) || text.at[end] == ',' || text.at[end] == '.'))
        end++;
    while (end > i && !ls_is_digit(text.at[end - 1]))
        end--;
    bool has_exponent = end + 1 < text.n && (text.at[end] == 'e' || text.at[end] == 'E');
    int64_t exponent = end + 1;
    if (has_exponent && (text.at[exponent] == '-' || text.at[exponent] == '+'))
        exponent++;
    bool has_denominator = end + 1 < text.n && text.at[end] == '/';
    if ((has_exponent || has_denominator) && exponent < text.n && ls_is_digit(text.at[exponent])) {
        end = exponent;
        while (end < text.n && ls_is_digit(text.at[end]))
            end++;
    }
    return end;
}

/* A minus before a number is its sign unless something stands before it that is subtracted from. */
static int64_t with_sign(ls_span text, int64_t i)
{
    static const char minus[] = "\xe2\x88\x92"; /* U+2212 */
    int64_t n = (int64_t)strlen(minus), sign = i;
    if (i >= 1 && text.at[i - 1] == '-')
        sign = i - 1;
    else if (i >= n && memcmp(text.at + i - n, minus, (size_t)n) == 0)
        sign = i - n;
    if (sign > 0 && sign < i) {
        char before = text.at[sign - 1];
        if (ls_is_digit(before) || ls_is_letter(before) || before == ')')
            return i;
    }
    return sign;
}

ls_span ls_extract_last_number(ls_span text)
{
    int64_t begin = 0, end = 0;
    for (int64_t i = 0; i < text.n;) {
        bool is_point = text.at[i] == '.' && i + 1 < text.n && ls_is_digit(text.at[i + 1]);
        if (!ls_is_digit(text.at[i]) && !is_point) {
            i++;
            continue;
        }
        begin = with_sign(text, i);
        end = i = number_end(text, i);
    }
    return ls_span_cut(text, begin, end);
}

void ls_verdict_set(ls_verdict *verdict, ls_verdict_kind kind, ls_answer answer, const char *reason)
{
    *verdict = (ls_verdict){.kind = kind, .score = kind == LS_VERDICT_OK, .route = answer.route};
    int64_t n = answer.text.n, room = (int64_t)sizeof verdict->extracted - 1;
    if (n > room) {
        n = room;
        while (n > 0 && ((unsigned char)answer.text.at[n] & 0xc0) == 0x80)
            n--;
    }
    if (n > 0)
        memcpy(verdict->extracted, answer.text.at, (size_t)n);
    snprintf(verdict->reason, sizeof verdict->reason, "%s", reason);
}
