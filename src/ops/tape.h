/* A coarse, eager tape: tensors, weights, records, and the walk back.
 *
 * An op checks shapes, takes its output from the pass arena, calls kernels through the device, and,
 * when the tape records and some input needs a gradient, appends a record with a backward function.
 * ls_tape_backward walks the records in reverse.  Gradients of activations are taken from the same
 * arena at their first use in the backward and accumulated into; weight gradients are accumulated
 * into weight->grad, which somebody else zeroed.  Everything a pass allocates is given back by
 * rewinding the arena.
 *
 * One forward for three uses: training (recording), scoring (not recording), rollouts (not
 * recording, sequences with KV pages). */
#ifndef LS_OPS_TAPE_H
#define LS_OPS_TAPE_H

#include "base/mem.h"
#include "kernels/kernels.h"
#include "kernels/quant.h"

typedef struct ls_tensor { /* (rows, cols), row-major, in the pass arena */
    float *data, *grad;    /* grad is NULL until the backward touches it */
    int64_t rows, cols;
    bool needs_grad;
} ls_tensor;

struct ls_weight;
/* A low-rank term beside a matrix:  y = x W^T + scale (x A^T) B^T. */
typedef struct ls_lora {
    struct ls_weight *a, *b; /* (R, in), (out, R) */
    float scale;
} ls_lora;

/* A named matrix or vector that outlives the pass.  data, grad, m, v of all trained weights of a
 * model lie in one buffer each at the same offset, so optimiser, norm, clip, hash and checkpoint
 * walk plain ranges.
 *
 * A trained matrix has data and packed; a frozen one may have a single copy: packed alone, or raw
 * alone.  So ops reach a matrix through ops/weight.h.  A vector always has data. */
typedef struct ls_weight {
    char name[96];      /* the name in the model file: "model.layers.3.mlp.up_proj.weight" */
    int64_t rows, cols; /* (out, in); a norm gain is (1, C)                                */
    int64_t offset;     /* of its first element in the model's buffers                     */
    float *data;        /* row-major; NULL: see above                              */
    /* layout of the device's gemm, refreshed by ls_model_pack; NULL for vectors and tables used by
     * lookup alone */
    float *packed;
    void *raw; /* rows as the file stores them, NULL: none */
    const ls_quant_type *raw_type;
    ls_lora *lora;   /* NULL: none */
    float *grad;     /* of the leaf in use; NULL when frozen */
    float init_std;  /* standard deviation at initialisation; 0: filled with init_fill */
    float init_fill; /* 1 for gains, 0 for biases                                      */
    bool is_trainable, is_decayed;
    /* Files of Hugging Face hold it as (in, out), so bytes of the file are not its rows. */
    bool is_stored_transposed;
    bool adds_one;   /* a gain that files of Hugging Face hold as w and that acts as 1 + w   */
    float softcap;   /* of a head: logits are bent by cap * tanh(logit / cap); 0: they are not */
    bool takes_lora; /* a matrix of ls_op_linear other than the head */
} ls_weight;

/* Rows of one call, packed: sequence s owns rows row0 .. row0+n_rows-1 at positions pos0 ... .
 * With pages NULL (training, scoring) pos0 is 0 and keys and values live in the pass arena;
 * otherwise they are stored into the sequence's KV pages, which already hold positions 0 .. pos0-1
 * for all layers. */
typedef struct ls_batch_seq {
    int64_t row0, n_rows, pos0;
    /* page p starts at pages[p]; layer l's part is l * (2*G*D*LS_KV_PAGE) floats further */
    float *const *pages;
} ls_batch_seq;

typedef struct ls_batch {     /* borrowed, unchanged until the pass and its backward are over */
    const int32_t *ids, *pos; /* (n_rows) */
    int64_t n_rows;
    const ls_batch_seq *seqs;
    int64_t n_seqs;
} ls_batch;

typedef struct ls_tape ls_tape;
typedef void ls_backward_fn(ls_tape *tape, void *saved);

typedef struct ls_record {
    ls_backward_fn *backward;
    void *saved; /* typed parameter struct of the op, in the pass arena */
    const char *op;
    int32_t layer;
    struct ls_record *previous;
} ls_record;

struct ls_tape {
    ls_device *dev;
    ls_arena *arena;
    bool is_recording;
    bool recomputes_blocks; /* ls_op_block keeps only its input */
    bool skips_lora;        /* matrices without their low-rank terms: the model underneath */
    /* every op looks at its output; the first bad one is kept in `bad` (slow, for diagnosis) */
    bool checks_finite;
    int32_t layer; /* set by the model, for records and messages; -1 outside of layers */
    ls_record *last;
    struct {
        const char *op; /* NULL: none found */
        int32_t layer;
        int64_t row, column;
        float value;
    } bad;
};

void ls_tape_init(ls_tape *tape, ls_device *dev, ls_arena *arena, bool is_recording);
ls_tensor *ls_tape_tensor(ls_tape *tape, int64_t rows, int64_t cols, bool needs_grad);
/* Gradient buffer of t, zeroed at the first call. */
float *ls_tape_grad(ls_tape *tape, ls_tensor *t);
/* The same for a writer that can overwrite: a new buffer is left undefined and *is_new says so. */
float *ls_tape_grad_undefined(ls_tape *tape, ls_tensor *t, bool *is_new);
void ls_tape_record(ls_tape *tape, const char *op, ls_backward_fn *backward, void *saved);
/* Looks at t when checks_finite is on. */
void ls_tape_check(ls_tape *tape, const char *op, const ls_tensor *t);
/* Runs the records from the last back to (excluding) `until` (NULL: all) and drops them. */
void ls_tape_backward(ls_tape *tape, ls_record *until);

#endif
