/* Steps run one after the other over the whole piece of text between two added tokens.  The first
 * kind of step that is not supported is named; none is skipped. */
#include "text/normalize.h"

#include <string.h>

#include "base/mem.h"
#include "text/part.h"

static leash_status read_replace(ls_normal_step *step, const ls_part *part)
{
    step->type = LS_NORMAL_REPLACE;
    LS_TRY(ls_part_pattern(part, &step->from, &step->regex));
    return ls_part_string(part, "content", &step->to);
}

static leash_status read_charsmap(ls_normal_step *step, const ls_part *part)
{
    const json_t *text = json_object_get(part->json, "precompiled_charsmap");
    LS_TRY(ls_part_keys(part, "precompiled_charsmap", NULL));
    step->type = LS_NORMAL_CHARSMAP;
    step->charsmap = ls_calloc(1, sizeof *step->charsmap);
    if (!ls_charsmap_read(step->charsmap, json_is_string(text) ? json_string_value(text) : "",
                          json_string_length(text)))
        return ls_part_wrong(part, "precompiled_charsmap", "a table of SentencePiece in base64");
    return LEASH_OK;
}

static leash_status read_step(ls_normal_step *step, const ls_part *part)
{
    static const struct {
        const char *name;
        ls_normal_form form;
    } forms[] = {{"NFC", LS_NFC}, {"NFD", LS_NFD}, {"NFKC", LS_NFKC}, {"NFKD", LS_NFKD}};
    for (size_t i = 0; i < LS_COUNT(forms); i++)
        if (ls_part_is(part, forms[i].name)) {
            *step = (ls_normal_step){.type = LS_NORMAL_FORM, .form = forms[i].form};
            return ls_part_keys(part, NULL);
        }
    if (ls_part_is(part, "Lowercase")) {
        step->type = LS_NORMAL_LOWERCASE;
        return ls_part_keys(part, NULL);
    }
    if (ls_part_is(part, "Prepend")) {
        step->type = LS_NORMAL_PREPEND;
        LS_TRY(ls_part_keys(part, "prepend", NULL));
        return ls_part_string(part, "prepend", &step->to);
    }
    if (ls_part_is(part, "Replace")) {
        LS_TRY(ls_part_keys(part, "pattern", "content", NULL));
        return read_replace(step, part);
    }
    if (ls_part_is(part, "Strip")) {
        step->type = LS_NORMAL_STRIP;
        LS_TRY(ls_part_keys(part, "strip_left", "strip_right", NULL));
        LS_TRY(ls_part_bool(part, "strip_left", true, &step->is_left));
        return ls_part_bool(part, "strip_right", true, &step->is_right);
    }
    if (ls_part_is(part, "StripAccents")) {
        step->type = LS_NORMAL_STRIP_ACCENTS;
        return ls_part_keys(part, NULL);
    }
    if (ls_part_is(part, "Precompiled"))
        return read_charsmap(step, part);
    return ls_part_unsupported(part, "NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Replace, Strip, "
                                     "StripAccents, Precompiled, Sequence");
}

leash_status ls_normalizer_read(ls_normalizer *out, const json_t *json, const char *file)
{
    ls_part_list list;
    *out = (ls_normalizer){0};
    LS_TRY(ls_part_list_read(&list, json, "normalizer", "normalizers", file));
    out->steps = ls_calloc((size_t)list.n + 1, sizeof *out->steps);
    for (int i = 0; i < list.n; i++) {
        ls_normal_step *step = &out->steps[out->n_steps++];
        ls_str_init(&step->from);
        ls_str_init(&step->to);
        LS_TRY(read_step(step, &list.parts[i]));
    }
    return LEASH_OK;
}

void ls_normalizer_release(ls_normalizer *n)
{
    for (int i = 0; i < n->n_steps; i++) {
        ls_str_release(&n->steps[i].from);
        ls_str_release(&n->steps[i].to);
        ls_regex_free(n->steps[i].regex);
        if (n->steps[i].charsmap)
            ls_charsmap_release(n->steps[i].charsmap);
        ls_free(n->steps[i].charsmap);
    }
    ls_free(n->steps);
}

static void replace_literal(ls_str *out, const ls_normal_step *step, const char *text, size_t n)
{
    const char *end = text + n, *found;
    while (step->from.len &&
           (found = memmem(text, (size_t)(end - text), step->from.data, step->from.len)) != NULL) {
        ls_str_append_n(out, text, (size_t)(found - text));
        ls_str_append_n(out, step->to.data, step->to.len);
        text = found + step->from.len;
    }
    ls_str_append_n(out, text, (size_t)(end - text));
}

static leash_status replace_regex(ls_str *out, const ls_normal_step *step, ls_regex_match *match,
                                  const char *text, size_t n)
{
    ls_regex_walk walk;
    size_t done = 0;
    bool found;
    ls_regex_walk_init(&walk, step->regex, match, text, n);
    for (;;) {
        LS_TRY(ls_regex_walk_next(&walk, &found));
        if (!found)
            break;
        ls_str_append_n(out, text + done, walk.start - done);
        ls_str_append_n(out, step->to.data, step->to.len);
        done = walk.end;
    }
    ls_str_append_n(out, text + done, n - done);
    return LEASH_OK;
}

static void strip(ls_str *out, const ls_normal_step *step, const char *text, size_t n)
{
    size_t begin = 0, end = n, length;
    while (step->is_left && begin < n && ls_class_at(text + begin, &length) & LS_SPACE)
        begin += length;
    while (step->is_right && end > begin) {
        size_t last = end - 1;
        while (((unsigned char)text[last] & 0xc0) == 0x80)
            last--;
        if (!(ls_class_at(text + last, &length) & LS_SPACE))
            break;
        end = last;
    }
    ls_str_append_n(out, text + begin, end - begin);
}

static leash_status run_step(ls_str *out, const ls_normal_step *step, ls_regex_match *match,
                             const char *text, size_t n)
{
    ls_str_clear(out);
    switch (step->type) {
    case LS_NORMAL_FORM: ls_unicode_normalize(out, text, n, step->form); break;
    case LS_NORMAL_LOWERCASE: ls_unicode_lower(out, text, n); break;
    case LS_NORMAL_PREPEND:
        if (n)
            ls_str_append_n(out, step->to.data, step->to.len);
        ls_str_append_n(out, text, n);
        break;
    case LS_NORMAL_REPLACE:
        if (step->regex)
            return replace_regex(out, step, match, text, n);
        replace_literal(out, step, text, n);
        break;
    case LS_NORMAL_STRIP: strip(out, step, text, n); break;
    case LS_NORMAL_STRIP_ACCENTS: ls_unicode_strip_accents(out, text, n); break;
    case LS_NORMAL_CHARSMAP: ls_charsmap_run(step->charsmap, out, text, n); break;
    }
    return LEASH_OK;
}

leash_status ls_normalizer_run(const ls_normalizer *n, ls_str *out, ls_str *spare,
                               ls_regex_match *match, const char *text, size_t n_bytes)
{
    ls_str_clear(out);
    if (n->n_steps == 0)
        ls_str_append_n(out, text, n_bytes);
    for (int i = 0; i < n->n_steps; i++) {
        LS_TRY(run_step(spare, &n->steps[i], match, text, n_bytes));
        ls_str swap = *out;
        *out = *spare;
        *spare = swap;
        text = out->data;
        n_bytes = out->len;
    }
    return LEASH_OK;
}
