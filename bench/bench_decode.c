/* bench_decode: rollouts of small models, as tokens per second and as a share of the FMA peak of
 * the same moment.
 *
 *     bench_decode [--quick] [--json]
 *
 * A cell samples one completion of 64 tokens for each slot, from prompts of 16 tokens, on random
 * weights with a vocabulary of 64 and without stop tokens; it alternates with a register-only
 * FMA loop on the same threads, and shows medians.  The share counts the multiply-adds of all
 * products and of attention, prompts included; the time is that of the whole run of the engine. */
#include "rollout/rollout.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/clock.h"
#include "kernels/peak.h"
#include "measure.h"

#define VOCAB 64
#define PROMPT 16
#define NEW_TOKENS 64
#define MOST_SLOTS 128

static const char *const models[] = {"tiny", "1m"};
static const int64_t slot_counts[] = {1, 8, 32, 128};

typedef struct options {
    bool is_json;
    double cell_seconds;
} options;

typedef struct cell { /* medians */
    double tokens_per_second, ms_per_step, share;
} cell;

static leash_status measure(cell *out, ls_engine *engine, ls_device *dev, ls_arena *results,
                            int64_t slots, double seconds)
{
    enum { MOST_ROUNDS = 25 };
    static const int32_t ids[PROMPT] = {1, 2, 3, 5, 8, 13, 21, 34, 55, 25, 17, 42, 59, 37, 32, 5};
    ls_prompt prompts[MOST_SLOTS];
    double rates[MOST_ROUNDS], shares[MOST_ROUNDS], end = ls_clock_seconds() + seconds;
    for (int64_t i = 0; i < slots; i++)
        prompts[i] =
            (ls_prompt){.ids = ids, .n_ids = PROMPT, .prompt_id = (uint32_t)i, .n_samples = 1};
    ls_rollout_request request = {
        .prompts = prompts,
        .n_prompts = slots,
        .sampling = {.temperature = 1.0, .top_p = 1.0, .max_completion_length = NEW_TOKENS},
        .seed = 1,
        .purpose = LS_RNG_SAMPLE};
    ls_arena_mark mark = ls_arena_get_mark(results);
    int n = 0;
    for (int round = -1; round < MOST_ROUNDS && (round < 3 || ls_clock_seconds() < end); round++) {
        ls_rollout rollout;
        double peak = ls_peak_rate(dev);
        dev->counters.flops = 0;
        LS_TRY(ls_engine_run(engine, &request, results, &rollout));
        peak = (peak + ls_peak_rate(dev)) / 2;
        ls_arena_rewind(results, mark);
        if (round < 0) /* warms caches and pages */
            continue;
        rates[n] = (double)rollout.n_tokens / rollout.seconds;
        shares[n++] = dev->counters.flops / rollout.seconds / peak;
    }
    double rate = median(rates, n);
    *out = (cell){.tokens_per_second = rate,
                  .ms_per_step = 1e3 * (double)slots / rate,
                  .share = median(shares, n)};
    return LEASH_OK;
}

static void print_cell(const options *o, const ls_device *dev, const char *model, int64_t slots,
                       cell c)
{
    const char *format = o->is_json ? "{\"isa\":\"%s\",\"threads\":%d,\"model\":\"%s\",\"slots\":%"
                                      "lld,\"tokens_per_second\":%.0f,"
                                      "\"ms_per_step\":%.4f,\"share_of_peak\":%.4f}\n"
                                    : "%-8s %7d  %-6s %6lld %12.0f %14.4f %14.3f\n";
    printf(format, dev->k->name, ls_pool_size(dev->pool), model, (long long)slots,
           c.tokens_per_second, c.ms_per_step, c.share);
    fflush(stdout);
}

static leash_status bench_slots(const options *o, ls_model *model, const char *name, int64_t slots)
{
    ls_arena arena, results;
    ls_engine *engine;
    ls_engine_options engine_options = {.rollout_slots = slots, .prefill_chunk = 512};
    cell c;
    LS_TRY(ls_arena_init(&arena, "engine", 0));
    LS_TRY(ls_arena_init(&results, "results", 0));
    LS_TRY(ls_engine_new(&engine, model, &arena, &engine_options, PROMPT + NEW_TOKENS));
    LS_TRY(measure(&c, engine, model->dev, &results, slots, o->cell_seconds));
    print_cell(o, model->dev, name, slots, c);
    ls_arena_release(&results);
    ls_arena_release(&arena);
    return LEASH_OK;
}

static leash_status bench_model(const options *o, ls_device *dev, const char *name)
{
    ls_model_config config;
    ls_arena weights;
    ls_model *model;
    LS_TRY(ls_model_config_builtin(&config, name));
    config.vocab_size = VOCAB;
    config.max_position_embeddings = PROMPT + NEW_TOKENS;
    LS_TRY(ls_arena_init(&weights, "weights", 0));
    LS_TRY(ls_model_new(&model, &config, dev, &weights, LS_MODEL_FROZEN, 1));
    ls_model_init_weights(model, 1);
    ls_model_pack(model);
    for (size_t i = 0; i < LS_COUNT(slot_counts); i++)
        LS_TRY(bench_slots(o, model, name, slot_counts[i]));
    ls_arena_release(&weights);
    return LEASH_OK;
}

static leash_status run(const options *o)
{
    const ls_kernels *k;
    int n_cpus = ls_cpu_count();
    LS_TRY(ls_kernels_select(&k, NULL));
    if (!o->is_json)
        printf("%-8s %7s  %-6s %6s %12s %14s %14s\n", "isa", "threads", "model", "slots",
               "tokens/s", "ms per step", "share of peak");
    for (int n_threads = 1; n_threads <= n_cpus; n_threads += n_cpus > 1 ? n_cpus - 1 : 1) {
        ls_device dev;
        LS_TRY(ls_device_init(&dev, k, n_threads));
        for (size_t i = 0; i < LS_COUNT(models); i++)
            LS_TRY(bench_model(o, &dev, models[i]));
        ls_device_release(&dev);
    }
    return LEASH_OK;
}

int main(int argc, char **argv)
{
    options o = {.cell_seconds = 0.6};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            o.cell_seconds = 0.1;
        } else if (strcmp(argv[i], "--json") == 0) {
            o.is_json = true;
        } else {
            fprintf(stderr, "usage: bench_decode [--quick] [--json]\n");
            return 2;
        }
    }
    if (run(&o) == LEASH_OK)
        return 0;
    fprintf(stderr, "bench_decode: %s\n", leash_error());
    return 1;
}
