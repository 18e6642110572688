/* Hashes of files: the vectors of FIPS 180-4, and names that git gives. */
#include "hub/digest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "base/str.h"

static void check(const char *bytes, size_t n, ls_digest_kind kind, const char *expected)
{
    char path[] = "/tmp/leash_test_digest.XXXXXX", found[65];
    close(mkstemp(path));
    assert_int_equal(ls_file_write_synced(path, bytes, n), LEASH_OK);
    assert_int_equal(ls_digest_file(found, path, kind), LEASH_OK);
    assert_string_equal(found, expected);
    unlink(path);
}

static void sha256_gives_the_vectors_of_the_standard(void **state)
{
    (void)state;
    check("", 0, LS_DIGEST_SHA256,
          "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    check("abc", 3, LS_DIGEST_SHA256,
          "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    check("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56, LS_DIGEST_SHA256,
          "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void a_million_bytes_in_steps_give_the_vector(void **state)
{
    (void)state;
    ls_str text = LS_STR_INIT;
    for (int i = 0; i < 1000000; i++)
        ls_str_append_char(&text, 'a');
    check(text.data, text.len, LS_DIGEST_SHA256,
          "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
    ls_str_release(&text);
}

/* git hash-object of an empty file and of "hello\n". */
static void small_files_have_the_names_that_git_gives(void **state)
{
    (void)state;
    check("", 0, LS_DIGEST_GIT_BLOB, "e69de29bb2d1d6434b8b29ae775ad8c2e48c5391");
    check("hello\n", 6, LS_DIGEST_GIT_BLOB, "ce013625030ba8dba906f756967f9e9ca394464a");
}

static void the_kind_follows_from_the_digits(void **state)
{
    (void)state;
    assert_int_equal(ls_digest_kind_of("e69de29bb2d1d6434b8b29ae775ad8c2e48c5391"),
                     LS_DIGEST_GIT_BLOB);
    assert_int_equal(
        ls_digest_kind_of("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        LS_DIGEST_SHA256);
    assert_int_equal(ls_digest_kind_of("E69DE29BB2D1D6434B8B29AE775AD8C2E48C5391"), LS_DIGEST_NONE);
    assert_int_equal(ls_digest_kind_of("5d41402abc4b2a76b9719d911017c592"), LS_DIGEST_NONE);
    assert_int_equal(ls_digest_kind_of(""), LS_DIGEST_NONE);
}

static void a_missing_file_is_named(void **state)
{
    (void)state;
    char found[65];
    assert_int_equal(ls_digest_file(found, "/nowhere/x", LS_DIGEST_SHA256), LEASH_IO);
    assert_non_null(strstr(leash_error(), "/nowhere/x"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sha256_gives_the_vectors_of_the_standard),
        cmocka_unit_test(a_million_bytes_in_steps_give_the_vector),
        cmocka_unit_test(small_files_have_the_names_that_git_gives),
        cmocka_unit_test(the_kind_follows_from_the_digits),
        cmocka_unit_test(a_missing_file_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
