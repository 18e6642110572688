/* Models as buffers: initialisation, leaves, cuts, recomputation, memory.  What is compared here is
 * compared bit for bit. */
#include <math.h>
#include "model_fixture.h"
#include "base/rng.h"

enum { SEQUENCES = 8, MOST_LENGTH = 40, MOST_TARGETS = SEQUENCES * MOST_LENGTH };

static ls_model_config small_config(bool is_tied)
{
    return (ls_model_config){.family = "llama",
                             .vocab_size = 37,
                             .hidden_size = 24,
                             .intermediate_size = 41,
                             .num_hidden_layers = 3,
                             .num_attention_heads = 4,
                             .num_key_value_heads = 2,
                             .head_dim = 6,
                             .max_position_embeddings = 64,
                             .rope_theta = 1000.0,
                             .rms_norm_eps = 1e-5,
                             .initializer_range = 0.3,
                             .tie_word_embeddings = is_tied};
}

typedef struct
{ /* eight sequences of 1 to 40 tokens and seeds of their targets, a tenth of them zero */
    int32_t ids[SEQUENCES][MOST_LENGTH];
    sequence sequences[SEQUENCES];
    int64_t first_target[SEQUENCES + 1];
    float dlogp[MOST_TARGETS], dentropy[MOST_TARGETS];
} random_batch;

static void make_random_batch(random_batch *b, int64_t vocab_size)
{
    uint32_t position = 0;
    ls_rng_name name = {.seed = 3, .purpose = LS_RNG_TEST};
    b->first_target[0] = 0;
    for (int s = 0; s < SEQUENCES; s++) {
        name.position = position++;
        int64_t n = 1 + (int64_t)ls_rng_below(&name, MOST_LENGTH);
        for (int64_t i = 0; i < n; i++) {
            name.position = position++;
            b->ids[s][i] = (int32_t)ls_rng_below(&name, (uint64_t)vocab_size);
        }
        b->sequences[s] = (sequence){b->ids[s], n};
        b->first_target[s + 1] = b->first_target[s] + n - 1;
    }
    for (int64_t i = 0; i < b->first_target[SEQUENCES]; i++) {
        name.position = position++;
        float pair[2] = {0, 0};
        if (i % 10 != 3)
            ls_rng_normal2(pair, &name);
        b->dlogp[i] = pair[0];
        b->dentropy[i] = 0.1f * pair[1];
    }
}

/* Gradients of sequences first .. first+n-1 in one pass, added to the leaf in use. */
static void add_gradients(model_fixture *f, const random_batch *b, int first, int n,
                          pass_options options)
{
    float logp[MOST_TARGETS], entropy[MOST_TARGETS];
    int64_t at = b->first_target[first];
    run_pass(f, b->sequences + first, n, logp, entropy, b->dlogp + at, b->dentropy + at, options);
}

static const ls_kernels *fastest_table(void)
{
    const ls_kernels *tables[3];
    int n = ls_kernels_available(tables);
    return tables[n - 1];
}

static void assert_same_grads(const ls_model *a, const ls_model *b)
{
    assert_int_equal(a->n_grads, b->n_grads);
    assert_memory_equal(a->grads[0], b->grads[0], (size_t)a->n_grads * sizeof(float));
}

static void check_cuts(bool is_tied)
{
    static random_batch batch;
    static const int per_pass[] = {4, 3, 1};
    ls_model_config config = small_config(is_tied);
    model_fixture whole, cut;
    make_random_batch(&batch, config.vocab_size);
    fixture_open(&whole, &config, fastest_table(), 1, LS_MODEL_TRAINED, 1);
    add_gradients(&whole, &batch, 0, SEQUENCES, (pass_options){0});
    for (size_t i = 0; i < LS_COUNT(per_pass); i++) {
        fixture_open(&cut, &config, fastest_table(), 2, LS_MODEL_TRAINED, 1);
        for (int s = 0; s < SEQUENCES; s += per_pass[i])
            add_gradients(&cut, &batch, s,
                          SEQUENCES - s < per_pass[i] ? SEQUENCES - s : per_pass[i],
                          (pass_options){0});
        assert_same_grads(whole.model, cut.model);
        fixture_close(&cut);
    }
    fixture_close(&whole);
}

static void gradients_do_not_depend_on_the_cut_into_micro_batches(void **state)
{
    (void)state;
    check_cuts(true);
    check_cuts(false);
}

static void gradients_do_not_depend_on_threads_tables_or_recomputation(void **state)
{
    (void)state;
    static random_batch batch;
    ls_model_config config = small_config(true);
    model_fixture plain, other;
    make_random_batch(&batch, config.vocab_size);
    fixture_open(&plain, &config, &ls_kernels_ref, 1, LS_MODEL_TRAINED, 1);
    add_gradients(&plain, &batch, 0, SEQUENCES, (pass_options){0});
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++)
        for (int threads = 1; threads <= 4; threads++) {
            fixture_open(&other, &config, tables[t], threads, LS_MODEL_TRAINED, 1);
            add_gradients(&other, &batch, 0, SEQUENCES,
                          (pass_options){.recomputes_blocks = threads % 2 == 0});
            assert_same_grads(plain.model, other.model);
            fixture_close(&other);
        }
    fixture_close(&plain);
}

/* Four leaves in one model, and two models ("ranks") of two leaves each whose folded gradients are
 * added. */
static void leaves_spread_over_ranks_fold_to_the_same_bits(void **state)
{
    (void)state;
    static random_batch batch;
    for (int is_tied = 0; is_tied <= 1; is_tied++) {
        ls_model_config config = small_config(is_tied);
        model_fixture one, ranks[2];
        make_random_batch(&batch, config.vocab_size);
        fixture_open(&one, &config, fastest_table(), 1, LS_MODEL_TRAINED, 4);
        for (int leaf = 0; leaf < 4; leaf++) {
            ls_model_use_leaf(one.model, leaf);
            add_gradients(&one, &batch, 2 * leaf, 2, (pass_options){0});
        }
        ls_model_fold_grads(one.model);
        for (int rank = 0; rank < 2; rank++) {
            fixture_open(&ranks[rank], &config, fastest_table(), 1, LS_MODEL_TRAINED, 2);
            for (int leaf = 0; leaf < 2; leaf++) {
                ls_model_use_leaf(ranks[rank].model, leaf);
                add_gradients(&ranks[rank], &batch, 4 * rank + 2 * leaf, 2, (pass_options){0});
            }
            ls_model_fold_grads(ranks[rank].model);
        }
        float *sum = ranks[0].model->grads[0];
        for (int64_t i = 0; i < one.model->n_params; i++)
            sum[i] = sum[i] + ranks[1].model->grads[0][i];
        assert_memory_equal(sum, one.model->grads[0], (size_t)one.model->n_params * sizeof(float));
        fixture_close(&ranks[1]);
        fixture_close(&ranks[0]);
        fixture_close(&one);
    }
}

static void frozen_models_have_no_gradients_and_the_same_scores(void **state)
{
    (void)state;
    static random_batch batch;
    ls_model_config config = small_config(true);
    make_random_batch(&batch, config.vocab_size);
    model_fixture trained, frozen;
    float a[MOST_TARGETS], b[MOST_TARGETS];
    fixture_open(&trained, &config, fastest_table(), 1, LS_MODEL_TRAINED, 1);
    fixture_open(&frozen, &config, fastest_table(), 1, LS_MODEL_FROZEN, 0);
    assert_null(frozen.model->grads);
    assert_null(frozen.model->weights[0].grad);
    run_pass(&trained, batch.sequences, SEQUENCES, a, NULL, batch.dlogp, NULL, (pass_options){0});
    run_pass(&frozen, batch.sequences, SEQUENCES, b, NULL, NULL, NULL, (pass_options){0});
    assert_memory_equal(a, b, (size_t)batch.first_target[SEQUENCES] * sizeof *a);
    assert_true(frozen.pass.peak < trained.pass.peak);
    fixture_close(&frozen);
    fixture_close(&trained);
}

/* A weight that is frozen by itself: no gradient of its own, the others' bits unchanged. */
static void freezing_one_weight_leaves_the_other_gradients_alone(void **state)
{
    (void)state;
    static random_batch batch;
    ls_model_config config = small_config(false);
    make_random_batch(&batch, config.vocab_size);
    model_fixture plain, partly;
    fixture_open(&plain, &config, fastest_table(), 1, LS_MODEL_TRAINED, 1);
    fixture_open(&partly, &config, fastest_table(), 1, LS_MODEL_TRAINED, 1);
    const char *const frozen[] = {"model.embed_tokens.weight", "model.layers.0.mlp.up_proj.weight",
                                  "model.layers.1.input_layernorm.weight", "lm_head.weight"};
    for (size_t i = 0; i < LS_COUNT(frozen); i++)
        ls_model_find_weight(partly.model, frozen[i])->is_trainable = false;
    ls_model_use_leaf(partly.model, 0);
    add_gradients(&plain, &batch, 0, SEQUENCES, (pass_options){0});
    add_gradients(&partly, &batch, 0, SEQUENCES, (pass_options){0});
    for (int64_t i = 0; i < plain.model->n_weights; i++) {
        const ls_weight *w = &partly.model->weights[i];
        const float *grad = partly.model->grads[0] + w->offset;
        if (w->is_trainable)
            assert_memory_equal(grad, plain.model->weights[i].grad,
                                (size_t)(w->rows * w->cols) * sizeof(float));
        else
            for (int64_t j = 0; j < w->rows * w->cols; j++)
                assert_true(grad[j] == 0.0f);
    }
    fixture_close(&partly);
    fixture_close(&plain);
}

/* The null kernels on dry arenas ask for exactly what a real pass takes, and touch nothing. */
static void dry_run_measures_the_pass_to_the_byte(void **state)
{
    (void)state;
    static random_batch batch;
    ls_model_config config = small_config(true);
    make_random_batch(&batch, config.vocab_size);
    for (int recomputes = 0; recomputes <= 1; recomputes++) {
        pass_options options = {.recomputes_blocks = recomputes};
        model_fixture real, dry;
        fixture_open(&real, &config, fastest_table(), 1, LS_MODEL_TRAINED, 2);
        add_gradients(&real, &batch, 0, SEQUENCES, options);

        assert_ok(ls_device_init(&dry.dev, &ls_kernels_null, 1));
        assert_ok(ls_arena_init_dry(&dry.run, "run"));
        assert_ok(ls_arena_init_dry(&dry.pass, "pass"));
        assert_ok(ls_model_new(&dry.model, &config, &dry.dev, &dry.run, LS_MODEL_TRAINED, 2));
        ls_model_init_weights(dry.model, 5);
        ls_model_pack(dry.model);
        ls_model_zero_grads(dry.model);
        add_gradients(&dry, &batch, 0, SEQUENCES, options);
        ls_model_fold_grads(dry.model);
        assert_int_equal(dry.pass.peak, real.pass.peak);
        assert_true(dry.dev.counters.flops > 0);
        fixture_close(&dry);
        fixture_close(&real);
    }
}

static void second_pass_takes_no_memory(void **state)
{
    (void)state;
    static random_batch batch;
    ls_model_config config = small_config(true);
    make_random_batch(&batch, config.vocab_size);
    model_fixture f;
    fixture_open(&f, &config, fastest_table(), 1, LS_MODEL_TRAINED, 1);
    add_gradients(&f, &batch, 0, SEQUENCES, (pass_options){0});
    uint64_t events = ls_memory_events();
    add_gradients(&f, &batch, 0, SEQUENCES, (pass_options){0});
    assert_int_equal(ls_memory_events(), events);
    fixture_close(&f);
}

static void initial_weights_have_the_stated_moments(void **state)
{
    (void)state;
    ls_model_config config;
    assert_ok(ls_model_config_builtin(&config, "tiny"));
    model_fixture f;
    fixture_open(&f, &config, fastest_table(), 2, LS_MODEL_FROZEN, 0);
    for (int64_t i = 0; i < f.model->n_weights; i++) {
        const ls_weight *w = &f.model->weights[i];
        double sum = 0.0, squares = 0.0, n = (double)(w->rows * w->cols);
        for (int64_t j = 0; j < w->rows * w->cols; j++) {
            sum += (double)w->data[j];
            squares += (double)w->data[j] * (double)w->data[j];
        }
        bool is_output = strstr(w->name, "o_proj") || strstr(w->name, "down_proj");
        double std = is_output ? 0.02 / sqrt(8.0) : 0.02;
        if (strstr(w->name, "norm")) {
            assert_true(sum == n && squares == n);
            assert_false(w->is_decayed);
        } else { /* five standard errors */
            assert_true(fabs(sum / n) < 5.0 * std / sqrt(n));
            assert_true(fabs(squares / n / (std * std) - 1.0) < 5.0 * sqrt(2.0 / n));
            assert_true(w->is_decayed);
        }
    }
    fixture_close(&f);
}

static void initial_weights_depend_on_the_seed_and_not_on_threads(void **state)
{
    (void)state;
    ls_model_config config = small_config(false);
    model_fixture a, b;
    fixture_open(&a, &config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    fixture_open(&b, &config, fastest_table(), 4, LS_MODEL_FROZEN, 0);
    assert_int_equal(ls_model_hash(a.model), ls_model_hash(b.model));
    ls_model_init_weights(b.model, 6);
    assert_int_not_equal(ls_model_hash(a.model), ls_model_hash(b.model));
    fixture_close(&b);
    fixture_close(&a);
}

static void built_in_shapes_have_the_promised_sizes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        double least, most;
    } sizes[] = {
        {"tiny", 0.19e6, 0.3e6}, {"1m", 0.9e6, 1.1e6}, {"15m", 14e6, 16e6}, {"135m", 134e6, 135e6}};
    const char *const *names = ls_model_builtin_names();
    for (size_t i = 0; i < LS_COUNT(sizes); i++) {
        assert_string_equal(names[i], sizes[i].name);
        ls_model_config config;
        assert_ok(ls_model_config_builtin(&config, names[i]));
        ls_device dev;
        ls_arena arena;
        ls_model *model;
        assert_ok(ls_device_init(&dev, &ls_kernels_null, 1));
        assert_ok(ls_arena_init_dry(&arena, "run"));
        assert_ok(ls_model_new(&model, &config, &dev, &arena, LS_MODEL_FROZEN, 0));
        print_message("%s: %lld parameters\n", names[i], (long long)model->n_params);
        assert_true((double)model->n_params >= sizes[i].least);
        assert_true((double)model->n_params <= sizes[i].most);
        ls_arena_release(&arena);
        ls_device_release(&dev);
    }
    assert_null(names[LS_COUNT(sizes)]);
    ls_model_config config;
    assert_int_equal(ls_model_config_builtin(&config, "tinny"), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "did you mean 'tiny'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_do_not_depend_on_the_cut_into_micro_batches),
        cmocka_unit_test(gradients_do_not_depend_on_threads_tables_or_recomputation),
        cmocka_unit_test(leaves_spread_over_ranks_fold_to_the_same_bits),
        cmocka_unit_test(frozen_models_have_no_gradients_and_the_same_scores),
        cmocka_unit_test(freezing_one_weight_leaves_the_other_gradients_alone),
        cmocka_unit_test(dry_run_measures_the_pass_to_the_byte),
        cmocka_unit_test(second_pass_takes_no_memory),
        cmocka_unit_test(initial_weights_have_the_stated_moments),
        cmocka_unit_test(initial_weights_depend_on_the_seed_and_not_on_threads),
        cmocka_unit_test(built_in_shapes_have_the_promised_sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
