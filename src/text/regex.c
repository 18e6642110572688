/* PCRE2 behind the few calls that the pipelines need. */
#include "text/regex.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>
#include <string.h>

#include "base/mem.h"
#include "text/utf8.h"

#define MOST_STEPS 20000000u
#define MOST_HEAP_KIB 65536u

struct ls_regex {
    pcre2_code *code;
};

struct ls_regex_match {
    pcre2_match_data *data;
    pcre2_match_context *context;
};

/* White_Space and the word characters of Oniguruma, as they stand inside [ ].  Of the numbers that
 * are no digits or letters that engine takes those of Latin-1 (U+00B2, B3, B9, BC to BE) for word
 * characters. */
static const char space_set[] = "\\x{9}-\\x{d}\\x{20}\\x{85}\\x{a0}\\x{1680}\\x{2000}-\\x{200a}"
                                "\\x{2028}\\x{2029}\\x{202f}\\x{205f}\\x{3000}";
static const char word_set[] =
    "\\p{L}\\p{M}\\p{Nd}\\p{Nl}\\p{Pc}\\x{b2}\\x{b3}\\x{b9}\\x{bc}-\\x{be}"
    "\\x{24b6}-\\x{24e9}\\x{1f130}-\\x{1f149}\\x{1f150}-\\x{1f169}"
    "\\x{1f170}-\\x{1f189}";

typedef struct translation {
    const char *pattern;
    size_t n, at;
    bool is_in_set;
    ls_str out;
    const char *where;
} translation;

static leash_status refuse(const translation *t, size_t n_bytes)
{
    size_t left = t->n - t->at;
    return ls_fail(LEASH_UNSUPPORTED,
                   "%s: the regular expression uses \"%.*s\" at byte %zu, which "
                   "is not supported",
                   t->where, (int)(n_bytes < left ? n_bytes : left), t->pattern + t->at, t->at);
}

/* A backslash and what belongs to it. */
static leash_status translate_escape(translation *t)
{
    char name = t->at + 1 < t->n ? t->pattern[t->at + 1] : 0;
    bool is_plain = name != 0 && ((unsigned char)name >= 0x80 || strchr("pPdDrntxAz", name) ||
                                  !((name >= 'a' && name <= 'z') || (name >= 'A' && name <= 'Z') ||
                                    (name >= '0' && name <= '9')));
    if (is_plain) {
        ls_str_append_n(&t->out, t->pattern + t->at, 2);
    } else if (name == 's' || name == 'w') {
        const char *set = name == 's' ? space_set : word_set;
        ls_str_appendf(&t->out, t->is_in_set ? "%s" : "[%s]", set);
    } else if ((name == 'S' || name == 'W') && !t->is_in_set) {
        ls_str_appendf(&t->out, "[^%s]", name == 'S' ? space_set : word_set);
    } else {
        return refuse(t, 2);
    }
    t->at += 2;
    if (is_plain && strchr("pPx", name) && t->at < t->n && t->pattern[t->at] == '{') {
        const char *open = t->pattern + t->at, *close = memchr(open, '}', t->n - t->at);
        size_t n = close ? (size_t)(close + 1 - open) : t->n - t->at;
        ls_str_append_n(&t->out, open, n);
        t->at += n;
    }
    return LEASH_OK;
}

/* "(" and what kind of group it opens. */
static leash_status translate_group(translation *t)
{
    static const char *const openings[] = {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?i:"};
    size_t left = t->n - t->at;
    const char *at = t->pattern + t->at;
    if (left < 2 || (at[1] != '?' && at[1] != '*')) {
        ls_str_append_char(&t->out, '(');
        t->at++;
        return LEASH_OK;
    }
    for (size_t i = 0; i < LS_COUNT(openings); i++) {
        size_t n = strlen(openings[i]);
        if (left >= n && memcmp(at, openings[i], n) == 0) {
            ls_str_append_n(&t->out, at, n);
            t->at += n;
            return LEASH_OK;
        }
    }
    return refuse(t, 4);
}

static leash_status translate(translation *t)
{
    while (t->at < t->n) {
        char c = t->pattern[t->at];
        char next = t->at + 1 < t->n ? t->pattern[t->at + 1] : 0;
        if (c == '\\') {
            LS_TRY(translate_escape(t));
            continue;
        }
        if (c == '(' && !t->is_in_set) {
            LS_TRY(translate_group(t));
            continue;
        }
        /* Oniguruma nests and intersects sets, PCRE2 does not. */
        if (t->is_in_set && (c == '[' || (c == '&' && next == '&')))
            return refuse(t, 2);
        /* {n}+ and {n}? are possessive and lazy here, repetitions of a repetition there. */
        if (!t->is_in_set &&
            ((c == '{' && next == ',') || (c == '}' && next && strchr("+?", next))))
            return refuse(t, 2);
        if (c == '[') {
            t->is_in_set = true;
            ls_str_append_char(&t->out, c);
            t->at++;
            if (next == '^') {
                ls_str_append_char(&t->out, '^');
                t->at++;
            }
            if (t->at < t->n && t->pattern[t->at] == ']')
                return refuse(t, 1);
            continue;
        }
        if (c == ']')
            t->is_in_set = false;
        ls_str_append_char(&t->out, c);
        t->at++;
    }
    return LEASH_OK;
}

static leash_status compile(ls_regex *regex, const char *pattern, size_t n, const char *where)
{
    int error;
    PCRE2_SIZE at;
    regex->code = pcre2_compile((PCRE2_SPTR)pattern, n,
                                PCRE2_UTF | PCRE2_UCP | PCRE2_MULTILINE | PCRE2_NEVER_BACKSLASH_C,
                                &error, &at, NULL);
    if (!regex->code) {
        PCRE2_UCHAR text[128];
        pcre2_get_error_message(error, text, sizeof text);
        return ls_fail(LEASH_FORMAT, "%s: the regular expression is not valid: %s", where,
                       (const char *)text);
    }
    /* Without a just-in-time compiler the interpreter does the same, more slowly. */
    (void)pcre2_jit_compile(regex->code, PCRE2_JIT_COMPLETE);
    return LEASH_OK;
}

leash_status ls_regex_new(ls_regex **out, const char *pattern, size_t n, const char *where)
{
    translation t = {.pattern = pattern, .n = n, .out = LS_STR_INIT, .where = where};
    ls_regex *regex = ls_calloc(1, sizeof *regex);
    leash_status status;
    LS_TRY_OUT(translate(&t));
    LS_TRY_OUT(compile(regex, t.out.data, t.out.len, where));
    *out = regex;
    regex = NULL;
out:
    ls_str_release(&t.out);
    ls_regex_free(regex);
    return status;
}

void ls_regex_free(ls_regex *regex)
{
    if (!regex)
        return;
    pcre2_code_free(regex->code);
    ls_free(regex);
}

ls_regex_match *ls_regex_match_new(void)
{
    ls_regex_match *match = ls_calloc(1, sizeof *match);
    match->data = pcre2_match_data_create(1, NULL);
    match->context = pcre2_match_context_create(NULL);
    LS_ASSERT(match->data && match->context);
    pcre2_set_match_limit(match->context, MOST_STEPS);
    pcre2_set_heap_limit(match->context, MOST_HEAP_KIB);
    return match;
}

void ls_regex_match_free(ls_regex_match *match)
{
    if (!match)
        return;
    pcre2_match_data_free(match->data);
    pcre2_match_context_free(match->context);
    ls_free(match);
}

void ls_regex_walk_init(ls_regex_walk *walk, const ls_regex *regex, ls_regex_match *match,
                        const char *text, size_t n)
{
    *walk =
        (ls_regex_walk){.regex = regex, .match = match, .text = text, .n = n, .last_end = SIZE_MAX};
}

static int search(const ls_regex_walk *w)
{
    PCRE2_SPTR text = (PCRE2_SPTR)w->text;
    int result = pcre2_match(w->regex->code, text, w->n, w->next, PCRE2_NO_UTF_CHECK,
                             w->match->data, w->match->context);
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) /* the interpreter takes its stack
                                               from the heap */
        result = pcre2_match(w->regex->code, text, w->n, w->next, PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT,
                             w->match->data, w->match->context);
    return result;
}

leash_status ls_regex_walk_next(ls_regex_walk *w, bool *found)
{
    *found = false;
    while (w->next <= w->n) {
        int result = search(w);
        if (result == PCRE2_ERROR_NOMATCH)
            return LEASH_OK;
        if (result < 0) {
            PCRE2_UCHAR text[128];
            pcre2_get_error_message(result, text, sizeof text);
            return ls_fail(LEASH_DATA,
                           "a regular expression of the tokenizer gave up on a text "
                           "of %zu bytes: "
                           "%s",
                           w->n, (const char *)text);
        }
        const PCRE2_SIZE *place = pcre2_get_ovector_pointer(w->match->data);
        w->start = place[0];
        w->end = place[1];
        if (w->start != w->end || w->end != w->last_end) {
            w->next = w->last_end = w->end;
            *found = true;
            return LEASH_OK;
        }
        size_t length = 1;
        if (w->next < w->n)
            ls_utf8_at(w->text + w->next, &length);
        w->next += length;
    }
    return LEASH_OK;
}
