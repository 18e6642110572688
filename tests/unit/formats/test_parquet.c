/* Files written by pyarrow against the rows it was given, over encodings, codecs and nesting; and
 * damaged files: every truncation, every flipped bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/file.h"
#include "base/mem.h"
#include "base/rng.h"
#include "base/str.h"
#include "formats/codec.h"
#include "formats/parquet/decode.h"
#include "formats/parquet/parquet.h"

#define GOLDEN LEASH_TEST_DATA "/parquet/"

static ls_str read_golden(const char *name)
{
    char path[LS_PATH_MAX];
    ls_str text = LS_STR_INIT;
    assert_int_equal(ls_file_read(&text, ls_path_join(path, GOLDEN, name)), LEASH_OK);
    return text;
}

/* 0.5 and 1 compare by value: JSON Lines writes 1.0 and the file holds a double. */
static void assert_same_rows(const char *parquet, const char *rows)
{
    char path[LS_PATH_MAX];
    ls_parquet *file = NULL;
    ls_str text = read_golden(rows);
    if (ls_parquet_open(&file, ls_path_join(path, GOLDEN, parquet)) != LEASH_OK)
        fail_msg("%s", leash_error());
    json_t *row;
    int64_t n = 0;
    for (char *line = text.data; *line; n++) {
        char *end = strchr(line, '\n');
        *end = 0;
        if (ls_parquet_next(file, &row) != LEASH_OK)
            fail_msg("%s", leash_error());
        assert_non_null(row);
        json_t *expected = json_loads(line, JSON_ALLOW_NUL, NULL);
        assert_non_null(expected);
        if (!json_equal(row, expected))
            fail_msg("%s: row %lld is %s, expected %s", parquet, (long long)n, json_dumps(row, 0),
                     line);
        json_decref(row);
        json_decref(expected);
        line = end + 1;
    }
    assert_int_equal(ls_parquet_next(file, &row), LEASH_OK);
    assert_null(row);
    assert_int_equal(ls_parquet_n_rows(file), n);
    ls_parquet_free(file);
    ls_str_release(&text);
}

static void rows_are_those_that_were_written(void **state)
{
    (void)state;
    static const char *const codecs[] = {"none", "snappy", "gzip", "zstd"};
    static const char *const encodings[] = {"dictionary", "plain"};
    for (int c = 0; c < 4; c++)
        for (int version = 1; version <= 2; version++)
            for (int e = 0; e < 2; e++) {
                ls_str name = LS_STR_INIT;
                ls_str_appendf(&name, "nested_%s_v%d_%s.parquet", codecs[c], version, encodings[e]);
                assert_same_rows(name.data, "nested.jsonl");
                ls_str_release(&name);
            }
}

static void small_pages_and_groups_make_the_same_rows(void **state)
{
    (void)state;
    assert_same_rows("groups.parquet", "nested.jsonl");
}

static void a_file_without_rows_has_none(void **state)
{
    (void)state;
    assert_same_rows("empty.parquet", "empty.jsonl");
}

static void delta_and_split_encodings_are_read(void **state)
{
    (void)state;
    assert_same_rows("delta.parquet", "delta.jsonl");
    assert_same_rows("delta_length.parquet", "delta_length.jsonl");
}

static void decimals_dates_maps_and_bytes_become_json(void **state)
{
    (void)state;
    assert_same_rows("odd.parquet", "odd.jsonl");
}

static leash_status read_all(const unsigned char *bytes, size_t n)
{
    ls_parquet *file = NULL;
    json_t *row = NULL;
    LS_TRY(ls_parquet_open_memory(&file, bytes, n, "x.parquet"));
    leash_status status = LEASH_OK;
    int64_t n_rows = 0;
    do {
        status = ls_parquet_next(file, &row);
        json_decref(row);
    } while (status == LEASH_OK && row && ++n_rows < 1000);
    ls_parquet_free(file);
    return status;
}

static void what_is_not_read_is_named(void **state)
{
    (void)state;
    ls_str bytes = read_golden("brotli.parquet");
    assert_int_equal(read_all((unsigned char *)bytes.data, bytes.len), LEASH_UNSUPPORTED);
    assert_string_equal(leash_error(),
                        "x.parquet: row group 1, column i32: compressed with brotli (codec 4); "
                        "none, snappy, gzip and zstd are read: write the file with one of them");
    memcpy(bytes.data + bytes.len - 4, "PARE", 4);
    assert_int_equal(read_all((unsigned char *)bytes.data, bytes.len), LEASH_UNSUPPORTED);
    ls_str_release(&bytes);
    assert_int_equal(read_all((const unsigned char *)"{}", 2), LEASH_FORMAT);
    assert_string_equal(leash_error(), "x.parquet: no Parquet file: it does not begin with PAR1");
}

static void damage_is_placed(void **state)
{
    (void)state;
    ls_str bytes = read_golden("nested_zstd_v1_plain.parquet");
    memset(bytes.data + 30, 0xff, 40); /* in the pages of the first columns */
    assert_int_not_equal(read_all((unsigned char *)bytes.data, bytes.len), LEASH_OK);
    assert_non_null(strstr(leash_error(), "x.parquet: row group 1, column "));
    ls_str_release(&bytes);
}

static const char *const damaged[] = {"nested_snappy_v1_dictionary.parquet",
                                      "nested_gzip_v2_plain.parquet",
                                      "nested_zstd_v1_plain.parquet",
                                      "delta.parquet",
                                      "delta_length.parquet",
                                      "odd.parquet",
                                      "empty.parquet"};

static void every_truncation_is_refused(void **state)
{
    (void)state;
    for (size_t f = 0; f < LS_COUNT(damaged); f++) {
        ls_str bytes = read_golden(damaged[f]);
        for (size_t n = 0; n < bytes.len; n++) {
            unsigned char *copy = ls_malloc(n + 1); /* its own block: a read past it is seen */
            memcpy(copy, bytes.data, n);
            assert_int_not_equal(read_all(copy, n), LEASH_OK);
            ls_free(copy);
        }
        ls_str_release(&bytes);
    }
}

static void flipped_bits_never_crash(void **state)
{
    (void)state;
    for (size_t f = 0; f < LS_COUNT(damaged); f++) {
        ls_str bytes = read_golden(damaged[f]);
        unsigned char *copy = ls_malloc(bytes.len);
        for (size_t i = 0; i < bytes.len; i++) {
            memcpy(copy, bytes.data, bytes.len);
            copy[i] ^= (unsigned char)(1 << i % 8);
            (void)read_all(copy, bytes.len);
        }
        for (uint32_t i = 0; i < 2000; i++) { /* several at once */
            memcpy(copy, bytes.data, bytes.len);
            for (uint32_t k = 0; k < 3; k++) {
                ls_rng_name name = {1, LS_RNG_TEST, i, (uint32_t)f, 0, k};
                uint64_t place = ls_rng_below(&name, bytes.len * 256);
                copy[place / 256] = (unsigned char)place;
            }
            (void)read_all(copy, bytes.len);
        }
        ls_free(copy);
        ls_str_release(&bytes);
    }
}

static void runs_and_packed_groups_decode_as_in_the_specification(void **state)
{
    (void)state;
    /* 0..7 in three bits, the example of Encodings.md, then five times 4 */
    static const unsigned char bytes[] = {0x03, 0x88, 0xc6, 0xfa, 0x0a, 0x04};
    ls_hybrid h = ls_hybrid_open(bytes, sizeof bytes, 3);
    uint32_t value;
    for (uint32_t i = 0; i < 13; i++) {
        assert_true(ls_hybrid_next(&h, &value));
        assert_int_equal(value, i < 8 ? i : 4);
    }
    assert_false(ls_hybrid_next(&h, &value));
    assert_int_equal(ls_bit_width(0), 0);
    assert_int_equal(ls_bit_width(1), 1);
    assert_int_equal(ls_bit_width(4), 3);
}

static void deltas_decode_as_in_the_specification(void **state)
{
    (void)state;
    /* 7, 5, 3, 1, 2, 3, 4, 5: least delta -2, packed 0 0 0 3 3 3 3 in two bits */
    static const unsigned char bytes[] = {0x08, 0x01, 0x08, 0x0e, 0x03, 0x02, 0xc0, 0x3f};
    static const int64_t expected[] = {7, 5, 3, 1, 2, 3, 4, 5};
    ls_delta d;
    int64_t value;
    assert_true(ls_delta_open(&d, bytes, bytes + sizeof bytes));
    assert_ptr_equal(ls_delta_end(d), bytes + sizeof bytes);
    for (size_t i = 0; i < LS_COUNT(expected); i++) {
        assert_true(ls_delta_next(&d, &value));
        assert_int_equal(value, expected[i]);
    }
    assert_false(ls_delta_next(&d, &value));
}

static void a_claimed_size_allocates_nothing(void **state)
{
    (void)state;
    static const struct {
        int codec;
        const char *bytes;
        size_t n;
    } blocks[] = {
        {LS_CODEC_SNAPPY, "\xff\xff\xff\x7f\x00x", 6}, /* 256 MiB from one byte */
        {LS_CODEC_GZIP, "\x1f\x8b\x08\0\0\0\0\0\0\x03\x03\0\0\0\0\0\0\0\0\0", 20},
        {LS_CODEC_ZSTD, "\x28\xb5\x2f\xfd\x20\x01\x09\0\0x", 10},
        {LS_CODEC_NONE, "x", 1},
    };
    for (size_t i = 0; i < LS_COUNT(blocks); i++) {
        ls_str out = LS_STR_INIT;
        assert_int_equal(ls_decompress(&out, blocks[i].codec,
                                       (const unsigned char *)blocks[i].bytes, blocks[i].n,
                                       (size_t)268435455),
                         LEASH_FORMAT);
        assert_true(out.cap < 1 << 20);
        ls_str_release(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_and_packed_groups_decode_as_in_the_specification),
        cmocka_unit_test(deltas_decode_as_in_the_specification),
        cmocka_unit_test(rows_are_those_that_were_written),
        cmocka_unit_test(small_pages_and_groups_make_the_same_rows),
        cmocka_unit_test(a_file_without_rows_has_none),
        cmocka_unit_test(delta_and_split_encodings_are_read),
        cmocka_unit_test(decimals_dates_maps_and_bytes_become_json),
        cmocka_unit_test(what_is_not_read_is_named),
        cmocka_unit_test(damage_is_placed),
        cmocka_unit_test(a_claimed_size_allocates_nothing),
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(flipped_bits_never_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
