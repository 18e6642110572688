/* Filters: which completions and groups take part in a step, and what length costs.
 * DAPO is arXiv:2503.14476.
 *
 *     keep     degenerate groups stay; their advantage is 0 and they count in the normaliser
 *     drop     degenerate groups are flagged LS_SEQ_DROPPED; the step is normalised by what is left
 *     refill   drop, and sample further prompts until the step has its number of groups (DAPO)
 * Statistics and frac_reward_zero_std are taken before the filter acts. */
#ifndef LS_RL_FILTER_H
#define LS_RL_FILTER_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "rl/advantage.h"

typedef enum ls_filter {
    LS_FILTER_KEEP,
    LS_FILTER_DROP,
    LS_FILTER_REFILL,
    LS_FILTER_COUNT
} ls_filter;

/* Sets LS_SEQ_DROPPED in flags (n_seqs) for the sequences of degenerate groups unless the policy is
 * keep.  Returns the number of groups that stay. */
int64_t ls_filter_groups(uint8_t *flags, ls_filter policy, const ls_reward_batch *batch,
                         const ls_group_stats *groups);

typedef struct ls_refill { /* the state of filling one step */
    int64_t n_wanted;      /* groups the step should have                          */
    int64_t n_kept;        /* groups kept so far                                   */
    int64_t n_sampled;     /* groups sampled so far                                */
    int64_t n_rounds;      /* rounds of sampling done                              */
    int64_t max_rounds;    /* after these the step takes what there is             */
} ls_refill;
/* How many prompts to sample next, 0 when the step is full or out of rounds.  Asks for what is
 * missing, divided by the share kept so far, at the most n_wanted at a time. */
int64_t ls_refill_next(const ls_refill *refill);

/* Soft overlong punishment, added to the reward of a completion of n tokens (DAPO, eq. 13):
 *     0 up to max_length - cache;  (max_length - cache - n) / cache up to max_length;  -1 beyond.
 * With cache 0 it is 0 or -1. */
double ls_overlong_penalty(int64_t n, int64_t max_length, int64_t cache);

/* mask_truncated_completions: LS_SEQ_TRUNCATED sequences become LS_SEQ_MASKED.  Their rewards stay
 * in the statistics. */
void ls_filter_truncated(uint8_t *flags, int64_t n_seqs);

#endif
