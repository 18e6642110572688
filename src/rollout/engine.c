/* The engine's life and the order of a step: batch, forward, scores, draws, ends, beginnings.
 *
 * A step runs the last token of every running slot and a chunk of prompts through one forward,
 * draws the next token of every running slot, retires those that ended, and lets samples of
 * prompts that are read begin in the free slots with their first token, which needs no forward.
 * Rows are independent (row contract), so who shares a step with whom is not seen in the
 * results.
 *
 * Memory: everything is taken in ls_engine_new; a rehearsal of the largest step on null kernels
 * then makes the arena back what a step needs above it.  A run takes memory from the caller's
 * `results` alone. */
#include "rollout/engine.h"

#include <math.h>
#include <string.h>

#include "base/clock.h"

/* --- scores and draws --- */

typedef struct {
    ls_engine *engine;
    const ls_draw *draws;
    const float *logits, *lse, *entropy; /* of rows from row0 on */
    int64_t row0;
} draw_work;

static void draw_range(void *context, int64_t begin, int64_t end, int worker)
{
    (void)worker;
    const draw_work *w = context;
    const ls_rollout_request *request = w->engine->request;
    int64_t V = w->engine->model->head->rows;
    /* A range has the scratch of its first draw for itself; worker numbers would make the plan
     * depend on the threads. */
    int32_t *scratch_ids = w->engine->scratch_ids + begin * V;
    for (int64_t i = begin; i < end; i++) {
        ls_slot *slot = &w->engine->slots[w->draws[i].slot];
        int64_t row = w->draws[i].row - w->row0;
        int32_t at = slot->n_tokens++;
        const float *z = w->logits + row * V, *p = w->engine->probs + row * V;
        ls_rng_name name = {.seed = request->seed,
                            .purpose = request->purpose,
                            .step = request->step,
                            .prompt = request->prompts[slot->prompt].prompt_id,
                            .sample = (uint32_t)slot->sample,
                            .position = (uint32_t)at};
        double u = ls_rng_uniform(&name);
        int32_t id =
            ls_sample_token(z, p, V, &request->sampling, u, &slot->log_kept[at], scratch_ids);
        slot->ids[at] = id;
        slot->logp[at] = z[id] - w->lse[row];
        slot->entropy[at] = w->entropy[row];
    }
}

static leash_status check_draw(const ls_engine *engine, const ls_draw *draw)
{
    const ls_slot *slot = &engine->slots[draw->slot];
    int32_t at = slot->n_tokens - 1;
    if (isfinite(slot->logp[at]))
        return LEASH_OK;
    return ls_fail(
        LEASH_NUMERIC,
        "prompt %lld, sample %d, token %d: the log-probability is %g, expected a finite number; "
        "the weights or activations are not finite (a lower learning rate or stronger gradient "
        "clipping helps)",
        (long long)slot->prompt, slot->sample, at, (double)slot->logp[at]);
}

/* How many of n rows are scored together: they ascend, and their logits fit in LS_HEAD_BYTES. */
static int64_t count_chunk(const int32_t *rows, int64_t n, int64_t V)
{
    int64_t fitting = LS_HEAD_BYTES / (int64_t)sizeof(float) / V, count = 1;
    while (count < n && count < fitting && rows[count] > rows[count - 1])
        count++;
    return count;
}

/* Draws a token for each of the engine's n_draws draws from the engine's n_rows rows of
 * `hidden`. */
static leash_status draw_tokens(ls_engine *engine, ls_tape *tape, ls_tensor *hidden, int64_t n_rows,
                                int64_t n_draws)
{
    ls_weight *head = engine->model->head;
    double temperature = engine->request->sampling.temperature;
    int64_t n_drawn = 0;
    for (int64_t row = 0, n; row < n_rows; row += n) {
        ls_arena_mark mark = ls_arena_get_mark(tape->arena);
        n = count_chunk(engine->rows + row, n_rows - row, head->rows);
        float *logits = ls_arena_floats(tape->arena, n * head->rows);
        float *lse = ls_arena_floats(tape->arena, n), *entropy = ls_arena_floats(tape->arena, n);
        ls_head_job job = {.hidden = hidden,
                           .weight = head,
                           .rows = engine->rows + row,
                           .n = n,
                           .temperature = temperature == 0.0 ? 1.0f : (float)temperature};
        ls_op_head_logits(tape, &job, logits, lse, entropy);
        ls_softmax_probs_args probs = {
            .p = engine->probs, .z = logits, .lse = lse, .N = n, .V = head->rows};
        if (temperature != 0.0)
            tape->dev->k->softmax_probs(tape->dev, &probs);
        int64_t first = n_drawn;
        while (n_drawn < n_draws && engine->draws[n_drawn].row < row + n)
            n_drawn++;
        draw_work work = {.engine = engine,
                          .draws = engine->draws + first,
                          .logits = logits,
                          .lse = lse,
                          .entropy = entropy,
                          .row0 = row};
        /* Some microseconds of work for each thread that is woken. */
        ls_parallel_for(tape->dev->pool, n_drawn - first, 2048 / head->rows + 1, draw_range, &work);
        ls_arena_rewind(tape->arena, mark);
    }
    for (int64_t i = 0; i < n_draws; i++)
        LS_TRY(check_draw(engine, &engine->draws[i]));
    return LEASH_OK;
}

/* --- life --- */

/* The largest step there can be, on null kernels: the arena then backs what any step takes. */
static void rehearse(ls_engine *engine)
{
    int64_t n = engine->n_slots, most = engine->max_length, left = n + engine->chunk;
    ls_rollout_request request = {.sampling = {.temperature = 1.0}};
    ls_device null = {.k = &ls_kernels_null};
    ls_arena_mark mark = ls_arena_get_mark(engine->arena);
    ls_tape tape;
    engine->request = &request;
    engine->batch =
        (ls_batch){.ids = engine->ids, .pos = engine->pos, .seqs = engine->seqs, .n_seqs = n};
    for (int64_t s = 0; s < n; s++) {
        int64_t rows = left - (n - 1 - s) < most ? left - (n - 1 - s) : most;
        engine->seqs[s] = (ls_batch_seq){.row0 = engine->batch.n_rows,
                                         .n_rows = rows,
                                         .pos0 = most - rows,
                                         .pages = engine->slots[s].pages};
        engine->rows[s] = (int32_t)s;
        engine->batch.n_rows += rows;
        left -= rows;
    }
    ls_tape_init(&tape, &null, engine->arena, false);
    ls_tensor *hidden = ls_model_forward(engine->model, &tape, &engine->batch);
    leash_status status = draw_tokens(engine, &tape, hidden, n, 0);
    LS_ASSERT_EQ(status, LEASH_OK);
    engine->request = NULL;
    ls_arena_rewind(engine->arena, mark);
}

/* A table of pages whose entries point at memory of the pool from the start, for the rehearsal. */
static float **take_page_table(const ls_engine *engine, int64_t n)
{
    float **pages = ls_arena_alloc(engine->arena, (size_t)n * sizeof *pages);
    for (int64_t p = 0; p < n; p++)
        pages[p] = engine->pages.data;
    return pages;
}

static void take_memory(ls_engine *engine)
{
    ls_arena *arena = engine->arena;
    int64_t n = engine->n_slots, length = engine->max_length, V = engine->model->head->rows;
    int64_t most_pages = (length + LS_KV_PAGE - 1) / LS_KV_PAGE;
    ls_pages_init(&engine->pages, engine->model->dev, arena, n * most_pages + 1,
                  ls_model_page_floats(engine->model));
    engine->slots = ls_arena_alloc(arena, (size_t)n * sizeof *engine->slots);
    engine->groups = ls_arena_alloc(arena, (size_t)n * sizeof *engine->groups);
    for (int64_t i = 0; i < n; i++) {
        engine->slots[i] = (ls_slot){.ids = ls_arena_ints(arena, length),
                                     .logp = ls_arena_floats(arena, length),
                                     .log_kept = ls_arena_floats(arena, length),
                                     .entropy = ls_arena_floats(arena, length),
                                     .pages = take_page_table(engine, most_pages)};
        engine->groups[i] = (ls_group){.pages = take_page_table(engine, most_pages)};
    }
    engine->free_slots = ls_arena_ints(arena, n);
    int64_t C = engine->model->config.hidden_size;
    engine->last_hidden = (ls_tensor){.data = ls_arena_floats(arena, n * C), .rows = n, .cols = C};
    engine->probs = ls_arena_floats(arena, n * V);
    engine->scratch_ids = ls_arena_ints(arena, n * V);
    engine->seqs = ls_arena_alloc(arena, (size_t)n * sizeof *engine->seqs);
    engine->ids = ls_arena_ints(arena, n + engine->chunk);
    engine->pos = ls_arena_ints(arena, n + engine->chunk);
    engine->rows = ls_arena_ints(arena, n);
    engine->draws = ls_arena_alloc(arena, (size_t)n * sizeof *engine->draws);
}

leash_status ls_engine_new(ls_engine **out, ls_model *model, ls_arena *arena,
                           const ls_engine_options *options, int64_t max_length)
{
    LS_ASSERT(options->rollout_slots >= 1 && options->prefill_chunk >= 1 && max_length >= 2);
    int64_t limit = model->config.max_position_embeddings;
    if (max_length > limit)
        return ls_fail(
            LEASH_USAGE,
            "rollouts: prompt and completion may be %lld tokens long, but the model has %lld "
            "positions (max_position_embeddings); lower max_completion_length or shorten the "
            "prompts",
            (long long)max_length, (long long)limit);
    if (max_length > LS_ATTENTION_MAX)
        return ls_fail(LEASH_USAGE,
                       "rollouts: prompt and completion may be %lld tokens long, but attention "
                       "holds %d; lower max_completion_length or shorten the prompts",
                       (long long)max_length, LS_ATTENTION_MAX);
    ls_engine *engine = ls_arena_alloc(arena, sizeof *engine);
    *engine = (ls_engine){.model = model,
                          .arena = arena,
                          .n_slots = options->rollout_slots,
                          .chunk = options->prefill_chunk,
                          .max_length = max_length};
    take_memory(engine);
    rehearse(engine);
    *out = engine;
    return LEASH_OK;
}

/* --- results --- */

typedef struct { /* where the tokens of one completion go */
    int32_t *ids;
    float *logp, *log_kept, *entropy;
} result_arrays;

static result_arrays take_result(ls_arena *results, int64_t n_tokens)
{
    return (result_arrays){.ids = ls_arena_ints(results, n_tokens),
                           .logp = ls_arena_floats(results, n_tokens),
                           .log_kept = ls_arena_floats(results, n_tokens),
                           .entropy = ls_arena_floats(results, n_tokens)};
}

leash_status ls_engine_measure(const ls_engine *engine, ls_arena *results, int64_t n_completions,
                               int64_t max_completion_length)
{
    int64_t room = engine->max_length - 1;
    int64_t most = max_completion_length < room ? max_completion_length : room;
    (void)ls_arena_alloc(results, ls_mul_size((size_t)n_completions, sizeof(ls_completion)));
    for (int64_t i = 0; i < n_completions; i++)
        (void)take_result(results, most);
    return LEASH_OK;
}

/* Copies a finished completion out of its slot. */
static void save_completion(ls_completion *out, const ls_slot *slot, ls_finish finish,
                            ls_arena *results)
{
    result_arrays to = take_result(results, slot->n_tokens);
    size_t n = (size_t)slot->n_tokens;
    memcpy(to.ids, slot->ids, n * sizeof *to.ids);
    memcpy(to.logp, slot->logp, n * sizeof *to.logp);
    memcpy(to.log_kept, slot->log_kept, n * sizeof *to.log_kept);
    memcpy(to.entropy, slot->entropy, n * sizeof *to.entropy);
    *out = (ls_completion){.prompt = slot->prompt,
                           .sample = slot->sample,
                           .n_tokens = slot->n_tokens,
                           .ids = to.ids,
                           .logp = to.logp,
                           .log_kept = to.log_kept,
                           .entropy = to.entropy,
                           .finish = finish};
}

/* --- run --- */

typedef struct {
    ls_engine *engine;
    ls_arena *results;
    ls_rollout *out;
    int64_t n_done;
} run_state;

static bool is_stop(const ls_rollout_request *request, int32_t id)
{
    for (int32_t i = 0; i < request->n_stop_ids; i++)
        if (request->stop_ids[i] == id)
            return true;
    return false;
}

/* Tells of the tokens of the first n draws, and retires the slots whose completion ended. */
static void end_completions(run_state *run, int64_t n)
{
    ls_engine *engine = run->engine;
    const ls_rollout_request *request = engine->request;
    run->out->n_tokens += n;
    for (int64_t i = 0; i < n; i++) {
        ls_slot *slot = &engine->slots[engine->draws[i].slot];
        int32_t id = slot->ids[slot->n_tokens - 1];
        bool is_stopped = is_stop(request, id);
        if (request->on_token)
            request->on_token(request->user, slot->prompt, slot->sample, id);
        if (!is_stopped && slot->n_tokens < slot->most_tokens)
            continue;
        ls_finish finish = is_stopped ? LS_FINISH_STOP : LS_FINISH_LENGTH;
        save_completion(&run->out->completions[slot->completion], slot, finish, run->results);
        ls_schedule_retire(engine, slot);
        run->n_done++;
    }
}

static leash_status run_step(run_state *run)
{
    ls_engine *engine = run->engine;
    ls_tape tape;
    ls_tape_init(&tape, engine->model->dev, engine->arena, false);
    ls_schedule_batch(engine);
    if (engine->batch.n_rows > 0) {
        ls_tensor *hidden = ls_model_forward(engine->model, &tape, &engine->batch);
        ls_schedule_keep_hidden(engine, hidden);
        LS_TRY(draw_tokens(engine, &tape, hidden, engine->n_running, engine->n_running));
        run->out->n_steps++;
        run->out->n_prefill_tokens += engine->batch.n_rows - engine->n_running;
        end_completions(run, engine->n_running);
    }
    int64_t n_rows, n_begun = ls_schedule_start(engine, &n_rows);
    LS_TRY(draw_tokens(engine, &tape, &engine->last_hidden, n_rows, n_begun));
    end_completions(run, n_begun);
    return LEASH_OK;
}

static leash_status check_prompt(const ls_engine *engine, int64_t i, const ls_prompt *prompt)
{
    int64_t V = engine->model->config.vocab_size;
    LS_ASSERT(prompt->n_samples >= 0 && prompt->n_samples < 1 << 24);
    if (prompt->n_ids < 1)
        return ls_fail(LEASH_DATA, "prompt %lld is empty; at least one token is needed",
                       (long long)i);
    if (prompt->n_ids >= engine->max_length)
        return ls_fail(LEASH_DATA,
                       "prompt %lld has %d tokens and leaves no room for a completion: prompt and "
                       "completion are %lld tokens at the most; drop or shorten it",
                       (long long)i, prompt->n_ids, (long long)engine->max_length);
    for (int32_t j = 0; j < prompt->n_ids; j++)
        if (prompt->ids[j] < 0 || prompt->ids[j] >= V)
            return ls_fail(LEASH_DATA,
                           "prompt %lld: token %d has id %d, the model knows 0 to %lld; does the "
                           "tokenizer belong to the model?",
                           (long long)i, j, prompt->ids[j], (long long)(V - 1));
    return LEASH_OK;
}

static leash_status run_all(run_state *run, const ls_rollout_request *request)
{
    ls_engine *engine = run->engine;
    ls_rollout *out = run->out;
    ls_arena_mark mark = ls_arena_get_mark(engine->arena);
    ls_schedule_begin(engine, request);
    while (run->n_done < out->n_completions) {
        if (request->should_stop && request->should_stop())
            return ls_fail(LEASH_INTERRUPTED,
                           "rollouts were stopped with %lld of %lld completions done",
                           (long long)run->n_done, (long long)out->n_completions);
        leash_status status = run_step(run);
        ls_arena_rewind(engine->arena, mark);
        LS_TRY(status);
        if (request->on_progress)
            request->on_progress(request->user, run->n_done, out->n_completions, out->n_tokens);
    }
    return LEASH_OK;
}

leash_status ls_engine_run(ls_engine *engine, const ls_rollout_request *request, ls_arena *results,
                           ls_rollout *out)
{
    double start = ls_clock_seconds();
    LS_ASSERT(request->sampling.temperature >= 0.0 && request->sampling.max_completion_length >= 1);
    *out = (ls_rollout){0};
    for (int64_t i = 0; i < request->n_prompts; i++) {
        LS_TRY(check_prompt(engine, i, &request->prompts[i]));
        out->n_completions += request->prompts[i].n_samples;
    }
    ls_arena_mark mark = ls_arena_get_mark(results);
    out->completions =
        ls_arena_alloc(results, ls_mul_size((size_t)out->n_completions, sizeof *out->completions));
    run_state run = {.engine = engine, .results = results, .out = out};
    leash_status status = run_all(&run, request);
    if (status != LEASH_OK) {
        ls_arena_rewind(results, mark);
        *out = (ls_rollout){0};
        return status;
    }
    out->seconds = ls_clock_seconds() - start;
    return LEASH_OK;
}
