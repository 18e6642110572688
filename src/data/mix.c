/* Shares of sources and their order. */
#include "data/mix.h"

#include <string.h>

#include "base/rng.h"

/* Tells these draws from those of the order of rows, which have sample 0. */
#define RNG_SAMPLE_MIX 1

int64_t ls_mix_plan(ls_dataset_part *parts, const double *weights, int64_t n_parts)
{
    if (n_parts == 1) {
        parts[0].per_epoch = parts[0].n_rows;
        return parts[0].n_rows;
    }
    double scale = (double)parts[0].n_rows / weights[0];
    for (int64_t i = 1; i < n_parts; i++)
        if ((double)parts[i].n_rows / weights[i] < scale)
            scale = (double)parts[i].n_rows / weights[i];
    int64_t sum = 0;
    for (int64_t i = 0; i < n_parts; i++) {
        int64_t n = (int64_t)(weights[i] * scale + 0.5);
        n = n < 1 ? 1 : n;
        parts[i].per_epoch = n < parts[i].n_rows ? n : parts[i].n_rows;
        sum += parts[i].per_epoch;
    }
    return sum;
}

void ls_mix_init(ls_mix *mix, const ls_dataset_part *parts, int64_t n_parts, uint64_t seed)
{
    *mix = (ls_mix){.parts = parts, .n_parts = n_parts, .seed = seed};
    mix->taken = ls_calloc((size_t)n_parts, sizeof *mix->taken);
}

void ls_mix_release(ls_mix *mix)
{
    ls_free(mix->taken);
}

int64_t ls_mix_next(ls_mix *mix)
{
    if (mix->n_left == 0) {
        mix->position = 0;
        memset(mix->taken, 0, (size_t)mix->n_parts * sizeof *mix->taken);
        for (int64_t i = 0; i < mix->n_parts; i++)
            mix->n_left += mix->parts[i].per_epoch;
    }
    int64_t part = 0;
    if (mix->n_parts > 1) {
        ls_rng_name name = {.seed = mix->seed,
                            .purpose = LS_RNG_SHUFFLE,
                            .prompt = (uint32_t)mix->position,
                            .position = (uint32_t)((uint64_t)mix->position >> 32),
                            .sample = RNG_SAMPLE_MIX};
        uint64_t u = ls_rng_below(&name, (uint64_t)mix->n_left);
        uint64_t owed = (uint64_t)(mix->parts[0].per_epoch - mix->taken[0]);
        while (u >= owed) {
            u -= owed;
            part++;
            owed = (uint64_t)(mix->parts[part].per_epoch - mix->taken[part]);
        }
    }
    mix->taken[part]++;
    mix->position++;
    mix->n_left--;
    return part;
}
