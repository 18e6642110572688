/* Adapters of a model: which modules have one, how they start, what is trained, the model
 * underneath. */
#include <math.h>
#include <stdio.h>
#include "model_fixture.h"
#include "base/str.h"
#include "model/lora.h"

static model_fixture f;

static int open_model(void **state)
{
    (void)state;
    ls_model_config config;
    assert_ok(ls_model_config_builtin(&config, "tiny"));
    config.vocab_size = 31;
    config.hidden_size = 24;
    config.intermediate_size = 40;
    config.num_hidden_layers = 12;
    config.max_position_embeddings = 16;
    fixture_open(&f, &config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    return 0;
}

static int close_model(void **state)
{
    (void)state;
    fixture_close(&f);
    return 0;
}

/* The chosen modules of layer l, as one text of last parts. */
static int64_t chosen_in_layer(ls_str *out, const ls_lora_choice *choices, int64_t n, int layer)
{
    char prefix[32];
    int64_t count = 0;
    snprintf(prefix, sizeof prefix, "model.layers.%d.", layer);
    for (int64_t i = 0; i < n; i++) {
        if (!ls_starts_with(choices[i].weight->name, prefix))
            continue;
        const char *part = strchr(choices[i].weight->name + strlen(prefix), '.') + 1;
        ls_str_appendf(out, "%s%.*s", count++ > 0 ? " " : "", (int)strcspn(part, "."), part);
    }
    return count;
}

static void assert_chosen(const ls_lora_spec *spec, int layer, const char *modules)
{
    ls_lora_choice *choices;
    int64_t n;
    ls_str text = LS_STR_INIT;
    assert_ok(ls_lora_choose(&choices, &n, f.model, spec, "test"));
    chosen_in_layer(&text, choices, n, layer);
    assert_string_equal(text.data, modules);
    ls_str_release(&text);
    ls_free(choices);
}

static void check_text(const char *text, const char *modules)
{
    ls_lora_spec spec = {.r = 2, .lora_alpha = 4};
    assert_ok(ls_lora_spec_set_targets(&spec, text, "lora_target_modules"));
    assert_chosen(&spec, 3, modules);
    ls_lora_spec_release(&spec);
}

static void names_lists_patterns_and_all_linear_choose_as_in_peft(void **state)
{
    (void)state;
    check_text("all-linear", "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj");
    check_text("", "q_proj v_proj");
    check_text("q_proj", "q_proj");
    check_text("up_proj, o_proj", "o_proj up_proj");
    check_text("self_attn.k_proj,mlp.down_proj", "k_proj down_proj");
    check_text("model.layers.3.self_attn.v_proj", "v_proj");
    check_text(".*_proj", "q_proj k_proj v_proj o_proj gate_proj up_proj down_proj");
    check_text(".*\\.(3|7)\\.mlp\\.(up|gate)_proj", "gate_proj up_proj");
    check_text("model\\.layers\\.\\d+\\.self_attn\\.[qk]_proj", "q_proj k_proj");
}

static void layers_exclusions_ranks_and_alphas_are_those_of_the_spec(void **state)
{
    (void)state;
    int64_t layers[] = {1, 11};
    char *names[] = {"q_proj", "mlp.up_proj"}, *excluded[] = {"11.mlp.up_proj"};
    ls_module_value ranks[] = {{"layers.1.self_attn.q_proj", 5}, {"q_proj", 7}},
                    alphas[] = {{"mlp\\..*", 3}};
    ls_lora_spec spec = {.r = 2,
                         .lora_alpha = 8,
                         .target_modules = {.names = names, .n_names = 2},
                         .exclude_modules = {.names = excluded, .n_names = 1},
                         .layers = layers,
                         .n_layers = 2,
                         .rank_pattern = ranks,
                         .n_rank_pattern = 2,
                         .alpha_pattern = alphas,
                         .n_alpha_pattern = 1};
    ls_lora_choice *choices;
    int64_t n;
    assert_ok(ls_lora_choose(&choices, &n, f.model, &spec, "test"));
    assert_int_equal(n, 3);
    assert_string_equal(choices[0].weight->name, "model.layers.1.self_attn.q_proj.weight");
    assert_string_equal(choices[1].weight->name, "model.layers.1.mlp.up_proj.weight");
    assert_string_equal(choices[2].weight->name, "model.layers.11.self_attn.q_proj.weight");
    assert_int_equal(choices[0].r, 5);
    assert_int_equal(choices[1].r, 2);
    assert_int_equal(choices[2].r, 7);
    assert_true(choices[0].alpha == 8 && choices[1].alpha == 3 && choices[2].alpha == 8);
    ls_free(choices);
}

static void assert_refused(const char *text, const char *part)
{
    ls_lora_choice *choices;
    int64_t n;
    ls_lora_spec spec = {.r = 2, .lora_alpha = 4};
    leash_status status = ls_lora_spec_set_targets(&spec, text, "lora_target_modules");
    if (status == LEASH_OK)
        status = ls_lora_choose(&choices, &n, f.model, &spec, "lora_target_modules");
    assert_true(status != LEASH_OK);
    if (!strstr(leash_error(), part))
        fail_msg("the error is \"%s\", expected \"%s\" in it", leash_error(), part);
    ls_lora_spec_release(&spec);
}

static void what_cannot_be_adapted_is_refused_by_name(void **state)
{
    (void)state;
    assert_refused("q_proj,qq_proj", "lora_target_modules: 'qq_proj' matches no module");
    assert_refused("_proj", "'_proj' matches no module of the model that can be adapted; there are "
                            "model.layers.0.self_attn.q_proj, ");
    assert_refused("q_proj,embed_tokens", "model.embed_tokens takes no adapter");
    assert_refused("input_layernorm", "model.layers.0.input_layernorm takes no adapter");
    assert_refused("q_proj,,v_proj", "an empty name in the list");
    assert_refused("(q_proj", "'(q_proj' is no regular expression: ");
    assert_refused(".*q", "'.*q' matches no module");
    assert_refused("(.*|[^_])*(.*|[^_])*[!?]", "takes too long to match");
}

static void a_starts_uniform_and_b_at_zero_by_seed_and_name(void **state)
{
    (void)state;
    ls_lora_spec spec = {.r = 16, .lora_alpha = 32};
    assert_ok(ls_lora_spec_set_targets(&spec, "all-linear", "lora_target_modules"));
    assert_ok(ls_lora_attach(f.model, &spec, "test", 1));
    ls_lora_init_weights(f.model, 3);
    const ls_adapter *adapter = f.model->adapter;
    assert_int_equal(adapter->n_weights, 12 * 7 * 2);
    assert_int_equal(f.model->n_grads, adapter->n_params);
    assert_ptr_equal(f.model->trained, adapter->weights);
    double sum = 0, squares = 0, n = 0;
    for (int64_t i = 0; i < adapter->n_weights / 2; i++) {
        const ls_weight *a = adapter->pairs[i].a, *b = adapter->pairs[i].b;
        double bound = 1 / sqrt((double)a->cols);
        assert_true(adapter->pairs[i].scale == 2.0f);
        assert_int_equal(a->rows, 16);
        assert_int_equal(b->rows, adapter->bases[i]->rows);
        for (int64_t j = 0; j < a->rows * a->cols; j++, n++) {
            double x = (double)a->data[j] / bound;
            assert_true(x >= -1 && x <= 1);
            sum += x;
            squares += x * x;
        }
        for (int64_t j = 0; j < b->rows * b->cols; j++)
            assert_true(b->data[j] == 0.0f);
    }
    /* Mean 0 and variance 1/3 within five standard errors. */
    assert_true(fabs(sum / n) < 5 * sqrt(1 / (3 * n)));
    assert_true(fabs(squares / n - 1.0 / 3.0) < 5 * sqrt(4.0 / 45.0 / n));
    float first = adapter->data[0], second = adapter->pairs[1].a->data[0];
    ls_lora_init_weights(f.model, 4);
    assert_true(adapter->data[0] != first);
    ls_lora_init_weights(f.model, 3);
    assert_true(adapter->data[0] == first && adapter->pairs[1].a->data[0] == second);
    assert_string_equal(adapter->weights[0].name,
                        "base_model.model.model.layers.0.self_attn.q_proj.lora_A.weight");
    assert_string_equal(adapter->weights[1].name,
                        "base_model.model.model.layers.0.self_attn.q_proj.lora_B.weight");
    ls_lora_spec_release(&spec);
}

static void the_model_underneath_takes_no_memory_but_its_struct_and_leaves_the_pairs_out(void **s)
{
    (void)s;
    static const int32_t ids[] = {3, 1, 4, 1, 5};
    const sequence prompt = {ids, 5};
    float before[4], start[4], moved[4], underneath[4];
    run_pass(&f, &prompt, 1, before, NULL, NULL, NULL, (pass_options){0});
    ls_lora_spec spec = {.r = 2, .lora_alpha = 2};
    assert_ok(ls_lora_spec_set_targets(&spec, "all-linear", "lora_target_modules"));
    assert_ok(ls_lora_attach(f.model, &spec, "test", 0));
    assert_null(f.model->trained);
    ls_lora_init_weights(f.model, 3);
    ls_model_pack(f.model);
    run_pass(&f, &prompt, 1, start, NULL, NULL, NULL, (pass_options){0});
    assert_memory_equal(before, start, sizeof before);
    for (int64_t i = 0; i < f.model->adapter->n_params; i++)
        f.model->adapter->data[i] = 0.1f;
    ls_model_pack(f.model);
    run_pass(&f, &prompt, 1, moved, NULL, NULL, NULL, (pass_options){0});
    assert_memory_not_equal(before, moved, sizeof before);
    size_t used = f.run.used;
    ls_model *model = f.model;
    f.model = ls_lora_underneath(model);
    assert_in_range(f.run.used - used, sizeof *model, sizeof *model + 64);
    run_pass(&f, &prompt, 1, underneath, NULL, NULL, NULL, (pass_options){0});
    f.model = model;
    assert_memory_equal(before, underneath, sizeof before);
    ls_lora_spec_release(&spec);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(names_lists_patterns_and_all_linear_choose_as_in_peft,
                                        open_model, close_model),
        cmocka_unit_test_setup_teardown(layers_exclusions_ranks_and_alphas_are_those_of_the_spec,
                                        open_model, close_model),
        cmocka_unit_test_setup_teardown(what_cannot_be_adapted_is_refused_by_name, open_model,
                                        close_model),
        cmocka_unit_test_setup_teardown(a_starts_uniform_and_b_at_zero_by_seed_and_name, open_model,
                                        close_model),
        cmocka_unit_test_setup_teardown(
            the_model_underneath_takes_no_memory_but_its_struct_and_leaves_the_pairs_out,
            open_model, close_model),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
