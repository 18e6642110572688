/* The functions behind the rows of ls_quant_types: out (n) and in never overlap. */
#ifndef LS_KERNELS_QUANT_ROWS_H
#define LS_KERNELS_QUANT_ROWS_H

#include <stdint.h>

/* quant_plain.c */
void ls_f32_to_float(float *restrict out, const void *restrict in, int64_t n);
void ls_f32_from_float(void *restrict out, const float *restrict in, int64_t n);
void ls_f16_to_float(float *restrict out, const void *restrict in, int64_t n);
void ls_f16_from_float(void *restrict out, const float *restrict in, int64_t n);
void ls_bf16_to_float(float *restrict out, const void *restrict in, int64_t n);
void ls_bf16_from_float(void *restrict out, const float *restrict in, int64_t n);
void ls_f64_to_float(float *restrict out, const void *restrict in, int64_t n);
void ls_f8_e5m2_to_float(float *restrict out, const void *restrict in, int64_t n);
void ls_f8_e4m3_to_float(float *restrict out, const void *restrict in, int64_t n);
/* quant_block32.c */
void ls_q4_0_to_float(float *restrict out, const void *restrict in, int64_t n);
void ls_q4_1_to_float(float *restrict out, const void *restrict in, int64_t n);
void ls_q5_0_to_float(float *restrict out, const void *restrict in, int64_t n);
void ls_q5_1_to_float(float *restrict out, const void *restrict in, int64_t n);
void ls_q8_0_to_float(float *restrict out, const void *restrict in, int64_t n);
void ls_iq4_nl_to_float(float *restrict out, const void *restrict in, int64_t n);
/* quant_block256.c */
void ls_q2_k_to_float(float *restrict out, const void *restrict in, int64_t n);
void ls_q3_k_to_float(float *restrict out, const void *restrict in, int64_t n);
void ls_q4_k_to_float(float *restrict out, const void *restrict in, int64_t n);
void ls_q5_k_to_float(float *restrict out, const void *restrict in, int64_t n);
void ls_q6_k_to_float(float *restrict out, const void *restrict in, int64_t n);
/* quant_write.c */
void ls_q8_0_from_float(void *restrict out, const float *restrict in, int64_t n);
void ls_q4_0_from_float(void *restrict out, const float *restrict in, int64_t n);
void ls_q4_1_from_float(void *restrict out, const float *restrict in, int64_t n);

#endif
