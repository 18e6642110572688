/* Two families: GPT-2's pattern, and that of GPT-4's cl100k, which Llama 3 and Qwen took over with
 * small changes.
 *
 * In both, alternatives are tried in order at one place: contractions, letters, digits, symbols,
 * white space.  The white-space rules need the whole run: \s+(?!\S) leaves its last character to
 * the word that follows. */
#include "text/split_known.h"

#include <string.h>

#include "text/unicode.h"

#define GPT2_PATTERN                                \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| " \
    "?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+"
#define CL100K_PATTERN(letter, digits, symbol)                                            \
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?" letter "+|" digits "| ?" symbol \
    "+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+"

/* Bytes from `at` on whose class has one of `any`, or, for `any` 0, none of `none`. */
static inline size_t run_end(const char *text, size_t n, size_t at, unsigned any, unsigned none)
{
    size_t length;
    while (at < n) {
        unsigned class = ls_class_at(text + at, &length);
        if ((any && !(class & any)) || (class & none))
            break;
        at += length;
    }
    return at;
}

/* \s+(?!\S)|\s+ */
static size_t match_space(const char *text, size_t n, size_t at)
{
    size_t last = at, end = at, length;
    while (end < n && (ls_class_at(text + end, &length) & LS_SPACE)) {
        last = end;
        end += length;
    }
    return end < n && last > at ? last : end;
}

/* End of a contraction at an apostrophe, 0 when there is none. */
static inline size_t match_contraction(const char *text, size_t n, size_t at, bool ignores_case)
{
    if (n - at < 2)
        return 0;
    unsigned char fold = ignores_case ? 0x20 : 0;
    char a = (char)(text[at + 1] | fold), b = n - at > 2 ? (char)(text[at + 2] | fold) : 0;
    if (a == 's' || a == 't' || a == 'm' || a == 'd')
        return at + 2;
    if ((a == 'r' && b == 'e') || (a == 'v' && b == 'e') || (a == 'l' && b == 'l'))
        return at + 3;
    /* U+017F, the long s, is an s in another case. */
    if (ignores_case && n - at > 2 && memcmp(text + at + 1, "\xc5\xbf", 2) == 0)
        return at + 3;
    return 0;
}

size_t ls_match_gpt2(const char *text, size_t n, size_t at)
{
    size_t length, first = at;
    unsigned class = ls_class_at(text + at, &length);
    if (text[at] == '\'') {
        size_t end = match_contraction(text, n, at, false);
        if (end)
            return end;
    }
    if (text[at] == ' ' && at + 1 < n) {
        first = at + 1;
        class = ls_class_at(text + first, &length);
    }
    if (class & LS_LETTER)
        return run_end(text, n, first + length, LS_LETTER, 0);
    if (class & LS_NUMBER)
        return run_end(text, n, first + length, LS_NUMBER, 0);
    if (!(class & LS_SPACE))
        return run_end(text, n, first + length, 0, LS_SPACE | LS_LETTER | LS_NUMBER);
    return match_space(text, n, at);
}

/* \s*[\r\n]+|\s+(?!\S)|\s+ */
static size_t match_space_and_lines(const char *text, size_t n, size_t at)
{
    size_t last = at, end = at, length, line_end = 0;
    while (end < n) {
        unsigned class = ls_class_at(text + end, &length);
        if (!(class & LS_SPACE))
            break;
        last = end;
        end += length;
        if (class & LS_NEWLINE)
            line_end = end;
    }
    return line_end ? line_end : end < n && last > at ? last : end;
}

/* `letters` is LS_LETTER, or with LS_MARK where marks belong to words. */
static inline size_t match_cl100k(const char *text, size_t n, size_t at, unsigned letters,
                                  int most_digits)
{
    size_t length, next_length = 0;
    unsigned class = ls_class_at(text + at, &length);
    if (text[at] == '\'') {
        size_t end = match_contraction(text, n, at, true);
        if (end)
            return end;
    }
    if (class & letters && !(class & LS_MARK))
        return run_end(text, n, at + length, letters, 0);
    unsigned next = at + length < n ? ls_class_at(text + at + length, &next_length) : LS_SPACE;
    if (!(class & (LS_NEWLINE | LS_LETTER | LS_NUMBER)) && next & letters)
        return run_end(text, n, at + length + next_length, letters, 0);
    if (class & letters)
        return at + length;
    if (class & LS_NUMBER) {
        size_t end = at + length;
        for (int i = 1; i < most_digits && end < n; i++, end += length)
            if (!(ls_class_at(text + end, &length) & LS_NUMBER))
                break;
        return end;
    }
    unsigned not_symbol = LS_SPACE | LS_NUMBER | letters;
    size_t first = at;
    if (text[at] == ' ' && !(next & not_symbol)) {
        first = at + 1;
        class = next;
        length = next_length;
    }
    if (class & not_symbol)
        return match_space_and_lines(text, n, at);
    size_t end = run_end(text, n, first + length, 0, not_symbol);
    while (end < n && (text[end] == '\r' || text[end] == '\n'))
        end++;
    return end;
}

static size_t match_llama3(const char *text, size_t n, size_t at)
{
    return match_cl100k(text, n, at, LS_LETTER, 3);
}

static size_t match_qwen2(const char *text, size_t n, size_t at)
{
    return match_cl100k(text, n, at, LS_LETTER, 1);
}

static size_t match_qwen35(const char *text, size_t n, size_t at)
{
    return match_cl100k(text, n, at, LS_LETTER | LS_MARK, 1);
}

static const ls_known_split splits[] = {
    {"gpt2", GPT2_PATTERN, ls_match_gpt2},
    {"llama3", CL100K_PATTERN("\\p{L}", "\\p{N}{1,3}", "[^\\s\\p{L}\\p{N}]"), match_llama3},
    {"qwen2", CL100K_PATTERN("\\p{L}", "\\p{N}", "[^\\s\\p{L}\\p{N}]"), match_qwen2},
    {"qwen3.5", CL100K_PATTERN("[\\p{L}\\p{M}]", "\\p{N}", "[^\\s\\p{L}\\p{M}\\p{N}]"),
     match_qwen35},
};

const ls_known_split *ls_known_splits(size_t *n)
{
    *n = LS_COUNT(splits);
    return splits;
}

ls_matcher *ls_known_split_find(const char *pattern, size_t n)
{
    for (size_t i = 0; i < LS_COUNT(splits); i++)
        if (strlen(splits[i].pattern) == n && memcmp(splits[i].pattern, pattern, n) == 0)
            return splits[i].match;
    return NULL;
}
