/* The byte kind: 256 ordinary ids, id = byte.
 *
 * In tokenizer.json it is a byte-level BPE without merges: each byte stands as one printable
 * character, by the table that byte-level BPE has used since GPT-2.  Bytes 33-126, 161-172 and
 * 174-255 stand for themselves (as Latin-1); the other 68 take U+0100, U+0101, ... in
 * order.  Every byte string can be encoded. */
#include "text/kind.h"

#include "text/utf8.h"

static leash_status byte_create(ls_tokenizer *t, const char *args)
{
    if (args[0])
        return ls_fail(LEASH_USAGE,
                       "tokenizer \"byte:%s\": the byte tokenizer takes nothing after its name",
                       args);
    t->n_ordinary = 256;
    return LEASH_OK;
}

static leash_status byte_encode(const ls_tokenizer *t, int32_t *ids, int64_t *n, const char *text,
                                size_t n_bytes)
{
    (void)t;
    for (size_t i = 0; i < n_bytes; i++)
        ids[i] = (unsigned char)text[i];
    *n = (int64_t)n_bytes;
    return LEASH_OK;
}

static void byte_append(const ls_tokenizer *t, int32_t id, ls_str *out)
{
    (void)t;
    ls_str_append_char(out, (char)id);
}

static void byte_symbol(const ls_tokenizer *t, int32_t id, ls_str *out)
{
    (void)t;
    char utf8[5];
    ls_str_append_n(out, utf8, ls_utf8_put(utf8, ls_byte_symbol((unsigned char)id)));
}

static leash_status byte_read_vocab(ls_tokenizer *t, const json_t *vocab, const char *file)
{
    for (uint32_t byte = 0; byte < 256; byte++) {
        char symbol[5];
        ls_utf8_put(symbol, ls_byte_symbol((unsigned char)byte));
        const json_t *id = json_object_get(vocab, symbol);
        if (!json_is_integer(id))
            return ls_fail(LEASH_FORMAT,
                           "%s: model.vocab lacks \"%s\", the symbol of byte 0x%02x, with an "
                           "integer id",
                           file, symbol, byte);
        if (json_integer_value(id) != byte)
            return ls_fail(LEASH_UNSUPPORTED,
                           "%s: model.vocab gives \"%s\" the id %lld, expected %u: ids of a byte "
                           "tokenizer are the byte values",
                           file, symbol, (long long)json_integer_value(id), byte);
    }
    t->n_ordinary = 256;
    return LEASH_OK;
}

const ls_tokenizer_kind ls_byte_kind = {
    .name = "byte",
    .help = "256 ids, one a byte; any text",
    .create = byte_create,
    .encode = byte_encode,
    .append = byte_append,
    .symbol = byte_symbol,
    .read_vocab = byte_read_vocab,
    .pre_tokenizer = "{\"type\": \"ByteLevel\", \"add_prefix_space\": false, "
                     "\"trim_offsets\": true, \"use_regex\": false}",
    .decoder = "{\"type\": \"ByteLevel\", \"add_prefix_space\": true, \"trim_offsets\": true, "
               "\"use_regex\": true}",
};
