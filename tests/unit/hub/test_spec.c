/* hf: names: what is taken apart how, and what is refused. */
#include "hub/spec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

static void check(const char *text, bool is_dataset, const char *id, const char *revision,
                  const char *path)
{
    ls_hub_spec spec;
    assert_int_equal(ls_hub_spec_parse(&spec, text, NULL), LEASH_OK);
    assert_int_equal(spec.is_dataset, is_dataset);
    assert_string_equal(spec.id, id);
    assert_string_equal(spec.revision, revision);
    assert_string_equal(spec.path, path);
}

static void names_come_apart(void **state)
{
    (void)state;
    check("hf:Qwen/Qwen2.5-0.5B", false, "Qwen/Qwen2.5-0.5B", "main", "");
    check("hf:gpt2", false, "gpt2", "main", "");
    check("hf:gpt2@v1", false, "gpt2", "v1", "");
    check("hf://a/b/", false, "a/b", "main", "");
    check("hf:datasets/openai/gsm8k@abc", true, "openai/gsm8k", "abc", "");
    check("hf:a/b/x-Q4_1.gguf", false, "a/b", "main", "x-Q4_1.gguf");
    check("hf:datasets/a/b@v1/main/train.parquet", true, "a/b", "v1", "main/train.parquet");
}

static void refs_of_the_hub_keep_their_slashes(void **state)
{
    (void)state;
    check("hf:a/b@refs/pr/12", false, "a/b", "refs/pr/12", "");
    check("hf:datasets/a/b@refs/convert/parquet/default/x.parquet", true, "a/b",
          "refs/convert/parquet", "default/x.parquet");
}

static void another_revision_replaces_the_one_of_the_text(void **state)
{
    (void)state;
    ls_hub_spec spec;
    assert_int_equal(ls_hub_spec_parse(&spec, "hf:a/b@v1", "my/branch"), LEASH_OK);
    assert_string_equal(spec.revision, "my/branch");
    assert_int_equal(ls_hub_spec_parse(&spec, "hf:a/b", "../x"), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "--revision"));
}

static void names_that_cannot_be_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "a/b",          "hf:",        "hf:/b",     "hf:a//b",     "hf:a/..",     "hf:../b",
        "hf:a/b--c",    "hf:-a/b",    "hf:a/b.",   "hf:a/b@",     "hf:a/b@..",   "hf:a/b@x y/..",
        "hf:a/b/../c",  "hf:a/b/./c", "hf:a/b//c", "hf:a/b/c\\d", "hf:a/b/c\nd", "hf:a b/c",
        "hf:datasets/", "hf:a/b?x=1", "hf:a/b#c"};
    ls_hub_spec spec;
    for (size_t i = 0; i < LS_COUNT(bad); i++) {
        leash_status status = ls_hub_spec_parse(&spec, bad[i], NULL);
        if (status != LEASH_USAGE)
            fail_msg("'%s' gave %s", bad[i], leash_status_name(status));
    }
}

static void safe_paths_stay_below(void **state)
{
    (void)state;
    static const char *const good[] = {"a", "a/b.c", ".gitattributes", "a/...", "..a", "\xc3\xa4"};
    static const char *const bad[] = {"",     "/a",   "a/",    "a//b", ".",     "..",
                                      "a/..", "../a", "a/./b", "a\\b", "a\x01", "a\x7f"};
    for (size_t i = 0; i < LS_COUNT(good); i++)
        assert_true(ls_hub_is_safe_path(good[i]));
    for (size_t i = 0; i < LS_COUNT(bad); i++)
        assert_false(ls_hub_is_safe_path(bad[i]));
}

static void a_commit_is_forty_digits(void **state)
{
    (void)state;
    assert_true(ls_hub_is_commit("0123456789abcdef0123456789abcdef01234567"));
    assert_false(ls_hub_is_commit("0123456789abcdef0123456789abcdef0123456"));
    assert_false(ls_hub_is_commit("0123456789abcdef0123456789abcdef0123456g"));
    assert_false(ls_hub_is_commit("main"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_come_apart),
        cmocka_unit_test(refs_of_the_hub_keep_their_slashes),
        cmocka_unit_test(another_revision_replaces_the_one_of_the_text),
        cmocka_unit_test(names_that_cannot_be_are_refused),
        cmocka_unit_test(safe_paths_stay_below),
        cmocka_unit_test(a_commit_is_forty_digits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
