/* For tests of models: a model with its device and arenas, and passes over packed sequences that
 * score every next token. */
#ifndef MODEL_FIXTURE_H
#define MODEL_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>
#include "model/model.h"

#define assert_ok(call)                               \
    do {                                              \
        if ((call) != LEASH_OK)                       \
            fail_msg("%s: %s", #call, leash_error()); \
    } while (0)

typedef struct model_fixture {
    ls_device dev;
    ls_arena run, pass;
    ls_model *model;
} model_fixture;

static inline void fixture_open(model_fixture *f, const ls_model_config *config,
                                const ls_kernels *k, int n_threads, ls_model_use use,
                                int64_t n_leaves)
{
    assert_ok(ls_device_init(&f->dev, k, n_threads));
    assert_ok(ls_arena_init(&f->run, "run", 0));
    assert_ok(ls_arena_init(&f->pass, "pass", 0));
    assert_ok(ls_model_new(&f->model, config, &f->dev, &f->run, use, n_leaves));
    /* What a pass finds in its arena is left from earlier ones: here NaN. */
    memset(ls_arena_alloc(&f->pass, 1 << 20), 0xff, 1 << 20);
    ls_arena_rewind(&f->pass, 0);
    f->pass.peak = 0;
    ls_model_init_weights(f->model, 5);
    ls_model_pack(f->model);
    ls_model_zero_grads(f->model);
}

static inline void fixture_close(model_fixture *f)
{
    ls_arena_release(&f->pass);
    ls_arena_release(&f->run);
    ls_device_release(&f->dev);
}

typedef struct sequence {
    const int32_t *ids;
    int64_t n;
} sequence;

/* Whole sequences packed one after the other, and their next tokens: row r of a sequence scores the
 * id of row r+1. */
typedef struct packed {
    ls_batch batch;
    ls_batch_seq *seqs;
    int32_t *ids, *pos, *rows, *targets;
    int64_t n_targets;
} packed;

static inline packed pack_sequences(ls_arena *arena, const sequence *sequences, int64_t n)
{
    packed p = {0};
    int64_t n_rows = 0, row = 0;
    for (int64_t s = 0; s < n; s++)
        n_rows += sequences[s].n;
    p.seqs = ls_arena_alloc(arena, (size_t)n * sizeof *p.seqs);
    p.ids = ls_arena_ints(arena, n_rows);
    p.pos = ls_arena_ints(arena, n_rows);
    p.rows = ls_arena_ints(arena, n_rows);
    p.targets = ls_arena_ints(arena, n_rows);
    for (int64_t s = 0; s < n; s++) {
        p.seqs[s] = (ls_batch_seq){.row0 = row, .n_rows = sequences[s].n};
        for (int64_t i = 0; i < sequences[s].n; i++, row++) {
            p.ids[row] = sequences[s].ids[i];
            p.pos[row] = (int32_t)i;
            if (i + 1 == sequences[s].n)
                continue;
            p.rows[p.n_targets] = (int32_t)row;
            p.targets[p.n_targets++] = sequences[s].ids[i + 1];
        }
    }
    p.batch = (ls_batch){.ids = p.ids, .pos = p.pos, .n_rows = n_rows, .seqs = p.seqs, .n_seqs = n};
    return p;
}

typedef struct pass_options {
    bool recomputes_blocks;
    float temperature; /* 0: 1 */
} pass_options;

/* Forward, scores (logp, entropy: one value a target), and, with seeds, the backward into the
 * gradients of the leaf in use.  The pass arena is empty again afterwards; its peak tells what the
 * pass took. */
static inline void run_pass(model_fixture *f, const sequence *sequences, int64_t n, float *logp,
                            float *entropy, const float *dlogp, const float *dentropy,
                            pass_options options)
{
    ls_arena_mark mark = ls_arena_get_mark(&f->pass);
    packed p = pack_sequences(&f->pass, sequences, n);
    ls_tape tape;
    ls_tape_init(&tape, &f->dev, &f->pass, dlogp != NULL);
    tape.recomputes_blocks = options.recomputes_blocks;
    ls_head_job job = {.hidden = ls_model_forward(f->model, &tape, &p.batch),
                       .weight = f->model->head,
                       .rows = p.rows,
                       .targets = p.targets,
                       .n = p.n_targets,
                       .temperature = options.temperature > 0 ? options.temperature : 1.0f,
                       .logp = logp,
                       .entropy = entropy};
    ls_op_head_score(&tape, &job);
    if (dlogp) {
        ls_op_head_backward(&tape, &job, dlogp, dentropy);
        ls_tape_backward(&tape, NULL);
    }
    ls_arena_rewind(&f->pass, mark);
}

#endif
