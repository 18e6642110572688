/* What of a run cannot be derived from seed, step and index, and its JSON text.
 *
 * Every field has a row in state.def and is written to leash_state/state.json: whole numbers as
 * they are, reals in the shortest text that reads back to the same bits, hashes as 16 hex digits
 * (JSON numbers do not hold 64 bits everywhere). */
#ifndef LS_TRAIN_STATE_H
#define LS_TRAIN_STATE_H

#include <stdint.h>
#include "base/err.h"
#include "base/str.h"

typedef struct ls_train_state {
    int64_t step;        /* steps done                                      */
    int64_t updates;     /* optimiser updates done                          */
    int64_t draws;       /* dataset rows drawn                              */
    int64_t tokens;      /* tokens trained or generated so far (num_tokens) */
    int64_t episodes;    /* completions so far                              */
    int64_t idle_steps;  /* steps in a row that learnt nothing              */
    double beta;         /* KL coefficient of an adaptive controller        */
    double entropy_coef; /* of an adaptive entropy bonus                    */
    /* ls_running of the rewards that bco has seen */
    double reward_n, reward_mean, reward_squares;
    /* ls_beta_dpo: steps, and its running moments */
    int64_t gap_n;
    double gap_mean, gap_std;
    uint64_t config_hash;                     /* of the values that decide results               */
    uint64_t data_hash;                       /* of the dataset                                  */
    uint64_t reference_hash;                  /* weights under an adapter, of the reference       */
    int64_t metrics_bytes, completions_bytes; /* lengths of the run's line files                 */
} ls_train_state;

/* Asserts that reals are finite. */
void ls_train_state_json(const ls_train_state *state, ls_str *out);
/* Reads that text back; `name` stands for the file in errors.  A missing, unknown or mistyped key
 * is LEASH_FORMAT, and *out is then unchanged. */
leash_status ls_train_state_parse(ls_train_state *out, const char *text, size_t n,
                                  const char *name) LEASH_MUST_USE;

#endif
