/* The optimizer: published values, PyTorch's trajectory, clipping, checks, and the same bits on
 * every table and thread count. */
#include "close.h"

#include <float.h>
#include <stdio.h>
#include <string.h>
#include "base/rng.h"
#include "formats/safetensors.h"
#include "model_fixture.h"
#include "train/optimizer.h"
#include "train/schedule.h"

#define MOST_WEIGHTS 4

/* A model of bare weights: the optimizer needs no forward. */
typedef struct bare {
    ls_device dev;
    ls_arena arena;
    ls_weight weights[MOST_WEIGHTS];
    float *leaf;
    ls_model model;
    ls_optimizer optimizer;
} bare;

typedef struct shape {
    const char *name;
    int64_t rows, cols;
    bool is_decayed;
} shape;

static const ls_optimizer_options defaults = {
    .adam_beta1 = 0.9, .adam_beta2 = 0.999, .adam_epsilon = 1e-8, .weight_decay = 0.1};

static void bare_open(bare *b, const ls_kernels *k, int n_threads, const shape *shapes, int64_t n,
                      const ls_optimizer_options *options)
{
    memset(b, 0, sizeof *b);
    assert_ok(ls_device_init(&b->dev, k, n_threads));
    assert_ok(ls_arena_init(&b->arena, "run", 0));
    b->model = (ls_model){.dev = &b->dev,
                          .arena = &b->arena,
                          .weights = b->weights,
                          .n_weights = n,
                          .n_leaves = 1,
                          .grads = &b->leaf};
    for (int64_t i = 0; i < n; i++) {
        ls_weight *w = &b->weights[i];
        *w = (ls_weight){.rows = shapes[i].rows,
                         .cols = shapes[i].cols,
                         .offset = b->model.n_params,
                         .is_trainable = true,
                         .is_decayed = shapes[i].is_decayed};
        snprintf(w->name, sizeof w->name, "%s", shapes[i].name);
        b->model.n_params += w->rows * w->cols;
    }
    b->model.n_grads = b->model.n_params;
    b->model.data = ls_arena_floats(&b->arena, b->model.n_params);
    b->model.trained = b->weights;
    b->model.n_trained = n;
    b->model.n_trained_params = b->model.n_params;
    b->model.trained_data = b->model.data;
    b->leaf = ls_arena_floats(&b->arena, b->model.n_params);
    for (int64_t i = 0; i < n; i++)
        b->weights[i].data = b->model.data + b->weights[i].offset;
    ls_optimizer_init(&b->optimizer, &b->model, &b->arena, options);
}

static void bare_close(bare *b)
{
    ls_arena_release(&b->arena);
    ls_device_release(&b->dev);
}

static ls_update_report update(bare *b, double learning_rate)
{
    ls_update_report report;
    assert_ok(ls_optimizer_update(&b->optimizer, &b->model, learning_rate, &report));
    return report;
}

static void adamw_has_its_published_values(void **state)
{
    (void)state;
    static const shape one = {"w", 1, 1, true};
    static const float grads[] = {0.5f, -0.3f, 0.2f};
    static const double after[] = {0.9890000002, 0.986096019894, 0.981635647059};
    bare b;
    bare_open(&b, &ls_kernels_ref, 1, &one, 1, &defaults);
    b.model.data[0] = 1;
    for (int t = 0; t < 3; t++) {
        b.leaf[0] = grads[t];
        update(&b, 0.01);
        /* Three float updates of a value near 1. */
        assert_close(b.model.data[0], after[t], 2e-7);
    }
    bare_close(&b);
}

static void epsilon_is_added_after_the_bias_correction(void **state)
{
    (void)state;
    static const shape one = {"w", 1, 1, false};
    static const struct {
        float g;
        double step;
    } cases[] = {{1e-6f, 0.00990099009901}, {1e-8f, 0.005}};
    for (int i = 0; i < 2; i++) {
        bare b;
        bare_open(&b, &ls_kernels_ref, 1, &one, 1, &defaults);
        b.model.data[0] = 0;
        b.leaf[0] = cases[i].g;
        update(&b, 0.01);
        /* A few roundings of a float, relative to the step. */
        assert_close(-b.model.data[0] / cases[i].step, 1, 1e-6);
        bare_close(&b);
    }
}

static void clipping_scales_by_the_published_factor(void **state)
{
    (void)state;
    static const shape two[] = {{"a", 1, 1, true}, {"b", 1, 1, true}};
    ls_optimizer_options options = defaults;
    options.max_grad_norm = 1;
    bare b;
    bare_open(&b, &ls_kernels_ref, 1, two, 2, &options);
    b.model.data[0] = b.model.data[1] = 1;
    b.leaf[0] = 3;
    b.leaf[1] = 4;
    ls_update_report report = update(&b, 0);
    assert_close(report.grad_norm, 5, 1e-15);
    /* m = (1 - beta1) g coef in floats. */
    assert_close(b.optimizer.m[0] / 0.3, 0.19999996, 1e-6);
    assert_close(b.optimizer.m[1] / 0.4, 0.19999996, 1e-6);
    bare_close(&b);
}

static void gradients_below_the_limit_are_not_scaled(void **state)
{
    (void)state;
    static const shape one = {"w", 1, 1, true};
    float m[2];
    for (int i = 0; i < 2; i++) {
        ls_optimizer_options options = defaults;
        options.max_grad_norm = i == 0 ? 0 : 1;
        bare b;
        bare_open(&b, &ls_kernels_ref, 1, &one, 1, &options);
        b.model.data[0] = 1;
        b.leaf[0] = 0.7f;
        update(&b, 0.01);
        m[i] = b.optimizer.m[0];
        bare_close(&b);
    }
    assert_memory_equal(&m[0], &m[1], sizeof m[0]);
}

static void a_learning_rate_of_zero_moves_moments_and_no_weight(void **state)
{
    (void)state;
    static const shape one = {"w", 1, 3, true};
    bare b;
    bare_open(&b, &ls_kernels_ref, 1, &one, 1, &defaults);
    const float start[] = {1, -2, 0.5f};
    memcpy(b.model.data, start, sizeof start);
    b.leaf[0] = b.leaf[1] = b.leaf[2] = 0.25f;
    ls_update_report report = update(&b, 0);
    assert_memory_equal(b.model.data, start, sizeof start);
    assert_true(b.optimizer.m[1] > 0 && b.optimizer.v[2] > 0);
    assert_true(report.change_norm == 0);
    assert_close(report.param_norm, sqrt(1 + 4 + 0.25), 1e-15);
    assert_int_equal(b.optimizer.updates, 1);
    bare_close(&b);
}

static void only_decayed_weights_shrink(void **state)
{
    (void)state;
    static const shape two[] = {{"gain", 1, 2, false}, {"matrix", 2, 1, true}};
    bare b;
    bare_open(&b, &ls_kernels_ref, 1, two, 2, &defaults);
    for (int i = 0; i < 4; i++) {
        b.model.data[i] = 2;
        b.leaf[i] = 0;
    }
    update(&b, 0.5);
    assert_true(b.model.data[0] == 2 && b.model.data[1] == 2);
    assert_close(b.model.data[2], 2 * (1 - 0.5 * 0.1), 1e-7);
    assert_close(b.model.data[3], 2 * (1 - 0.5 * 0.1), 1e-7);
    bare_close(&b);
}

/* --- PyTorch --- */

static const ls_st_tensor *tensor(const ls_st_file *file, const char *prefix, const char *name)
{
    char key[64];
    snprintf(key, sizeof key, "%s%s", prefix, name);
    const ls_st_tensor *t = ls_st_find(file, key);
    assert_non_null(t);
    return t;
}

static void read_row(float *out, const ls_st_tensor *t, int64_t row, int64_t n)
{
    memcpy(out, t->data + (size_t)(row * n) * sizeof(float), (size_t)n * sizeof(float));
}

static double read_double(const ls_st_tensor *t, int64_t i)
{
    double value;
    memcpy(&value, t->data + (size_t)i * sizeof value, sizeof value);
    return value;
}

static void trajectory_agrees_with_pytorch(void **state)
{
    (void)state;
    static const shape shapes[] = {
        {"embed", 13, 11, true}, {"gain", 1, 11, false}, {"down", 5, 7, true}};
    const ls_schedule schedule = {
        .kind = LS_SCHEDULE_COSINE, .learning_rate = 3e-3, .floor = 0.1, .warmup = 8, .total = 50};
    ls_optimizer_options options = defaults;
    options.max_grad_norm = 1;
    bare b;
    bare_open(&b, &ls_kernels_ref, 1, shapes, 3, &options);
    ls_st_file file;
    assert_ok(ls_st_open(&file, LEASH_TEST_DATA "/adamw/trajectory.safetensors"));
    for (int i = 0; i < 3; i++)
        assert_ok(ls_st_to_float(b.weights[i].data, tensor(&file, "start.", shapes[i].name), ""));
    double worst = 0;
    for (int64_t t = 0; t < 50; t++) {
        double rate = ls_schedule_at(&schedule, t);
        assert_close(rate / read_double(tensor(&file, "lr", ""), t), 1, 1e-14);
        for (int i = 0; i < 3; i++)
            read_row(b.leaf + b.weights[i].offset, tensor(&file, "grad.", shapes[i].name), t,
                     shapes[i].rows * shapes[i].cols);
        ls_update_report report = update(&b, rate);
        /* PyTorch sums squares in floats. */
        assert_close(report.grad_norm / read_double(tensor(&file, "norm", ""), t), 1, 1e-6);
        float after[143];
        for (int i = 0; i < 3; i++) {
            int64_t n = shapes[i].rows * shapes[i].cols;
            read_row(after, tensor(&file, "after.", shapes[i].name), t, n);
            for (int64_t j = 0; j < n; j++) {
                double expected = after[j], error = fabs(b.weights[i].data[j] - expected);
                worst = fmax(worst, error / fmax(1, fabs(expected)));
            }
        }
    }
    print_message("largest difference from PyTorch over 50 updates: %.2g\n", worst);
    /* A float holds a weight near 1 to 6e-8, and each of 50 updates rounds once or twice. */
    assert_true(worst <= 1e-6);
    ls_st_close(&file);
    bare_close(&b);
}

/* --- checks --- */

static void open_checked(bare *b)
{
    static const shape shapes[] = {{"first.weight", 2, 3, true}, {"second.weight", 4, 5, true}};
    bare_open(b, &ls_kernels_ref, 1, shapes, 2, &defaults);
    for (int64_t i = 0; i < b->model.n_params; i++) {
        b->model.data[i] = (float)i;
        b->leaf[i] = 0.1f;
    }
}

static void a_gradient_that_is_not_finite_is_named_and_changes_nothing(void **state)
{
    (void)state;
    static const float bad[] = {NAN, INFINITY, -INFINITY};
    for (int k = 0; k < 3; k++) {
        bare b;
        ls_update_report report;
        open_checked(&b);
        b.leaf[6 + 13] = bad[k];
        b.leaf[6 + 17] = bad[k];
        assert_int_equal(ls_optimizer_update(&b.optimizer, &b.model, 0.1, &report), LEASH_NUMERIC);
        assert_non_null(strstr(leash_error(), "gradient of second.weight is not finite (2 of 20 "));
        assert_non_null(strstr(leash_error(), "at row 2, column 3)"));
        for (int64_t i = 0; i < b.model.n_params; i++)
            assert_true(b.model.data[i] == (float)i && b.optimizer.m[i] == 0 &&
                        b.optimizer.v[i] == 0);
        assert_int_equal(b.optimizer.updates, 0);
        bare_close(&b);
    }
}

static void a_gradient_too_large_for_the_second_moment_is_refused(void **state)
{
    (void)state;
    bare b;
    ls_update_report report;
    open_checked(&b);
    b.leaf[0] = 1e20f;
    assert_int_equal(ls_optimizer_update(&b.optimizer, &b.model, 0.1, &report), LEASH_NUMERIC);
    assert_non_null(strstr(leash_error(), "gradients are too large"));
    assert_true(b.optimizer.v[0] == 0 && b.model.data[3] == 3);
    b.optimizer.options.max_grad_norm = 1;
    b.leaf[0] = FLT_MAX;
    report = update(&b, 0.1);
    assert_close(report.grad_norm / (double)FLT_MAX, 1, 1e-12);
    bare_close(&b);
}

static void a_weight_that_overflows_is_named(void **state)
{
    (void)state;
    bare b;
    ls_update_report report;
    open_checked(&b);
    b.optimizer.options.weight_decay = 0;
    assert_int_equal(ls_optimizer_update(&b.optimizer, &b.model, 1e39, &report), LEASH_NUMERIC);
    assert_non_null(strstr(leash_error(), "weight first.weight is not finite (6 of 6 values)"));
    assert_non_null(strstr(leash_error(), "lower learning_rate"));
    bare_close(&b);
}

/* --- the same bits everywhere --- */

static float normal(uint32_t stream, int64_t i)
{
    ls_rng_name name = {
        .seed = 3, .purpose = LS_RNG_TEST, .prompt = stream, .position = (uint32_t)i};
    float pair[2];
    ls_rng_normal2(pair, &name);
    return pair[0];
}

/* Longer than two blocks, with a tail in each chunk and lane. */
static const shape long_shapes[] = {
    {"a", 3, 7, true}, {"b", 521, 263, true}, {"c", 1, 4097, false}, {"d", 16, 4096, true}};

static void long_run(bare *b, const ls_kernels *k, int n_threads, ls_update_report *report)
{
    ls_optimizer_options options = defaults;
    options.max_grad_norm = 0.5;
    bare_open(b, k, n_threads, long_shapes, 4, &options);
    for (int64_t i = 0; i < b->model.n_params; i++) {
        b->model.data[i] = normal(1, i);
        b->leaf[i] = normal(2, i);
    }
    for (int t = 0; t < 3; t++)
        *report = update(b, 1e-3);
}

static void weights_moments_and_norms_do_not_depend_on_table_or_threads(void **state)
{
    (void)state;
    bare reference;
    ls_update_report expected;
    long_run(&reference, &ls_kernels_ref, 1, &expected);
    size_t bytes = (size_t)reference.model.n_params * sizeof(float);
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int i = 0; i < n_tables; i++)
        for (int n_threads = 1; n_threads <= 3; n_threads++) {
            bare b;
            ls_update_report report;
            long_run(&b, tables[i], n_threads, &report);
            assert_memory_equal(b.model.data, reference.model.data, bytes);
            assert_memory_equal(b.optimizer.m, reference.optimizer.m, bytes);
            assert_memory_equal(b.optimizer.v, reference.optimizer.v, bytes);
            assert_memory_equal(&report, &expected, sizeof report);
            bare_close(&b);
        }
    bare_close(&reference);
}

static void norms_agree_with_a_plain_sum(void **state)
{
    (void)state;
    bare b;
    ls_update_report report;
    long_run(&b, &ls_kernels_ref, 1, &report);
    double change = 0, param = 0, grad = 0;
    size_t bytes = (size_t)b.model.n_params * sizeof(float);
    float *before = ls_arena_alloc(&b.arena, bytes);
    memcpy(before, b.model.data, bytes);
    report = update(&b, 1e-3);
    for (int64_t i = 0; i < b.model.n_params; i++) {
        double d = (double)b.model.data[i] - (double)before[i];
        change += d * d;
        param += (double)b.model.data[i] * (double)b.model.data[i];
        grad += (double)b.leaf[i] * (double)b.leaf[i];
    }
    /* The same exact squares in another order. */
    assert_close(report.change_norm / sqrt(change), 1, 1e-12);
    assert_close(report.param_norm / sqrt(param), 1, 1e-12);
    assert_close(report.grad_norm / sqrt(grad), 1, 1e-12);
    bare_close(&b);
}

static void an_update_repacks_what_the_forward_reads(void **state)
{
    (void)state;
    ls_model_config config;
    assert_ok(ls_model_config_builtin(&config, "tiny"));
    config.num_hidden_layers = 1;
    config.vocab_size = 19;
    config.max_position_embeddings = 16;
    model_fixture f;
    fixture_open(&f, &config, &ls_kernels_ref, 1, LS_MODEL_TRAINED, 1);
    ls_optimizer optimizer;
    ls_update_report report;
    ls_optimizer_init(&optimizer, f.model, &f.run, &defaults);
    for (int64_t i = 0; i < f.model->n_params; i++)
        f.model->grads[0][i] = normal(4, i);
    assert_ok(ls_optimizer_update(&optimizer, f.model, 1e-2, &report));
    for (int64_t i = 0; i < f.model->n_weights; i++) {
        const ls_weight *w = &f.model->weights[i];
        if (!w->packed)
            continue;
        size_t bytes = f.dev.k->pack_bytes(w->rows, w->cols);
        float *expected = ls_arena_zalloc(&f.pass, bytes);
        f.dev.k->pack(&f.dev, expected, w->data, w->rows, w->cols);
        assert_memory_equal(expected, w->packed, bytes);
    }
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(adamw_has_its_published_values),
        cmocka_unit_test(epsilon_is_added_after_the_bias_correction),
        cmocka_unit_test(clipping_scales_by_the_published_factor),
        cmocka_unit_test(gradients_below_the_limit_are_not_scaled),
        cmocka_unit_test(a_learning_rate_of_zero_moves_moments_and_no_weight),
        cmocka_unit_test(only_decayed_weights_shrink),
        cmocka_unit_test(trajectory_agrees_with_pytorch),
        cmocka_unit_test(a_gradient_that_is_not_finite_is_named_and_changes_nothing),
        cmocka_unit_test(a_gradient_too_large_for_the_second_moment_is_refused),
        cmocka_unit_test(a_weight_that_overflows_is_named),
        cmocka_unit_test(weights_moments_and_norms_do_not_depend_on_table_or_threads),
        cmocka_unit_test(norms_agree_with_a_plain_sum),
        cmocka_unit_test(an_update_repacks_what_the_forward_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
