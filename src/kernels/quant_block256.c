/* Blocks of 256 values ("K"): sub-blocks of 16 or 32 with small integer scales (and minima), which
 * are themselves scaled by halves d (and dmin).
 *
 *     Q2_K   scales 16, q 64, d, dmin             value = d s q - dmin m,   s, m of 4 bits
 *     Q3_K   high bits 32, q 64, scales 12, d     value = d s q,            s of 6 bits, signed
 *     Q4_K   d, dmin, scales 12, q 128            value = d s q - dmin m,   s, m of 6 bits
 *     Q5_K   d, dmin, scales 12, high 32, q 128   the same with a fifth bit
 *     Q6_K   q 128, high 64, scales 16, d         value = d s q,            s of 8 bits, signed
 *
 * Digits are spread so that bytes l of a run hold values l, l + 32, l + 64, ... in their bits. */
#include "kernels/quant_inline.h"
#include "kernels/quant_rows.h"

#define N 256

void ls_q2_k_to_float(float *restrict out, const void *restrict in, int64_t n)
{
    const unsigned char *block = in;
    for (int64_t i = 0; i < n; i += N, block += 84) {
        float d = half_at(block + 80), dmin = half_at(block + 82);
        for (int s = 0; s < 16; s++, out += 16) { /* half 8, bits 2j, upper run */
            const unsigned char *q = block + 16 + 32 * (s / 8) + 16 * (s & 1);
            int shift = 2 * (s % 8 / 2);
            float scale = d * (float)(block[s] & 15), least = dmin * (float)(block[s] >> 4);
            for (int l = 0; l < 16; l++)
                out[l] = scale * (float)(q[l] >> shift & 3) - least;
        }
    }
}

void ls_q3_k_to_float(float *restrict out, const void *restrict in, int64_t n)
{
    const unsigned char *block = in;
    for (int64_t i = 0; i < n; i += N, block += 110) {
        const unsigned char *high = block, *scales = block + 96;
        float d = half_at(block + 108);
        for (int s = 0; s < 16; s++, out += 16) {
            int run = 16 * (s & 1), shift = 2 * (s % 8 / 2), bit = s / 2;
            const unsigned char *q = block + 32 + 32 * (s / 8) + run;
            int low = s < 8 ? scales[s] & 15 : scales[s - 8] >> 4;
            int top = scales[8 + s % 4] >> (2 * (s / 4)) & 3;
            float scale = d * (float)((low | top << 4) - 32);
            for (int l = 0; l < 16; l++) {
                int digit = (q[l] >> shift & 3) | (high[run + l] >> bit & 1) << 2;
                out[l] = scale * (float)(digit - 4);
            }
        }
    }
}

/* Scale and minimum j of the 8 of Q4_K and Q5_K, 6 bits each in 12 bytes. */
static void unpack_scale(int *scale, int *least, const unsigned char *packed, int j)
{
    if (j < 4) {
        *scale = packed[j] & 63;
        *least = packed[j + 4] & 63;
    } else {
        *scale = (packed[j + 4] & 15) | packed[j - 4] >> 6 << 4;
        *least = packed[j + 4] >> 4 | packed[j] >> 6 << 4;
    }
}

void ls_q4_k_to_float(float *restrict out, const void *restrict in, int64_t n)
{
    const unsigned char *block = in;
    for (int64_t i = 0; i < n; i += N, block += 144) {
        float d = half_at(block), dmin = half_at(block + 2);
        for (int j = 0; j < 8; j += 2, out += 64) {
            const unsigned char *q = block + 16 + 16 * j;
            int s[2], m[2];
            unpack_scale(&s[0], &m[0], block + 4, j);
            unpack_scale(&s[1], &m[1], block + 4, j + 1);
            float scale0 = d * (float)s[0], scale1 = d * (float)s[1];
            float least0 = dmin * (float)m[0], least1 = dmin * (float)m[1];
            for (int l = 0; l < 32; l++)
                out[l] = scale0 * (float)(q[l] & 15) - least0;
            for (int l = 0; l < 32; l++)
                out[32 + l] = scale1 * (float)(q[l] >> 4) - least1;
        }
    }
}

void ls_q5_k_to_float(float *restrict out, const void *restrict in, int64_t n)
{
    const unsigned char *block = in;
    for (int64_t i = 0; i < n; i += N, block += 176) {
        float d = half_at(block), dmin = half_at(block + 2);
        const unsigned char *high = block + 16;
        for (int j = 0; j < 8; j++, out += 32) {
            const unsigned char *q = block + 48 + 32 * (j / 2);
            int s, m, shift = 4 * (j & 1);
            unpack_scale(&s, &m, block + 4, j);
            float scale = d * (float)s, least = dmin * (float)m;
            for (int l = 0; l < 32; l++) {
                int digit = (q[l] >> shift & 15) | (high[l] >> j & 1) << 4;
                out[l] = scale * (float)digit - least;
            }
        }
    }
}

void ls_q6_k_to_float(float *restrict out, const void *restrict in, int64_t n)
{
    const unsigned char *block = in;
    for (int64_t i = 0; i < n; i += N, block += 210) {
        const signed char *scales = (const signed char *)block + 192;
        float d = half_at(block + 208);
        for (int s = 0; s < 16; s++, out += 16) { /* 16 values: half s/8, quarter t, run of 16 */
            int half = s / 8, t = s % 8 / 2, run = 16 * (s & 1);
            const unsigned char *low = block + 64 * half + 32 * (t & 1) + run;
            const unsigned char *high = block + 128 + 32 * half + run;
            int low_shift = 4 * (t >> 1), high_shift = 2 * t;
            float scale = d * (float)scales[s];
            for (int l = 0; l < 16; l++) {
                int digit = (low[l] >> low_shift & 15) | (high[l] >> high_shift & 3) << 4;
                out[l] = scale * (float)(digit - 32);
            }
        }
    }
}
