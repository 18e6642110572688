/* The GGUF reader: what a file holds is found, and what it may not hold is refused by name.  Broken
 * files are parsed from memory of exactly their size, so that a sanitizer sees any byte too far. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "close.h"
#include "gguf_bytes.h"
#include "base/mem.h"
#include "base/rng.h"

#define assert_ok(call)                               \
    do {                                              \
        if ((call) != LEASH_OK)                       \
            fail_msg("%s: %s", #call, leash_error()); \
    } while (0)

/* Parses a copy that has not a byte more. */
static leash_status parse_exactly(ls_gguf *file, unsigned char **copy, const ls_str *bytes)
{
    *copy = malloc(bytes->len + 1); /* malloc(0) may be NULL; the byte too many is in front */
    assert_non_null(*copy);
    memcpy(*copy + 1, bytes->data, bytes->len);
    return ls_gguf_parse(file, *copy + 1, bytes->len, "file.gguf");
}

static void assert_refused(ls_str *bytes, const char *expected)
{
    ls_gguf file;
    unsigned char *copy;
    leash_status status = parse_exactly(&file, &copy, bytes);
    if (status == LEASH_OK)
        fail_msg("accepted, expected an error with '%s'", expected);
    if (!strstr(leash_error(), expected) || !strstr(leash_error(), "file.gguf"))
        fail_msg("'%s' is not in: %s", expected, leash_error());
    free(copy);
    ls_str_clear(bytes);
}

/* Every kind of value and three tensors. */
static void build_whole(ls_str *s, uint32_t version)
{
    put_head(s, version, 3, 11);
    put_key_text(s, "general.architecture", "llama");
    put_key(s, "a.u8", LS_GGUF_U8);
    put_u8(s, 200);
    put_key(s, "a.i8", LS_GGUF_I8);
    put_u8(s, 0xfe);
    put_key(s, "a.i64", LS_GGUF_I64);
    put_u64(s, (uint64_t)-5);
    put_key(s, "a.u64", LS_GGUF_U64);
    put_u64(s, UINT64_MAX);
    put_key(s, "a.f32", LS_GGUF_F32);
    put_f32(s, 0.5f);
    put_key(s, "a.yes", LS_GGUF_BOOL);
    put_u8(s, 1);
    put_list(s, "a.texts", LS_GGUF_STRING, 3);
    put_text(s, "one");
    put_text(s, "");
    put_text(s, "three");
    put_list(s, "a.ints", LS_GGUF_I32, 2);
    put_u32(s, 7);
    put_u32(s, (uint32_t)-1);
    put_list(s, "a.floats", LS_GGUF_F32, 2);
    put_f32(s, 1.5f);
    put_f32(s, -2.0f);
    put_list(s, "a.bools", LS_GGUF_BOOL, 2);
    put_u8(s, 1);
    put_u8(s, 0);
    put_tensor(s, "z.weight", 2, (int64_t[]){3, 2}, 0, 0);
    put_tensor(s, "q.weight", 2, (int64_t[]){32, 2}, 8, 32);
    put_tensor(s, "scalar", 0, NULL, 0, 32 + 96);
    put_padding(s, 32);
    for (int i = 0; i < 6; i++)
        put_f32(s, (float)i);
    put_padding(s, 32);
    for (int i = 0; i < 68; i++)
        put_u8(s, i);
    put_padding(s, 32);
    put_f32(s, 9.0f);
}

static void every_kind_of_value_is_found_by_key(void **state)
{
    (void)state;
    for (uint32_t version = 2; version <= 3; version++) {
        ls_str s = LS_STR_INIT;
        build_whole(&s, version);
        ls_gguf file;
        unsigned char *copy;
        assert_ok(parse_exactly(&file, &copy, &s));
        assert_int_equal(file.version, version);
        int64_t i = 44, *ints, n;
        assert_ok(ls_gguf_get_int(&i, &file, "not there"));
        assert_int_equal(i, 44);
        assert_ok(ls_gguf_get_int(&i, &file, "a.u8"));
        assert_int_equal(i, 200);
        assert_ok(ls_gguf_get_int(&i, &file, "a.i8"));
        assert_int_equal(i, -2);
        assert_ok(ls_gguf_get_int(&i, &file, "a.i64"));
        assert_int_equal(i, -5);
        assert_int_equal(ls_gguf_get_int(&i, &file, "a.u64"), LEASH_FORMAT);
        double f = 0.0;
        assert_ok(ls_gguf_get_float(&f, &file, "a.f32"));
        assert_true(f == 0.5);
        bool yes = false;
        assert_ok(ls_gguf_get_bool(&yes, &file, "a.yes"));
        assert_true(yes);
        ls_gguf_text text = {0}, *texts;
        assert_ok(ls_gguf_get_text(&text, &file, "general.architecture"));
        assert_int_equal(text.n, 5);
        assert_memory_equal(text.data, "llama", 5);
        assert_ok(ls_gguf_get_texts(&texts, &n, &file, "a.texts"));
        assert_int_equal(n, 3);
        assert_int_equal(texts[1].n, 0);
        assert_memory_equal(texts[2].data, "three", 5);
        ls_free(texts);
        assert_ok(ls_gguf_get_ints(&ints, &n, &file, "a.ints"));
        assert_int_equal(n, 2);
        assert_int_equal(ints[1], -1);
        ls_free(ints);
        assert_ok(ls_gguf_get_ints(&ints, &n, &file, "a.bools"));
        assert_int_equal(ints[0], 1);
        ls_free(ints);
        float *floats;
        assert_ok(ls_gguf_get_floats(&floats, &n, &file, "a.floats"));
        assert_true(floats[1] == -2.0f);
        ls_free(floats);
        ls_gguf_close(&file);
        free(copy);
        ls_str_release(&s);
    }
}

static void values_of_another_kind_are_refused_with_their_key(void **state)
{
    (void)state;
    ls_str s = LS_STR_INIT;
    build_whole(&s, 3);
    ls_gguf file;
    assert_ok(ls_gguf_parse(&file, (const unsigned char *)s.data, s.len, "file.gguf"));
    int64_t i, n, *ints;
    double f;
    bool b;
    ls_gguf_text text, *texts;
    float *floats;
    assert_int_equal(ls_gguf_get_int(&i, &file, "a.f32"), LEASH_FORMAT);
    assert_non_null(strstr(leash_error(), "file.gguf: key 'a.f32' is f32, expected an integer"));
    assert_int_equal(ls_gguf_get_int(&i, &file, "a.yes"), LEASH_FORMAT);
    assert_int_equal(ls_gguf_get_int(&i, &file, "a.ints"), LEASH_FORMAT);
    assert_non_null(strstr(leash_error(), "key 'a.ints' is a list of i32"));
    assert_int_equal(ls_gguf_get_float(&f, &file, "a.u8"), LEASH_FORMAT);
    assert_int_equal(ls_gguf_get_bool(&b, &file, "a.u8"), LEASH_FORMAT);
    assert_int_equal(ls_gguf_get_text(&text, &file, "a.texts"), LEASH_FORMAT);
    assert_int_equal(ls_gguf_get_texts(&texts, &n, &file, "a.ints"), LEASH_FORMAT);
    assert_int_equal(ls_gguf_get_ints(&ints, &n, &file, "a.floats"), LEASH_FORMAT);
    assert_int_equal(ls_gguf_get_floats(&floats, &n, &file, "a.ints"), LEASH_FORMAT);
    ls_gguf_close(&file);
    ls_str_release(&s);
}

static void tensors_have_shape_type_and_place(void **state)
{
    (void)state;
    ls_str s = LS_STR_INIT;
    build_whole(&s, 3);
    ls_str_append(&s, "bytes behind the end");
    ls_gguf file;
    assert_ok(ls_gguf_parse(&file, (const unsigned char *)s.data, s.len, "file.gguf"));
    assert_int_equal(file.n_tensors, 3);
    const ls_gguf_tensor *t = ls_gguf_find_tensor(&file, "z.weight");
    assert_int_equal(t->rank, 2);
    assert_int_equal(t->shape[0], 2);
    assert_int_equal(t->shape[1], 3);
    float values[64];
    t->type->to_float(values, t->data, t->n);
    assert_true(values[5] == 5.0f);
    t = ls_gguf_find_tensor(&file, "q.weight");
    assert_string_equal(t->type_name, "Q8_0");
    assert_int_equal(t->n_bytes, 68);
    assert_int_equal(t->data[67], 67);
    t = ls_gguf_find_tensor(&file, "scalar");
    assert_int_equal(t->rank, 0);
    t->type->to_float(values, t->data, t->n);
    assert_true(values[0] == 9.0f);
    assert_null(ls_gguf_find_tensor(&file, "weight"));
    ls_gguf_close(&file);
    ls_str_release(&s);
}

static void heads_that_lie_are_refused(void **state)
{
    (void)state;
    ls_str s = LS_STR_INIT;
    assert_refused(&s, "ends at byte 0");
    ls_str_append(&s, "GGUG....");
    assert_refused(&s, "is no GGUF file");
    const uint32_t versions[] = {1, 4, 0x01020304};
    for (size_t i = 0; i < LS_COUNT(versions); i++) {
        put_head(&s, versions[i], 0, 0);
        assert_refused(&s, "versions 2 and 3");
    }
    put_head(&s, 0x03000000, 0, 0);
    assert_refused(&s, "big-endian");
    const uint64_t counts[] = {UINT64_MAX, INT64_MAX, 1u << 30, 65537, 1};
    for (size_t i = 0; i < LS_COUNT(counts); i++) {
        put_head(&s, 3, counts[i], 0);
        assert_refused(&s, "the number of tensors");
        put_head(&s, 3, 0, counts[i]);
        assert_refused(&s, "the number of keys");
    }
    ls_str_release(&s);
}

static void values_that_lie_are_refused(void **state)
{
    (void)state;
    ls_str s = LS_STR_INIT;
    put_head(&s, 3, 0, 1);
    put_key_u32(&s, "", 1);
    put_u64(&s, 0);
    assert_refused(&s, "a key is empty");
    put_head(&s, 3, 0, 2);
    put_key_u32(&s, "twice", 1);
    put_key_u32(&s, "twice", 2);
    assert_refused(&s, "'twice' stands there twice");
    put_head(&s, 3, 0, 1);
    put_key(&s, "odd", (ls_gguf_kind)13);
    put_u64(&s, 0);
    assert_refused(&s, "key 'odd' has the unknown type 13");
    put_head(&s, 3, 0, 1);
    put_list(&s, "nested", LS_GGUF_ARRAY, 0);
    assert_refused(&s, "'nested' is a list of lists");
    put_head(&s, 3, 0, 1);
    put_key(&s, "maybe", LS_GGUF_BOOL);
    put_u8(&s, 7);
    assert_refused(&s, "'maybe': 7 is neither");
    put_head(&s, 3, 0, 1);
    put_key(&s, "text", LS_GGUF_STRING);
    put_u64(&s, UINT64_MAX);
    assert_refused(&s, "'text'");
    put_head(&s, 3, 0, 1);
    put_u64(&s, UINT64_MAX - 1);
    put_u64(&s, 0);
    assert_refused(&s, "a key of 18446744073709551614 bytes");
    const uint64_t lengths[] = {UINT64_MAX, (uint64_t)1 << 61, (uint64_t)1 << 31, 3};
    for (size_t i = 0; i < LS_COUNT(lengths); i++) {
        put_head(&s, 3, 0, 1);
        put_list(&s, "long", LS_GGUF_U64, lengths[i]);
        put_u64(&s, 0);
        put_u64(&s, 0);
        assert_refused(&s, "'long': a list of");
        put_head(&s, 3, 0, 1);
        put_list(&s, "texts", LS_GGUF_STRING, lengths[i]);
        put_text(&s, "a");
        put_text(&s, "");
        assert_refused(&s, "'texts'");
    }
    const uint32_t alignments[] = {0, 3, 131072, 0x80000000};
    for (size_t i = 0; i < LS_COUNT(alignments); i++) {
        put_head(&s, 3, 0, 1);
        put_key_u32(&s, "general.alignment", alignments[i]);
        assert_refused(&s, "'general.alignment'");
    }
    put_head(&s, 3, 0, 1);
    put_key_text(&s, "general.alignment", "32");
    assert_refused(&s, "'general.alignment' is string");
    put_head(&s, 3, 0, 2);
    put_key_u32(&s, "split.no", 0);
    put_key_u32(&s, "split.count", 3);
    assert_refused(&s, "part 1 of 3");
    ls_str_release(&s);
}

/* One tensor of given sizes; room for data follows. */
static void build_one(ls_str *s, uint32_t n_dims, const int64_t *sizes, int32_t type)
{
    put_head(s, 3, 1, 0);
    put_tensor(s, "t", n_dims, sizes, type, 0);
    put_padding(s, 32);
    for (int i = 0; i < 64; i++)
        put_u8(s, 0);
}

static void tensors_that_lie_are_refused(void **state)
{
    (void)state;
    ls_str s = LS_STR_INIT;
    build_one(&s, 5, (int64_t[]){1, 1, 1, 1, 1}, 0);
    assert_refused(&s, "tensor 't' has 5 dimensions");
    build_one(&s, 1, (int64_t[]){-4}, 0);
    assert_refused(&s, "'t': size 0 is -4");
    const int32_t types[] = {4, 5, 31, 33, 36, 38, 43, -1, 1 << 30};
    for (size_t i = 0; i < LS_COUNT(types); i++) {
        build_one(&s, 1, (int64_t[]){4}, types[i]);
        assert_refused(&s, "'t' has the unknown type");
    }
    build_one(&s, 2, (int64_t[]){48, 2}, 8);
    assert_refused(&s, "rows of 48 are no whole blocks of Q8_0");
    build_one(&s, 2, (int64_t[]){(int64_t)1 << 32, (int64_t)1 << 32}, 0);
    assert_refused(&s, "overflows");
    build_one(&s, 4, (int64_t[]){(int64_t)1 << 62, 2, 2, 2}, 24);
    assert_refused(&s, "overflows");
    build_one(&s, 3, (int64_t[]){0, (int64_t)1 << 62, (int64_t)1 << 62}, 0);
    assert_refused(&s, "overflows");
    build_one(&s, 1, (int64_t[]){17}, 0);
    assert_refused(&s, "needs 68 bytes");
    build_one(&s, 1, (int64_t[]){(int64_t)1 << 40}, 0);
    assert_refused(&s, "cut short");
    build_one(&s, 1, (int64_t[]){(int64_t)1 << 58}, 28);
    assert_refused(&s, "cut short");

    put_head(&s, 3, 1, 0);
    put_tensor(&s, "0123456789012345678901234567890123456789012345678901234567890123", 1,
               (int64_t[]){1}, 0, 0);
    assert_refused(&s, "over 63 bytes");
    put_head(&s, 3, 1, 0);
    put_tensor(&s, "\xff\xfe", 1, (int64_t[]){1}, 0, 0);
    assert_refused(&s, "no text");
    const uint64_t offsets[] = {0, 16, 64, UINT64_MAX, UINT64_MAX - 31};
    for (size_t i = 0; i < LS_COUNT(offsets); i++) { /* overlap, in padding, hole, beyond */
        put_head(&s, 3, 2, 0);
        put_tensor(&s, "a", 1, (int64_t[]){4}, 0, 0);
        put_tensor(&s, "b", 1, (int64_t[]){4}, 0, offsets[i]);
        put_padding(&s, 32);
        for (int j = 0; j < 96; j++)
            put_u8(&s, 0);
        assert_refused(&s, "tensor 'b' has offset");
    }
    put_head(&s, 3, 2, 0);
    put_tensor(&s, "same", 1, (int64_t[]){8}, 0, 0);
    put_tensor(&s, "same", 1, (int64_t[]){8}, 0, 32);
    put_padding(&s, 32);
    for (int j = 0; j < 64; j++)
        put_u8(&s, 0);
    assert_refused(&s, "tensor 'same' stands there twice");
    ls_str_release(&s);
}

static void empty_tensors_and_empty_files_are_read(void **state)
{
    (void)state;
    ls_str s = LS_STR_INIT;
    ls_gguf file;
    unsigned char *copy;
    put_head(&s, 3, 0, 0);
    assert_ok(parse_exactly(&file, &copy, &s));
    assert_null(ls_gguf_find(&file, "general.architecture"));
    assert_null(ls_gguf_find_tensor(&file, "t"));
    ls_gguf_close(&file);
    free(copy);
    ls_str_clear(&s);
    put_head(&s, 3, 1, 0);
    put_tensor(&s, "t", 2, (int64_t[]){32, 0}, 8, 0);
    assert_ok(parse_exactly(&file, &copy, &s));
    assert_int_equal(ls_gguf_find_tensor(&file, "t")->n_bytes, 0);
    ls_gguf_close(&file);
    free(copy);
    ls_str_release(&s);
}

/* Types that cannot be computed with have their size and are passed over. */
static void codebook_types_are_known_by_size_alone(void **state)
{
    (void)state;
    ls_str s = LS_STR_INIT;
    put_head(&s, 3, 1, 0);
    put_tensor(&s, "t", 1, (int64_t[]){256}, 16, 0);
    put_padding(&s, 32);
    for (int j = 0; j < 66; j++)
        put_u8(&s, 0);
    ls_gguf file;
    unsigned char *copy;
    assert_ok(parse_exactly(&file, &copy, &s));
    assert_null(file.tensors[0].type);
    assert_string_equal(file.tensors[0].type_name, "IQ2_XXS");
    ls_gguf_close(&file);
    free(copy);
    ls_str_release(&s);
}

/* Touches everything that a reader of an accepted file touches. */
static void read_all(const ls_gguf *file)
{
    for (int64_t i = 0; i < file->n_values; i++) {
        const ls_gguf_value *v = &file->values[i];
        ls_gguf_text text, *texts;
        int64_t number, *ints, n;
        float *floats;
        if (ls_gguf_get_texts(&texts, &n, file, v->key) == LEASH_OK)
            ls_free(texts);
        if (ls_gguf_get_ints(&ints, &n, file, v->key) == LEASH_OK)
            ls_free(ints);
        if (ls_gguf_get_floats(&floats, &n, file, v->key) == LEASH_OK)
            ls_free(floats);
        leash_status status = ls_gguf_get_text(&text, file, v->key);
        if (status != LEASH_OK)
            status = ls_gguf_get_int(&number, file, v->key);
        assert_true(status == LEASH_OK || status == LEASH_FORMAT);
    }
    for (int64_t i = 0; i < file->n_tensors; i++) {
        const ls_gguf_tensor *t = &file->tensors[i];
        assert_ptr_equal(ls_gguf_find_tensor(file, t->name), t);
        if (t->type == NULL || t->n > 4096)
            continue;
        float *out = ls_malloc((size_t)t->n * sizeof *out);
        t->type->to_float(out, t->data, t->n);
        ls_free(out);
    }
}

static void a_file_cut_at_any_byte_is_refused(void **state)
{
    (void)state;
    ls_str s = LS_STR_INIT;
    build_whole(&s, 3);
    for (size_t n = 0; n < s.len; n++) {
        ls_str cut = {.data = s.data, .len = n};
        ls_gguf file;
        unsigned char *copy;
        assert_int_not_equal(parse_exactly(&file, &copy, &cut), LEASH_OK);
        assert_non_null(strstr(leash_error(), "file.gguf"));
        free(copy);
    }
    ls_str_release(&s);
}

static void flipped_bits_never_crash_the_reader(void **state)
{
    (void)state;
    ls_str s = LS_STR_INIT;
    build_whole(&s, 3);
    for (uint32_t round = 0; round < 20000; round++) {
        uint32_t random[4];
        ls_rng_name name = {.seed = 5, .purpose = LS_RNG_TEST, .prompt = round};
        ls_rng_words(random, &name);
        ls_gguf file;
        unsigned char *copy = malloc(s.len);
        assert_non_null(copy);
        memcpy(copy, s.data, s.len);
        for (uint32_t i = 0; i <= random[0] % 3; i++)
            copy[random[i + 1] % s.len] ^= (unsigned char)(1u << (random[i + 1] >> 29));
        if (ls_gguf_parse(&file, copy, s.len, "file.gguf") == LEASH_OK) {
            read_all(&file);
            ls_gguf_close(&file);
        }
        free(copy);
    }
    ls_str_release(&s);
}

static void write_part(const char *dir, const char *file, const char *tensor, uint32_t no,
                       uint32_t count, uint32_t n_tensors)
{
    char path[LS_PATH_MAX];
    ls_str s = LS_STR_INIT;
    put_head(&s, 3, 1, no == 0 ? 4 : 3);
    put_key_u32(&s, "split.no", no);
    put_key_u32(&s, "split.count", count);
    put_key_u32(&s, "split.tensors.count", n_tensors);
    if (no == 0)
        put_key_text(&s, "general.architecture", "llama");
    put_tensor(&s, tensor, 1, (int64_t[]){2}, 0, 0);
    put_padding(&s, 32);
    put_f32(&s, (float)no);
    put_f32(&s, 1.0f);
    assert_ok(ls_file_write_synced(ls_path_join(path, dir, file), s.data, s.len));
    ls_str_release(&s);
}

static void assert_open_fails(const char *path, const char *expected)
{
    ls_gguf file;
    assert_int_not_equal(ls_gguf_open(&file, path), LEASH_OK);
    if (!strstr(leash_error(), expected))
        fail_msg("'%s' is not in: %s", expected, leash_error());
}

static void parts_of_a_split_file_are_one(void **state)
{
    (void)state;
    char dir[64], path[LS_PATH_MAX];
    snprintf(dir, sizeof dir, "/tmp/leash_gguf_%ld", (long)getpid());
    assert_ok(ls_dir_remove(dir));
    assert_ok(ls_dir_make(dir));
    write_part(dir, "m-00001-of-00003.gguf", "b", 0, 3, 3);
    write_part(dir, "m-00002-of-00003.gguf", "a", 1, 3, 3);
    write_part(dir, "m-00003-of-00003.gguf", "c", 2, 3, 3);
    for (int i = 1; i <= 3; i++) {
        char name[64];
        ls_gguf file;
        snprintf(name, sizeof name, "m-0000%d-of-00003.gguf", i);
        assert_ok(ls_gguf_open(&file, ls_path_join(path, dir, name)));
        assert_int_equal(file.n_tensors, 3);
        const ls_gguf_tensor *t = ls_gguf_find_tensor(&file, "a");
        float values[2];
        t->type->to_float(values, t->data, 2);
        assert_true(values[0] == 1.0f);
        assert_non_null(ls_gguf_find(&file, "general.architecture"));
        ls_gguf_close(&file);
    }
    ls_path_join(path, dir, "m-00001-of-00003.gguf");
    write_part(dir, "m-00002-of-00003.gguf", "b", 1, 3, 3);
    assert_open_fails(path, "tensor 'b' stands there twice");
    write_part(dir, "m-00002-of-00003.gguf", "a", 2, 3, 3);
    assert_open_fails(path, "m-00002-of-00003.gguf: says that it is part 3 of 3");
    write_part(dir, "m-00002-of-00003.gguf", "a", 1, 3, 3);
    write_part(dir, "m-00001-of-00003.gguf", "b", 0, 3, 5);
    assert_open_fails(path, "'split.tensors.count' is 5");
    write_part(dir, "renamed.gguf", "b", 0, 3, 3);
    char renamed[LS_PATH_MAX];
    assert_open_fails(ls_path_join(renamed, dir, "renamed.gguf"), "-00001-of-00003.gguf");
    char third[LS_PATH_MAX];
    assert_int_equal(unlink(ls_path_join(third, dir, "m-00003-of-00003.gguf")), 0);
    assert_open_fails(path, "m-00003-of-00003.gguf");
    assert_ok(ls_dir_remove(dir));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_kind_of_value_is_found_by_key),
        cmocka_unit_test(values_of_another_kind_are_refused_with_their_key),
        cmocka_unit_test(tensors_have_shape_type_and_place),
        cmocka_unit_test(heads_that_lie_are_refused),
        cmocka_unit_test(values_that_lie_are_refused),
        cmocka_unit_test(tensors_that_lie_are_refused),
        cmocka_unit_test(empty_tensors_and_empty_files_are_read),
        cmocka_unit_test(codebook_types_are_known_by_size_alone),
        cmocka_unit_test(a_file_cut_at_any_byte_is_refused),
        cmocka_unit_test(flipped_bits_never_crash_the_reader),
        cmocka_unit_test(parts_of_a_split_file_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
