/* tokenizer.json against the Hugging Face library (tests/golden/tokenizer, made by generate.py
 * there) and against bad files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "base/mem.h"
#include "text/tokenizer.h"

#define GOLDEN LEASH_TEST_DATA "/tokenizer"
#define CHAR_ALPHABET "0123456789+-*=# \nabc\xc3\xa9\xe6\x97\xa5\xf0\x9f\x98\x80"

static ls_tokenizer *load(const char *dir)
{
    ls_tokenizer *t = NULL;
    if (ls_tokenizer_load(&t, dir) != LEASH_OK)
        fail_msg("%s", leash_error());
    return t;
}

/* The library's ids and its decoded text, one JSON object a line. */
static void assert_golden_ids(const ls_tokenizer *t, const char *path)
{
    FILE *file = fopen(path, "r");
    assert_non_null(file);
    static char line[16384];
    int n_rows = 0;
    while (fgets(line, sizeof line, file)) {
        json_t *row = json_loads(line, 0, NULL);
        assert_non_null(row);
        const json_t *expected = json_object_get(row, "ids");
        const json_t *text = json_object_get(row, "text");
        int32_t *ids = NULL;
        int64_t n = 0, cap = 0;
        assert_int_equal(ls_tokenizer_encode(t, json_string_value(text), json_string_length(text),
                                             &ids, &n, &cap),
                         LEASH_OK);
        assert_int_equal(n, json_array_size(expected));
        for (int64_t i = 0; i < n; i++)
            assert_int_equal(ids[i], json_integer_value(json_array_get(expected, (size_t)i)));
        ls_str decoded = LS_STR_INIT;
        ls_tokenizer_decode(t, ids, n, false, &decoded);
        assert_string_equal(decoded.data, json_string_value(json_object_get(row, "decoded")));
        ls_str_release(&decoded);
        ls_free(ids);
        json_decref(row);
        n_rows++;
    }
    fclose(file);
    assert_true(n_rows >= 100);
}

static void ids_equal_those_of_the_hugging_face_library(void **state)
{
    (void)state;
    ls_tokenizer *t = NULL;
    assert_int_equal(ls_tokenizer_new(&t, "byte"), LEASH_OK);
    assert_golden_ids(t, GOLDEN "/byte/texts.jsonl");
    ls_tokenizer_free(t);
    assert_int_equal(ls_tokenizer_new(&t, "char:" CHAR_ALPHABET), LEASH_OK);
    assert_golden_ids(t, GOLDEN "/char/texts.jsonl");
    ls_tokenizer_free(t);
}

static void files_saved_by_the_hugging_face_library_are_read(void **state)
{
    (void)state;
    ls_tokenizer *t = load(GOLDEN "/byte/resaved");
    assert_golden_ids(t, GOLDEN "/byte/texts.jsonl");
    assert_int_equal(ls_tokenizer_eos(t), 256);
    ls_tokenizer_free(t);
    t = load(GOLDEN "/char/resaved");
    assert_golden_ids(t, GOLDEN "/char/texts.jsonl");
    assert_int_equal(ls_tokenizer_eos(t), 23);
    ls_tokenizer_free(t);
}

static void assert_same_file(const char *dir, const char *golden_dir, const char *name)
{
    char path[LS_PATH_MAX];
    ls_str got = LS_STR_INIT, expected = LS_STR_INIT;
    assert_int_equal(ls_file_read(&got, ls_path_join(path, dir, name)), LEASH_OK);
    assert_int_equal(ls_file_read(&expected, ls_path_join(path, golden_dir, name)), LEASH_OK);
    assert_string_equal(got.data, expected.data);
    ls_str_release(&got);
    ls_str_release(&expected);
}

/* generate.py has checked with the library that these golden files give its ids. */
static void saved_files_are_those_the_library_was_checked_with(void **state)
{
    (void)state;
    static const char *const kinds[][2] = {{"byte", GOLDEN "/byte"},
                                           {"char:" CHAR_ALPHABET, GOLDEN "/char"}};
    for (int i = 0; i < 2; i++) {
        char dir[] = "/tmp/leash-tokenizer-XXXXXX";
        assert_non_null(mkdtemp(dir));
        ls_tokenizer *t = NULL;
        assert_int_equal(ls_tokenizer_new(&t, kinds[i][0]), LEASH_OK);
        assert_int_equal(ls_tokenizer_save(t, dir), LEASH_OK);
        assert_same_file(dir, kinds[i][1], "tokenizer.json");
        assert_same_file(dir, kinds[i][1], "tokenizer_config.json");
        ls_tokenizer *back = load(dir);
        assert_int_equal(ls_tokenizer_vocab_size(back), ls_tokenizer_vocab_size(t));
        for (int32_t id = 0; id < ls_tokenizer_vocab_size(t); id++)
            assert_string_equal(ls_tokenizer_piece(back, id), ls_tokenizer_piece(t, id));
        assert_int_equal(ls_tokenizer_eos(back), ls_tokenizer_eos(t));
        ls_tokenizer_free(t);
        ls_tokenizer_free(back);
        assert_int_equal(ls_dir_remove(dir), LEASH_OK);
    }
}

#define HEAD "{\"version\":\"1.0\",\"pre_tokenizer\":null,\"decoder\":{\"type\":\"Fuse\"},"
#define ADDED                                                            \
    "\"added_tokens\":[{\"id\":2,\"content\":\"<s>\",\"special\":true}," \
    "{\"id\":3,\"content\":\"</s>\",\"special\":true}],"
#define MODEL "\"model\":{\"type\":\"BPE\",\"vocab\":{\"a\":0,\"b\":1},\"merges\":[]}}"
#define CONFIG "{\"eos_token\":\"</s>\"}"

static leash_status parse(ls_tokenizer **t, const char *json, const char *config)
{
    ls_tokenizer_text text = {.json = json,
                              .config = config,
                              .n_json = strlen(json),
                              .n_config = strlen(config),
                              .dir = "D"};
    return ls_tokenizer_load_text(t, &text);
}

static void bos_is_used_where_the_config_adds_it(void **state)
{
    (void)state;
    ls_tokenizer *t = NULL;
    assert_int_equal(parse(&t, HEAD ADDED MODEL, CONFIG), LEASH_OK);
    assert_int_equal(ls_tokenizer_bos(t), -1);
    assert_int_equal(ls_tokenizer_eos(t), 3);
    ls_tokenizer_free(t);
    assert_int_equal(parse(&t, HEAD ADDED MODEL,
                           "{\"eos_token\":\"</s>\",\"bos_token\":{\"content\":\"<s>\"},"
                           "\"add_bos_token\":true}"),
                     LEASH_OK);
    assert_int_equal(ls_tokenizer_bos(t), 2);
    char dir[] = "/tmp/leash-tokenizer-XXXXXX";
    assert_non_null(mkdtemp(dir));
    assert_int_equal(ls_tokenizer_save(t, dir), LEASH_OK);
    ls_tokenizer *back = load(dir);
    assert_int_equal(ls_tokenizer_bos(back), 2);
    assert_int_equal(ls_tokenizer_eos(back), 3);
    ls_tokenizer_free(back);
    ls_tokenizer_free(t);
    assert_int_equal(ls_dir_remove(dir), LEASH_OK);
}

static void bad_files_are_refused_by_file_and_key(void **state)
{
    (void)state;
#define BPE(rest) HEAD ADDED "\"model\":{\"type\":\"BPE\"," rest "}}"
    static const struct {
        const char *json, *config, *text;
    } cases[] = {
        {"{", CONFIG,
         "D/tokenizer.json:1:1: malformed JSON: string or '}' expected near end of file"},
        {"[]", CONFIG, "D/tokenizer.json: expected one JSON object"},
        {"{\"version\":\"2.0\"}", CONFIG, "D/tokenizer.json: version must be the string \"1.0\""},
        {HEAD "\"extra\":1," ADDED MODEL, CONFIG, "D/tokenizer.json: the key extra is not known"},
        {HEAD ADDED "\"model\":{\"type\":\"WordPiece\"}}", CONFIG,
         "D/tokenizer.json: model.type is \"WordPiece\"; expected \"BPE\" or \"Unigram\""},
        {BPE("\"vocab\":[]"), CONFIG,
         "D/tokenizer.json: model.vocab must be an object {token: id}"},
        {BPE("\"vocab\":{}"), CONFIG, "D/tokenizer.json: model.vocab is empty"},
        {BPE("\"vocab\":{\"a\":0},\"merges\":[\"a b\"]"), CONFIG,
         "D/tokenizer.json: model.merges[0] is \"a\" and \"b\", but \"b\" is not in model.vocab"},
        {BPE("\"vocab\":{\"a\":0},\"dropout\":0.1"), CONFIG,
         "D/tokenizer.json: model.dropout is set, which is not supported"},
        {BPE("\"vocab\":{\"a\":0,\"b\":0}"), CONFIG,
         "D/tokenizer.json: model.vocab[\"b\"]: this token or its id 0 stands twice"},
        {BPE("\"vocab\":{\"a\":0,\"b\":2}"), CONFIG,
         "D/tokenizer.json: model.vocab[\"b\"]: expected an id of its own in 0..1"},
        {BPE("\"vocab\":{\"a\":0,\"b\":\"1\"}"), CONFIG,
         "D/tokenizer.json: model.vocab[\"b\"]: expected a token id"},
        {BPE("\"vocab\":{\"ab\":0}"), CONFIG,
         "D/tokenizer.json: model.vocab has \"ab\"; a char tokenizer has single characters"},
        {HEAD "\"added_tokens\":[{\"id\":7,\"content\":\"e\",\"special\":true}]," MODEL, CONFIG,
         "D/tokenizer.json: added_tokens: \"e\" has id 7, but its place in the file gives 2"},
        {HEAD "\"added_tokens\":[{\"id\":2,\"content\":\"e\"}]," MODEL, CONFIG,
         "D/tokenizer.json: added_tokens: \"e\" is not special; only special ones are supported"},
        {HEAD "\"added_tokens\":[{\"id\":2,\"content\":\"a\",\"special\":true}]," MODEL, CONFIG,
         "D/tokenizer.json: added_tokens: \"a\" is in model.vocab too"},
        {HEAD "\"added_tokens\":[{\"id\":2,\"content\":\"e\",\"special\":true},"
              "{\"id\":3,\"content\":\"e\",\"special\":true}]," MODEL,
         CONFIG, "D/tokenizer.json: added_tokens: \"e\" stands twice"},
        {HEAD "\"added_tokens\":[7]," MODEL, CONFIG,
         "D/tokenizer.json: added_tokens: expected {\"id\": integer, \"content\": text, ...}"},
        {HEAD ADDED MODEL, "{}",
         "D/tokenizer_config.json: eos_token must name a token: it is missing"},
        {HEAD ADDED MODEL, "{\"eos_token\":\"x\"}",
         "D/tokenizer_config.json: eos_token is \"x\", which is not among the added_tokens"},
        {HEAD ADDED MODEL, "{\"eos_token\":\"</s>\",\"add_bos_token\":true}",
         "D/tokenizer_config.json: bos_token must name a token: it is missing"},
        {HEAD ADDED MODEL, "nonsense",
         "D/tokenizer_config.json:1:8: malformed JSON: invalid token near 'nonsense'"},
    };
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        ls_tokenizer *t = NULL;
        leash_status status = parse(&t, cases[i].json, cases[i].config);
        if (status != LEASH_FORMAT && status != LEASH_UNSUPPORTED)
            fail_msg("case %zu: status %d", i, status);
        assert_null(t);
        assert_string_equal(leash_error(), cases[i].text);
    }
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    ls_tokenizer *t = NULL;
    assert_int_equal(ls_tokenizer_load(&t, "/nonexistent"), LEASH_IO);
    assert_non_null(strstr(leash_error(), "/nonexistent/tokenizer.json"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_equal_those_of_the_hugging_face_library),
        cmocka_unit_test(files_saved_by_the_hugging_face_library_are_read),
        cmocka_unit_test(saved_files_are_those_the_library_was_checked_with),
        cmocka_unit_test(bos_is_used_where_the_config_adds_it),
        cmocka_unit_test(bad_files_are_refused_by_file_and_key),
        cmocka_unit_test(a_missing_file_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
