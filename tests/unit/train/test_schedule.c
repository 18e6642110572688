/* The learning rate against published values, and what every shape must keep. */
#include "close.h"

#include "base/compiler.h"
#include "train/schedule.h"

/* Double arithmetic against numbers of 12 digits. */
#define PRINTED 1e-11

static const ls_schedule_kind kinds[] = {LS_SCHEDULE_CONSTANT, LS_SCHEDULE_LINEAR,
                                         LS_SCHEDULE_COSINE, LS_SCHEDULE_WSD};

static ls_schedule make(ls_schedule_kind kind, double floor)
{
    return (ls_schedule){
        .kind = kind, .learning_rate = 1, .floor = floor, .warmup = 10, .total = 100, .decay = 20};
}

static void check(const ls_schedule *schedule, const int64_t *updates, const double *rates, int n)
{
    for (int i = 0; i < n; i++)
        assert_close(ls_schedule_at(schedule, updates[i]), rates[i], PRINTED);
}

static void cosine_has_its_published_values(void **state)
{
    (void)state;
    ls_schedule schedule = make(LS_SCHEDULE_COSINE, 0.1);
    static const int64_t updates[] = {10, 32, 55, 77, 100};
    static const double rates[] = {1, 0.873702910152, 0.55, 0.237403733293, 0.1};
    check(&schedule, updates, rates, 5);
}

static void linear_has_its_published_values(void **state)
{
    (void)state;
    ls_schedule schedule = make(LS_SCHEDULE_LINEAR, 0);
    static const int64_t updates[] = {10, 55, 100};
    static const double rates[] = {1, 0.5, 0};
    check(&schedule, updates, rates, 3);
}

static void wsd_has_its_published_values(void **state)
{
    (void)state;
    ls_schedule schedule = make(LS_SCHEDULE_WSD, 0.1);
    static const int64_t updates[] = {10, 79, 80, 90, 100};
    static const double rates[] = {1, 1, 1, 0.55, 0.1};
    check(&schedule, updates, rates, 5);
}

static void constant_keeps_the_peak_after_the_warm_up(void **state)
{
    (void)state;
    ls_schedule schedule = make(LS_SCHEDULE_CONSTANT, 0.1);
    static const int64_t updates[] = {10, 55, 99, 100, 1000};
    static const double rates[] = {1, 1, 1, 1, 1};
    check(&schedule, updates, rates, 5);
}

static void warm_up_moves_at_the_first_update_and_ends_at_the_peak(void **state)
{
    (void)state;
    static const int64_t updates[] = {0, 4, 8, 9};
    static const double rates[] = {0.1, 0.5, 0.9, 1};
    for (size_t k = 0; k < LS_COUNT(kinds); k++) {
        ls_schedule schedule = make(kinds[k], 0.1);
        check(&schedule, updates, rates, 4);
    }
}

static void updates_past_the_end_stay_at_the_floor(void **state)
{
    (void)state;
    for (size_t k = 1; k < LS_COUNT(kinds); k++) {
        ls_schedule schedule = make(kinds[k], 0.25);
        for (int64_t update = 100; update < 300; update += 7)
            assert_close(ls_schedule_at(&schedule, update), 0.25, 0);
    }
}

static void rates_never_leave_floor_and_peak_and_never_rise_after_the_warm_up(void **state)
{
    (void)state;
    for (size_t k = 0; k < LS_COUNT(kinds); k++)
        for (int64_t total = 1; total < 40; total++)
            for (int64_t warmup = 0; warmup <= total + 2; warmup += 3)
                for (int64_t decay = 0; decay <= total + 2; decay += 4) {
                    ls_schedule schedule = {.kind = kinds[k],
                                            .learning_rate = 2,
                                            .floor = 0.1,
                                            .warmup = warmup,
                                            .total = total,
                                            .decay = decay};
                    double before = 2;
                    for (int64_t update = 0; update < total; update++) {
                        double rate = ls_schedule_at(&schedule, update);
                        assert_true(rate > 0 && rate <= 2);
                        if (update < warmup)
                            continue;
                        assert_true(rate >= 0.1 * 2 && rate <= before);
                        before = rate;
                    }
                }
}

static void a_decay_longer_than_the_rest_begins_at_the_end_of_the_warm_up(void **state)
{
    (void)state;
    ls_schedule schedule = make(LS_SCHEDULE_WSD, 0);
    schedule.decay = 500;
    assert_close(ls_schedule_at(&schedule, 10), 1, 0);
    assert_close(ls_schedule_at(&schedule, 55), 0.5, PRINTED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cosine_has_its_published_values),
        cmocka_unit_test(linear_has_its_published_values),
        cmocka_unit_test(wsd_has_its_published_values),
        cmocka_unit_test(constant_keeps_the_peak_after_the_warm_up),
        cmocka_unit_test(warm_up_moves_at_the_first_update_and_ends_at_the_peak),
        cmocka_unit_test(updates_past_the_end_stay_at_the_floor),
        cmocka_unit_test(rates_never_leave_floor_and_peak_and_never_rise_after_the_warm_up),
        cmocka_unit_test(a_decay_longer_than_the_rest_begins_at_the_end_of_the_warm_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
