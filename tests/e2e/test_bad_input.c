/* Bad input of every kind: the exact text on stderr, the exit code, and that nothing else was
 * harmed. */
#include <fcntl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "small_runs.h"

#include "config/state.h"

#define GRPO                                                                              \
    "grpo --per_device_train_batch_size 4 --gradient_accumulation_steps 2 --max_steps 3 " \
    "--save_steps 1 --output_dir out --overwrite " SMALL_RL
#define SFT_FILE "sft --model base --output_dir out --overwrite --dataset "
#define SFT_RUN "sft --max_steps 3 --save_steps 1 --per_device_train_batch_size 8 " SMALL_SFT

typedef struct bad_case {
    const char *arguments;
    int code;
    const char *text;
} bad_case;

static void check_cases(const bad_case *cases, size_t n)
{
    for (size_t i = 0; i < n; i++)
        assert_error(run_program("%s", cases[i].arguments), cases[i].code, cases[i].text);
}

/* --- settings --- */

static void an_unknown_recipe_names_them_all(void **state)
{
    (void)state;
    ls_str text = LS_STR_INIT;
    size_t n;
    const ls_recipe *recipes = ls_recipes(&n);
    ls_str_append(&text, "--recipe: 'grop' is none of ");
    for (size_t i = 0; i < n; i++)
        ls_str_appendf(&text, "%s%s", i ? ", " : "", recipes[i].name);
    ls_str_append(&text, " (did you mean 'grpo'?)");
    assert_error(run_program(GRPO "--recipe grop"), 2, text.data);
    ls_str_release(&text);
}

static void wrong_settings_name_the_key_and_what_it_takes(void **state)
{
    (void)state;
    static const bad_case cases[] = {
        {"gpro", 2, "unknown command 'gpro' (did you mean 'grpo'?); leash --help lists them"},
        {GRPO "--learning_rat 1", 2,
         "--learning_rat: unknown option (did you mean '--learning_rate'?)"},
        {GRPO "--learning_rate abc", 2, "--learning_rate: expected a number, found 'abc'"},
        {GRPO "--learning_rate nan", 2, "--learning_rate: expected a number, found 'nan'"},
        {GRPO "--max_steps 1.5", 2, "--max_steps: expected a whole number, found '1.5'"},
        {GRPO "--learning_rate 11", 2, "--learning_rate: 11 is out of range, allowed are 0 to 10"},
        {GRPO "--packing perhaps", 2,
         "leash grpo takes flags only, found 'perhaps': a setting is --KEY VALUE, a switch --KEY "
         "or --no-KEY"},
        {GRPO "--lr_scheduler_type cosin", 2,
         "--lr_scheduler_type: 'cosin' is none of constant, linear, cosine, wsd (did you mean "
         "'cosine'?)"},
        {GRPO "--reward numbr", 2, "reward: no reward named \"numbr\"; did you mean number?"},
        {GRPO "--task arithmetc", 2,
         "there is no task \"arithmetc\" (did you mean \"arithmetic\"?); the tasks are: "
         "arithmetic, countdown, count, sort, reverse, parity"},
        {GRPO "--task_args digit=1", 2,
         "arguments of task arithmetic: unknown key 'digit' (did you mean 'digits'?)"},
        {GRPO "--tokenizer byte", 2,
         "--tokenizer: 'base' brings its own tokenizer: leave the key out"},
    };
    check_cases(cases, LS_COUNT(cases));
}

static void settings_that_do_not_fit_together_say_what_to_change(void **state)
{
    (void)state;
    static const bad_case cases[] = {
        {"grpo --task arithmetic", 2,
         "no model: give --model a folder or a built-in shape (tiny, 1m, 15m, 135m)"},
        {"grpo --model base", 2,
         "no data: give --dataset a JSONL file, or --task a name (leash info lists them)"},
        {GRPO "--dataset rows.jsonl", 2, "both dataset and task are given: leave one out"},
        {"grpo --model nowhere --task arithmetic", 2,
         "--model: 'nowhere' is neither a folder nor a GGUF file nor a built-in shape (tiny, "
         "1m, 15m, 135m)"},
        {"grpo --model base --dataset rows.jsonl", 2,
         "no reward: give --reward a name, or several with commas (leash info lists them)"},
        {GRPO "--num_generations 1", 2,
         "num_generations is 1, but advantage_estimator grpo compares completions of one prompt; "
         "set num_generations to 2 or more, or advantage_estimator to batch-mean or none"},
        {GRPO "--num_generations 3", 2,
         "a step samples 8 completions, which is no multiple of num_generations = 3: change "
         "generation_batch_size (or per_device_train_batch_size * gradient_accumulation_steps)"},
        {GRPO "--generation_batch_size 12", 2,
         "generation_batch_size = 12 is no multiple of the 8 sequences of an update "
         "(per_device_train_batch_size * gradient_accumulation_steps)"},
        {GRPO "--temperature 0", 2,
         "temperature = 0 is greedy and has no importance ratio: training needs more than 0 "
         "(eval_temperature may be 0)"},
        {GRPO "--grad_leaves 3", 2,
         "grad_leaves = 3 must be a power of two and at most the 8 sequences of an update"},
        {GRPO "--max_completion_length 1000", 2,
         "arithmetic:1: a prompt of 4 tokens and max_completion_length = 1000 do not fit the "
         "model's context of 256: lower max_completion_length"},
        {"sft --model base --dataset rows.jsonl --eval_steps 1 --reward number", 2,
         "eval_steps needs held-out problems: give --eval_dataset a JSONL file (a --task brings "
         "its own)"},
    };
    run_write("rows.jsonl", "{\"prompt\": \"1+1=\", \"completion\": \"2\", \"answer\": \"2\"}\n");
    check_cases(cases, LS_COUNT(cases));
}

static void settings_files_are_named_with_line_and_column(void **state)
{
    (void)state;
    run_write("key.yaml", "model: base\nlearning_rte: 1\n");
    run_write("range.yaml", "model: base\nlearning_rate: 11\n");
    run_write("open.yaml", "model: [base\n");
    static const bad_case cases[] = {
        {GRPO "--config nothing.yaml", 1, "cannot read nothing.yaml: no such file or directory"},
        {GRPO "--config key.yaml", 2,
         "key.yaml:2:1: unknown key 'learning_rte' (did you mean 'learning_rate'?)"},
        {GRPO "--config range.yaml", 2,
         "range.yaml:2:16: learning_rate: 11 is out of range, allowed are 0 to 10"},
        {GRPO "--config open.yaml", 2,
         "open.yaml:2:1: malformed YAML: did not find expected ',' or ']'"},
    };
    check_cases(cases, LS_COUNT(cases));
}

/* --- data --- */

static void bad_rows_are_named_with_file_and_line(void **state)
{
    (void)state;
    run_write("cut.jsonl", "{\"prompt\": \"1+1=\", \"completion\": \"2\"}\n"
                           "{\"prompt\": \"1+1=\", \"completion\": 2\"}\n");
    run_write("column.jsonl", "{\"prompt\": \"1+1=\", \"completion\": \"2\"}\n"
                              "{\"prompt\": \"1+1=\"}\n");
    run_write("list.jsonl", "[1]\n");
    run_write("empty.jsonl", "\n");
    run_write("letter.jsonl", "{\"prompt\": \"1+x=\", \"completion\": \"2\"}\n");
    static const bad_case cases[] = {
        {SFT_FILE "nothing.jsonl", 1, "cannot read nothing.jsonl: no such file or directory"},
        {SFT_FILE "cut.jsonl", 1,
         "cut.jsonl:2:36: malformed JSON: premature end of input near '\"}'"},
        {SFT_FILE "column.jsonl", 1,
         "column.jsonl:2: no schema for training fits: found \"prompt\"; expected {\"prompt\", "
         "\"completion\"}, or {\"messages\"}, or {\"conversations\"}, or {\"text\"}, or "
         "{\"question\", \"answer\"}, or {\"instruction\", \"output\"}; other names are mapped "
         "with "
         "columns, as in prompt=question"},
        {SFT_FILE "list.jsonl", 1,
         "list.jsonl:1: the line is an array, expected one JSON object a line"},
        {SFT_FILE "empty.jsonl", 1,
         "empty.jsonl: there is no row; expected one JSON object a line"},
        {SFT_FILE "letter.jsonl", 1,
         "letter.jsonl:1: column \"prompt\": character \"x\" (U+0078) at byte offset 2 is not "
         "among the 17 characters of the tokenizer"},
    };
    check_cases(cases, LS_COUNT(cases));
}

static void rows_that_are_too_long_are_named(void **state)
{
    (void)state;
    char digits[301];
    memset(digits, '1', 300);
    digits[300] = 0;
    ls_str text = LS_STR_INIT;
    ls_str_appendf(&text,
                   "{\"prompt\": \"1+1=\", \"completion\": \"2\", \"answer\": \"2\"}\n"
                   "{\"prompt\": \"%s\", \"completion\": \"2\", \"answer\": \"2\"}\n",
                   digits);
    run_write("long.jsonl", text.data);
    ls_str_release(&text);
    static const bad_case cases[] = {
        {"grpo --model base --reward number --dataset long.jsonl", 1,
         "long.jsonl:2: the prompt has 300 tokens, the model's context is 256: shorten it, set "
         "max_length to at most 256 and truncation to drop, or use a model with more "
         "max_position_embeddings"},
        {"grpo --model base --reward number --max_length 200 --dataset long.jsonl", 1,
         "long.jsonl:2: the prompt has 300 tokens and leaves no room for a completion in "
         "max_length = 200; prompts are never cut: raise max_length, or set truncation to drop"},
        {SFT_FILE "long.jsonl", 1,
         "long.jsonl:2: the row has 302 tokens, the model's context is 256: set max_length to at "
         "most 256 and truncation to keep_start or drop"},
        {SFT_FILE "long.jsonl --max_length 200", 1,
         "long.jsonl:2: the row has 302 tokens, max_length is 200; raise max_length, or set "
         "truncation to keep_start or drop"},
        {SFT_FILE "long.jsonl --packing", 2,
         "max_length = 1024 is more than the model's context of 256: lower it"},
    };
    check_cases(cases, LS_COUNT(cases));
}

/* --- directories --- */

static void directories_that_cannot_be_written_are_named(void **state)
{
    (void)state;
    run_write("file", "");
    static const bad_case cases[] = {
        {GRPO "--output_dir file/x", 1,
         "cannot create directory file: a file of that name exists (remove it or choose another "
         "name)"},
        {GRPO "--output_dir file", 1,
         "cannot create directory file: a file of that name exists (remove it or choose another "
         "name)"},
        {GRPO "--output_dir /proc/x", 1,
         "cannot create directory /proc/x: no such file or directory"},
    };
    check_cases(cases, LS_COUNT(cases));
}

static void a_directory_holds_one_run(void **state)
{
    (void)state;
    run_ok("%s --output_dir one", SFT_RUN);
    ls_str before = run_read_file("one/metrics.jsonl");
    assert_error(run_program("%s --output_dir one", SFT_RUN), 2,
                 "one holds a run already: continue it with --resume, remove it with --overwrite, "
                 "or choose another --output_dir");
    ls_str after = run_read_file("one/metrics.jsonl");
    assert_same_text(&before, &after, "metrics.jsonl");
    ls_str_release(&before);
    ls_str_release(&after);
}

/* The second of two runs at once is told who holds the directory. */
static void two_runs_at_once_in_a_directory_are_refused(void **state)
{
    (void)state;
    run_child first;
    run_start(&first, "%s --max_steps 100000 --output_dir busy", SFT_RUN);
    run_wait_for_steps(&first, "busy", 1);
    run_result second = run_program("%s --resume --output_dir busy", SFT_RUN);
    char process[128];
    snprintf(process, sizeof process, "leash: busy is in use by process %ld on host ",
             (long)first.pid);
    kill(first.pid, SIGKILL);
    run_result r = run_finish(&first);
    run_release(&r);
    assert_int_equal(second.code, 1);
    assert_true(ls_starts_with(second.err.data, process));
    assert_true(ls_ends_with(second.err.data, ": wait for it or choose another directory\n"));
    run_release(&second);
}

/* A disk that is full in the middle of the second checkpoint: the first one stays whole. */
static void check_no_space(const char *dir, const char *reason)
{
    char text[2 * LS_PATH_MAX];
    run_result r =
        run_program("%s --max_steps 3 --save_total_limit 9 --output_dir %s", SFT_RUN, dir);
    assert_int_equal(r.code, 1);
    snprintf(text, sizeof text, "leash: the checkpoint of step 2 was not saved: cannot write %s/",
             dir);
    if (!strstr(r.err.data, text) || !strstr(r.err.data, reason))
        fail_msg("expected '%s' and '%s' in:\n%s", text, reason, r.err.data);
    run_release(&r);
    snprintf(text, sizeof text, "%s/checkpoints", dir);
    char **names;
    int64_t n;
    assert_ok(ls_dir_list(&names, &n, text));
    assert_int_equal(n, 1);
    assert_string_equal(names[0], "step-1");
    ls_names_free(names, n);
    run_ok("generate --model %s --max_completion_length 8 --prompt 1+1=", dir);
}

static void a_full_disk_leaves_the_last_checkpoint(void **state)
{
    (void)state;
    assert_int_equal(mkdir("small", 0777), 0);
    if (mount("tmpfs", "small", "tmpfs", 0, "size=4000k") != 0) {
        assert_int_equal(errno,
                         EPERM); /* only root may mount: the limit on file size below is left */
        return;
    }
    check_no_space("small/run",
                   "No space left on device (free some space or choose another --output_dir)");
    assert_int_equal(umount("small"), 0);
}

static int unmount_and_close(void **state)
{
    (void)umount2("small", MNT_DETACH); /* of a test that failed */
    return small_runs_teardown(state);
}

static void a_limit_on_file_size_is_an_error_of_the_write(void **state)
{
    (void)state;
    struct rlimit old, limit;
    run_child child;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    limit = (struct rlimit){.rlim_cur = 100000, .rlim_max = old.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    run_start(&child, "%s --output_dir limited", SFT_RUN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    run_result r = run_finish(&child);
    assert_int_equal(r.code, 1);
    assert_non_null(
        strstr(r.err.data, "leash: the checkpoint of step 1 was not saved: cannot write limited/"));
    assert_non_null(strstr(r.err.data, "File too large"));
    run_release(&r);
}

/* --- damaged files --- */

static void damaged_models_are_named(void **state)
{
    (void)state;
    char text[1024], hash[33];
    int64_t size = ls_file_size("base/final/model.safetensors");
    copy_folder("base/final", "damaged");
    assert_int_equal(truncate("damaged/model.safetensors", size - 100), 0);
    snprintf(text, sizeof text,
             "damaged/model.safetensors: %lld bytes, the manifest says %lld; train again or take "
             "another checkpoint (to use the folder as it is, remove damaged/manifest.json)",
             (long long)size - 100, (long long)size);
    assert_error(run_program("generate --model damaged --max_completion_length 8 --prompt 1+1="), 1,
                 text);
    assert_int_equal(unlink("damaged/manifest.json"), 0);
    run_result r = run_program("generate --model damaged --max_completion_length 8 --prompt 1+1=");
    assert_int_equal(r.code, 1);
    assert_non_null(strstr(
        r.err.data, "leash: damaged/model.safetensors: tensor 'model.norm.weight' lies at bytes "));
    assert_non_null(strstr(r.err.data, " bytes of data; the file may be cut short\n"));
    run_release(&r);

    copy_folder("base/final", "damaged");
    ls_str manifest = run_read_file("damaged/manifest.json");
    assert_ok(ls_hash128_file(hash, "damaged/model.safetensors"));
    assert_non_null(strstr(manifest.data, hash));
    change_byte("damaged/model.safetensors", size - 50);
    char now[33];
    assert_ok(ls_hash128_file(now, "damaged/model.safetensors"));
    snprintf(
        text, sizeof text,
        "damaged/model.safetensors: damaged: its hash is %s, the manifest says %s; train again "
        "or take another checkpoint (to use the folder as it is, remove damaged/manifest.json)",
        now, hash);
    assert_error(run_program("generate --model damaged --max_completion_length 8 --prompt 1+1="), 1,
                 text);
    ls_str_release(&manifest);
}

/* A damaged newest checkpoint is passed over with a warning, and the run is the same in the end. */
static void check_fallback(bool is_cut, const char *file)
{
    char path[LS_PATH_MAX];
    copy_folder("whole", "half");
    assert_ok(ls_dir_remove("half/final"));
    snprintf(path, sizeof path, "half/checkpoints/step-3/%s", file);
    if (is_cut)
        assert_int_equal(truncate(path, ls_file_size(path) / 2), 0);
    else
        change_byte(path, ls_file_size(path) - 50);
    run_result r = run_program("%s --resume --output_dir half", SFT_RUN);
    if (r.code != 0 ||
        !strstr(r.err.data,
                "leash: warning: a checkpoint is passed over: half/checkpoints/step-3/") ||
        !strstr(r.err.data, "leash: resuming half at step 2\n"))
        fail_msg("exit code %d:\n%s", r.code, r.err.data);
    run_release(&r);
    assert_same_run("whole", "half");
}

static void a_damaged_checkpoint_is_passed_over(void **state)
{
    (void)state;
    run_ok("%s --overwrite --output_dir whole", SFT_RUN);
    check_fallback(true, "model.safetensors");
    check_fallback(false, "model.safetensors");
    check_fallback(true, "leash_state/optimizer.safetensors");
    check_fallback(true, "manifest.json");
}

/* --- numbers --- */

static void check_not_finite(const char *arguments, const char *text)
{
    assert_error(run_program("%s --overwrite --output_dir sick", arguments), 1, text);
    ls_str dump = run_read_file("sick/not-finite.json");
    json_t *sequences = json_loads(dump.data, 0, NULL);
    assert_true(json_is_array(sequences) && json_array_size(sequences) > 0);
    assert_true(json_array_size(json_object_get(json_array_get(sequences, 0), "ids")) > 1);
    json_decref(sequences);
    ls_str_release(&dump);
    assert_false(ls_dir_exists("sick/checkpoints"));
    assert_int_equal(ls_file_size("sick/metrics.jsonl"), 0);
}

static void a_weight_that_is_no_number_stops_before_the_update(void **state)
{
    (void)state;
    make_nan_model();
    check_not_finite(
        SFT_RUN "--model nan",
        "the forward pass is not finite: first in linear of layer 1, position 0, of dataset row "
        "9199, sample 0; the weights were not changed and the sequences are saved in "
        "not-finite.json: lower learning_rate, or look for such numbers in the model file");
    check_not_finite(
        GRPO "--model nan",
        "the forward pass is not finite: first in linear of layer 1, position 0, of dataset row "
        "9199, sample 0; the weights were not changed and the sequences are saved in "
        "not-finite.json: lower learning_rate, or look for such numbers in the model file");
    assert_error(run_program("score --model nan --dataset_num_rows 2 " SUMS), 1,
                 "arithmetic:1: a log-probability or score is not finite");
}

/* The last checkpoint of a run that blew up is whole and its weights are those of a shorter run. */
static void check_overflow(const char *arguments)
{
    run_result r =
        run_program("%s --learning_rate 10 --weight_decay 10 --lr_scheduler_type constant "
                    "--max_steps 60 --save_steps 1 --overwrite --output_dir high",
                    arguments);
    if (r.code != 1 || !strstr(r.err.data, "finite") ||
        !strstr(r.err.data, "the weights were not changed"))
        fail_msg("exit code %d:\n%s", r.code, r.err.data);
    assert_null(strstr(r.err.data, "-nan"));
    run_release(&r);
    char **names, path[LS_PATH_MAX];
    int64_t n;
    assert_ok(ls_dir_list(&names, &n, "high/checkpoints"));
    assert_true(n == 2);
    for (int64_t i = 0; i < n; i++) {
        ls_path_join(path, "high/checkpoints", names[i]);
        run_ok("generate --model %s --max_completion_length 8 --prompt 1+1=", path);
    }
    ls_names_free(names, n);
}

static void a_learning_rate_that_is_too_high_ends_cleanly(void **state)
{
    (void)state;
    check_overflow("sft --per_device_train_batch_size 8 " SMALL_SFT);
    check_overflow("sft --per_device_train_batch_size 8 --max_grad_norm 0 " SMALL_SFT);
    check_overflow("grpo --per_device_train_batch_size 8 --entropy_coef 1 " SMALL_RL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_recipe_names_them_all),
        cmocka_unit_test(wrong_settings_name_the_key_and_what_it_takes),
        cmocka_unit_test(settings_that_do_not_fit_together_say_what_to_change),
        cmocka_unit_test(settings_files_are_named_with_line_and_column),
        cmocka_unit_test(bad_rows_are_named_with_file_and_line),
        cmocka_unit_test(rows_that_are_too_long_are_named),
        cmocka_unit_test(directories_that_cannot_be_written_are_named),
        cmocka_unit_test(a_directory_holds_one_run),
        cmocka_unit_test(two_runs_at_once_in_a_directory_are_refused),
        cmocka_unit_test(a_full_disk_leaves_the_last_checkpoint),
        cmocka_unit_test(a_limit_on_file_size_is_an_error_of_the_write),
        cmocka_unit_test(damaged_models_are_named),
        cmocka_unit_test(a_damaged_checkpoint_is_passed_over),
        cmocka_unit_test(a_weight_that_is_no_number_stops_before_the_update),
        cmocka_unit_test(a_learning_rate_that_is_too_high_ends_cleanly),
    };
    return cmocka_run_group_tests(tests, small_runs_setup, unmount_and_close);
}
