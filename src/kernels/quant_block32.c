/* Blocks of 32 values with one scale: d (half), for some m (half) and the fifth bits, then the
 * low digits.  Digit i of a block of nibbles is the low half of byte i for i < 16, and the high
 * half of byte i - 16 after. */
#include "kernels/quant_inline.h"
#include "kernels/quant_rows.h"

#define N 32

void ls_q4_0_to_float(float *restrict out, const void *restrict in, int64_t n)
{
    const unsigned char *block = in;
    for (int64_t i = 0; i < n; i += N, block += 18, out += N) {
        float d = half_at(block);
        const unsigned char *q = block + 2;
        for (int j = 0; j < 16; j++) {
            out[j] = (float)((q[j] & 15) - 8) * d;
            out[j + 16] = (float)((q[j] >> 4) - 8) * d;
        }
    }
}

void ls_q4_1_to_float(float *restrict out, const void *restrict in, int64_t n)
{
    const unsigned char *block = in;
    for (int64_t i = 0; i < n; i += N, block += 20, out += N) {
        float d = half_at(block), m = half_at(block + 2);
        const unsigned char *q = block + 4;
        for (int j = 0; j < 16; j++) {
            out[j] = (float)(q[j] & 15) * d + m;
            out[j + 16] = (float)(q[j] >> 4) * d + m;
        }
    }
}

static uint32_t word_at(const unsigned char *at)
{
    uint32_t word;
    memcpy(&word, at, sizeof word);
    return word;
}

void ls_q5_0_to_float(float *restrict out, const void *restrict in, int64_t n)
{
    const unsigned char *block = in;
    for (int64_t i = 0; i < n; i += N, block += 22, out += N) {
        float d = half_at(block);
        uint32_t high = word_at(block + 2);
        const unsigned char *q = block + 6;
        for (int j = 0; j < 16; j++) {
            out[j] = (float)((int)((q[j] & 15u) | (high >> j & 1u) << 4) - 16) * d;
            out[j + 16] = (float)((int)((q[j] >> 4) | (high >> (j + 16) & 1u) << 4) - 16) * d;
        }
    }
}

void ls_q5_1_to_float(float *restrict out, const void *restrict in, int64_t n)
{
    const unsigned char *block = in;
    for (int64_t i = 0; i < n; i += N, block += 24, out += N) {
        float d = half_at(block), m = half_at(block + 2);
        uint32_t high = word_at(block + 4);
        const unsigned char *q = block + 8;
        for (int j = 0; j < 16; j++) {
            out[j] = (float)(int)((q[j] & 15u) | (high >> j & 1u) << 4) * d + m;
            out[j + 16] = (float)(int)((q[j] >> 4) | (high >> (j + 16) & 1u) << 4) * d + m;
        }
    }
}

void ls_q8_0_to_float(float *restrict out, const void *restrict in, int64_t n)
{
    const unsigned char *block = in;
    for (int64_t i = 0; i < n; i += N, block += 34, out += N) {
        float d = half_at(block);
        const signed char *q = (const signed char *)block + 2;
        for (int j = 0; j < N; j++)
            out[j] = (float)q[j] * d;
    }
}

/* Digits stand for values that are denser around zero. */
void ls_iq4_nl_to_float(float *restrict out, const void *restrict in, int64_t n)
{
    static const float values[16] = {-127, -104, -83, -65, -49, -35, -22, -10,
                                     1,    13,   25,  38,  53,  69,  89,  113};
    const unsigned char *block = in;
    for (int64_t i = 0; i < n; i += N, block += 18, out += N) {
        float d = half_at(block);
        const unsigned char *q = block + 2;
        for (int j = 0; j < 16; j++) {
            out[j] = d * values[q[j] & 15];
            out[j + 16] = d * values[q[j] >> 4];
        }
    }
}
