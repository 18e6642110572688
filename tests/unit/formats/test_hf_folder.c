/* Hugging Face folders: what is saved is loaded again, and folders that do not fit are refused with
 * every difference named. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "model_fixture.h"
#include "base/file.h"
#include "formats/hf_folder.h"
#include "formats/safetensors.h"

static const ls_model_config small = {.family = "llama",
                                      .vocab_size = 19,
                                      .hidden_size = 12,
                                      .intermediate_size = 21,
                                      .num_hidden_layers = 2,
                                      .num_attention_heads = 2,
                                      .num_key_value_heads = 1,
                                      .head_dim = 8,
                                      .max_position_embeddings = 32,
                                      .rope_theta = 12345.5,
                                      .rms_norm_eps = 1e-5,
                                      .initializer_range = 0.1,
                                      .tie_word_embeddings = true,
                                      .bos_token_id = -1,
                                      .eos_token_id = 7};

typedef struct {
    char dir[64];
} folder;

static void make_folder(folder *f)
{
    snprintf(f->dir, sizeof f->dir, "/tmp/leash_hf_%ld", (long)getpid());
    assert_ok(ls_dir_remove(f->dir));
    assert_ok(ls_dir_make(f->dir));
}

static void write_text(const folder *f, const char *name, const char *text)
{
    char path[LS_PATH_MAX];
    assert_ok(ls_file_write_synced(ls_path_join(path, f->dir, name), text, strlen(text)));
}

static void assert_same_config(const ls_model_config *a, const ls_model_config *b)
{
    assert_string_equal(a->family, b->family);
    assert_int_equal(a->vocab_size, b->vocab_size);
    assert_int_equal(a->hidden_size, b->hidden_size);
    assert_int_equal(a->intermediate_size, b->intermediate_size);
    assert_int_equal(a->num_hidden_layers, b->num_hidden_layers);
    assert_int_equal(a->num_attention_heads, b->num_attention_heads);
    assert_int_equal(a->num_key_value_heads, b->num_key_value_heads);
    assert_int_equal(a->head_dim, b->head_dim);
    assert_int_equal(a->max_position_embeddings, b->max_position_embeddings);
    assert_true(a->rope_theta == b->rope_theta);
    assert_true(a->rms_norm_eps == b->rms_norm_eps);
    assert_true(a->initializer_range == b->initializer_range);
    assert_int_equal(a->tie_word_embeddings, b->tie_word_embeddings);
    assert_int_equal(a->bos_token_id, b->bos_token_id);
    assert_int_equal(a->eos_token_id, b->eos_token_id);
}

static void saved_models_load_with_the_same_bits(void **state)
{
    (void)state;
    for (int is_tied = 0; is_tied <= 1; is_tied++) {
        folder f;
        make_folder(&f);
        ls_model_config config = small, read;
        config.tie_word_embeddings = is_tied;
        model_fixture saved, loaded;
        fixture_open(&saved, &config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
        assert_ok(ls_hf_save(saved.model, f.dir));
        assert_ok(ls_hf_read_config(&read, f.dir));
        assert_same_config(&read, &config);
        fixture_open(&loaded, &read, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
        ls_model_init_weights(loaded.model, 77);
        assert_ok(ls_hf_load_weights(loaded.model, f.dir));
        assert_int_equal(ls_model_hash(saved.model), ls_model_hash(loaded.model));
        fixture_close(&loaded);
        fixture_close(&saved);
        assert_ok(ls_dir_remove(f.dir));
    }
}

static void load_differently(const folder *f, const ls_model_config *config, const char *expected)
{
    model_fixture m;
    fixture_open(&m, config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    leash_status status = ls_hf_load_weights(m.model, f->dir);
    if (expected == NULL) {
        assert_ok(status);
    } else {
        assert_int_not_equal(status, LEASH_OK);
        if (!strstr(leash_error(), expected))
            fail_msg("'%s' is not in: %s", expected, leash_error());
    }
    fixture_close(&m);
}

static void folders_that_do_not_fit_are_refused_with_the_list(void **state)
{
    (void)state;
    folder f;
    make_folder(&f);
    model_fixture saved;
    fixture_open(&saved, &small, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    assert_ok(ls_hf_save(saved.model, f.dir));
    fixture_close(&saved);

    ls_model_config other = small;
    other.num_hidden_layers = 3;
    load_differently(&f, &other, "missing model.layers.2.input_layernorm.weight");
    other.num_hidden_layers = 1;
    load_differently(&f, &other, "unexpected model.layers.1.input_layernorm.weight");
    other = small;
    other.intermediate_size = 20;
    load_differently(&f, &other, "model.layers.0.mlp.gate_proj.weight [21,12] instead of [20,12]");
    other = small;
    other.tie_word_embeddings = false;
    load_differently(&f, &other, "missing lm_head.weight");
    other.tie_word_embeddings = true;
    load_differently(&f, &other, NULL);

    char path[LS_PATH_MAX];
    assert_int_equal(unlink(ls_path_join(path, f.dir, "model.safetensors")), 0);
    load_differently(&f, &small, "model.safetensors");
    write_text(&f, "model.safetensors.index.json", "{}");
    load_differently(&f, &small, "split over several files");
    assert_ok(ls_dir_remove(f.dir));
}

/* A file of an untied model loads into a tied one: the stored head is ignored. */
static void tied_models_ignore_a_stored_head(void **state)
{
    (void)state;
    folder f;
    make_folder(&f);
    ls_model_config untied = small;
    untied.tie_word_embeddings = false;
    model_fixture saved;
    fixture_open(&saved, &untied, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    assert_ok(ls_hf_save(saved.model, f.dir));
    fixture_close(&saved);
    load_differently(&f, &small, NULL);
    assert_ok(ls_dir_remove(f.dir));
}

#define BASE                                                                                \
    "\"model_type\":\"llama\",\"vocab_size\":10,\"hidden_size\":8,\"intermediate_size\":6," \
    "\"num_hidden_layers\":1,\"num_attention_heads\":2"

static void absent_keys_take_the_defaults_of_the_class(void **state)
{
    (void)state;
    folder f;
    make_folder(&f);
    ls_model_config config;
    write_text(&f, "config.json", "{" BASE ",\"num_key_value_heads\":null,\"rope_scaling\":null}");
    assert_ok(ls_hf_read_config(&config, f.dir));
    ls_model_config expected = {.family = "llama",
                                .vocab_size = 10,
                                .hidden_size = 8,
                                .intermediate_size = 6,
                                .num_hidden_layers = 1,
                                .num_attention_heads = 2,
                                .num_key_value_heads = 2,
                                .head_dim = 4,
                                .max_position_embeddings = 2048,
                                .rope_theta = 10000.0,
                                .rms_norm_eps = 1e-6,
                                .initializer_range = 0.02,
                                .bos_token_id = 1,
                                .eos_token_id = 2};
    assert_same_config(&config, &expected);
    write_text(&f, "config.json",
               "{" BASE ",\"eos_token_id\":[5,6],\"bos_token_id\":null,\"rope_parameters\":"
               "{\"rope_type\":\"default\",\"rope_theta\":500000}}");
    assert_ok(ls_hf_read_config(&config, f.dir));
    assert_int_equal(config.eos_token_id, 5);
    assert_int_equal(config.bos_token_id, -1);
    assert_true(config.rope_theta == 500000.0);
    assert_ok(ls_dir_remove(f.dir));
}

static void configs_that_cannot_be_computed_are_refused_by_key(void **state)
{
    (void)state;
    static const struct {
        const char *json, *expected;
    } bad[] = {
        {"", "config.json"},
        {"[]", "no JSON object"},
        {"{\"model_type\":\"llama\",}", "line 1"},
        {"{" BASE "," BASE "}", "config.json"}, /* duplicate keys */
        {"{}", "model_type"},
        {"{\"model_type\":5}", "model_type"},
        {"{\"model_type\":\"lama\"}", "did you mean 'llama'"},
        {"{\"model_type\":\"llama\"}", "vocab_size is missing"},
        {"{" BASE ",\"head_dim\":\"4\"}", "head_dim"},
        {"{" BASE ",\"head_dim\":3}", "head_dim"},
        {"{" BASE ",\"num_key_value_heads\":4}", "num_key_value_heads"},
        {"{" BASE ",\"num_key_value_heads\":-1}", "num_key_value_heads"},
        {"{" BASE ",\"max_position_embeddings\":0}", "max_position_embeddings"},
        {"{" BASE ",\"rms_norm_eps\":\"x\"}", "rms_norm_eps"},
        {"{" BASE ",\"attention_bias\":true}", "attention_bias"},
        {"{" BASE ",\"mlp_bias\":true}", "mlp_bias"},
        {"{" BASE ",\"mlp_bias\":1}", "mlp_bias"},
        {"{" BASE ",\"hidden_act\":\"gelu\"}", "hidden_act"},
        {"{" BASE ",\"quantization_config\":{}}", "quantised"},
        {"{" BASE ",\"rope_scaling\":{\"rope_type\":\"yarn\"}}", "yarn"},
        {"{" BASE ",\"rope_scaling\":{\"type\":\"linear\"}}", "linear"},
        {"{" BASE ",\"rope_parameters\":{\"partial_rotary_factor\":0.5}}", "partial_rotary_factor"},
        {"{" BASE ",\"rope_parameters\":3}", "rope_parameters"},
        {"{" BASE ",\"rope_theta\":-3}", "rope_theta"},
        {"{" BASE ",\"eos_token_id\":\"</s>\"}", "eos_token_id"},
        {"{" BASE ",\"eos_token_id\":99999999999}", "eos_token_id"},
        {"{\"model_type\":\"llama\",\"vocab_size\":10,\"hidden_size\":8,\"intermediate_size\":6,"
         "\"num_hidden_layers\":1,\"num_attention_heads\":3}",
         "head_dim"},
        {"{\"model_type\":\"llama\",\"vocab_size\":10,\"hidden_size\":8,\"intermediate_size\":6,"
         "\"num_hidden_layers\":1,\"num_attention_heads\":0}",
         "head_dim"},
    };
    folder f;
    make_folder(&f);
    ls_model_config config;
    assert_int_equal(ls_hf_read_config(&config, f.dir), LEASH_IO);
    for (size_t i = 0; i < LS_COUNT(bad); i++) {
        write_text(&f, "config.json", bad[i].json);
        assert_int_not_equal(ls_hf_read_config(&config, f.dir), LEASH_OK);
        if (!strstr(leash_error(), bad[i].expected) || !strstr(leash_error(), f.dir))
            fail_msg("%s: '%s' is not in: %s", bad[i].json, bad[i].expected, leash_error());
    }
    assert_ok(ls_dir_remove(f.dir));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(saved_models_load_with_the_same_bits),
        cmocka_unit_test(folders_that_do_not_fit_are_refused_with_the_list),
        cmocka_unit_test(tied_models_ignore_a_stored_head),
        cmocka_unit_test(absent_keys_take_the_defaults_of_the_class),
        cmocka_unit_test(configs_that_cannot_be_computed_are_refused_by_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
