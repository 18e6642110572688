/* Hugging Face folders: what is saved is loaded again, and folders that do not fit are refused with
 * every difference named. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "model_fixture.h"
#include "base/file.h"
#include "base/mem.h"
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
    load_differently(&f, &small, "model.safetensors.index.json: has no weight_map");
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

static void read_text(ls_str *out, const folder *f, const char *name)
{
    char path[LS_PATH_MAX];
    ls_str_clear(out);
    assert_ok(ls_file_read(out, ls_path_join(path, f->dir, name)));
}

/* A source's config keeps its keys, order and spelling when the model is saved again. */
static void saving_keeps_the_source_config(void **state)
{
    (void)state;
    folder f;
    model_fixture m;
    ls_str before = LS_STR_INIT, after = LS_STR_INIT;
    make_folder(&f);
    fixture_open(&m, &small, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    assert_ok(ls_hf_save(m.model, f.dir));
    read_text(&before, &f, "config.json");
    ls_str_append(&after, "{\"a_strange_key\": [1e-05, {\"vocab_size\": 3}],\n");
    ls_str_append(&after, "\"auto_map\": {\"AutoModel\": \"code.py\"},");
    ls_str_append(&after, before.data + 1);
    write_text(&f, "config.json", after.data);
    assert_ok(ls_hf_load_weights(m.model, f.dir));
    assert_ok(ls_hf_save_as(m.model, f.dir, ls_quant_find("BF16")));
    read_text(&after, &f, "config.json");
    assert_non_null(strstr(after.data, "{\"a_strange_key\": [1e-05, {\"vocab_size\": 3}],\n"));
    assert_null(strstr(after.data, "auto_map"));
    assert_non_null(strstr(after.data, "\"torch_dtype\": \"bfloat16\""));
    assert_non_null(strstr(after.data, "\"vocab_size\": 19"));
    assert_ok(ls_hf_save(m.model, f.dir));
    read_text(&after, &f, "config.json");
    assert_non_null(strstr(after.data, strchr(before.data, '"')));
    ls_str_release(&before);
    ls_str_release(&after);
    fixture_close(&m);
    assert_ok(ls_dir_remove(f.dir));
}

static void rounded_weights_come_back_as_what_their_type_makes_of_them(void **state)
{
    (void)state;
    const char *const names[] = {"F32", "BF16", "F16"};
    for (size_t i = 0; i < LS_COUNT(names); i++) {
        folder f;
        model_fixture saved, loaded;
        const ls_quant_type *type = ls_quant_find(names[i]);
        make_folder(&f);
        fixture_open(&saved, &small, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
        fixture_open(&loaded, &small, &ls_kernels_ref, 2, LS_MODEL_FROZEN, 0);
        assert_ok(ls_hf_save_as(saved.model, f.dir, type));
        assert_ok(ls_hf_load_weights(loaded.model, f.dir));
        for (int64_t j = 0; j < saved.model->n_params; j++) {
            float value;
            unsigned char bytes[4];
            type->from_float(bytes, &saved.model->data[j], 1);
            type->to_float(&value, bytes, 1);
            assert_true(value == loaded.model->data[j]);
        }
        fixture_close(&loaded);
        fixture_close(&saved);
        assert_ok(ls_dir_remove(f.dir));
    }
}

/* Copies tensors of DIR/model.safetensors, those from..to by name, into another file, without
 * `prefix` in front of their names; appends them to the map of an index. */
static void copy_tensors(const folder *f, const char *to, const char *prefix, int64_t begin,
                         int64_t end, ls_str *map)
{
    char path[LS_PATH_MAX];
    ls_st_file file;
    assert_ok(ls_st_open(&file, ls_path_join(path, f->dir, "model.safetensors")));
    ls_st_source sources[128] = {0};
    end = end < file.n_tensors ? end : file.n_tensors;
    for (int64_t i = begin; i < end; i++) {
        const ls_st_tensor *t = &file.tensors[i];
        const char *name = ls_starts_with(t->name, prefix) ? t->name + strlen(prefix) : t->name;
        float *values = ls_malloc((size_t)t->n * sizeof *values);
        memcpy(values, t->data, t->n_bytes);
        sources[i - begin] = (ls_st_source){
            .name = name, .data = values, .shape = {t->shape[0], t->shape[1]}, .rank = t->rank};
        ls_str_appendf(map, "%s\"%s\": \"%s\"", map->len > 0 ? ", " : "", name, to);
    }
    assert_ok(ls_st_write(ls_path_join(path, f->dir, to), sources, end - begin));
    for (int64_t i = 0; i < end - begin; i++)
        ls_free((void *)(uintptr_t)sources[i].data);
    ls_st_close(&file);
}

static void weights_in_several_files_load_as_from_one(void **state)
{
    (void)state;
    folder f;
    model_fixture saved, loaded;
    char path[LS_PATH_MAX];
    ls_str map = LS_STR_INIT, index = LS_STR_INIT;
    make_folder(&f);
    fixture_open(&saved, &small, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    fixture_open(&loaded, &small, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    assert_ok(ls_hf_save(saved.model, f.dir));
    copy_tensors(&f, "model-00001-of-00002.safetensors", "", 0, 9, &map);
    copy_tensors(&f, "model-00002-of-00002.safetensors", "", 9, 128, &map);
    assert_int_equal(unlink(ls_path_join(path, f.dir, "model.safetensors")), 0);
    ls_str_appendf(&index, "{\"metadata\": {}, \"weight_map\": {%s}}", map.data);
    write_text(&f, "model.safetensors.index.json", index.data);
    ls_model_init_weights(loaded.model, 77);
    assert_ok(ls_hf_load_weights(loaded.model, f.dir));
    assert_int_equal(ls_model_hash(saved.model), ls_model_hash(loaded.model));
    fixture_close(&loaded);
    fixture_close(&saved);
    ls_str_release(&map);
    ls_str_release(&index);
    assert_ok(ls_dir_remove(f.dir));
}

/* GPT-2's matrices are stored (in,out), and its first files have no "transformer." in names. */
static void gpt2_files_are_turned_and_may_lack_the_prefix(void **state)
{
    (void)state;
    folder f;
    model_fixture saved, loaded;
    char path[LS_PATH_MAX], other[LS_PATH_MAX];
    ls_str map = LS_STR_INIT;
    ls_st_file file;
    const ls_family *gpt2;
    ls_model_config config;
    make_folder(&f);
    assert_ok(ls_family_find(&gpt2, "gpt2"));
    gpt2->defaults(&config);
    config.vocab_size = 19;
    config.hidden_size = 12;
    config.num_hidden_layers = config.num_attention_heads = 2;
    config.max_position_embeddings = 16;
    ls_model_config_complete(&config, gpt2);
    fixture_open(&saved, &config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    fixture_open(&loaded, &config, &ls_kernels_ref, 2, LS_MODEL_FROZEN, 0);
    assert_ok(ls_hf_save(saved.model, f.dir));
    assert_ok(ls_st_open(&file, ls_path_join(path, f.dir, "model.safetensors")));
    const ls_st_tensor *t = ls_st_find(&file, "transformer.h.1.mlp.c_fc.weight");
    const ls_weight *w = ls_model_find_weight(saved.model, t->name);
    assert_int_equal(t->shape[0], 12);
    assert_int_equal(t->shape[1], 48);
    float value;
    memcpy(&value, t->data + 4 * (3 * 48 + 7), sizeof value);
    assert_true(value == w->data[7 * 12 + 3]);
    ls_st_close(&file);
    for (int i = 0; i < 2; i++) {
        ls_model_init_weights(loaded.model, 77);
        assert_ok(ls_hf_load_weights(loaded.model, f.dir));
        assert_int_equal(ls_model_hash(saved.model), ls_model_hash(loaded.model));
        if (i == 0) {
            copy_tensors(&f, "other.safetensors", "transformer.", 0, 128, &map);
            assert_ok(ls_path_rename(ls_path_join(other, f.dir, "other.safetensors"), path));
        }
    }
    ls_str_release(&map);
    fixture_close(&loaded);
    fixture_close(&saved);
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
        {"{" BASE ",\"attention_bias\":\"yes\"}", "attention_bias"},
        {"{" BASE ",\"mlp_bias\":1}", "mlp_bias"},
        {"{" BASE ",\"hidden_act\":\"selu\"}", "hidden_act"},
        {"{" BASE ",\"quantization_config\":{}}", "quantised"},
        {"{" BASE ",\"rope_scaling\":{\"rope_type\":\"yearn\"}}", "yearn"},
        {"{" BASE ",\"rope_scaling\":{\"type\":\"linear\"}}", "factor"},
        {"{" BASE ",\"rope_parameters\":{\"partial_rotary_factor\":1.5}}", "partial_rotary_factor"},
        {"{" BASE ",\"rope_parameters\":3}", "rope_parameters"},
        {"{" BASE ",\"rope_theta\":-3}", "rope_theta"},
        {"{" BASE ",\"eos_token_id\":\"</s>\"}", "eos_token_id"},
        {"{" BASE ",\"eos_token_id\":99999999999}", "eos_token_id"},
        {"{\"model_type\":\"llama\",\"vocab_size\":10,\"hidden_size\":8,\"intermediate_size\":6,"
         "\"num_hidden_layers\":1,\"num_attention_heads\":3}",
         "head_dim"},
        {"{\"model_type\":\"llama\",\"vocab_size\":10,\"hidden_size\":8,\"intermediate_size\":6,"
         "\"num_hidden_layers\":1,\"num_attention_heads\":0}",
         "num_attention_heads"},
    };
    folder f;
    make_folder(&f);
    ls_model_config config;
    assert_int_equal(ls_hf_read_config(&config, f.dir), LEASH_IO);
    for (size_t i = 0; i < LS_COUNT(bad); i++) {
        write_text(&f, "config.json", bad[i].json);
        if (ls_hf_read_config(&config, f.dir) == LEASH_OK)
            fail_msg("%s: accepted", bad[i].json);
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
        cmocka_unit_test(saving_keeps_the_source_config),
        cmocka_unit_test(rounded_weights_come_back_as_what_their_type_makes_of_them),
        cmocka_unit_test(weights_in_several_files_load_as_from_one),
        cmocka_unit_test(gpt2_files_are_turned_and_may_lack_the_prefix),
        cmocka_unit_test(absent_keys_take_the_defaults_of_the_class),
        cmocka_unit_test(configs_that_cannot_be_computed_are_refused_by_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
