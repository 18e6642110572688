/* Running the steps: matches and gaps, in order, through one small machine per behaviour. */
#include "text/pretokenize.h"

#include <string.h>

#include "base/mem.h"
#include "text/unicode.h"

static leash_status run(const ls_cutting *c, int step, const char *text, size_t n, bool is_start);

/* Takes the matches and gaps of one step from left to right, without holes. */
typedef struct cutter {
    const ls_cutting *cutting;
    const ls_cut_step *step;
    int next; /* step that gets the pieces */
    const char *text;
    bool is_start;
    bool is_held, is_held_match; /* a match or gap that waits for its neighbour */
    size_t begin, end;           /* of what is held */
} cutter;

static leash_status emit(const cutter *k, size_t begin, size_t end)
{
    if (begin == end)
        return LEASH_OK;
    return run(k->cutting, k->next, k->text + begin, end - begin, k->is_start && begin == 0);
}

static leash_status flush(cutter *k)
{
    bool is_held = k->is_held;
    k->is_held = false;
    return is_held ? emit(k, k->begin, k->end) : LEASH_OK;
}

static void hold(cutter *k, size_t begin, size_t end, bool is_match)
{
    k->is_held = true;
    k->is_held_match = is_match;
    k->begin = begin;
    k->end = end;
}

static leash_status feed(cutter *k, size_t begin, size_t end, bool is_match)
{
    is_match ^= k->step->inverts;
    switch (k->step->behavior) {
    case LS_ISOLATED: return emit(k, begin, end);
    case LS_REMOVED: return is_match ? LEASH_OK : emit(k, begin, end);
    case LS_CONTIGUOUS:
        if (k->is_held && k->is_held_match == is_match) {
            k->end = end;
            return LEASH_OK;
        }
        LS_TRY(flush(k));
        hold(k, begin, end, is_match);
        return LEASH_OK;
    case LS_MERGED_WITH_PREVIOUS: /* a gap waits for a match */
        if (is_match && k->is_held) {
            k->is_held = false;
            return emit(k, k->begin, end);
        }
        LS_TRY(flush(k));
        if (is_match)
            return emit(k, begin, end);
        hold(k, begin, end, false);
        return LEASH_OK;
    case LS_MERGED_WITH_NEXT: /* a match waits for a gap */
        if (!is_match && k->is_held) {
            k->is_held = false;
            return emit(k, k->begin, end);
        }
        LS_TRY(flush(k));
        if (!is_match)
            return emit(k, begin, end);
        hold(k, begin, end, true);
        return LEASH_OK;
    }
    return LEASH_OK;
}

static leash_status cut_known(cutter *k, size_t n)
{
    for (size_t at = 0, end; at < n; at = end) {
        end = k->step->match(k->text, n, at);
        LS_TRY(emit(k, at, end));
    }
    return LEASH_OK;
}

static leash_status cut_regex(cutter *k, size_t n)
{
    ls_regex_walk walk;
    size_t done = 0;
    bool found;
    ls_regex_walk_init(&walk, k->step->regex, k->cutting->match, k->text, n);
    for (;;) {
        LS_TRY(ls_regex_walk_next(&walk, &found));
        if (!found)
            break;
        if (walk.start > done)
            LS_TRY(feed(k, done, walk.start, false));
        done = walk.end;
        LS_TRY(feed(k, walk.start, walk.end, true));
    }
    return done < n ? feed(k, done, n, false) : LEASH_OK;
}

static leash_status cut_literal(cutter *k, size_t n)
{
    const ls_str *literal = &k->step->literal;
    size_t done = 0;
    const char *found;
    while (literal->len &&
           (found = memmem(k->text + done, n - done, literal->data, literal->len))) {
        size_t begin = (size_t)(found - k->text);
        if (begin > done)
            LS_TRY(feed(k, done, begin, false));
        done = begin + literal->len;
        LS_TRY(feed(k, begin, done, true));
    }
    return done < n ? feed(k, done, n, false) : LEASH_OK;
}

static leash_status cut_class(cutter *k, size_t n)
{
    size_t gap = 0, length;
    for (size_t at = 0; at < n; at += length) {
        if (!(ls_class_at(k->text + at, &length) & k->step->classes))
            continue;
        if (at > gap)
            LS_TRY(feed(k, gap, at, false));
        gap = at + length;
        LS_TRY(feed(k, at, gap, true));
    }
    return gap < n ? feed(k, gap, n, false) : LEASH_OK;
}

/* \w+|[^\w\s]+ */
static leash_status cut_words(cutter *k, size_t n)
{
    size_t at = 0, length;
    while (at < n) {
        unsigned kind = ls_class_at(k->text + at, &length) & (LS_WORD | LS_SPACE), same = kind;
        size_t begin = at;
        while (at < n && same == kind) {
            at += length;
            if (at < n)
                same = ls_class_at(k->text + at, &length) & (LS_WORD | LS_SPACE);
        }
        if (kind != LS_SPACE)
            LS_TRY(emit(k, begin, at));
    }
    return LEASH_OK;
}

static leash_status cut_metaspace(cutter *k, size_t n)
{
    const ls_cut_step *s = k->step;
    ls_str *buffer = &k->cutting->buffers[k->next - 1];
    bool has_sign = n >= s->literal.len && memcmp(k->text, s->literal.data, s->literal.len) == 0;
    ls_str_clear(buffer);
    if (k->text[0] != ' ' && !has_sign &&
        (s->prepend == LS_PREPEND_ALWAYS || (s->prepend == LS_PREPEND_FIRST && k->is_start)))
        ls_str_append_n(buffer, s->literal.data, s->literal.len);
    for (size_t at = 0; at < n;) {
        const char *space = memchr(k->text + at, ' ', n - at);
        size_t end = space ? (size_t)(space - k->text) : n;
        ls_str_append_n(buffer, k->text + at, end - at);
        if (space)
            ls_str_append_n(buffer, s->literal.data, s->literal.len);
        at = end + 1;
    }
    k->text = buffer->data;
    if (!s->splits)
        return emit(k, 0, buffer->len);
    return cut_literal(k, buffer->len);
}

static leash_status cut_byte_level(cutter *k, size_t n)
{
    if (k->step->adds_space && k->text[0] != ' ') {
        ls_str *buffer = &k->cutting->buffers[k->next - 1];
        ls_str_clear(buffer);
        ls_str_append_char(buffer, ' ');
        ls_str_append_n(buffer, k->text, n);
        k->text = buffer->data;
        n = buffer->len;
    }
    return k->step->match ? cut_known(k, n) : emit(k, 0, n);
}

static leash_status run(const ls_cutting *c, int step, const char *text, size_t n, bool is_start)
{
    if (step == c->pretokenizer->n_steps)
        return c->sink(c->user, text, n);
    const ls_cut_step *s = &c->pretokenizer->steps[step];
    cutter k = {.cutting = c, .step = s, .next = step + 1, .text = text, .is_start = is_start};
    leash_status status = LEASH_OK;
    switch (s->type) {
    case LS_CUT_KNOWN: status = cut_known(&k, n); break;
    case LS_CUT_REGEX: status = cut_regex(&k, n); break;
    case LS_CUT_LITERAL: status = cut_literal(&k, n); break;
    case LS_CUT_CLASS: status = cut_class(&k, n); break;
    case LS_CUT_WORDS: status = cut_words(&k, n); break;
    case LS_CUT_METASPACE: status = cut_metaspace(&k, n); break;
    case LS_CUT_BYTE_LEVEL: status = cut_byte_level(&k, n); break;
    }
    return status == LEASH_OK ? flush(&k) : status;
}

leash_status ls_pretokenize(const ls_cutting *c, const char *text, size_t n, bool is_start)
{
    return n ? run(c, 0, text, n, is_start) : LEASH_OK;
}

void ls_pretokenizer_release(ls_pretokenizer *p)
{
    for (int i = 0; i < p->n_steps; i++) {
        ls_regex_free(p->steps[i].regex);
        ls_str_release(&p->steps[i].literal);
    }
    ls_free(p->steps);
}
