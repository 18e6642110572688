/* Aggregation: how the losses of tokens become one number, as one weight per token.
 *
 * Computed once per optimiser step over all its sequences, before the first forward pass, so that
 * gradient accumulation, packing and data parallelism cannot change the loss.  With n_i unmasked
 * tokens in sequence i, N their sum and B sequences:
 *     token-mean     1 / N              long sequences weigh more               (DAPO, SFT)
 *     seq-mean       1 / (B n_i)        each sequence weighs the same           (GRPO)
 *     seq-sum        1 / B                                                      (RLOO)
 *     fixed-length   1 / (B L)          L = max_completion_length, a constant   (Dr. GRPO)
 * B counts every sequence that is not LS_SEQ_DROPPED, also those that are masked or empty.
 * To add one: its normaliser in aggregation.c, one row in aggregation.def. */
#ifndef LS_RL_AGGREGATION_H
#define LS_RL_AGGREGATION_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "rl/waist.h"

typedef struct ls_aggregation_input {
    int64_t n_seqs;
    const int64_t *seq_start; /* (n_seqs + 1)                                            */
    const uint8_t *mask;      /* per token, 0 = masked; NULL: every token is trained     */
    const uint8_t *flags;     /* (n_seqs) LS_SEQ_ bits; NULL: none                       */
    int64_t fixed_length;     /* L of fixed-length, else unused                          */
} ls_aggregation_input;

typedef struct ls_aggregation_totals {
    int64_t n_seqs;    /* B                                                              */
    int64_t n_tokens;  /* N                                                              */
    int64_t n_empty;   /* sequences among B without an unmasked token                    */
    double normaliser; /* N, B, B or B L: what is divided by besides n_i                 */
} ls_aggregation_totals;

typedef double ls_aggregation_fn(const ls_aggregation_totals *totals, int64_t fixed_length);

typedef struct ls_aggregation {
    const char *name, *help, *source;
    bool divides_by_length; /* by n_i of the token's own sequence, besides the normaliser */
    ls_aggregation_fn *normaliser;
} ls_aggregation;

extern const ls_aggregation ls_aggregations[];
extern const int64_t ls_n_aggregations;
const ls_aggregation *ls_aggregation_find(const char *name); /* NULL when there is none */

/* weight: one float per token, 0 where masked.  A step without any trained token is no error:
 * totals->n_tokens says 0. Errors: LEASH_USAGE when fixed-length has no length. */
leash_status ls_aggregation_weights(float *weight, ls_aggregation_totals *totals,
                                    const ls_aggregation *aggregation,
                                    const ls_aggregation_input *input) LEASH_MUST_USE;

#endif
