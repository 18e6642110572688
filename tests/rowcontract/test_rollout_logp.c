/* The log-probability and entropy recorded while sampling are those of a training forward over
 * prompt and completion, bit for bit, whatever micro-batches the sequences are packed into. */
#include "rollout_fixture.h"

#include <stdio.h>

/* Scores of the completions' tokens by recording forwards over random micro-batches of whole
 * sequences. */
static void score_like_training(model_fixture *f, const ls_rollout *out, const ls_prompt *prompts,
                                double temperature, uint32_t seed, float *logp, float *entropy)
{
    uint64_t n_completions = (uint64_t)out->n_completions;
    int64_t *start = ls_malloc((n_completions + 1) * sizeof *start);
    start[0] = 0;
    for (uint64_t i = 0; i < n_completions; i++)
        start[i + 1] = start[i] + out->completions[i].n_tokens;
    for (uint64_t i = 0, batch = 0; i < n_completions; batch++) {
        uint64_t n = 1 + fixture_word(200 + seed, (uint32_t)batch) % 24;
        n = n < n_completions - i ? n : n_completions - i;
        ls_arena_mark mark = ls_arena_get_mark(&f->pass);
        sequence sequences[24];
        uint64_t order[24];
        for (uint64_t k = 0; k < n; k++) {
            order[k] = ls_rng_permute(seed, LS_RNG_TEST, 0, i + k, n_completions);
            const ls_completion *c = &out->completions[order[k]];
            const ls_prompt *prompt = &prompts[c->prompt];
            int32_t *ids = ls_arena_ints(&f->pass, prompt->n_ids + c->n_tokens);
            memcpy(ids, prompt->ids, (size_t)prompt->n_ids * sizeof *ids);
            memcpy(ids + prompt->n_ids, c->ids, (size_t)c->n_tokens * sizeof *ids);
            sequences[k] = (sequence){ids, prompt->n_ids + c->n_tokens};
        }
        packed p = pack_sequences(&f->pass, sequences, (int64_t)n);
        float *scored = ls_arena_floats(&f->pass, p.n_targets),
              *scored_entropy = ls_arena_floats(&f->pass, p.n_targets);
        ls_tape tape;
        ls_tape_init(&tape, &f->dev, &f->pass, true);
        ls_head_job job = {.hidden = ls_model_forward(f->model, &tape, &p.batch),
                           .weight = f->model->head,
                           .rows = p.rows,
                           .targets = p.targets,
                           .n = p.n_targets,
                           .temperature = (float)temperature,
                           .logp = scored,
                           .entropy = scored_entropy};
        ls_op_head_score(&tape, &job);
        for (uint64_t k = 0, at = 0; k < n; k++) {
            const ls_completion *c = &out->completions[order[k]];
            uint64_t skipped = (uint64_t)prompts[c->prompt].n_ids - 1;
            memcpy(logp + start[order[k]], scored + at + skipped,
                   (size_t)c->n_tokens * sizeof *logp);
            memcpy(entropy + start[order[k]], scored_entropy + at + skipped,
                   (size_t)c->n_tokens * sizeof *logp);
            at += skipped + (uint64_t)c->n_tokens;
        }
        ls_arena_rewind(&f->pass, mark);
        i += n;
    }
    ls_free(start);
}

/* Rolls out and scores again; returns the tokens compared. */
static int64_t compare(const ls_kernels *k, int n_threads, uint32_t seed, double temperature,
                       int64_t n_prompts)
{
    model_fixture f;
    ls_arena results;
    rollout_model_open(&f, k, n_threads, LS_MODEL_TRAINED);
    assert_ok(ls_arena_init(&results, "results", 0));
    ls_prompt *prompts = random_prompts(&results, seed, n_prompts, 1, 60, 12);
    ls_rollout_request request = make_request(prompts, n_prompts, temperature, 68);
    request.seed = seed;
    ls_rollout out = roll(f.model, &request, 48, 100, FIXTURE_LENGTH, &results);
    float *logp = ls_arena_floats(&results, out.n_tokens),
          *entropy = ls_arena_floats(&results, out.n_tokens);
    score_like_training(&f, &out, prompts, temperature, seed, logp, entropy);
    int64_t at = 0;
    for (int64_t i = 0; i < out.n_completions; i++) {
        const ls_completion *c = &out.completions[i];
        assert_memory_equal(c->logp, logp + at, (size_t)c->n_tokens * sizeof *logp);
        assert_memory_equal(c->entropy, entropy + at, (size_t)c->n_tokens * sizeof *entropy);
        at += c->n_tokens;
    }
    ls_arena_release(&results);
    fixture_close(&f);
    return at;
}

static void rollout_and_training_agree_in_every_bit_of_100000_tokens(void **state)
{
    (void)state;
    int64_t n = 0;
    for (uint32_t seed = 1; n < 100000; seed++)
        n += compare(fastest_table(), 2, seed, seed % 2 ? 1.0 : 0.7, 40);
    print_message("%lld tokens compared\n", (long long)n);
}

static void rollout_and_training_agree_on_every_kernel_table(void **state)
{
    (void)state;
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    for (int t = 0; t < n_tables; t++)
        for (int n_threads = 1; n_threads <= 3; n_threads++)
            (void)compare(tables[t], n_threads, 50, 0.7, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rollout_and_training_agree_in_every_bit_of_100000_tokens),
        cmocka_unit_test(rollout_and_training_agree_on_every_kernel_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
