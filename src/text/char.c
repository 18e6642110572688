/* The char kind: one id a Unicode character of a given alphabet, in the order of the alphabet.
 *
 * In tokenizer.json it is a BPE without merges over the whole text.  The Hugging Face library
 * drops characters that are not in the vocabulary; here they are an error, since a silently
 * shortened answer trains the wrong thing. */
#include "text/kind.h"

#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "text/utf8.h"

static int by_codepoint(const void *a, const void *b)
{
    uint32_t x = ((const ls_char_entry *)a)->codepoint, y = ((const ls_char_entry *)b)->codepoint;
    return (x > y) - (x < y);
}

/* Takes n codepoints (id order) and builds the sorted index. */
static void set_alphabet(ls_tokenizer *t, uint32_t *codepoints, int32_t n)
{
    t->n_ordinary = n;
    t->codepoints = codepoints;
    t->entries = ls_malloc(ls_mul_size((size_t)n, sizeof *t->entries));
    for (int32_t id = 0; id < n; id++)
        t->entries[id] = (ls_char_entry){codepoints[id], id};
    qsort(t->entries, (size_t)n, sizeof *t->entries, by_codepoint);
}

static leash_status char_create(ls_tokenizer *t, const char *args)
{
    size_t n_bytes = strlen(args);
    if (n_bytes == 0)
        return ls_fail(LEASH_USAGE, "tokenizer \"char\": the alphabet is empty; write "
                                    "char:ALPHABET, for example char:0123456789+=");
    uint32_t *codepoints = ls_malloc(ls_mul_size(n_bytes, sizeof *codepoints));
    int32_t n = 0;
    for (size_t i = 0; i < n_bytes;) {
        size_t length = ls_utf8_next(&codepoints[n], args + i, n_bytes - i);
        if (length == 0) {
            ls_free(codepoints);
            return ls_fail(LEASH_USAGE,
                           "tokenizer \"char\": byte %zu of the alphabet (0x%02x) is no UTF-8", i,
                           (unsigned char)args[i]);
        }
        n++;
        i += length;
    }
    set_alphabet(t, codepoints, n);
    for (int32_t i = 1; i < n; i++)
        if (t->entries[i].codepoint == t->entries[i - 1].codepoint) {
            char utf8[5];
            ls_utf8_put(utf8, t->entries[i].codepoint);
            return ls_fail(LEASH_USAGE,
                           "tokenizer \"char\": the alphabet has \"%s\" (U+%04X) more than once",
                           utf8, t->entries[i].codepoint);
        }
    return LEASH_OK;
}

static leash_status char_encode(const ls_tokenizer *t, int32_t *ids, int64_t *n, const char *text,
                                size_t n_bytes)
{
    *n = 0;
    for (size_t i = 0; i < n_bytes;) {
        ls_char_entry key = {0};
        size_t length = ls_utf8_next(&key.codepoint, text + i, n_bytes - i);
        if (length == 0)
            return ls_fail(LEASH_DATA, "byte 0x%02x at byte offset %zu is no UTF-8",
                           (unsigned char)text[i], i);
        const ls_char_entry *found =
            bsearch(&key, t->entries, (size_t)t->n_ordinary, sizeof *t->entries, by_codepoint);
        if (!found)
            return ls_fail(LEASH_DATA,
                           "character \"%.*s\" (U+%04X) at byte offset %zu is not among the %d "
                           "characters of the tokenizer",
                           (int)length, text + i, key.codepoint, i, (int)t->n_ordinary);
        ids[(*n)++] = found->id;
        i += length;
    }
    return LEASH_OK;
}

static void char_append(const ls_tokenizer *t, int32_t id, ls_str *out)
{
    char utf8[5];
    ls_str_append_n(out, utf8, ls_utf8_put(utf8, t->codepoints[id]));
}

static leash_status char_read_vocab(ls_tokenizer *t, const json_t *vocab, const char *file)
{
    size_t n = json_object_size(vocab);
    if (n == 0)
        return ls_fail(LEASH_FORMAT, "%s: model.vocab is empty", file);
    uint32_t *codepoints = ls_calloc(n, sizeof *codepoints);
    bool *is_taken = ls_calloc(n, sizeof *is_taken);
    leash_status status = LEASH_OK;
    const char *symbol;
    json_t *value;
    json_object_foreach((json_t *)vocab, symbol, value)
    {
        uint32_t codepoint;
        size_t n_bytes = strlen(symbol);
        if (n_bytes == 0 || ls_utf8_next(&codepoint, symbol, n_bytes) != n_bytes) {
            status = ls_fail(LEASH_UNSUPPORTED,
                             "%s: model.vocab has \"%s\"; a char tokenizer has single characters",
                             file, symbol);
            break;
        }
        json_int_t id = json_is_integer(value) ? json_integer_value(value) : -1;
        if (id < 0 || id >= (json_int_t)n || is_taken[id]) {
            status = ls_fail(LEASH_FORMAT,
                             "%s: model.vocab[\"%s\"]: expected an id of its own in 0..%zu", file,
                             symbol, n - 1);
            break;
        }
        is_taken[id] = true;
        codepoints[id] = codepoint;
    }
    ls_free(is_taken);
    if (status != LEASH_OK) {
        ls_free(codepoints);
        return status;
    }
    set_alphabet(t, codepoints, (int32_t)n);
    return LEASH_OK;
}

const ls_tokenizer_kind ls_char_kind = {
    .name = "char",
    .help = "char:ALPHABET, one id a character of the alphabet",
    .create = char_create,
    .encode = char_encode,
    .append = char_append,
    .symbol = char_append,
    .read_vocab = char_read_vocab,
    .pre_tokenizer = "null",
    .decoder = "{\"type\": \"Fuse\"}",
};
