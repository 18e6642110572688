/* Choosing a table, the device, and the counts of the null table. */
#include "kernel_fixture.h"

#include <stdlib.h>
#include <string.h>

static void names_select_their_tables(void **state)
{
    (void)state;
    const ls_kernels *tables[3], *k;
    int n = ls_kernels_available(tables);
    assert_ptr_equal(tables[0], &ls_kernels_ref);
    for (int i = 0; i < n; i++) {
        assert_int_equal(ls_kernels_select(&k, tables[i]->name), LEASH_OK);
        assert_ptr_equal(k, tables[i]);
    }
    assert_int_equal(ls_kernels_select(&k, "null"), LEASH_OK);
    assert_ptr_equal(k, &ls_kernels_null);
    const char *const names[] = {"avx2", "avx512"};
    for (size_t i = 0; i < LS_COUNT(names); i++) {
        leash_status status = ls_kernels_select(&k, names[i]);
        assert_true(status == LEASH_OK || status == LEASH_UNSUPPORTED);
    }
}

static void without_a_name_the_environment_decides_then_the_processor(void **state)
{
    (void)state;
    const ls_kernels *tables[3], *k;
    int n = ls_kernels_available(tables);
    assert_int_equal(setenv("LEASH_ISA", "ref", 1), 0);
    assert_int_equal(ls_kernels_select(&k, NULL), LEASH_OK);
    assert_ptr_equal(k, &ls_kernels_ref);
    assert_int_equal(ls_kernels_select(&k, tables[n - 1]->name), LEASH_OK);
    assert_ptr_equal(k, tables[n - 1]);
    assert_int_equal(setenv("LEASH_ISA", "sse9", 1), 0);
    assert_int_equal(ls_kernels_select(&k, ""), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "sse9"));
    assert_non_null(strstr(leash_error(), "LEASH_ISA"));
    assert_int_equal(unsetenv("LEASH_ISA"), 0);
    assert_int_equal(ls_kernels_select(&k, ""), LEASH_OK);
    assert_ptr_equal(k, tables[n - 1]);
}

static void an_unknown_name_is_a_usage_error_that_lists_the_known(void **state)
{
    (void)state;
    const ls_kernels *k;
    assert_int_equal(ls_kernels_select(&k, "neon"), LEASH_USAGE);
    assert_non_null(strstr(leash_error(), "neon"));
    assert_non_null(strstr(leash_error(), "avx512"));
}

static void every_slot_of_every_table_is_filled(void **state)
{
    (void)state;
    const ls_kernels *const tables[] = {&ls_kernels_ref, &ls_kernels_avx2, &ls_kernels_avx512,
                                        &ls_kernels_null};
    for (size_t t = 0; t < LS_COUNT(tables); t++) {
        const ls_kernels *k = tables[t];
        assert_true(k->is_supported && k->pack_bytes && k->pack && k->gemm && k->rmsnorm &&
                    k->rmsnorm_bwd && k->rope);
        assert_true(k->swiglu && k->swiglu_bwd && k->add && k->embed && k->embed_bwd &&
                    k->kv_store && k->attention);
        assert_true(k->attention_bwd && k->softmax_stats && k->softmax_bwd && k->adamw &&
                    k->sum_squares && k->zero);
        assert_non_null(k->copy);
    }
}

/* A small model's worth of calls; on the null table all arrays are addresses that nobody may
 * touch. */
static void run_calls(ls_device *dev, bool is_real)
{
    enum { ROWS = 6, WIDTH = 32, HEADS = 4, GROUPS = 2, HEAD = 8, FLOATS = 4096 };
    static float real[8][FLOATS];
    float *x[8];
    for (int i = 0; i < 8; i++)
        x[i] = is_real ? real[i] : (float *)(uintptr_t)(64 * (i + 1));
    float *page = is_real ? real[7] : (float *)(uintptr_t)1024;
    static const int32_t zeros[ROWS];
    const int32_t *ids = is_real ? zeros : (const int32_t *)(uintptr_t)2048;
    ls_attention_seq seq = {.row0 = 0, .n_rows = ROWS, .pages = &page};
    int64_t n_bad;
    dev->k->pack(dev, x[1], x[0], WIDTH, WIDTH);
    dev->k->gemm(dev, &(ls_gemm_args){.c = x[2],
                                      .a = x[0],
                                      .b = x[1],
                                      .M = ROWS,
                                      .N = WIDTH,
                                      .K = WIDTH,
                                      .a_row = WIDTH,
                                      .a_k = 1,
                                      .ldc = WIDTH,
                                      .b_packed = true,
                                      .accumulate = true});
    dev->k->rmsnorm(dev, &(ls_rmsnorm_args){x[2], x[3], x[0], x[1], ROWS, WIDTH, 1e-5f, false});
    dev->k->rmsnorm_bwd(
        dev, &(ls_rmsnorm_bwd_args){x[2], x[4], x[0], x[1], x[5], x[3], ROWS, WIDTH, false});
    dev->k->rope(dev, &(ls_rope_args){x[2], x[0], x[1], ids, ROWS, HEADS, HEAD, HEAD, false});
    dev->k->swiglu(dev, &(ls_swiglu_args){x[2], x[0], x[1], ROWS * WIDTH});
    dev->k->swiglu_bwd(dev, &(ls_swiglu_bwd_args){x[2], x[3], x[0], x[1], x[4], ROWS * WIDTH});
    dev->k->add(dev, x[2], x[0], x[1], ROWS * WIDTH);
    dev->k->embed(dev, &(ls_embed_args){x[2], x[0], ids, ROWS, WIDTH, 1});
    dev->k->embed_bwd(dev, &(ls_embed_bwd_args){x[2], x[0], ids, ROWS, WIDTH, 1});
    dev->k->kv_store(dev, &(ls_kv_store_args){x[0], x[1], &seq, 1, GROUPS, HEAD});
    dev->k->attention(
        dev, &(ls_attention_args){x[2], x[3], x[0], &seq, 1, HEADS, GROUPS, HEAD, 4, 1, 0});
    dev->k->attention_bwd(dev,
                          &(ls_attention_bwd_args){x[2], x[3], x[4], x[0], x[1], x[5], x[6], x[0],
                                                   x[1], &seq, 1, HEADS, GROUPS, HEAD, 4, 1, 0});
    dev->k->softmax_stats(dev, &(ls_softmax_stats_args){x[2], x[3], x[4], ROWS, WIDTH, 1});
    dev->k->softmax_bwd(
        dev, &(ls_softmax_bwd_args){x[2], x[3], x[4], ids, x[0], x[5], ROWS, WIDTH, 1, 1});
    dev->k->adamw(dev, &(ls_adamw_args){x[2], x[3], x[4], x[0], WIDTH, 1e-3f, 0.9f, 0.99f, 1e-8f, 0,
                                        0.1f, 0.1f, 1});
    dev->k->sum_squares(dev, x[2], WIDTH, &n_bad);
    dev->k->zero(dev, x[2], WIDTH);
    dev->k->copy(dev, x[2], x[1], WIDTH);
}

static void null_touches_nothing_and_counts_what_the_others_count(void **state)
{
    (void)state;
    ls_device null;
    assert_int_equal(ls_device_init(&null, &ls_kernels_null, 0), LEASH_OK);
    assert_null(null.pool);
    run_calls(&null, false);
    assert_int_equal(null.counters.calls, 19);
    const ls_kernels *tables[3];
    int n = ls_kernels_available(tables);
    for (int i = 0; i < n; i++) {
        ls_device dev;
        assert_int_equal(ls_device_init(&dev, tables[i], 2), LEASH_OK);
        run_calls(&dev, true);
        assert_int_equal(dev.counters.calls, null.counters.calls);
        assert_true(dev.counters.flops == null.counters.flops);
        assert_true(dev.counters.bytes == null.counters.bytes);
        ls_device_release(&dev);
    }
    ls_device_release(&null);
}

static void attention_counts_the_pairs_that_are_seen(void **state)
{
    (void)state;
    ls_device null;
    assert_int_equal(ls_device_init(&null, &ls_kernels_null, 1), LEASH_OK);
    for (int64_t pos0 = 0; pos0 < 12; pos0++) {
        for (int64_t rows = 0; rows < 9; rows++) {
            for (int64_t window = 0; window < 20; window++) {
                ls_attention_seq seq = {.n_rows = rows, .pos0 = pos0};
                int64_t pairs = 0;
                for (int64_t pos = pos0; pos < pos0 + rows; pos++)
                    pairs += window > 0 && pos + 1 > window ? window : pos + 1;
                null.counters.flops = 0;
                null.k->attention(
                    &null,
                    &(ls_attention_args){
                        .seqs = &seq, .n_seqs = 1, .H = 2, .G = 1, .D = 3, .window = window});
                assert_true(null.counters.flops == (double)(4 * pairs * 2 * 3));
            }
        }
    }
    ls_device_release(&null);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_select_their_tables),
        cmocka_unit_test(without_a_name_the_environment_decides_then_the_processor),
        cmocka_unit_test(an_unknown_name_is_a_usage_error_that_lists_the_known),
        cmocka_unit_test(every_slot_of_every_table_is_filled),
        cmocka_unit_test(null_touches_nothing_and_counts_what_the_others_count),
        cmocka_unit_test(attention_counts_the_pairs_that_are_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
