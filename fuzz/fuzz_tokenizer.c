/* tokenizer.json: any bytes give a tokenizer or an error.  A byte or char tokenizer decodes what it
 * has encoded; any other gives UTF-8, the same id by id as at once, and reads its own files again.
 *
 * Input: tokenizer.json, and after NUL bytes tokenizer_config.json, a text to encode, and
 * generation_config.json where there is something left. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/mem.h"
#include "text/tokenizer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

typedef struct part {
    const char *at;
    size_t n;
} part;

/* Takes what stands before the next NUL byte off `rest`. */
static part take_part(part *rest)
{
    const char *nul = rest->n ? memchr(rest->at, 0, rest->n) : NULL;
    part taken = {rest->at, nul ? (size_t)(nul - rest->at) : rest->n};
    size_t used = nul ? taken.n + 1 : taken.n;
    *rest = (part){rest->at + used, rest->n - used};
    return taken;
}

static void decode_id_by_id(const ls_tokenizer *t, const int32_t *ids, int64_t n)
{
    ls_decoder d;
    ls_str out = LS_STR_INIT;
    ls_decoder_init(&d, t, true);
    for (int64_t i = 0; i <= n; i++) {
        ls_str_clear(&out);
        if (i < n)
            ls_decoder_push(&d, ids[i], &out);
        else
            ls_decoder_finish(&d, &out);
        LS_ASSERT(ls_is_utf8(out.data, out.len));
    }
    ls_decoder_release(&d);
    ls_str_release(&out);
}

static void round_trip(const ls_tokenizer *t, part text, unsigned flags)
{
    int32_t *ids = NULL;
    int64_t n = 0, cap = 0;
    ls_str name = LS_STR_INIT;
    ls_tokenizer_describe(t, &name);
    bool is_exact = ls_starts_with(name.data, "byte") || ls_starts_with(name.data, "char");
    if (ls_tokenizer_encode_as(t, flags, text.at, text.n, &ids, &n, &cap) == LEASH_OK) {
        ls_str back = LS_STR_INIT;
        ls_tokenizer_decode(t, ids, n, true, &back);
        if (is_exact) {
            LS_ASSERT_EQ(back.len, text.n);
            LS_ASSERT(text.n == 0 || memcmp(back.data, text.at, text.n) == 0);
        } else {
            LS_ASSERT(ls_is_utf8(back.data, back.len));
        }
        decode_id_by_id(t, ids, n);
        ls_str_release(&back);
    }
    ls_str_release(&name);
    ls_free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    part rest = {(const char *)data, n};
    part json = take_part(&rest), config = take_part(&rest), text = take_part(&rest);
    ls_tokenizer *t = NULL;
    if (ls_tokenizer_load_text(&t, &(ls_tokenizer_text){.json = json.at,
                                                        .config = config.at,
                                                        .n_json = json.n,
                                                        .n_config = config.n,
                                                        .generation = rest.n ? rest.at : NULL,
                                                        .n_generation = rest.n,
                                                        .dir = "fuzz"}) != LEASH_OK)
        return 0;
    LS_ASSERT(ls_tokenizer_piece(t, ls_tokenizer_eos(t))[0] != 0);
    round_trip(t, text, 0);
    round_trip(t, text, LS_ENCODE_SPECIALS | LS_ENCODE_AFFIXES);
    ls_str all = LS_STR_INIT;
    for (int32_t id = -1; id <= ls_tokenizer_vocab_size(t); id++) {
        ls_tokenizer_decode(t, &id, 1, true, &all);
        ls_str_append(&all, ls_tokenizer_piece(t, id));
    }
    ls_str_release(&all);
    ls_tokenizer_free(t);
    return 0;
}
