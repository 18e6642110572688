/* safetensors: the published example byte for byte, what must be refused, conversions, and damaged
 * files. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/mem.h"
#include "formats/safetensors.h"

enum { MOST_BYTES = 4096 };

/* Length, header and `n_data` zero bytes behind it. */
static size_t build(unsigned char *out, const char *json, size_t n_data)
{
    uint64_t n = strlen(json);
    assert_true(8 + n + n_data <= MOST_BYTES);
    memcpy(out, &n, 8);
    memcpy(out + 8, json, n);
    memset(out + 8 + n, 0, n_data);
    return 8 + n + n_data;
}

/* A copy of exactly `n` bytes, so that the sanitizer sees any read past the end. */
static leash_status parse_copy(const unsigned char *bytes, size_t n)
{
    unsigned char *copy = ls_malloc(n);
    memcpy(copy, bytes, n);
    ls_st_file file;
    leash_status status = ls_st_parse(&file, copy, n, "file");
    if (status == LEASH_OK)
        ls_st_close(&file);
    ls_free(copy);
    return status;
}

static void assert_json(const char *json, size_t n_data, leash_status expected)
{
    unsigned char bytes[MOST_BYTES];
    leash_status status = parse_copy(bytes, build(bytes, json, n_data));
    if (status != expected)
        fail_msg("%s: status %d (%s)", json, status, status == LEASH_OK ? "" : leash_error());
}

static void valid_headers_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        size_t n_data;
    } good[] = {
        {"{}", 0},
        {" {\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}\n ", 8},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[0,4]}}", 4},
        {"{\"a\":{\"dtype\":\"I64\",\"shape\":[0,3],\"data_offsets\":[0,0]}}", 0},
        {"{\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]},"
         "\"a\":{\"dtype\":\"BF16\",\"shape\":[1,2],\"data_offsets\":[3,7]}}",
         7},
        {"{\"a\":{\"dtype\":\"F4\",\"shape\":[4],\"data_offsets\":[0,2],\"extra\":[1,{}]}}", 2},
        {"{\"__metadata__\":{\"format\":\"pt\",\"x\":\"-1\"}}", 0},
    };
    for (size_t i = 0; i < LS_COUNT(good); i++)
        assert_json(good[i].json, good[i].n_data, LEASH_OK);
}

/* The headers of attacks: each is refused with a message, and nothing large is allocated. */
static void malformed_headers_are_refused(void **state)
{
    (void)state;
#define ENTRY(dtype, shape, begin_end) \
    "{\"dtype\":\"" dtype "\",\"shape\":" shape ",\"data_offsets\":" begin_end "}"
    static const struct {
        const char *json;
        size_t n_data;
    } bad[] = {
        {"", 0},
        {"[]", 0},
        {"3", 0},
        {"{\"a\":3}", 0},
        {"{} x", 0},
        {"{\"a\":" ENTRY("F32", "[2]", "[0,8]"), 8},       /* not closed */
        {"{\"a\":" ENTRY("F32", "[2]", "[0,8]") "}", 7},   /* past the end */
        {"{\"a\":" ENTRY("F32", "[2]", "[0,8]") "}", 9},   /* trailing bytes */
        {"{\"a\":" ENTRY("F32", "[2]", "[8,0]") "}", 8},   /* backwards */
        {"{\"a\":" ENTRY("F32", "[2]", "[4,12]") "}", 12}, /* begins with a hole */
        {"{\"a\":" ENTRY("F32", "[1]", "[0,4]") ",\"b\":" ENTRY("F32", "[1]", "[8,12]") "}", 12},
        {"{\"a\":" ENTRY("F32", "[2]", "[0,8]") ",\"b\":" ENTRY("F32", "[2]", "[0,8]") "}", 8},
        {"{\"a\":" ENTRY("F32", "[2]", "[0,8]") ",\"b\":" ENTRY("F32", "[2]", "[4,12]") "}", 12},
        {"{\"a\":" ENTRY("F32", "[2]", "[0,8]") ",\"a\":" ENTRY("F32", "[2]", "[8,16]") "}", 16},
        {"{\"__metadata__\":{},\"__metadata__\":{}}", 0},
        {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}", 0},
        {"{\"__metadata__\":{\"a\":1}}", 0},
        {"{\"__metadata__\":{\"a\":[]}}", 0},
        {"{\"__metadata__\":{\"a\":{}}}", 0},
        {"{\"__metadata__\":{\"a\":null}}", 0},
        {"{\"__metadata__\":[]}", 0},
        {"{\"a\":" ENTRY("F16", "[2]", "[0,8]") "}", 8}, /* another type than the bytes */
        {"{\"a\":" ENTRY("F32", "[3]", "[0,8]") "}", 8},
        {"{\"a\":" ENTRY("F33", "[2]", "[0,8]") "}", 8},
        {"{\"a\":" ENTRY("F4", "[3]", "[0,1]") "}", 1}, /* half a byte */
        {"{\"a\":" ENTRY("F32", "[4294967296,4294967296]", "[0,0]") "}", 0},
        {"{\"a\":" ENTRY("F32", "[4611686018427387904,4]", "[0,0]") "}", 0},
        {"{\"a\":" ENTRY("F32", "[4611686018427387904]", "[0,0]") "}", 0},
        {"{\"a\":" ENTRY("F32", "[18446744073709551616]", "[0,0]") "}", 0},
        {"{\"a\":" ENTRY("F32", "[-2]", "[0,8]") "}", 8},
        {"{\"a\":" ENTRY("F32", "[-0]", "[0,0]") "}", 0},
        {"{\"a\":" ENTRY("F32", "[2.0]", "[0,8]") "}", 8},
        {"{\"a\":" ENTRY("F32", "[2e0]", "[0,8]") "}", 8},
        {"{\"a\":" ENTRY("F32", "[\"2\"]", "[0,8]") "}", 8},
        {"{\"a\":" ENTRY("F32", "[02]", "[0,8]") "}", 8},
        {"{\"a\":" ENTRY("F32", "2", "[0,8]") "}", 8},
        {"{\"a\":" ENTRY("F32", "[1,1,1,1,1,1,1,1,2]", "[0,8]") "}", 8}, /* nine dimensions */
        {"{\"a\":" ENTRY("F32", "[2]", "[0,8.0]") "}", 8},
        {"{\"a\":" ENTRY("F32", "[2]", "[0]") "}", 8},
        {"{\"a\":" ENTRY("F32", "[2]", "[0,8,8]") "}", 8},
        {"{\"a\":" ENTRY("F32", "[2]", "8") "}", 8},
        {"{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8},
        {"{\"a\":{\"dtype\":\"F32\",\"data_offsets\":[0,8]}}", 8},
        {"{\"a\":{\"shape\":[2],\"data_offsets\":[0,8]}}", 8},
        {"{\"a\":{\"dtype\":32,\"shape\":[2],\"data_offsets\":[0,8]}}", 8},
        {"{\"\xff\":" ENTRY("F32", "[2]", "[0,8]") "}", 8}, /* not UTF-8 */
        {"{\"\\ud800\":" ENTRY("F32", "[2]", "[0,8]") "}", 8},
        {"{\"a\\u0000b\":" ENTRY("F32", "[2]", "[0,8]") "}", 8},
        {"{\"a\":[[[[[[[[[[]]]]]]]]]]}", 0},
    };
#undef ENTRY
    for (size_t i = 0; i < LS_COUNT(bad); i++)
        assert_json(bad[i].json, bad[i].n_data, LEASH_FORMAT);
}

static void header_lengths_that_lie_are_refused(void **state)
{
    (void)state;
    static const uint64_t lengths[] = {(uint64_t)1 << 63, UINT64_MAX,     UINT64_MAX - 8, 100000001,
                                       100000000,         MOST_BYTES - 7, MOST_BYTES};
    unsigned char bytes[MOST_BYTES] = {0};
    for (size_t i = 0; i < LS_COUNT(lengths); i++) {
        memcpy(bytes, &lengths[i], 8);
        bytes[8] = '{', bytes[9] = '}';
        assert_int_equal(parse_copy(bytes, sizeof bytes), LEASH_FORMAT);
    }
    for (size_t n = 0; n < 8; n++)
        assert_int_equal(parse_copy(bytes, n), LEASH_FORMAT);
}

static void long_names_and_deep_nesting_are_refused(void **state)
{
    (void)state;
    size_t n = 200000;
    unsigned char *bytes = ls_malloc(8 + n);
    uint64_t length = n;
    memcpy(bytes, &length, 8);
    memset(bytes + 8, '[', n);
    assert_int_equal(parse_copy(bytes, 8 + n), LEASH_FORMAT);
    ls_str json = LS_STR_INIT;
    ls_str_append(&json, "{\"");
    for (int i = 0; i < 4097; i++)
        ls_str_append_char(&json, 'x');
    ls_str_append(&json, "\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}}");
    length = json.len;
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, json.data, json.len);
    assert_int_equal(parse_copy(bytes, 8 + json.len), LEASH_FORMAT);
    assert_non_null(strstr(leash_error(), "4096"));
    ls_str_release(&json);
    ls_free(bytes);
}

static void write_file(char path[64], const ls_st_source *sources, int64_t n)
{
    snprintf(path, 64, "/tmp/leash_st_%ld.safetensors", (long)getpid());
    assert_int_equal(ls_st_write(path, sources, n), LEASH_OK);
}

/* The example of the format's description: 8 + 85 + 3 + 8 bytes. */
static void writer_makes_the_bytes_of_the_reference(void **state)
{
    (void)state;
    static const char header[] =
        "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[2],"
        "\"data_offsets\":[0,8]}}   ";
    const float values[2] = {1.0f, 2.0f};
    ls_st_source source = {"a", values, {2}, 1};
    char path[64];
    write_file(path, &source, 1);
    ls_str text = LS_STR_INIT;
    assert_int_equal(ls_file_read(&text, path), LEASH_OK);
    assert_int_equal(text.len, 104);
    assert_memory_equal(text.data, "\x58\0\0\0\0\0\0\0", 8);
    assert_memory_equal(text.data + 8, header, 88);
    assert_memory_equal(text.data + 96, "\0\0\x80\x3f\0\0\0\x40", 8);
    ls_str_release(&text);
    unlink(path);
}

static void written_values_come_back_exactly(void **state)
{
    (void)state;
    float big[35], small[1] = {-0.0f};
    for (int i = 0; i < 35; i++)
        big[i] = i == 3 ? INFINITY : (float)(i - 17) / 7.0f;
    ls_st_source sources[] = {{"z.weight", big, {5, 7}, 2},
                              {"quote\" and \xc3\xa9", small, {1}, 1},
                              {"empty", big, {0, 4}, 2}};
    char path[64];
    write_file(path, sources, 3);
    ls_st_file file;
    assert_int_equal(ls_st_open(&file, path), LEASH_OK);
    assert_int_equal(file.n_tensors, 3);
    float read[35];
    for (int i = 0; i < 3; i++) {
        const ls_st_tensor *t = ls_st_find(&file, sources[i].name);
        assert_non_null(t);
        assert_int_equal(t->rank, sources[i].rank);
        assert_memory_equal(t->shape, sources[i].shape, (size_t)t->rank * sizeof t->shape[0]);
        assert_int_equal(ls_st_to_float(read, t, path), LEASH_OK);
        assert_memory_equal(read, sources[i].data, (size_t)t->n * sizeof *read);
    }
    assert_null(ls_st_find(&file, "nothing"));
    ls_st_close(&file);
    unlink(path);
}

static void other_types_convert_to_float(void **state)
{
    (void)state;
    static const uint16_t halves[] = {0x0000, 0x8000, 0x3c00, 0xc000, 0x7bff, 0x0001,
                                      0x83ff, 0x0400, 0x7c00, 0xfc00, 0x3555};
    static const float of_halves[] = {0.0f,     -0.0f,     1.0f,          -2.0f,
                                      65504.0f, 0x1p-24f,  -0x1.ff8p-15f, 0x1p-14f,
                                      INFINITY, -INFINITY, 0x1.554p-2f};
    static const uint16_t bfloats[] = {0x3f80, 0xc000, 0x7f80, 0x0001, 0x8000};
    static const float of_bfloats[] = {1.0f, -2.0f, INFINITY, 0x1p-133f, -0.0f};
    static const double doubles[] = {0.1, -1e300, 1e-60};
    static const float of_doubles[] = {0.1f, -INFINITY, 0.0f};
    float out[16];
    ls_st_tensor half = {
        .name = "h", .dtype = "F16", .n = LS_COUNT(halves), .data = (const unsigned char *)halves};
    assert_int_equal(ls_st_to_float(out, &half, "file"), LEASH_OK);
    assert_memory_equal(out, of_halves, sizeof of_halves);
    ls_st_tensor bfloat = {.name = "b",
                           .dtype = "BF16",
                           .n = LS_COUNT(bfloats),
                           .data = (const unsigned char *)bfloats};
    assert_int_equal(ls_st_to_float(out, &bfloat, "file"), LEASH_OK);
    assert_memory_equal(out, of_bfloats, sizeof of_bfloats);
    ls_st_tensor wide = {.name = "d",
                         .dtype = "F64",
                         .n = LS_COUNT(doubles),
                         .data = (const unsigned char *)doubles};
    assert_int_equal(ls_st_to_float(out, &wide, "file"), LEASH_OK);
    assert_memory_equal(out, of_doubles, sizeof of_doubles);
    ls_st_tensor other = {.name = "i", .dtype = "I64", .n = 1};
    assert_int_equal(ls_st_to_float(out, &other, "file"), LEASH_FORMAT);
    assert_non_null(strstr(leash_error(), "'i' is stored as I64"));
}

/* Every truncation is refused; every flip of one bit is refused or read, never followed out of the
 * file. */
static void damaged_files_never_crash(void **state)
{
    (void)state;
    const float values[6] = {1, 2, 3, 4, 5, 6};
    ls_st_source sources[] = {{"a", values, {2, 3}, 2}, {"b", values, {2}, 1}};
    char path[64];
    write_file(path, sources, 2);
    ls_str file = LS_STR_INIT;
    assert_int_equal(ls_file_read(&file, path), LEASH_OK);
    unlink(path);
    unsigned char *bytes = (unsigned char *)file.data;
    for (size_t n = 0; n < file.len; n++)
        assert_int_equal(parse_copy(bytes, n), LEASH_FORMAT);
    int64_t n_read = 0;
    for (size_t i = 0; i < 8 * file.len; i++) {
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        n_read += parse_copy(bytes, file.len) == LEASH_OK;
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    print_message("%zu truncations refused; %zu flips, %lld of them still a valid file\n", file.len,
                  8 * file.len, (long long)n_read);
    ls_str_release(&file);
}

static void missing_and_empty_files_are_named(void **state)
{
    (void)state;
    ls_st_file file;
    assert_int_equal(ls_st_open(&file, "/nonexistent/model.safetensors"), LEASH_IO);
    assert_non_null(strstr(leash_error(), "/nonexistent/model.safetensors"));
    char path[64];
    snprintf(path, sizeof path, "/tmp/leash_st_%ld.safetensors", (long)getpid());
    assert_int_equal(ls_file_write_synced(path, "", 0), LEASH_OK);
    assert_int_equal(ls_st_open(&file, path), LEASH_FORMAT);
    assert_non_null(strstr(leash_error(), path));
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_headers_are_read),
        cmocka_unit_test(malformed_headers_are_refused),
        cmocka_unit_test(header_lengths_that_lie_are_refused),
        cmocka_unit_test(long_names_and_deep_nesting_are_refused),
        cmocka_unit_test(writer_makes_the_bytes_of_the_reference),
        cmocka_unit_test(written_values_come_back_exactly),
        cmocka_unit_test(other_types_convert_to_float),
        cmocka_unit_test(damaged_files_never_crash),
        cmocka_unit_test(missing_and_empty_files_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
