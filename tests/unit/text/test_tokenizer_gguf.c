/* Tokenizers in GGUF files, made here in memory.  Byte-level layouts of tests/golden/tokenizer/bpe
 * go there and back; small SentencePiece models have ids worked out by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "text/tokenizer_gguf.h"

#define GOLDEN LEASH_TEST_DATA "/tokenizer/bpe/"
#define KEY "tokenizer.ggml."
#define SIGN "\xe2\x96\x81"

/* A GGUF file without tensors. */
typedef struct gguf_bytes {
    ls_str values;
    uint64_t n_values;
} gguf_bytes;

static void put(ls_str *out, const void *data, size_t n)
{
    ls_str_append_n(out, data, n);
}

static void put_text(ls_str *out, const char *text, size_t n)
{
    uint64_t length = n;
    put(out, &length, sizeof length);
    put(out, text, n);
}

static void put_key(gguf_bytes *g, const char *key, uint32_t kind)
{
    put_text(&g->values, key, strlen(key));
    put(&g->values, &kind, sizeof kind);
    g->n_values++;
}

static void put_array(gguf_bytes *g, const char *key, uint32_t kind, int64_t n)
{
    uint64_t count = (uint64_t)n;
    put_key(g, key, LS_GGUF_ARRAY);
    put(&g->values, &kind, sizeof kind);
    put(&g->values, &count, sizeof count);
}

static void put_string(gguf_bytes *g, const char *key, const char *text)
{
    put_key(g, key, LS_GGUF_STRING);
    put_text(&g->values, text, strlen(text));
}

static void put_id(gguf_bytes *g, const char *key, int32_t id)
{
    if (id < 0)
        return;
    put_key(g, key, LS_GGUF_U32);
    put(&g->values, &id, sizeof id);
}

static void put_bool(gguf_bytes *g, const char *key, bool value)
{
    char byte = value;
    put_key(g, key, LS_GGUF_BOOL);
    put(&g->values, &byte, 1);
}

static void put_texts(gguf_bytes *g, const char *key, const ls_gguf_text *texts, int64_t n)
{
    put_array(g, key, LS_GGUF_STRING, n);
    for (int64_t i = 0; i < n; i++)
        put_text(&g->values, texts[i].data, texts[i].n);
}

/* Reads the tokenizer of a file; the bytes are gone afterwards. */
static leash_status load_bytes(ls_tokenizer **out, gguf_bytes *g)
{
    static const uint32_t version = 3;
    ls_str file = LS_STR_INIT;
    uint64_t n_tensors = 0;
    ls_gguf gguf;
    put(&file, "GGUF", 4);
    put(&file, &version, sizeof version);
    put(&file, &n_tensors, sizeof n_tensors);
    put(&file, &g->n_values, sizeof g->n_values);
    put(&file, g->values.data, g->values.len);
    if (ls_gguf_parse(&gguf, (const unsigned char *)file.data, file.len, "F.gguf") != LEASH_OK)
        fail_msg("%s", leash_error());
    leash_status status = ls_tokenizer_load_gguf(out, &gguf);
    ls_gguf_close(&gguf);
    ls_str_release(&file);
    ls_str_release(&g->values);
    return status;
}

static gguf_bytes bytes_of(const ls_gguf_tokenizer *t)
{
    gguf_bytes g = {.values = LS_STR_INIT};
    put_string(&g, KEY "model", t->model);
    put_string(&g, KEY "pre", t->pre);
    put_texts(&g, KEY "tokens", t->tokens, t->n_tokens);
    put_array(&g, KEY "token_type", LS_GGUF_I32, t->n_tokens);
    put(&g.values, t->types, (size_t)t->n_tokens * sizeof *t->types);
    if (t->scores) {
        put_array(&g, KEY "scores", LS_GGUF_F32, t->n_tokens);
        put(&g.values, t->scores, (size_t)t->n_tokens * sizeof *t->scores);
    }
    if (t->n_merges)
        put_texts(&g, KEY "merges", t->merges, t->n_merges);
    put_id(&g, KEY "bos_token_id", t->bos);
    put_id(&g, KEY "eos_token_id", t->eos);
    put_id(&g, KEY "unknown_token_id", t->unk);
    put_id(&g, KEY "padding_token_id", t->pad);
    put_bool(&g, KEY "add_bos_token", t->adds_bos);
    put_bool(&g, KEY "add_eos_token", t->adds_eos);
    put_bool(&g, KEY "add_space_prefix", t->adds_space_prefix);
    put_string(&g, "tokenizer.chat_template", "{{ messages }}");
    return g;
}

static ls_tokenizer *load_folder(const char *dir)
{
    ls_tokenizer *t = NULL;
    if (ls_tokenizer_load(&t, dir) != LEASH_OK)
        fail_msg("%s", leash_error());
    return t;
}

static ls_tokenizer *through_gguf(const ls_tokenizer *t, int64_t n_rows)
{
    ls_gguf_tokenizer arrays;
    ls_tokenizer *out = NULL;
    if (ls_gguf_tokenizer_make(&arrays, t, n_rows) != LEASH_OK)
        fail_msg("%s", leash_error());
    gguf_bytes g = bytes_of(&arrays);
    ls_gguf_tokenizer_release(&arrays);
    if (load_bytes(&out, &g) != LEASH_OK)
        fail_msg("%s", leash_error());
    return out;
}

static ls_tokenizer *through_folder(const ls_tokenizer *t)
{
    char dir[] = "/tmp/leash-gguf-XXXXXX";
    assert_non_null(mkdtemp(dir));
    if (ls_tokenizer_save(t, dir) != LEASH_OK)
        fail_msg("%s", leash_error());
    ls_tokenizer *out = load_folder(dir);
    assert_int_equal(ls_dir_remove(dir), LEASH_OK);
    return out;
}

/* The same ids in all three ways, the same text of them. */
static void assert_same_on(const ls_tokenizer *a, const ls_tokenizer *b, const char *text, size_t n)
{
    static const unsigned ways[] = {0, LS_ENCODE_SPECIALS, LS_ENCODE_SPECIALS | LS_ENCODE_AFFIXES};
    for (size_t w = 0; w < LS_COUNT(ways); w++) {
        int32_t *x = NULL, *y = NULL;
        int64_t n_x = 0, n_y = 0, cap_x = 0, cap_y = 0;
        ls_str s = LS_STR_INIT, t = LS_STR_INIT;
        assert_int_equal(ls_tokenizer_encode_as(a, ways[w], text, n, &x, &n_x, &cap_x), LEASH_OK);
        assert_int_equal(ls_tokenizer_encode_as(b, ways[w], text, n, &y, &n_y, &cap_y), LEASH_OK);
        if (n_x != n_y || (n_x && memcmp(x, y, (size_t)n_x * sizeof *x) != 0))
            fail_msg("\"%s\": the ids differ", text);
        ls_tokenizer_decode(a, x, n_x, true, &s);
        ls_tokenizer_decode(b, y, n_y, true, &t);
        assert_string_equal(s.data, t.data);
        ls_str_release(&s);
        ls_str_release(&t);
        ls_free(x);
        ls_free(y);
    }
}

static void assert_same(const ls_tokenizer *a, const ls_tokenizer *b)
{
    const int32_t *x, *y;
    json_t *file = json_load_file(GOLDEN "texts.json", JSON_ALLOW_NUL, NULL);
    const json_t *texts = json_object_get(file, "texts");
    assert_non_null(file);
    for (size_t i = 0; i < json_array_size(texts); i++)
        assert_same_on(a, b, json_string_value(json_array_get(texts, i)),
                       json_string_length(json_array_get(texts, i)));
    assert_int_equal(ls_tokenizer_eos(a), ls_tokenizer_eos(b));
    assert_int_equal(ls_tokenizer_bos(a), ls_tokenizer_bos(b));
    assert_int_equal(ls_tokenizer_stop_ids(a, &x), ls_tokenizer_stop_ids(b, &y));
    json_decref(file);
}

static void byte_level_layouts_keep_their_ids_through_gguf_and_back_to_a_folder(void **state)
{
    (void)state;
    static const char *const layouts[][2] = {{"gpt2", "gpt-2"},           {"smollm2", "smollm"},
                                             {"llama3", "llama-bpe"},     {"qwen35", NULL},
                                             {"deepseek", "deepseek-v3"}, {"tekken", "tekken"}};
    for (size_t l = 0; l < LS_COUNT(layouts); l++) {
        char dir[LS_PATH_MAX];
        ls_tokenizer *t = load_folder(ls_path_join(dir, GOLDEN, layouts[l][0]));
        ls_gguf_tokenizer arrays;
        if (!layouts[l][1]) { /* cut like Qwen 3.5's, without its normalizer */
            assert_int_equal(ls_gguf_tokenizer_make(&arrays, t, 0), LEASH_UNSUPPORTED);
            assert_string_equal(
                leash_error(), "the tokenizer cannot be put into a GGUF file: GGUF has no name for "
                               "its pre_tokenizer and normalizer");
            ls_tokenizer_free(t);
            continue;
        }
        assert_int_equal(ls_gguf_tokenizer_make(&arrays, t, 0), LEASH_OK);
        assert_string_equal(arrays.pre, layouts[l][1]);
        ls_gguf_tokenizer_release(&arrays);
        ls_tokenizer *gguf = through_gguf(t, 0), *folder = through_folder(gguf);
        ls_tokenizer *again = through_gguf(folder, 0);
        const int32_t *stop;
        assert_int_equal(ls_tokenizer_vocab_size(gguf), ls_tokenizer_vocab_size(t));
        /* "<|im_end|>" is known to end turns. */
        assert_int_equal(ls_tokenizer_stop_ids(gguf, &stop), 2);
        assert_string_equal(ls_tokenizer_piece(gguf, stop[1]), "<|im_end|>");
        assert_same(gguf, folder);
        assert_same(gguf, again);
        json_t *file = json_load_file(GOLDEN "texts.json", JSON_ALLOW_NUL, NULL);
        const json_t *texts = json_object_get(file, "texts");
        for (size_t i = 0; i < json_array_size(texts); i++)
            assert_same_on(t, gguf, json_string_value(json_array_get(texts, i)),
                           json_string_length(json_array_get(texts, i)));
        json_decref(file);
        ls_tokenizer_free(t);
        ls_tokenizer_free(gguf);
        ls_tokenizer_free(folder);
        ls_tokenizer_free(again);
    }
}

/* SentencePiece: unk, bos, eos, 256 bytes, then these. */
static const struct {
    const char *text;
    float score;
    int32_t type;
} pieces[] = {
    {SIGN, -100, LS_GGUF_NORMAL},
    {"a", -101, LS_GGUF_NORMAL},
    {"b", -102, LS_GGUF_NORMAL},
    {"c", -103, LS_GGUF_NORMAL},
    {"ab", -2, LS_GGUF_NORMAL},
    {"bc", -1, LS_GGUF_NORMAL},
    {SIGN "ab", -3, LS_GGUF_NORMAL},
    {"abc", -4, LS_GGUF_NORMAL},
    {SIGN "abc", -5, LS_GGUF_NORMAL},
    {"c" SIGN "ab", -6, LS_GGUF_NORMAL},
    {"  ", -1000, LS_GGUF_USER_DEFINED},
    {"<turn>", -1000, LS_GGUF_CONTROL},
    {"<end_of_turn>", -1000, LS_GGUF_CONTROL},
};

static gguf_bytes spm_bytes(bool adds_space)
{
    gguf_bytes g = {.values = LS_STR_INIT};
    int64_t n = 259 + (int64_t)LS_COUNT(pieces);
    put_string(&g, KEY "model", "llama");
    put_array(&g, KEY "tokens", LS_GGUF_STRING, n);
    static const char *const first[] = {"<unk>", "<s>", "</s>"};
    for (int i = 0; i < 3; i++)
        put_text(&g.values, first[i], strlen(first[i]));
    for (unsigned byte = 0; byte < 256; byte++) {
        ls_str text = LS_STR_INIT;
        ls_str_appendf(&text, "<0x%02X>", byte);
        put_text(&g.values, text.data, text.len);
        ls_str_release(&text);
    }
    for (size_t i = 0; i < LS_COUNT(pieces); i++)
        put_text(&g.values, pieces[i].text, strlen(pieces[i].text));
    put_array(&g, KEY "scores", LS_GGUF_F32, n);
    for (int64_t id = 0; id < n; id++) {
        float score = id < 259 ? 0 : pieces[id - 259].score;
        put(&g.values, &score, sizeof score);
    }
    put_array(&g, KEY "token_type", LS_GGUF_I32, n);
    for (int64_t id = 0; id < n; id++) {
        int32_t type = id == 0    ? LS_GGUF_UNKNOWN
                       : id < 3   ? LS_GGUF_CONTROL
                       : id < 259 ? LS_GGUF_BYTE
                                  : pieces[id - 259].type;
        put(&g.values, &type, sizeof type);
    }
    put_bool(&g, KEY "add_space_prefix", adds_space);
    return g;
}

static void assert_pieces(const ls_tokenizer *t, unsigned flags, const char *text,
                          const char *expected)
{
    int32_t *ids = NULL;
    int64_t n = 0, cap = 0;
    ls_str got = LS_STR_INIT;
    assert_int_equal(ls_tokenizer_encode_as(t, flags, text, strlen(text), &ids, &n, &cap),
                     LEASH_OK);
    for (int64_t i = 0; i < n; i++)
        ls_str_appendf(&got, "%s%s", i ? "|" : "", ls_tokenizer_piece(t, ids[i]));
    assert_string_equal(got.data, expected);
    ls_str_release(&got);
    ls_free(ids);
}

static void sentencepiece_merges_the_best_score_first(void **state)
{
    (void)state;
    gguf_bytes g = spm_bytes(true);
    ls_tokenizer *t = NULL;
    const int32_t *stop;
    assert_int_equal(load_bytes(&t, &g), LEASH_OK);
    /* "bc" has the best score, and then "a" "bc" make "abc" and with the sign "_abc". */
    assert_pieces(t, 0, "abc", SIGN "abc");
    assert_pieces(t, 0, "ab", SIGN "ab");
    assert_pieces(t, 0, "xab", SIGN "|<0x78>|ab");
    assert_pieces(t, 0, "", "");
    /* Each piece between special tokens gets its space; the file's defaults add <s>. */
    assert_pieces(t, LS_ENCODE_SPECIALS | LS_ENCODE_AFFIXES, "ab<turn>ab",
                  "<s>|" SIGN "ab|<turn>|" SIGN "ab");
    assert_pieces(t, LS_ENCODE_AFFIXES, "", "<s>");
    assert_int_equal(ls_tokenizer_bos(t), 1);
    assert_int_equal(ls_tokenizer_eos(t), 2);
    assert_int_equal(ls_tokenizer_stop_ids(t, &stop), 2);
    assert_string_equal(ls_tokenizer_piece(t, stop[1]), "<end_of_turn>");
    ls_tokenizer *folder = through_folder(t), *again = through_gguf(folder, 0);
    assert_same(t, folder);
    assert_same(t, again);
    ls_tokenizer_free(folder);
    ls_tokenizer_free(again);
    ls_tokenizer_free(t);
    g = spm_bytes(false);
    assert_int_equal(load_bytes(&t, &g), LEASH_OK);
    assert_pieces(t, 0, "abc", "abc");
    /* Words are looked at one by one, but not where a merge reaches across the space. */
    assert_pieces(t, 0, "c ab b ab", "c" SIGN "ab|" SIGN "|b|" SIGN "ab");
    /* Two spaces are one user-defined token, which merges before all ordinary ones. */
    assert_pieces(t, 0, "ab  ab", "ab|" SIGN SIGN "|ab");
    folder = through_folder(t);
    assert_same(t, folder);
    ls_tokenizer_free(folder);
    ls_tokenizer_free(t);
}

static void rows_of_the_model_without_a_token_are_unused(void **state)
{
    (void)state;
    ls_gguf_tokenizer arrays;
    ls_tokenizer *t = load_folder(GOLDEN "smollm2");
    int64_t n = ls_tokenizer_vocab_size(t);
    assert_int_equal(ls_gguf_tokenizer_make(&arrays, t, n + 2), LEASH_OK);
    assert_int_equal(arrays.n_tokens, n + 2);
    assert_int_equal(arrays.types[n], LS_GGUF_UNUSED);
    assert_int_equal(arrays.tokens[n].n, strlen("[PAD1204]"));
    ls_gguf_tokenizer_release(&arrays);
    ls_tokenizer *back = through_gguf(t, n + 2);
    assert_int_equal(ls_tokenizer_vocab_size(back), n);
    assert_same_on(t, back, "[PAD1204]", 9);
    ls_tokenizer_free(t);
    ls_tokenizer_free(back);
}

static void remember(void *user, ls_log_level level, const char *line)
{
    (void)level;
    ls_str_append((ls_str *)user, line);
}

static gguf_bytes small_bytes(const char *model, const char *pre, const char *merge)
{
    static const ls_gguf_text tokens[] = {{"a", 1}, {"b", 1}, {"ab", 2}, {"</s>", 4}};
    static const int32_t types[] = {1, 1, 1, 3};
    ls_gguf_text merges[] = {{merge, strlen(merge)}, {"a b", 3}};
    gguf_bytes g = {.values = LS_STR_INIT};
    put_string(&g, KEY "model", model);
    if (pre)
        put_string(&g, KEY "pre", pre);
    put_texts(&g, KEY "tokens", tokens, 4);
    put_array(&g, KEY "token_type", LS_GGUF_I32, 4);
    put(&g.values, types, sizeof types);
    put_texts(&g, KEY "merges", merges, 2);
    put_id(&g, KEY "eos_token_id", 3);
    return g;
}

static void a_guess_is_told_and_what_is_not_known_is_refused(void **state)
{
    (void)state;
    static const struct {
        const char *model, *pre, *merge, *text;
    } cases[] = {
        {"bert", NULL, "a b",
         "F.gguf: tokenizer.ggml.model is \"bert\"; supported are gpt2 and llama"},
        {"gpt2", "viking", "a b",
         "F.gguf: tokenizer.ggml.pre is \"viking\", a pre-tokenizer that is not known here; take "
         "the model's Hugging Face folder"},
        {"gpt2", "", "a b",
         "F.gguf: tokenizer.ggml.pre is \"\", a pre-tokenizer that is not known here; take the "
         "model's Hugging Face folder"},
        {"gpt2", "gpt-2", "b a",
         "F.gguf: tokenizer.ggml.merges[0] is \"b a\"; expected two tokens that make one"},
        {"gpt2", "gpt-2", "ab",
         "F.gguf: tokenizer.ggml.merges[0] is \"ab\"; expected two tokens that make one"},
        {"llama", NULL, "a b", "F.gguf: tokenizer.ggml.scores has 0 values for 4 tokens"},
    };
    ls_str log = LS_STR_INIT;
    ls_tokenizer *t = NULL;
    ls_log_set_sink(remember, &log, LS_LOG_WARN);
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        gguf_bytes g = small_bytes(cases[i].model, cases[i].pre, cases[i].merge);
        leash_status status = load_bytes(&t, &g);
        assert_true(status == LEASH_FORMAT || status == LEASH_UNSUPPORTED);
        assert_string_equal(leash_error(), cases[i].text);
    }
    ls_str_clear(&log);
    gguf_bytes g = small_bytes("gpt2", NULL, "a b");
    assert_int_equal(load_bytes(&t, &g), LEASH_OK);
    ls_log_set_sink(NULL, NULL, LS_LOG_WARN);
    assert_non_null(strstr(log.data, "llama.cpp's guess"));
    assert_pieces(t, 0, "abab", "ab|ab");
    ls_tokenizer_free(t);
    ls_str_release(&log);
}

static void what_gguf_cannot_say_is_not_written(void **state)
{
    (void)state;
    static const struct {
        const char *layout, *text;
    } cases[] = {
        {"llama2", "the tokenizer cannot be put into a GGUF file: its merges do not follow from "
                   "scores of its tokens"},
        {"metaspace", "the tokenizer cannot be put into a GGUF file: neither byte-level BPE nor "
                      "SentencePiece's BPE with byte_fallback"},
        {"t5", "a tokenizer of kind unigram cannot be put into a GGUF file; BPE tokenizers can"},
    };
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        char dir[LS_PATH_MAX];
        ls_gguf_tokenizer arrays;
        ls_tokenizer *t = load_folder(ls_path_join(dir, GOLDEN, cases[i].layout));
        assert_int_equal(ls_gguf_tokenizer_make(&arrays, t, 0), LEASH_UNSUPPORTED);
        assert_string_equal(leash_error(), cases[i].text);
        ls_tokenizer_free(t);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_level_layouts_keep_their_ids_through_gguf_and_back_to_a_folder),
        cmocka_unit_test(sentencepiece_merges_the_best_score_first),
        cmocka_unit_test(rows_of_the_model_without_a_token_are_unused),
        cmocka_unit_test(a_guess_is_told_and_what_is_not_known_is_refused),
        cmocka_unit_test(what_gguf_cannot_say_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
