/* Decoding id by id: what is certain goes out, what may still change is held.
 *
 * Three things reach over tokens: a byte-level token may be part of a character, a run of <0xNN>
 * tokens is a run of bytes, and a decoder may strip characters off both ends of the text. */
#include <string.h>

#include "text/kind.h"

#define REPLACEMENT "\xef\xbf\xbd"

void ls_decoder_init(ls_decoder *d, const ls_tokenizer *t, bool with_specials)
{
    *d = (ls_decoder){.tokenizer = t,
                      .with_specials = with_specials,
                      .to_strip = t->pipeline ? t->pipeline->decoding.strip_start : 0,
                      .held = LS_STR_INIT,
                      .tail = LS_STR_INIT,
                      .piece = LS_STR_INIT};
}

void ls_decoder_release(ls_decoder *d)
{
    ls_str_release(&d->held);
    ls_str_release(&d->tail);
    ls_str_release(&d->piece);
}

static const ls_decoding *decoding_of(const ls_decoder *d)
{
    return d->tokenizer->pipeline ? &d->tokenizer->pipeline->decoding : NULL;
}

static void drop_front(ls_str *s, size_t n)
{
    memmove(s->data, s->data + n, s->len - n);
    s->len -= n;
    s->data[s->len] = 0;
}

static bool ends_with_stripped(const ls_decoding *d, const char *text, size_t n)
{
    return n >= d->strip.len && memcmp(text + n - d->strip.len, d->strip.data, d->strip.len) == 0;
}

/* Whole characters on their way out. */
static void put(ls_decoder *d, const char *text, size_t n, ls_str *out)
{
    const ls_decoding *decoding = decoding_of(d);
    const ls_str *strip = decoding ? &decoding->strip : NULL;
    while (d->to_strip > 0 && n >= strip->len && memcmp(text, strip->data, strip->len) == 0) {
        text += strip->len;
        n -= strip->len;
        d->to_strip--;
    }
    if (n == 0)
        return;
    d->to_strip = 0;
    if (!decoding || decoding->strip_stop == 0) {
        ls_str_append_n(out, text, n);
        return;
    }
    ls_str_append_n(&d->tail, text, n);
    size_t certain = d->tail.len;
    for (int64_t i = 0; i < decoding->strip_stop; i++)
        if (ends_with_stripped(decoding, d->tail.data, certain))
            certain -= strip->len;
    ls_str_append_n(out, d->tail.data, certain);
    drop_front(&d->tail, certain);
}

/* Bytes of a byte-level vocabulary: all characters that are complete. */
static void put_bytes(ls_decoder *d, bool is_end, ls_str *out)
{
    ls_str text = LS_STR_INIT;
    int64_t n_replaced = 0;
    size_t used = ls_utf8_repair(&text, d->held.data, d->held.len, is_end, &n_replaced);
    drop_front(&d->held, used);
    put(d, text.data, text.len, out);
    ls_str_release(&text);
}

/* The end of a run of <0xNN> tokens: text, or a U+FFFD for each. */
static void end_run(ls_decoder *d, ls_str *out)
{
    if (ls_utf8_valid_length(d->held.data, d->held.len) == d->held.len) {
        put(d, d->held.data, d->held.len, out);
    } else {
        for (size_t i = 0; i < d->held.len; i++)
            put(d, REPLACEMENT, 3, out);
    }
    ls_str_clear(&d->held);
}

static void push_run_byte(ls_decoder *d, int byte, ls_str *out)
{
    ls_str_append_char(&d->held, (char)byte);
    if (d->is_whole)
        return;
    size_t valid = ls_utf8_valid_length(d->held.data, d->held.len);
    put(d, d->held.data, valid, out);
    drop_front(&d->held, valid);
}

static void push_pipeline(ls_decoder *d, int32_t id, ls_str *out)
{
    const ls_decoding *decoding = decoding_of(d);
    size_t n;
    int byte;
    const char *token = ls_vocab_token(&d->tokenizer->pipeline->bpe.vocab, id, &n);
    if (!token)
        return;
    if (decoding->joins_by_space && d->n_tokens > 0)
        put(d, " ", 1, out);
    bool is_first = d->n_tokens++ == 0;
    if (decoding->is_bytes) {
        ls_decoding_token(decoding, token, n, is_first, &d->held, &byte);
        put_bytes(d, false, out);
        return;
    }
    ls_str_clear(&d->piece);
    ls_decoding_token(decoding, token, n, is_first, &d->piece, &byte);
    if (byte >= 0) {
        push_run_byte(d, byte, out);
        return;
    }
    end_run(d, out);
    put(d, d->piece.data, d->piece.len, out);
}

void ls_decoder_push(ls_decoder *d, int32_t id, ls_str *out)
{
    const ls_tokenizer *t = d->tokenizer;
    if (id < 0 || id >= ls_tokenizer_vocab_size(t))
        return;
    if (ls_tokenizer_is_special(t, id) && !d->with_specials)
        return;
    if (t->pipeline) {
        push_pipeline(d, id, out);
        return;
    }
    if (ls_tokenizer_is_special(t, id))
        ls_str_append(&d->held, t->pieces[id]);
    else
        t->kind->append(t, id, &d->held);
    put_bytes(d, false, out);
}

void ls_decoder_finish(ls_decoder *d, ls_str *out)
{
    const ls_decoding *decoding = decoding_of(d);
    if (!decoding || decoding->is_bytes)
        put_bytes(d, true, out);
    else
        end_run(d, out);
    for (int64_t i = 0; decoding && i < decoding->strip_stop; i++)
        if (ends_with_stripped(decoding, d->tail.data, d->tail.len))
            d->tail.len -= decoding->strip.len;
    ls_str_append_n(out, d->tail.data, d->tail.len);
    ls_str_clear(&d->tail);
}
