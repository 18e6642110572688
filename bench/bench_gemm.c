/* bench_gemm: matrix products of the weights of three models as a share of the FMA peak of the
 * same moment.
 *
 *     bench_gemm [--quick] [--json]
 *
 * Each cell alternates a register-only FMA loop and the product, with the same threads, and
 * takes the median of the ratios over the rounds that no other process disturbed (a "?" in
 * place of "%" tells that there was none).  The uses of a weight (out, in) with M rows:
 *     forward   Y (M,out) = X (M,in) W^T, W packed
 *     dX        (M,in) += dY (M,out) W
 *     dW        (out,in) += dY^T X
 * Nothing is written to disk. */
#include "kernels/kernels.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "base/clock.h"
#include "base/mem.h"
#include "kernels/peak.h"
#include "measure.h"

typedef struct shape {
    const char *model;
    int64_t out, in;
    bool is_quick; /* measured with --quick as well */
} shape;

static const shape shapes[] = {
    {"1M", 128, 128, true},     {"1M", 512, 128, false},     {"1M", 344, 128, false},
    {"1M", 128, 344, false},    {"1M", 256, 128, false},     {"15M", 288, 288, false},
    {"15M", 768, 288, true},    {"15M", 288, 768, false},    {"15M", 1024, 384, false},
    {"135M", 576, 576, true},   {"135M", 192, 576, false},   {"135M", 1536, 576, false},
    {"135M", 576, 1536, false}, {"135M", 49152, 576, false},
};
static const int64_t row_counts[] = {1, 4, 16, 64, 128, 512, 2048};
static const char *const use_names[] = {"forward", "dX", "dW"};
enum { FORWARD, GRAD_INPUT, GRAD_WEIGHT, N_USES };

#define MOST_WORK 8e9 /* FLOPs of one product; larger cells are left out */

typedef struct buffers {
    float *weight, *packed, *inputs, *outputs;
} buffers;

typedef struct options {
    bool is_quick, is_json;
    double cell_seconds;
} options;

typedef struct cell {
    double gflops, share; /* medians */
    bool is_clean;        /* measured while nobody else took the processors */
} cell;

static ls_gemm_args make_args(const shape *s, int use, int64_t rows, const buffers *b)
{
    switch (use) {
    case FORWARD:
        return (ls_gemm_args){.c = b->outputs,
                              .a = b->inputs,
                              .b = b->packed,
                              .M = rows,
                              .N = s->out,
                              .K = s->in,
                              .a_row = s->in,
                              .a_k = 1,
                              .ldc = s->out,
                              .b_packed = true};
    case GRAD_INPUT:
        return (ls_gemm_args){.c = b->inputs,
                              .a = b->outputs,
                              .b = b->weight,
                              .M = rows,
                              .N = s->in,
                              .K = s->out,
                              .a_row = s->out,
                              .a_k = 1,
                              .ldb = s->in,
                              .ldc = s->in,
                              .accumulate = true};
    default:
        return (ls_gemm_args){.c = b->weight,
                              .a = b->outputs,
                              .b = b->inputs,
                              .M = s->out,
                              .N = s->in,
                              .K = rows,
                              .a_row = 1,
                              .a_k = s->out,
                              .ldb = s->in,
                              .ldc = s->in,
                              .accumulate = true};
    }
}

/* One round: the peak loop, the product for half a millisecond or more, the peak loop again.
 * Returns whether the round is clean: nobody took a processor away, and the peak was near the best
 * seen. */
static bool run_round(double *rate, double *share, ls_device *dev, const ls_gemm_args *args)
{
    static double best_peak[2]; /* by one thread, several */
    double *best = &best_peak[dev->pool != NULL], elapsed;
    double flops = 2 * (double)args->M * (double)args->N * (double)args->K;
    long interruptions = count_interruptions();
    double before = ls_peak_rate(dev), start = ls_clock_seconds();
    int64_t calls = 0;
    do {
        dev->k->gemm(dev, args);
        calls++;
        elapsed = ls_clock_seconds() - start;
    } while (elapsed < 5e-4);
    double after = ls_peak_rate(dev);
    *rate = flops * (double)calls / elapsed;
    *share = *rate / ((before + after) / 2);
    *best = fmax(*best, fmax(before, after));
    return count_interruptions() == interruptions && fmin(before, after) > 0.9 * *best;
}

/* Medians over clean rounds.  On a machine so busy that none is clean, of all rounds. */
static cell measure(ls_device *dev, const ls_gemm_args *args, double seconds)
{
    enum { MOST_ROUNDS = 15 };
    double rates[MOST_ROUNDS], shares[MOST_ROUNDS], start = ls_clock_seconds();
    int n_clean = 0, n_dirty = 0;
    dev->k->gemm(dev, args); /* warm caches and pages */
    while (n_clean < MOST_ROUNDS) {
        double elapsed = ls_clock_seconds() - start, rate, share;
        if (n_clean + n_dirty > 0 && (elapsed > 2 * seconds || (elapsed > seconds && n_clean > 2)))
            break;
        if (run_round(&rate, &share, dev, args)) {
            rates[n_clean] = rate;
            shares[n_clean++] = share;
        } else if (n_clean + n_dirty < MOST_ROUNDS) {
            n_dirty++;
            rates[MOST_ROUNDS - n_dirty] = rate;
            shares[MOST_ROUNDS - n_dirty] = share;
        }
    }
    int first = n_clean > 0 ? 0 : MOST_ROUNDS - n_dirty, n = n_clean > 0 ? n_clean : n_dirty;
    return (cell){.gflops = median(rates + first, n) * 1e-9,
                  .share = median(shares + first, n),
                  .is_clean = n_clean > 0};
}

static void print_cell(const options *o, const ls_device *dev, const shape *s, int use,
                       int64_t rows, cell c)
{
    if (!o->is_json) {
        printf(" %4.0f/%3.0f%c", c.gflops, 100 * c.share, c.is_clean ? '%' : '?');
        return;
    }
    printf("{\"isa\":\"%s\",\"threads\":%d,\"model\":\"%s\",\"out\":%lld,\"in\":%lld,\"use\":\"%"
           "s\",\"rows\":%lld,"
           "\"gflops\":%.2f,\"share_of_peak\":%.4f}\n",
           dev->k->name, ls_pool_size(dev->pool), s->model, (long long)s->out, (long long)s->in,
           use_names[use], (long long)rows, c.gflops, c.share);
}

static void fill(float *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)((i * 7919) % 1000) * 1e-3f - 0.5f;
}

static void bench_shape(const options *o, ls_device *dev, const shape *s, const buffers *b)
{
    dev->k->pack(dev, b->packed, b->weight, s->out, s->in);
    for (int use = 0; use < N_USES; use++) {
        if (!o->is_json)
            printf("%-5s %5lld x %-5lld %-8s", s->model, (long long)s->out, (long long)s->in,
                   use_names[use]);
        for (size_t i = 0; i < LS_COUNT(row_counts); i++) {
            ls_gemm_args args = make_args(s, use, row_counts[i], b);
            if (2 * (double)args.M * (double)args.N * (double)args.K > MOST_WORK) {
                if (!o->is_json)
                    printf("%10s", "-");
                continue;
            }
            print_cell(o, dev, s, use, row_counts[i], measure(dev, &args, o->cell_seconds));
        }
        if (!o->is_json)
            printf("\n");
        fflush(stdout);
    }
}

static void bench_table(const options *o, ls_device *dev, const buffers *b)
{
    double peaks[9];
    for (size_t i = 0; i < LS_COUNT(peaks); i++)
        peaks[i] = ls_peak_rate(dev) * 1e-9;
    if (!o->is_json) {
        printf("\n%s, %d thread%s, FMA peak %.0f GFLOP/s; cells: GFLOP/s, %% of the peak of that "
               "moment\n",
               dev->k->name, ls_pool_size(dev->pool), dev->pool ? "s" : "",
               median(peaks, LS_COUNT(peaks)));
        printf("%-28s", "weight (out x in), rows:");
        for (size_t i = 0; i < LS_COUNT(row_counts); i++)
            printf("%10lld", (long long)row_counts[i]);
        printf("\n");
    }
    for (size_t i = 0; i < LS_COUNT(shapes); i++)
        if (shapes[i].is_quick || !o->is_quick)
            bench_shape(o, dev, &shapes[i], b);
}

/* Buffers for the largest cell: all shapes and uses share them.  From an arena, as a run's weights
 * and gradients are, and so with huge pages. */
static buffers take_buffers(ls_arena *arena)
{
    int64_t weights = 0, values = 0;
    for (size_t i = 0; i < LS_COUNT(shapes); i++) {
        const shape *s = &shapes[i];
        int64_t area = (s->out + 31) * s->in, wide = s->out > s->in ? s->out : s->in;
        int64_t most_rows = (int64_t)(MOST_WORK / 2 / (double)(s->out * s->in));
        int64_t rows = most_rows < 2048 ? most_rows : 2048;
        weights = area > weights ? area : weights;
        values = rows * wide > values ? rows * wide : values;
    }
    buffers b = {ls_arena_floats(arena, weights), ls_arena_floats(arena, weights),
                 ls_arena_floats(arena, values), ls_arena_floats(arena, values)};
    fill(b.weight, weights);
    fill(b.inputs, values);
    fill(b.outputs, values);
    return b;
}

static int run(const options *o)
{
    ls_arena arena;
    if (ls_arena_init(&arena, "bench_gemm", 0) != LEASH_OK) {
        fprintf(stderr, "bench_gemm: %s\n", leash_error());
        return 1;
    }
    buffers b = take_buffers(&arena);
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables), n_cpus = ls_cpu_count(), result = 0;
    for (int t = 0; t < n_tables; t++) {
        if (strcmp(tables[t]->name, "ref") == 0)
            continue;
        for (int n_threads = 1; n_threads <= n_cpus && result == 0;
             n_threads += n_cpus > 1 ? n_cpus - 1 : 1) {
            ls_device dev;
            if (ls_device_init(&dev, tables[t], n_threads) != LEASH_OK) {
                fprintf(stderr, "bench_gemm: %s\n", leash_error());
                result = 1;
            } else {
                bench_table(o, &dev, &b);
            }
            ls_device_release(&dev);
        }
    }
    ls_arena_release(&arena);
    return result;
}

int main(int argc, char **argv)
{
    options o = {.cell_seconds = 0.02};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--quick") == 0) {
            o.is_quick = true;
            o.cell_seconds = 0.01;
        } else if (strcmp(argv[i], "--json") == 0) {
            o.is_json = true;
        } else {
            fprintf(stderr, "usage: bench_gemm [--quick] [--json]\n");
            return 2;
        }
    }
    return run(&o);
}
