/* Pulls from a hub on this machine, whole and troubled. */
#include "fake_hub.h"

#include "hub/hub.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/log.h"
#include "base/mem.h"

#define BIG_BYTES 300000

static char big[BIG_BYTES];
static char root[LS_PATH_MAX];
static fake_hub hub;
static double waited; /* seconds that would have been slept */

static const fake_file files[] = {
    {"acme/tiny", MAIN_COMMIT, "config.json", "{\"model_type\": \"llama\"}", 23, false},
    {"acme/tiny", MAIN_COMMIT, "model.safetensors", big, BIG_BYTES, true},
    {"acme/tiny", MAIN_COMMIT, "pytorch_model.bin", "pickle", 6, true},
    {"acme/tiny", MAIN_COMMIT, "tokenizer.json", "{}", 2, false},
    {"acme/tiny", OLD_COMMIT, "config.json", "{}", 2, false},
    {"acme/tiny", OLD_COMMIT, "model.safetensors", big, BIG_BYTES, true},
    {"datasets/acme/sums", MAIN_COMMIT, "main/train.jsonl", "{\"text\": \"1\"}\n", 14, false},
    {"datasets/acme/sums", MAIN_COMMIT, "main/empty.jsonl", "", 0, false},
    {"datasets/acme/sums", MAIN_COMMIT, "other/test.jsonl", "{\"text\": \"2\"}\n", 14, false},
};

/* --- around a test --- */

static int set_up(void **state)
{
    (void)state;
    char endpoint[64];
    snprintf(root, sizeof root, "/tmp/leash_test_pull.XXXXXX");
    if (mkdtemp(root) == NULL)
        return -1;
    fake_hub_start(&hub, files, (int)LS_COUNT(files));
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", hub.ports[0]);
    setenv("HF_ENDPOINT", endpoint, 1);
    setenv("HF_HOME", root, 1);
    setenv("no_proxy", "*", 1);
    unsetenv("HF_HUB_CACHE");
    unsetenv("HUGGINGFACE_HUB_CACHE");
    unsetenv("HF_TOKEN");
    unsetenv("HF_TOKEN_PATH");
    unsetenv("HF_HUB_OFFLINE");
    unsetenv("TRANSFORMERS_OFFLINE");
    waited = 0;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_hub_stop(&hub);
    return ls_dir_remove(root) == LEASH_OK ? 0 : -1;
}

static void no_sleep(void *user, double seconds)
{
    (void)user;
    waited += seconds;
}

static leash_status pull(ls_hub_result *out, const char *spec)
{
    return ls_hub_pull(out, &(ls_hub_request){.spec = spec, .hooks = {.wait = no_sleep}});
}

static void pull_ok(const char *spec)
{
    ls_hub_result result;
    leash_status status = pull(&result, spec);
    ls_hub_result_release(&result);
    if (status != LEASH_OK)
        fail_msg("%s: %s", leash_status_name(status), leash_error());
}

static void pull_fails(const char *spec, leash_status expected, const char *part)
{
    ls_hub_result result;
    leash_status status = pull(&result, spec);
    ls_hub_result_release(&result);
    assert_int_equal(status, expected);
    if (strstr(leash_error(), part) == NULL)
        fail_msg("'%s' is not in '%s'", part, leash_error());
}

static void check_file(const char *path, const char *bytes, size_t n)
{
    ls_str text = LS_STR_INIT;
    assert_int_equal(ls_file_read(&text, path), LEASH_OK);
    assert_int_equal(text.len, n);
    assert_memory_equal(text.data, bytes, n);
    ls_str_release(&text);
}

/* Lines "path", "path -> target" of everything below a folder, sorted. */
static void append_tree(ls_str *out, const char *folder, const char *prefix)
{
    char **names, path[LS_PATH_MAX], target[LS_PATH_MAX];
    int64_t n;
    assert_int_equal(ls_dir_list(&names, &n, folder), LEASH_OK);
    for (int64_t i = 0; i < n; i++) {
        struct stat info;
        ls_path_join(path, folder, names[i]);
        assert_int_equal(lstat(path, &info), 0);
        ls_str name = LS_STR_INIT;
        ls_str_appendf(&name, "%s%s", prefix, names[i]);
        if (S_ISDIR(info.st_mode)) {
            ls_str_append_char(&name, '/');
            append_tree(out, path, name.data);
        } else if (S_ISLNK(info.st_mode)) {
            ssize_t length = readlink(path, target, sizeof target - 1);
            assert_true(length > 0);
            ls_str_appendf(out, "%s -> %.*s\n", name.data, (int)length, target);
        } else {
            ls_str_appendf(out, "%s\n", name.data);
        }
        ls_str_release(&name);
    }
    ls_names_free(names, n);
}

static const char *at_hub(char out[LS_PATH_MAX], const char *below)
{
    ls_str text = LS_STR_INIT;
    ls_str_appendf(&text, "%s/hub/%s", root, below);
    snprintf(out, LS_PATH_MAX, "%s", text.data);
    ls_str_release(&text);
    return out;
}

static const char *blob_path(char out[LS_PATH_MAX], const fake_file *file, const char *suffix)
{
    char oid[65], below[256];
    fake_oid(oid, file);
    snprintf(below, sizeof below, "models--acme--tiny/blobs/%s%s", oid, suffix);
    return at_hub(out, below);
}

/* --- what a pull brings --- */

static void a_pull_brings_the_files_of_a_model(void **state)
{
    (void)state;
    ls_hub_result result;
    char path[LS_PATH_MAX];
    assert_int_equal(pull(&result, "hf:acme/tiny"), LEASH_OK);
    assert_string_equal(result.commit, MAIN_COMMIT);
    assert_int_equal(result.n_files, 3);
    assert_string_equal(result.path, at_hub(path, "models--acme--tiny/snapshots/" MAIN_COMMIT));
    check_file(ls_path_join(path, result.path, "model.safetensors"), big, BIG_BYTES);
    check_file(ls_path_join(path, result.path, "config.json"), files[0].bytes, files[0].n);
    assert_false(ls_file_exists(ls_path_join(path, result.path, "pytorch_model.bin")));
    assert_int_equal(result.files[1].size, BIG_BYTES);
    assert_false(result.files[1].was_cached);
    ls_hub_result_release(&result);
}

/* Everything that huggingface_hub 2.4.0 leaves after snapshot_download and hf_hub_download of these
 * files from this server, as find(1) printed it, but for models--acme--tiny/trees, a listing that
 * only newer versions keep; 0.30.2 leaves the same without CACHEDIR.TAG. */
#define BIG "5a67e7e545f6c42a3662c41aa6e0ede53d2a9011915681169310b402a518bf24"
#define CONFIG "230d5f4da0da586aad26ead694ea67cd15bd6df1"
#define TOKENIZER "9e26dfeeb6e641a33dae4961196235bdb965b21b"
#define TRAIN "6a99546f4b02bc5c0dd7cee821178837f50b7700"
#define SNAPSHOT "models--acme--tiny/snapshots/" MAIN_COMMIT
static const char layout[] =
    ".locks/datasets--acme--sums/" TRAIN ".lock\n"
    ".locks/models--acme--tiny/" CONFIG ".lock\n"
    ".locks/models--acme--tiny/" BIG ".lock\n"
    ".locks/models--acme--tiny/" TOKENIZER ".lock\n"
    "CACHEDIR.TAG\n"
    "datasets--acme--sums/blobs/" TRAIN "\n"
    "datasets--acme--sums/refs/main\n"
    "datasets--acme--sums/snapshots/" MAIN_COMMIT "/main/train.jsonl -> ../../../blobs/" TRAIN "\n"
    "models--acme--tiny/blobs/" CONFIG "\n"
    "models--acme--tiny/blobs/" BIG "\n"
    "models--acme--tiny/blobs/" TOKENIZER "\n"
    "models--acme--tiny/refs/main\n" SNAPSHOT "/config.json -> ../../blobs/" CONFIG "\n" SNAPSHOT
    "/model.safetensors -> ../../blobs/" BIG "\n" SNAPSHOT
    "/tokenizer.json -> ../../blobs/" TOKENIZER "\n";

static void the_cache_has_the_layout_of_huggingface_hub(void **state)
{
    (void)state;
    char folder[LS_PATH_MAX];
    ls_str tree = LS_STR_INIT;
    pull_ok("hf:acme/tiny");
    pull_ok("hf:datasets/acme/sums/main/train.jsonl");
    append_tree(&tree, at_hub(folder, ""), "");
    if (strcmp(tree.data, layout) != 0)
        fail_msg("the cache holds\n%s", tree.data);
    ls_str_release(&tree);
}

static void a_second_pull_downloads_nothing(void **state)
{
    (void)state;
    ls_hub_result result;
    pull_ok("hf:acme/tiny");
    int before = hub.n_log;
    assert_int_equal(pull(&result, "hf:acme/tiny"), LEASH_OK);
    assert_true(result.files[0].was_cached && result.files[1].was_cached);
    assert_int_equal(hub.n_log, before + 1); /* the listing */
    ls_hub_result_release(&result);
}

static void revisions_share_blobs(void **state)
{
    (void)state;
    char folder[LS_PATH_MAX], **names;
    int64_t n;
    pull_ok("hf:acme/tiny");
    int before = fake_hub_count(&hub, "", true);
    pull_ok("hf:acme/tiny@v1");
    assert_int_equal(fake_hub_count(&hub, "", true), before);
    assert_int_equal(ls_dir_list(&names, &n, at_hub(folder, "models--acme--tiny/blobs")), LEASH_OK);
    assert_int_equal(n, 3); /* the two-byte tokenizer and the two-byte configuration are one */
    ls_names_free(names, n);
    check_file(at_hub(folder, "models--acme--tiny/refs/v1"), OLD_COMMIT, 40);
    check_file(at_hub(folder, "models--acme--tiny/refs/main"), MAIN_COMMIT, 40);
}

static void one_file_or_folder_can_be_named(void **state)
{
    (void)state;
    ls_hub_result result;
    assert_int_equal(pull(&result, "hf:datasets/acme/sums/main"), LEASH_OK);
    assert_int_equal(result.n_files, 2);
    assert_true(ls_ends_with(result.path, MAIN_COMMIT "/main"));
    char path[LS_PATH_MAX];
    check_file(ls_path_join(path, result.path, "empty.jsonl"), "", 0);
    ls_hub_result_release(&result);
    assert_int_equal(pull(&result, "hf:datasets/acme/sums/other/test.jsonl"), LEASH_OK);
    check_file(result.path, files[8].bytes, files[8].n);
    ls_hub_result_release(&result);
}

static void patterns_choose_files(void **state)
{
    (void)state;
    ls_hub_result result;
    const char *const include[] = {"token*", "*.bin"};
    assert_int_equal(
        ls_hub_pull(&result,
                    &(ls_hub_request){.spec = "hf:acme/tiny", .include = include, .n_include = 2}),
        LEASH_OK);
    assert_int_equal(result.n_files, 2);
    assert_string_equal(result.files[0].name, "pytorch_model.bin");
    assert_string_equal(result.files[1].name, "tokenizer.json");
    ls_hub_result_release(&result);
}

static void a_mirror_without_hashes_in_its_listing_is_asked_for_each(void **state)
{
    (void)state;
    hub.trouble.hides_blobs = true;
    pull_ok("hf:acme/tiny");
    assert_int_equal(fake_hub_count(&hub, "HEAD", false), 3);
    char path[LS_PATH_MAX];
    check_file(blob_path(path, &files[1], ""), big, BIG_BYTES);
}

static void small_chunks_make_the_same_file(void **state)
{
    (void)state;
    char path[LS_PATH_MAX];
    hub.trouble.chunk = 1000;
    pull_ok("hf:acme/tiny");
    check_file(blob_path(path, &files[1], ""), big, BIG_BYTES);
}

typedef struct seen {
    int64_t last, total, n_calls, n_files;
} seen;

static void watch(void *user, const ls_hub_progress *p)
{
    seen *s = user;
    assert_true(p->received >= s->last && p->received <= p->total);
    s->last = p->received;
    s->total = p->total;
    s->n_files = p->n_files;
    s->n_calls++;
}

static void progress_counts_all_bytes_also_when_they_are_cached(void **state)
{
    (void)state;
    for (int i = 0; i < 2; i++) {
        ls_hub_result result;
        seen s = {0};
        assert_int_equal(
            ls_hub_pull(&result, &(ls_hub_request){.spec = "hf:acme/tiny",
                                                   .hooks = {.user = &s, .on_progress = watch}}),
            LEASH_OK);
        assert_int_equal(s.total, BIG_BYTES + 25);
        assert_int_equal(s.last, s.total);
        assert_int_equal(s.n_files, 3);
        assert_true(s.n_calls >= 3);
        ls_hub_result_release(&result);
    }
}

/* --- cuts --- */

static void a_cut_download_goes_on_where_it_stopped(void **state)
{
    (void)state;
    char path[LS_PATH_MAX];
    hub.trouble.n_cuts = 2;
    hub.trouble.cut_bytes = 100000;
    pull_ok("hf:acme/tiny");
    check_file(blob_path(path, &files[1], ""), big, BIG_BYTES);
    assert_false(ls_file_exists(blob_path(path, &files[1], ".incomplete")));
    int64_t n_ranges = 0;
    for (int i = 0; i < hub.n_log; i++)
        if (hub.log[i].is_store && hub.log[i].range[0] != '\0')
            assert_string_equal(hub.log[i].range,
                                n_ranges++ == 0 ? "bytes=100000-" : "bytes=200000-");
    assert_int_equal(n_ranges, 2);
    assert_true(waited >= 1);
}

static void a_later_pull_goes_on_after_one_that_gave_up(void **state)
{
    (void)state;
    char path[LS_PATH_MAX];
    hub.trouble.n_cuts = 100;
    hub.trouble.cut_bytes = 0;
    pull_fails("hf:acme/tiny", LEASH_IO, "model.safetensors");
    hub.trouble.n_cuts = 0;
    assert_true(ls_file_exists(blob_path(path, &files[1], ".incomplete")));
    assert_false(ls_file_exists(at_hub(path, "models--acme--tiny/refs/main")));
    assert_int_equal(ls_file_write_synced(blob_path(path, &files[1], ".incomplete"), big, 123),
                     LEASH_OK);
    pull_ok("hf:acme/tiny");
    assert_string_equal(hub.log[hub.n_log - 2].range, "bytes=123-"); /* then the tokenizer */
    check_file(blob_path(path, &files[1], ""), big, BIG_BYTES);
}

static void a_server_without_ranges_sends_the_whole_again(void **state)
{
    (void)state;
    char path[LS_PATH_MAX];
    hub.trouble.n_cuts = 1;
    hub.trouble.cut_bytes = 100000;
    hub.trouble.ignores_ranges = true;
    pull_ok("hf:acme/tiny");
    check_file(blob_path(path, &files[1], ""), big, BIG_BYTES);
}

/* Writes bytes as if an earlier pull had left them. */
static void leave_incomplete(const char *bytes, size_t n)
{
    char path[LS_PATH_MAX];
    assert_int_equal(ls_dir_make(at_hub(path, "models--acme--tiny/blobs")), LEASH_OK);
    assert_int_equal(ls_file_write_synced(blob_path(path, &files[1], ".incomplete"), bytes, n),
                     LEASH_OK);
}

static void wrong_bytes_of_an_earlier_pull_are_replaced(void **state)
{
    (void)state;
    char path[LS_PATH_MAX];
    leave_incomplete("not these", 9);
    pull_ok("hf:acme/tiny");
    check_file(blob_path(path, &files[1], ""), big, BIG_BYTES);
}

static void a_rest_that_is_too_long_is_dropped(void **state)
{
    (void)state;
    char path[LS_PATH_MAX], *longer = ls_calloc(1, BIG_BYTES + 1);
    leave_incomplete(longer, BIG_BYTES + 1);
    pull_ok("hf:acme/tiny");
    check_file(blob_path(path, &files[1], ""), big, BIG_BYTES);
    /* without sizes the server says it, by 416 */
    assert_int_equal(unlink(path), 0);
    leave_incomplete(longer, BIG_BYTES + 1);
    hub.trouble.hides_blobs = true;
    pull_ok("hf:acme/tiny");
    check_file(blob_path(path, &files[1], ""), big, BIG_BYTES);
    ls_free(longer);
}

static void a_whole_rest_is_only_checked(void **state)
{
    (void)state;
    char path[LS_PATH_MAX];
    leave_incomplete(big, BIG_BYTES);
    pull_ok("hf:acme/tiny");
    check_file(blob_path(path, &files[1], ""), big, BIG_BYTES);
    assert_int_equal(fake_hub_count(&hub, "", true), 0);
}

static int n_until_stop;

static bool stop_soon(void)
{
    return --n_until_stop < 0;
}

static void a_stop_leaves_what_came_for_the_next_pull(void **state)
{
    (void)state;
    ls_hub_result result;
    n_until_stop = 0;
    leash_status status = ls_hub_pull(
        &result, &(ls_hub_request){.spec = "hf:acme/tiny", .hooks = {.should_stop = stop_soon}});
    assert_int_equal(status, LEASH_INTERRUPTED);
    ls_hub_result_release(&result);
    pull_ok("hf:acme/tiny");
}

/* --- hashes --- */

static void a_wrong_hash_is_refused_and_the_file_removed(void **state)
{
    (void)state;
    char path[LS_PATH_MAX];
    hub.trouble.n_flips = 1;
    pull_fails("hf:acme/tiny", LEASH_FORMAT, "hash");
    assert_false(ls_file_exists(blob_path(path, &files[1], "")));
    assert_false(ls_file_exists(blob_path(path, &files[1], ".incomplete")));
    pull_ok("hf:acme/tiny");
    check_file(blob_path(path, &files[1], ""), big, BIG_BYTES);
}

static void a_blob_that_lost_bytes_is_brought_again(void **state)
{
    (void)state;
    char path[LS_PATH_MAX];
    pull_ok("hf:acme/tiny");
    assert_int_equal(truncate(blob_path(path, &files[1], ""), 10), 0);
    pull_ok("hf:acme/tiny");
    check_file(path, big, BIG_BYTES);
}

static void more_bytes_than_were_promised_are_refused(void **state)
{
    (void)state;
    hub.trouble.lies_by = 1;
    pull_fails("hf:acme/tiny", LEASH_FORMAT, "more than the 299999 bytes");
}

/* --- the disk --- */

static void a_file_that_cannot_fit_is_refused_before_it_is_asked_for(void **state)
{
    (void)state;
    hub.trouble.other_name = "model-00002-of-00002.safetensors";
    hub.trouble.other_size = (int64_t)1 << 60;
    pull_fails("hf:acme/tiny", LEASH_IO, "HF_HUB_CACHE");
    assert_non_null(strstr(leash_error(), "needs 1024.0 PiB"));
    for (int i = 0; i < hub.n_log; i++)
        assert_null(strstr(hub.log[i].target, "00002"));
}

static void a_full_disk_comes_with_a_remedy(void **state)
{
    (void)state;
    char path[LS_PATH_MAX];
    assert_int_equal(ls_dir_make(at_hub(path, "models--acme--tiny/blobs")), LEASH_OK);
    assert_int_equal(symlink("/dev/full", blob_path(path, &files[0], ".incomplete")), 0);
    pull_fails("hf:acme/tiny", LEASH_IO, "is full: free some space or set HF_HUB_CACHE");
}

/* --- the server's refusals --- */

static void busy_answers_are_waited_for_as_the_server_asks(void **state)
{
    (void)state;
    static const int statuses[] = {429, 500, 502, 503};
    for (size_t i = 0; i < LS_COUNT(statuses); i++) {
        waited = 0;
        hub.trouble.busy = statuses[i];
        hub.trouble.n_busy = 2;
        pull_ok("hf:acme/tiny");
        assert_int_equal((int)waited, 14); /* Retry-After: 7 */
    }
}

static void endless_refusals_end_after_some_attempts(void **state)
{
    (void)state;
    hub.trouble.busy = 503;
    hub.trouble.n_busy = 1000;
    pull_fails("hf:acme/tiny", LEASH_IO, "503");
    assert_int_equal(hub.n_log, 5);
    hub.trouble.busy = 429;
    pull_fails("hf:acme/tiny", LEASH_IO, "fewer requests");
}

static void a_missing_token_is_asked_for(void **state)
{
    (void)state;
    hub.trouble.token = "hf_right";
    pull_fails("hf:acme/tiny", LEASH_IO, "set HF_TOKEN (none was sent)");
    hub.trouble.is_gated = true;
    pull_fails("hf:acme/tiny", LEASH_IO, "ask for it at http://127.0.0.1");
    setenv("HF_TOKEN", "hf_wrong", 1);
    pull_fails("hf:acme/tiny", LEASH_IO, "one was sent");
    assert_null(strstr(leash_error(), "hf_wrong"));
    setenv("HF_TOKEN", "hf_right", 1);
    pull_ok("hf:acme/tiny");
}

static void the_token_stays_at_the_endpoint(void **state)
{
    (void)state;
    setenv("HF_TOKEN", "hf_right", 1);
    hub.trouble.token = "hf_right";
    hub.trouble.n_cuts = 1;
    hub.trouble.cut_bytes = 5;
    pull_ok("hf:acme/tiny");
    assert_true(fake_hub_count(&hub, "", true) >= 2);
    for (int i = 0; i < hub.n_log; i++)
        assert_int_equal(hub.log[i].has_token, !hub.log[i].is_store);
}

static void a_redirect_within_the_endpoint_keeps_the_token(void **state)
{
    (void)state;
    setenv("HF_TOKEN", "hf_right", 1);
    hub.trouble.token = "hf_right";
    pull_ok("hf:acme/old");
}

static void names_and_revisions_that_are_not_there_are_told(void **state)
{
    (void)state;
    pull_fails("hf:acme/none", LEASH_IO, "acme/none");
    pull_fails("hf:acme/tiny@v7", LEASH_IO, "revision v7");
    pull_fails("hf:acme/tiny/x.gguf", LEASH_IO, "model.safetensors");
}

static void a_name_that_leaves_the_folder_is_refused(void **state)
{
    (void)state;
    char path[LS_PATH_MAX];
    static const char *const bad[] = {"../../../evil.json", "/etc/evil.json", "a//b.json",
                                      "a/../b.json"};
    for (size_t i = 0; i < LS_COUNT(bad); i++) {
        hub.trouble.other_name = bad[i];
        pull_fails("hf:acme/tiny", LEASH_FORMAT, "leave the cache");
        assert_false(ls_dir_exists(at_hub(path, "models--acme--tiny")));
    }
}

static void a_server_that_is_no_hub_is_told(void **state)
{
    (void)state;
    hub.trouble.other_name = "\"";
    pull_fails("hf:acme/tiny", LEASH_FORMAT, "no JSON");
    char closed[64];
    snprintf(closed, sizeof closed, "http://127.0.0.1:%d", 1);
    setenv("HF_ENDPOINT", closed, 1);
    pull_fails("hf:acme/tiny", LEASH_IO, "check the network");
    assert_int_equal((int)waited, 1 + 2 + 4 + 8);
}

/* --- offline --- */

static void offline_uses_what_is_there_and_asks_nobody(void **state)
{
    (void)state;
    char path[LS_PATH_MAX];
    pull_ok("hf:acme/tiny");
    setenv("HF_HUB_OFFLINE", "1", 1);
    int before = hub.n_log;
    pull_ok("hf:acme/tiny");
    pull_ok("hf:acme/tiny@" MAIN_COMMIT);
    assert_int_equal(ls_hub_resolve(path, "hf:acme/tiny/model.safetensors"), LEASH_OK);
    check_file(path, big, BIG_BYTES);
    pull_fails("hf:acme/tiny@v1", LEASH_IO, "holds main");
    pull_fails("hf:acme/other", LEASH_IO, "offline");
    pull_fails("hf:acme/tiny/x.gguf", LEASH_IO, "model.safetensors");
    assert_int_equal(hub.n_log, before);
}

static void keep_line(void *user, ls_log_level level, const char *line)
{
    if (level >= LS_LOG_WARN)
        ls_str_append(user, line);
}

static void a_setting_uses_the_cache_when_the_hub_is_down(void **state)
{
    (void)state;
    char path[LS_PATH_MAX];
    ls_str warning = LS_STR_INIT;
    assert_int_equal(ls_hub_resolve(path, "hf:acme/tiny"), LEASH_OK);
    hub.trouble.busy = 503;
    hub.trouble.n_busy = 1;
    ls_log_set_sink(keep_line, &warning, LS_LOG_INFO);
    path[0] = '\0';
    assert_int_equal(ls_hub_resolve(path, "hf:acme/tiny"), LEASH_OK);
    ls_log_set_sink(NULL, NULL, LS_LOG_INFO);
    assert_true(ls_ends_with(path, MAIN_COMMIT));
    assert_non_null(strstr(warning.data, "503"));
    assert_non_null(strstr(warning.data, MAIN_COMMIT));
    ls_str_release(&warning);
}

/* --- several at once --- */

static void *pull_in_thread(void *user)
{
    ls_hub_result result;
    *(leash_status *)user = pull(&result, "hf:acme/tiny");
    ls_hub_result_release(&result);
    return NULL;
}

static void several_pulls_at_once_download_each_blob_once(void **state)
{
    (void)state;
    char path[LS_PATH_MAX];
    pthread_t threads[6];
    leash_status statuses[6];
    for (int i = 0; i < 6; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, pull_in_thread, &statuses[i]), 0);
    for (int i = 0; i < 6; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(statuses[i], LEASH_OK);
    }
    check_file(blob_path(path, &files[1], ""), big, BIG_BYTES);
    assert_int_equal(fake_hub_count(&hub, "", true), 1);
}

int main(void)
{
#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        CASE(a_pull_brings_the_files_of_a_model),
        CASE(the_cache_has_the_layout_of_huggingface_hub),
        CASE(a_second_pull_downloads_nothing),
        CASE(revisions_share_blobs),
        CASE(one_file_or_folder_can_be_named),
        CASE(patterns_choose_files),
        CASE(a_mirror_without_hashes_in_its_listing_is_asked_for_each),
        CASE(small_chunks_make_the_same_file),
        CASE(progress_counts_all_bytes_also_when_they_are_cached),
        CASE(a_cut_download_goes_on_where_it_stopped),
        CASE(a_later_pull_goes_on_after_one_that_gave_up),
        CASE(a_server_without_ranges_sends_the_whole_again),
        CASE(wrong_bytes_of_an_earlier_pull_are_replaced),
        CASE(a_rest_that_is_too_long_is_dropped),
        CASE(a_whole_rest_is_only_checked),
        CASE(a_stop_leaves_what_came_for_the_next_pull),
        CASE(a_wrong_hash_is_refused_and_the_file_removed),
        CASE(a_blob_that_lost_bytes_is_brought_again),
        CASE(more_bytes_than_were_promised_are_refused),
        CASE(a_file_that_cannot_fit_is_refused_before_it_is_asked_for),
        CASE(a_full_disk_comes_with_a_remedy),
        CASE(busy_answers_are_waited_for_as_the_server_asks),
        CASE(endless_refusals_end_after_some_attempts),
        CASE(a_missing_token_is_asked_for),
        CASE(the_token_stays_at_the_endpoint),
        CASE(a_redirect_within_the_endpoint_keeps_the_token),
        CASE(names_and_revisions_that_are_not_there_are_told),
        CASE(a_name_that_leaves_the_folder_is_refused),
        CASE(a_server_that_is_no_hub_is_told),
        CASE(offline_uses_what_is_there_and_asks_nobody),
        CASE(a_setting_uses_the_cache_when_the_hub_is_down),
        CASE(several_pulls_at_once_download_each_blob_once),
    };
#undef CASE
    for (int i = 0; i < BIG_BYTES; i++)
        big[i] = (char)(i * 7 + i / 251);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
