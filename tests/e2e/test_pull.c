/* leash pull, and models and datasets by their names on a hub, against one on this machine. */
#include "run.h"

#include "fake_hub.h"

#define TASK "--task arithmetic --task_args digits=1"
#define ROWS                                                                                 \
    "{\"prompt\": \"1+1=\", \"completion\": \"2\"}\n{\"prompt\": \"1+2=\", \"completion\": " \
    "\"3\"}\n"

static fake_hub hub;
#define N_MODEL_FILES 4

static ls_str contents[N_MODEL_FILES];
static fake_file files[] = {
    {"acme/made", MAIN_COMMIT, "config.json", NULL, 0, false},
    {"acme/made", MAIN_COMMIT, "model.safetensors", NULL, 0, true},
    {"acme/made", MAIN_COMMIT, "tokenizer.json", NULL, 0, false},
    {"acme/made", MAIN_COMMIT, "tokenizer_config.json", NULL, 0, false},
    {"datasets/acme/sums", MAIN_COMMIT, "main/train.jsonl", ROWS, sizeof ROWS - 1, false},
};

/* A model that leash made, put on the hub. */
static int set_up(void **state)
{
    (void)state;
    char endpoint[64];
    if (run_workspace_open() != 0)
        return -1;
    run_ok("pretrain --model tiny %s --max_steps 1 --output_dir made", TASK);
    for (int i = 0; i < N_MODEL_FILES; i++) {
        contents[i] = run_read_file("made/final/%s", files[i].name);
        files[i].bytes = contents[i].data;
        files[i].n = contents[i].len;
    }
    fake_hub_start(&hub, files, (int)LS_COUNT(files));
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%d", hub.ports[0]);
    setenv("HF_ENDPOINT", endpoint, 1);
    setenv("HF_HUB_CACHE", "cache", 1);
    setenv("no_proxy", "*", 1);
    unsetenv("HF_TOKEN");
    setenv("HF_TOKEN_PATH", "no-token", 1);
    unsetenv("HF_HUB_OFFLINE");
    unsetenv("TRANSFORMERS_OFFLINE");
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_hub_stop(&hub);
    for (int i = 0; i < N_MODEL_FILES; i++)
        ls_str_release(&contents[i]);
    return run_workspace_close();
}

static void pull_prints_the_path_and_tells_the_files_beside(void **state)
{
    (void)state;
    run_result r = run_program("pull hf:acme/made");
    assert_int_equal(r.code, 0);
    assert_string_equal(r.out.data, "cache/models--acme--made/snapshots/" MAIN_COMMIT "\n");
    assert_non_null(strstr(r.err.data, "model.safetensors"));
    assert_non_null(strstr(r.err.data, "downloaded"));
    run_release(&r);
}

static void pull_in_json_tells_paths_commits_and_files(void **state)
{
    (void)state;
    char *out = run_output("pull --json hf:acme/made hf:datasets/acme/sums --include '*.json*'");
    json_t *rows = json_loads(out, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_array_size(rows), 2);
    const json_t *model = json_array_get(rows, 0), *data = json_array_get(rows, 1);
    assert_string_equal(json_string_value(json_object_get(model, "commit")), MAIN_COMMIT);
    assert_int_equal(json_array_size(json_object_get(model, "files")), 3);
    const json_t *file = json_array_get(json_object_get(data, "files"), 0);
    assert_string_equal(json_string_value(json_object_get(file, "name")), "main/train.jsonl");
    assert_int_equal(json_integer_value(json_object_get(file, "bytes")), sizeof ROWS - 1);
    json_decref(rows);
    ls_free(out);
}

static void pull_says_what_is_wrong(void **state)
{
    (void)state;
    assert_error(run_program("pull"), 2,
                 "leash pull needs a name: leash pull hf:OWNER/NAME, or hf:datasets/OWNER/NAME");
    assert_error(run_program("pull acme/made"), 2,
                 "'acme/made' is no name on the hub: expected hf:OWNER/NAME, "
                 "hf:datasets/OWNER/NAME, either with @REVISION and /PATH behind it");
    assert_error(run_program("HF_HUB_OFFLINE=1 -- pull hf:acme/none"), 1,
                 "hf:acme/none: offline (HF_HUB_OFFLINE): revision main is not in the cache "
                 "(cache/models--acme--none holds none)");
}

static void a_model_by_its_name_is_the_model_in_the_folder(void **state)
{
    (void)state;
    char *by_folder = run_output("generate --model made --prompt '1+1=' --max_completion_length 8");
    char *by_name =
        run_output("generate --model hf:acme/made --prompt '1+1=' --max_completion_length 8");
    assert_string_equal(by_name, by_folder);
    ls_free(by_folder);
    ls_free(by_name);
}

static void a_dataset_by_its_name_is_the_data_in_the_file(void **state)
{
    (void)state;
    run_write("rows.jsonl", ROWS);
    run_ok("sft --model made --dataset rows.jsonl --max_steps 2 --output_dir by_file");
    run_ok("sft --model made --dataset hf:datasets/acme/sums --max_steps 2 --output_dir by_name");
    ls_str a = run_read_file("by_file/final/model.safetensors"),
           b = run_read_file("by_name/final/model.safetensors");
    assert_int_equal(a.len, b.len);
    assert_memory_equal(a.data, b.data, a.len);
    ls_str_release(&a);
    ls_str_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pull_prints_the_path_and_tells_the_files_beside),
        cmocka_unit_test(pull_in_json_tells_paths_commits_and_files),
        cmocka_unit_test(pull_says_what_is_wrong),
        cmocka_unit_test(a_model_by_its_name_is_the_model_in_the_folder),
        cmocka_unit_test(a_dataset_by_its_name_is_the_data_in_the_file),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
