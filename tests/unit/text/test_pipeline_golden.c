/* Tokenizers in the layouts of real models against the Hugging Face library: ids and decoded text
 * of tests/golden/tokenizer/bpe, made by generate_bpe.py there.  All must be equal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "base/mem.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

#define GOLDEN LEASH_TEST_DATA "/tokenizer/bpe/"

static const char *const layouts[] = {"gpt2",   "gpt2_prefix", "smollm2", "llama3", "qwen2",
                                      "qwen35", "deepseek",    "tekken",  "llama2", "mistral",
                                      "gemma",  "metaspace",   "words",   "splits", "t5",
                                      "albert", "xlmr"};

static json_t *texts_and_pieces;

static ls_tokenizer *load(const char *layout)
{
    char dir[LS_PATH_MAX];
    ls_tokenizer *t = NULL;
    if (ls_tokenizer_load(&t, ls_path_join(dir, GOLDEN, layout)) != LEASH_OK)
        fail_msg("%s", leash_error());
    return t;
}

static json_t *load_expected(const char *layout)
{
    char dir[LS_PATH_MAX], path[LS_PATH_MAX];
    ls_path_join(dir, GOLDEN, layout);
    json_t *expected =
        json_load_file(ls_path_join(path, dir, "expected.json"), JSON_ALLOW_NUL, NULL);
    assert_non_null(expected);
    return expected;
}

typedef struct ids {
    int32_t *at;
    int64_t n, cap;
} ids;

static void encode(ids *out, const ls_tokenizer *t, unsigned flags, const char *text, size_t n)
{
    out->n = 0;
    if (ls_tokenizer_encode_as(t, flags, text, n, &out->at, &out->n, &out->cap) != LEASH_OK)
        fail_msg("%s", leash_error());
}

static void assert_ids(const ids *got, const json_t *expected, const char *layout, const char *text)
{
    bool same = (size_t)got->n == json_array_size(expected);
    for (int64_t i = 0; same && i < got->n; i++)
        same = got->at[i] == json_integer_value(json_array_get(expected, (size_t)i));
    if (!same)
        fail_msg("%s: \"%s\": the ids differ", layout, text);
}

static void assert_text(const ls_str *got, const json_t *expected, const char *layout)
{
    if (got->len != json_string_length(expected) ||
        memcmp(got->data, json_string_value(expected), got->len) != 0)
        fail_msg("%s: decoded \"%s\", expected \"%s\"", layout, got->data,
                 json_string_value(expected));
}

static void hand_made_texts_have_the_ids_and_the_text_of_the_library(void **state)
{
    (void)state;
    const json_t *texts = json_object_get(texts_and_pieces, "texts");
    for (size_t l = 0; l < LS_COUNT(layouts); l++) {
        ls_tokenizer *t = load(layouts[l]);
        json_t *expected = load_expected(layouts[l]);
        const json_t *rows = json_object_get(expected, "rows");
        ids got = {0};
        ls_str text = LS_STR_INIT;
        assert_int_equal(json_array_size(rows), json_array_size(texts));
        for (size_t i = 0; i < json_array_size(rows); i++) {
            const json_t *row = json_array_get(rows, i), *source = json_array_get(texts, i);
            const char *bytes = json_string_value(source);
            size_t n = json_string_length(source);
            encode(&got, t, 0, bytes, n);
            assert_ids(&got, json_array_get(row, 0), layouts[l], bytes);
            encode(&got, t, LS_ENCODE_SPECIALS | LS_ENCODE_AFFIXES, bytes, n);
            assert_ids(&got, json_array_get(row, 2), layouts[l], bytes);
            encode(&got, t, LS_ENCODE_SPECIALS, bytes, n);
            assert_ids(&got, json_array_get(row, 1), layouts[l], bytes);
            for (int skips = 0; skips < 2; skips++) {
                ls_str_clear(&text);
                ls_tokenizer_decode(t, got.at, got.n, !skips, &text);
                assert_text(&text, json_array_get(row, skips ? 4 : 3), layouts[l]);
            }
        }
        ls_str_release(&text);
        ls_free(got.at);
        json_decref(expected);
        ls_tokenizer_free(t);
    }
}

/* The generator of generate_bpe.py. */
static uint64_t below(uint64_t *state, uint64_t n)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t z = *state;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return (z ^ (z >> 31)) % n;
}

static void mix(ls_str *out, uint64_t *state)
{
    const json_t *pieces = json_object_get(texts_and_pieces, "pieces");
    ls_str_clear(out);
    for (uint64_t left = 1 + below(state, 16); left > 0; left--) {
        uint64_t kind = below(state, 8);
        char utf8[5];
        if (kind < 5) {
            const json_t *piece =
                json_array_get(pieces, (size_t)below(state, json_array_size(pieces)));
            ls_str_append_n(out, json_string_value(piece), json_string_length(piece));
        } else {
            uint32_t c =
                (uint32_t)(kind < 7 ? 0x20 + below(state, 0x5f) : 0xa0 + below(state, 0x2e0));
            ls_str_append_n(out, utf8, ls_utf8_put(utf8, c));
        }
    }
}

static uint64_t fnv(uint64_t hash, const void *data, size_t n)
{
    for (size_t i = 0; i < n; i++)
        hash = (hash ^ ((const unsigned char *)data)[i]) * 0x100000001b3u;
    return hash;
}

static void mixed_texts_have_the_hash_of_the_library(void **state)
{
    (void)state;
    for (size_t l = 0; l < LS_COUNT(layouts); l++) {
        ls_tokenizer *t = load(layouts[l]);
        json_t *expected = load_expected(layouts[l]);
        uint64_t mixer = 2024, hash = 0xcbf29ce484222325u;
        int64_t n_ids = 0;
        ids got = {0};
        ls_str text = LS_STR_INIT, decoded = LS_STR_INIT;
        json_int_t n = json_integer_value(json_object_get(expected, "n_mixed"));
        for (json_int_t i = 0; i < n; i++) {
            mix(&text, &mixer);
            encode(&got, t, LS_ENCODE_SPECIALS, text.data, text.len);
            ls_str_clear(&decoded);
            ls_tokenizer_decode(t, got.at, got.n, true, &decoded);
            hash = fnv(hash, got.at, (size_t)got.n * sizeof *got.at);
            hash = fnv(hash, decoded.data, decoded.len);
            n_ids += got.n;
        }
        assert_int_equal(n_ids, json_integer_value(json_object_get(expected, "n_ids")));
        assert_int_equal(hash,
                         strtoull(json_string_value(json_object_get(expected, "hash")), NULL, 16));
        ls_str_release(&text);
        ls_str_release(&decoded);
        ls_free(got.at);
        json_decref(expected);
        ls_tokenizer_free(t);
    }
}

/* Every push gives whole characters; all together is the decoded text. */
static void assert_streams(const ls_tokenizer *t, const ids *got, bool with_specials,
                           const char *layout)
{
    ls_decoder d;
    ls_str now = LS_STR_INIT, all = LS_STR_INIT, whole = LS_STR_INIT;
    ls_decoder_init(&d, t, with_specials);
    for (int64_t i = 0; i <= got->n; i++) {
        ls_str_clear(&now);
        if (i < got->n)
            ls_decoder_push(&d, got->at[i], &now);
        else
            ls_decoder_finish(&d, &now);
        if (!ls_is_utf8(now.data, now.len))
            fail_msg("%s: a piece that is no UTF-8", layout);
        ls_str_append_n(&all, now.data, now.len);
    }
    ls_decoder_release(&d);
    ls_tokenizer_decode(t, got->at, got->n, with_specials, &whole);
    if (all.len != whole.len || memcmp(all.data, whole.data, all.len) != 0)
        fail_msg("%s: streamed \"%s\", whole \"%s\"", layout, all.data, whole.data);
    ls_str_release(&now);
    ls_str_release(&all);
    ls_str_release(&whole);
}

static void decoding_id_by_id_gives_whole_characters_and_the_same_text(void **state)
{
    (void)state;
    for (size_t l = 0; l < LS_COUNT(layouts); l++) {
        ls_tokenizer *t = load(layouts[l]);
        uint64_t mixer = 77;
        ids got = {0};
        ls_str text = LS_STR_INIT;
        for (int i = 0; i < 300; i++) {
            mix(&text, &mixer);
            encode(&got, t, LS_ENCODE_SPECIALS, text.data, text.len);
            assert_streams(t, &got, i % 2, layouts[l]);
        }
        ls_str_release(&text);
        ls_free(got.at);
        ls_tokenizer_free(t);
    }
}

static void random_ids_of_a_byte_level_vocabulary_stream_as_they_decode(void **state)
{
    (void)state;
    ls_tokenizer *t = load("qwen2");
    uint64_t mixer = 5;
    int32_t at[40];
    for (int round = 0; round < 500; round++) {
        for (int i = 0; i < 40; i++)
            at[i] = (int32_t)below(&mixer, (uint64_t)ls_tokenizer_vocab_size(t) + 3) - 1;
        assert_streams(t, &(ids){at, 40, 40}, true, "qwen2");
    }
    ls_tokenizer_free(t);
}

/* Byte-level layouts without normalizer and tokens that strip give back what they got. */
static void text_without_normal_form_round_trips(void **state)
{
    (void)state;
    static const char *const exact[] = {"gpt2",   "smollm2",  "llama3",
                                        "qwen35", "deepseek", "tekken"};
    for (size_t l = 0; l < LS_COUNT(exact); l++) {
        ls_tokenizer *t = load(exact[l]);
        uint64_t mixer = 99;
        ids got = {0};
        ls_str text = LS_STR_INIT, back = LS_STR_INIT;
        for (int i = 0; i < 500; i++) {
            mix(&text, &mixer);
            encode(&got, t, i % 2 ? LS_ENCODE_SPECIALS : 0, text.data, text.len);
            ls_str_clear(&back);
            ls_tokenizer_decode(t, got.at, got.n, true, &back);
            assert_int_equal(back.len, text.len);
            assert_memory_equal(back.data, text.data, text.len);
        }
        ls_str_release(&text);
        ls_str_release(&back);
        ls_free(got.at);
        ls_tokenizer_free(t);
    }
}

/* Ids of a text are those of its parts where a special token stands between them. */
static void a_text_may_be_cut_at_special_tokens(void **state)
{
    (void)state;
    static const char *const plain[] = {"gpt2", "smollm2", "llama3", "tekken", "gemma", "albert"};
    static const char special[] = "<|im_end|>";
    const json_t *texts = json_object_get(texts_and_pieces, "texts");
    for (size_t l = 0; l < LS_COUNT(plain); l++) {
        ls_tokenizer *t = load(plain[l]);
        for (size_t i = 0; i < json_array_size(texts); i++) {
            const char *text = json_string_value(json_array_get(texts, i));
            size_t n = json_string_length(json_array_get(texts, i));
            ls_str whole = LS_STR_INIT;
            ls_str_append_n(&whole, text, n);
            ls_str_append(&whole, special);
            ls_str_append_n(&whole, text, n);
            ids a = {0}, b = {0};
            encode(&a, t, LS_ENCODE_SPECIALS, whole.data, whole.len);
            encode(&b, t, LS_ENCODE_SPECIALS, text, n);
            assert_int_equal(a.n, 2 * b.n + 1);
            assert_memory_equal(a.at, b.at, (size_t)b.n * sizeof *b.at);
            assert_memory_equal(a.at + b.n + 1, b.at, (size_t)b.n * sizeof *b.at);
            assert_string_equal(ls_tokenizer_piece(t, a.at[b.n]), special);
            ls_str_release(&whole);
            ls_free(a.at);
            ls_free(b.at);
        }
        ls_tokenizer_free(t);
    }
}

static void assert_same_file(const char *dir, const char *golden_dir, const char *name)
{
    char path[LS_PATH_MAX];
    ls_str got = LS_STR_INIT, expected = LS_STR_INIT;
    assert_int_equal(ls_file_read(&got, ls_path_join(path, dir, name)), LEASH_OK);
    assert_int_equal(ls_file_read(&expected, ls_path_join(path, golden_dir, name)), LEASH_OK);
    assert_int_equal(got.len, expected.len);
    assert_memory_equal(got.data, expected.data, got.len);
    ls_str_release(&got);
    ls_str_release(&expected);
}

static void saving_writes_the_files_back_byte_for_byte(void **state)
{
    (void)state;
    for (size_t l = 0; l < LS_COUNT(layouts); l++) {
        char dir[] = "/tmp/leash-tokenizer-XXXXXX", golden[LS_PATH_MAX];
        assert_non_null(mkdtemp(dir));
        ls_tokenizer *t = load(layouts[l]);
        assert_int_equal(ls_tokenizer_save(t, dir), LEASH_OK);
        ls_path_join(golden, GOLDEN, layouts[l]);
        assert_same_file(dir, golden, "tokenizer.json");
        assert_same_file(dir, golden, "tokenizer_config.json");
        ls_tokenizer_free(t);
        assert_int_equal(ls_dir_remove(dir), LEASH_OK);
    }
}

static int read_texts(void **state)
{
    (void)state;
    texts_and_pieces = json_load_file(GOLDEN "texts.json", JSON_ALLOW_NUL, NULL);
    return texts_and_pieces ? 0 : -1;
}

static int forget_texts(void **state)
{
    (void)state;
    json_decref(texts_and_pieces);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hand_made_texts_have_the_ids_and_the_text_of_the_library),
        cmocka_unit_test(mixed_texts_have_the_hash_of_the_library),
        cmocka_unit_test(decoding_id_by_id_gives_whole_characters_and_the_same_text),
        cmocka_unit_test(random_ids_of_a_byte_level_vocabulary_stream_as_they_decode),
        cmocka_unit_test(text_without_normal_form_round_trips),
        cmocka_unit_test(a_text_may_be_cut_at_special_tokens),
        cmocka_unit_test(saving_writes_the_files_back_byte_for_byte),
    };
    return cmocka_run_group_tests(tests, read_texts, forget_texts);
}
