/* The "decoder" of tokenizer.json: reading it, and the text of one token.  What reaches over tokens
 * (bytes of a character, runs of byte tokens, stripping) is the business of decoder.c.
 *
 * The library lets decoders stand in any order; here they come in the order in which real models
 * have them: steps on single tokens, ByteFallback, Fuse, Strip of the whole.  An added token with
 * "normalized": true decodes to its content, as in the library up to 0.21; version 0.23 takes the
 * normalized content, which a byte-level decoder then breaks. */
#include <string.h>

#include "base/mem.h"
#include "text/part.h"
#include "text/pipeline.h"

static void add_step(ls_decoding *d, ls_text_step_type type, ls_text_step **out)
{
    *out = &d->steps[d->n_steps++];
    (*out)->type = type;
    ls_str_init(&(*out)->from);
    ls_str_init(&(*out)->to);
}

static leash_status read_replace(ls_decoding *d, const ls_part *part)
{
    ls_text_step *step;
    ls_regex *regex = NULL;
    LS_TRY(ls_part_keys(part, "pattern", "content", NULL));
    add_step(d, LS_TEXT_REPLACE, &step);
    LS_TRY(ls_part_pattern(part, &step->from, &regex));
    if (regex) {
        ls_regex_free(regex);
        return ls_part_wrong(part, "pattern", "a String (a Regex is not supported here)");
    }
    return ls_part_string(part, "content", &step->to);
}

static leash_status read_metaspace(ls_decoding *d, const ls_part *part)
{
    ls_text_step *step;
    bool adds_prefix;
    LS_TRY(ls_part_keys(part, "replacement", "str_rep", "add_prefix_space", "prepend_scheme",
                        "split", NULL));
    add_step(d, LS_TEXT_METASPACE, &step);
    LS_TRY(ls_part_string(part, "replacement", &step->from));
    LS_TRY(ls_part_bool(part, "add_prefix_space", true, &adds_prefix));
    const char *scheme = json_string_value(json_object_get(part->json, "prepend_scheme"));
    step->drops_first = scheme ? strcmp(scheme, "never") != 0 : adds_prefix;
    ls_str_append(&step->to, " ");
    return LEASH_OK;
}

static leash_status read_strip(ls_decoding *d, const ls_part *part)
{
    const json_t *start = json_object_get(part->json, "start");
    const json_t *stop = json_object_get(part->json, "stop");
    size_t length;
    LS_TRY(ls_part_keys(part, "content", "start", "stop", NULL));
    LS_TRY(ls_part_string(part, "content", &d->strip));
    if (d->strip.len == 0 || (ls_utf8_at(d->strip.data, &length), length != d->strip.len))
        return ls_part_wrong(part, "content", "one character");
    if (!json_is_integer(start) || !json_is_integer(stop) || json_integer_value(start) < 0 ||
        json_integer_value(stop) < 0)
        return ls_part_wrong(part, "start and stop", "numbers of characters");
    d->strip_start = json_integer_value(start);
    d->strip_stop = json_integer_value(stop);
    return LEASH_OK;
}

static leash_status read_step(ls_decoding *d, const ls_part *part, bool *is_fused)
{
    ls_text_step *step;
    bool is_single = !*is_fused && !d->byte_fallback && !d->is_bytes;
    if (ls_part_is(part, "ByteLevel") && is_single) {
        d->is_bytes = *is_fused = true; /* gives one text */
        add_step(d, LS_TEXT_BYTE_LEVEL, &step);
        return ls_part_keys(part, "add_prefix_space", "trim_offsets", "use_regex", NULL);
    }
    if (ls_part_is(part, "Replace") && is_single)
        return read_replace(d, part);
    if (ls_part_is(part, "Metaspace") && is_single)
        return read_metaspace(d, part);
    if (ls_part_is(part, "ByteFallback") && is_single) {
        d->byte_fallback = true;
        return ls_part_keys(part, NULL);
    }
    if (ls_part_is(part, "Fuse")) {
        *is_fused = true;
        return ls_part_keys(part, NULL);
    }
    if (ls_part_is(part, "Strip") && *is_fused && d->strip.len == 0)
        return read_strip(d, part);
    return ls_part_unsupported(part, "(in this order) Replace, Metaspace, ByteLevel, ByteFallback, "
                                     "Fuse, Strip, and Sequence");
}

leash_status ls_decoding_read(ls_decoding *d, const json_t *json, const char *file)
{
    ls_part_list list;
    bool is_fused = false;
    LS_TRY(ls_part_list_read(&list, json, "decoder", "decoders", file));
    d->joins_by_space = !json || json_is_null(json);
    d->steps = ls_calloc((size_t)list.n + 1, sizeof *d->steps);
    for (int i = 0; i < list.n; i++)
        LS_TRY(read_step(d, &list.parts[i], &is_fused));
    return LEASH_OK;
}

void ls_decoding_release(ls_decoding *d)
{
    for (int i = 0; i < d->n_steps; i++) {
        ls_str_release(&d->steps[i].from);
        ls_str_release(&d->steps[i].to);
    }
    ls_free(d->steps);
    ls_str_release(&d->strip);
}

static void replace(ls_str *out, const ls_str *from, const ls_str *to, const char *text, size_t n)
{
    const char *end = text + n, *found;
    while (from->len && (found = memmem(text, (size_t)(end - text), from->data, from->len))) {
        ls_str_append_n(out, text, (size_t)(found - text));
        if (to)
            ls_str_append_n(out, to->data, to->len);
        text = found + from->len;
    }
    ls_str_append_n(out, text, (size_t)(end - text));
}

/* Symbols back to bytes; a token with any other character stands for its own text. */
static void to_bytes(ls_str *out, const char *text, size_t n)
{
    size_t begin = out->len, length;
    for (size_t i = 0; i < n; i += length) {
        int byte = ls_byte_of_symbol(ls_utf8_at(text + i, &length));
        if (byte < 0) {
            out->len = begin;
            ls_str_append_n(out, text, n);
            return;
        }
        ls_str_append_char(out, (char)byte);
    }
}

static int byte_token(const char *text, size_t n)
{
    int value = 0;
    if (n != 6 || memcmp(text, "<0x", 3) != 0 || text[5] != '>')
        return -1;
    for (int i = 3; i < 5; i++) {
        char c = text[i];
        int digit = c >= '0' && c <= '9'   ? c - '0'
                    : c >= 'a' && c <= 'f' ? c - 'a' + 10
                    : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                           : -1;
        if (digit < 0)
            return -1;
        value = value * 16 + digit;
    }
    return value;
}

static void run_step(const ls_text_step *step, bool is_first, const char *text, size_t n,
                     ls_str *out)
{
    if (step->type == LS_TEXT_BYTE_LEVEL)
        to_bytes(out, text, n);
    else
        replace(out, &step->from, step->drops_first && is_first ? NULL : &step->to, text, n);
}

void ls_decoding_token(const ls_decoding *d, const char *token, size_t n, bool is_first,
                       ls_str *out, int *byte)
{
    size_t begin = out->len;
    ls_str now = LS_STR_INIT, next = LS_STR_INIT;
    for (int i = 0; i + 1 < d->n_steps; i++) {
        ls_str_clear(&next);
        run_step(&d->steps[i], is_first, token, n, &next);
        ls_str swap = now;
        now = next;
        next = swap;
        token = now.data;
        n = now.len;
    }
    if (d->n_steps)
        run_step(&d->steps[d->n_steps - 1], is_first, token, n, out);
    else
        ls_str_append_n(out, token, n);
    *byte = d->byte_fallback ? byte_token(out->data + begin, out->len - begin) : -1;
    if (*byte >= 0)
        out->len = begin;
    ls_str_release(&now);
    ls_str_release(&next);
}
