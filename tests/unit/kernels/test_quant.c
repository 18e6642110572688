/* Stored number types: every half and every 8-bit float by definition, rounding, blocks by hand. */
#include <math.h>
#include <stdbool.h>
#include <string.h>
#include "close.h"
#include "kernels/quant.h"

static bool is_same(float a, float b)
{
    return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
}

/* sign, exponent, mantissa by the definition of IEEE 754, in double. */
static double value_of(uint32_t bits, int exponent_bits, int mantissa_bits)
{
    int bias = (1 << (exponent_bits - 1)) - 1;
    int exponent = (int)(bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
    double mantissa = (double)(bits & ((1u << mantissa_bits) - 1));
    double sign = bits >> (exponent_bits + mantissa_bits) & 1 ? -1.0 : 1.0;
    if (exponent == (1 << exponent_bits) - 1)
        return mantissa > 0.0 ? (double)NAN : sign * (double)INFINITY;
    if (exponent == 0)
        return sign * ldexp(mantissa, 1 - bias - mantissa_bits);
    return sign * ldexp(ldexp(1.0, mantissa_bits) + mantissa, exponent - bias - mantissa_bits);
}

static void every_half_has_its_value_and_comes_back(void **state)
{
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        float value = ls_float_of_f16((uint16_t)h);
        assert_true(is_same(value, (float)value_of(h, 5, 10)));
        if (!isnan(value))
            assert_int_equal(ls_f16_of_float(value), h);
        else
            assert_true(isnan(ls_float_of_f16(ls_f16_of_float(value))));
    }
}

static void halves_round_to_the_nearest_with_ties_to_even(void **state)
{
    (void)state;
    /* The middle between each half and the next is a float: it goes to the even one, the floats
     * beside it to the nearer one. */
    for (uint32_t h = 0; h < 0x7bff; h++) {
        double low = value_of(h, 5, 10), high = value_of(h + 1, 5, 10);
        float middle = (float)((low + high) / 2);
        assert_int_equal(ls_f16_of_float(middle), h + (h & 1));
        assert_int_equal(ls_f16_of_float(nextafterf(middle, 0.0f)), h);
        assert_int_equal(ls_f16_of_float(-nextafterf(middle, 1e9f)), 0x8000 | (h + 1));
    }
    assert_int_equal(ls_f16_of_float(65519.0f), 0x7bff);
    assert_int_equal(ls_f16_of_float(65520.0f), 0x7c00);
    assert_int_equal(ls_f16_of_float(-3e38f), 0xfc00);
    assert_int_equal(ls_f16_of_float(1e-45f), 0);
}

static void bfloats_round_to_the_nearest_with_ties_to_even(void **state)
{
    (void)state;
    assert_int_equal(ls_bf16_of_float(1.0f), 0x3f80);
    assert_int_equal(ls_bf16_of_float(1.00390625f), 0x3f80); /* 1 + 2^-8: a tie, to even */
    assert_int_equal(ls_bf16_of_float(1.01171875f), 0x3f82); /* 1 + 3 * 2^-8: the other way */
    assert_int_equal(ls_bf16_of_float(1.00390637f), 0x3f81);
    assert_int_equal(ls_bf16_of_float(3.4e38f), 0x7f80);
    assert_true(isnan(ls_float_of_bf16(ls_bf16_of_float(NAN))));
    for (uint32_t b = 0; b < 65536; b++) {
        float value = ls_float_of_bf16((uint16_t)b);
        if (!isnan(value))
            assert_int_equal(ls_bf16_of_float(value), b);
    }
}

static void every_8_bit_float_has_its_value(void **state)
{
    (void)state;
    const ls_quant_type *e5m2 = ls_quant_find("F8_E5M2"), *e4m3 = ls_quant_find("F8_E4M3");
    for (uint32_t b = 0; b < 256; b++) {
        unsigned char byte = (unsigned char)b;
        float value;
        e5m2->to_float(&value, &byte, 1);
        assert_true(is_same(value, (float)value_of(b, 5, 2)));
        e4m3->to_float(&value, &byte, 1);
        /* The largest exponent holds ordinary numbers, but for the two NaN. */
        double expected = value_of(b, 4, 3);
        if ((b & 0x78) == 0x78)
            expected = (b & 7) == 7 ? (double)NAN
                                    : (b & 0x80 ? -1.0 : 1.0) * ldexp(8.0 + (double)(b & 7), 5);
        assert_true(is_same(value, (float)expected));
    }
}

static void types_are_found_by_name_and_by_number(void **state)
{
    (void)state;
    size_t n;
    const ls_quant_type *types = ls_quant_types(&n);
    for (size_t i = 0; i < n; i++) {
        assert_ptr_equal(ls_quant_find(types[i].name), &types[i]);
        if (types[i].ggml_id >= 0)
            assert_ptr_equal(ls_quant_find_ggml(types[i].ggml_id), &types[i]);
        assert_in_range(types[i].block_n, 1, LS_QUANT_MOST_BLOCK);
    }
    assert_null(ls_quant_find("IQ2_XXS"));
    assert_null(ls_quant_find_ggml(16));
    assert_null(ls_quant_find_ggml(-1));
    assert_int_equal(ls_quant_bytes(ls_quant_find("Q6_K"), 512), 420);
}

static void blocks_by_hand(void **state)
{
    (void)state;
    /* d = 0.5, m = -1, digits 0, 1, ... 15 below and 15, 14, ... 0 above */
    unsigned char q4_1[20] = {0x00, 0x38, 0x00, 0xbc};
    for (int j = 0; j < 16; j++)
        q4_1[4 + j] = (unsigned char)(j | (15 - j) << 4);
    float out[32];
    ls_quant_find("Q4_1")->to_float(out, q4_1, 32);
    for (int j = 0; j < 16; j++) {
        assert_true(out[j] == 0.5f * (float)j - 1.0f);
        assert_true(out[j + 16] == 0.5f * (float)(15 - j) - 1.0f);
    }
    unsigned char q8_0[34] = {0x00, 0x40, 0x80, 0x7f}; /* d = 2: -128 and 127 */
    ls_quant_find("Q8_0")->to_float(out, q8_0, 32);
    assert_true(out[0] == -256.0f && out[1] == 254.0f && out[2] == 0.0f);
}

static void what_cannot_be_scaled_becomes_zero(void **state)
{
    (void)state;
    const float strange[] = {NAN, INFINITY, -INFINITY, 1e-42f};
    const char *const names[] = {"Q8_0", "Q4_0", "Q4_1"};
    for (size_t t = 0; t < LS_COUNT(names); t++)
        for (size_t i = 0; i < LS_COUNT(strange); i++) {
            const ls_quant_type *type = ls_quant_find(names[t]);
            float in[32] = {0.0f}, out[32];
            unsigned char block[34];
            in[5] = strange[i];
            type->from_float(block, in, 32);
            type->to_float(out, block, 32);
            for (int j = 0; j < 32; j++)
                assert_true(out[j] == 0.0f);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_half_has_its_value_and_comes_back),
        cmocka_unit_test(halves_round_to_the_nearest_with_ties_to_even),
        cmocka_unit_test(bfloats_round_to_the_nearest_with_ties_to_even),
        cmocka_unit_test(every_8_bit_float_has_its_value),
        cmocka_unit_test(types_are_found_by_name_and_by_number),
        cmocka_unit_test(blocks_by_hand),
        cmocka_unit_test(what_cannot_be_scaled_becomes_zero),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
