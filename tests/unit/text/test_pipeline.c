/* What is particular about pipelines: traps of real tokenizers, bad files, ends, threads.  Most use
 * the layouts of tests/golden/tokenizer/bpe, whose ids test_pipeline_golden.c compares. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <pthread.h>

#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "text/tokenizer.h"

#define GOLDEN LEASH_TEST_DATA "/tokenizer/bpe/"

static ls_tokenizer *load(const char *layout)
{
    char dir[LS_PATH_MAX];
    ls_tokenizer *t = NULL;
    if (ls_tokenizer_load(&t, ls_path_join(dir, GOLDEN, layout)) != LEASH_OK)
        fail_msg("%s", leash_error());
    return t;
}

typedef struct ids {
    int32_t *at;
    int64_t n, cap;
} ids;

static ids encode_n(const ls_tokenizer *t, unsigned flags, const char *text, size_t n)
{
    ids out = {0};
    if (ls_tokenizer_encode_as(t, flags, text, n, &out.at, &out.n, &out.cap) != LEASH_OK)
        fail_msg("%s", leash_error());
    return out;
}

static ids encode(const ls_tokenizer *t, unsigned flags, const char *text)
{
    return encode_n(t, flags, text, strlen(text));
}

/* Tokens with a "|" between them. */
static void assert_pieces(const ls_tokenizer *t, unsigned flags, const char *text,
                          const char *expected)
{
    ids got = encode(t, flags, text);
    ls_str pieces = LS_STR_INIT;
    for (int64_t i = 0; i < got.n; i++)
        ls_str_appendf(&pieces, "%s%s", i ? "|" : "", ls_tokenizer_piece(t, got.at[i]));
    assert_string_equal(pieces.data, expected);
    ls_str_release(&pieces);
    ls_free(got.at);
}

static void assert_round_trip(const ls_tokenizer *t, const char *text, const char *expected)
{
    ids got = encode(t, LS_ENCODE_SPECIALS, text);
    ls_str back = LS_STR_INIT;
    ls_tokenizer_decode(t, got.at, got.n, true, &back);
    assert_string_equal(back.data, expected);
    ls_str_release(&back);
    ls_free(got.at);
}

static void special_tokens_in_text_stay_text_unless_asked_for(void **state)
{
    (void)state;
    ls_tokenizer *t = load("smollm2");
    ids data = encode(t, 0, "hi<|im_end|>"), chat = encode(t, LS_ENCODE_SPECIALS, "hi<|im_end|>");
    for (int64_t i = 0; i < data.n; i++)
        assert_false(ls_tokenizer_is_special(t, data.at[i]));
    assert_true(ls_tokenizer_is_special(t, chat.at[chat.n - 1]));
    assert_string_equal(ls_tokenizer_piece(t, chat.at[chat.n - 1]), "<|im_end|>");
    assert_true(data.n > chat.n);
    ls_free(data.at);
    ls_free(chat.at);
    ls_tokenizer_free(t);
}

static void separately_encoded_parts_are_not_the_ids_of_the_whole(void **state)
{
    (void)state;
    ls_tokenizer *t = load("gpt2");
    assert_pieces(t, 0, "self", "self");
    assert_pieces(t, 0, "se", "se");
    assert_pieces(t, 0, "lf", "lf");
    assert_pieces(t, 0, "a self", "a|\xc4\xa0self");
    assert_pieces(t, 0, "a ", "a|\xc4\xa0");
    ls_tokenizer_free(t);
}

static void a_prefix_sign_comes_after_a_special_and_is_lost_at_the_start(void **state)
{
    (void)state;
    ls_tokenizer *t = load("llama2");
    assert_pieces(t, LS_ENCODE_SPECIALS, "</s>to", "</s>|\xe2\x96\x81to");
    assert_round_trip(t, "</s>to", "</s> to");
    assert_round_trip(t, "to", "to");
    assert_round_trip(t, " to", " to");
    ls_tokenizer_free(t);
    t = load("mistral"); /* prepends to the first piece alone */
    assert_pieces(t, LS_ENCODE_SPECIALS, "</s>to", "</s>|to");
    ls_tokenizer_free(t);
}

static void normal_forms_and_space_signs_do_not_come_back(void **state)
{
    (void)state;
    ls_tokenizer *t = load("qwen2");
    assert_round_trip(t, "n\xcc\x83", "\xc3\xb1");
    ls_tokenizer_free(t);
    t = load("gemma");
    assert_round_trip(t, "a\xe2\x96\x81z", "a z");
    ls_tokenizer_free(t);
}

static void a_nul_is_a_byte_of_text(void **state)
{
    (void)state;
    static const char *const all[] = {"gpt2", "llama3", "llama2"};
    for (int i = 0; i < 3; i++) {
        ls_tokenizer *t = load(all[i]);
        ids got = encode_n(t, 0, "x\0y", 3);
        ls_str back = LS_STR_INIT;
        ls_tokenizer_decode(t, got.at, got.n, false, &back);
        assert_int_equal(back.len, 3);
        assert_memory_equal(back.data, "x\0y", 3);
        ls_str_release(&back);
        ls_free(got.at);
        ls_tokenizer_free(t);
    }
}

static void the_name_of_a_byte_token_in_text_is_not_the_byte(void **state)
{
    (void)state;
    ls_tokenizer *t = load("gemma");
    ids got = encode(t, LS_ENCODE_SPECIALS, "<0x41>");
    assert_true(got.n > 1);
    ls_free(got.at);
    assert_round_trip(t, "<0x41>", "<0x41>");
    ls_tokenizer_free(t);
}

static void each_maximal_invalid_part_becomes_one_replacement_character(void **state)
{
    (void)state;
    static const char *const all[] = {"gpt2", "llama2", "qwen2"};
    for (int i = 0; i < 3; i++) {
        ls_tokenizer *t = load(all[i]);
        assert_round_trip(t,
                          "a\xff"
                          "b",
                          "a\xef\xbf\xbd"
                          "b");
        assert_round_trip(t,
                          "a\xe2\x96"
                          "b",
                          "a\xef\xbf\xbd"
                          "b");
        assert_round_trip(t, "a\xed\xa0\x80", "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
        assert_round_trip(t, "a\xf0\x9f\x98", "a\xef\xbf\xbd");
        ls_tokenizer_free(t);
    }
}

static void an_empty_text_has_no_ids_but_the_beginning(void **state)
{
    (void)state;
    ls_tokenizer *t = load("llama3");
    ids got = encode(t, 0, "");
    assert_int_equal(got.n, 0);
    ls_free(got.at);
    assert_pieces(t, LS_ENCODE_AFFIXES, "", "<s>");
    assert_string_equal(ls_tokenizer_piece(t, ls_tokenizer_bos(t)), "<s>");
    ls_tokenizer_free(t);
    t = load("tekken");
    assert_pieces(t, LS_ENCODE_AFFIXES, "", "<s>|</s>");
    ls_tokenizer_free(t);
    t = load("gpt2");
    assert_int_equal(ls_tokenizer_bos(t), -1);
    ls_tokenizer_free(t);
}

static void ids_that_no_token_has_decode_to_nothing(void **state)
{
    (void)state;
    ls_tokenizer *t = load("llama2");
    int32_t strange[] = {-1, INT32_MIN, INT32_MAX, ls_tokenizer_vocab_size(t)};
    ls_str out = LS_STR_INIT;
    ls_tokenizer_decode(t, strange, 4, true, &out);
    assert_int_equal(out.len, 0);
    for (int i = 0; i < 4; i++) {
        assert_string_equal(ls_tokenizer_piece(t, strange[i]), "");
        assert_false(ls_tokenizer_is_special(t, strange[i]));
    }
    ls_str_release(&out);
    ls_tokenizer_free(t);
}

static void a_token_that_strips_takes_the_white_space_beside_it(void **state)
{
    (void)state;
    ls_tokenizer *t = load("qwen2");
    assert_pieces(t, 0, "a \n<mask>\n b", "a|<mask>|b");
    assert_pieces(t, 0, "<tool> \t<mask>", "<tool>|<mask>");
    ls_tokenizer_free(t);
}

static void a_single_word_token_needs_edges_of_words(void **state)
{
    (void)state;
    ls_tokenizer *t = load("words");
    int32_t the = -1;
    ids got = encode(t, 0, "the");
    the = got.at[0];
    assert_string_equal(ls_tokenizer_piece(t, the), "the");
    ls_free(got.at);
    got = encode(t, 0, "(the)");
    assert_int_equal(got.at[1], the);
    ls_free(got.at);
    ls_tokenizer_free(t);
}

/* A loop over all pairs would take hours here. */
static void a_word_of_a_megabyte_is_encoded(void **state)
{
    (void)state;
    enum { n = 1 << 20 };
    static const char *const all[] = {"gpt2", "llama3", "llama2", "words"};
    char *text = ls_malloc(n);
    memset(text, 'a', n);
    for (int i = 0; i < 4; i++) {
        ls_tokenizer *t = load(all[i]);
        ids got = encode_n(t, 0, text, n);
        ls_str back = LS_STR_INIT;
        assert_true(got.n > n / 64 && got.n <= n + 1);
        if (i < 3) {
            ls_tokenizer_decode(t, got.at, got.n, false, &back);
            assert_int_equal(back.len, n);
            assert_memory_equal(back.data, text, n);
        }
        ls_str_release(&back);
        ls_free(got.at);
        ls_tokenizer_free(t);
    }
    memset(text, ' ', n);
    ls_tokenizer *t = load("llama3");
    ids got = encode_n(t, 0, text, n);
    assert_true(got.n > 0);
    ls_free(got.at);
    ls_tokenizer_free(t);
    ls_free(text);
}

static void contractions_mind_case_in_one_pattern_and_not_in_the_other(void **state)
{
    (void)state;
    ls_tokenizer *t = load("gpt2");
    assert_pieces(t, 0, "x'True", "x|'|True");
    ls_tokenizer_free(t);
    t = load("llama3");
    assert_pieces(t, 0, "x'True", "x|'T|rue");
    ls_tokenizer_free(t);
}

/* Files */

#define MODEL \
    "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1,\"ab\":2},\"merges\":[\"a b\"]}"
#define FILE_WITH(sections) "{\"version\":\"1.0\"," sections "," MODEL "}"
#define CONFIG "{\"eos_token\":\"b\"}"

static leash_status parse(ls_tokenizer **t, const char *json, const char *config,
                          const char *generation)
{
    ls_tokenizer_text text = {.json = json,
                              .config = config,
                              .generation = generation,
                              .n_json = strlen(json),
                              .n_config = strlen(config),
                              .n_generation = generation ? strlen(generation) : 0,
                              .dir = "D"};
    return ls_tokenizer_load_text(t, &text);
}

static ls_tokenizer *parsed(const char *json, const char *config, const char *generation)
{
    ls_tokenizer *t = NULL;
    if (parse(&t, json, config, generation) != LEASH_OK)
        fail_msg("%s", leash_error());
    return t;
}

static void what_is_not_supported_is_named_by_file_section_and_construct(void **state)
{
    (void)state;
#define SPLIT(regex)                                                                          \
    FILE_WITH("\"pre_tokenizer\":{\"type\":\"Split\",\"behavior\":\"Isolated\",\"pattern\":{" \
              "\"Regex\":\"" regex "\"}}")
    static const struct {
        const char *json, *text;
    } cases[] = {
        {FILE_WITH("\"normalizer\":{\"type\":\"BertNormalizer\"}"),
         "D/tokenizer.json: normalizer: type \"BertNormalizer\" is not supported; supported are "
         "NFC, NFD, NFKC, NFKD, Lowercase, Prepend, Replace, Strip, StripAccents, Precompiled, "
         "Sequence"},
        {FILE_WITH("\"normalizer\":{\"type\":\"Precompiled\",\"precompiled_charsmap\":"
                   "\"////\"}"),
         "D/tokenizer.json: normalizer.precompiled_charsmap: expected a table of SentencePiece in "
         "base64"},
        {FILE_WITH("\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
                   "\"Digits\"},{\"type\":\"Bert\"}]}"),
         "D/tokenizer.json: pre_tokenizer.pretokenizers[1]: type \"Bert\" is not supported; "
         "supported are ByteLevel, Split, Digits, Punctuation, Whitespace, WhitespaceSplit, "
         "Metaspace, Sequence"},
        {FILE_WITH("\"pre_tokenizer\":{\"type\":\"Sequence\",\"pretokenizers\":[{\"type\":"
                   "\"ByteLevel\"},{\"type\":\"Digits\"}]}"),
         "D/tokenizer.json: pre_tokenizer.pretokenizers[1]: type \"Digits\" after ByteLevel is not "
         "supported; ByteLevel must be the last step"},
        {FILE_WITH("\"pre_tokenizer\":{\"type\":\"Digits\",\"tens\":1}"),
         "D/tokenizer.json: pre_tokenizer (Digits): the key tens is not known"},
        {FILE_WITH("\"post_processor\":{\"type\":\"BertProcessing\"}"),
         "D/tokenizer.json: post_processor: type \"BertProcessing\" is not supported; supported "
         "are TemplateProcessing, ByteLevel, Sequence"},
        {FILE_WITH("\"decoder\":{\"type\":\"WordPiece\"}"),
         "D/tokenizer.json: decoder: type \"WordPiece\" is not supported; supported are (in this "
         "order) Replace, Metaspace, ByteLevel, ByteFallback, Fuse, Strip, and Sequence"},
        {FILE_WITH("\"added\":1"), "D/tokenizer.json: the key added is not known"},
        {SPLIT("a\\\\h"), "D/tokenizer.json: pre_tokenizer.pattern: the regular expression uses "
                          "\"\\h\" at byte 1, which is not supported"},
        {SPLIT("[a[b]]"), "D/tokenizer.json: pre_tokenizer.pattern: the regular expression uses "
                          "\"[b\" at byte 2, which is not supported"},
        {SPLIT("(?<n>a)"), "D/tokenizer.json: pre_tokenizer.pattern: the regular expression uses "
                           "\"(?<n\" at byte 0, which is not supported"},
        {SPLIT("a{2}+"), "D/tokenizer.json: pre_tokenizer.pattern: the regular expression uses "
                         "\"}+\" at byte 3, which is not supported"},
        {SPLIT("(a"), "D/tokenizer.json: pre_tokenizer.pattern: the regular expression is not "
                      "valid: missing closing parenthesis"},
        {"{\"version\":\"1.0\",\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1]],\"unk_id\":1}"
         "}",
         "D/tokenizer.json: model.unk_id must be the place of a token in model.vocab"},
        {"{\"version\":\"1.0\",\"model\":{\"type\":\"Unigram\",\"vocab\":{\"a\":0}}}",
         "D/tokenizer.json: model.vocab must be a list [[token, score], ...]"},
        {"{\"version\":\"1.0\",\"pre_tokenizer\":{\"type\":\"ByteLevel\"},\"model\":{\"type\":"
         "\"Unigram\",\"vocab\":[[\"a\",-1]]}}",
         "D/tokenizer.json: model.type \"Unigram\" with a ByteLevel pre_tokenizer is not "
         "supported"},
        {"{\"version\":\"1.0\",\"model\":{\"type\":\"BPE\",\"vocab\":[[\"a\",-1]]}}",
         "D/tokenizer.json: model.vocab must be an object {token: id}"},
        {"{\"version\":\"1.0\",\"model\":{\"type\":\"Unigram\",\"vocab\":[[\"a\",-1],[\"a\",-2]]}}",
         "D/tokenizer.json: model.vocab[\"a\"]: this token or its id 1 stands twice"},
        {"{\"version\":\"1.0\",\"model\":{\"type\":\"WordPiece\",\"vocab\":{\"a\":0}}}",
         "D/tokenizer.json: model.type is \"WordPiece\"; expected \"BPE\" or \"Unigram\""},
        {"{\"version\":\"1.0\",\"model\":{\"vocab\":{\"a\":0,\"aa\":1},\"merges\":[\"a "
         "a\"],\"dropout\":0.1}}",
         "D/tokenizer.json: model.dropout is set, which is not supported"},
        {"{\"version\":\"1.0\",\"model\":{\"vocab\":{\"a\":0},\"merges\":[\"a  a\"]}}",
         "D/tokenizer.json: model.merges[0] is \"a  a\"; expected two tokens with one space "
         "between them"},
        {"{\"version\":\"1.0\",\"model\":{\"vocab\":{\"a\":0},\"merges\":[[\"a\",\"a\"]]}}",
         "D/tokenizer.json: model.merges[0] is \"a\" and \"a\", but \"aa\" is not in model.vocab"},
        {FILE_WITH("\"added_tokens\":[{\"id\":1,\"content\":\"a\"}]"),
         "D/tokenizer.json: added_tokens: \"a\" has id 1, but model.vocab gives it 0"},
        {FILE_WITH("\"added_tokens\":[{\"id\":5,\"content\":\"c\"}]"),
         "D/tokenizer.json: added_tokens: \"c\" has id 5, but its place in the file gives 3"},
        {"{\"version\":\"1.0\",\n\"model\":{\"vocab\":{\"a\":0,\n\"b\":1},\"merges\":[]},\n\"x\" "
         "1}",
         "D/tokenizer.json:4:5: malformed JSON: ':' expected near '1'"},
    };
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        ls_tokenizer *t = NULL;
        leash_status status = parse(&t, cases[i].json, CONFIG, NULL);
        if (status != LEASH_FORMAT && status != LEASH_UNSUPPORTED)
            fail_msg("case %zu: status %d", i, status);
        assert_null(t);
        assert_string_equal(leash_error(), cases[i].text);
    }
}

static void sections_may_stand_in_any_order_and_tokens_be_escaped(void **state)
{
    (void)state;
    ls_tokenizer *t = parsed(
        "{\"model\":{\"merges\":[[\"\\u00e9\",\"\\ud83d\\ude00\"],[\"\\n\",\" \"]],\"vocab\":{"
        "\"\\u00e9\":0,\"\\ud83d\\ude00\":1,\"\\u00e9\\ud83d\\ude00\":2,\"\\n\":3,\" \":4,\"\\n "
        "\":5,\"\\u0000\":6}},\"decoder\":{\"type\":\"Fuse\"},\"version\":\"1.0\"}",
        "{\"eos_token\":\" \"}", NULL);
    ids got = encode_n(t, 0, "\xc3\xa9\xf0\x9f\x98\x80\n \n\0", 10);
    static const int32_t expected[] = {2, 5, 3, 6};
    assert_int_equal(got.n, 4);
    assert_memory_equal(got.at, expected, sizeof expected);
    ls_free(got.at);
    ls_tokenizer_free(t);
}

static void a_pair_that_stands_twice_has_its_last_rank(void **state)
{
    (void)state;
    ls_tokenizer *t = parsed("{\"version\":\"1.0\",\"model\":{\"vocab\":{\"a\":0,\"b\":1,\"c\":2,"
                             "\"ab\":3,\"bc\":4},\"merges\":[\"a b\",\"b c\",\"a b\"]}}",
                             "{\"eos_token\":\"c\"}", NULL);
    assert_pieces(t, 0, "abc", "a|bc");
    ls_tokenizer_free(t);
}

static void the_configuration_overrules_the_beginning(void **state)
{
    (void)state;
    static const char with[] = FILE_WITH(
        "\"post_processor\":{\"type\":\"TemplateProcessing\",\"single\":[{\"SpecialToken\":{\"id\":"
        "\"a\",\"type_id\":0}},{\"Sequence\":{\"id\":\"A\",\"type_id\":0}}],\"pair\":[],"
        "\"special_tokens\":{\"a\":{\"id\":\"a\",\"ids\":[0],\"tokens\":[\"a\"]}}}");
    static const char without[] = FILE_WITH("\"decoder\":null");
    ls_tokenizer *t = parsed(with, CONFIG, NULL);
    assert_int_equal(ls_tokenizer_bos(t), 0);
    ls_tokenizer_free(t);
    t = parsed(with, "{\"eos_token\":\"b\",\"add_bos_token\":false}", NULL);
    assert_int_equal(ls_tokenizer_bos(t), -1);
    ls_tokenizer_free(t);
    t = parsed(without, "{\"eos_token\":\"b\",\"bos_token\":\"a\",\"add_bos_token\":true}", NULL);
    assert_int_equal(ls_tokenizer_bos(t), 0);
    assert_pieces(t, LS_ENCODE_AFFIXES, "b", "a|b");
    ls_tokenizer_free(t);
}

static void all_ends_are_known_the_own_one_first(void **state)
{
    (void)state;
    static const char json[] = FILE_WITH("\"decoder\":null");
    const int32_t *stop;
    ls_tokenizer *t = parsed(json, CONFIG, NULL);
    assert_int_equal(ls_tokenizer_stop_ids(t, &stop), 1);
    assert_int_equal(stop[0], 1);
    ls_tokenizer_free(t);
    t = parsed(json, CONFIG, "{\"eos_token_id\":[2,1,0,2]}");
    static const int32_t expected[] = {1, 2, 0};
    assert_int_equal(ls_tokenizer_stop_ids(t, &stop), 3);
    assert_memory_equal(stop, expected, sizeof expected);
    ls_tokenizer_free(t);
    t = parsed(json, "{\"eos_token\":null}", "{\"eos_token_id\":2}");
    assert_int_equal(ls_tokenizer_eos(t), 2);
    assert_int_equal(ls_tokenizer_stop_ids(t, &stop), 1);
    ls_tokenizer_free(t);
    t = NULL;
    assert_int_equal(parse(&t, json, CONFIG, "{\"eos_token_id\":3}"), LEASH_FORMAT);
    assert_string_equal(leash_error(),
                        "D/generation_config.json: eos_token_id: expected ids below 3, found 3");
}

static void a_list_of_ends_in_config_json_stands_in_for_a_missing_file(void **state)
{
    (void)state;
    static const struct {
        const char *config;
        int32_t n;
    } cases[] = {{"{\"eos_token_id\": [1, 2]}", 2}, {"{\"eos_token_id\": 2}", 1}, {"{}", 1}};
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        char dir[] = "/tmp/leash-ends-XXXXXX", path[LS_PATH_MAX];
        const int32_t *stop;
        assert_non_null(mkdtemp(dir));
        ls_tokenizer *t = parsed(FILE_WITH("\"decoder\":null"), CONFIG, NULL);
        assert_int_equal(ls_tokenizer_save(t, dir), LEASH_OK);
        ls_tokenizer_free(t);
        assert_int_equal(ls_file_write_atomic(ls_path_join(path, dir, "config.json"),
                                              cases[i].config, strlen(cases[i].config)),
                         LEASH_OK);
        assert_int_equal(ls_tokenizer_load(&t, dir), LEASH_OK);
        assert_int_equal(ls_tokenizer_stop_ids(t, &stop), cases[i].n);
        assert_int_equal(stop[0], 1);
        ls_tokenizer_free(t);
        assert_int_equal(ls_dir_remove(dir), LEASH_OK);
    }
}

/* Scores and the best path by hand: -1 and -1 beat -3, of equal sums the longer first piece stays.
 * */
static void unigram_takes_the_pieces_with_the_best_sum(void **state)
{
    (void)state;
    static const char json[] =
        "{\"version\":\"1.0\",\"added_tokens\":[{\"id\":6,\"content\":\"</s>\",\"special\":true}],"
        "\"model\":{\"type\":\"Unigram\",\"unk_id\":0,\"vocab\":[[\"<unk>\",0],[\"a\",-1],"
        "[\"b\",-1],[\"ab\",-3],[\"bb\",-1.5],[\"bbb\",-2.5]]}}";
    ls_tokenizer *t = parsed(json, "{\"eos_token\":\"</s>\"}", NULL);
    ls_str name = LS_STR_INIT;
    assert_pieces(t, 0, "ab", "a|b");
    assert_pieces(t, 0, "abb", "a|bb");
    /* bbb and b+bb both have -2.5: bbb, which starts first, stays. */
    assert_pieces(t, 0, "bbb", "bbb");
    /* Unknown neighbours are one unk. */
    assert_pieces(t, 0, "axyb", "a|<unk>|b");
    assert_pieces(t, 0, "</s>", "<unk>");
    assert_pieces(t, LS_ENCODE_SPECIALS, "a</s>", "a|</s>");
    assert_pieces(t, 0, "", "");
    ls_tokenizer_describe(t, &name);
    assert_string_equal(name.data, "unigram, 7 tokens");
    ls_str_release(&name);
    ls_tokenizer_free(t);
}

static void an_unknown_character_without_unk_is_an_error(void **state)
{
    (void)state;
    ls_tokenizer *t = parsed("{\"version\":\"1.0\",\"model\":{\"type\":\"Unigram\",\"vocab\":"
                             "[[\"a\",-1]]}}",
                             "{\"eos_token\":\"a\"}", NULL);
    ids out = {0};
    assert_int_equal(ls_tokenizer_encode(t, "ax", 2, &out.at, &out.n, &out.cap), LEASH_DATA);
    assert_string_equal(leash_error(), "\"x\" has no token and the tokenizer no unk_id");
    assert_int_equal(out.n, 0);
    ls_free(out.at);
    ls_tokenizer_free(t);
}

static void generation_config_is_written_back_as_it_was(void **state)
{
    (void)state;
    static const char *const texts[] = {"{\"eos_token_id\": [2, 0],\n \"temperature\": 0.6}\n",
                                        "{\"eos_token_id\":2}", NULL};
    for (size_t i = 0; i < LS_COUNT(texts); i++) {
        char dir[] = "/tmp/leash-generation-XXXXXX", path[LS_PATH_MAX];
        const int32_t *a, *b;
        ls_str text = LS_STR_INIT;
        assert_non_null(mkdtemp(dir));
        ls_tokenizer *t = parsed(FILE_WITH("\"decoder\":null"), CONFIG, texts[i]), *back = NULL;
        assert_int_equal(ls_tokenizer_save(t, dir), LEASH_OK);
        ls_path_join(path, dir, "generation_config.json");
        assert_int_equal(ls_file_exists(path), texts[i] != NULL);
        if (texts[i]) {
            assert_int_equal(ls_file_read(&text, path), LEASH_OK);
            assert_string_equal(text.data, texts[i]);
        }
        assert_int_equal(ls_tokenizer_load(&back, dir), LEASH_OK);
        int32_t n = ls_tokenizer_stop_ids(t, &a);
        assert_int_equal(ls_tokenizer_stop_ids(back, &b), n);
        assert_memory_equal(a, b, (size_t)n * sizeof *a);
        ls_str_release(&text);
        ls_tokenizer_free(t);
        ls_tokenizer_free(back);
        assert_int_equal(ls_dir_remove(dir), LEASH_OK);
    }
}

static void remember(void *user, ls_log_level level, const char *line)
{
    (void)level;
    ls_str_append((ls_str *)user, line);
}

static void characters_without_a_token_are_left_out_and_loading_says_so(void **state)
{
    (void)state;
    ls_str log = LS_STR_INIT;
    ls_log_set_sink(remember, &log, LS_LOG_WARN);
    ls_tokenizer *t = parsed(FILE_WITH("\"decoder\":null"), CONFIG, NULL);
    ls_log_set_sink(NULL, NULL, LS_LOG_WARN);
    assert_non_null(strstr(log.data, "characters without a token are left out"));
    assert_pieces(t, 0, "axb", "ab");
    assert_pieces(t, 0, "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "");
    ls_str_release(&log);
    ls_tokenizer_free(t);
}

/* A run of byte tokens is judged as a whole by decode; a stream has given out its beginning. */
static void a_late_invalid_byte_changes_a_whole_run_but_not_what_is_out(void **state)
{
    (void)state;
    ls_tokenizer *t = load("gemma");
    int32_t run[3] = {-1, -1, -1};
    for (int32_t id = 0; id < ls_tokenizer_vocab_size(t); id++)
        for (int i = 0; i < 3; i++) {
            static const char *const names[] = {"<0xC3>", "<0xA9>", "<0xFF>"};
            if (strcmp(ls_tokenizer_piece(t, id), names[i]) == 0)
                run[i] = id;
        }
    ls_str whole = LS_STR_INIT, stream = LS_STR_INIT;
    ls_tokenizer_decode(t, run, 3, true, &whole);
    assert_string_equal(whole.data, "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
    ls_decoder d;
    ls_decoder_init(&d, t, true);
    ls_decoder_push(&d, run[0], &stream);
    assert_string_equal(stream.data, "");
    ls_decoder_push(&d, run[1], &stream);
    assert_string_equal(stream.data, "\xc3\xa9");
    ls_decoder_push(&d, run[2], &stream);
    ls_decoder_finish(&d, &stream);
    assert_string_equal(stream.data, "\xc3\xa9\xef\xbf\xbd");
    ls_decoder_release(&d);
    ls_str_release(&whole);
    ls_str_release(&stream);
    ls_tokenizer_free(t);
}

/* Twelve threads: more than there are memories to lend. */
typedef struct job {
    const ls_tokenizer *t;
    ids expected;
    bool is_same;
} job;

#define JOB_TEXT "Hello World 1234 don't\n\n  x = f(y) # caf\xc3\xa9 <|im_end|>"

static void *encode_often(void *user)
{
    job *j = user;
    j->is_same = true;
    ids got = {0};
    for (int i = 0; i < 300; i++) {
        got.n = 0;
        if (ls_tokenizer_encode(j->t, JOB_TEXT, strlen(JOB_TEXT), &got.at, &got.n, &got.cap))
            j->is_same = false;
        if (got.n != j->expected.n ||
            memcmp(got.at, j->expected.at, (size_t)got.n * sizeof *got.at) != 0)
            j->is_same = false;
    }
    ls_free(got.at);
    return NULL;
}

static void threads_may_share_a_tokenizer(void **state)
{
    (void)state;
    enum { n = 12 };
    ls_tokenizer *t = load("tekken");
    job jobs[n];
    pthread_t threads[n];
    ids expected = encode(t, 0, JOB_TEXT);
    for (int i = 0; i < n; i++) {
        jobs[i] = (job){.t = t, .expected = expected};
        assert_int_equal(pthread_create(&threads[i], NULL, encode_often, &jobs[i]), 0);
    }
    for (int i = 0; i < n; i++) {
        pthread_join(threads[i], NULL);
        assert_true(jobs[i].is_same);
    }
    ls_free(expected.at);
    ls_tokenizer_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(special_tokens_in_text_stay_text_unless_asked_for),
        cmocka_unit_test(separately_encoded_parts_are_not_the_ids_of_the_whole),
        cmocka_unit_test(a_prefix_sign_comes_after_a_special_and_is_lost_at_the_start),
        cmocka_unit_test(normal_forms_and_space_signs_do_not_come_back),
        cmocka_unit_test(a_nul_is_a_byte_of_text),
        cmocka_unit_test(the_name_of_a_byte_token_in_text_is_not_the_byte),
        cmocka_unit_test(each_maximal_invalid_part_becomes_one_replacement_character),
        cmocka_unit_test(an_empty_text_has_no_ids_but_the_beginning),
        cmocka_unit_test(ids_that_no_token_has_decode_to_nothing),
        cmocka_unit_test(a_token_that_strips_takes_the_white_space_beside_it),
        cmocka_unit_test(a_single_word_token_needs_edges_of_words),
        cmocka_unit_test(a_word_of_a_megabyte_is_encoded),
        cmocka_unit_test(contractions_mind_case_in_one_pattern_and_not_in_the_other),
        cmocka_unit_test(what_is_not_supported_is_named_by_file_section_and_construct),
        cmocka_unit_test(sections_may_stand_in_any_order_and_tokens_be_escaped),
        cmocka_unit_test(a_pair_that_stands_twice_has_its_last_rank),
        cmocka_unit_test(the_configuration_overrules_the_beginning),
        cmocka_unit_test(all_ends_are_known_the_own_one_first),
        cmocka_unit_test(unigram_takes_the_pieces_with_the_best_sum),
        cmocka_unit_test(an_unknown_character_without_unk_is_an_error),
        cmocka_unit_test(generation_config_is_written_back_as_it_was),
        cmocka_unit_test(a_list_of_ends_in_config_json_stands_in_for_a_missing_file),
        cmocka_unit_test(characters_without_a_token_are_left_out_and_loading_says_so),
        cmocka_unit_test(a_late_invalid_byte_changes_a_whole_run_but_not_what_is_out),
        cmocka_unit_test(threads_may_share_a_tokenizer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
