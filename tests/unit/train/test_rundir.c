/* Run directories: one writer, old runs, and files of lines without gap and double. */
#include "train_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "train/rundir.h"

static char last_warning[LS_PATH_MAX];

static void keep_warning(void *user, ls_log_level level, const char *line)
{
    (void)user;
    (void)level;
    snprintf(last_warning, sizeof last_warning, "%s", line);
}

static int open_quiet(void **state)
{
    ls_log_set_sink(keep_warning, NULL, LS_LOG_WARN);
    return open_fixture(state);
}

static void open_run(ls_rundir *dir, const char *name, bool resume)
{
    assert_ok(ls_rundir_open(dir, at(name), resume, false));
}

static void a_new_directory_is_made_with_its_parents(void **state)
{
    (void)state;
    ls_rundir dir;
    open_run(&dir, "a/b/run", false);
    assert_int_equal(dir.metrics_bytes, 0);
    assert_true(ls_file_exists(at("a/b/run/metrics.jsonl")));
    assert_true(ls_file_exists(at("a/b/run/completions.jsonl")));
    assert_true(ls_file_exists(at("a/b/run/lock")));
    ls_rundir_close(&dir);
}

static void a_directory_with_other_files_is_no_run(void **state)
{
    (void)state;
    ls_rundir dir;
    assert_ok(ls_dir_make(at("other")));
    write_text(at("other/notes.txt"), "mine");
    open_run(&dir, "other", false);
    ls_rundir_close(&dir);
    assert_text(at("other/notes.txt"), "mine");
}

static void an_existing_run_is_neither_touched_nor_opened_twice(void **state)
{
    (void)state;
    ls_rundir dir;
    open_run(&dir, "old", false);
    assert_ok(ls_rundir_write_config(&dir, "seed: 1\n", 8));
    assert_ok(ls_rundir_append_metrics(&dir, "{}", 2));
    ls_rundir_close(&dir);
    assert_int_equal(ls_rundir_open(&dir, at("old"), false, false), LEASH_USAGE);
    char want[256];
    snprintf(want, sizeof want,
             "%s holds a run already: continue it with --resume, remove it with --overwrite, or "
             "choose another --output_dir",
             at("old"));
    assert_string_equal(leash_error(), want);
    assert_text(at("old/config.yaml"), "seed: 1\n");
    assert_text(at("old/metrics.jsonl"), "{}\n");
    /* The refused opening has let go of the lock. */
    open_run(&dir, "old", true);
    assert_int_equal(dir.metrics_bytes, 3);
    ls_rundir_close(&dir);
}

static void checkpoints_without_a_configuration_are_a_run_too(void **state)
{
    (void)state;
    ls_rundir dir;
    assert_ok(ls_dir_make(at("bare/checkpoints/step-3")));
    assert_int_equal(ls_rundir_open(&dir, at("bare"), false, false), LEASH_USAGE);
    assert_error_has("holds a run already");
}

static void overwrite_removes_the_old_run_and_nothing_else(void **state)
{
    (void)state;
    ls_rundir dir;
    static const char *const ours[] = {"over/config.yaml",
                                       "over/completions.jsonl",
                                       "over/not-finite.json",
                                       "over/report.html",
                                       "over/checkpoints/step-3/x",
                                       "over/final/manifest.json",
                                       "over/checkpoints/.step-4.tmp.77/x"};
    static const char *const theirs[] = {"over/notes.txt", "over/checkpoints/step-x/x",
                                         "over/checkpoints/best.txt", "over/data/metrics.jsonl"};
    static const char *const folders[] = {"over/checkpoints/step-3",
                                          "over/checkpoints/.step-4.tmp.77",
                                          "over/checkpoints/step-x", "over/final", "over/data"};
    for (size_t i = 0; i < LS_COUNT(folders); i++)
        assert_ok(ls_dir_make(at(folders[i])));
    for (size_t i = 0; i < LS_COUNT(ours); i++)
        write_text(at(ours[i]), "old");
    for (size_t i = 0; i < LS_COUNT(theirs); i++)
        write_text(at(theirs[i]), "mine");
    assert_ok(ls_rundir_open(&dir, at("over"), false, true));
    for (size_t i = 0; i < LS_COUNT(ours); i++)
        if (i != 1)
            assert_false(ls_file_exists(at(ours[i])));
    assert_int_equal(dir.completions_bytes, 0);
    for (size_t i = 0; i < LS_COUNT(theirs); i++)
        assert_text(at(theirs[i]), "mine");
    assert_false(ls_dir_exists(at("over/final")));
    ls_rundir_close(&dir);
}

static void a_folder_final_that_is_no_checkpoint_is_not_removed(void **state)
{
    (void)state;
    ls_rundir dir;
    assert_ok(ls_dir_make(at("mine/final")));
    write_text(at("mine/config.yaml"), "of another program");
    write_text(at("mine/final/thesis.tex"), "mine");
    assert_ok(ls_rundir_open(&dir, at("mine"), false, true));
    ls_rundir_close(&dir);
    assert_text(at("mine/final/thesis.tex"), "mine");
}

static void with_resume_overwrite_removes_nothing(void **state)
{
    (void)state;
    ls_rundir dir;
    assert_ok(ls_dir_make(at("both")));
    write_text(at("both/config.yaml"), "seed: 1\n");
    assert_ok(ls_rundir_open(&dir, at("both"), true, true));
    ls_rundir_close(&dir);
    assert_text(at("both/config.yaml"), "seed: 1\n");
}

static void a_second_writer_is_told_who_holds_the_directory(void **state)
{
    (void)state;
    ls_rundir first, second;
    char want[128];
    open_run(&first, "held", false);
    assert_int_equal(ls_rundir_open(&second, at("held"), true, false), LEASH_BUSY);
    snprintf(want, sizeof want, "%s is in use by process %ld on host ", at("held"), (long)getpid());
    assert_true(ls_starts_with(leash_error(), want));
    ls_rundir_close(&second);
    assert_ok(ls_rundir_append_metrics(&first, "{}", 2));
    ls_rundir_close(&first);
    open_run(&second, "held", true);
    ls_rundir_close(&second);
}

static void closing_what_was_never_opened_does_nothing(void **state)
{
    (void)state;
    ls_rundir dir;
    memset(&dir, 0, sizeof dir);
    struct stat before, after;
    assert_int_equal(fstat(0, &before), 0);
    ls_rundir_close(&dir);
    assert_int_equal(fstat(0, &after), 0);
    open_run(&dir, "closed", false);
    ls_rundir_close(&dir);
    ls_rundir_close(&dir);
}

static void lines_are_appended_and_cut_to_the_byte(void **state)
{
    (void)state;
    ls_rundir dir;
    open_run(&dir, "lines", false);
    assert_ok(ls_rundir_append_metrics(&dir, "{\"step\": 1}", 11));
    assert_ok(ls_rundir_append_completions(&dir, "{1}\n{2}\n", 8));
    assert_ok(ls_rundir_append_completions(&dir, "", 0));
    int64_t metrics = dir.metrics_bytes, completions = dir.completions_bytes;
    assert_int_equal(metrics, 12);
    assert_int_equal(completions, 8);
    assert_ok(ls_rundir_append_metrics(&dir, "{\"step\": 2}", 11));
    assert_ok(ls_rundir_append_completions(&dir, "{3}\n", 4));
    ls_rundir_close(&dir);
    open_run(&dir, "lines", true);
    assert_int_equal(dir.metrics_bytes, 24);
    assert_ok(ls_rundir_cut(&dir, metrics, completions));
    assert_ok(ls_rundir_append_metrics(&dir, "{\"step\": 2}", 11));
    assert_text(at("lines/metrics.jsonl"), "{\"step\": 1}\n{\"step\": 2}\n");
    assert_text(at("lines/completions.jsonl"), "{1}\n{2}\n");
    assert_ok(ls_rundir_cut(&dir, 0, 0));
    assert_text(at("lines/metrics.jsonl"), "");
    assert_int_equal(dir.metrics_bytes + dir.completions_bytes, 0);
    ls_rundir_close(&dir);
    assert_ok(ls_rundir_sync_lines(at("lines")));
    assert_ok(ls_rundir_sync_lines(at("no such run")));
}

static void lines_that_are_gone_are_a_warning_and_never_zeros(void **state)
{
    (void)state;
    ls_rundir dir;
    open_run(&dir, "short", false);
    assert_ok(ls_rundir_append_metrics(&dir, "{}", 2));
    last_warning[0] = '\0';
    assert_ok(ls_rundir_cut(&dir, 100, 0));
    assert_non_null(strstr(last_warning, "short/metrics.jsonl has 3 bytes, the checkpoint was made "
                                         "after 100: lines are missing"));
    assert_int_equal(dir.metrics_bytes, 3);
    ls_rundir_close(&dir);
    assert_text(at("short/metrics.jsonl"), "{}\n");
}

static void a_line_that_does_not_fit_leaves_whole_lines(void **state)
{
    (void)state;
    ls_rundir dir;
    struct rlimit old, limit;
    signal(SIGXFSZ, SIG_IGN);
    open_run(&dir, "full", false);
    assert_ok(ls_rundir_append_metrics(&dir, "{\"step\": 1}", 11));
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = (struct rlimit){.rlim_cur = 20, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    leash_status status = ls_rundir_append_metrics(&dir, "{\"step\": 2}", 11);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(status, LEASH_IO);
    assert_error_has("full/metrics.jsonl: File too large");
    assert_text(at("full/metrics.jsonl"), "{\"step\": 1}\n");
    assert_int_equal(dir.metrics_bytes, 12);
    assert_ok(ls_rundir_append_metrics(&dir, "{\"step\": 2}", 11));
    assert_text(at("full/metrics.jsonl"), "{\"step\": 1}\n{\"step\": 2}\n");
    ls_rundir_close(&dir);
}

static void a_place_that_cannot_be_written_is_named(void **state)
{
    (void)state;
    ls_rundir dir;
    write_text(at("file"), "");
    assert_int_equal(ls_rundir_open(&dir, at("file/run"), false, false), LEASH_IO);
    assert_error_has("/file: a file of that name exists");
    assert_int_equal(ls_rundir_open(&dir, "/proc/leash/run", false, false), LEASH_IO);
    assert_error_has("cannot create directory /proc/leash: no such file or directory");
    assert_int_equal(ls_rundir_open(&dir, "", false, false), LEASH_USAGE);
    char path[LS_PATH_MAX + 100];
    memset(path, 'a', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    assert_int_equal(ls_rundir_open(&dir, path, false, false), LEASH_USAGE);
    assert_error_has("output_dir: a path of 1 to 3584 bytes is expected, this one has 4195");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_new_directory_is_made_with_its_parents),
        cmocka_unit_test(a_directory_with_other_files_is_no_run),
        cmocka_unit_test(an_existing_run_is_neither_touched_nor_opened_twice),
        cmocka_unit_test(checkpoints_without_a_configuration_are_a_run_too),
        cmocka_unit_test(overwrite_removes_the_old_run_and_nothing_else),
        cmocka_unit_test(a_folder_final_that_is_no_checkpoint_is_not_removed),
        cmocka_unit_test(with_resume_overwrite_removes_nothing),
        cmocka_unit_test(a_second_writer_is_told_who_holds_the_directory),
        cmocka_unit_test(closing_what_was_never_opened_does_nothing),
        cmocka_unit_test(lines_are_appended_and_cut_to_the_byte),
        cmocka_unit_test(lines_that_are_gone_are_a_warning_and_never_zeros),
        cmocka_unit_test(a_line_that_does_not_fit_leaves_whole_lines),
        cmocka_unit_test(a_place_that_cannot_be_written_is_named),
    };
    return cmocka_run_group_tests(tests, open_quiet, close_fixture);
}
