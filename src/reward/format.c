/* format: the completion has the asked tags, each exactly once, in order, and nothing else around
 * them.
 *
 *     <think> ... </think> <answer> ... </answer>            format_tags: think,answer
 *
 * The last pair must not be empty.  When the prompt already ends with the first opening tag, the
 * completion must not repeat it. Lenient: text before, between and after the pairs is allowed. */
#include <stdio.h>
#include <string.h>
#include "reward/extract.h"
#include "reward/text.h"

#define TAG_BYTES 32

typedef struct tag {
    char open[TAG_BYTES + 3], close[TAG_BYTES + 4];
} tag;

/* Takes the next name of a list joined with commas.  False at its end and for a name that is empty
 * or too long. */
static bool next_tag(tag *out, ls_span *names)
{
    if (names->n == 0)
        return false;
    int64_t comma = ls_span_find(*names, ",");
    ls_span name = ls_span_trim(ls_span_cut(*names, 0, comma < 0 ? names->n : comma));
    *names = ls_span_cut(*names, comma < 0 ? names->n : comma + 1, names->n);
    if (name.n == 0 || name.n > TAG_BYTES)
        return false;
    snprintf(out->open, sizeof out->open, "<%.*s>", (int)name.n, name.at);
    snprintf(out->close, sizeof out->close, "</%.*s>", (int)name.n, name.at);
    return true;
}

static bool is_blank(ls_span s)
{
    return ls_span_trim(s).n == 0;
}

/* Why the text does not have the form, NULL when it has. */
static const char *fault(ls_span text, ls_span prompt, ls_span names, ls_strictness strictness)
{
    tag t;
    int64_t at = 0;
    bool is_first = true, last_is_empty = false;
    while (next_tag(&t, &names)) {
        bool is_given = is_first && ls_span_ends_with(ls_span_trim(prompt), t.open);
        if (ls_span_count(text, t.open) != (is_given ? 0 : 1))
            return is_given ? "a tag is opened twice" : "an opening tag is missing or repeated";
        if (ls_span_count(text, t.close) != 1)
            return "a closing tag is missing or repeated";
        int64_t open = is_given ? 0 : ls_span_find(text, t.open);
        int64_t inside = is_given ? 0 : open + (int64_t)strlen(t.open);
        int64_t close = ls_span_find(text, t.close);
        if (open < at || close < inside)
            return "tags are out of order";
        if (strictness == LS_STRICT && !is_blank(ls_span_cut(text, at, open)))
            return "text outside of the tags";
        last_is_empty = is_blank(ls_span_cut(text, inside, close));
        at = close + (int64_t)strlen(t.close);
        is_first = false;
    }
    if (strictness == LS_STRICT && !is_blank(ls_span_cut(text, at, text.n)))
        return "text outside of the tags";
    return last_is_empty ? "the last pair of tags is empty" : NULL;
}

static void judge(ls_verdict *verdict, const ls_reward_options *options,
                  const ls_reward_input *input, ls_strictness strictness)
{
    ls_answer nothing = {{NULL, 0}, LS_EXTRACT_COUNT, NULL};
    ls_span names = ls_span_of(options->format_tags), rest = names;
    tag first;
    if (!next_tag(&first, &rest)) {
        ls_verdict_set(verdict, LS_VERDICT_CANNOT_JUDGE, nothing, "format_tags names no tag");
        return;
    }
    const char *reason = fault(input->completion, input->prompt, names, strictness);
    ls_verdict_set(verdict, reason ? LS_VERDICT_WRONG : LS_VERDICT_OK, nothing,
                   reason ? reason : "well formed");
}

const ls_reward ls_reward_format = {
    .name = "format",
    .help =
        "the completion has each of format_tags exactly once, in order, and nothing around them",
    .is_gate = true,
    .judge = judge,
};
