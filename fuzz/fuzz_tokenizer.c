/* tokenizer.json: any bytes give a tokenizer or an error, and a tokenizer decodes what it has
 * encoded.
 *
 * Input: tokenizer.json, then after a NUL byte tokenizer_config.json, then after another one a
 * text to encode. */
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

static void round_trip(const ls_tokenizer *t, part text)
{
    int32_t *ids = NULL;
    int64_t n = 0, cap = 0;
    if (ls_tokenizer_encode(t, text.at, text.n, &ids, &n, &cap) == LEASH_OK) {
        ls_str back = LS_STR_INIT;
        ls_tokenizer_decode(t, ids, n, true, &back);
        LS_ASSERT_EQ(back.len, text.n);
        LS_ASSERT(text.n == 0 || memcmp(back.data, text.at, text.n) == 0);
        ls_str_release(&back);
    }
    ls_free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    if (n == 0)
        return 0;
    part rest = {(const char *)data, n};
    part json = take_part(&rest), config = take_part(&rest);
    ls_tokenizer *t = NULL;
    if (ls_tokenizer_load_text(
            &t, &(ls_tokenizer_text){json.at, config.at, json.n, config.n, "fuzz"}) != LEASH_OK)
        return 0;
    LS_ASSERT(ls_tokenizer_is_special(t, ls_tokenizer_eos(t)));
    round_trip(t, rest);
    ls_str all = LS_STR_INIT;
    for (int32_t id = -1; id <= ls_tokenizer_vocab_size(t); id++) {
        ls_tokenizer_decode(t, &id, 1, true, &all);
        ls_str_append(&all, ls_tokenizer_piece(t, id));
    }
    ls_str_release(&all);
    ls_tokenizer_free(t);
    return 0;
}
