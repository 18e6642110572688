/* Tokenizers in GGUF files: any bytes give a tokenizer or an error; one that loads encodes any
 * text, decodes its ids to UTF-8, and gives arrays for writing or an error.
 *
 * Input: the file; the text is its last 64 bytes. */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "base/mem.h"
#include "text/tokenizer_gguf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void use(const ls_tokenizer *t, const char *text, size_t n_bytes)
{
    int32_t *ids = NULL;
    int64_t n = 0, cap = 0;
    ls_str back = LS_STR_INIT;
    ls_gguf_tokenizer arrays;
    if (ls_tokenizer_encode_as(t, LS_ENCODE_SPECIALS | LS_ENCODE_AFFIXES, text, n_bytes, &ids, &n,
                               &cap) == LEASH_OK)
        ls_tokenizer_decode(t, ids, n, true, &back);
    LS_ASSERT(ls_is_utf8(back.data, back.len));
    if (ls_gguf_tokenizer_make(&arrays, t, 0) == LEASH_OK)
        ls_gguf_tokenizer_release(&arrays);
    ls_str_release(&back);
    ls_free(ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    ls_gguf file;
    ls_tokenizer *t = NULL;
    if (n == 0 || ls_gguf_parse(&file, data, n, "fuzz.gguf") != LEASH_OK)
        return 0;
    if (ls_tokenizer_load_gguf(&t, &file) == LEASH_OK) {
        size_t n_text = n < 64 ? n : 64;
        use(t, (const char *)data + n - n_text, n_text);
        ls_tokenizer_free(t);
    }
    ls_gguf_close(&file);
    return 0;
}
