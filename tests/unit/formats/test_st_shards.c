/* Weights in several safetensors files: found through the index, refused where index and files
 * disagree. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/rng.h"
#include "formats/st_shards.h"

#define assert_ok(call)                               \
    do {                                              \
        if ((call) != LEASH_OK)                       \
            fail_msg("%s: %s", #call, leash_error()); \
    } while (0)

#define INDEX "model.safetensors.index.json"

static char dir[64];

static int make_dir(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/leash_shards_%ld", (long)getpid());
    return ls_dir_remove(dir) == LEASH_OK && ls_dir_make(dir) == LEASH_OK ? 0 : 1;
}

static int remove_dir(void **state)
{
    (void)state;
    return ls_dir_remove(dir) == LEASH_OK ? 0 : 1;
}

static void write_shard(const char *file, const char *a, const char *b)
{
    char path[LS_PATH_MAX];
    static const float values[] = {1.0f, 2.0f, 3.0f};
    ls_st_source sources[] = {{a, values, {3}, 1}, {b, values + 1, {2}, 1}};
    assert_ok(ls_st_write(ls_path_join(path, dir, file), sources, b ? 2 : 1));
}

static void write_text(const char *name, const char *text)
{
    char path[LS_PATH_MAX];
    assert_ok(ls_file_write_synced(ls_path_join(path, dir, name), text, strlen(text)));
}

static void assert_refused(const char *index, const char *expected)
{
    ls_st_shards shards;
    write_text(INDEX, index);
    assert_int_not_equal(ls_st_shards_open(&shards, dir), LEASH_OK);
    if (!strstr(leash_error(), expected))
        fail_msg("'%s' is not in: %s", expected, leash_error());
}

#define WHOLE                                                                          \
    "{\"metadata\": {\"total_size\": 1}, \"weight_map\": {\"a\": \"m-1.safetensors\"," \
    " \"b\": \"m-1.safetensors\", \"c\": \"m-2.safetensors\"}}"

static void tensors_are_found_in_their_parts(void **state)
{
    (void)state;
    ls_st_shards shards;
    write_shard("m-1.safetensors", "b", "a");
    write_shard("m-2.safetensors", "c", "unnamed");
    write_text(INDEX, WHOLE);
    assert_true(ls_st_shards_exist(dir));
    assert_ok(ls_st_shards_open(&shards, dir));
    assert_int_equal(shards.n_parts, 2);
    assert_int_equal(shards.n_entries, 3);
    const ls_st_entry *c = ls_st_shards_find(&shards, "c");
    float values[3];
    assert_ok(ls_st_to_float(values, c->tensor, c->part->path));
    assert_true(values[2] == 3.0f);
    assert_non_null(strstr(c->part->path, "m-2.safetensors"));
    assert_null(ls_st_shards_find(&shards, "unnamed"));
    ls_st_shards_close(&shards);
}

static void an_index_that_lies_is_refused(void **state)
{
    (void)state;
    write_shard("m-1.safetensors", "b", "a");
    write_shard("m-2.safetensors", "c", NULL);
    assert_refused("", "line");
    assert_refused("[]", "has no weight_map");
    assert_refused("{\"weight_map\": []}", "has no weight_map");
    assert_refused("{\"weight_map\": {}}", "has no weight_map");
    assert_refused("{\"weight_map\": {\"a\": \"x\", \"a\": \"x\"}}", "duplicate");
    const char *const tricks[] = {
        "\"../m-1.safetensors\"", "\"/etc/passwd\"", "\"a/b\"", "\"..\"", "\"\"", "7", "null",
        "[\"m-1.safetensors\"]"};
    for (size_t i = 0; i < LS_COUNT(tricks); i++) {
        char index[128];
        snprintf(index, sizeof index, "{\"weight_map\": {\"a\": %s}}", tricks[i]);
        assert_refused(index, "'a' no plain file name");
    }
    assert_refused("{\"weight_map\": {\"a\": \"m-3.safetensors\"}}", "m-3.safetensors");
    assert_refused("{\"weight_map\": {\"a\": \"m-1.safetensors\", \"b\": \"m-1.safetensors\","
                   " \"c\": \"m-2.safetensors\", \"d\": \"m-2.safetensors\"}}",
                   "tensor 'd' is not in m-2.safetensors");
    assert_refused("{\"weight_map\": {\"a\": \"m-2.safetensors\", \"b\": \"m-1.safetensors\"}}",
                   "tensor 'a' is in m-1.safetensors, but weight_map names m-2.safetensors");
    write_shard("m-2.safetensors", "c", "a");
    assert_refused(WHOLE, "tensor 'a' is in m-2.safetensors");
}

static void a_damaged_index_never_crashes_the_reader(void **state)
{
    (void)state;
    write_shard("m-1.safetensors", "b", "a");
    write_shard("m-2.safetensors", "c", NULL);
    char text[] = WHOLE;
    for (size_t n = 0; n < sizeof text - 1; n++) {
        ls_st_shards shards;
        char path[LS_PATH_MAX];
        assert_ok(
            ls_file_write_pieces_synced(ls_path_join(path, dir, INDEX), &(ls_piece){text, n}, 1));
        assert_int_not_equal(ls_st_shards_open(&shards, dir), LEASH_OK);
    }
    for (uint32_t round = 0; round < 400; round++) {
        ls_st_shards shards;
        char path[LS_PATH_MAX], copy[sizeof text];
        uint32_t random[4];
        ls_rng_name name = {.seed = 5, .purpose = LS_RNG_TEST, .prompt = round};
        ls_rng_words(random, &name);
        memcpy(copy, text, sizeof text);
        copy[random[0] % (sizeof text - 1)] ^= (char)(1u << (random[1] & 7));
        assert_ok(ls_file_write_pieces_synced(ls_path_join(path, dir, INDEX),
                                              &(ls_piece){copy, sizeof text - 1}, 1));
        if (ls_st_shards_open(&shards, dir) == LEASH_OK)
            ls_st_shards_close(&shards);
    }
}

static void a_single_file_comes_before_an_index_and_pickles_are_refused(void **state)
{
    (void)state;
    char path[LS_PATH_MAX];
    ls_st_shards shards;
    write_shard("model.safetensors", "single", NULL);
    write_text(INDEX, WHOLE);
    assert_ok(ls_st_shards_open(&shards, dir));
    assert_non_null(ls_st_shards_find(&shards, "single"));
    ls_st_shards_close(&shards);
    assert_int_equal(unlink(ls_path_join(path, dir, "model.safetensors")), 0);
    assert_int_equal(unlink(ls_path_join(path, dir, INDEX)), 0);
    assert_false(ls_st_shards_exist(dir));
    write_text("pytorch_model.bin", "PK");
    assert_true(ls_st_shards_exist(dir));
    assert_int_equal(ls_st_shards_open(&shards, dir), LEASH_UNSUPPORTED);
    assert_non_null(strstr(leash_error(), "save_pretrained"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(tensors_are_found_in_their_parts, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(an_index_that_lies_is_refused, make_dir, remove_dir),
        cmocka_unit_test_setup_teardown(a_damaged_index_never_crashes_the_reader, make_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(a_single_file_comes_before_an_index_and_pickles_are_refused,
                                        make_dir, remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
