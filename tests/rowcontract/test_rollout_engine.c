/* The engine: results are the same bits however the work is arranged; ends, limits, errors,
 * memory. */
#include "rollout_fixture.h"

#include <math.h>
#include <stdio.h>

#define MOST_NEW 40

typedef struct {
    model_fixture f;
    ls_arena results;
    ls_prompt *prompts;
    int64_t n_prompts;
} setting;

static void open_setting(setting *s, const ls_kernels *k, int n_threads)
{
    rollout_model_open(&s->f, k, n_threads, LS_MODEL_FROZEN);
    assert_ok(ls_arena_init(&s->results, "results", 0));
    s->n_prompts = 14;
    s->prompts = random_prompts(&s->results, 1, s->n_prompts, 1, 50, 8);
    /* Prompts that fill pages exactly, and one of a single token. */
    s->prompts[2].n_ids = s->prompts[2].n_ids >= 16 ? 16 : 1;
    s->prompts[5].n_ids = s->prompts[5].n_ids >= 32 ? 32 : 1;
    s->prompts[7].n_ids = 1;
}

static void close_setting(setting *s)
{
    ls_arena_release(&s->results);
    fixture_close(&s->f);
}

static ls_rollout roll_setting(setting *s, const ls_rollout_request *request, int64_t slots,
                               int64_t chunk)
{
    return roll(s->f.model, request, slots, chunk, FIXTURE_LENGTH, &s->results);
}

/* --- same bits --- */

static void results_do_not_depend_on_slots_and_chunks(void **state)
{
    (void)state;
    setting s;
    open_setting(&s, fastest_table(), 1);
    ls_rollout_request request = make_request(s.prompts, s.n_prompts, 1.0, MOST_NEW);
    ls_rollout want = roll_setting(&s, &request, 64, 512);
    const int64_t slots[] = {1, 3, 16, 64, 200}, chunks[] = {1, 5, 512};
    for (size_t i = 0; i < LS_COUNT(slots); i++)
        for (size_t j = 0; j < LS_COUNT(chunks); j++) {
            ls_rollout got = roll_setting(&s, &request, slots[i], chunks[j]);
            assert_same_rollout(&got, &want);
        }
    close_setting(&s);
}

static void results_do_not_depend_on_threads_and_kernel_tables(void **state)
{
    (void)state;
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    setting first;
    open_setting(&first, tables[0], 1);
    ls_rollout_request request = make_request(first.prompts, first.n_prompts, 0.7, 20);
    request.sampling.top_p = 0.9;
    ls_rollout want = roll_setting(&first, &request, 16, 64);
    for (int t = 0; t < n_tables; t++)
        for (int n_threads = 1; n_threads <= 4; n_threads++) {
            setting s;
            open_setting(&s, tables[t], n_threads);
            ls_rollout got = roll_setting(&s, &request, 16, 64);
            assert_same_rollout(&got, &want);
            close_setting(&s);
        }
    close_setting(&first);
}

static void results_follow_the_prompt_id_whatever_the_order(void **state)
{
    (void)state;
    setting s;
    open_setting(&s, fastest_table(), 2);
    ls_rollout_request request = make_request(s.prompts, s.n_prompts, 1.0, MOST_NEW);
    ls_rollout want = roll_setting(&s, &request, 5, 32);
    for (uint32_t shuffle = 0; shuffle < 3; shuffle++) {
        ls_prompt *moved = ls_arena_alloc(&s.results, (size_t)s.n_prompts * sizeof *moved);
        for (int64_t i = 0; i < s.n_prompts; i++)
            moved[i] = s.prompts[ls_rng_permute(shuffle, LS_RNG_TEST, 0, (uint64_t)i,
                                                (uint64_t)s.n_prompts)];
        request.prompts = moved;
        ls_rollout got = roll_setting(&s, &request, 5, 32);
        assert_int_equal(got.n_completions, want.n_completions);
        for (int64_t i = 0; i < got.n_completions; i++) {
            const ls_completion *c = &got.completions[i];
            int64_t j = 0;
            while (s.prompts[want.completions[j].prompt].prompt_id != moved[c->prompt].prompt_id ||
                   want.completions[j].sample != c->sample)
                j++;
            assert_same_completion(c, &want.completions[j]);
        }
    }
    close_setting(&s);
}

static void a_sample_does_not_depend_on_the_rest_of_its_group(void **state)
{
    (void)state;
    setting s;
    open_setting(&s, fastest_table(), 2);
    for (int64_t p = 0; p < 4; p++) {
        ls_prompt prompt = s.prompts[p];
        prompt.n_samples = 9;
        ls_rollout_request request = make_request(&prompt, 1, 1.0, MOST_NEW);
        ls_rollout want = roll_setting(&s, &request, 4, 512);
        for (int32_t n = 1; n < 9; n += 3) {
            prompt.n_samples = n;
            ls_rollout got = roll_setting(&s, &request, 16, 7);
            for (int32_t i = 0; i < n; i++)
                assert_same_completion(&got.completions[i], &want.completions[i]);
        }
    }
    close_setting(&s);
}

static void samples_of_a_group_and_steps_and_seeds_differ(void **state)
{
    (void)state;
    setting s;
    open_setting(&s, fastest_table(), 2);
    ls_prompt prompt = s.prompts[0];
    prompt.n_samples = 2;
    ls_rollout_request request = make_request(&prompt, 1, 1.0, MOST_NEW);
    request.n_stop_ids = 0;
    ls_rollout first = roll_setting(&s, &request, 4, 512);
    size_t bytes = MOST_NEW * sizeof(int32_t);
    assert_memory_not_equal(first.completions[0].ids, first.completions[1].ids, bytes);
    request.step++;
    ls_rollout second = roll_setting(&s, &request, 4, 512);
    assert_memory_not_equal(first.completions[0].ids, second.completions[0].ids, bytes);
    request.step--;
    request.seed++;
    ls_rollout third = roll_setting(&s, &request, 4, 512);
    assert_memory_not_equal(first.completions[0].ids, third.completions[0].ids, bytes);
    close_setting(&s);
}

/* --- order, counts, ends --- */

static void completions_are_sorted_and_counted(void **state)
{
    (void)state;
    setting s;
    open_setting(&s, fastest_table(), 2);
    s.prompts[4].n_samples = 0;
    ls_rollout_request request = make_request(s.prompts, s.n_prompts, 1.0, MOST_NEW);
    ls_rollout out = roll_setting(&s, &request, 6, 100);
    int64_t at = 0, n_tokens = 0, n_prompt_tokens = 0;
    for (int64_t p = 0; p < s.n_prompts; p++) {
        for (int32_t k = 0; k < s.prompts[p].n_samples; k++, at++) {
            assert_int_equal(out.completions[at].prompt, p);
            assert_int_equal(out.completions[at].sample, k);
            n_tokens += out.completions[at].n_tokens;
        }
        n_prompt_tokens += s.prompts[p].n_samples > 0 ? s.prompts[p].n_ids : 0;
    }
    assert_int_equal(out.n_completions, at);
    assert_int_equal(out.n_tokens, n_tokens);
    assert_int_equal(out.n_prefill_tokens, n_prompt_tokens); /* once for a group */
    assert_true(out.n_steps > 0 && out.seconds > 0);
    close_setting(&s);
}

static void nothing_to_do_is_no_error(void **state)
{
    (void)state;
    setting s;
    open_setting(&s, fastest_table(), 1);
    ls_rollout_request request = make_request(NULL, 0, 1.0, MOST_NEW);
    ls_rollout out = roll_setting(&s, &request, 4, 16);
    assert_int_equal(out.n_completions, 0);
    assert_int_equal(out.n_steps, 0);
    close_setting(&s);
}

static void a_stop_id_ends_a_completion_and_belongs_to_it(void **state)
{
    (void)state;
    setting s;
    open_setting(&s, fastest_table(), 2);
    const int32_t stops[] = {FIXTURE_EOS, 17};
    ls_rollout_request request = make_request(s.prompts, s.n_prompts, 1.0, MOST_NEW);
    request.stop_ids = stops;
    request.n_stop_ids = 2;
    ls_rollout out = roll_setting(&s, &request, 16, 512);
    int n_stopped[2] = {0}, n_cut = 0;
    for (int64_t i = 0; i < out.n_completions; i++) {
        const ls_completion *c = &out.completions[i];
        for (int32_t j = 0; j + 1 < c->n_tokens; j++)
            assert_true(c->ids[j] != stops[0] && c->ids[j] != stops[1]);
        int32_t last = c->ids[c->n_tokens - 1];
        assert_int_equal(c->finish == LS_FINISH_STOP, last == stops[0] || last == stops[1]);
        if (c->finish == LS_FINISH_LENGTH)
            assert_int_equal(c->n_tokens, MOST_NEW);
        n_stopped[0] += last == stops[0];
        n_stopped[1] += last == stops[1];
        n_cut += c->finish == LS_FINISH_LENGTH;
    }
    assert_true(n_stopped[0] > 0 && n_stopped[1] > 0 && n_cut > 0);
    close_setting(&s);
}

static void lengths_end_at_the_smaller_of_both_limits(void **state)
{
    (void)state;
    setting s;
    open_setting(&s, fastest_table(), 2);
    enum { LENGTH = 52 };
    ls_rollout_request request = make_request(s.prompts, s.n_prompts, 1.0, 9);
    request.n_stop_ids = 0;
    s.prompts[0].n_ids = s.prompts[0].n_ids < 45 ? s.prompts[0].n_ids : 45;
    ls_rollout out = roll(s.f.model, &request, 4, 16, LENGTH, &s.results);
    for (int64_t i = 0; i < out.n_completions; i++) {
        const ls_completion *c = &out.completions[i];
        int32_t room = LENGTH - s.prompts[c->prompt].n_ids;
        assert_int_equal(c->n_tokens, room < 9 ? room : 9);
        assert_int_equal(c->finish, LS_FINISH_LENGTH);
    }
    /* One token of room, and one token asked for. */
    int32_t ids[LENGTH - 1] = {0};
    ls_prompt long_prompt = {.ids = ids, .n_ids = LENGTH - 1, .n_samples = 5};
    request = make_request(&long_prompt, 1, 1.0, 9);
    out = roll(s.f.model, &request, 2, 512, LENGTH, &s.results);
    for (int64_t i = 0; i < 5; i++)
        assert_int_equal(out.completions[i].n_tokens, 1);
    request = make_request(s.prompts, s.n_prompts, 1.0, 1);
    out = roll_setting(&s, &request, 3, 512);
    for (int64_t i = 0; i < out.n_completions; i++)
        assert_int_equal(out.completions[i].n_tokens, 1);
    close_setting(&s);
}

/* --- sampling --- */

/* Most likely ids after each token of a sequence but the last. */
static void find_argmax(model_fixture *f, const sequence *whole, int32_t *argmax)
{
    ls_arena_mark mark = ls_arena_get_mark(&f->pass);
    packed p = pack_sequences(&f->pass, whole, 1);
    ls_tape tape;
    ls_tape_init(&tape, &f->dev, &f->pass, false);
    ls_head_job job = {.hidden = ls_model_forward(f->model, &tape, &p.batch),
                       .weight = f->model->head,
                       .rows = p.rows,
                       .targets = p.targets,
                       .n = p.n_targets,
                       .temperature = 1.0f,
                       .logp = ls_arena_floats(&f->pass, p.n_targets),
                       .argmax = argmax};
    ls_op_head_score(&tape, &job);
    ls_arena_rewind(&f->pass, mark);
}

static void greedy_samples_are_equal_and_carry_numbers_of_temperature_one(void **state)
{
    (void)state;
    setting s;
    open_setting(&s, fastest_table(), 2);
    ls_prompt prompt = s.prompts[1];
    prompt.n_samples = 3;
    ls_rollout_request request = make_request(&prompt, 1, 0.0, MOST_NEW);
    ls_rollout out = roll_setting(&s, &request, 2, 512);
    const ls_completion *c = &out.completions[0];
    for (int64_t i = 1; i < 3; i++) {
        assert_int_equal(out.completions[i].n_tokens, c->n_tokens);
        assert_memory_equal(out.completions[i].ids, c->ids, (size_t)c->n_tokens * sizeof(int32_t));
    }
    int32_t ids[FIXTURE_LENGTH];
    float logp[FIXTURE_LENGTH], entropy[FIXTURE_LENGTH];
    memcpy(ids, prompt.ids, (size_t)prompt.n_ids * sizeof *ids);
    memcpy(ids + prompt.n_ids, c->ids, (size_t)c->n_tokens * sizeof *ids);
    sequence whole = {ids, prompt.n_ids + c->n_tokens};
    run_pass(&s.f, &whole, 1, logp, entropy, NULL, NULL, (pass_options){0});
    assert_memory_equal(c->logp, logp + prompt.n_ids - 1, (size_t)c->n_tokens * sizeof *logp);
    assert_memory_equal(c->entropy, entropy + prompt.n_ids - 1,
                        (size_t)c->n_tokens * sizeof *entropy);
    int32_t argmax[FIXTURE_LENGTH];
    find_argmax(&s.f, &whole, argmax);
    assert_memory_equal(c->ids, argmax + prompt.n_ids - 1, (size_t)c->n_tokens * sizeof *argmax);
    close_setting(&s);
}

static void truncation_records_the_kept_mass_beside_the_full_log_probability(void **state)
{
    (void)state;
    setting s;
    open_setting(&s, fastest_table(), 2);
    ls_rollout_request request = make_request(s.prompts, s.n_prompts, 1.0, MOST_NEW);
    request.sampling.top_k = 1;
    ls_rollout out = roll_setting(&s, &request, 8, 512);
    /* One kept token: the sampler's own log-probability is 0, so the two numbers agree up to the
     * rounding of exp and log. */
    for (int64_t i = 0; i < out.n_completions; i++)
        for (int32_t j = 0; j < out.completions[i].n_tokens; j++) {
            assert_float_equal(out.completions[i].log_kept[j], out.completions[i].logp[j], 1e-5);
            assert_true(out.completions[i].log_kept[j] <= 0.0f);
        }
    request.sampling.top_k = 0;
    out = roll_setting(&s, &request, 8, 512);
    for (int64_t i = 0; i < out.n_completions; i++)
        for (int32_t j = 0; j < out.completions[i].n_tokens; j++)
            assert_true(out.completions[i].log_kept[j] == 0.0f);
    close_setting(&s);
}

/* --- errors --- */

static void expect_error(ls_engine *engine, setting *s, const ls_prompt *prompts, int64_t n,
                         const char *text)
{
    ls_rollout_request request = make_request(prompts, n, 1.0, MOST_NEW);
    ls_rollout out;
    ls_arena_mark mark = ls_arena_get_mark(&s->results);
    assert_int_equal(ls_engine_run(engine, &request, &s->results, &out), LEASH_DATA);
    assert_string_equal(leash_error(), text);
    assert_true(ls_arena_get_mark(&s->results) == mark);
}

static void unusable_prompts_are_named(void **state)
{
    (void)state;
    setting s;
    open_setting(&s, fastest_table(), 1);
    ls_arena arena;
    ls_engine *engine;
    assert_ok(ls_arena_init(&arena, "engine", 0));
    assert_ok(ls_engine_new(&engine, s.f.model, &arena, &(ls_engine_options){4, 16}, 20));
    int32_t ids[20] = {0}, strange[3] = {1, FIXTURE_VOCAB, 2};
    ls_prompt prompts[2] = {{.ids = ids, .n_ids = 4, .n_samples = 1},
                            {.ids = ids, .n_ids = 0, .n_samples = 1}};
    expect_error(engine, &s, prompts, 2, "prompt 1 is empty; at least one token is needed");
    prompts[1].n_ids = 20;
    expect_error(engine, &s, prompts, 2,
                 "prompt 1 has 20 tokens and leaves no room for a completion: prompt and "
                 "completion are 20 tokens at the most; drop or shorten it");
    prompts[1] = (ls_prompt){.ids = strange, .n_ids = 3, .n_samples = 1};
    expect_error(engine, &s, prompts, 2,
                 "prompt 1: token 1 has id 40, the model knows 0 to 39; does the tokenizer belong "
                 "to the model?");
    strange[1] = -1;
    expect_error(engine, &s, prompts, 2,
                 "prompt 1: token 1 has id -1, the model knows 0 to 39; does the tokenizer belong "
                 "to the model?");
    ls_arena_release(&arena);
    close_setting(&s);
}

static void a_length_beyond_the_models_positions_is_refused(void **state)
{
    (void)state;
    setting s;
    open_setting(&s, fastest_table(), 1);
    ls_arena arena;
    ls_engine *engine;
    assert_ok(ls_arena_init(&arena, "engine", 0));
    assert_int_equal(
        ls_engine_new(&engine, s.f.model, &arena, &(ls_engine_options){4, 16}, FIXTURE_LENGTH + 1),
        LEASH_USAGE);
    assert_string_equal(
        leash_error(),
        "rollouts: prompt and completion may be 129 tokens long, but the model has 128 positions "
        "(max_position_embeddings); lower max_completion_length or shorten the prompts");
    s.f.model->config.max_position_embeddings = LS_ATTENTION_MAX + 1;
    assert_int_equal(ls_engine_new(&engine, s.f.model, &arena, &(ls_engine_options){4, 16},
                                   LS_ATTENTION_MAX + 1),
                     LEASH_USAGE);
    assert_string_equal(leash_error(), "rollouts: prompt and completion may be 32769 tokens long, "
                                       "but attention holds 32768; lower max_completion_length or "
                                       "shorten the prompts");
    ls_arena_release(&arena);
    close_setting(&s);
}

static void weights_that_are_not_finite_are_reported_and_leave_no_trace(void **state)
{
    (void)state;
    setting s;
    open_setting(&s, fastest_table(), 2);
    ls_arena arena;
    ls_engine *engine;
    ls_rollout want, out;
    ls_rollout_request request = make_request(s.prompts, s.n_prompts, 1.0, MOST_NEW);
    assert_ok(ls_arena_init(&arena, "engine", 0));
    assert_ok(
        ls_engine_new(&engine, s.f.model, &arena, &(ls_engine_options){4, 16}, FIXTURE_LENGTH));
    assert_ok(ls_engine_run(engine, &request, &s.results, &want));

    /* The key of every position becomes NaN. */
    float *value = ls_model_find_weight(s.f.model, "model.layers.0.self_attn.k_proj.weight")->data,
          old = *value;
    *value = NAN;
    ls_model_pack(s.f.model);
    size_t used = s.results.used;
    assert_int_equal(ls_engine_run(engine, &request, &s.results, &out), LEASH_NUMERIC);
    assert_string_equal(
        leash_error(),
        "prompt 0, sample 0, token 0: the log-probability is nan, expected a finite number; the "
        "weights or activations are not finite (a lower learning rate or stronger gradient "
        "clipping helps)");
    assert_int_equal(s.results.used, used);

    *value = old;
    ls_model_pack(s.f.model);
    assert_ok(ls_engine_run(engine, &request, &s.results, &out));
    assert_same_rollout(&out, &want);
    ls_arena_release(&arena);
    close_setting(&s);
}

/* --- stopping and progress --- */

static int stop_after;
static bool stop_soon(void)
{
    return stop_after-- == 0;
}

typedef struct {
    int64_t calls, done, total, tokens;
} seen;

static void watch(void *user, int64_t done, int64_t total, int64_t tokens)
{
    seen *last = user;
    assert_true(done >= last->done && tokens >= last->tokens && done <= total);
    *last = (seen){last->calls + 1, done, total, tokens};
}

static void a_stopped_run_says_how_far_it_came_and_the_next_one_is_whole(void **state)
{
    (void)state;
    setting s;
    open_setting(&s, fastest_table(), 2);
    ls_arena arena;
    ls_engine *engine;
    ls_rollout want, out;
    seen last = {0};
    ls_rollout_request request = make_request(s.prompts, s.n_prompts, 1.0, MOST_NEW);
    assert_ok(ls_arena_init(&arena, "engine", 0));
    assert_ok(
        ls_engine_new(&engine, s.f.model, &arena, &(ls_engine_options){4, 16}, FIXTURE_LENGTH));
    assert_ok(ls_engine_run(engine, &request, &s.results, &want));
    request.should_stop = stop_soon;
    request.on_progress = watch;
    request.user = &last;
    stop_after = 45;
    size_t used = s.results.used;
    assert_int_equal(ls_engine_run(engine, &request, &s.results, &out), LEASH_INTERRUPTED);
    assert_int_equal(last.calls, 45);
    char text[128];
    snprintf(text, sizeof text, "rollouts were stopped with %lld of %lld completions done",
             (long long)last.done, (long long)want.n_completions);
    assert_string_equal(leash_error(), text);
    assert_int_equal(s.results.used, used);
    last = (seen){0};
    stop_after = -1;
    assert_ok(ls_engine_run(engine, &request, &s.results, &out));
    assert_same_rollout(&out, &want);
    assert_int_equal(last.done, want.n_completions);
    assert_int_equal(last.total, want.n_completions);
    assert_int_equal(last.tokens, want.n_tokens);
    ls_arena_release(&arena);
    close_setting(&s);
}

/* --- memory --- */

static void the_engine_takes_no_memory_while_it_runs(void **state)
{
    (void)state;
    setting s;
    open_setting(&s, fastest_table(), 2);
    ls_arena arena;
    ls_engine *engine;
    ls_rollout out;
    ls_rollout_request request = make_request(s.prompts, s.n_prompts, 1.0, FIXTURE_LENGTH);
    request.n_stop_ids = 0;
    request.sampling.top_p = 0.95;
    assert_ok(ls_arena_init(&arena, "engine", 0));
    assert_ok(
        ls_engine_new(&engine, s.f.model, &arena, &(ls_engine_options){16, 64}, FIXTURE_LENGTH));
    assert_ok(ls_arena_commit(&s.results, 64 << 20));
    size_t peak = arena.peak, used = arena.used;
    uint64_t events = ls_memory_events();
    for (int i = 0; i < 2; i++)
        assert_ok(ls_engine_run(engine, &request, &s.results, &out));
    assert_int_equal(ls_memory_events(), events);
    assert_int_equal(arena.peak, peak);
    assert_int_equal(arena.used, used);
    ls_arena_release(&arena);
    close_setting(&s);
}

static void a_dry_engine_measures_what_a_real_one_takes(void **state)
{
    (void)state;
    setting s;
    open_setting(&s, fastest_table(), 2);
    ls_arena arena, dry_weights, dry_arena, dry_results;
    ls_device null;
    ls_model *dry_model;
    ls_engine *engine, *dry;
    ls_engine_options options = {8, 40};
    assert_ok(ls_arena_init(&arena, "engine", 0));
    assert_ok(ls_engine_new(&engine, s.f.model, &arena, &options, 96));
    assert_ok(ls_device_init(&null, &ls_kernels_null, 1));
    assert_ok(ls_arena_init_dry(&dry_weights, "weights"));
    assert_ok(ls_arena_init_dry(&dry_arena, "engine"));
    assert_ok(ls_arena_init_dry(&dry_results, "results"));
    assert_ok(
        ls_model_new(&dry_model, &s.f.model->config, &null, &dry_weights, LS_MODEL_FROZEN, 1));
    assert_ok(ls_engine_new(&dry, dry_model, &dry_arena, &options, 96));
    assert_int_equal(dry_arena.peak, arena.peak);
    assert_int_equal(dry_arena.used, arena.used);
    assert_int_equal(dry->pages.n_pages, engine->pages.n_pages);
    /* 8 slots of 6 pages and one more; a page is 4 layers of keys and values, 2 heads of 16, 16
     * positions. */
    assert_int_equal(dry->pages.n_pages, 8 * 6 + 1);
    assert_int_equal(dry->pages.page_floats, 4 * 2 * 2 * 16 * 16);

    ls_prompt prompts[3];
    for (int i = 0; i < 3; i++)
        prompts[i] = (ls_prompt){.ids = s.prompts[0].ids, .n_ids = 1, .n_samples = 5};
    ls_rollout_request request = make_request(prompts, 3, 1.0, 1000);
    request.n_stop_ids = 0;
    size_t before = s.results.used;
    ls_rollout out;
    assert_ok(ls_engine_run(engine, &request, &s.results, &out));
    assert_ok(ls_engine_measure(dry, &dry_results, 15, 1000));
    assert_int_equal(s.results.used - before, dry_results.used);
    ls_arena_release(&dry_results);
    ls_arena_release(&dry_arena);
    ls_arena_release(&dry_weights);
    ls_arena_release(&arena);
    close_setting(&s);
}

/* The pool asserts that it never runs out: arrangements that hold as many pages as can be. */
static void pages_suffice_for_random_arrangements(void **state)
{
    (void)state;
    setting s;
    open_setting(&s, fastest_table(), 1);
    for (uint32_t i = 0; i < 60; i++) {
        ls_arena_mark mark = ls_arena_get_mark(&s.results);
        int64_t n = 1 + fixture_word(9, i) % 12;
        int32_t length = 18 + (int32_t)(fixture_word(10, i) % 60);
        int32_t longest = 1 + (int32_t)(fixture_word(11, i) % (uint32_t)(length - 1));
        longest = longest > 1 ? longest : 2;
        ls_prompt *prompts = random_prompts(&s.results, 10 + i, n, 1, longest,
                                            1 + (int32_t)(fixture_word(12, i) % 9));
        ls_rollout_request request = make_request(prompts, n, 1.0, length);
        if (i % 2)
            request.n_stop_ids = 0;
        (void)roll(s.f.model, &request, 1 + fixture_word(13, i) % 6, 1 + fixture_word(14, i) % 40,
                   length, &s.results);
        ls_arena_rewind(&s.results, mark);
    }
    close_setting(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(results_do_not_depend_on_slots_and_chunks),
        cmocka_unit_test(results_do_not_depend_on_threads_and_kernel_tables),
        cmocka_unit_test(results_follow_the_prompt_id_whatever_the_order),
        cmocka_unit_test(a_sample_does_not_depend_on_the_rest_of_its_group),
        cmocka_unit_test(samples_of_a_group_and_steps_and_seeds_differ),
        cmocka_unit_test(completions_are_sorted_and_counted),
        cmocka_unit_test(nothing_to_do_is_no_error),
        cmocka_unit_test(a_stop_id_ends_a_completion_and_belongs_to_it),
        cmocka_unit_test(lengths_end_at_the_smaller_of_both_limits),
        cmocka_unit_test(greedy_samples_are_equal_and_carry_numbers_of_temperature_one),
        cmocka_unit_test(truncation_records_the_kept_mass_beside_the_full_log_probability),
        cmocka_unit_test(unusable_prompts_are_named),
        cmocka_unit_test(a_length_beyond_the_models_positions_is_refused),
        cmocka_unit_test(weights_that_are_not_finite_are_reported_and_leave_no_trace),
        cmocka_unit_test(a_stopped_run_says_how_far_it_came_and_the_next_one_is_whole),
        cmocka_unit_test(the_engine_takes_no_memory_while_it_runs),
        cmocka_unit_test(a_dry_engine_measures_what_a_real_one_takes),
        cmocka_unit_test(pages_suffice_for_random_arrangements),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
