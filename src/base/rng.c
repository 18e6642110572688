/* Philox4x32-10 and what is drawn with it: uniform and normal values, integers, permutations.
 *
 * Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011; the
 * known-answer vectors of their Random123 library are in the unit test. */
#include "base/rng.h"

#include <math.h>
#include "base/err.h"
#include "base/vmath.h"

#define N_ROUNDS 10
#define N_FEISTEL_ROUNDS 8
/* The sample number under which permutations draw; samples of other draws stay below it. */
#define PERMUTE_SAMPLE 0xffffffu

void ls_philox4x32(uint32_t out[4], const uint32_t counter[4], const uint32_t key[2])
{
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < N_ROUNDS; round++) {
        uint64_t p0 = UINT64_C(0xd2511f53) * c0, p1 = UINT64_C(0xcd9e8d57) * c2;
        c0 = (uint32_t)(p1 >> 32) ^ c1 ^ k0;
        c1 = (uint32_t)p1;
        c2 = (uint32_t)(p0 >> 32) ^ c3 ^ k1;
        c3 = (uint32_t)p0;
        k0 += UINT32_C(0x9e3779b9); /* golden ratio and sqrt(3) - 1, as 32-bit fractions */
        k1 += UINT32_C(0xbb67ae85);
    }
    out[0] = c0;
    out[1] = c1;
    out[2] = c2;
    out[3] = c3;
}

void ls_rng_words(uint32_t out[4], const ls_rng_name *name)
{
    LS_ASSERT(name->purpose < 256 && name->sample < (1u << 24));
    const uint32_t key[2] = {(uint32_t)name->seed, (uint32_t)(name->seed >> 32)};
    const uint32_t counter[4] = {name->position, name->prompt, name->step,
                                 name->purpose << 24 | name->sample};
    ls_philox4x32(out, counter, key);
}

static uint64_t join(uint32_t high, uint32_t low)
{
    return (uint64_t)high << 32 | low;
}

double ls_rng_uniform(const ls_rng_name *name)
{
    uint32_t w[4];
    ls_rng_words(w, name);
    return (double)(join(w[0], w[1]) >> 11) * 0x1p-53;
}

/* The high half of the 128-bit product. */
static uint64_t multiply_high(uint64_t a, uint64_t b)
{
    uint64_t a0 = (uint32_t)a, a1 = a >> 32, b0 = (uint32_t)b, b1 = b >> 32;
    uint64_t middle = a1 * b0 + (a0 * b0 >> 32);
    uint64_t middle2 = a0 * b1 + (uint32_t)middle;
    return a1 * b1 + (middle >> 32) + (middle2 >> 32);
}

/* floor(u * n / 2^128) of a 128-bit u: each value has probability 1/n within 2^-128, which is n *
 * 2^-128 <= 2^-64 of 1/n. */
uint64_t ls_rng_below(const ls_rng_name *name, uint64_t n)
{
    LS_ASSERT(n >= 1);
    uint32_t w[4];
    ls_rng_words(w, name);
    uint64_t high = join(w[0], w[1]), low = join(w[2], w[3]);
    uint64_t sum = high * n + multiply_high(low, n);
    uint64_t carry = sum < multiply_high(low, n);
    return multiply_high(high, n) + carry;
}

/* Box-Muller: radius sqrt(-2 ln u), angle 2 pi v, with u = (w0 + 1/2) / 2^32 so that u > 0 and
 * values reach 6.7. */
void ls_rng_normal2(float out[2], const ls_rng_name *name)
{
    uint32_t w[4];
    ls_rng_words(w, name);
    float u = (float)(((double)w[0] + 0.5) * 0x1p-32), sine, cosine;
    float radius = sqrtf(-2.0f * ls_logf(u));
    ls_sincosf(&sine, &cosine, (double)w[1] * (0x1p-32 * 6.283185307179586));
    out[0] = radius * cosine;
    out[1] = radius * sine;
}

/* A Feistel network is a bijection of [0, 4^h) whatever its round function; walking from i until
 * the value falls into [0, n) makes it one of [0, n).  With 4^h < 4n the walk takes less than 4
 * steps on average. */
uint64_t ls_rng_permute(uint64_t seed, uint32_t purpose, uint32_t step, uint64_t i, uint64_t n)
{
    LS_ASSERT(i < n);
    unsigned half_bits = 1;
    while (half_bits < 32 && n > UINT64_C(1) << (2 * half_bits))
        half_bits++;
    const uint32_t mask = (uint32_t)(UINT64_C(0xffffffff) >> (32 - half_bits));
    ls_rng_name name = {.seed = seed, .purpose = purpose, .step = step, .sample = PERMUTE_SAMPLE};
    do {
        uint32_t left = (uint32_t)(i >> half_bits), right = (uint32_t)i & mask;
        for (uint32_t round = 0; round < N_FEISTEL_ROUNDS; round++) {
            uint32_t w[4];
            name.prompt = round;
            name.position = right;
            ls_rng_words(w, &name);
            uint32_t mixed = left ^ (w[0] & mask);
            left = right;
            right = mixed;
        }
        i = (uint64_t)left << half_bits | right;
    } while (i >= n);
    return i;
}
