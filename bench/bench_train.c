/* bench_train: training steps of small models, as tokens per second and as a share of the FMA peak
 * of the same moment, and where their time goes.
 *
 *     bench_train [--quick] [--json] [--all]
 *
 * A step is one update of supervised training by the code path of `leash sft`: pack the
 * sequences, forward, objective, backward, norm, AdamW, packing of the weights.  Steps alternate
 * with a register-only FMA loop on the same threads; the figures are medians over the rounds that
 * no other process disturbed, or over all of them where there was none (a "?" then stands behind
 * the share, which is a lower bound).  The share counts the multiply-adds of all products and of
 * attention.
 *
 * The split by kind comes from a table of kernels that looks at the clock around every call of the
 * device's own; what is left is the host: packing of batches, objective, change of the weights. */
#include "train/update.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "kernels/peak.h"
#include "measure.h"

typedef struct workload {
    const char *shape;
    int64_t vocab, n_seqs, length; /* length counts the tokens that the model reads */
    bool is_large;                 /* with --all alone */
} workload;

static const workload workloads[] = {
    {"tiny", 18, 64, 24, false}, {"1m", 256, 16, 128, false},   {"15m", 256, 16, 128, false},
    {"15m", 256, 8, 256, false}, {"15m", 32000, 8, 256, false}, {"135m", 49152, 4, 256, true},
};

typedef struct options {
    bool is_json, is_all;
    double seconds; /* a workload */
    int least_rounds;
} options;

/* --- time by kind --- */

enum {
    GEMM_FORWARD,
    GEMM_DX,
    GEMM_DW,
    HEAD,
    ATTENTION,
    ATTENTION_BACKWARD,
    ELEMENTWISE,
    OPTIMIZER,
    PACK,
    N_KINDS
};
static const char *const kind_names[N_KINDS + 1] = {
    "forward",      "dX",          "dW",    "head",    "attention",
    "its backward", "elementwise", "adamw", "packing", "host"};

static double kind_seconds[N_KINDS];
static const ls_kernels *inner; /* the table that does the work */
static int64_t head_rows;       /* the vocabulary: no other matrix of the workloads has this size */

#define TIMED(kind, call)                                   \
    do {                                                    \
        double started = ls_clock_seconds();                \
        call;                                               \
        kind_seconds[kind] += ls_clock_seconds() - started; \
    } while (0)
#define TIMED_SLOT(slot, args_type, kind)                        \
    static void timed_##slot(ls_device *dev, const args_type *a) \
    {                                                            \
        TIMED(kind, inner->slot(dev, a));                        \
    }

TIMED_SLOT(rmsnorm, ls_rmsnorm_args, ELEMENTWISE)
TIMED_SLOT(rmsnorm_bwd, ls_rmsnorm_bwd_args, ELEMENTWISE)
TIMED_SLOT(rope, ls_rope_args, ELEMENTWISE)
TIMED_SLOT(swiglu, ls_swiglu_args, ELEMENTWISE)
TIMED_SLOT(swiglu_bwd, ls_swiglu_bwd_args, ELEMENTWISE)
TIMED_SLOT(embed, ls_embed_args, ELEMENTWISE)
TIMED_SLOT(embed_bwd, ls_embed_bwd_args, ELEMENTWISE)
TIMED_SLOT(kv_store, ls_kv_store_args, ATTENTION)
TIMED_SLOT(attention, ls_attention_args, ATTENTION)
TIMED_SLOT(attention_bwd, ls_attention_bwd_args, ATTENTION_BACKWARD)
TIMED_SLOT(softmax_stats, ls_softmax_stats_args, HEAD)
TIMED_SLOT(softmax_bwd, ls_softmax_bwd_args, HEAD)
TIMED_SLOT(adamw, ls_adamw_args, OPTIMIZER)

static void timed_gemm(ls_device *dev, const ls_gemm_args *a)
{
    int kind = a->b_packed ? GEMM_FORWARD : a->a_row == 1 ? GEMM_DW : GEMM_DX;
    if (a->M == head_rows || a->N == head_rows || a->K == head_rows)
        kind = HEAD;
    TIMED(kind, inner->gemm(dev, a));
}

static void timed_pack(ls_device *dev, float *packed, const float *w, int64_t N, int64_t K)
{
    TIMED(PACK, inner->pack(dev, packed, w, N, K));
}

static void timed_add(ls_device *dev, float *y, const float *a, const float *b, int64_t n)
{
    TIMED(ELEMENTWISE, inner->add(dev, y, a, b, n));
}

static void timed_zero(ls_device *dev, float *x, int64_t n)
{
    TIMED(ELEMENTWISE, inner->zero(dev, x, n));
}

static void timed_copy(ls_device *dev, float *y, const float *x, int64_t n)
{
    TIMED(ELEMENTWISE, inner->copy(dev, y, x, n));
}

static double timed_sum_squares(ls_device *dev, const float *x, int64_t n, int64_t *n_bad)
{
    double sum;
    TIMED(OPTIMIZER, sum = inner->sum_squares(dev, x, n, n_bad));
    return sum;
}

static ls_kernels make_timed(const ls_kernels *k)
{
    ls_kernels timed = *k;
    inner = k;
    timed.rmsnorm = timed_rmsnorm;
    timed.rmsnorm_bwd = timed_rmsnorm_bwd;
    timed.rope = timed_rope;
    timed.swiglu = timed_swiglu;
    timed.swiglu_bwd = timed_swiglu_bwd;
    timed.embed = timed_embed;
    timed.embed_bwd = timed_embed_bwd;
    timed.kv_store = timed_kv_store;
    timed.attention = timed_attention;
    timed.attention_bwd = timed_attention_bwd;
    timed.softmax_stats = timed_softmax_stats;
    timed.softmax_bwd = timed_softmax_bwd;
    timed.adamw = timed_adamw;
    timed.gemm = timed_gemm;
    timed.pack = timed_pack;
    timed.add = timed_add;
    timed.zero = timed_zero;
    timed.copy = timed_copy;
    timed.sum_squares = timed_sum_squares;
    return timed;
}

/* --- one workload --- */

typedef struct bench {
    ls_arena run, pass;
    ls_model *model;
    ls_optimizer optimizer;
    ls_sequences sequences;
    ls_rl_plan plan;
    ls_updater updater;
} bench;

#define MOST_ROUNDS 40

typedef struct rounds {
    double seconds[MOST_ROUNDS], shares[MOST_ROUNDS], kinds[N_KINDS][MOST_ROUNDS];
    int n;
} rounds;

static void fill_sequences(ls_sequences *s, const workload *w)
{
    int32_t *ids = ls_malloc((size_t)(w->length + 1) * sizeof *ids);
    for (int64_t i = 0; i < w->n_seqs; i++) {
        for (int64_t t = 0; t <= w->length; t++)
            ids[t] = (int32_t)((i * 7919 + t * 104729 + t * t * 31) % w->vocab);
        (void)ls_sequences_add_completion(s, ids, 1, ids + 1, w->length);
    }
    ls_free(ids);
}

static leash_status open_bench(bench *b, ls_device *dev, const workload *w)
{
    ls_model_config config;
    ls_optimizer_options adam = {
        .adam_beta1 = 0.9, .adam_beta2 = 0.999, .adam_epsilon = 1e-8, .max_grad_norm = 1.0};
    LS_TRY(ls_model_config_builtin(&config, w->shape));
    config.vocab_size = w->vocab;
    config.max_position_embeddings = w->length + 1;
    LS_TRY(ls_model_new(&b->model, &config, dev, &b->run, LS_MODEL_TRAINED, 1));
    ls_model_init_weights(b->model, 1);
    ls_model_pack(b->model);
    ls_optimizer_init(&b->optimizer, b->model, &b->run, &adam);
    ls_sequences_init(&b->sequences, &b->run, w->n_seqs, w->n_seqs * (w->length + 1));
    fill_sequences(&b->sequences, w);
    b->plan = (ls_rl_plan){.objective = ls_objective_find("sft"),
                           .aggregation = ls_aggregation_find("token-mean")};
    b->updater = (ls_updater){.model = b->model,
                              .optimizer = &b->optimizer,
                              .pass = &b->pass,
                              .plan = &b->plan,
                              .temperature = 1.0,
                              .micro_batch = w->n_seqs,
                              .micro_tokens = w->n_seqs * (w->length + 1),
                              .fixed_length = w->length,
                              .wants_argmax = true};
    return LEASH_OK;
}

/* Steps between two looks at the peak, two milliseconds or more; adds a round and tells whether it
 * was clean. */
static leash_status run_round(bench *b, rounds *clean, rounds *dirty)
{
    static double best_peak[2]; /* by one thread, several */
    ls_device *dev = b->model->dev;
    double *best = &best_peak[dev->pool != NULL], elapsed;
    long interruptions = count_interruptions();
    double before = ls_peak_rate(dev), start = ls_clock_seconds();
    int n_steps = 0;
    memset(kind_seconds, 0, sizeof kind_seconds);
    dev->counters.flops = 0;
    do {
        ls_update_result result;
        LS_TRY(ls_update_run(&b->updater, &b->sequences, 0, b->sequences.n_seqs, 1e-4, false,
                             &result));
        n_steps++;
        elapsed = ls_clock_seconds() - start;
    } while (elapsed < 2e-3);
    double after = ls_peak_rate(dev);
    *best = fmax(*best, fmax(before, after));
    bool is_clean = count_interruptions() == interruptions && fmin(before, after) > 0.9 * *best;
    rounds *r = is_clean ? clean : dirty;
    r->seconds[r->n] = elapsed / n_steps;
    /* A disturbed round is compared with the best peak seen: the share is then too low, never too
     * high. */
    double peak = is_clean ? (before + after) / 2 : *best;
    r->shares[r->n] = dev->counters.flops / elapsed / peak;
    for (int kind = 0; kind < N_KINDS; kind++)
        r->kinds[kind][r->n] = kind_seconds[kind] / elapsed;
    r->n++;
    return LEASH_OK;
}

/* On a machine so busy that none is clean it tries for twice the time. */
static leash_status measure(bench *b, rounds *clean, rounds *dirty, const options *o)
{
    LS_TRY(run_round(b, clean, dirty)); /* warms caches and pages, not counted */
    clean->n = dirty->n = 0;
    double start = ls_clock_seconds();
    for (int round = 0; round < MOST_ROUNDS; round++) {
        double elapsed = ls_clock_seconds() - start;
        if (round >= o->least_rounds &&
            (elapsed > 2 * o->seconds || (elapsed > o->seconds && clean->n > 2)))
            break;
        LS_TRY(run_round(b, clean, dirty));
    }
    return LEASH_OK;
}

typedef struct figures { /* medians */
    double ms, tokens_per_second, share, kinds[N_KINDS + 1];
    bool is_clean;
} figures;

static figures summarise(const workload *w, rounds *clean, rounds *dirty)
{
    rounds *r = clean->n > 0 ? clean : dirty;
    double seconds = median(r->seconds, r->n);
    figures f = {.ms = 1e3 * seconds,
                 .tokens_per_second = (double)(w->n_seqs * w->length) / seconds,
                 .share = median(r->shares, r->n),
                 .is_clean = r == clean};
    f.kinds[N_KINDS] = 1;
    for (int kind = 0; kind < N_KINDS; kind++) {
        f.kinds[kind] = median(r->kinds[kind], r->n);
        f.kinds[N_KINDS] -= f.kinds[kind];
    }
    return f;
}

static void print_json(const ls_device *dev, const workload *w, const figures *f)
{
    printf("{\"isa\":\"%s\",\"threads\":%d,\"model\":\"%s\",\"vocab\":%lld,\"sequences\":%lld,"
           "\"length\":%lld,\"tokens_per_second\":%.0f,\"ms_per_step\":%.3f,\"share_of_peak\":%.4f,"
           "\"is_clean\":%s",
           inner->name, ls_pool_size(dev->pool), w->shape, (long long)w->vocab,
           (long long)w->n_seqs, (long long)w->length, f->tokens_per_second, f->ms, f->share,
           f->is_clean ? "true" : "false");
    for (int kind = 0; kind <= N_KINDS; kind++)
        printf(",\"%s\":%.4f", kind_names[kind], f->kinds[kind]);
    printf("}\n");
}

static void print_text(const ls_device *dev, const workload *w, const figures *f)
{
    printf("%-6s %d thread%s  %-4s vocabulary %-5lld %2lld x %-3lld  %8.0f tok/s  %9.2f ms  "
           "%5.1f %%%s of peak\n   ",
           inner->name, ls_pool_size(dev->pool), dev->pool ? "s" : " ", w->shape,
           (long long)w->vocab, (long long)w->n_seqs, (long long)w->length, f->tokens_per_second,
           f->ms, 100 * f->share, f->is_clean ? "" : "?");
    for (int kind = 0; kind <= N_KINDS; kind++)
        printf(" %s %.1f%s", kind_names[kind], 100 * f->kinds[kind], kind < N_KINDS ? "," : " %\n");
}

static leash_status bench_workload(const options *o, ls_device *dev, const workload *w)
{
    static rounds clean, dirty;
    bench b = {0};
    LS_TRY(ls_arena_init(&b.run, "run", 0));
    LS_TRY(ls_arena_init(&b.pass, "activations", 0));
    LS_TRY(open_bench(&b, dev, w));
    head_rows = w->vocab;
    LS_TRY(measure(&b, &clean, &dirty, o));
    figures f = summarise(w, &clean, &dirty);
    if (o->is_json)
        print_json(dev, w, &f);
    else
        print_text(dev, w, &f);
    fflush(stdout);
    ls_arena_release(&b.pass);
    ls_arena_release(&b.run);
    return LEASH_OK;
}

static leash_status run(const options *o)
{
    const ls_kernels *k;
    int n_cpus = ls_cpu_count();
    LS_TRY(ls_kernels_select(&k, NULL));
    ls_kernels timed = make_timed(k);
    for (int n_threads = 1; n_threads <= n_cpus; n_threads += n_cpus > 1 ? n_cpus - 1 : 1) {
        ls_device dev;
        LS_TRY(ls_device_init(&dev, &timed, n_threads));
        for (size_t i = 0; i < LS_COUNT(workloads); i++)
            if (o->is_all || !workloads[i].is_large)
                LS_TRY(bench_workload(o, &dev, &workloads[i]));
        ls_device_release(&dev);
    }
    return LEASH_OK;
}

int main(int argc, char **argv)
{
    options o = {.seconds = 2, .least_rounds = 3};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            o.seconds = 0.2;
            o.least_rounds = 1;
        } else if (strcmp(argv[i], "--json") == 0) {
            o.is_json = true;
        } else if (strcmp(argv[i], "--all") == 0) {
            o.is_all = true;
        } else {
            fprintf(stderr, "usage: bench_train [--quick] [--json] [--all]\n");
            return 2;
        }
    }
    if (run(&o) == LEASH_OK)
        return 0;
    fprintf(stderr, "bench_train: %s\n", leash_error());
    return 1;
}
