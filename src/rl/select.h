/* Selection among the completions of a prompt: what is kept for imitation, and which two make a
 * pair.  A reward of NaN (nobody could judge) is never selected. */
#ifndef LS_RL_SELECT_H
#define LS_RL_SELECT_H

#include <stdint.h>
#include "rl/advantage.h"

typedef struct ls_selection {
    int64_t n_kept,
        n_groups_empty; /* prompts of which nothing was kept: sample more, or leave out */
} ls_selection;

/* keep (n_seqs) becomes 1 for at most `most` completions of each group (0: any number) whose reward
 * is at least `least` (-INFINITY: any), best first, equal ones in order.  is_duplicate (n_seqs,
 * NULL: none) marks completions that are left out.  RAFT: most 1; STaR, RFT, ReST: least. */
ls_selection ls_select_best(uint8_t *keep, const uint8_t *is_duplicate,
                            const ls_reward_batch *batch, int64_t most, double least);
/* weight (n_seqs) = 1 / completions kept in the group, 0 for others: every prompt counts the same.
 * */
void ls_select_weights(double *weight, const uint8_t *keep, const ls_reward_batch *batch);

typedef struct ls_select_pair {
    int64_t chosen, rejected;
    double margin; /* difference of their rewards */
} ls_select_pair;
/* pair (n_groups): best and worst of each group, the first of equal ones.  Groups whose margin is
 * not above `least` give none: ties, one scored completion.  Returns how many.  With correct and
 * wrong as rewards this is iterative RPO, with a judge's scores online DPO and self-rewarding. */
int64_t ls_select_pairs(ls_select_pair *pair, const ls_reward_batch *batch, double least);

#endif
