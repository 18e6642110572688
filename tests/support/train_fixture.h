/* For tests of runs and checkpoints: a directory, a model of a few hundred weights, its optimizer
 * and tokenizer, and states that can be told apart by their step. */
#ifndef TRAIN_FIXTURE_H
#define TRAIN_FIXTURE_H

#include "model_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include "base/file.h"
#include "base/rng.h"
#include "text/tokenizer.h"
#include "train/checkpoint.h"

typedef struct train_fixture {
    char root[48]; /* a new directory, removed at the end; the run directory of most tests */
    model_fixture f;
    ls_optimizer optimizer;
    ls_tokenizer *tokenizer;
    ls_train_state state;
} train_fixture;

/* The names in a checkpoint, as the manifest lists them, then the manifest. */
static const char *const checkpoint_files[] = {"config.json",
                                               "generation_config.json",
                                               "leash_state/optimizer.safetensors",
                                               "leash_state/state.json",
                                               "model.safetensors",
                                               "tokenizer.json",
                                               "tokenizer_config.json",
                                               "manifest.json"};

static inline void train_fixture_open(train_fixture *fixture)
{
    /* In memory where that can be: every save waits for the disk a dozen times. */
    snprintf(fixture->root, sizeof fixture->root, "%s/leash_test_train.XXXXXX",
             ls_dir_exists("/dev/shm") ? "/dev/shm" : "/tmp");
    assert_non_null(mkdtemp(fixture->root));
    assert_ok(ls_tokenizer_new(&fixture->tokenizer, "char:01+="));
    ls_model_config config;
    assert_ok(ls_model_config_builtin(&config, "tiny"));
    config.vocab_size = ls_tokenizer_vocab_size(fixture->tokenizer);
    config.hidden_size = config.intermediate_size = 8;
    config.num_hidden_layers = config.num_key_value_heads = 1;
    config.num_attention_heads = 2;
    config.head_dim = 4;
    config.max_position_embeddings = 8;
    fixture_open(&fixture->f, &config, &ls_kernels_ref, 1, LS_MODEL_TRAINED, 1);
    const ls_optimizer_options options = {
        .adam_beta1 = 0.9, .adam_beta2 = 0.999, .adam_epsilon = 1e-8};
    ls_optimizer_init(&fixture->optimizer, fixture->f.model, &fixture->f.run, &options);
}

static inline void train_fixture_close(train_fixture *fixture)
{
    ls_tokenizer_free(fixture->tokenizer);
    fixture_close(&fixture->f);
    assert_ok(ls_dir_remove(fixture->root));
}

static inline float fixture_value(int64_t step, uint32_t kind, int64_t i)
{
    ls_rng_name name = {
        .purpose = LS_RNG_TEST, .step = (uint32_t)step, .prompt = kind, .position = (uint32_t)i};
    return (float)ls_rng_uniform(&name) - 0.5f;
}

/* Weights, moments and state that only this step has. */
static inline void train_fixture_fill(train_fixture *fixture, int64_t step)
{
    for (int64_t i = 0; i < fixture->f.model->n_params; i++) {
        fixture->f.model->data[i] = fixture_value(step, 0, i);
        fixture->optimizer.m[i] = fixture_value(step, 1, i);
        fixture->optimizer.v[i] = fixture_value(step, 2, i) + 0.5f;
    }
    fixture->optimizer.updates = 2 * step + 1;
    fixture->state = (ls_train_state){.step = step,
                                      .updates = 2 * step + 1,
                                      .draws = 3 * step + 2,
                                      .tokens = 1000 * step + 3,
                                      .episodes = 8 * step + 4,
                                      .idle_steps = step % 3,
                                      .beta = 0.1 / (double)(step + 1),
                                      .config_hash = 0xfedcba9876543210u + (uint64_t)step,
                                      .data_hash = 0x8000000000000000u + (uint64_t)step,
                                      .reference_hash = (uint64_t)step};
}

static inline leash_status train_fixture_save(train_fixture *fixture, int64_t step, int64_t keep)
{
    train_fixture_fill(fixture, step);
    return ls_checkpoint_save(fixture->root, &fixture->state, fixture->f.model, &fixture->optimizer,
                              NULL, fixture->tokenizer, NULL, keep);
}

/* Whether the checkpoint holds exactly what train_fixture_fill makes for its step. */
static inline void train_fixture_assert_loads(train_fixture *fixture, const char *checkpoint,
                                              int64_t step)
{
    size_t bytes = (size_t)fixture->f.model->n_params * sizeof(float);
    train_fixture_fill(fixture, step + 1);
    assert_ok(ls_checkpoint_load(checkpoint, &fixture->state, fixture->f.model, &fixture->optimizer,
                                 NULL));
    ls_train_state state = fixture->state;
    int64_t updates = fixture->optimizer.updates;
    float *kept = ls_arena_alloc(&fixture->f.pass, 3 * bytes);
    int64_t n = fixture->f.model->n_params;
    memcpy(kept, fixture->f.model->data, bytes);
    memcpy(kept + n, fixture->optimizer.m, bytes);
    memcpy(kept + 2 * n, fixture->optimizer.v, bytes);
    train_fixture_fill(fixture, step);
    assert_memory_equal(kept, fixture->f.model->data, bytes);
    assert_memory_equal(kept + n, fixture->optimizer.m, bytes);
    assert_memory_equal(kept + 2 * n, fixture->optimizer.v, bytes);
    assert_memory_equal(&state, &fixture->state, sizeof state);
    assert_int_equal(updates, fixture->optimizer.updates);
    ls_arena_rewind(&fixture->f.pass, 0);
}

/* --- the fixture of the test program --- */

static train_fixture t;

static inline int open_fixture(void **state)
{
    (void)state;
    train_fixture_open(&t);
    return 0;
}

static inline int close_fixture(void **state)
{
    (void)state;
    train_fixture_close(&t);
    return 0;
}

/* ROOT/name in a ring of buffers, so that a few can stand in one call. */
static inline const char *at(const char *name)
{
    static char paths[4][LS_PATH_MAX];
    static int next;
    next = (next + 1) % 4;
    return ls_path_join(paths[next], t.root, name);
}

static inline int64_t count_names(const char *path)
{
    char **names;
    int64_t n;
    assert_ok(ls_dir_list(&names, &n, path));
    ls_names_free(names, n);
    return n;
}

static inline void write_text(const char *path, const char *text)
{
    assert_ok(ls_file_write_synced(path, text, strlen(text)));
}

static inline void assert_text(const char *path, const char *want)
{
    ls_str text = LS_STR_INIT;
    assert_ok(ls_file_read(&text, path));
    assert_string_equal(text.data, want);
    ls_str_release(&text);
}

static inline void assert_error_has(const char *part)
{
    if (!strstr(leash_error(), part))
        fail_msg("the error is \"%s\", expected \"%s\" in it", leash_error(), part);
}

#endif
