/* Every family, by walking the list: gradients of the whole model, their bits however a pass is
 * cut, what a dry run measures, and initial values. */
#include <math.h>
#include "model_fixture.h"
#include "base/rng.h"
#include "tiny_models.h"

enum { SEQUENCES = 3, MOST_LENGTH = 24, MOST_TARGETS = SEQUENCES * MOST_LENGTH };

typedef struct {
    int32_t ids[SEQUENCES][MOST_LENGTH];
    sequence sequences[SEQUENCES];
    float dlogp[MOST_TARGETS], dentropy[MOST_TARGETS];
} random_batch;

static void make_batch(random_batch *b, int64_t vocab_size)
{
    static const int64_t lengths[SEQUENCES] = {24, 1, 17};
    ls_rng_name name = {.seed = 3, .purpose = LS_RNG_TEST};
    for (int s = 0; s < SEQUENCES; s++) {
        for (int64_t i = 0; i < lengths[s]; i++) {
            name.position++;
            b->ids[s][i] = (int32_t)ls_rng_below(&name, (uint64_t)vocab_size);
        }
        b->sequences[s] = (sequence){b->ids[s], lengths[s]};
    }
    for (int i = 0; i < MOST_TARGETS; i++) {
        float pair[2];
        name.position++;
        ls_rng_normal2(pair, &name);
        b->dlogp[i] = pair[0];
        b->dentropy[i] = 0.3f * pair[1];
    }
}

static const ls_kernels *fastest_table(void)
{
    const ls_kernels *tables[3];
    return tables[ls_kernels_available(tables) - 1];
}

static void for_each_family(void (*check)(const ls_family *family, const ls_model_config *config,
                                          const random_batch *batch))
{
    size_t n;
    static random_batch batch;
    const ls_family *const *families = ls_families(&n);
    for (size_t i = 0; i < n; i++) {
        ls_model_config config = tiny_config(families[i], 64);
        make_batch(&batch, config.vocab_size);
        check(families[i], &config, &batch);
    }
}

static double loss_of(model_fixture *f, const random_batch *b)
{
    float logp[MOST_TARGETS], entropy[MOST_TARGETS];
    double sum = 0.0;
    ls_model_pack(f->model);
    run_pass(f, b->sequences, SEQUENCES, logp, entropy, NULL, NULL, (pass_options){0});
    for (int i = 0; i < 24 + 17 - 2; i++)
        sum += (double)(b->dlogp[i] * logp[i]) + (double)(b->dentropy[i] * entropy[i]);
    return sum;
}

/* Moves a weight along its gradient, so far that the loss should change by 0.004 to both sides
 * together: rounding and second order are then below a hundredth of that, and no router changes its
 * mind on the way. */
static void check_weight(const ls_family *family, model_fixture *f, const random_batch *b,
                         ls_weight *w)
{
    int64_t n = w->rows * w->cols;
    double square = 0.0;
    for (int64_t i = 0; i < n; i++)
        square += (double)w->grad[i] * (double)w->grad[i];
    if (square == 0.0)
        fail_msg("%s: %s has no gradient", family->name, w->name);
    float *old = ls_arena_floats(&f->run, n);
    memcpy(old, w->data, (size_t)n * sizeof *old);
    double step = 0.002 / square, side[2];
    for (int s = 0; s < 2; s++) {
        for (int64_t i = 0; i < n; i++)
            w->data[i] = (float)((double)old[i] + (s ? -step : step) * (double)w->grad[i]);
        side[s] = loss_of(f, b);
    }
    memcpy(w->data, old, (size_t)n * sizeof *old);
    double slope = (side[0] - side[1]) / 0.004;
    if (!(fabs(slope - 1.0) < 0.02))
        fail_msg("%s: %s: slope along its gradient is %.4f of what the gradient says", family->name,
                 w->name, slope);
}

static void check_gradients(const ls_family *family, const ls_model_config *config,
                            const random_batch *b)
{
    model_fixture f;
    float logp[MOST_TARGETS], entropy[MOST_TARGETS];
    fixture_open(&f, config, fastest_table(), 1, LS_MODEL_TRAINED, 1);
    run_pass(&f, b->sequences, SEQUENCES, logp, entropy, b->dlogp, b->dentropy, (pass_options){0});
    ls_model_fold_grads(f.model);
    for (int64_t i = 0; i < f.model->n_weights; i++)
        check_weight(family, &f, b, &f.model->weights[i]);
    fixture_close(&f);
}

static void gradients_tell_the_slope_of_the_loss(void **state)
{
    (void)state;
    for_each_family(check_gradients);
}

static void add_gradients(model_fixture *f, const random_batch *b, int first, int n,
                          pass_options options)
{
    float logp[MOST_TARGETS], entropy[MOST_TARGETS];
    int64_t at = 0;
    for (int s = 0; s < first; s++)
        at += b->sequences[s].n - 1;
    run_pass(f, b->sequences + first, n, logp, entropy, b->dlogp + at, b->dentropy + at, options);
}

static void check_bits(const ls_family *family, const ls_model_config *config,
                       const random_batch *b)
{
    model_fixture plain, other;
    fixture_open(&plain, config, &ls_kernels_ref, 1, LS_MODEL_TRAINED, 1);
    add_gradients(&plain, b, 0, SEQUENCES, (pass_options){0});
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++)
        for (int variant = 0; variant < 4; variant++) {
            pass_options options = {.recomputes_blocks = variant & 1};
            fixture_open(&other, config, tables[t], 1 + variant, LS_MODEL_TRAINED, 1);
            if (variant & 2) {
                add_gradients(&other, b, 0, 1, options);
                add_gradients(&other, b, 1, SEQUENCES - 1, options);
            } else {
                add_gradients(&other, b, 0, SEQUENCES, options);
            }
            if (memcmp(plain.model->grads[0], other.model->grads[0],
                       (size_t)plain.model->n_grads * sizeof(float)) != 0)
                fail_msg("%s: gradients of %s differ in variant %d", family->name, tables[t]->name,
                         variant);
            fixture_close(&other);
        }
    fixture_close(&plain);
}

static void gradients_do_not_depend_on_threads_tables_cuts_or_recomputation(void **state)
{
    (void)state;
    for_each_family(check_bits);
}

static void check_dry_run(const ls_family *family, const ls_model_config *config,
                          const random_batch *b)
{
    for (int recomputes = 0; recomputes <= 1; recomputes++) {
        pass_options options = {.recomputes_blocks = recomputes};
        model_fixture real, dry;
        fixture_open(&real, config, fastest_table(), 1, LS_MODEL_TRAINED, 1);
        add_gradients(&real, b, 0, SEQUENCES, options);
        assert_ok(ls_device_init(&dry.dev, &ls_kernels_null, 1));
        assert_ok(ls_arena_init_dry(&dry.run, "run"));
        assert_ok(ls_arena_init_dry(&dry.pass, "pass"));
        assert_ok(ls_model_new(&dry.model, config, &dry.dev, &dry.run, LS_MODEL_TRAINED, 1));
        add_gradients(&dry, b, 0, SEQUENCES, options);
        if (dry.pass.peak != real.pass.peak)
            fail_msg("%s: a dry pass measures %zu bytes, a real one takes %zu", family->name,
                     dry.pass.peak, real.pass.peak);
        fixture_close(&dry);
        fixture_close(&real);
    }
}

static void dry_runs_measure_the_pass_to_the_byte(void **state)
{
    (void)state;
    for_each_family(check_dry_run);
}

static void check_initial_vectors(const ls_family *family, const ls_model_config *config,
                                  const random_batch *b)
{
    (void)b;
    model_fixture f;
    fixture_open(&f, config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    for (int64_t i = 0; i < f.model->n_weights; i++) {
        const ls_weight *w = &f.model->weights[i];
        size_t length = strlen(w->name);
        bool is_bias = length > 5 && strcmp(w->name + length - 5, ".bias") == 0;
        float expected = is_bias || w->adds_one ? 0.0f : 1.0f;
        for (int64_t j = 0; w->rows == 1 && j < w->cols; j++)
            if (w->data[j] != expected || w->is_decayed)
                fail_msg("%s: %s starts as %g", family->name, w->name, (double)w->data[j]);
    }
    fixture_close(&f);
}

static void norms_start_as_the_identity_and_biases_as_zero(void **state)
{
    (void)state;
    for_each_family(check_initial_vectors);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_tell_the_slope_of_the_loss),
        cmocka_unit_test(gradients_do_not_depend_on_threads_tables_cuts_or_recomputation),
        cmocka_unit_test(dry_runs_measure_the_pass_to_the_byte),
        cmocka_unit_test(norms_start_as_the_identity_and_biases_as_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
