/* From a dataset row and a completion to what a reward looks at. */
#ifndef LS_REWARD_EXAMPLE_H
#define LS_REWARD_EXAMPLE_H

#include "data/dataset.h"
#include "reward/reward.h"

#define LS_REWARD_NUMBERS_MAX 16
typedef struct ls_reward_columns { /* backing of an input's arrays */
    int64_t numbers[LS_REWARD_NUMBERS_MAX];
} ls_reward_columns;

/* gold is the row's answer; numbers come from a column "numbers" of integers (countdown). Borrows
 * example, text and columns. */
ls_reward_input ls_example_reward_input(const ls_example *example, const char *completion, size_t n,
                                        ls_reward_columns *columns);

#endif
