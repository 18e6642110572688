/* Filters: degenerate groups, refilling, truncated completions, the price of length. */
#include "close.h"

#include "rl/filter.h"
#include "rl/waist.h"

static const double reward[] = {1, 1, 1, 0, NAN, NAN};
static const int32_t group[] = {0, 0, 1, 1, 2, 2};
static const ls_reward_batch batch = {.n_seqs = 6, .n_groups = 3, .reward = reward, .group = group};

static void drop_flags_degenerate_groups_and_keep_flags_none(void **state)
{
    (void)state;
    ls_group_stats groups[3];
    uint8_t flags[6] = {LS_SEQ_TRUNCATED};
    assert_int_equal(ls_group_stats_compute(groups, &batch), LEASH_OK);
    assert_int_equal(ls_filter_groups(flags, LS_FILTER_KEEP, &batch, groups), 3);
    assert_int_equal(flags[0], LS_SEQ_TRUNCATED);
    assert_int_equal(ls_filter_groups(flags, LS_FILTER_DROP, &batch, groups), 1);
    assert_int_equal(flags[0], LS_SEQ_TRUNCATED | LS_SEQ_DROPPED);
    assert_int_equal(flags[1], LS_SEQ_DROPPED);
    assert_int_equal(flags[2], 0);
    assert_int_equal(flags[3], 0);
    assert_int_equal(flags[5], LS_SEQ_DROPPED);
}

static void refill_asks_for_what_is_missing_at_the_rate_seen(void **state)
{
    (void)state;
    ls_refill r = {.n_wanted = 16, .max_rounds = 4};
    assert_int_equal(ls_refill_next(&r), 16);
    r = (ls_refill){.n_wanted = 16, .n_kept = 12, .n_sampled = 16, .n_rounds = 1, .max_rounds = 4};
    assert_int_equal(ls_refill_next(&r), 6); /* 4 missing at 3 of 4 */
    r.n_kept = 1;
    assert_int_equal(ls_refill_next(&r), 16); /* never more than a step */
    r.n_kept = 0;
    assert_int_equal(ls_refill_next(&r), 16);
    r.n_rounds = 4;
    assert_int_equal(ls_refill_next(&r), 0);
    r = (ls_refill){.n_wanted = 16, .n_kept = 18, .n_sampled = 32, .n_rounds = 2, .max_rounds = 4};
    assert_int_equal(ls_refill_next(&r), 0);
}

static void overlong_penalty_has_its_published_values(void **state)
{
    (void)state;
    static const struct {
        int64_t n;
        double penalty;
    } rows[] = {{79, 0}, {80, 0}, {85, -0.25}, {90, -0.5}, {100, -1}, {101, -1}, {130, -1}};
    for (size_t i = 0; i < LS_COUNT(rows); i++)
        assert_close(ls_overlong_penalty(rows[i].n, 100, 20), rows[i].penalty, 1e-15);
    assert_close(ls_overlong_penalty(100, 100, 0), 0, 0);
    assert_close(ls_overlong_penalty(101, 100, 0), -1, 0);
}

static void truncated_completions_are_masked_not_dropped(void **state)
{
    (void)state;
    uint8_t flags[] = {0, LS_SEQ_TRUNCATED, LS_SEQ_TRUNCATED | LS_SEQ_DROPPED};
    ls_filter_truncated(flags, 3);
    assert_int_equal(flags[0], 0);
    assert_int_equal(flags[1], LS_SEQ_TRUNCATED | LS_SEQ_MASKED);
    assert_int_equal(flags[2], LS_SEQ_TRUNCATED | LS_SEQ_DROPPED | LS_SEQ_MASKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drop_flags_degenerate_groups_and_keep_flags_none),
        cmocka_unit_test(refill_asks_for_what_is_missing_at_the_rate_seen),
        cmocka_unit_test(overlong_penalty_has_its_published_values),
        cmocka_unit_test(truncated_completions_are_masked_not_dropped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
