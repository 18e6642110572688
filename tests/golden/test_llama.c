/* Two tiny Llama models against PyTorch and transformers: logits, loss, gradients of every weight.
 * The vectors come from tests/golden/llama/generate.py, in double precision. */
#include <math.h>
#include <stdio.h>
#include "model_fixture.h"
#include "formats/hf_folder.h"
#include "formats/safetensors.h"

#define FOLDER LEASH_TEST_DATA "/llama/"

enum { PROMPTS = 2, MOST_TOKENS = 32, MOST_VOCAB = 80, MOST_VALUES = 1 << 14 };

typedef struct {
    model_fixture f;
    ls_st_file expected;
    int32_t ids[PROMPTS][MOST_TOKENS];
    sequence sequences[PROMPTS];
} golden;

static const ls_st_tensor *find(const golden *g, const char *name)
{
    const ls_st_tensor *t = ls_st_find(&g->expected, name);
    if (t == NULL)
        fail_msg("%s is not in the fixture", name);
    return t;
}

static void open_golden(golden *g, const char *dir, const ls_kernels *k)
{
    char path[256];
    ls_model_config config;
    assert_ok(ls_hf_read_config(&config, dir));
    fixture_open(&g->f, &config, k, 1, LS_MODEL_TRAINED, 1);
    assert_ok(ls_hf_load_weights(g->f.model, dir));
    ls_model_pack(g->f.model);
    snprintf(path, sizeof path, "%s/expected.safetensors", dir);
    assert_ok(ls_st_open(&g->expected, path));
    for (int p = 0; p < PROMPTS; p++) {
        char name[16];
        snprintf(name, sizeof name, "ids.%d", p);
        const ls_st_tensor *t = find(g, name);
        assert_string_equal(t->dtype, "I64");
        assert_in_range(t->n, 1, MOST_TOKENS);
        for (int64_t i = 0; i < t->n; i++) {
            int64_t id;
            memcpy(&id, t->data + 8 * i, sizeof id);
            g->ids[p][i] = (int32_t)id;
        }
        g->sequences[p] = (sequence){g->ids[p], t->n};
    }
}

static void close_golden(golden *g)
{
    ls_st_close(&g->expected);
    fixture_close(&g->f);
}

static void check_logits(golden *g)
{
    static float logits[MOST_TOKENS * MOST_VOCAB], expected[MOST_TOKENS * MOST_VOCAB];
    float lse[MOST_TOKENS], entropy[MOST_TOKENS];
    double worst = 0.0;
    int64_t V = g->f.model->config.vocab_size;
    for (int p = 0; p < PROMPTS; p++) {
        ls_arena_mark mark = ls_arena_get_mark(&g->f.pass);
        packed batch = pack_sequences(&g->f.pass, &g->sequences[p], 1);
        int32_t rows[MOST_TOKENS];
        for (int i = 0; i < MOST_TOKENS; i++)
            rows[i] = i;
        ls_tape tape;
        ls_tape_init(&tape, &g->f.dev, &g->f.pass, false);
        ls_head_job job = {.hidden = ls_model_forward(g->f.model, &tape, &batch.batch),
                           .weight = g->f.model->head,
                           .rows = rows,
                           .n = g->sequences[p].n,
                           .temperature = 1.0f};
        ls_op_head_logits(&tape, &job, logits, lse, entropy);
        char name[16];
        snprintf(name, sizeof name, "logits.%d", p);
        const ls_st_tensor *t = find(g, name);
        assert_int_equal(t->n, job.n * V);
        assert_ok(ls_st_to_float(expected, t, "fixture"));
        for (int64_t i = 0; i < t->n; i++) {
            double error = fabs((double)logits[i] - (double)expected[i]);
            worst = fmax(worst, error);
            assert_true(error <= 1e-5 + 1e-5 * fabs((double)expected[i]));
        }
        ls_arena_rewind(&g->f.pass, mark);
    }
    print_message("worst error of a logit: %.2e\n", worst);
}

static double check_weight(golden *g, const ls_weight *w)
{
    static float expected[MOST_VALUES];
    char name[128];
    double largest = 0.0, worst = 0.0;
    snprintf(name, sizeof name, "grad.%s", w->name);
    const ls_st_tensor *t = find(g, name);
    assert_in_range(t->n, w->rows * w->cols, MOST_VALUES);
    assert_int_equal(t->n, w->rows * w->cols);
    assert_ok(ls_st_to_float(expected, t, "fixture"));
    for (int64_t i = 0; i < t->n; i++)
        largest = fmax(largest, fabs((double)expected[i]));
    for (int64_t i = 0; i < t->n; i++) {
        double error = fabs((double)w->grad[i] - (double)expected[i]);
        worst = fmax(worst, error / largest);
        if (!(error <= 1e-4 * fabs((double)expected[i]) + 2e-6 * largest))
            fail_msg("%s[%lld]: %.8g, expected %.8g", name, (long long)i, (double)w->grad[i],
                     (double)expected[i]);
    }
    return worst;
}

static void check_loss_and_gradients(golden *g)
{
    float logp[PROMPTS * MOST_TOKENS], seeds[PROMPTS * MOST_TOKENS], expected;
    int64_t n = g->sequences[0].n + g->sequences[1].n - PROMPTS;
    for (int64_t i = 0; i < n; i++)
        seeds[i] = -1.0f / (float)n;
    run_pass(&g->f, g->sequences, PROMPTS, logp, NULL, seeds, NULL, (pass_options){0});
    ls_model_fold_grads(g->f.model);
    double loss = 0.0, worst = 0.0;
    for (int64_t i = 0; i < n; i++)
        loss -= (double)logp[i] / (double)n;
    assert_ok(ls_st_to_float(&expected, find(g, "loss"), "fixture"));
    assert_true(fabs(loss - (double)expected) <= 1e-6 * (double)expected);
    for (int64_t i = 0; i < g->f.model->n_weights; i++)
        worst = fmax(worst, check_weight(g, &g->f.model->weights[i]));
    print_message("loss %.7f, expected %.7f; worst error of a gradient %.2e of its weight's "
                  "largest\n",
                  loss, (double)expected, worst);
}

static void check_case(const char *dir)
{
    static golden g;
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++) {
        open_golden(&g, dir, tables[t]);
        check_logits(&g);
        check_loss_and_gradients(&g);
        close_golden(&g);
    }
}

static void grouped_heads_and_tied_head_equal_transformers(void **state)
{
    (void)state;
    check_case(FOLDER "gqa_tied");
}

static void own_head_size_and_untied_head_equal_transformers(void **state)
{
    (void)state;
    check_case(FOLDER "mha_untied");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grouped_heads_and_tied_head_equal_transformers),
        cmocka_unit_test(own_head_size_and_untied_head_equal_transformers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
