/* When and how the reference moves.
 *
 *     frozen     never                                                               RLHF
 *     copy       ref <- policy every `steps`                          R1-Zero (400 steps), ProRL
 *     mix        ref <- a policy + (1 - a) ref every `steps`          TR-DPO (0.6, 512), TRL's
 *                                                                     sync_ref_model
 *     bema       ref <- a_t (policy - start) + EMA_t every `steps`    arXiv:2508.00180 (400 steps)
 *                with a_t = (10 + t)^-0.2 and an EMA of rate (10 + t)^-0.5, t counting updates
 *
 * After a move the logged KL starts from 0: the KL to the first reference is another number. */
#ifndef LS_RL_REFERENCE_H
#define LS_RL_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

typedef enum ls_reference_kind {
    LS_REFERENCE_FROZEN,
    LS_REFERENCE_COPY,
    LS_REFERENCE_MIX,
    LS_REFERENCE_BEMA
} ls_reference_kind;

typedef struct ls_reference_options {
    ls_reference_kind kind;
    double mixup_alpha;                     /* a of mix                        */
    int64_t steps;                          /* optimiser steps between moves   */
    double bema_scale, bema_ema, bema_bias; /* 10, 0.5 and 0.2              */
} ls_reference_options;
#define LS_REFERENCE_OPTIONS_INIT                                                               \
    {                                                                                           \
        .mixup_alpha = 0.6, .steps = 512, .bema_scale = 10.0, .bema_ema = 0.5, .bema_bias = 0.2 \
    }

/* Whether the reference moves after optimiser step number `step` (from 1). */
bool ls_reference_is_due(const ls_reference_options *options, int64_t step);
/* ref (n) moves towards policy (n): copy and mix.  The arithmetic is double. */
void ls_reference_move(float *ref, const float *policy, int64_t n,
                       const ls_reference_options *options);
/* BEMA's update number t (from 1): ema (n) is its state, start (n) the weights at t = 0, which ema
 * begins as. */
void ls_reference_bema(float *ref, float *ema, const float *policy, const float *start, int64_t n,
                       int64_t t, const ls_reference_options *options);

/* ProRL: when the validation score has not risen for `patience` evaluations, the reference becomes
 * the policy and the optimiser forgets. */
typedef struct ls_plateau {
    double best;
    int64_t n_since; /* evaluations since then */
    bool has_best;
} ls_plateau;
/* Takes a score; true when it is time to reset, after which the count begins anew. */
bool ls_plateau_add(ls_plateau *p, double score, int64_t patience, double least_gain);

#endif
