/* Models that score (reward models, process reward models) of several families against PyTorch and
 * transformers: values, gradients of every weight, and saving.  The vectors come from
 * tests/golden/scores/generate.py, in double precision. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "model_fixture.h"
#include "base/file.h"
#include "base/str.h"
#include "formats/gguf_save.h"
#include "formats/hf_folder.h"
#include "formats/json_edit.h"
#include "formats/model_files.h"
#include "formats/safetensors.h"

#define FOLDER LEASH_TEST_DATA "/scores/"

enum { MOST_TOKENS = 32, MOST_VALUES = 1 << 10, GRAD_STEP = 7 };

static const char *const cases[] = {"llama",    "qwen2_tied",  "gemma3",
                                    "gpt2_two", "llama_steps", "neox_steps"};

typedef struct {
    const char *name;
    model_fixture f;
    ls_st_file expected;
    int32_t ids[MOST_TOKENS];
    int64_t n;
} golden;

static const ls_st_tensor *find(const golden *g, const char *name)
{
    const ls_st_tensor *t = ls_st_find(&g->expected, name);
    if (t == NULL)
        fail_msg("%s: %s is not in the fixture", g->name, name);
    return t;
}

static void open_golden(golden *g, const char *name, const ls_kernels *k)
{
    char dir[256], path[300];
    ls_model_config config;
    *g = (golden){.name = name};
    snprintf(dir, sizeof dir, "%s%s", FOLDER, name);
    assert_ok(ls_hf_read_config(&config, dir));
    fixture_open(&g->f, &config, k, 1, LS_MODEL_TRAINED, 1);
    assert_ok(ls_hf_load_weights(g->f.model, dir));
    ls_model_pack(g->f.model);
    snprintf(path, sizeof path, "%s/expected.safetensors", dir);
    assert_ok(ls_st_open(&g->expected, path));
    const ls_st_tensor *ids = find(g, "ids");
    assert_in_range(ids->n, 1, MOST_TOKENS);
    g->n = ids->n;
    for (int64_t i = 0; i < g->n; i++) {
        int64_t id;
        memcpy(&id, ids->data + 8 * i, sizeof id);
        g->ids[i] = (int32_t)id;
    }
}

static void close_golden(golden *g)
{
    ls_st_close(&g->expected);
    fixture_close(&g->f);
}

/* The values of all tokens, and the gradients of seeds (t % 5 - 2) / 4. */
static void run_values(golden *g, float *value)
{
    sequence s = {g->ids, g->n};
    float dvalue[MOST_TOKENS];
    int32_t rows[MOST_TOKENS];
    ls_arena_mark mark = ls_arena_get_mark(&g->f.pass);
    packed batch = pack_sequences(&g->f.pass, &s, 1);
    ls_tape tape;
    for (int32_t t = 0; t < g->n; t++) {
        rows[t] = t;
        dvalue[t] = (float)(t % 5 - 2) / 4;
    }
    ls_tape_init(&tape, &g->f.dev, &g->f.pass, true);
    ls_value_job job = {.hidden = ls_model_forward(g->f.model, &tape, &batch.batch),
                        .weight = g->f.model->score,
                        .bias = g->f.model->score_bias,
                        .rows = rows,
                        .n = g->n,
                        .value = value};
    ls_op_value(&tape, &job);
    ls_op_value_backward(&tape, &job, dvalue);
    ls_tape_backward(&tape, NULL);
    ls_arena_rewind(&g->f.pass, mark);
}

static double gradient_at(const ls_weight *w, int64_t i)
{
    if (!w->is_stored_transposed)
        return (double)w->grad[i];
    return (double)w->grad[i % w->rows * w->cols + i / w->rows];
}

static void check_weight(const golden *g, const ls_weight *w)
{
    static float expected[MOST_VALUES];
    char name[128];
    double largest = 0.0;
    snprintf(name, sizeof name, "grad.%s", w->name);
    const ls_st_tensor *t = find(g, name);
    assert_int_equal(t->n, (w->rows * w->cols + GRAD_STEP - 1) / GRAD_STEP);
    assert_true(t->n <= MOST_VALUES);
    assert_ok(ls_st_to_float(expected, t, "fixture"));
    for (int64_t i = 0; i < t->n; i++)
        largest = fmax(largest, fabs((double)expected[i]));
    for (int64_t i = 0; i < t->n; i++) {
        double want = (double)expected[i], got = gradient_at(w, i * GRAD_STEP);
        if (!(fabs(got - want) <= 1e-4 * fabs(want) + 4e-6 * largest))
            fail_msg("%s: %s[%lld]: %.8g, expected %.8g (largest %.3g)", g->name, name,
                     (long long)(i * GRAD_STEP), got, want, largest);
    }
}

static void check_values(const golden *g, const float *value)
{
    float expected[MOST_TOKENS];
    assert_ok(ls_st_to_float(expected, find(g, "values"), "fixture"));
    for (int64_t t = 0; t < g->n; t++)
        if (!(fabsf(value[t] - expected[t]) <= 1e-5f + 1e-5f * fabsf(expected[t])))
            fail_msg("%s: value %lld is %.8g, expected %.8g", g->name, (long long)t,
                     (double)value[t], (double)expected[t]);
    if (g->f.model->config.head != LS_HEAD_SCORE)
        return;
    assert_ok(ls_st_to_float(expected, find(g, "pooled"), "fixture"));
    assert_true(fabsf(value[g->n - 1] - expected[0]) <= 1e-5f + 1e-5f * fabsf(expected[0]));
}

static void values_and_gradients_equal_transformers(void **state)
{
    (void)state;
    static golden g;
    float value[MOST_TOKENS];
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (size_t c = 0; c < LS_COUNT(cases); c++)
        for (int k = 0; k < n_tables; k++) {
            open_golden(&g, cases[c], tables[k]);
            assert_null(g.f.model->head);
            run_values(&g, value);
            check_values(&g, value);
            for (int64_t i = 0; i < g.f.model->n_weights; i++)
                check_weight(&g, &g.f.model->weights[i]);
            close_golden(&g);
        }
}

/* LEASH_KEEP_MODELS=DIR leaves the saved folders there, for generate.py --check. */
static void saving_and_loading_is_the_identity(void **state)
{
    (void)state;
    static golden g;
    const char *kept = getenv("LEASH_KEEP_MODELS");
    for (size_t c = 0; c < LS_COUNT(cases); c++) {
        char dir[300];
        snprintf(dir, sizeof dir, "%s/leash_scores_XXXXXX", kept ? kept : "/tmp");
        assert_non_null(mkdtemp(dir));
        open_golden(&g, cases[c], &ls_kernels_ref);
        g.f.model->config_text = NULL; /* the config is then written from the fields */
        assert_ok(ls_hf_save(g.f.model, dir));
        ls_model_config config;
        model_fixture other;
        assert_ok(ls_hf_read_config(&config, dir));
        assert_int_equal(config.head, g.f.model->config.head);
        assert_int_equal(config.num_labels, g.f.model->config.num_labels);
        fixture_open(&other, &config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
        assert_ok(ls_hf_load_weights(other.model, dir));
        assert_int_equal(ls_model_hash(other.model), ls_model_hash(g.f.model));
        fixture_close(&other);
        close_golden(&g);
        if (kept)
            print_message("%s %s\n", cases[c], dir);
        else
            assert_ok(ls_dir_remove(dir));
    }
}

/* The trunk of a language model under a new score: its head is passed over, the score is drawn. */
static void a_language_model_becomes_a_reward_model(void **state)
{
    (void)state;
    const char *const names[] = {"llama", "qwen2", "gpt2"};
    for (size_t i = 0; i < LS_COUNT(names); i++) {
        char path[300], saved[] = "/tmp/leash_scores_XXXXXX";
        snprintf(path, sizeof path, LEASH_TEST_DATA "/models/%s", names[i]);
        ls_model_config config;
        model_fixture f, other;
        assert_ok(ls_hf_read_config(&config, path));
        config.head = LS_HEAD_SCORE;
        config.num_labels = 1;
        fixture_open(&f, &config, &ls_kernels_ref, 1, LS_MODEL_TRAINED, 1);
        assert_ok(ls_hf_load_weights(f.model, path));
        assert_true(f.model->has_new_head);
        ls_model_init_score(f.model, 3);
        assert_non_null(mkdtemp(saved));
        assert_ok(ls_hf_save(f.model, saved));
        assert_ok(ls_hf_read_config(&config, saved));
        assert_int_equal(config.head, LS_HEAD_SCORE);
        assert_int_equal(config.num_labels, 1);
        fixture_open(&other, &config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
        assert_ok(ls_hf_load_weights(other.model, saved));
        assert_int_equal(ls_model_hash(other.model), ls_model_hash(f.model));
        fixture_close(&other);
        fixture_close(&f);
        assert_ok(ls_dir_remove(saved));
    }
}

/* The same from a GGUF file, whose head has a name of its own. */
static void a_gguf_model_becomes_a_reward_model(void **state)
{
    (void)state;
    char path[] = "/tmp/leash_scores_XXXXXX";
    ls_model_config config;
    model_fixture f, scorer;
    ls_gguf_keys keys = {0};
    ls_model_files files;
    assert_non_null(mkdtemp(path));
    char file[64];
    snprintf(file, sizeof file, "%s/model.gguf", path);
    assert_ok(ls_hf_read_config(&config, LEASH_TEST_DATA "/models/mistral"));
    fixture_open(&f, &config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    assert_non_null(f.model->head);
    assert_true(f.model->head != &f.model->tied_head);
    assert_ok(ls_gguf_save(f.model, file, ls_quant_find("F32"), &keys));
    assert_ok(ls_model_files_open(&files, file));
    config = files.config;
    config.head = LS_HEAD_SCORE;
    config.num_labels = 1;
    fixture_open(&scorer, &config, &ls_kernels_ref, 1, LS_MODEL_TRAINED, 1);
    assert_ok(ls_model_files_load(scorer.model, &files));
    assert_true(scorer.model->has_new_head);
    for (int64_t i = 0; i < scorer.model->n_weights; i++) {
        const ls_weight *w = &scorer.model->weights[i];
        if (w != scorer.model->score)
            assert_memory_equal(w->data, ls_model_find_weight(f.model, w->name)->data,
                                (size_t)(w->rows * w->cols) * sizeof(float));
    }
    ls_model_files_close(&files);
    fixture_close(&scorer);
    fixture_close(&f);
    assert_ok(ls_dir_remove(path));
}

/* "key": value is put into the config of the fixture in place of id2label. */
static leash_status read_changed(const char *key, const char *value)
{
    ls_str text = LS_STR_INIT;
    ls_model_config config;
    assert_ok(ls_file_read(&text, FOLDER "llama/config.json"));
    ls_json_remove_key(&text, "id2label");
    ls_json_set_key(&text, key, value);
    leash_status status = ls_hf_read_config_text(&config, text.data, text.len, "config.json");
    ls_str_release(&text);
    return status;
}

static void other_numbers_of_labels_are_refused(void **state)
{
    (void)state;
    assert_int_equal(read_changed("id2label", "{\"0\": \"a\", \"1\": \"b\", \"2\": \"c\"}"),
                     LEASH_UNSUPPORTED);
    assert_string_equal(leash_error(), "config.json: model: it has 3 labels; a model that scores "
                                       "has 1 (a reward) or 2 (their log-odds)");
    assert_int_equal(read_changed("id2label", "[1]"), LEASH_FORMAT);
    assert_int_equal(read_changed("num_labels", "0"), LEASH_UNSUPPORTED);
    assert_int_equal(read_changed("num_labels", "\"1\""), LEASH_FORMAT);
    assert_ok(read_changed("num_labels", "1"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_and_gradients_equal_transformers),
        cmocka_unit_test(saving_and_loading_is_the_identity),
        cmocka_unit_test(a_language_model_becomes_a_reward_model),
        cmocka_unit_test(a_gguf_model_becomes_a_reward_model),
        cmocka_unit_test(other_numbers_of_labels_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
