/* The random numbers of one problem: a row of draws named by (seed, index, attempt), so that equal
 * names give equal problems. */
#ifndef LS_DATA_TASKS_DRAW_H
#define LS_DATA_TASKS_DRAW_H

#include <stdint.h>

#include "base/rng.h"

typedef struct ls_draw {
    ls_rng_name name; /* of the next number; position counts up */
} ls_draw;

ls_draw ls_draw_start(uint64_t seed, uint64_t index, uint32_t attempt);
/* An integer in [low, high], low <= high. */
int64_t ls_draw_between(ls_draw *draw, int64_t low, int64_t high);
/* A double in [0, 1). */
double ls_draw_uniform(ls_draw *draw);
/* One byte of a text that is not empty. */
char ls_draw_char(ls_draw *draw, const char *text);

#endif
