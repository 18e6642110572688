/* A damaged checkpoint is never taken for a whole one: every truncation, every flipped bit, every
 * missing or longer file of a small checkpoint is refused with the path of the damaged file, and
 * the checkpoint before it is used instead. */
#include "train_fixture.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/compiler.h"

/* Every byte of the first so many of a file has each of its bits flipped and is the place of a cut;
 * after them every so-manieth.  Sanitizers make a check ten times slower. */
#define SMALL_BYTES (LS_HAS_ASAN ? 256 : 2048)
#define STRIDE (LS_HAS_ASAN ? 31 : 7)

static char checkpoint[LS_PATH_MAX];
static int64_t n_tried;

static int open_two(void **state)
{
    (void)open_fixture(state);
    assert_ok(train_fixture_save(&t, 1, 2));
    assert_ok(train_fixture_save(&t, 2, 2));
    ls_path_join(checkpoint, t.root, "checkpoints/step-2");
    return 0;
}

static int64_t next_place(int64_t place)
{
    return place < SMALL_BYTES ? place + 1 : place + STRIDE;
}

static void assert_refused(const char *path)
{
    leash_status status = ls_checkpoint_verify(checkpoint);
    if (status == LEASH_OK)
        fail_msg("damage to %s was accepted", path);
    if (!strstr(leash_error(), path) || (status != LEASH_FORMAT && status != LEASH_IO))
        fail_msg("damage to %s gives %s: %s", path, leash_status_name(status), leash_error());
    n_tried++;
}

/* Calls `damage` on every file, with its path and bytes, and checks that it was mended. */
static void for_each_file(void (*damage)(const char *path, const ls_str *bytes))
{
    n_tried = 0;
    for (size_t i = 0; i < LS_COUNT(checkpoint_files); i++) {
        char path[LS_PATH_MAX];
        ls_str bytes = LS_STR_INIT;
        assert_ok(ls_file_read(&bytes, ls_path_join(path, checkpoint, checkpoint_files[i])));
        damage(path, &bytes);
        ls_str_release(&bytes);
        assert_ok(ls_checkpoint_verify(checkpoint));
    }
}

static void truncate_everywhere(const char *path, const ls_str *bytes)
{
    for (int64_t n = 0; n < (int64_t)bytes->len; n = next_place(n)) {
        assert_int_equal(truncate(path, n), 0);
        assert_refused(path);
        int fd = open(path, O_WRONLY);
        assert_true(fd >= 0);
        assert_int_equal(pwrite(fd, bytes->data + n, bytes->len - (size_t)n, n),
                         (ssize_t)bytes->len - n);
        close(fd);
    }
}

static void every_truncation_is_refused(void **state)
{
    (void)state;
    for_each_file(truncate_everywhere);
    print_message("%lld truncations, 0 accepted\n", (long long)n_tried);
}

static void flip_everywhere(const char *path, const ls_str *bytes)
{
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    for (int64_t place = 0; place < (int64_t)bytes->len; place = next_place(place))
        for (int bit = 0; bit < 8; bit++) {
            char flipped = (char)(bytes->data[place] ^ (1 << bit));
            assert_int_equal(pwrite(fd, &flipped, 1, place), 1);
            assert_refused(path);
            assert_int_equal(pwrite(fd, &bytes->data[place], 1, place), 1);
        }
    close(fd);
}

static void every_flipped_bit_is_refused(void **state)
{
    (void)state;
    for_each_file(flip_everywhere);
    print_message("%lld flipped bits, 0 accepted\n", (long long)n_tried);
}

/* Grown by a byte, gone, empty, a folder, and filled with zeros. */
static void replace_whole(const char *path, const ls_str *bytes)
{
    ls_str longer = LS_STR_INIT;
    ls_str_append_n(&longer, bytes->data, bytes->len);
    ls_str_append_char(&longer, '\n');
    assert_ok(ls_file_write_synced(path, longer.data, longer.len));
    assert_refused(path);
    memset(longer.data, 0, longer.len);
    assert_ok(ls_file_write_synced(path, longer.data, bytes->len));
    assert_refused(path);
    ls_str_release(&longer);
    assert_int_equal(unlink(path), 0);
    assert_refused(path);
    assert_int_equal(mkdir(path, 0777), 0);
    assert_refused(path);
    assert_int_equal(rmdir(path), 0);
    assert_ok(ls_file_write_synced(path, bytes->data, bytes->len));
}

static void every_file_replaced_whole_is_refused(void **state)
{
    (void)state;
    for_each_file(replace_whole);
    print_message("%lld files replaced, 0 accepted\n", (long long)n_tried);
}

/* Neither the weights nor the state of the caller change, and the run goes on from the checkpoint
 * before. */
static void fall_back(const char *path, const ls_str *bytes)
{
    char latest[LS_PATH_MAX], flipped = (char)(bytes->data[bytes->len / 2] ^ 4);
    int fd = open(path, O_WRONLY);
    assert_true(fd >= 0);
    assert_int_equal(pwrite(fd, &flipped, 1, (off_t)(bytes->len / 2)), 1);
    train_fixture_fill(&t, 9);
    uint64_t before = ls_model_hash(t.f.model);
    assert_true(ls_checkpoint_load(checkpoint, &t.state, t.f.model, &t.optimizer, NULL) !=
                LEASH_OK);
    assert_error_has(path);
    assert_true(ls_model_hash(t.f.model) == before);
    assert_int_equal(t.state.step, 9);
    assert_ok(ls_checkpoint_latest(latest, t.root));
    assert_string_equal(latest, at("checkpoints/step-1"));
    train_fixture_assert_loads(&t, latest, 1);
    assert_int_equal(pwrite(fd, &bytes->data[bytes->len / 2], 1, (off_t)(bytes->len / 2)), 1);
    close(fd);
}

static void a_damaged_checkpoint_changes_nothing_and_the_one_before_is_used(void **state)
{
    (void)state;
    for_each_file(fall_back);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_truncation_is_refused),
        cmocka_unit_test(every_flipped_bit_is_refused),
        cmocka_unit_test(every_file_replaced_whole_is_refused),
        cmocka_unit_test(a_damaged_checkpoint_changes_nothing_and_the_one_before_is_used),
    };
    return cmocka_run_group_tests(tests, open_two, close_fixture);
}
