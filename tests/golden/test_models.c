/* A tiny model or two of every family against PyTorch and transformers: logits, loss, gradients of
 * every weight, greedy tokens over a KV cache, and saving.  The vectors come from
 * tests/golden/models/generate.py, in double precision. */
#include <dirent.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "model_fixture.h"
#include "base/str.h"
#include "formats/hf_folder.h"
#include "formats/safetensors.h"

#define FOLDER LEASH_TEST_DATA "/models/"

enum {
    PROMPTS = 2,
    VOCAB = 96,
    MOST_TOKENS = 128,
    GREEDY = 64,
    MOST_VALUES = 1 << 14,
    LOGIT_STEP = 5,
    GRAD_STEP = 23,
    SMALL_WEIGHT = 70 /* up to this size every element of a gradient is stored */
};

static const char *const cases[] = {
    "llama",      "llama3",        "llama_linear_biases",
    "llama_yarn", "llama_dynamic", "smollm3",
    "mistral",    "qwen2",         "qwen3",
    "gemma2",     "gemma3",        "phi3_short",
    "phi3_long",  "olmo2",         "granite",
    "gpt2",       "neox_parallel", "neox_sequential",
    "qwen3_moe",  "olmoe",
};

typedef struct {
    const char *name;
    model_fixture f;
    ls_st_file expected;
    int32_t ids[PROMPTS][MOST_TOKENS];
    sequence sequences[PROMPTS];
    double worst_logit, worst_gradient, loss_error;
} golden;

static const ls_st_tensor *find(const golden *g, const char *name)
{
    const ls_st_tensor *t = ls_st_find(&g->expected, name);
    if (t == NULL)
        fail_msg("%s: %s is not in the fixture", g->name, name);
    return t;
}

static void read_ids(const golden *g, int32_t *ids, const char *name, int64_t *n)
{
    const ls_st_tensor *t = find(g, name);
    assert_string_equal(t->dtype, "I64");
    assert_in_range(t->n, 1, MOST_TOKENS);
    for (int64_t i = 0; i < t->n; i++) {
        int64_t id;
        memcpy(&id, t->data + 8 * i, sizeof id);
        ids[i] = (int32_t)id;
    }
    *n = t->n;
}

static void read_config(ls_model_config *config, const char *name, const char *dir)
{
    assert_ok(ls_hf_read_config(config, dir));
    if (strcmp(name, "phi3_long") == 0)
        config->longest_sequence = config->max_position_embeddings;
}

static void open_golden(golden *g, const char *name, const ls_kernels *k)
{
    char dir[256], path[300];
    ls_model_config config;
    *g = (golden){.name = name};
    snprintf(dir, sizeof dir, "%s%s", FOLDER, name);
    read_config(&config, name, dir);
    fixture_open(&g->f, &config, k, 1, LS_MODEL_TRAINED, 1);
    assert_ok(ls_hf_load_weights(g->f.model, dir));
    ls_model_pack(g->f.model);
    snprintf(path, sizeof path, "%s/expected.safetensors", dir);
    assert_ok(ls_st_open(&g->expected, path));
    for (int p = 0; p < PROMPTS; p++) {
        char key[24];
        snprintf(key, sizeof key, "ids.%d", p);
        read_ids(g, g->ids[p], key, &g->sequences[p].n);
        g->sequences[p].ids = g->ids[p];
    }
}

static void close_golden(golden *g)
{
    ls_st_close(&g->expected);
    fixture_close(&g->f);
}

static void check_logits(golden *g)
{
    static float logits[MOST_TOKENS * VOCAB], expected[MOST_TOKENS * VOCAB];
    float lse[MOST_TOKENS], entropy[MOST_TOKENS];
    int32_t rows[MOST_TOKENS];
    for (int i = 0; i < MOST_TOKENS; i++)
        rows[i] = i;
    for (int p = 0; p < PROMPTS; p++) {
        ls_arena_mark mark = ls_arena_get_mark(&g->f.pass);
        packed batch = pack_sequences(&g->f.pass, &g->sequences[p], 1);
        ls_tape tape;
        ls_tape_init(&tape, &g->f.dev, &g->f.pass, false);
        ls_head_job job = {.hidden = ls_model_forward(g->f.model, &tape, &batch.batch),
                           .weight = g->f.model->head,
                           .rows = rows,
                           .n = g->sequences[p].n,
                           .temperature = 1.0f};
        ls_op_head_logits(&tape, &job, logits, lse, entropy);
        char name[24];
        snprintf(name, sizeof name, "logits.%d", p);
        const ls_st_tensor *t = find(g, name);
        assert_ok(ls_st_to_float(expected, t, "fixture"));
        for (int64_t i = 0; i < t->n; i++) {
            double want = (double)expected[i];
            double error = fabs((double)logits[i * LOGIT_STEP] - want);
            g->worst_logit = fmax(g->worst_logit, error);
            if (!(error <= 1e-5 + 1e-5 * fabs(want)))
                fail_msg("%s: logit %lld of prompt %d is %.8g, expected %.8g", g->name,
                         (long long)i * LOGIT_STEP, p, (double)logits[i * LOGIT_STEP], want);
        }
        ls_arena_rewind(&g->f.pass, mark);
    }
}

/* As ls_weight, but where the file holds the transpose, element i of the file. */
static double gradient_at(const ls_weight *w, int64_t i)
{
    if (!w->is_stored_transposed)
        return (double)w->grad[i];
    return (double)w->grad[i % w->rows * w->cols + i / w->rows];
}

static void check_weight(golden *g, const ls_weight *w)
{
    static float expected[MOST_VALUES];
    char name[128];
    double largest = 0.0;
    snprintf(name, sizeof name, "grad.%s", w->name);
    const ls_st_tensor *t = find(g, name);
    int64_t n = w->rows * w->cols, step = n > SMALL_WEIGHT ? GRAD_STEP : 1;
    assert_int_equal(t->n, (n + step - 1) / step);
    assert_true(t->n <= MOST_VALUES);
    assert_ok(ls_st_to_float(expected, t, "fixture"));
    for (int64_t i = 0; i < t->n; i++)
        largest = fmax(largest, fabs((double)expected[i]));
    for (int64_t i = 0; i < t->n; i++) {
        double want = (double)expected[i], got = gradient_at(w, i * step), error = fabs(got - want);
        g->worst_gradient = fmax(g->worst_gradient, error / largest);
        if (!(error <= 1e-4 * fabs(want) + 4e-6 * largest))
            fail_msg("%s: %s[%lld]: %.8g, expected %.8g (largest %.3g)", g->name, name,
                     (long long)(i * step), got, want, largest);
    }
}

/* Both prompts in one pass; the second time the layers are computed again in the backward, which
 * must not change a bit. */
static void check_loss_and_gradients(golden *g)
{
    float logp[PROMPTS * MOST_TOKENS], seeds[PROMPTS * MOST_TOKENS], expected;
    ls_model *model = g->f.model;
    int64_t n = g->sequences[0].n + g->sequences[1].n - PROMPTS;
    size_t bytes = (size_t)model->n_grads * sizeof(float);
    for (int64_t i = 0; i < n; i++)
        seeds[i] = -1.0f / (float)n;
    run_pass(&g->f, g->sequences, PROMPTS, logp, NULL, seeds, NULL,
             (pass_options){.recomputes_blocks = true});
    float *again = ls_arena_alloc(&g->f.run, bytes);
    memcpy(again, model->grads[0], bytes);
    ls_model_zero_grads(model);
    run_pass(&g->f, g->sequences, PROMPTS, logp, NULL, seeds, NULL, (pass_options){0});
    assert_memory_equal(again, model->grads[0], bytes);
    ls_model_fold_grads(model);
    double loss = 0.0;
    for (int64_t i = 0; i < n; i++)
        loss -= (double)logp[i] / (double)n;
    assert_ok(ls_st_to_float(&expected, find(g, "loss"), "fixture"));
    g->loss_error = fabs(loss - (double)expected);
    assert_true(g->loss_error <= 1e-6 * (double)expected);
    for (int64_t i = 0; i < model->n_weights; i++)
        check_weight(g, &model->weights[i]);
}

/* The most likely token after n ids at positions from pos0 on. */
static int32_t next_token(golden *g, const int32_t *ids, int64_t n, int64_t pos0, float **pages)
{
    int32_t pos[MOST_TOKENS], row = (int32_t)(n - 1), target = 0, best;
    float logp;
    for (int64_t i = 0; i < n; i++)
        pos[i] = (int32_t)(pos0 + i);
    ls_batch_seq seq = {.n_rows = n, .pos0 = pos0, .pages = pages};
    ls_batch batch = {.ids = ids, .pos = pos, .n_rows = n, .seqs = &seq, .n_seqs = 1};
    ls_arena_mark mark = ls_arena_get_mark(&g->f.pass);
    ls_tape tape;
    ls_tape_init(&tape, &g->f.dev, &g->f.pass, false);
    ls_head_job job = {.hidden = ls_model_forward(g->f.model, &tape, &batch),
                       .weight = g->f.model->head,
                       .rows = &row,
                       .targets = &target,
                       .n = 1,
                       .temperature = 1.0f,
                       .logp = &logp,
                       .argmax = &best};
    ls_op_head_score(&tape, &job);
    ls_arena_rewind(&g->f.pass, mark);
    return best;
}

static void check_greedy(golden *g)
{
    int32_t ids[MOST_TOKENS], expected[MOST_TOKENS];
    float *pages[MOST_TOKENS / LS_KV_PAGE];
    int64_t n, n_prompt = strcmp(g->name, "phi3_long") == 0 ? 19 : 7, done = 0;
    size_t bytes = (size_t)ls_model_page_floats(g->f.model) * sizeof(float);
    for (size_t p = 0; p < LS_COUNT(pages); p++)
        pages[p] = ls_arena_zalloc(&g->f.run, bytes);
    read_ids(g, expected, "greedy", &n);
    assert_int_equal(n, GREEDY);
    memcpy(ids, g->ids[0], (size_t)n_prompt * sizeof *ids);
    for (int64_t i = 0; i < GREEDY; i++) {
        int64_t end = n_prompt + i;
        ids[end] = next_token(g, ids + done, end - done, done, pages);
        done = end;
        if (ids[end] != expected[i])
            fail_msg("%s: greedy token %lld is %d, expected %d", g->name, (long long)i,
                     (int)ids[end], (int)expected[i]);
    }
}

static void logits_gradients_and_greedy_tokens_equal_transformers(void **state)
{
    (void)state;
    static golden g;
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (size_t c = 0; c < LS_COUNT(cases); c++)
        for (int t = 0; t < n_tables; t++) {
            open_golden(&g, cases[c], tables[t]);
            check_logits(&g);
            check_loss_and_gradients(&g);
            check_greedy(&g);
            if (t + 1 == n_tables)
                print_message("%-20s logit %.1e  loss %.1e  gradient %.1e of its weight's "
                              "largest\n",
                              cases[c], g.worst_logit, g.loss_error, g.worst_gradient);
            close_golden(&g);
        }
}

static void remove_folder(const char *dir)
{
    DIR *d = opendir(dir);
    char path[600];
    for (const struct dirent *entry; d && (entry = readdir(d)) != NULL;) {
        snprintf(path, sizeof path, "%s/%.255s", dir, entry->d_name);
        unlink(path);
    }
    if (d)
        closedir(d);
    rmdir(dir);
}

/* LEASH_KEEP_MODELS=DIR leaves the saved folders there, for generate.py --check. */
static void saving_and_loading_is_the_identity(void **state)
{
    (void)state;
    static golden g;
    const char *kept = getenv("LEASH_KEEP_MODELS");
    for (size_t c = 0; c < LS_COUNT(cases); c++) {
        char dir[300];
        snprintf(dir, sizeof dir, "%s/leash_models_XXXXXX", kept ? kept : "/tmp");
        assert_non_null(mkdtemp(dir));
        open_golden(&g, cases[c], &ls_kernels_ref);
        /* Without the source's text the config is written from the fields. */
        g.f.model->config_text = NULL;
        assert_ok(ls_hf_save(g.f.model, dir));
        ls_model_config config;
        model_fixture other;
        read_config(&config, cases[c], dir);
        assert_memory_equal(config.layers, g.f.model->config.layers, sizeof config.layers);
        assert_memory_equal(&config.rope_scaling, &g.f.model->config.rope_scaling,
                            sizeof config.rope_scaling);
        fixture_open(&other, &config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
        assert_ok(ls_hf_load_weights(other.model, dir));
        assert_int_equal(ls_model_hash(other.model), ls_model_hash(g.f.model));
        fixture_close(&other);
        close_golden(&g);
        if (kept)
            print_message("%s %s\n", cases[c], dir);
        else
            remove_folder(dir);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_gradients_and_greedy_tokens_equal_transformers),
        cmocka_unit_test(saving_and_loading_is_the_identity),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
