/* leash bench [--model SHAPE]: training and decoding speed of a built-in shape on this machine, in
 * tokens, GFLOP/s and as a share of the FMA peak that the same threads had just before. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "kernels/peak.h"
#include "train/run.h"

#define PROMPT 16
#define NEW_TOKENS 64

typedef struct machine {
    ls_device dev;
    ls_arena run, work;
    ls_model *model;
} machine;

static leash_status open_machine(machine *m, const ls_run_options *o, const char *shape)
{
    ls_model_config config;
    memset(m, 0, sizeof *m);
    LS_TRY(ls_model_config_builtin(&config, shape));
    config.vocab_size = strcmp(shape, "135m") == 0 ? 49152 : strcmp(shape, "15m") == 0 ? 32000 : 64;
    config.max_position_embeddings = 512;
    config.bos_token_id = config.eos_token_id = -1;
    LS_TRY(ls_arena_init(&m->run, "run", 0));
    LS_TRY(ls_arena_init(&m->work, "work", 0));
    LS_TRY(ls_device_open(&m->dev, &o->system, false));
    LS_TRY(ls_model_new(&m->model, &config, &m->dev, &m->run, LS_MODEL_TRAINED, 1));
    ls_model_init_weights(m->model, 1);
    ls_model_pack(m->model);
    return LEASH_OK;
}

static void close_machine(machine *m)
{
    ls_device_release(&m->dev);
    ls_arena_release(&m->run);
    ls_arena_release(&m->work);
}

typedef struct best_round {
    double seconds, flops, share; /* share of the peak; 0 with kernels that have none */
} best_round;

static void keep_best(best_round *best, double seconds, double flops, double peak)
{
    if (best->seconds > 0 && best->seconds <= seconds)
        return;
    *best = (best_round){
        .seconds = seconds, .flops = flops, .share = peak > 0 ? flops / seconds / peak : 0};
}

static void print_round(const char *label, double tokens, double ms_per_step, const best_round *r)
{
    ls_print("%s   %10.0f tok/s   %8.3f ms a step   %7.1f GFLOP/s", label, tokens / r->seconds,
             ms_per_step, 1e-9 * r->flops / r->seconds);
    if (r->share > 0)
        ls_print("   %3.0f %% of peak", 100 * r->share);
    ls_print("\n");
}

static leash_status bench_decode(machine *m, int64_t slots)
{
    ls_engine *engine;
    ls_engine_options options = {.rollout_slots = slots, .prefill_chunk = 512};
    int32_t ids[PROMPT];
    ls_arena_mark mark = ls_arena_get_mark(&m->run);
    LS_TRY(ls_engine_new(&engine, m->model, &m->run, &options, PROMPT + NEW_TOKENS));
    for (int32_t i = 0; i < PROMPT; i++)
        ids[i] = 1 + i;
    ls_prompt prompt = {.ids = ids, .n_ids = PROMPT, .n_samples = (int32_t)slots};
    ls_rollout_request request = {
        .prompts = &prompt,
        .n_prompts = 1,
        .sampling = {.temperature = 1, .top_p = 1, .max_completion_length = NEW_TOKENS},
        .purpose = LS_RNG_SAMPLE};
    best_round best = {0};
    for (int round = 0; round < 3; round++) {
        ls_rollout rollout;
        ls_arena_mark work = ls_arena_get_mark(&m->work);
        double peak = ls_peak_rate(&m->dev);
        m->dev.counters.flops = 0;
        LS_TRY(ls_engine_run(engine, &request, &m->work, &rollout));
        ls_arena_rewind(&m->work, work);
        keep_best(&best, rollout.seconds, m->dev.counters.flops, peak);
    }
    char label[64];
    snprintf(label, sizeof label, "decode   %4lld slots", (long long)slots);
    print_round(label, (double)(slots * NEW_TOKENS), 1e3 * best.seconds / NEW_TOKENS, &best);
    ls_arena_rewind(&m->run, mark);
    return LEASH_OK;
}

static void bench_train(machine *m, int64_t n_seqs, int64_t length)
{
    ls_sequences s;
    ls_arena_mark mark = ls_arena_get_mark(&m->run);
    ls_sequences_init(&s, &m->run, n_seqs, n_seqs * length);
    int32_t *ids = ls_arena_ints(&m->run, length);
    for (int64_t i = 0; i < length; i++)
        ids[i] = (int32_t)(i % 60) + 1;
    for (int64_t i = 0; i < n_seqs; i++)
        (void)ls_sequences_add_completion(&s, ids, 1, ids + 1, length - 1);
    for (int64_t t = 0; t < s.n_targets; t++)
        s.dlogp[t] = -1.0f / (float)s.n_targets;
    best_round best = {0};
    for (int round = 0; round < 3; round++) {
        ls_arena_mark work = ls_arena_get_mark(&m->work);
        double peak = ls_peak_rate(&m->dev), started = ls_clock_seconds();
        ls_packed packed;
        ls_tape tape;
        ls_sequences_pack(&packed, &s, 0, n_seqs, &m->work);
        ls_tape_init(&tape, &m->dev, &m->work, true);
        m->dev.counters.flops = 0;
        ls_head_job job = {.hidden = ls_model_forward(m->model, &tape, &packed.batch),
                           .weight = m->model->head,
                           .rows = packed.rows,
                           .targets = packed.targets,
                           .n = packed.n_targets,
                           .temperature = 1,
                           .logp = s.logp,
                           .entropy = s.entropy};
        ls_op_head_score(&tape, &job);
        ls_op_head_backward(&tape, &job, s.dlogp, NULL);
        ls_tape_backward(&tape, NULL);
        keep_best(&best, ls_clock_seconds() - started, m->dev.counters.flops, peak);
        ls_arena_rewind(&m->work, work);
    }
    char label[64];
    snprintf(label, sizeof label, "train   %3lld x %-7lld", (long long)n_seqs, (long long)length);
    print_round(label, (double)(n_seqs * length), 1e3 * best.seconds, &best);
    ls_arena_rewind(&m->run, mark);
}

static leash_status bench(const leash_settings *settings)
{
    static const int64_t slots[] = {1, 8, 32, 128};
    const char *shape = settings->options.model.model[0] ? settings->options.model.model : "1m";
    machine m;
    leash_status status = open_machine(&m, &settings->options, shape);
    if (status == LEASH_OK) {
        char count[32];
        ls_print("%s: %s parameters, kernels %s, %d threads\n", shape,
                 ls_format_count(count, (double)m.model->n_params), m.dev.k->name,
                 ls_pool_size(m.dev.pool));
        for (size_t i = 0; status == LEASH_OK && i < LS_COUNT(slots); i++)
            status = bench_decode(&m, slots[i]);
        if (status == LEASH_OK)
            bench_train(&m, 16, 128);
    }
    close_machine(&m);
    return status;
}

leash_status ls_cmd_bench(const ls_command *self, int argc, char **argv)
{
    ls_invocation inv;
    leash_status status = ls_cli_open_plain(&inv, self, NULL, argc, argv);
    if (status == LEASH_OK && !inv.is_done)
        status = bench(inv.settings);
    ls_cli_close(&inv);
    return status;
}
