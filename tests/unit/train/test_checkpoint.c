/* Checkpoints: what is in them, which is the latest, what a failure leaves, and final/. */
#include "train_fixture.h"

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/log.h"
#include "formats/hf_folder.h"

static char warnings[4 * LS_PATH_MAX];

static void keep_warnings(void *user, ls_log_level level, const char *line)
{
    (void)user;
    (void)level;
    size_t n = strlen(warnings);
    snprintf(warnings + n, sizeof warnings - n, "%s\n", line);
}

static int open_quiet(void **state)
{
    ls_log_set_sink(keep_warnings, NULL, LS_LOG_WARN);
    warnings[0] = '\0';
    return open_fixture(state);
}

static void save(int64_t step, int64_t keep)
{
    assert_ok(train_fixture_save(&t, step, keep));
}

static void assert_latest(const char *name)
{
    char path[LS_PATH_MAX];
    assert_ok(ls_checkpoint_latest(path, t.root));
    assert_string_equal(path, at(name));
    assert_string_equal(leash_error(), "");
}

static void flip(const char *path, size_t byte)
{
    ls_str text = LS_STR_INIT;
    assert_ok(ls_file_read(&text, path));
    text.data[byte] ^= 1;
    assert_ok(ls_file_write_synced(path, text.data, text.len));
    ls_str_release(&text);
}

/* --- what is in it --- */

static void weights_moments_and_state_come_back_to_the_bit(void **state)
{
    (void)state;
    save(7, 2);
    train_fixture_assert_loads(&t, at("checkpoints/step-7"), 7);
}

static void special_floats_come_back_to_the_bit(void **state)
{
    (void)state;
    static const uint32_t bits[] = {0x00000001, 0x80000000, 0x807fffff, 0x7f7fffff, 0x00800000};
    float want[LS_COUNT(bits)];
    train_fixture_fill(&t, 1);
    memcpy(want, bits, sizeof want);
    memcpy(t.f.model->data + 9, want, sizeof want);
    memcpy(t.optimizer.m + 3, want, sizeof want);
    assert_ok(
        ls_checkpoint_save(t.root, &t.state, t.f.model, &t.optimizer, NULL, t.tokenizer, NULL, 2));
    train_fixture_fill(&t, 2);
    assert_ok(
        ls_checkpoint_load(at("checkpoints/step-1"), &t.state, t.f.model, &t.optimizer, NULL));
    assert_memory_equal(t.f.model->data + 9, want, sizeof want);
    assert_memory_equal(t.optimizer.m + 3, want, sizeof want);
}

static void it_is_a_model_folder_with_state_beside_and_nothing_else(void **state)
{
    (void)state;
    save(7, 2);
    for (size_t i = 0; i < LS_COUNT(checkpoint_files); i++) {
        char path[LS_PATH_MAX];
        ls_path_join(path, at("checkpoints/step-7"), checkpoint_files[i]);
        assert_true(ls_file_size(path) > 0);
    }
    /* leash_state/ holds two of the files and is a name itself. */
    assert_int_equal(count_names(at("checkpoints/step-7")), LS_COUNT(checkpoint_files) - 1);
    assert_int_equal(count_names(at("checkpoints/step-7/leash_state")), 2);
    ls_model_config config;
    ls_tokenizer *tokenizer;
    assert_ok(ls_hf_read_config(&config, at("checkpoints/step-7")));
    assert_int_equal(config.hidden_size, t.f.model->config.hidden_size);
    assert_ok(ls_tokenizer_load(&tokenizer, at("checkpoints/step-7")));
    assert_int_equal(ls_tokenizer_vocab_size(tokenizer), ls_tokenizer_vocab_size(t.tokenizer));
    ls_tokenizer_free(tokenizer);
}

static void equal_states_give_equal_bytes(void **state)
{
    (void)state;
    save(7, 2);
    assert_int_equal(rename(at("checkpoints/step-7/manifest.json"), at("first.json")), 0);
    save(8, 2);
    save(7, 2);
    ls_str first = LS_STR_INIT, second = LS_STR_INIT;
    assert_ok(ls_file_read(&first, at("first.json")));
    assert_ok(ls_file_read(&second, at("checkpoints/step-7/manifest.json")));
    assert_string_equal(first.data, second.data);
    ls_str_release(&first);
    ls_str_release(&second);
}

/* --- which is the latest --- */

static void the_latest_is_the_greatest_number(void **state)
{
    (void)state;
    save(9, 10);
    save(10, 10);
    save(100, 10);
    assert_latest("checkpoints/step-100");
    save(11, 10);
    assert_latest("checkpoints/step-100");
}

static void other_names_are_no_checkpoints(void **state)
{
    (void)state;
    static const char *const names[] = {"step-05", "step-", "step-7x", "step--8",
                                        "step 9",  "10",    "Step-11", "step-99999999999999999999"};
    save(3, 2);
    for (size_t i = 0; i < LS_COUNT(names); i++) {
        char path[LS_PATH_MAX];
        ls_path_join(path, at("checkpoints"), names[i]);
        assert_ok(ls_dir_make(path));
    }
    write_text(at("checkpoints/.step-12.tmp.1"), "");
    assert_latest("checkpoints/step-3");
    assert_string_equal(warnings, "");
    save(4, 1);
    assert_int_equal(count_names(at("checkpoints")), LS_COUNT(names) + 2);
}

static void a_damaged_one_is_reported_and_passed_over(void **state)
{
    (void)state;
    save(1, 3);
    save(2, 3);
    flip(at("checkpoints/step-2/model.safetensors"), 900);
    assert_latest("checkpoints/step-1");
    assert_non_null(strstr(warnings, "step-2/model.safetensors: damaged: its hash is "));
    train_fixture_assert_loads(&t, at("checkpoints/step-1"), 1);
}

static void without_a_whole_one_every_reason_is_told(void **state)
{
    (void)state;
    char path[LS_PATH_MAX];
    assert_int_equal(ls_checkpoint_latest(path, t.root), LEASH_DATA);
    assert_error_has(": no whole checkpoint in 0 folders checkpoints/step-N");
    save(1, 3);
    save(2, 3);
    flip(at("checkpoints/step-1/config.json"), 5);
    assert_int_equal(unlink(at("checkpoints/step-2/leash_state/state.json")), 0);
    assert_int_equal(ls_checkpoint_latest(path, t.root), LEASH_DATA);
    assert_error_has("step-1/config.json: damaged");
    assert_error_has("step-2/leash_state/state.json: missing, the manifest lists it");
    assert_int_equal(ls_checkpoint_latest(path, at("nowhere")), LEASH_DATA);
}

static void a_folder_without_manifest_is_not_whole(void **state)
{
    (void)state;
    save(1, 2);
    assert_ok(ls_dir_make(at("checkpoints/step-2")));
    assert_latest("checkpoints/step-1");
    assert_int_equal(ls_checkpoint_verify(at("checkpoints/step-2")), LEASH_IO);
    assert_error_has("step-2/manifest.json: no such file");
}

/* --- keeping and replacing --- */

static void only_the_newest_are_kept(void **state)
{
    (void)state;
    for (int64_t step = 8; step <= 12; step++)
        save(step, 2);
    assert_int_equal(count_names(at("checkpoints")), 2);
    assert_true(ls_dir_exists(at("checkpoints/step-11")));
    assert_latest("checkpoints/step-12");
}

static void what_was_damaged_and_is_newer_stays_until_it_is_reached_again(void **state)
{
    (void)state;
    save(1, 2);
    save(9, 2);
    flip(at("checkpoints/step-9/model.safetensors"), 900);
    save(2, 1);
    assert_false(ls_dir_exists(at("checkpoints/step-1")));
    assert_latest("checkpoints/step-2");
    save(9, 1);
    assert_int_equal(count_names(at("checkpoints")), 1);
    train_fixture_assert_loads(&t, at("checkpoints/step-9"), 9);
}

static void a_step_is_replaced_by_saving_it_again(void **state)
{
    (void)state;
    save(5, 2);
    train_fixture_fill(&t, 5);
    t.state.draws = 777;
    assert_ok(
        ls_checkpoint_save(t.root, &t.state, t.f.model, &t.optimizer, NULL, t.tokenizer, NULL, 2));
    assert_int_equal(count_names(at("checkpoints")), 1);
    assert_ok(
        ls_checkpoint_load(at("checkpoints/step-5"), &t.state, t.f.model, &t.optimizer, NULL));
    assert_int_equal(t.state.draws, 777);
}

/* --- a reference that moves --- */

static void a_reference_comes_back_or_is_told_to_be_missing(void **state)
{
    (void)state;
    ls_model *reference, *other;
    assert_ok(ls_model_new(&reference, &t.f.model->config, &t.f.dev, &t.f.run, LS_MODEL_FROZEN, 1));
    ls_model_init_weights(reference, 77);
    uint64_t hash = ls_model_hash(reference);
    train_fixture_fill(&t, 5);
    ls_checkpoint_beside with_reference = {.reference = reference};
    assert_ok(ls_checkpoint_save(t.root, &t.state, t.f.model, &t.optimizer, &with_reference,
                                 t.tokenizer, NULL, 2));
    ls_model_init_weights(reference, 78);
    assert_true(ls_model_hash(reference) != hash);
    assert_ok(ls_checkpoint_load(at("checkpoints/step-5"), &t.state, t.f.model, &t.optimizer,
                                 &with_reference));
    assert_true(ls_model_hash(reference) == hash);

    ls_model_config config = t.f.model->config;
    config.intermediate_size = 12;
    assert_ok(ls_model_new(&other, &config, &t.f.dev, &t.f.run, LS_MODEL_FROZEN, 1));
    ls_checkpoint_beside with_other = {.reference = other};
    assert_int_equal(ls_checkpoint_load(at("checkpoints/step-5"), &t.state, t.f.model, &t.optimizer,
                                        &with_other),
                     LEASH_FORMAT);
    assert_error_has("leash_state/reference.safetensors: model.layers.0.mlp.gate_proj.weight is no "
                     "F32 tensor of shape (12, 8)");
    save(6, 2);
    assert_int_equal(ls_checkpoint_load(at("checkpoints/step-6"), &t.state, t.f.model, &t.optimizer,
                                        &with_reference),
                     LEASH_IO);
    assert_error_has("leash_state/reference.safetensors");
}

static void a_critic_comes_back_with_its_moments(void **state)
{
    (void)state;
    ls_model_config config = t.f.model->config;
    ls_model *critic;
    ls_optimizer moments;
    config.head = LS_HEAD_SCORE;
    config.num_labels = 1;
    assert_ok(ls_model_new(&critic, &config, &t.f.dev, &t.f.run, LS_MODEL_TRAINED, 1));
    ls_model_init_weights(critic, 79);
    ls_optimizer_init(&moments, critic, &t.f.run, &t.optimizer.options);
    uint64_t hash = ls_model_hash(critic);
    moments.m[3] = 0.5f, moments.v[critic->n_params - 1] = 0.25f;
    ls_checkpoint_beside beside = {.critic = critic, .critic_optimizer = &moments};
    train_fixture_fill(&t, 7);
    assert_ok(ls_checkpoint_save(t.root, &t.state, t.f.model, &t.optimizer, &beside, t.tokenizer,
                                 NULL, 2));
    ls_model_init_weights(critic, 80);
    moments.m[3] = moments.v[critic->n_params - 1] = 9;
    assert_ok(
        ls_checkpoint_load(at("checkpoints/step-7"), &t.state, t.f.model, &t.optimizer, &beside));
    assert_true(ls_model_hash(critic) == hash);
    assert_true(moments.m[3] == 0.5f && moments.v[critic->n_params - 1] == 0.25f);
    assert_int_equal(moments.updates, t.state.updates);
    save(8, 2);
    assert_int_equal(
        ls_checkpoint_load(at("checkpoints/step-8"), &t.state, t.f.model, &t.optimizer, &beside),
        LEASH_IO);
    assert_error_has("leash_state/critic.safetensors");
}

/* --- another model --- */

static void a_checkpoint_of_another_model_changes_nothing(void **state)
{
    (void)state;
    save(5, 2);
    train_fixture other;
    train_fixture_open(&other);
    ls_model_config config = other.f.model->config;
    config.intermediate_size = 12;
    assert_ok(
        ls_model_new(&other.f.model, &config, &other.f.dev, &other.f.run, LS_MODEL_TRAINED, 1));
    ls_optimizer_init(&other.optimizer, other.f.model, &other.f.run, &t.optimizer.options);
    train_fixture_fill(&other, 3);
    uint64_t before = ls_model_hash(other.f.model);
    assert_int_equal(ls_checkpoint_load(at("checkpoints/step-5"), &other.state, other.f.model,
                                        &other.optimizer, NULL),
                     LEASH_FORMAT);
    assert_error_has(
        "leash_state/optimizer.safetensors: m.model.layers.0.mlp.gate_proj.weight is no "
        "F32 tensor of shape (12, 8); the checkpoint is of another model");
    assert_true(ls_model_hash(other.f.model) == before);
    assert_int_equal(other.state.step, 3);
    assert_int_equal(other.optimizer.updates, 7);
    train_fixture_close(&other);
}

/* --- failures --- */

static void a_full_disk_leaves_what_was_there(void **state)
{
    (void)state;
    struct rlimit old, limit;
    int64_t largest = 0, n_failed = 0;
    save(1, 2);
    for (size_t i = 0; i < LS_COUNT(checkpoint_files); i++) {
        char path[LS_PATH_MAX];
        int64_t size =
            ls_file_size(ls_path_join(path, at("checkpoints/step-1"), checkpoint_files[i]));
        largest = size > largest ? size : largest;
    }
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    /* Every file is the first to fail for some limit. */
    for (int64_t bytes = 0; bytes < largest; bytes += 100) {
        limit = (struct rlimit){.rlim_cur = (rlim_t)bytes, .rlim_max = old.rlim_max};
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
        leash_status status = train_fixture_save(&t, 2, 1);
        assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
        assert_int_equal(status, LEASH_IO);
        assert_error_has("the checkpoint of step 2 was not saved: cannot write ");
        assert_error_has(": File too large");
        assert_int_equal(count_names(at("checkpoints")), 1);
        assert_ok(ls_checkpoint_verify(at("checkpoints/step-1")));
        n_failed++;
    }
    print_message("%lld saves failed on a full disk, the older checkpoint stayed whole\n",
                  (long long)n_failed);
    assert_string_equal(warnings, "");
    save(2, 1);
    assert_latest("checkpoints/step-2");
}

static void a_place_that_cannot_be_written_is_named(void **state)
{
    (void)state;
    train_fixture_fill(&t, 1);
    write_text(at("file"), "");
    assert_int_equal(ls_checkpoint_save(at("file"), &t.state, t.f.model, &t.optimizer, NULL,
                                        t.tokenizer, NULL, 2),
                     LEASH_IO);
    assert_error_has("the checkpoint of step 1 was not saved: cannot ");
    assert_error_has("/file/");
    assert_int_equal(
        ls_checkpoint_save("/proc", &t.state, t.f.model, &t.optimizer, NULL, t.tokenizer, NULL, 2),
        LEASH_IO);
    assert_error_has("/proc/checkpoints");
    char path[LS_PATH_MAX], longest[LS_PATH_MAX + 100];
    memset(longest, 'a', sizeof longest - 1);
    longest[sizeof longest - 1] = '\0';
    assert_int_equal(ls_checkpoint_latest(path, longest), LEASH_USAGE);
    assert_error_has("a path of 4195 bytes is too long (at most 3584)");
    assert_int_equal(ls_checkpoint_verify(longest), LEASH_USAGE);
    assert_int_equal(ls_checkpoint_clean(longest), LEASH_USAGE);
    assert_int_equal(ls_checkpoint_publish(longest, at("x")), LEASH_USAGE);
}

static void a_place_taken_by_a_file_is_an_error(void **state)
{
    (void)state;
    save(1, 2);
    write_text(at("checkpoints/step-2"), "");
    assert_int_equal(train_fixture_save(&t, 2, 2), LEASH_IO);
    assert_error_has("the checkpoint of step 2 was not saved: cannot rename ");
    assert_int_equal(count_names(at("checkpoints")), 2);
    assert_latest("checkpoints/step-1");
}

/* --- final --- */

static void assert_final_is(int64_t step)
{
    assert_ok(ls_checkpoint_verify(at("final")));
    train_fixture_assert_loads(&t, at("final"), step);
    assert_int_equal(count_names(at("final")), LS_COUNT(checkpoint_files) - 1);
}

static void final_is_a_whole_copy_that_outlives_the_checkpoint(void **state)
{
    (void)state;
    struct stat a, b;
    save(5, 1);
    assert_ok(ls_checkpoint_publish(t.root, at("checkpoints/step-5")));
    assert_int_equal(stat(at("checkpoints/step-5/model.safetensors"), &a), 0);
    assert_int_equal(stat(at("final/model.safetensors"), &b), 0);
    assert_int_equal(a.st_ino, b.st_ino);
    save(6, 1);
    assert_false(ls_dir_exists(at("checkpoints/step-5")));
    assert_final_is(5);
    assert_ok(ls_checkpoint_publish(t.root, at("checkpoints/step-6")));
    assert_final_is(6);
    assert_int_equal(count_names(t.root), 2);
}

/* From another file system where the fixture is in memory, so that names cannot be shared. */
static void final_can_come_from_elsewhere(void **state)
{
    (void)state;
    char elsewhere[] = "/tmp/leash_test_final.XXXXXX", checkpoint[LS_PATH_MAX];
    assert_non_null(mkdtemp(elsewhere));
    train_fixture_fill(&t, 4);
    assert_ok(ls_checkpoint_save(elsewhere, &t.state, t.f.model, &t.optimizer, NULL, t.tokenizer,
                                 NULL, 1));
    assert_ok(
        ls_checkpoint_publish(t.root, ls_path_join(checkpoint, elsewhere, "checkpoints/step-4")));
    assert_ok(ls_dir_remove(elsewhere));
    assert_final_is(4);
}

static void a_damaged_checkpoint_is_not_published(void **state)
{
    (void)state;
    save(5, 2);
    save(6, 2);
    assert_ok(ls_checkpoint_publish(t.root, at("checkpoints/step-5")));
    flip(at("checkpoints/step-6/tokenizer.json"), 3);
    assert_int_equal(ls_checkpoint_publish(t.root, at("checkpoints/step-6")), LEASH_FORMAT);
    assert_error_has("/final was not made: ");
    assert_error_has("step-6/tokenizer.json: damaged");
    assert_final_is(5);
    assert_int_equal(count_names(t.root), 2);
}

/* --- removing --- */

static void cleaning_removes_temporary_folders_alone(void **state)
{
    (void)state;
    save(5, 2);
    assert_ok(ls_checkpoint_publish(t.root, at("checkpoints/step-5")));
    assert_ok(ls_dir_make(at("checkpoints/.step-6.tmp.123/leash_state")));
    assert_ok(ls_dir_make(at("checkpoints/.step-4.tmp.99")));
    assert_ok(ls_dir_make(at(".final.tmp.123")));
    assert_ok(ls_dir_make(at("checkpoints/.mine")));
    assert_ok(ls_dir_make(at(".final")));
    assert_ok(ls_checkpoint_clean(t.root));
    assert_int_equal(count_names(at("checkpoints")), 2);
    assert_int_equal(count_names(t.root), 3);
    assert_latest("checkpoints/step-5");
    assert_final_is(5);
    assert_ok(ls_checkpoint_clean(at("nowhere")));
}

static void removing_all_leaves_an_empty_directory(void **state)
{
    (void)state;
    save(5, 2);
    save(6, 2);
    assert_ok(ls_checkpoint_publish(t.root, at("checkpoints/step-6")));
    assert_ok(ls_dir_make(at("checkpoints/.step-7.tmp.123")));
    assert_ok(ls_checkpoint_remove_all(t.root));
    assert_int_equal(count_names(t.root), 0);
    assert_ok(ls_checkpoint_remove_all(t.root));
}

#define claim(name) cmocka_unit_test_setup_teardown(name, open_quiet, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        claim(weights_moments_and_state_come_back_to_the_bit),
        claim(special_floats_come_back_to_the_bit),
        claim(it_is_a_model_folder_with_state_beside_and_nothing_else),
        claim(equal_states_give_equal_bytes),
        claim(the_latest_is_the_greatest_number),
        claim(other_names_are_no_checkpoints),
        claim(a_damaged_one_is_reported_and_passed_over),
        claim(without_a_whole_one_every_reason_is_told),
        claim(a_folder_without_manifest_is_not_whole),
        claim(only_the_newest_are_kept),
        claim(what_was_damaged_and_is_newer_stays_until_it_is_reached_again),
        claim(a_step_is_replaced_by_saving_it_again),
        claim(a_reference_comes_back_or_is_told_to_be_missing),
        claim(a_critic_comes_back_with_its_moments),
        claim(a_checkpoint_of_another_model_changes_nothing),
        claim(a_full_disk_leaves_what_was_there),
        claim(a_place_that_cannot_be_written_is_named),
        claim(a_place_taken_by_a_file_is_an_error),
        claim(final_is_a_whole_copy_that_outlives_the_checkpoint),
        claim(final_can_come_from_elsewhere),
        claim(a_damaged_checkpoint_is_not_published),
        claim(cleaning_removes_temporary_folders_alone),
        claim(removing_all_leaves_an_empty_directory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
