/* Randomness as a function of names, never of call order: Philox4x32-10 (Salmon et al. 2011) as a
 * counter RNG.
 *
 * A draw is named by (seed, purpose, step, prompt, sample, position); equal names give equal bits
 * on every machine, thread count, batch split, and after a resume.  There is no state to save.
 *     key     = seed
 *     counter = { position, prompt, step, purpose << 24 | sample }      (sample < 2^24) */
#ifndef LS_BASE_RNG_H
#define LS_BASE_RNG_H

#include <stdint.h>

typedef enum ls_purpose {
    LS_RNG_INIT = 1,    /* initial weights: prompt = weight index, position = element / 2  */
    LS_RNG_SHUFFLE = 2, /* order of dataset rows: step = epoch                           */
    LS_RNG_SAMPLE = 3,  /* sampled tokens                                                */
    LS_RNG_TASK = 4,    /* procedural problems                                           */
    LS_RNG_EVAL = 5,    /* sampled tokens of evaluations                                 */
    LS_RNG_BOOTSTRAP = 6,
    LS_RNG_TEST = 7,
    LS_RNG_CORRECTION = 8, /* tokens drawn by clip_cov: prompt = update of the step      */
    LS_RNG_LORA = 9,       /* adapter matrices A: prompt = pair, position = element / 4         */
    LS_RNG_STUDENT = 10    /* whether the student writes the completions of a step              */
} ls_purpose;

typedef struct ls_rng_name {
    uint64_t seed;
    uint32_t purpose, step, prompt, sample, position;
} ls_rng_name;

void ls_philox4x32(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2]);
/* 4 words for one name. */
void ls_rng_words(uint32_t out[4], const ls_rng_name *name);
/* A double in [0, 1) with 53 random bits from words 0 and 1. */
double ls_rng_uniform(const ls_rng_name *name);
/* An integer in [0, n), n >= 1, free of modulo bias to 2^-64. */
uint64_t ls_rng_below(const ls_rng_name *name, uint64_t n);
/* Two standard normal values (Box-Muller over our own log and sin/cos, the same bits
 * everywhere). */
void ls_rng_normal2(float out[2], const ls_rng_name *name);
/* The i-th element of a pseudo-random permutation of [0, n): a keyed Feistel walk, no table. */
uint64_t ls_rng_permute(uint64_t seed, uint32_t purpose, uint32_t step, uint64_t i, uint64_t n);

#endif
