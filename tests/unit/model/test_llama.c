/* The Llama family as a whole: its gradients against central differences of the paper's formulas
 * written in double. */
#include <math.h>
#include <stdio.h>
#include "model_fixture.h"
#include "base/rng.h"

enum { MOST_ROWS = 12, MOST_WIDTH = 16, MOST_WEIGHTS = 32, MOST_VALUES = 4096 };

typedef struct {
    const ls_model *model;
    double values[MOST_VALUES]; /* all weights, at the model's offsets */
    const sequence *sequences;
    int64_t n_sequences;
    double dlogp[MOST_ROWS], dentropy[MOST_ROWS], temperature;
} reference;

static const double *weight(const reference *r, const char *format, int layer)
{
    char name[96];
    snprintf(name, sizeof name, format, layer); /* NOLINT: formats are literals below */
    for (int64_t i = 0; i < r->model->n_weights; i++)
        if (strcmp(r->model->weights[i].name, name) == 0)
            return r->values + r->model->weights[i].offset;
    fail_msg("no weight %s", name);
    return NULL;
}

static void matrix(double *y, const double *w, const double *x, int64_t out, int64_t in)
{
    for (int64_t o = 0; o < out; o++) {
        y[o] = 0.0;
        for (int64_t k = 0; k < in; k++)
            y[o] += w[o * in + k] * x[k];
    }
}

static void norm(double *y, const double *w, const double *x, int64_t n, double eps)
{
    double squares = 0.0;
    for (int64_t i = 0; i < n; i++)
        squares += x[i] * x[i];
    for (int64_t i = 0; i < n; i++)
        y[i] = x[i] / sqrt(squares / (double)n + eps) * w[i];
}

static void rope(double *x, int64_t heads, int64_t D, int64_t pos, double theta)
{
    for (int64_t h = 0; h < heads; h++)
        for (int64_t i = 0; i < D / 2; i++) {
            double angle = (double)pos * pow(theta, -2.0 * (double)i / (double)D);
            double *a = &x[h * D + i], *b = &x[h * D + i + D / 2], first = *a;
            *a = first * cos(angle) - *b * sin(angle);
            *b = *b * cos(angle) + first * sin(angle);
        }
}

typedef struct { /* one layer's keys and values of a sequence */
    double k[MOST_ROWS][MOST_WIDTH], v[MOST_ROWS][MOST_WIDTH];
} cache;

static void attend(double *o, const double *q, const cache *c, const ls_model_config *m,
                   int64_t pos)
{
    int64_t D = m->head_dim;
    for (int64_t h = 0; h < m->num_attention_heads; h++) {
        int64_t g = h / (m->num_attention_heads / m->num_key_value_heads);
        double p[MOST_ROWS], total = 0.0;
        for (int64_t j = 0; j <= pos; j++) {
            double score = 0.0;
            for (int64_t d = 0; d < D; d++)
                score += q[h * D + d] * c->k[j][g * D + d];
            p[j] = exp(score / sqrt((double)D));
            total += p[j];
        }
        for (int64_t d = 0; d < D; d++) {
            o[h * D + d] = 0.0;
            for (int64_t j = 0; j <= pos; j++)
                o[h * D + d] += p[j] / total * c->v[j][g * D + d];
        }
    }
}

static void run_layer(const reference *r, int l, double *x, cache *c, int64_t pos)
{
    const ls_model_config *m = &r->model->config;
    int64_t C = m->hidden_size, F = m->intermediate_size, D = m->head_dim;
    int64_t q_width = m->num_attention_heads * D, kv_width = m->num_key_value_heads * D;
    double n[MOST_WIDTH], q[MOST_WIDTH], o[MOST_WIDTH], gate[MOST_WIDTH], up[MOST_WIDTH],
        y[MOST_WIDTH];
    norm(n, weight(r, "model.layers.%d.input_layernorm.weight", l), x, C, m->rms_norm_eps);
    matrix(q, weight(r, "model.layers.%d.self_attn.q_proj.weight", l), n, q_width, C);
    matrix(c->k[pos], weight(r, "model.layers.%d.self_attn.k_proj.weight", l), n, kv_width, C);
    matrix(c->v[pos], weight(r, "model.layers.%d.self_attn.v_proj.weight", l), n, kv_width, C);
    rope(q, m->num_attention_heads, D, pos, m->rope_theta);
    rope(c->k[pos], m->num_key_value_heads, D, pos, m->rope_theta);
    attend(o, q, c, m, pos);
    matrix(y, weight(r, "model.layers.%d.self_attn.o_proj.weight", l), o, C, q_width);
    for (int64_t i = 0; i < C; i++)
        x[i] += y[i];
    norm(n, weight(r, "model.layers.%d.post_attention_layernorm.weight", l), x, C, m->rms_norm_eps);
    matrix(gate, weight(r, "model.layers.%d.mlp.gate_proj.weight", l), n, F, C);
    matrix(up, weight(r, "model.layers.%d.mlp.up_proj.weight", l), n, F, C);
    for (int64_t i = 0; i < F; i++)
        gate[i] = gate[i] / (1.0 + exp(-gate[i])) * up[i];
    matrix(y, weight(r, "model.layers.%d.mlp.down_proj.weight", l), gate, C, F);
    for (int64_t i = 0; i < C; i++)
        x[i] += y[i];
}

/* logp and entropy of `target` after the final hidden row x. */
static void score(const reference *r, double *logp, double *entropy, const double *x,
                  int32_t target)
{
    const ls_model_config *m = &r->model->config;
    const char *head = m->tie_word_embeddings ? "model.embed_tokens.weight" : "lm_head.weight";
    double n[MOST_WIDTH], z[MOST_WIDTH], total = 0.0, mean = 0.0;
    norm(n, weight(r, "model.norm.weight", 0), x, m->hidden_size, m->rms_norm_eps);
    matrix(z, weight(r, head, 0), n, m->vocab_size, m->hidden_size);
    for (int64_t v = 0; v < m->vocab_size; v++) {
        z[v] /= r->temperature;
        total += exp(z[v]);
        mean += exp(z[v]) * z[v];
    }
    *logp = z[target] - log(total);
    *entropy = log(total) - mean / total;
}

static double reference_loss(const reference *r, double *logp)
{
    const ls_model_config *m = &r->model->config;
    double loss = 0.0;
    int64_t n = 0;
    for (int64_t s = 0; s < r->n_sequences; s++) {
        cache caches[4];
        for (int64_t pos = 0; pos + 1 < r->sequences[s].n; pos++, n++) {
            double x[MOST_WIDTH], entropy;
            const double *e = weight(r, "model.embed_tokens.weight", 0);
            for (int64_t i = 0; i < m->hidden_size; i++)
                x[i] = e[r->sequences[s].ids[pos] * m->hidden_size + i];
            for (int l = 0; l < m->num_hidden_layers; l++)
                run_layer(r, l, x, &caches[l], pos);
            score(r, &logp[n], &entropy, x, r->sequences[s].ids[pos + 1]);
            loss += r->dlogp[n] * logp[n] + r->dentropy[n] * entropy;
        }
    }
    return loss;
}

static double check_weight(reference *r, const ls_weight *w)
{
    double logp[MOST_ROWS], expected[MOST_VALUES], largest = 0.0, worst = 0.0;
    const double h = 1e-5;
    int64_t n = w->rows * w->cols;
    for (int64_t i = 0; i < n; i++) {
        double *x = &r->values[w->offset + i], old = *x;
        *x = old + h;
        double above = reference_loss(r, logp);
        *x = old - h;
        double below = reference_loss(r, logp);
        *x = old;
        expected[i] = (above - below) / (2.0 * h);
        largest = fmax(largest, fabs(expected[i]));
    }
    for (int64_t i = 0; i < n; i++)
        worst = fmax(worst, fabs((double)w->grad[i] - expected[i]) / largest);
    if (!(worst < 2e-5))
        fail_msg("%s: gradient off by %.3g of its largest", w->name, worst);
    return worst;
}

static void check_model(const ls_model_config *config)
{
    static reference r;
    static const int32_t first[] = {3, 1, 4, 1, 5}, second[] = {9, 2, 6}, third[] = {5};
    const sequence sequences[] = {{first, 5}, {second, 3}, {third, 1}};
    float logp[MOST_ROWS], entropy[MOST_ROWS], dlogp[MOST_ROWS], dentropy[MOST_ROWS];
    double expected[MOST_ROWS], worst = 0.0;
    model_fixture f;
    fixture_open(&f, config, &ls_kernels_ref, 1, LS_MODEL_TRAINED, 1);
    assert_true(f.model->n_params <= MOST_VALUES);
    r = (reference){
        .model = f.model, .sequences = sequences, .n_sequences = 3, .temperature = 0.75};
    for (int64_t i = 0; i < f.model->n_params; i++)
        r.values[i] = (double)f.model->data[i];
    for (int i = 0; i < 6; i++) {
        ls_rng_name name = {.seed = 1, .purpose = LS_RNG_TEST, .position = (uint32_t)i};
        float pair[2];
        ls_rng_normal2(pair, &name);
        r.dlogp[i] = (double)(dlogp[i] = pair[0]);
        r.dentropy[i] = (double)(dentropy[i] = pair[1]);
    }
    run_pass(&f, sequences, 3, logp, entropy, dlogp, dentropy,
             (pass_options){.temperature = 0.75f});
    ls_model_fold_grads(f.model);
    reference_loss(&r, expected);
    for (int i = 0; i < 6; i++)
        assert_true(fabs((double)logp[i] - expected[i]) < 1e-5);
    for (int64_t i = 0; i < f.model->n_weights; i++)
        worst = fmax(worst, check_weight(&r, &f.model->weights[i]));
    print_message("worst error of a gradient: %.2e of its weight's largest, %lld weights\n", worst,
                  (long long)f.model->n_params);
    fixture_close(&f);
}

static const ls_model_config grouped_tied = {.family = "llama",
                                             .vocab_size = 11,
                                             .hidden_size = 8,
                                             .intermediate_size = 13,
                                             .num_hidden_layers = 2,
                                             .num_attention_heads = 4,
                                             .num_key_value_heads = 2,
                                             .head_dim = 4,
                                             .max_position_embeddings = 16,
                                             .rope_theta = 100.0,
                                             .rms_norm_eps = 1e-3,
                                             .initializer_range = 0.5,
                                             .tie_word_embeddings = true};

static void gradients_of_a_grouped_tied_model_equal_central_differences(void **state)
{
    (void)state;
    check_model(&grouped_tied);
}

static void gradients_of_an_untied_model_equal_central_differences(void **state)
{
    (void)state;
    ls_model_config config = grouped_tied;
    config.num_attention_heads = config.num_key_value_heads = 1;
    config.head_dim = 6;
    config.hidden_size = 7;
    config.tie_word_embeddings = false;
    check_model(&config);
}

static void impossible_shapes_are_refused_by_name(void **state)
{
    (void)state;
    struct {
        const char *key;
        ls_model_config config;
    } cases[] = {
        {"vocab_size", grouped_tied},          {"num_hidden_layers", grouped_tied},
        {"num_key_value_heads", grouped_tied}, {"head_dim", grouped_tied},
        {"rope_theta", grouped_tied},          {"rms_norm_eps", grouped_tied},
        {"num_attention_heads", grouped_tied}, {"gpt5", grouped_tied},
    };
    cases[0].config.vocab_size = 0;
    cases[1].config.num_hidden_layers = (int64_t)1 << 40;
    cases[2].config.num_key_value_heads = 3;
    cases[3].config.head_dim = 5;
    cases[4].config.rope_theta = NAN;
    cases[5].config.rms_norm_eps = -1;
    cases[6].config.num_attention_heads = -4;
    memcpy(cases[7].config.family, "gpt5", 5);
    ls_device dev;
    ls_arena arena;
    assert_ok(ls_device_init(&dev, &ls_kernels_ref, 1));
    assert_ok(ls_arena_init(&arena, "run", 0));
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        ls_model *model;
        assert_int_not_equal(
            ls_model_new(&model, &cases[i].config, &dev, &arena, LS_MODEL_FROZEN, 0), LEASH_OK);
        assert_non_null(strstr(leash_error(), cases[i].key));
    }
    ls_arena_release(&arena);
    ls_device_release(&dev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gradients_of_a_grouped_tied_model_equal_central_differences),
        cmocka_unit_test(gradients_of_an_untied_model_equal_central_differences),
        cmocka_unit_test(impossible_shapes_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
