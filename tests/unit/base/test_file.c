/* Claims about base/file.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/file.h"
#include "base/mem.h"

static char root[] = "/tmp/leash_test_file.XXXXXX";

static int make_root(void **state)
{
    (void)state;
    return mkdtemp(root) ? 0 : -1;
}

static int remove_root(void **state)
{
    (void)state;
    return ls_dir_remove(root) == LEASH_OK && !ls_dir_exists(root) ? 0 : -1;
}

/* A path below the root; a small ring of buffers, so that two can stand in one call. */
static const char *at(const char *name)
{
    static char paths[4][LS_PATH_MAX];
    static int next;
    next = (next + 1) % 4;
    return ls_path_join(paths[next], root, name);
}

static void check_text(const char *path, const char *want)
{
    ls_str text = LS_STR_INIT;
    assert_int_equal(ls_file_read(&text, path), LEASH_OK);
    assert_string_equal(text.data, want);
    ls_str_release(&text);
}

static int64_t count_names(const char *path)
{
    char **names;
    int64_t n;
    assert_int_equal(ls_dir_list(&names, &n, path), LEASH_OK);
    ls_names_free(names, n);
    return n;
}

static void reading_appends_the_whole_file(void **state)
{
    (void)state;
    ls_str text = LS_STR_INIT;
    ls_str_append(&text, "old ");
    assert_int_equal(ls_file_write_synced(at("read"), "new", 3), LEASH_OK);
    assert_int_equal(ls_file_read(&text, at("read")), LEASH_OK);
    assert_string_equal(text.data, "old new");
    ls_str_clear(&text); /* a file that says it has no size */
    assert_int_equal(ls_file_read(&text, "/proc/self/status"), LEASH_OK);
    assert_true(text.len > 0);
    ls_str_release(&text);
}

static void a_failed_read_names_path_and_reason_and_leaves_the_string(void **state)
{
    (void)state;
    ls_str text = LS_STR_INIT;
    ls_str_append(&text, "old");
    assert_int_equal(ls_file_read(&text, at("missing")), LEASH_IO);
    assert_non_null(strstr(leash_error(), "missing: no such file"));
    assert_int_equal(ls_file_read(&text, root), LEASH_IO);
    assert_non_null(strstr(leash_error(), "Is a directory"));
    assert_string_equal(text.data, "old");
    ls_str_release(&text);
}

static void an_atomic_write_replaces_the_file_and_leaves_nothing_else(void **state)
{
    (void)state;
    assert_int_equal(ls_dir_make(at("atomic")), LEASH_OK);
    mode_t old = umask(027);
    assert_int_equal(ls_file_write_atomic(at("atomic/f"), "one", 3), LEASH_OK);
    umask(old);
    struct stat info;
    assert_int_equal(stat(at("atomic/f"), &info), 0);
    assert_int_equal(info.st_mode & 0777, 0640);
    assert_int_equal(ls_file_write_atomic(at("atomic/f"), "two", 3), LEASH_OK);
    check_text(at("atomic/f"), "two");
    assert_int_equal(ls_file_write_atomic(at("atomic/f"), NULL, 0), LEASH_OK);
    assert_int_equal(ls_file_size(at("atomic/f")), 0);
    assert_int_equal(count_names(at("atomic")), 1);
}

static void a_failed_atomic_write_leaves_the_old_state(void **state)
{
    (void)state;
    assert_int_equal(ls_file_write_atomic(at("no/such/dir/f"), "x", 1), LEASH_IO);
    assert_non_null(strstr(leash_error(), "cannot write"));
    assert_non_null(strstr(leash_error(), "no/such/dir/f"));
    /* the rename fails at its target: a directory that is not empty */
    assert_int_equal(ls_dir_make(at("taken/f/child")), LEASH_OK);
    assert_int_equal(ls_file_write_atomic(at("taken/f"), "x", 1), LEASH_IO);
    assert_true(ls_dir_exists(at("taken/f/child")));
    assert_int_equal(count_names(at("taken")), 1);
}

/* Runs `body` in a child and returns its exit status (or 128 + signal). */
static int in_child(int (*body)(void))
{
    int status = 0;
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(body());
    waitpid(child, &status, 0);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static char large_block[100000];

/* A limit on file sizes stands for a full disk: the write fails in its middle. */
static int write_beyond_the_limit(void)
{
    const struct rlimit limit = {50000, 50000};
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0)
        return 10;
    if (ls_file_write_atomic(at("full/f"), large_block, sizeof large_block) != LEASH_IO)
        return 11;
    return strstr(leash_error(), "full/f: File too large") ? 0 : 12;
}

static void a_write_that_fails_halfway_keeps_the_old_file(void **state)
{
    (void)state;
    assert_int_equal(ls_dir_make(at("full")), LEASH_OK);
    assert_int_equal(ls_file_write_atomic(at("full/f"), "old", 3), LEASH_OK);
    assert_int_equal(in_child(write_beyond_the_limit), 0);
    check_text(at("full/f"), "old");
    assert_int_equal(count_names(at("full")), 1);
}

/* The same for a file that comes bit by bit. */
static int put_beyond_the_limit(void)
{
    const struct rlimit limit = {50000, 50000};
    ls_file_writer w;
    signal(SIGXFSZ, SIG_IGN);
    if (setrlimit(RLIMIT_FSIZE, &limit) != 0 || ls_file_writer_open(&w, at("bits/f")) != LEASH_OK)
        return 10;
    for (int i = 0; i < 3; i++)
        ls_file_writer_put(&w, large_block, 30000);
    if (ls_file_writer_commit(&w) != LEASH_IO)
        return 11;
    return strstr(leash_error(), "bits/f: File too large") ? 0 : 12;
}

static void a_file_written_bit_by_bit_is_whole_or_as_before(void **state)
{
    (void)state;
    ls_file_writer w;
    assert_int_equal(ls_dir_make(at("bits")), LEASH_OK);
    assert_int_equal(ls_file_writer_open(&w, at("no/dir/f")), LEASH_IO);
    assert_int_equal(ls_file_writer_open(&w, at("bits/f")), LEASH_OK);
    ls_file_writer_put(&w, "a ", 2);
    assert_false(ls_file_exists(at("bits/f")));
    ls_file_writer_put(&w, "whole", 5);
    assert_int_equal(w.n_bytes, 7);
    assert_int_equal(ls_file_writer_commit(&w), LEASH_OK);
    check_text(at("bits/f"), "a whole");
    assert_int_equal(ls_file_writer_open(&w, at("bits/f")), LEASH_OK);
    ls_file_writer_put(&w, "half", 4);
    ls_file_writer_abort(&w);
    assert_int_equal(in_child(put_beyond_the_limit), 0);
    check_text(at("bits/f"), "a whole");
    assert_int_equal(count_names(at("bits")), 1);
}

/* Writes two texts in turn until it is killed. */
static int write_for_ever(void)
{
    for (;;)
        if (ls_file_write_atomic(at("killed/f"), large_block, sizeof large_block) != LEASH_OK ||
            ls_file_write_atomic(at("killed/f"), large_block, 60000) != LEASH_OK)
            return 1;
}

static void a_reader_sees_whole_files_while_the_writer_is_killed(void **state)
{
    (void)state;
    assert_int_equal(ls_dir_make(at("killed")), LEASH_OK);
    assert_int_equal(ls_file_write_atomic(at("killed/f"), large_block, 60000), LEASH_OK);
    for (int round = 0; round < 5; round++) {
        fflush(NULL);
        pid_t child = fork();
        if (child == 0)
            _exit(write_for_ever());
        for (int look = 0; look < 20 * (round + 1); look++) {
            ls_str text = LS_STR_INIT;
            assert_int_equal(ls_file_read(&text, at("killed/f")), LEASH_OK);
            assert_true(text.len == sizeof large_block || text.len == 60000);
            ls_str_release(&text);
        }
        kill(child, SIGKILL);
        waitpid(child, NULL, 0);
        int64_t size = ls_file_size(at("killed/f"));
        assert_true(size == sizeof large_block || size == 60000);
    }
}

static int write_without_permission(void)
{
    if (geteuid() == 0 && setuid(65534) != 0)
        return 10;
    if (ls_file_write_atomic(at("closed/f"), "new", 3) != LEASH_IO)
        return 11;
    return strstr(leash_error(), "Permission denied (check the owner") ? 0 : 12;
}

static void a_directory_without_permission_is_an_error_and_keeps_the_old_file(void **state)
{
    (void)state;
    assert_int_equal(chmod(root, 0755), 0);
    assert_int_equal(ls_dir_make(at("closed")), LEASH_OK);
    assert_int_equal(ls_file_write_atomic(at("closed/f"), "old", 3), LEASH_OK);
    assert_int_equal(chmod(at("closed"), 0555), 0);
    assert_int_equal(in_child(write_without_permission), 0);
    assert_int_equal(chmod(at("closed"), 0755), 0);
    check_text(at("closed/f"), "old");
    assert_int_equal(count_names(at("closed")), 1);
}

static void a_full_disk_comes_with_a_remedy(void **state)
{
    (void)state;
    assert_int_equal(ls_fail_path("write", "/x/y", ENOSPC), LEASH_IO);
    assert_string_equal(leash_error(), "cannot write /x/y: No space left on device (free some "
                                       "space or choose another --output_dir)");
    assert_int_equal(ls_file_write_synced("/dev/full", "x", 1), LEASH_IO);
    assert_non_null(strstr(leash_error(), "/dev/full: No space left on device (free some space"));
}

static void questions_about_paths_have_plain_answers(void **state)
{
    (void)state;
    assert_int_equal(ls_file_write_synced(at("sized"), "12345", 5), LEASH_OK);
    assert_true(ls_file_exists(at("sized")) && !ls_dir_exists(at("sized")));
    assert_true(ls_dir_exists(root) && !ls_file_exists(root));
    assert_false(ls_file_exists(at("nothing")) || ls_dir_exists(at("nothing")));
    assert_int_equal(ls_file_size(at("sized")), 5);
    assert_int_equal(ls_file_size(at("nothing")), -1);
    assert_int_equal(ls_file_size(root), -1);
}

static void directories_are_made_with_parents_and_twice(void **state)
{
    (void)state;
    assert_int_equal(ls_dir_make(at("d/e//f/")), LEASH_OK);
    assert_int_equal(ls_dir_make(at("d/e/f")), LEASH_OK);
    assert_true(ls_dir_exists(at("d/e/f")));
    assert_int_equal(ls_dir_make("/"), LEASH_OK);
    assert_int_equal(ls_dir_make("."), LEASH_OK);
    assert_int_equal(ls_dir_make(""), LEASH_IO);
    assert_int_equal(ls_file_write_synced(at("d/file"), "", 0), LEASH_OK);
    assert_int_equal(ls_dir_make(at("d/file")), LEASH_IO);
    assert_non_null(strstr(leash_error(), "a file of that name exists"));
    assert_int_equal(ls_dir_make(at("d/file/g")), LEASH_IO);
}

static void removing_takes_contents_but_not_what_links_point_to(void **state)
{
    (void)state;
    assert_int_equal(ls_dir_make(at("kept")), LEASH_OK);
    assert_int_equal(ls_file_write_synced(at("kept/f"), "x", 1), LEASH_OK);
    assert_int_equal(ls_dir_make(at("gone/a/b/c")), LEASH_OK);
    assert_int_equal(ls_file_write_synced(at("gone/a/f"), "x", 1), LEASH_OK);
    assert_int_equal(symlink(at("kept"), at("gone/a/link")), 0);
    assert_int_equal(ls_dir_remove(at("gone")), LEASH_OK);
    assert_false(ls_dir_exists(at("gone")));
    check_text(at("kept/f"), "x");
    assert_int_equal(ls_dir_remove(at("gone")), LEASH_OK);
    assert_int_equal(ls_dir_remove(at("kept/f")), LEASH_IO);
    assert_int_equal(symlink(at("kept"), at("link")), 0);
    assert_int_equal(ls_dir_remove(at("link")), LEASH_IO);
    check_text(at("kept/f"), "x");
}

static void lists_are_sorted_and_without_dots(void **state)
{
    (void)state;
    const char *const want[] = {".hidden", "B", "a", "b10", "b9"};
    assert_int_equal(ls_dir_make(at("list")), LEASH_OK);
    char **names;
    int64_t n;
    assert_int_equal(ls_dir_list(&names, &n, at("list")), LEASH_OK);
    assert_int_equal(n, 0);
    ls_names_free(names, n);
    for (int i = 4; i >= 0; i--) {
        ls_str name = LS_STR_INIT;
        ls_str_appendf(&name, "list/%s", want[i]);
        assert_int_equal(ls_file_write_synced(at(name.data), "", 0), LEASH_OK);
        ls_str_release(&name);
    }
    assert_int_equal(ls_dir_list(&names, &n, at("list")), LEASH_OK);
    assert_int_equal(n, 5);
    for (int i = 0; i < 5; i++)
        assert_string_equal(names[i], want[i]);
    ls_names_free(names, n);
    assert_int_equal(ls_dir_list(&names, &n, at("nothing")), LEASH_IO);
    assert_null(names);
}

static void renaming_moves_directories_and_names_both_paths_on_failure(void **state)
{
    (void)state;
    assert_int_equal(ls_dir_make(at("from.tmp")), LEASH_OK);
    assert_int_equal(ls_path_rename(at("from.tmp"), at("to")), LEASH_OK);
    assert_true(ls_dir_exists(at("to")) && !ls_dir_exists(at("from.tmp")));
    assert_int_equal(ls_path_rename(at("from.tmp"), at("to2")), LEASH_IO);
    assert_non_null(strstr(leash_error(), "from.tmp to "));
    assert_int_equal(ls_dir_sync(at("to")), LEASH_OK);
    assert_int_equal(ls_dir_sync(at("to2")), LEASH_IO);
    assert_int_equal(ls_parent_sync(at("to/x")), LEASH_OK);
    assert_int_equal(ls_parent_sync("plain_name"), LEASH_OK);
    assert_int_equal(ls_parent_sync("/x"), LEASH_OK);
}

static void joining_puts_one_slash(void **state)
{
    (void)state;
    char path[LS_PATH_MAX];
    assert_string_equal(ls_path_join(path, "a", "b"), "a/b");
    assert_string_equal(ls_path_join(path, "a/", "b"), "a/b");
    assert_string_equal(ls_path_join(path, "/", "b"), "/b");
    assert_string_equal(ls_path_join(path, "", "b"), "b");
}

static void a_map_shows_the_bytes_of_a_file(void **state)
{
    (void)state;
    ls_map map;
    assert_int_equal(ls_file_write_synced(at("map"), "bytes", 5), LEASH_OK);
    assert_int_equal(ls_map_open(&map, at("map")), LEASH_OK);
    assert_int_equal(map.size, 5);
    assert_memory_equal(map.data, "bytes", 5);
    ls_map_close(&map);
    assert_null(map.data);
    ls_map_close(&map);
    assert_int_equal(ls_file_write_synced(at("map"), "", 0), LEASH_OK);
    assert_int_equal(ls_map_open(&map, at("map")), LEASH_OK);
    assert_null(map.data);
    assert_int_equal(map.size, 0);
    ls_map_close(&map);
    assert_int_equal(ls_map_open(&map, at("nothing")), LEASH_IO);
    assert_int_equal(ls_map_open(&map, root), LEASH_IO);
    assert_non_null(strstr(leash_error(), "found a directory"));
    assert_null(map.data);
}

/* --- lock --- */

static int take_and_report(void)
{
    ls_lock lock;
    leash_status status = ls_lock_take(&lock, at("run/lock"));
    if (status != LEASH_BUSY)
        return status == LEASH_OK ? 0 : 10;
    char want[64];
    snprintf(want, sizeof want, "/run is in use by process %ld on host ", (long)getppid());
    const char *text = leash_error();
    return strstr(text, want) && strstr(text, " since 20") && strstr(text, "wait for it") ? 1 : 11;
}

static void a_lock_has_one_holder_and_names_it(void **state)
{
    (void)state;
    ls_lock lock, second;
    assert_int_equal(ls_dir_make(at("run")), LEASH_OK);
    assert_int_equal(ls_lock_take(&lock, at("run/lock")), LEASH_OK);
    assert_int_equal(in_child(take_and_report), 1);
    assert_int_equal(ls_lock_take(&second, at("run/lock")), LEASH_BUSY);
    assert_int_equal(second.fd, -1);
    ls_lock_drop(&second);
    ls_lock_drop(&lock);
    assert_int_equal(in_child(take_and_report), 0);
    assert_int_equal(ls_lock_take(&lock, at("nothing/lock")), LEASH_IO);
    assert_int_equal(lock.fd, -1);
}

static int ready_end;

static int hold_until_killed(void)
{
    ls_lock lock;
    if (ls_lock_take(&lock, at("run/lock")) != LEASH_OK || write(ready_end, "r", 1) != 1)
        return 1;
    for (;;)
        pause();
}

static void a_killed_holder_leaves_no_lock(void **state)
{
    (void)state;
    int ends[2];
    char ready;
    ls_lock lock;
    assert_int_equal(ls_dir_make(at("run")), LEASH_OK);
    assert_int_equal(pipe(ends), 0);
    ready_end = ends[1];
    fflush(NULL);
    pid_t child = fork();
    if (child == 0)
        _exit(hold_until_killed());
    close(ends[1]);
    assert_int_equal(read(ends[0], &ready, 1), 1);
    close(ends[0]);
    assert_int_equal(ls_lock_take(&lock, at("run/lock")), LEASH_BUSY);
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_int_equal(ls_lock_take(&lock, at("run/lock")), LEASH_OK);
    ls_lock_drop(&lock);
}

static void a_lock_without_a_readable_holder_still_says_what_to_do(void **state)
{
    (void)state;
    ls_lock lock, second;
    assert_int_equal(ls_dir_make(at("run")), LEASH_OK);
    assert_int_equal(ls_lock_take(&lock, at("run/lock")), LEASH_OK);
    assert_int_equal(truncate(at("run/lock"), 0), 0);
    assert_int_equal(ls_lock_take(&second, at("run/lock")), LEASH_BUSY);
    assert_non_null(strstr(leash_error(), "in use by another process: wait"));
    ls_lock_drop(&lock);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_appends_the_whole_file),
        cmocka_unit_test(a_failed_read_names_path_and_reason_and_leaves_the_string),
        cmocka_unit_test(an_atomic_write_replaces_the_file_and_leaves_nothing_else),
        cmocka_unit_test(a_failed_atomic_write_leaves_the_old_state),
        cmocka_unit_test(a_write_that_fails_halfway_keeps_the_old_file),
        cmocka_unit_test(a_file_written_bit_by_bit_is_whole_or_as_before),
        cmocka_unit_test(a_reader_sees_whole_files_while_the_writer_is_killed),
        cmocka_unit_test(a_directory_without_permission_is_an_error_and_keeps_the_old_file),
        cmocka_unit_test(a_full_disk_comes_with_a_remedy),
        cmocka_unit_test(questions_about_paths_have_plain_answers),
        cmocka_unit_test(directories_are_made_with_parents_and_twice),
        cmocka_unit_test(removing_takes_contents_but_not_what_links_point_to),
        cmocka_unit_test(lists_are_sorted_and_without_dots),
        cmocka_unit_test(renaming_moves_directories_and_names_both_paths_on_failure),
        cmocka_unit_test(joining_puts_one_slash),
        cmocka_unit_test(a_map_shows_the_bytes_of_a_file),
        cmocka_unit_test(a_lock_has_one_holder_and_names_it),
        cmocka_unit_test(a_killed_holder_leaves_no_lock),
        cmocka_unit_test(a_lock_without_a_readable_holder_still_says_what_to_do),
    };
    return cmocka_run_group_tests(tests, make_root, remove_root);
}
