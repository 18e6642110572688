/* The table of stored number types. */
#include "kernels/quant.h"

#include <string.h>
#include "kernels/quant_rows.h"

static const ls_quant_type types[] = {
    {"F32", 0, 1, 4, ls_f32_to_float, ls_f32_from_float},
    {"F16", 1, 1, 2, ls_f16_to_float, ls_f16_from_float},
    {"BF16", 30, 1, 2, ls_bf16_to_float, ls_bf16_from_float},
    {"F64", 28, 1, 8, ls_f64_to_float, NULL},
    {"F8_E4M3", -1, 1, 1, ls_f8_e4m3_to_float, NULL},
    {"F8_E5M2", -1, 1, 1, ls_f8_e5m2_to_float, NULL},
    {"Q4_0", 2, 32, 18, ls_q4_0_to_float, ls_q4_0_from_float},
    {"Q4_1", 3, 32, 20, ls_q4_1_to_float, ls_q4_1_from_float},
    {"Q5_0", 6, 32, 22, ls_q5_0_to_float, NULL},
    {"Q5_1", 7, 32, 24, ls_q5_1_to_float, NULL},
    {"Q8_0", 8, 32, 34, ls_q8_0_to_float, ls_q8_0_from_float},
    {"Q2_K", 10, 256, 84, ls_q2_k_to_float, NULL},
    {"Q3_K", 11, 256, 110, ls_q3_k_to_float, NULL},
    {"Q4_K", 12, 256, 144, ls_q4_k_to_float, NULL},
    {"Q5_K", 13, 256, 176, ls_q5_k_to_float, NULL},
    {"Q6_K", 14, 256, 210, ls_q6_k_to_float, NULL},
    {"IQ4_NL", 20, 32, 18, ls_iq4_nl_to_float, NULL},
};

const ls_quant_type *ls_quant_types(size_t *n)
{
    *n = LS_COUNT(types);
    return types;
}

const ls_quant_type *ls_quant_find(const char *name)
{
    for (size_t i = 0; i < LS_COUNT(types); i++)
        if (strcmp(types[i].name, name) == 0)
            return &types[i];
    return NULL;
}

const ls_quant_type *ls_quant_find_ggml(int64_t id)
{
    for (size_t i = 0; i < LS_COUNT(types) && id >= 0; i++)
        if (types[i].ggml_id == id)
            return &types[i];
    return NULL;
}

size_t ls_quant_bytes(const ls_quant_type *type, int64_t n)
{
    LS_ASSERT(n >= 0 && n % type->block_n == 0);
    return (size_t)(n / type->block_n) * (size_t)type->block_bytes;
}
