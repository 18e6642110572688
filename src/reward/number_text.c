/* Reading one number: first everything around it goes, then a small grammar, then the rest must be
 * a unit. */
#include "reward/number_text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/str.h"
#include "reward/text.h"

/* Digits of an exact numerator or denominator: 10^18 - 1 fits int64. */
#define EXACT_DIGITS 18
#define DECIMAL_TOLERANCE 1e-6

/* Dropped wherever they stand at an end. */
static const char *const wrappers[] = {
    "$",       "\\$", "*", "`", "\"", "'", "\\(", "\\)", "\\[", "\\]", "\xe2\x82\xac" /* euro */,
    "\xc2\xa3" /* pound */};
static const char *const tails[] = {".", ",", ";", "\\%", "%", "^\\circ", "^{\\circ}", "\xc2\xb0"};
/* Words after a number that change its value. */
static const char *const scales[] = {"hundred",   "thousand", "million", "billion", "trillion",
                                     "dozen",     "pi",       "sqrt",    "mod",     "base",
                                     "factorial", "squared",  "cubed",   "minus",   "plus",
                                     "times",     "over",     "half",    "or"};

static ls_span strip_affixes(ls_span s)
{
    for (bool again = true; again;) {
        again = false;
        s = ls_span_trim(s);
        for (size_t i = 0; i < LS_COUNT(wrappers); i++) {
            int64_t n = (int64_t)strlen(wrappers[i]);
            if (ls_span_starts_with(s, wrappers[i])) {
                s = ls_span_cut(s, n, s.n);
                again = true;
            }
            if (ls_span_ends_with(s, wrappers[i])) {
                s = ls_span_cut(s, 0, s.n - n);
                again = true;
            }
        }
        for (size_t i = 0; i < LS_COUNT(tails); i++) {
            if (ls_span_ends_with(s, tails[i])) {
                s = ls_span_cut(s, 0, s.n - (int64_t)strlen(tails[i]));
                again = true;
            }
        }
    }
    return s;
}

/* "\boxed{5}" -> "5",  "x = 5" -> "5",  "5 \text{ cm}" -> "5". */
static ls_span strip_shell(ls_span s)
{
    static const char box[] = "\\boxed{";
    if (ls_span_starts_with(s, box) && ls_span_ends_with(s, "}"))
        s = ls_span_cut(s, (int64_t)strlen(box), s.n - 1);
    int64_t equals = ls_span_find(s, "=");
    if (equals >= 0 && ls_span_trim(ls_span_cut(s, 0, equals)).n <= 2)
        s = ls_span_cut(s, equals + 1, s.n);
    static const char *const texts[] = {"\\text{", "\\mathrm{", "\\textbf{"};
    for (size_t i = 0; i < LS_COUNT(texts); i++) {
        int64_t at = ls_span_find_last(s, texts[i]);
        if (at > 0 && ls_span_ends_with(s, "}"))
            s = ls_span_cut(s, 0, at);
    }
    return s;
}

typedef struct reader {
    ls_span s;
    int64_t i;
} reader;

static char peek(const reader *r)
{
    return r->i < r->s.n ? r->s.at[r->i] : '\0';
}

static bool take(reader *r, const char *text)
{
    int64_t n = (int64_t)strlen(text);
    if (r->s.n - r->i < n || memcmp(r->s.at + r->i, text, (size_t)n) != 0)
        return false;
    r->i += n;
    return true;
}

static void skip_spaces(reader *r)
{
    while (r->i < r->s.n && ls_is_space(peek(r)))
        r->i++;
}

static bool take_minus(reader *r)
{
    bool is_negative = take(r, "-") || take(r, "\xe2\x88\x92");
    if (!is_negative)
        take(r, "+");
    skip_spaces(r);
    return is_negative;
}

/* Digits with thousands separators (",", "{,}", "\,", "\!,") between groups of 3; writes them bare.
 * Returns how many. */
static int64_t take_digits(char out[LS_NUMBER_BYTES], reader *r)
{
    static const char *const separators[] = {",", "{,}", "\\!,", "\\,"};
    int64_t n = 0, group = 0;
    bool is_grouped = false;
    for (;;) {
        while (ls_is_digit(peek(r)) && n < LS_NUMBER_BYTES - 1 && !(is_grouped && group == 3)) {
            out[n++] = r->s.at[r->i++];
            group++;
        }
        reader ahead = *r;
        bool is_separator = false;
        for (size_t i = 0; i < LS_COUNT(separators) && !is_separator; i++)
            is_separator = take(&ahead, separators[i]);
        bool has_group = ahead.s.n - ahead.i >= 3 && ls_is_digit(ahead.s.at[ahead.i]) &&
                         ls_is_digit(ahead.s.at[ahead.i + 1]) &&
                         ls_is_digit(ahead.s.at[ahead.i + 2]);
        bool fits = is_grouped ? group == 3 : group >= 1 && group <= 3;
        if (!is_separator || !has_group || !fits)
            break;
        *r = ahead;
        is_grouped = true;
        group = 0;
    }
    out[n] = '\0';
    return n;
}

static bool to_int64(int64_t *out, const char *digits, int64_t n)
{
    while (n > 1 && *digits == '0') {
        digits++;
        n--;
    }
    if (n < 1 || n > EXACT_DIGITS)
        return false;
    *out = 0;
    for (int64_t i = 0; i < n; i++)
        *out = *out * 10 + (digits[i] - '0');
    return true;
}

static bool set_integer(ls_number *out, const char *digits)
{
    while (digits[0] == '0' && digits[1] != '\0')
        digits++;
    out->form = LS_NUMBER_INTEGER;
    snprintf(out->digits, sizeof out->digits, "%s", digits);
    return ls_parse_double(out->digits, &out->value);
}

static bool set_fraction(ls_number *out, int64_t num, int64_t den)
{
    if (den == 0)
        return false;
    int64_t a = num, b = den;
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    num /= a;
    den /= a;
    if (den == 1) {
        char digits[32];
        snprintf(digits, sizeof digits, "%lld", (long long)num);
        return set_integer(out, digits);
    }
    out->form = LS_NUMBER_FRACTION;
    out->num = num;
    out->den = den;
    out->value = (double)num / (double)den;
    return true;
}

/* {digits}, {-digits}, or one bare digit (\frac12).  A minus turns *is_negative over. */
static bool take_braced(int64_t *out, bool *is_negative, reader *r)
{
    char digits[LS_NUMBER_BYTES];
    skip_spaces(r);
    if (!take(r, "{")) {
        if (!ls_is_digit(peek(r)))
            return false;
        *out = r->s.at[r->i++] - '0';
        return true;
    }
    skip_spaces(r);
    *is_negative ^= take_minus(r);
    int64_t n = take_digits(digits, r);
    skip_spaces(r);
    return to_int64(out, digits, n) && take(r, "}");
}

static bool take_latex_fraction(ls_number *out, bool *is_negative, reader *r)
{
    int64_t num, den;
    return take_braced(&num, is_negative, r) && take_braced(&den, is_negative, r) &&
           set_fraction(out, num, den);
}

/* What follows whole digits: a denominator, decimals, an exponent, or nothing. */
static bool take_plain(ls_number *out, reader *r)
{
    char digits[LS_NUMBER_BYTES], text[LS_NUMBER_BYTES + 8];
    int64_t begin_digits = r->i, n = take_digits(digits, r), num, den;
    bool has_digits = r->i > begin_digits;
    reader ahead = *r;
    skip_spaces(&ahead);
    if (has_digits && take(&ahead, "/")) {
        char below[LS_NUMBER_BYTES];
        skip_spaces(&ahead);
        int64_t n_below = take_digits(below, &ahead);
        if (!to_int64(&num, digits, n) || !to_int64(&den, below, n_below))
            return false;
        *r = ahead;
        return set_fraction(out, num, den);
    }
    int64_t tail = r->i, n_decimals = 0;
    bool is_whole = true;
    if (take(r, ".")) {
        for (; ls_is_digit(peek(r)); r->i++, n_decimals++)
            is_whole = is_whole && peek(r) == '0';
    }
    if (!has_digits && n_decimals == 0)
        return false;
    bool has_exponent = false;
    ahead = *r;
    if (take(&ahead, "e") || take(&ahead, "E")) {
        if (!take(&ahead, "-"))
            take(&ahead, "+");
        while (ls_is_digit(peek(&ahead))) {
            ahead.i++;
            has_exponent = true;
        }
    }
    if (has_exponent)
        *r = ahead;
    if (is_whole && !has_exponent)
        return set_integer(out, has_digits ? digits : "0");
    if (n + r->i - tail >= LS_NUMBER_BYTES)
        return false;
    snprintf(text, sizeof text, "%s%.*s", has_digits ? digits : "0", (int)(r->i - tail),
             r->s.at + tail);
    out->form = LS_NUMBER_DECIMAL;
    return ls_parse_double(text, &out->value);
}

/* Nothing, or white space and words of two letters or more: a unit. */
static bool is_unit(ls_span s)
{
    if (s.n == 0)
        return true;
    if (!ls_is_space(s.at[0]) || !ls_is_letter(s.at[s.n - 1]))
        return false;
    for (int64_t i = 0; i < s.n;) {
        if (!ls_is_letter(s.at[i])) {
            if (!ls_is_space(s.at[i]) && !memchr("./-'", s.at[i], 4))
                return false;
            i++;
            continue;
        }
        int64_t begin = i;
        while (i < s.n && ls_is_letter(s.at[i]))
            i++;
        ls_span word = ls_span_cut(s, begin, i);
        if (word.n < 2)
            return false;
        for (size_t k = 0; k < LS_COUNT(scales); k++) {
            if (word.n == (int64_t)strlen(scales[k]) &&
                ls_span_find_last_nocase(word, scales[k]) == 0)
                return false;
        }
    }
    return true;
}

bool ls_number_parse(ls_number *out, ls_span text)
{
    *out = (ls_number){0};
    text = ls_span_trim(text);
    if (text.n >= LS_NUMBER_BYTES)
        return false;
    reader r = {.s = strip_affixes(strip_shell(strip_affixes(text)))};
    bool is_negative = take_minus(&r);
    take(&r, "\\$");
    take(&r, "$");
    skip_spaces(&r);
    static const char *const fractions[] = {"\\frac", "\\dfrac", "\\tfrac"};
    bool is_latex = false;
    for (size_t i = 0; i < LS_COUNT(fractions) && !is_latex; i++)
        is_latex = take(&r, fractions[i]);
    bool is_number = is_latex ? take_latex_fraction(out, &is_negative, &r) : take_plain(out, &r);
    if (!is_number || !is_unit(ls_span_cut(r.s, r.i, r.s.n)))
        return false;
    out->is_negative = is_negative && out->value != 0;
    out->value = out->is_negative ? -out->value : out->value;
    return true;
}

bool ls_number_equal(const ls_number *a, const ls_number *gold)
{
    if (a->form == LS_NUMBER_DECIMAL || gold->form == LS_NUMBER_DECIMAL)
        return fabs(a->value - gold->value) <= DECIMAL_TOLERANCE * fmax(1.0, fabs(gold->value));
    if (a->form != gold->form || a->is_negative != gold->is_negative)
        return false;
    if (a->form == LS_NUMBER_FRACTION)
        return a->num == gold->num && a->den == gold->den;
    return strcmp(a->digits, gold->digits) == 0;
}
