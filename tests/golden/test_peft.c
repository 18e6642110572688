/* Adapters that peft wrote, on a tiny Llama model and a tiny GPT-2 in BF16, against PyTorch in
 * double: logits with and without the adapter, gradients of its matrices, merged matrices, greedy
 * continuations; and that none of it depends on how the frozen matrices are kept.  The vectors come
 * from tests/golden/peft/generate.py. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include "model_fixture.h"
#include "base/file.h"
#include "formats/gguf.h"
#include "formats/gguf_adapter.h"
#include "formats/hf_folder.h"
#include "formats/peft.h"
#include "formats/safetensors.h"

#define FOLDER LEASH_TEST_DATA "/peft/"

enum { MOST_TOKENS = 80, V = 61, MOST_VALUES = 1 << 13, N_GREEDY = 64, N_PROMPT = 8 };

static const char *const cases[] = {"list", "all_linear", "patterns", "one_layer", "gpt2"};
enum { N_LLAMA = 4 };

/* The folder of a case's model. */
static const char *base_of(const char *name)
{
    return strcmp(name, "gpt2") == 0 ? FOLDER "gpt2_base" : FOLDER "base";
}

typedef struct golden {
    model_fixture f;
    ls_peft_config config;
    ls_st_file expected;
    int32_t ids[MOST_TOKENS];
    int64_t n;
} golden;

static const ls_st_tensor *find(const golden *g, const char *name)
{
    const ls_st_tensor *t = ls_st_find(&g->expected, name);
    if (t == NULL)
        fail_msg("%s is not in the fixture", name);
    return t;
}

static void read_ids(int32_t *out, const golden *g, const char *name)
{
    const ls_st_tensor *t = find(g, name);
    assert_string_equal(t->dtype, "I64");
    assert_in_range(t->n, 1, MOST_TOKENS);
    for (int64_t i = 0; i < t->n; i++) {
        int64_t id;
        memcpy(&id, t->data + 8 * i, sizeof id);
        out[i] = (int32_t)id;
    }
}

/* Base and adapter; n_leaves 0: not trained. */
static void open_golden(golden *g, const char *name, const ls_kernels *k, ls_model_use use,
                        int64_t n_leaves)
{
    char dir[256], path[300];
    ls_model_config config;
    snprintf(dir, sizeof dir, FOLDER "%s", name);
    assert_ok(ls_hf_read_config(&config, base_of(name)));
    assert_ok(ls_device_init(&g->f.dev, k, 1));
    assert_ok(ls_arena_init(&g->f.run, "run", 0));
    assert_ok(ls_arena_init(&g->f.pass, "pass", 0));
    memset(ls_arena_alloc(&g->f.pass, 1 << 20), 0xff, 1 << 20);
    ls_arena_rewind(&g->f.pass, 0);
    if (use == LS_MODEL_STORED)
        assert_ok(ls_hf_new_stored(&g->f.model, &config, &g->f.dev, &g->f.run, base_of(name)));
    else
        assert_ok(ls_model_new(&g->f.model, &config, &g->f.dev, &g->f.run, use, 0));
    assert_ok(ls_peft_read_config(&g->config, dir));
    assert_ok(ls_lora_attach(g->f.model, &g->config.spec, dir, n_leaves));
    assert_ok(ls_hf_load_weights(g->f.model, base_of(name)));
    assert_ok(ls_peft_load_weights(g->f.model, dir));
    ls_model_pack(g->f.model);
    ls_model_zero_grads(g->f.model);
    snprintf(path, sizeof path, "%s/expected.safetensors", dir);
    assert_ok(ls_st_open(&g->expected, path));
    read_ids(g->ids, g, "ids");
    g->n = find(g, "ids")->n;
}

static void close_golden(golden *g)
{
    ls_st_close(&g->expected);
    ls_peft_config_release(&g->config);
    fixture_close(&g->f);
}

/* logits (n,V) of a prompt */
static void compute_logits(golden *g, ls_model *model, const int32_t *ids, int64_t n, float *logits)
{
    ls_arena_mark mark = ls_arena_get_mark(&g->f.pass);
    packed batch = pack_sequences(&g->f.pass, &(sequence){ids, n}, 1);
    float lse[MOST_TOKENS], entropy[MOST_TOKENS];
    int32_t rows[MOST_TOKENS];
    for (int i = 0; i < n; i++)
        rows[i] = i;
    ls_tape tape;
    ls_tape_init(&tape, &g->f.dev, &g->f.pass, false);
    ls_head_job job = {.hidden = ls_model_forward(model, &tape, &batch.batch),
                       .weight = model->head,
                       .rows = rows,
                       .n = n,
                       .temperature = 1.0f};
    ls_op_head_logits(&tape, &job, logits, lse, entropy);
    ls_arena_rewind(&g->f.pass, mark);
}

/* Within `relative` of the value plus `absolute` of the largest. */
static void check_values(const golden *g, const char *name, const float *values, int64_t n,
                         double relative, double absolute)
{
    static float expected[MOST_VALUES];
    const ls_st_tensor *t = find(g, name);
    double largest = 0.0;
    assert_int_equal(t->n, n);
    assert_in_range(n, 1, MOST_VALUES);
    assert_ok(ls_st_to_float(expected, t, "fixture"));
    for (int64_t i = 0; i < n; i++)
        largest = fmax(largest, fabs((double)expected[i]));
    for (int64_t i = 0; i < n; i++)
        if (!(fabs((double)values[i] - (double)expected[i]) <=
              relative * fabs((double)expected[i]) + absolute * largest))
            fail_msg("%s[%lld]: %.8g, expected %.8g", name, (long long)i, (double)values[i],
                     (double)expected[i]);
}

/* What must not depend on the use: logits, then all gradients. */
typedef struct outcome {
    float logits[MOST_TOKENS * V], underneath[MOST_TOKENS * V], grads[MOST_VALUES];
    int64_t n_grads;
} outcome;

static void run_case(outcome *out, const char *name, const ls_kernels *k, ls_model_use use)
{
    static golden g;
    float logp[MOST_TOKENS], seeds[MOST_TOKENS], expected;
    double loss = 0.0;
    memset(out, 0, sizeof *out);
    open_golden(&g, name, k, use, 1);
    compute_logits(&g, g.f.model, g.ids, g.n, out->logits);
    check_values(&g, "logits", out->logits, g.n * V, 1e-5, 2e-6);
    compute_logits(&g, ls_lora_underneath(g.f.model), g.ids, g.n, out->underneath);
    check_values(&g, "base_logits", out->underneath, g.n * V, 1e-5, 2e-6);
    for (int64_t i = 0; i < g.n - 1; i++)
        seeds[i] = -1.0f / (float)(g.n - 1);
    run_pass(&g.f, &(sequence){g.ids, g.n}, 1, logp, NULL, seeds, NULL, (pass_options){0});
    for (int64_t i = 0; i < g.n - 1; i++)
        loss -= (double)logp[i] / (double)(g.n - 1);
    assert_ok(ls_st_to_float(&expected, find(&g, "loss"), "fixture"));
    assert_true(fabs(loss - (double)expected) <= 1e-6 * (double)expected);
    const ls_adapter *adapter = g.f.model->adapter;
    for (int64_t i = 0; i < adapter->n_weights; i++) {
        char key[128];
        const ls_weight *w = &adapter->weights[i];
        snprintf(key, sizeof key, "grad.%s", w->name);
        check_values(&g, key, w->grad, w->rows * w->cols, 1e-4, 3e-6);
    }
    assert_in_range(adapter->n_params, 1, MOST_VALUES);
    assert_int_equal(adapter->n_params, g.f.model->n_grads);
    out->n_grads = adapter->n_params;
    memcpy(out->grads, g.f.model->grads[0], (size_t)adapter->n_params * sizeof(float));
    close_golden(&g);
}

static void logits_and_gradients_equal_peft_however_matrices_are_kept(void **state)
{
    (void)state;
    static outcome first, other;
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    const ls_model_use uses[] = {LS_MODEL_FROZEN, LS_MODEL_PACKED, LS_MODEL_STORED};
    for (size_t c = 0; c < LS_COUNT(cases); c++) {
        run_case(&first, cases[c], tables[0], uses[0]);
        for (int t = 0; t < n_tables; t++)
            for (size_t u = 0; u < LS_COUNT(uses); u++) {
                run_case(&other, cases[c], tables[t], uses[u]);
                assert_memory_equal(&first, &other, sizeof first);
            }
    }
}

static void merged_matrices_equal_peft(void **state)
{
    (void)state;
    static golden g;
    static float rows[MOST_VALUES];
    for (size_t c = 0; c < LS_COUNT(cases); c++) {
        open_golden(&g, cases[c], &ls_kernels_ref, LS_MODEL_FROZEN, 0);
        static float before[MOST_TOKENS * V], after[MOST_TOKENS * V];
        compute_logits(&g, g.f.model, g.ids, g.n, before);
        int64_t n_pairs = g.f.model->adapter->n_weights / 2, n_merged = 0;
        ls_lora_merge(g.f.model);
        assert_null(g.f.model->adapter);
        for (int64_t i = 0; i < g.f.model->n_weights; i++) {
            const ls_weight *w = &g.f.model->weights[i];
            char key[128];
            snprintf(key, sizeof key, "merged.%s", w->name);
            if (!ls_st_find(&g.expected, key))
                continue;
            n_merged++;
            memcpy(rows, w->data, (size_t)(w->rows * w->cols) * sizeof *rows);
            check_values(&g, key, rows, w->rows * w->cols, 1e-6, 1e-7);
        }
        assert_int_equal(n_merged, n_pairs);
        compute_logits(&g, g.f.model, g.ids, g.n, after);
        for (int64_t i = 0; i < g.n * V; i++)
            assert_true(fabs((double)before[i] - (double)after[i]) <= 2e-5);
        close_golden(&g);
    }
}

static void greedy_continuations_equal_peft(void **state)
{
    (void)state;
    static golden g;
    static float logits[MOST_TOKENS * V];
    for (size_t c = 0; c < LS_COUNT(cases); c++) {
        int32_t ids[MOST_TOKENS], expected[MOST_TOKENS];
        open_golden(&g, cases[c], &ls_kernels_ref, LS_MODEL_STORED, 0);
        read_ids(expected, &g, "greedy");
        memcpy(ids, g.ids, N_PROMPT * sizeof *ids);
        for (int64_t i = N_PROMPT; i < N_PROMPT + N_GREEDY; i++) {
            compute_logits(&g, g.f.model, ids, i, logits);
            int32_t best = 0;
            for (int32_t v = 1; v < V; v++)
                if (logits[(i - 1) * V + v] > logits[(i - 1) * V + best])
                    best = v;
            ids[i] = best;
        }
        assert_memory_equal(ids + N_PROMPT, expected, N_GREEDY * sizeof *ids);
        close_golden(&g);
    }
}

static void a_saved_adapter_is_read_back_bit_for_bit(void **state)
{
    (void)state;
    static golden g;
    for (size_t c = 0; c < LS_COUNT(cases); c++) {
        char dir[] = "/tmp/leash_test_peft.XXXXXX";
        ls_peft_config config;
        assert_non_null(mkdtemp(dir));
        open_golden(&g, cases[c], &ls_kernels_ref, LS_MODEL_PACKED, 1);
        g.f.model->adapter->base_model = "some/where";
        assert_ok(ls_peft_save(g.f.model, dir));
        assert_ok(ls_peft_read_config(&config, dir));
        assert_string_equal(config.base_model, "some/where");
        assert_int_equal(config.spec.r, g.config.spec.r);
        assert_true(config.spec.lora_alpha == g.config.spec.lora_alpha);
        assert_int_equal(config.spec.use_rslora, g.config.spec.use_rslora);
        ls_lora_choice *then, *now;
        int64_t n_then, n_now, n = g.f.model->adapter->n_params;
        assert_ok(ls_lora_choose(&then, &n_then, g.f.model, &g.config.spec, "then"));
        assert_ok(ls_lora_choose(&now, &n_now, g.f.model, &config.spec, "now"));
        assert_int_equal(n_then, n_now);
        assert_memory_equal(then, now, (size_t)n_now * sizeof *now);
        static float kept[MOST_VALUES];
        memcpy(kept, g.f.model->adapter->data, (size_t)n * sizeof *kept);
        memset(g.f.model->adapter->data, 0, (size_t)n * sizeof *kept);
        assert_ok(ls_peft_load_weights(g.f.model, dir));
        assert_memory_equal(kept, g.f.model->adapter->data, (size_t)n * sizeof *kept);
        ls_free(then);
        ls_free(now);
        ls_peft_config_release(&config);
        close_golden(&g);
        assert_ok(ls_dir_remove(dir));
    }
}

/* Row 2i+p of a head in a file of Llama's relatives is ours p*(D/2) + i. */
static int64_t row_in_file(const char *name, int64_t row, int64_t D)
{
    if (!strstr(name, "attn_q") && !strstr(name, "attn_k"))
        return row;
    int64_t head = row / D, at = row % D;
    return head * D + (at < D / 2 ? 2 * at : 2 * (at - D / 2) + 1);
}

static void check_gguf_pair(const ls_gguf *file, const golden *g, const char *name, int64_t pair,
                            double alpha)
{
    const ls_lora *lora = &g->f.model->adapter->pairs[pair];
    char path[80];
    snprintf(path, sizeof path, "%s.lora_a", name);
    const ls_gguf_tensor *a = ls_gguf_find_tensor(file, path);
    snprintf(path, sizeof path, "%s.lora_b", name);
    const ls_gguf_tensor *b = ls_gguf_find_tensor(file, path);
    assert_true(a && b);
    assert_true(a->rank == 2 && b->rank == 2);
    assert_int_equal(a->shape[0], lora->a->rows);
    assert_int_equal(a->shape[1], lora->a->cols);
    assert_int_equal(b->shape[0], lora->b->rows);
    assert_memory_equal(a->data, lora->a->data, a->n_bytes);
    for (int64_t r = 0; r < lora->b->rows; r++)
        for (int64_t j = 0; j < lora->b->cols; j++) {
            float value;
            int64_t at = row_in_file(name, r, 8) * lora->b->cols + j;
            memcpy(&value, b->data + 4 * at, sizeof value);
            double scaled = (double)value * alpha / (double)lora->a->rows;
            double want = (double)lora->scale * (double)lora->b->data[r * lora->b->cols + j];
            assert_true(fabs(scaled - want) <= 1e-6 * fabs(want));
        }
}

/* alpha / R times B is our scale times B, for every pair, and the rows stand as the model's file
 * has them. */
static void an_adapter_in_gguf_says_the_same_product(void **state)
{
    (void)state;
    static golden g;
    for (size_t c = 0; c < N_LLAMA; c++) {
        char dir[] = "/tmp/leash_test_peft.XXXXXX", path[64];
        double alpha = 0;
        ls_gguf file;
        ls_gguf_text text;
        assert_non_null(mkdtemp(dir));
        snprintf(path, sizeof path, "%s/adapter.gguf", dir);
        open_golden(&g, cases[c], &ls_kernels_ref, LS_MODEL_PACKED, 0);
        assert_ok(ls_gguf_save_adapter(g.f.model, path));
        assert_ok(ls_gguf_open(&file, path));
        assert_ok(ls_gguf_get_text(&text, &file, "general.type"));
        assert_memory_equal(text.data, "adapter", 7);
        assert_ok(ls_gguf_get_text(&text, &file, "adapter.type"));
        assert_memory_equal(text.data, "lora", 4);
        assert_ok(ls_gguf_get_text(&text, &file, "general.architecture"));
        assert_memory_equal(text.data, "llama", 5);
        assert_ok(ls_gguf_get_float(&alpha, &file, "adapter.lora.alpha"));
        const ls_adapter *adapter = g.f.model->adapter;
        assert_int_equal(file.n_tensors, adapter->n_weights);
        for (int64_t i = 0; i < adapter->n_weights / 2; i++) {
            static const char *const parts[][2] = {
                {"q_proj", "attn_q"},      {"k_proj", "attn_k"},      {"v_proj", "attn_v"},
                {"o_proj", "attn_output"}, {"gate_proj", "ffn_gate"}, {"up_proj", "ffn_up"},
                {"down_proj", "ffn_down"}};
            char name[64];
            const char *base = adapter->bases[i]->name;
            for (size_t p = 0; p < LS_COUNT(parts); p++)
                if (strstr(base, parts[p][0]))
                    snprintf(name, sizeof name, "blk.%c.%s.weight", base[strlen("model.layers.")],
                             parts[p][1]);
            check_gguf_pair(&file, &g, name, i, alpha);
        }
        ls_gguf_close(&file);
        close_golden(&g);
        assert_ok(ls_dir_remove(dir));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(logits_and_gradients_equal_peft_however_matrices_are_kept),
        cmocka_unit_test(merged_matrices_equal_peft),
        cmocka_unit_test(greedy_continuations_equal_peft),
        cmocka_unit_test(a_saved_adapter_is_read_back_bit_for_bit),
        cmocka_unit_test(an_adapter_in_gguf_says_the_same_product),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
