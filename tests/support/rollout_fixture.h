/* For tests of rollouts: a small model with lively weights, random prompts, a run of the engine,
 * and comparison of results. */
#ifndef LS_TESTS_ROLLOUT_FIXTURE_H
#define LS_TESTS_ROLLOUT_FIXTURE_H

#include "model_fixture.h"
#include "rollout/engine.h"

#define FIXTURE_VOCAB 40
#define FIXTURE_EOS 3
#define FIXTURE_LENGTH 128 /* positions of the model */

static inline uint32_t fixture_word(uint32_t stream, uint32_t i)
{
    uint32_t w[4];
    ls_rng_words(w,
                 &(ls_rng_name){.seed = 21, .purpose = LS_RNG_TEST, .step = stream, .position = i});
    return w[0];
}

/* "tiny" with weights larger than at the start of a training, so that distributions are far from
 * uniform. */
static inline void rollout_model_open(model_fixture *f, const ls_kernels *k, int n_threads,
                                      ls_model_use use)
{
    ls_model_config config;
    assert_ok(ls_model_config_builtin(&config, "tiny"));
    config.vocab_size = FIXTURE_VOCAB;
    config.max_position_embeddings = FIXTURE_LENGTH;
    fixture_open(f, &config, k, n_threads, use, 1);
    for (int64_t i = 0; i < f->model->n_weights; i++) {
        ls_weight *w = &f->model->weights[i];
        for (int64_t j = 0; w->init_std > 0 && j < w->rows * w->cols; j++)
            w->data[j] *= 8.0f;
    }
    ls_model_pack(f->model);
}

static inline const ls_kernels *fastest_table(void)
{
    const ls_kernels *tables[3];
    return tables[ls_kernels_available(tables) - 1];
}

/* n prompts of least to most tokens with 1 to most_samples samples. */
static inline ls_prompt *random_prompts(ls_arena *arena, uint32_t seed, int64_t n, int32_t least,
                                        int32_t most, int32_t most_samples)
{
    ls_prompt *prompts = ls_arena_alloc(arena, (size_t)n * sizeof *prompts);
    for (int64_t i = 0; i < n; i++) {
        uint32_t at = seed * 100000u + (uint32_t)i * 200u;
        int32_t length = least + (int32_t)(fixture_word(1, at) % (uint32_t)(most - least + 1));
        int32_t *ids = ls_arena_ints(arena, length);
        for (int32_t j = 0; j < length; j++)
            ids[j] = (int32_t)(fixture_word(2, at + (uint32_t)j) % FIXTURE_VOCAB);
        prompts[i] =
            (ls_prompt){.ids = ids,
                        .n_ids = length,
                        .prompt_id = 1000 + (uint32_t)i,
                        .n_samples = 1 + (int32_t)(fixture_word(3, at) % (uint32_t)most_samples)};
    }
    return prompts;
}

static const int32_t fixture_stop[] = {FIXTURE_EOS};

static inline ls_rollout_request make_request(const ls_prompt *prompts, int64_t n,
                                              double temperature, int64_t most)
{
    return (ls_rollout_request){
        .prompts = prompts,
        .n_prompts = n,
        .sampling = {.temperature = temperature, .top_p = 1.0, .max_completion_length = most},
        .seed = 77,
        .purpose = LS_RNG_SAMPLE,
        .step = 5,
        .stop_ids = fixture_stop,
        .n_stop_ids = 1};
}

/* A run on an engine of its own.  Every page is free again afterwards. */
static inline ls_rollout roll(ls_model *model, const ls_rollout_request *request, int64_t slots,
                              int64_t chunk, int64_t max_length, ls_arena *results)
{
    ls_arena arena;
    ls_engine *engine;
    ls_rollout out;
    ls_engine_options options = {.rollout_slots = slots, .prefill_chunk = chunk};
    assert_ok(ls_arena_init(&arena, "engine", 0));
    assert_ok(ls_engine_new(&engine, model, &arena, &options, max_length));
    assert_ok(ls_engine_run(engine, request, results, &out));
    assert_int_equal(engine->pages.n_free, engine->pages.n_pages);
    ls_arena_release(&arena);
    return out;
}

/* Tokens, numbers and ends; not the index of the prompt, which is a matter of the request. */
static inline void assert_same_completion(const ls_completion *a, const ls_completion *b)
{
    size_t bytes = (size_t)a->n_tokens * sizeof(float);
    assert_int_equal(a->sample, b->sample);
    assert_int_equal(a->n_tokens, b->n_tokens);
    assert_int_equal(a->finish, b->finish);
    assert_memory_equal(a->ids, b->ids, bytes);
    assert_memory_equal(a->logp, b->logp, bytes);
    assert_memory_equal(a->log_kept, b->log_kept, bytes);
    assert_memory_equal(a->entropy, b->entropy, bytes);
}

static inline void assert_same_rollout(const ls_rollout *a, const ls_rollout *b)
{
    assert_int_equal(a->n_completions, b->n_completions);
    for (int64_t i = 0; i < a->n_completions; i++) {
        assert_int_equal(a->completions[i].prompt, b->completions[i].prompt);
        assert_same_completion(&a->completions[i], &b->completions[i]);
    }
}

#endif
