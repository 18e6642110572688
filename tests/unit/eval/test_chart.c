/* Charts: when there is one, its ticks, and names that are no markup. */
#include "close.h"

#include <string.h>
#include "eval/chart.h"

/* A chart of one series over x = 0, 1, 2 ...; empty when there is none (ls_str_release). */
static ls_str draw(const double *y, size_t n, const ls_chart *like)
{
    ls_chart_point points[8];
    ls_str out = LS_STR_INIT;
    assert_true(n <= LS_COUNT(points));
    for (size_t i = 0; i < n; i++)
        points[i] = (ls_chart_point){.x = (double)i, .y = y[i]};
    ls_chart_series series = {.name = "loss", .points = points, .n = n};
    ls_chart chart = *like;
    chart.series = &series;
    chart.n_series = 1;
    assert_true(ls_chart_svg(&out, &chart) == (out.len > 0));
    return out;
}

static int64_t count(const char *text, const char *part)
{
    int64_t n = 0;
    for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
        n++;
    return n;
}

static void without_a_finite_value_there_is_no_chart(void **state)
{
    (void)state;
    static const double nothing[] = {NAN, INFINITY, -INFINITY};
    static const ls_chart plain = {.title = "loss", .from_zero = true};
    for (size_t n = 0; n <= LS_COUNT(nothing); n++) {
        ls_str out = draw(nothing, n, &plain);
        assert_int_equal(out.len, 0);
        ls_str_release(&out);
    }
}

static void values_that_are_not_finite_leave_no_trace(void **state)
{
    (void)state;
    static const double y[] = {1, NAN, 2, INFINITY, 3};
    ls_str out = draw(y, LS_COUNT(y), &(ls_chart){.title = "loss"});
    const char *line = strstr(out.data, "points=\"");
    assert_int_equal(count(line, ","), 3);
    assert_null(strstr(line, "nan"));
    assert_null(strstr(line, "inf"));
    ls_str_release(&out);
}

/* Doubles near 1e17 are 16 apart, so that a tick plus its step may be the same tick again. */
static void ticks_finer_than_the_values_come_to_an_end(void **state)
{
    (void)state;
    static const double y[][2] = {{1e17, 1e17 + 16}, {-1e17 - 16, -1e17}, {1e300, 1e300}, {3, 3}};
    for (size_t i = 0; i < LS_COUNT(y); i++) {
        ls_str out = draw(y[i], 2, &(ls_chart){.title = "loss"});
        int64_t n = count(out.data, "class=\"tick\"");
        assert_true(n >= 1 && n <= 12);
        ls_str_release(&out);
    }
}

static void a_tick_at_0_is_0(void **state)
{
    (void)state;
    static const double y[][2] = {{-1, 1}, {-0.3, 0.3}, {-4e-7, 1e-7}, {-1e6, 1e6}, {-3, 0}};
    for (size_t i = 0; i < LS_COUNT(y); i++) {
        for (int is_share = 0; is_share <= 1; is_share++) {
            ls_str out = draw(y[i], 2, &(ls_chart){.title = "loss", .is_share = is_share});
            assert_int_equal(count(out.data, is_share ? ">0 %</text>" : ">0</text>"), 1);
            assert_null(strstr(out.data, ">-0<"));
            assert_null(strstr(out.data, ">-0 %<"));
            ls_str_release(&out);
        }
    }
}

static void names_are_text_and_no_markup(void **state)
{
    (void)state;
    static const ls_chart_point points[] = {{0, 1}, {1, 2}};
    static const ls_chart_series series[] = {{.name = "<i>", .points = points, .n = 2},
                                             {.name = "a&b", .points = points, .n = 2}};
    static const ls_chart_part part = {.name = "runs/<b>", .from = 0, .to = 1};
    ls_chart chart = {.title = "<script>",
                      .unit = "\"<u>\"",
                      .note = "</figure>",
                      .series = series,
                      .n_series = 2,
                      .parts = &part,
                      .n_parts = 1};
    ls_str out = LS_STR_INIT;
    assert_true(ls_chart_svg(&out, &chart));
    static const char *const raw[] = {"<script>", "<u>", "<i>", "<b>runs", "runs/<b>", "a&b"};
    for (size_t i = 0; i < LS_COUNT(raw); i++)
        assert_null(strstr(out.data, raw[i]));
    assert_int_equal(count(out.data, "</figure>"), 1);
    static const char *const escaped[] = {"&lt;script&gt;", "&lt;u&gt;", "&lt;i&gt;", "a&amp;b",
                                          "runs/&lt;b&gt;"};
    for (size_t i = 0; i < LS_COUNT(escaped); i++)
        assert_non_null(strstr(out.data, escaped[i]));
    ls_str_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_finite_value_there_is_no_chart),
        cmocka_unit_test(values_that_are_not_finite_leave_no_trace),
        cmocka_unit_test(ticks_finer_than_the_values_come_to_an_end),
        cmocka_unit_test(a_tick_at_0_is_0),
        cmocka_unit_test(names_are_text_and_no_markup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
