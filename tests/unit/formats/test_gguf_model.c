/* Models in GGUF files: every family comes back from a file with the bits and the config that it
 * was saved with, and files that do not fit are refused with every difference named. */
#include <math.h>
#include <stdio.h>
#include <unistd.h>
#include "gguf_bytes.h"
#include "model_fixture.h"
#include "base/file.h"
#include "formats/gguf_save.h"
#include "formats/model_files.h"

static void config_of(ls_model_config *c, const ls_family *family)
{
    memset(c, 0, sizeof *c);
    family->defaults(c);
    snprintf(c->family, sizeof c->family, "%s", family->name);
    c->vocab_size = 40;
    c->hidden_size = 64;
    c->intermediate_size = 96;
    c->num_hidden_layers = 6;
    c->num_attention_heads = 4;
    c->num_key_value_heads =
        strcmp(family->name, "gpt2") == 0 || strcmp(family->name, "gpt_neox") == 0 ? 4 : 2;
    c->head_dim = 16;
    c->max_position_embeddings = 64;
    c->initializer_range = 0.25;
    c->bos_token_id = 1;
    c->eos_token_id = 2;
    if (c->query_pre_attn_scalar != 0)
        c->query_pre_attn_scalar = 16;
    if (c->num_experts > 0) {
        c->num_experts = 4;
        c->num_experts_per_tok = 2;
        c->moe_intermediate_size = c->moe_intermediate_size > 0 ? 32 : 0;
    }
    ls_model_config_complete(c, family);
}

/* Gains and biases get values that tell them apart. */
static void fill(ls_model *model)
{
    ls_model_init_weights(model, 11);
    for (int64_t i = 0; i < model->n_weights; i++) {
        ls_weight *w = &model->weights[i];
        for (int64_t j = 0; w->rows == 1 && j < w->cols; j++) /* exact also with one added */
            w->data[j] = (float)((i * 31 + j * 7) % 64) / 64.0f;
    }
}

static char *path_of(char path[64], const char *name)
{
    snprintf(path, 64, "/tmp/leash_%ld_%s", (long)getpid(), name);
    return path;
}

static void put_tokens(ls_gguf_keys *keys)
{
    ls_gguf_keys_init(keys);
    ls_gguf_put_u32(keys, "tokenizer.ggml.bos_token_id", 1);
    ls_gguf_put_u32(keys, "tokenizer.ggml.eos_token_id", 2);
}

static void save(const ls_model *model, const char *path, const char *type)
{
    ls_gguf_keys keys;
    put_tokens(&keys);
    assert_ok(ls_gguf_save(model, path, ls_quant_find(type), &keys));
    ls_gguf_keys_release(&keys);
}

static void assert_same_config(const ls_model_config *a, const ls_model_config *b)
{
    const char *family = a->family;
#define SAME(field)           \
    if (a->field != b->field) \
    fail_msg("%s: " #field " is %g instead of %g", family, (double)a->field, (double)b->field)
    assert_string_equal(a->family, b->family);
    SAME(vocab_size);
    SAME(hidden_size);
    SAME(intermediate_size);
    SAME(num_hidden_layers);
    SAME(num_attention_heads);
    SAME(num_key_value_heads);
    SAME(head_dim);
    SAME(max_position_embeddings);
    SAME(rope_theta);
    SAME(rms_norm_eps);
    SAME(tie_word_embeddings);
    SAME(bos_token_id);
    SAME(eos_token_id);
    SAME(hidden_act);
    SAME(attention_bias);
    SAME(mlp_bias);
    SAME(rope_scaling.type);
    SAME(rope_scaling.factor);
    SAME(rope_local_base_freq);
    SAME(embedding_multiplier);
    SAME(residual_multiplier);
    SAME(logits_scaling);
    SAME(attention_multiplier);
    SAME(query_pre_attn_scalar);
    SAME(attn_logit_softcapping);
    SAME(final_logit_softcapping);
    SAME(use_parallel_residual);
    SAME(num_experts);
    SAME(num_experts_per_tok);
    SAME(moe_intermediate_size);
    assert_memory_equal(a->layers, b->layers, sizeof a->layers);
#undef SAME
}

static void check_round_trip(const ls_model_config *config)
{
    char path[64];
    model_fixture saved, loaded;
    ls_model_files files;
    path_of(path, "trip.gguf");
    fixture_open(&saved, config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    fill(saved.model);
    save(saved.model, path, "F32");
    assert_ok(ls_model_files_open(&files, path));
    assert_true(files.is_gguf);
    assert_same_config(&files.config, config);
    fixture_open(&loaded, &files.config, &ls_kernels_ref, 2, LS_MODEL_FROZEN, 0);
    assert_ok(ls_model_files_load(loaded.model, &files));
    if (ls_model_hash(saved.model) != ls_model_hash(loaded.model))
        fail_msg("%s: other weights came back", config->family);
    ls_model_files_close(&files);
    fixture_close(&loaded);
    fixture_close(&saved);
    assert_int_equal(unlink(path), 0);
}

static void every_family_comes_back_with_the_same_bits(void **state)
{
    (void)state;
    size_t n;
    int n_checked = 0;
    const ls_family *const *families = ls_families(&n);
    for (size_t i = 0; i < n; i++) {
        ls_model_config config;
        config_of(&config, families[i]);
        if (ls_gguf_arch_of(&config) == NULL)
            continue;
        if (strcmp(config.family, "mistral") == 0)
            config.sliding_window = 8;
        ls_model_config_complete(&config, families[i]);
        check_round_trip(&config);
        n_checked++;
    }
    assert_true(n_checked >= 12);
}

static void biases_and_both_heads_come_back(void **state)
{
    (void)state;
    const ls_family *llama;
    ls_model_config config;
    assert_ok(ls_family_find(&llama, "llama"));
    for (int i = 0; i < 4; i++) {
        config_of(&config, llama);
        config.attention_bias = config.mlp_bias = i & 1;
        config.tie_word_embeddings = i & 2;
        check_round_trip(&config);
    }
}

static void scaled_rotation_comes_back(void **state)
{
    (void)state;
    const ls_family *llama, *phi3;
    ls_model_config config;
    assert_ok(ls_family_find(&llama, "llama"));
    config_of(&config, llama);
    config.rope_theta = 500000.0;
    config.rope_scaling = (ls_rope_scaling){.type = LS_ROPE_LLAMA3,
                                            .factor = 8.0,
                                            .low_freq_factor = 1.0,
                                            .high_freq_factor = 4.0,
                                            .original_max_position_embeddings = 8192};
    check_round_trip(&config);
    config.rope_scaling = (ls_rope_scaling){.type = LS_ROPE_LINEAR, .factor = 4.0};
    check_round_trip(&config);
    config.rope_scaling = (ls_rope_scaling){
        .type = LS_ROPE_YARN, .factor = 4.0, .original_max_position_embeddings = 32};
    check_round_trip(&config);

    assert_ok(ls_family_find(&phi3, "phi3"));
    config_of(&config, phi3);
    config.rope_scaling = (ls_rope_scaling){.type = LS_ROPE_LONGROPE,
                                            .attention_factor = 1.25,
                                            .original_max_position_embeddings = 32,
                                            .n_factors = 8};
    for (int i = 0; i < 8; i++) {
        config.rope_scaling.short_factor[i] = 1.0 + i;
        config.rope_scaling.long_factor[i] = 2.0 + i;
    }
    check_round_trip(&config);
}

/* A head of 4: our rows 0 1 2 3 (halves) stand as 0 2 1 3 (pairs). */
static void rows_of_q_and_k_stand_in_pairs(void **state)
{
    (void)state;
    const int64_t expected[8] = {0, 2, 1, 3, 4, 6, 5, 7};
    for (int64_t i = 0; i < 8; i++)
        assert_int_equal(ls_stored_row(LS_ROWS_IN_PAIRS, 2, 8, i), expected[i]);
    /* Two heads of 2: q0 k0 v0 q1 k1 v1 stand as q0 q1 k0 k1 v0 v1. */
    const int64_t by_kind[12] = {0, 1, 4, 5, 8, 9, 2, 3, 6, 7, 10, 11};
    for (int64_t i = 0; i < 12; i++)
        assert_int_equal(ls_stored_row(LS_ROWS_BY_KIND, 2, 12, i), by_kind[i]);
}

static void weights_have_the_names_of_the_reference(void **state)
{
    (void)state;
    const struct {
        const char *family, *ours, *gguf;
    } cases[] = {
        {"llama", "model.embed_tokens.weight", "token_embd.weight"},
        {"llama", "model.layers.11.self_attn.q_proj.bias", "blk.11.attn_q.bias"},
        {"llama", "model.layers.0.post_attention_layernorm.weight", "blk.0.ffn_norm.weight"},
        {"llama", "lm_head.weight", "output.weight"},
        {"gemma2", "model.layers.0.post_attention_layernorm.weight",
         "blk.0.post_attention_norm.weight"},
        {"gemma2", "model.layers.0.pre_feedforward_layernorm.weight", "blk.0.ffn_norm.weight"},
        {"gemma2", "model.layers.0.post_feedforward_layernorm.weight",
         "blk.0.post_ffw_norm.weight"},
        {"olmo2", "model.layers.3.self_attn.k_norm.weight", "blk.3.attn_k_norm.weight"},
        {"phi3", "model.layers.0.mlp.gate_up_proj.weight", "blk.0.ffn_up.weight"},
        {"gpt2", "transformer.wpe.weight", "position_embd.weight"},
        {"gpt2", "transformer.h.1.attn.c_attn.bias", "blk.1.attn_qkv.bias"},
        {"gpt_neox", "gpt_neox.layers.1.attention.dense.weight", "blk.1.attn_output.weight"},
    };
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        const ls_family *family;
        char name[64];
        int64_t expert;
        assert_ok(ls_family_find(&family, cases[i].family));
        assert_true(ls_gguf_name(name, &expert, family, cases[i].ours));
        assert_string_equal(name, cases[i].gguf);
        assert_int_equal(expert, -1);
    }
    const ls_family *llama;
    char name[64];
    int64_t expert;
    assert_ok(ls_family_find(&llama, "llama"));
    const char *const others[] = {
        "model.layers.x.mlp.up_proj.weight", "model.layers.1", "model.layers.1.", "weight", "",
        "model.layers.1.nothing.weight"};
    for (size_t i = 0; i < LS_COUNT(others); i++)
        assert_false(ls_gguf_name(name, &expert, llama, others[i]));
}

/* Rounded matrices come back as what the type makes of them, kept as stored or as floats. */
static void quantised_models_are_what_their_type_makes_of_them(void **state)
{
    (void)state;
    const char *const names[] = {"F16", "BF16", "Q8_0", "Q4_0", "Q4_1"};
    char path[64];
    const ls_family *llama;
    ls_model_config config;
    assert_ok(ls_family_find(&llama, "llama"));
    config_of(&config, llama);
    path_of(path, "rounded.gguf");
    for (size_t t = 0; t < LS_COUNT(names); t++) {
        model_fixture saved, loaded, stored;
        ls_model_files files;
        const ls_quant_type *type = ls_quant_find(names[t]);
        fixture_open(&saved, &config, &ls_kernels_ref, 2, LS_MODEL_FROZEN, 0);
        fill(saved.model);
        save(saved.model, path, names[t]);
        assert_ok(ls_model_files_open(&files, path));
        fixture_open(&loaded, &files.config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
        assert_ok(ls_model_files_load(loaded.model, &files));
        for (int64_t i = 0; i < saved.model->n_weights; i++) {
            const ls_weight *w = &saved.model->weights[i], *r = &loaded.model->weights[i];
            float row[96];
            unsigned char bytes[96 * 4];
            for (int64_t j = 0; j < w->rows; j++) {
                memcpy(row, w->data + j * w->cols, (size_t)w->cols * sizeof *row);
                if (w->rows > 1) {
                    type->from_float(bytes, row, w->cols);
                    type->to_float(row, bytes, w->cols);
                }
                assert_memory_equal(row, r->data + j * w->cols, (size_t)w->cols * sizeof *row);
            }
        }
        assert_ok(ls_device_init(&stored.dev, &ls_kernels_ref, 1));
        assert_ok(ls_arena_init(&stored.run, "run", 0));
        assert_ok(ls_model_files_new_stored(&stored.model, &files.config, &stored.dev, &stored.run,
                                            &files));
        assert_ok(ls_model_files_load(stored.model, &files));
        const ls_weight *q =
            ls_model_find_weight(stored.model, "model.layers.1.self_attn.q_proj.weight");
        assert_ptr_equal(q->raw_type, type);
        float row[96];
        type->to_float(row, (const char *)q->raw + 5 * ls_quant_bytes(type, q->cols), q->cols);
        const ls_weight *r = ls_model_find_weight(loaded.model, q->name);
        assert_memory_equal(row, r->data + 5 * q->cols, (size_t)q->cols * sizeof *row);
        ls_arena_release(&stored.run);
        ls_device_release(&stored.dev);
        ls_model_files_close(&files);
        fixture_close(&loaded);
        fixture_close(&saved);
    }
    assert_int_equal(unlink(path), 0);
}

static void assert_load_fails(const char *path, const ls_model_config *config,
                              const char *const *expected, size_t n)
{
    model_fixture m;
    ls_model_files files;
    assert_ok(ls_model_files_open(&files, path));
    fixture_open(&m, config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    assert_int_not_equal(ls_model_files_load(m.model, &files), LEASH_OK);
    for (size_t i = 0; i < n; i++)
        if (!strstr(leash_error(), expected[i]))
            fail_msg("'%s' is not in: %s", expected[i], leash_error());
    ls_model_files_close(&files);
    fixture_close(&m);
}

static void files_that_do_not_fit_are_refused_with_the_list(void **state)
{
    (void)state;
    char path[64];
    const ls_family *llama;
    ls_model_config config, other;
    assert_ok(ls_family_find(&llama, "llama"));
    config_of(&config, llama);
    path_of(path, "misfit.gguf");
    model_fixture saved;
    fixture_open(&saved, &config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    save(saved.model, path, "Q8_0");
    fixture_close(&saved);
    other = config;
    other.num_hidden_layers = 7;
    other.intermediate_size = 128;
    assert_load_fails(path, &other,
                      (const char *[]){path, "missing model.layers.6.input_layernorm.weight",
                                       "of another shape blk.0.ffn_gate.weight [96,64] instead of "
                                       "[128,64]"},
                      3);
    other = config;
    other.num_hidden_layers = 5;
    assert_load_fails(path, &other, (const char *[]){"unexpected blk.5.attn_k.weight"}, 1);
    assert_int_equal(unlink(path), 0);
}

static void assert_config_fails(ls_str *s, const char *expected)
{
    ls_gguf file;
    ls_model_config config;
    assert_ok(ls_gguf_parse(&file, (const unsigned char *)s->data, s->len, "file.gguf"));
    assert_int_not_equal(ls_gguf_read_config(&config, &file), LEASH_OK);
    if (!strstr(leash_error(), expected) || !ls_starts_with(leash_error(), "file.gguf"))
        fail_msg("'%s' is not in: %s", expected, leash_error());
    ls_gguf_close(&file);
    ls_str_clear(s);
}

static void metadata_that_is_no_model_is_refused(void **state)
{
    (void)state;
    ls_str s = LS_STR_INIT;
    put_head(&s, 3, 0, 0);
    assert_config_fails(&s, "general.architecture is ''");
    put_head(&s, 3, 0, 1);
    put_key_text(&s, "general.architecture", "bloom");
    assert_config_fails(&s, "general.architecture is 'bloom'; known: llama, smollm3");
    put_head(&s, 3, 0, 2);
    put_key_text(&s, "general.architecture", "llama");
    put_key_text(&s, "general.type", "adapter");
    assert_config_fails(&s, "general.type is 'adapter'");
    put_head(&s, 3, 0, 1);
    put_key_text(&s, "general.architecture", "llama");
    assert_config_fails(&s, "key 'llama.embedding_length' is missing");
    const uint32_t counts[] = {0, LS_MOST_LAYERS + 1, UINT32_MAX};
    for (size_t i = 0; i < LS_COUNT(counts); i++) {
        put_head(&s, 3, 0, 4);
        put_key_text(&s, "general.architecture", "llama");
        put_key_u32(&s, "llama.embedding_length", 8);
        put_key_u32(&s, "llama.block_count", counts[i]);
        put_key_u32(&s, "llama.attention.head_count", 2);
        assert_config_fails(&s, "expected 1 to");
    }
    put_head(&s, 3, 0, 4);
    put_key_text(&s, "general.architecture", "llama");
    put_key_u32(&s, "llama.embedding_length", 8);
    put_key_u32(&s, "llama.block_count", 2);
    put_list(&s, "llama.attention.head_count", LS_GGUF_I32, 2);
    put_u32(&s, 2);
    put_u32(&s, 4);
    assert_config_fails(&s, "'llama.attention.head_count' differs from layer to layer");
    put_head(&s, 3, 0, 4);
    put_key_text(&s, "general.architecture", "llama");
    put_key_u32(&s, "llama.embedding_length", 8);
    put_key_u32(&s, "llama.block_count", 2);
    put_key_u32(&s, "llama.attention.head_count", 2);
    assert_config_fails(&s, "tensor 'token_embd.weight' is missing");
    ls_str_release(&s);
}

static void what_gguf_cannot_say_is_not_written(void **state)
{
    (void)state;
    char path[64];
    const ls_family *family;
    ls_model_config config;
    ls_gguf_keys keys;
    put_tokens(&keys);
    path_of(path, "never.gguf");
    assert_ok(ls_family_find(&family, "gemma2"));
    config_of(&config, family);
    config.query_pre_attn_scalar = 99;
    assert_int_equal(ls_gguf_put_config(&keys, &config, ls_quant_find("F32")), LEASH_UNSUPPORTED);
    assert_non_null(strstr(leash_error(), "query_pre_attn_scalar of 99"));
    config_of(&config, family);
    config.layers[0] ^= LS_LAYER_SLIDING;
    config.has_layer_types = true;
    assert_int_equal(ls_gguf_put_config(&keys, &config, ls_quant_find("F32")), LEASH_UNSUPPORTED);
    assert_ok(ls_family_find(&family, "llama"));
    config_of(&config, family);
    assert_int_equal(ls_gguf_put_config(&keys, &config, ls_quant_find("Q4_K")), LEASH_UNSUPPORTED);
    config.rope_scaling.type = LS_ROPE_DYNAMIC;
    config.rope_scaling.factor = 2.0;
    assert_int_equal(ls_gguf_put_config(&keys, &config, ls_quant_find("F32")), LEASH_UNSUPPORTED);
    ls_gguf_keys_release(&keys);

    config_of(&config, family);
    model_fixture m;
    fixture_open(&m, &config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    m.model->weights[3].data[7] = NAN;
    put_tokens(&keys);
    assert_int_equal(ls_gguf_save(m.model, path, ls_quant_find("Q8_0"), &keys), LEASH_FAILED);
    assert_non_null(strstr(leash_error(), m.model->weights[3].name));
    assert_false(ls_file_exists(path));
    ls_gguf_keys_release(&keys);
    fixture_close(&m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_family_comes_back_with_the_same_bits),
        cmocka_unit_test(biases_and_both_heads_come_back),
        cmocka_unit_test(scaled_rotation_comes_back),
        cmocka_unit_test(rows_of_q_and_k_stand_in_pairs),
        cmocka_unit_test(weights_have_the_names_of_the_reference),
        cmocka_unit_test(quantised_models_are_what_their_type_makes_of_them),
        cmocka_unit_test(files_that_do_not_fit_are_refused_with_the_list),
        cmocka_unit_test(metadata_that_is_no_model_is_refused),
        cmocka_unit_test(what_gguf_cannot_say_is_not_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
