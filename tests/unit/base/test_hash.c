/* Claims about base/hash.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "base/file.h"
#include "base/hash.h"
#include "base/mem.h"

/* The hashes of the empty input, as xxhsum -H3 and -H2 of xxHash 0.8 print them. */
static void the_empty_input_has_the_published_hashes(void **state)
{
    (void)state;
    char hex[33];
    assert_true(ls_hash64("", 0) == 0x2d06800538d394c2);
    ls_hash128_hex(hex, "", 0);
    assert_string_equal(hex, "99aa06d3014798d86001c324468d497f");
}

static void chained_pieces_depend_on_each_piece_and_the_order(void **state)
{
    (void)state;
    uint64_t ab = ls_hash64_more(ls_hash64_more(0, "a", 1), "b", 1);
    uint64_t ba = ls_hash64_more(ls_hash64_more(0, "b", 1), "a", 1);
    assert_true(ls_hash64_more(0, "a", 1) == ls_hash64("a", 1));
    assert_true(ab != ba && ab != ls_hash64_more(0, "a", 1));
}

static void a_file_has_the_hash_of_its_bytes(void **state)
{
    (void)state;
    char path[] = "/tmp/leash_test_hash.XXXXXX", of_file[33], of_bytes[33];
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    size_t n = 700001; /* several reads and a rest */
    unsigned char *bytes = ls_malloc(n);
    for (size_t i = 0; i < n; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 251);
    assert_int_equal(ls_file_write_synced(path, bytes, n), LEASH_OK);
    assert_int_equal(ls_hash128_file(of_file, path), LEASH_OK);
    ls_hash128_hex(of_bytes, bytes, n);
    assert_string_equal(of_file, of_bytes);
    assert_int_equal(ls_file_write_synced(path, bytes, 0), LEASH_OK);
    assert_int_equal(ls_hash128_file(of_file, path), LEASH_OK);
    assert_string_equal(of_file, "99aa06d3014798d86001c324468d497f");
    ls_free(bytes);
    unlink(path);
    assert_int_equal(ls_hash128_file(of_file, path), LEASH_IO);
    assert_non_null(strstr(leash_error(), path));
    assert_int_equal(ls_hash128_file(of_file, "/tmp"), LEASH_IO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_empty_input_has_the_published_hashes),
        cmocka_unit_test(chained_pieces_depend_on_each_piece_and_the_order),
        cmocka_unit_test(a_file_has_the_hash_of_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
