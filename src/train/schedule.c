/* The four shapes of the learning rate.  Formulas: schedule.h; TRL's warm-up differs, it starts at
 * 0. */
#include "train/schedule.h"

#include <math.h>

/* How much of the way from the end of the flat part to the last update is gone, in [0, 1]. */
static double decay_share(int64_t update, int64_t flat, int64_t total)
{
    if (update >= total)
        return 1;
    return update <= flat ? 0 : (double)(update - flat) / (double)(total - flat);
}

/* The share of the peak after the warm-up. */
static double factor_at(const ls_schedule *s, int64_t update)
{
    /* A decay longer than what the warm-up leaves starts right after it, so that the rate never
     * jumps. */
    int64_t flat = s->total - s->decay > s->warmup ? s->total - s->decay : s->warmup;
    double left = 0;
    switch (s->kind) {
    case LS_SCHEDULE_CONSTANT: return 1;
    case LS_SCHEDULE_LINEAR: left = 1 - decay_share(update, s->warmup, s->total); break;
    case LS_SCHEDULE_COSINE:
        left = 0.5 * (1 + cos(M_PI * decay_share(update, s->warmup, s->total)));
        break;
    case LS_SCHEDULE_WSD: left = 1 - decay_share(update, flat, s->total); break;
    }
    return s->floor + (1 - s->floor) * left;
}

double ls_schedule_at(const ls_schedule *schedule, int64_t update)
{
    if (update < schedule->warmup)
        return schedule->learning_rate * (double)(update + 1) / (double)schedule->warmup;
    return schedule->learning_rate * factor_at(schedule, update);
}
