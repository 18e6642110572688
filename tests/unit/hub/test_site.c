/* What the environment says about the hub. */
#include "hub/site.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static const char *const names[] = {
    "HF_ENDPOINT",           "HF_HOME",       "HF_HUB_CACHE",   "HF_TOKEN",
    "HUGGINGFACE_HUB_CACHE", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE",
    "XDG_CACHE_HOME"};
static char root[] = "/tmp/leash_test_site.XXXXXX";

static int clear(void **state)
{
    (void)state;
    for (size_t i = 0; i < LS_COUNT(names); i++)
        unsetenv(names[i]);
    return setenv("HOME", root, 1);
}

static ls_hub_site read_site(void)
{
    ls_hub_site site;
    assert_int_equal(ls_hub_site_read(&site), LEASH_OK);
    return site;
}

static void check_cache(const char *expected)
{
    assert_string_equal(read_site().cache, expected);
}

static void the_cache_is_found_as_python_finds_it(void **state)
{
    (void)state;
    char expected[256];
    snprintf(expected, sizeof expected, "%s/.cache/huggingface/hub", root);
    check_cache(expected);
    setenv("XDG_CACHE_HOME", "/xdg", 1);
    check_cache("/xdg/huggingface/hub");
    setenv("HF_HOME", "/hf", 1);
    check_cache("/hf/hub");
    setenv("HUGGINGFACE_HUB_CACHE", "/older", 1);
    check_cache("/older");
    setenv("HF_HUB_CACHE", "~/mine", 1);
    snprintf(expected, sizeof expected, "%s/mine", root);
    check_cache(expected);
}

static void the_endpoint_loses_its_last_slash(void **state)
{
    (void)state;
    assert_string_equal(read_site().endpoint, "https://huggingface.co");
    setenv("HF_ENDPOINT", "https://mirror.example/", 1);
    assert_string_equal(read_site().endpoint, "https://mirror.example");
    ls_hub_site site;
    setenv("HF_ENDPOINT", "mirror.example", 1);
    assert_int_equal(ls_hub_site_read(&site), LEASH_USAGE);
}

static void a_token_is_of_the_environment_or_of_the_file(void **state)
{
    (void)state;
    char path[256];
    assert_string_equal(read_site().token, "");
    snprintf(path, sizeof path, "%s/token", root);
    setenv("HF_HOME", root, 1);
    assert_int_equal(ls_file_write_synced(path, "hf_file\n", 8), LEASH_OK);
    assert_string_equal(read_site().token, "hf_file");
    setenv("HF_TOKEN", " hf_env ", 1);
    assert_string_equal(read_site().token, "hf_env");
}

static void a_token_that_is_no_word_is_refused_and_not_shown(void **state)
{
    (void)state;
    ls_hub_site site;
    setenv("HF_TOKEN", "hf_secret\r\nX-Other: 1", 1);
    assert_int_equal(ls_hub_site_read(&site), LEASH_USAGE);
    assert_null(strstr(leash_error(), "secret"));
}

static void offline_is_one_of_the_words_for_yes(void **state)
{
    (void)state;
    assert_false(read_site().is_offline);
    setenv("TRANSFORMERS_OFFLINE", "yes", 1);
    assert_true(read_site().is_offline);
    setenv("HF_HUB_OFFLINE", "0", 1);
    assert_false(read_site().is_offline);
    setenv("HF_HUB_OFFLINE", "1", 1);
    assert_true(read_site().is_offline);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(the_cache_is_found_as_python_finds_it, clear),
        cmocka_unit_test_setup(the_endpoint_loses_its_last_slash, clear),
        cmocka_unit_test_setup(a_token_is_of_the_environment_or_of_the_file, clear),
        cmocka_unit_test_setup(a_token_that_is_no_word_is_refused_and_not_shown, clear),
        cmocka_unit_test_setup(offline_is_one_of_the_words_for_yes, clear),
    };
    if (mkdtemp(root) == NULL)
        return 1;
    int n_failed = cmocka_run_group_tests(tests, NULL, NULL);
    return ls_dir_remove(root) == LEASH_OK ? n_failed : 1;
}
