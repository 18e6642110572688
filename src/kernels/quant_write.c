/* Quantisation of blocks of 32, with the bits of the reference.
 *
 * A scale is rounded to half only for storing; the digits are found with the scale as it was
 * computed.  A scale without a finite inverse (all values below 1e-37) is zero as a half, and so is
 * that of a block with a value that is not finite. */
#include <math.h>
#include <stdbool.h>
#include "kernels/quant.h"
#include "kernels/quant_rows.h"

#define N 32

static void put_half(unsigned char *at, float value)
{
    uint16_t h = ls_f16_of_float(value);
    at[0] = (unsigned char)(h & 255);
    at[1] = (unsigned char)(h >> 8);
}

/* 1 / d where that is a number.  NaN fails every comparison. */
static float inverse(float d)
{
    float inverse = 1.0f / d;
    return fabsf(d) > 0.0f && fabsf(d) <= 3.4e38f && fabsf(inverse) <= 3.4e38f ? inverse : 0.0f;
}

static bool is_finite_block(const float *in)
{
    bool is_finite = true;
    for (int j = 0; j < N; j++)
        is_finite &= fabsf(in[j]) <= 3.4028235e38f;
    return is_finite;
}

/* d = max |x| / 127, digits rounded half away from zero. */
void ls_q8_0_from_float(void *restrict out, const float *restrict in, int64_t n)
{
    unsigned char *block = out;
    for (int64_t i = 0; i < n; i += N, block += 34, in += N) {
        float most = 0.0f;
        for (int j = 0; j < N; j++)
            most = fabsf(in[j]) > most ? fabsf(in[j]) : most;
        float d = is_finite_block(in) ? most / 127.0f : 0.0f, scale = inverse(d);
        put_half(block, d);
        for (int j = 0; j < N; j++)
            block[2 + j] = (unsigned char)(scale != 0.0f ? (int)roundf(in[j] * scale) : 0);
    }
}

static int digit_of(float value)
{
    int digit = (int)value;
    return digit < 0 ? 0 : digit > 15 ? 15 : digit;
}

/* The value of largest magnitude (the first of equals) becomes digit 0 = -8 d. */
void ls_q4_0_from_float(void *restrict out, const float *restrict in, int64_t n)
{
    unsigned char *block = out;
    for (int64_t i = 0; i < n; i += N, block += 18, in += N) {
        float most = in[0];
        for (int j = 1; j < N; j++)
            most = fabsf(in[j]) > fabsf(most) ? in[j] : most;
        float d = is_finite_block(in) ? most / -8.0f : 0.0f, scale = inverse(d);
        put_half(block, d);
        for (int j = 0; j < 16; j++) {
            int low = scale != 0.0f ? digit_of(in[j] * scale + 8.5f) : 8;
            int high = scale != 0.0f ? digit_of(in[j + 16] * scale + 8.5f) : 8;
            block[2 + j] = (unsigned char)(low | high << 4);
        }
    }
}

/* d = (max - min) / 15, m = min. */
void ls_q4_1_from_float(void *restrict out, const float *restrict in, int64_t n)
{
    unsigned char *block = out;
    for (int64_t i = 0; i < n; i += N, block += 20, in += N) {
        bool is_finite = is_finite_block(in);
        float least = in[0], most = in[0];
        for (int j = 1; j < N; j++) {
            least = in[j] < least ? in[j] : least;
            most = in[j] > most ? in[j] : most;
        }
        least = is_finite ? least : 0.0f;
        float d = is_finite ? (most - least) / 15.0f : 0.0f, scale = inverse(d);
        put_half(block, d);
        put_half(block + 2, least);
        for (int j = 0; j < 16; j++) {
            int low = scale != 0.0f ? digit_of((in[j] - least) * scale + 0.5f) : 0;
            int high = scale != 0.0f ? digit_of((in[j + 16] - least) * scale + 0.5f) : 0;
            block[4 + j] = (unsigned char)(low | high << 4);
        }
    }
}
