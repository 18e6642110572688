/* Packing: hand-made cases, then what must hold for any lengths. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "data/dataset.h"

static void sequences_go_where_the_least_room_is_left(void **state)
{
    (void)state;
    /* Longest first: 7 | 6 | 3 goes to the 7 (room 3 of 10), 3 to the 6 (room 4), 1 to what the
     * second 3 left. */
    const int32_t lengths[] = {3, 7, 6, 1, 3};
    const int32_t expected[] = {0, 0, 1, 1, 1};
    int32_t bin[5];
    assert_int_equal(ls_pack(lengths, 5, 10, bin), 2);
    assert_memory_equal(bin, expected, sizeof expected);
}

static void bins_are_numbered_by_their_first_row(void **state)
{
    (void)state;
    const int32_t lengths[] = {2, 9, 8, 10, 1};
    const int32_t expected[] = {0, 1, 0, 2, 1};
    int32_t bin[5];
    assert_int_equal(ls_pack(lengths, 5, 10, bin), 3);
    assert_memory_equal(bin, expected, sizeof expected);
}

static void no_rows_take_no_bins_and_full_rows_one_each(void **state)
{
    (void)state;
    int32_t bin[3] = {-1, -1, -1};
    const int32_t full[] = {64, 64, 64}, expected[] = {0, 1, 2};
    assert_int_equal(ls_pack(full, 0, 64, bin), 0);
    assert_int_equal(ls_pack(full, 3, 64, bin), 3);
    assert_memory_equal(bin, expected, sizeof expected);
}

static uint64_t draw(uint32_t step, uint32_t position, uint64_t n)
{
    return ls_rng_below(
        &(ls_rng_name){.seed = 3, .purpose = LS_RNG_TEST, .step = step, .position = position}, n);
}

/* Best fit by a plain search over all bins. */
static int64_t plain_best_fit(const int32_t *lengths, int64_t n, int32_t max_length)
{
    int32_t room[400];
    bool is_placed[400] = {false};
    int64_t n_bins = 0;
    for (int64_t k = 0; k < n; k++) {
        int64_t row = -1, best = -1;
        for (int64_t i = 0; i < n; i++)
            if (!is_placed[i] && (row < 0 || lengths[i] > lengths[row]))
                row = i;
        is_placed[row] = true;
        for (int64_t b = 0; b < n_bins; b++)
            if (room[b] >= lengths[row] && (best < 0 || room[b] < room[best]))
                best = b;
        if (best < 0) {
            best = n_bins++;
            room[best] = max_length;
        }
        room[best] -= lengths[row];
    }
    return n_bins;
}

static void every_row_is_in_one_bin_and_no_bin_overflows(void **state)
{
    (void)state;
    for (uint32_t t = 0; t < 200; t++) {
        int32_t lengths[400], bin[400], max_length = 1 + (int32_t)draw(t, 0, 300);
        int64_t n = (int64_t)draw(t, 1, 400), room[400], n_named = 0;
        for (int64_t i = 0; i < n; i++)
            lengths[i] = (int32_t)draw(t, 2 + (uint32_t)i, (uint64_t)max_length + 1);
        int64_t n_bins = ls_pack(lengths, n, max_length, bin);
        for (int64_t i = 0; i < n_bins; i++)
            room[i] = max_length;
        for (int64_t i = 0; i < n; i++) {
            assert_in_range(bin[i], 0, n_named);
            n_named += bin[i] == n_named;
            room[bin[i]] -= lengths[i];
            assert_true(room[bin[i]] >= 0);
        }
        assert_int_equal(n_named, n_bins);
        assert_int_equal(n_bins, plain_best_fit(lengths, n, max_length));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sequences_go_where_the_least_room_is_left),
        cmocka_unit_test(bins_are_numbered_by_their_first_row),
        cmocka_unit_test(no_rows_take_no_bins_and_full_rows_one_each),
        cmocka_unit_test(every_row_is_in_one_bin_and_no_bin_overflows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
