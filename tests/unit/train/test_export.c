/* A model and its tokenizer in one GGUF file: both come back. */
#include <stdio.h>
#include <unistd.h>
#include "model_fixture.h"
#include "base/file.h"
#include "formats/model_files.h"
#include "text/tokenizer_gguf.h"
#include "train/export.h"

static void model_and_tokenizer_come_back(void **state)
{
    (void)state;
    char path[64];
    model_fixture saved, loaded;
    ls_model_files files;
    ls_tokenizer *before, *after;
    ls_model_config config;
    snprintf(path, sizeof path, "/tmp/leash_export_%ld.gguf", (long)getpid());
    assert_ok(ls_tokenizer_load(&before, LEASH_TEST_DATA "/tokenizer/bpe/smollm2"));
    assert_ok(ls_model_config_builtin(&config, "tiny"));
    config.vocab_size = ls_tokenizer_vocab_size(before);
    config.eos_token_id = ls_tokenizer_eos(before);
    fixture_open(&saved, &config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    assert_ok(ls_export_gguf(saved.model, before, "{{ messages }}", path, ls_quant_find("F32")));
    assert_ok(ls_model_files_open(&files, path));
    fixture_open(&loaded, &files.config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    assert_ok(ls_model_files_load(loaded.model, &files));
    assert_int_equal(ls_model_hash(saved.model), ls_model_hash(loaded.model));
    assert_ok(ls_tokenizer_load_gguf(&after, &files.gguf));
    const char *text = "What's 12 + 345?\n\tHello, world";
    int32_t *a = NULL, *b = NULL;
    int64_t n_a = 0, n_b = 0, cap_a = 0, cap_b = 0;
    assert_ok(ls_tokenizer_encode(before, text, strlen(text), &a, &n_a, &cap_a));
    assert_ok(ls_tokenizer_encode(after, text, strlen(text), &b, &n_b, &cap_b));
    assert_int_equal(n_a, n_b);
    assert_memory_equal(a, b, (size_t)n_a * sizeof *a);
    ls_gguf_text chat = {0};
    assert_ok(ls_gguf_get_text(&chat, &files.gguf, "tokenizer.chat_template"));
    assert_int_equal(chat.n, 14);
    ls_free(a);
    ls_free(b);
    ls_tokenizer_free(after);
    ls_tokenizer_free(before);
    ls_model_files_close(&files);
    fixture_close(&loaded);
    fixture_close(&saved);
    assert_int_equal(unlink(path), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(model_and_tokenizer_come_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
