/* Rewriting of LaTeX answers, pass by pass over a small buffer. */
#include "reward/latex.h"

#include <string.h>
#include "reward/text.h"

typedef struct { /* a text that is being written */
    char *at;
    int64_t n;
    bool is_full;
} writer;

static void put(writer *w, const char *bytes, int64_t n)
{
    if (w->n + n > LS_LATEX_BYTES) {
        w->is_full = true;
        return;
    }
    memcpy(w->at + w->n, bytes, (size_t)n);
    w->n += n;
}

static void put_text(writer *w, const char *text)
{
    put(w, text, (int64_t)strlen(text));
}

/* Length of the command at the start: a backslash and letters, or a backslash and one character. */
static int64_t command_length(ls_span s)
{
    int64_t n = 1;
    while (n < s.n && ls_is_letter(s.at[n]))
        n++;
    return n == 1 && s.n > 1 ? 2 : n;
}

typedef struct {
    const char *name, *instead;
} rewriting;

static const rewriting rewritings[] = {
    {"\\left", ""},        {"\\right", ""},       {"\\displaystyle", ""},
    {"\\quad", ""},        {"\\qquad", ""},       {"\\,", ""},
    {"\\!", ""},           {"\\;", ""},           {"\\:", ""},
    {"\\ ", ""},           {"\\(", ""},           {"\\)", ""},
    {"\\[", ""},           {"\\]", ""},           {"\\%", ""},
    {"\\$", ""},           {"\\circ", "\\deg"},   {"\\dfrac", "\\frac"},
    {"\\tfrac", "\\frac"}, {"\\cfrac", "\\frac"}, {"\\times", "\\cdot"},
    {"\\ge", "\\geq"},     {"\\le", "\\leq"},     {"\\ne", "\\neq"},
    {"\\text", ""},        {"\\textbf", ""},      {"\\mathrm", ""},
    {"\\mathbf", ""},      {"\\mbox", ""},
};

/* White space, dollars and spacing go; commands get their usual name. */
static void rewrite_commands(writer *w, ls_span s)
{
    for (int64_t i = 0; i < s.n;) {
        if (s.at[i] != '\\') {
            if (!ls_is_space(s.at[i]) && s.at[i] != '$' && s.at[i] != '%')
                put(w, s.at + i, 1);
            i++;
            continue;
        }
        ls_span rest = ls_span_cut(s, i, s.n);
        int64_t n = command_length(rest);
        const char *instead = NULL;
        for (size_t k = 0; k < LS_COUNT(rewritings); k++)
            if ((int64_t)strlen(rewritings[k].name) == n &&
                memcmp(rest.at, rewritings[k].name, (size_t)n) == 0)
                instead = rewritings[k].instead;
        if (instead)
            put_text(w, instead);
        else
            put(w, rest.at, n);
        i += n;
    }
}

/* The end of the group that begins with the brace at i; the end of the text where it is open. */
static int64_t group_end(ls_span s, int64_t i)
{
    int64_t depth = 0;
    for (; i < s.n; i++) {
        depth += s.at[i] == '{';
        depth -= s.at[i] == '}';
        if (depth == 0)
            return i + 1;
    }
    return s.n;
}

static bool starts_at(ls_span s, int64_t i, const char *text)
{
    return ls_span_starts_with(ls_span_cut(s, i, s.n), text);
}

/* An argument of \frac or \sqrt in braces: the next character, command or group.  Returns where it
 * ends. */
static int64_t put_argument(writer *w, ls_span s, int64_t i)
{
    if (i >= s.n)
        return i;
    if (s.at[i] == '{') {
        int64_t end = group_end(s, i);
        put(w, s.at + i, end - i);
        return end;
    }
    int64_t n = s.at[i] == '\\' ? command_length(ls_span_cut(s, i, s.n)) : 1;
    put_text(w, "{");
    put(w, s.at + i, n);
    put_text(w, "}");
    return i + n;
}

/* Braces around arguments; none around one character behind ^ and _, nor around everything. */
static void rewrite_groups(writer *w, ls_span s)
{
    for (int64_t i = 0; i < s.n;) {
        bool is_fraction = starts_at(s, i, "\\frac"), is_root = starts_at(s, i, "\\sqrt");
        if (is_fraction || (is_root && !starts_at(s, i, "\\sqrt["))) {
            put(w, s.at + i, 5);
            i = put_argument(w, s, i + 5);
            if (is_fraction)
                i = put_argument(w, s, i);
        } else if ((s.at[i] == '^' || s.at[i] == '_') && i + 3 < s.n && s.at[i + 1] == '{' &&
                   s.at[i + 3] == '}') {
            put(w, s.at + i, 1);
            put(w, s.at + i + 2, 1);
            i += 4;
        } else {
            put(w, s.at + i++, 1);
        }
    }
}

/* a/b of plain letters and digits is a fraction. */
static void rewrite_slash(writer *w, ls_span s)
{
    int64_t slash = ls_span_find(s, "/");
    bool is_minus = s.n > 0 && s.at[0] == '-';
    bool is_plain = slash > is_minus && slash + 1 < s.n;
    for (int64_t i = is_minus; i < s.n && is_plain; i++)
        is_plain = i == slash || ls_is_digit(s.at[i]) || ls_is_letter(s.at[i]);
    if (!is_plain) {
        put(w, s.at, s.n);
        return;
    }
    put_text(w, is_minus ? "-\\frac{" : "\\frac{");
    put(w, s.at + is_minus, slash - is_minus);
    put_text(w, "}{");
    put(w, s.at + slash + 1, s.n - slash - 1);
    put_text(w, "}");
}

/* What stands around the answer: degrees and a full stop behind it, "x=" before it, braces. */
static ls_span cut_frame(ls_span s)
{
    static const char *const behind[] = {".", "^\\deg", "^{\\deg}", "\\deg"};
    for (size_t k = 0; k < LS_COUNT(behind); k++)
        if (ls_span_ends_with(s, behind[k]))
            s = ls_span_cut(s, 0, s.n - (int64_t)strlen(behind[k]));
    if (ls_span_count(s, "=") == 1) {
        int64_t equals = ls_span_find(s, "=");
        bool is_name = equals > 0 && equals <= 2;
        for (int64_t i = 0; i < equals && is_name; i++)
            is_name = ls_is_letter(s.at[i]);
        if (is_name)
            s = ls_span_cut(s, equals + 1, s.n);
    }
    while (s.n >= 2 && s.at[0] == '{' && group_end(s, 0) == s.n && s.at[s.n - 1] == '}')
        s = ls_span_cut(s, 1, s.n - 1);
    return s;
}

int64_t ls_latex_normalize(char out[LS_LATEX_BYTES], ls_span answer)
{
    char first[LS_LATEX_BYTES], second[LS_LATEX_BYTES];
    writer a = {.at = first}, b = {.at = second}, c = {.at = out};
    rewrite_commands(&a, answer);
    rewrite_groups(&b, cut_frame((ls_span){a.at, a.n}));
    rewrite_slash(&c, (ls_span){b.at, b.n});
    return a.is_full || b.is_full || c.is_full ? -1 : c.n;
}
