/* Learning rate as a function of the update's number: warm-up, then constant, linear, cosine or
 * WSD.
 *
 * Warm-up at update t (0-based) of W: lr (t+1)/W, so the first update moves.  After it, with T
 * updates in all and floor fraction f:
 *     linear   lr (f + (1-f) (T-t)/(T-W))
 *     cosine   lr (f + (1-f) (1 + cos(pi (t-W)/(T-W)))/2)
 *     wsd      lr until T-D, then linear down to f lr over D updates; D is at most T-W
 * From update T on the rate stays at its last value. */
#ifndef LS_TRAIN_SCHEDULE_H
#define LS_TRAIN_SCHEDULE_H

#include <stdint.h>

typedef enum ls_schedule_kind {
    LS_SCHEDULE_CONSTANT,
    LS_SCHEDULE_LINEAR,
    LS_SCHEDULE_COSINE,
    LS_SCHEDULE_WSD
} ls_schedule_kind;

typedef struct ls_schedule {
    ls_schedule_kind kind;
    double learning_rate, floor;  /* peak; fraction of it at the end */
    int64_t warmup, total, decay; /* updates: W, T, D */
} ls_schedule;

double ls_schedule_at(const ls_schedule *schedule, int64_t update);

#endif
