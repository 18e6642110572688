/* Names of draws: prompt and step hold the 64 bits of the index, sample the attempt, position the
 * number of the draw. */
#include "data/tasks/draw.h"

#include <string.h>

#include "base/err.h"

ls_draw ls_draw_start(uint64_t seed, uint64_t index, uint32_t attempt)
{
    return (ls_draw){{.seed = seed,
                      .purpose = LS_RNG_TASK,
                      .step = (uint32_t)(index >> 32),
                      .prompt = (uint32_t)index,
                      .sample = attempt}};
}

int64_t ls_draw_between(ls_draw *draw, int64_t low, int64_t high)
{
    LS_ASSERT(low <= high);
    uint64_t offset = ls_rng_below(&draw->name, (uint64_t)(high - low) + 1);
    draw->name.position++;
    return low + (int64_t)offset;
}

double ls_draw_uniform(ls_draw *draw)
{
    double u = ls_rng_uniform(&draw->name);
    draw->name.position++;
    return u;
}

char ls_draw_char(ls_draw *draw, const char *text)
{
    return text[ls_draw_between(draw, 0, (int64_t)strlen(text) - 1)];
}
