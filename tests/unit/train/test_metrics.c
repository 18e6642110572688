/* The table of metrics, the JSON of a step, and that the table and the sources name the same
 * metrics. */
#include "close.h"

#include <jansson.h>
#include <string.h>
#include "base/compiler.h"
#include "base/file.h"
#include "rl/objective.h"
#include "train/metrics.h"

static ls_metrics m;

static void check_json(const char *want)
{
    ls_str json = LS_STR_INIT;
    ls_metrics_json(&m, &json);
    assert_string_equal(json.data, want);
    ls_str_release(&json);
}

static void a_step_is_one_object_in_the_order_of_the_rows(void **state)
{
    (void)state;
    ls_metrics_clear(&m, 12);
    ls_metrics_set(&m, "step_time", 0.5);
    ls_metrics_set(&m, "grad_norm", 1e-6);
    ls_metrics_set(&m, "reward", 0.1);
    ls_metrics_set(&m, "loss", -3);
    check_json("{\"step\": 12, \"loss\": -3, \"grad_norm\": 1e-06, \"reward\": 0.1, "
               "\"step_time\": 0.5}");
}

static void a_value_that_is_not_finite_is_null(void **state)
{
    (void)state;
    ls_metrics_clear(&m, 0);
    ls_metrics_set(&m, "loss", NAN);
    ls_metrics_set(&m, "entropy", INFINITY);
    ls_metrics_set(&m, "reward", -INFINITY);
    check_json("{\"step\": 0, \"loss\": null, \"entropy\": null, \"reward\": null}");
}

static void values_of_one_row_keep_their_order_and_are_replaced_by_name(void **state)
{
    (void)state;
    ls_metrics_clear(&m, 3);
    ls_metrics_setf(&m, 1, "rewards/%s/mean", "number");
    ls_metrics_setf(&m, 2, "rewards/%s/std", "number");
    ls_metrics_setf(&m, 3, "rewards/%s/mean", "format");
    ls_metrics_setf(&m, 4, "rewards/%s/mean", "number");
    ls_metrics_setf(&m, 0.5, "eval/pass@%d", 16);
    check_json("{\"step\": 3, \"rewards/number/mean\": 4, \"rewards/format/mean\": 3, "
               "\"rewards/number/std\": 2, \"eval/pass@16\": 0.5}");
    assert_close(ls_metrics_get(&m, "rewards/format/mean"), 3, 0);
    assert_true(isnan(ls_metrics_get(&m, "loss")));
    assert_true(isnan(ls_metrics_get(&m, "rewards/*/mean")));
    ls_metrics_clear(&m, 4);
    assert_true(isnan(ls_metrics_get(&m, "rewards/format/mean")));
}

static void numbers_read_back_to_the_same_bits(void **state)
{
    (void)state;
    static const double values[] = {1.0 / 3, 5e-324, 1.7976931348623157e308, 123456789.125,
                                    -1e-300};
    for (size_t i = 0; i < LS_COUNT(values); i++) {
        ls_str json = LS_STR_INIT;
        ls_metrics_clear(&m, 1);
        ls_metrics_set(&m, "loss", values[i]);
        ls_metrics_json(&m, &json);
        json_t *object = json_loads(json.data, 0, NULL);
        assert_non_null(object);
        double back = json_number_value(json_object_get(object, "loss"));
        assert_memory_equal(&back, &values[i], sizeof back);
        json_decref(object);
        ls_str_release(&json);
    }
}

/* --- the table --- */

static int64_t count_stars(const char *name)
{
    int64_t n = 0;
    for (; *name; name++)
        n += *name == '*';
    return n;
}

static void every_row_has_a_meaning_a_formula_and_a_name_of_its_own(void **state)
{
    (void)state;
    size_t n;
    const ls_metric_row *rows = ls_metric_rows(&n);
    for (size_t i = 0; i < n; i++) {
        assert_true(rows[i].name[0] && strlen(rows[i].name) < sizeof m.values[0].name);
        assert_true(count_stars(rows[i].name) <= 1);
        assert_true(rows[i].meaning[0] && rows[i].formula[0] && rows[i].unit);
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(rows[i].name, rows[j].name);
        /* No pattern takes another row's name: its own row is the one that a value gets. */
        ls_metrics_clear(&m, 0);
        ls_metrics_set(&m, rows[i].name, 0);
        assert_int_equal(m.values[0].row, i);
    }
    for (int64_t i = 0; i < ls_n_objective_metrics; i++) {
        ls_metrics_clear(&m, 0);
        ls_metrics_set(&m, ls_objective_metric_rows[i].name, 0);
        assert_int_equal(m.n, 1);
    }
}

static void the_document_has_a_line_for_every_row(void **state)
{
    (void)state;
    size_t n, n_lines = 0;
    const ls_metric_row *rows = ls_metric_rows(&n);
    ls_str text = LS_STR_INIT;
    ls_metrics_markdown(&text);
    for (size_t i = 0; i < n; i++) {
        char cell[96];
        snprintf(cell, sizeof cell, "\n| `%s` | ", rows[i].name);
        assert_non_null(strstr(text.data, cell));
    }
    for (const char *line = strstr(text.data, "\n| `"); line; line = strstr(line + 1, "\n| `")) {
        int64_t n_bars = 0;
        for (const char *p = line + 1; *p != '\n'; p++)
            n_bars += *p == '|' && p[-1] != '\\';
        assert_int_equal(n_bars, 6);
        n_lines++;
    }
    assert_int_equal(n_lines, n);
    ls_str_release(&text);
}

/* --- the sources --- */

/* The first string literal after `at`, with every %-conversion as a star. */
static bool read_name(char out[96], const char *at)
{
    const char *p = strchr(at, '"'), *end = strchr(at, ';');
    size_t n = 0;
    if (!p || (end && p > end))
        return false;
    for (p++; *p != '"' && n < 95; p++) {
        if (*p != '%') {
            out[n++] = *p;
            continue;
        }
        out[n++] = '*';
        p += strcspn(p, "sdu");
    }
    out[n] = '\0';
    return true;
}

/* Marks the rows that a source file sets. */
static void mark_set(bool *is_set, const char *path)
{
    size_t n;
    const ls_metric_row *rows = ls_metric_rows(&n);
    ls_str text = LS_STR_INIT;
    assert_int_equal(ls_file_read(&text, path), LEASH_OK);
    const char *call = "ls_metrics_set";
    for (const char *p = strstr(text.data, call); p; p = strstr(p + 1, call)) {
        char name[96];
        if (!read_name(name, p))
            continue;
        size_t i = 0;
        while (i < n && strcmp(rows[i].name, name) != 0)
            i++;
        if (i == n)
            fail_msg("%s sets '%s', which has no row in metrics.def", path, name);
        is_set[i] = true;
    }
    ls_str_release(&text);
}

static void the_sources_set_every_row_and_no_other_name(void **state)
{
    (void)state;
    static const char *const folders[] = {"/src/train", "/src/api", "/src/eval"};
    bool is_set[LS_METRICS_MAX] = {false};
    size_t n;
    const ls_metric_row *rows = ls_metric_rows(&n);
    assert_true(n <= LS_METRICS_MAX);
    for (size_t k = 0; k < LS_COUNT(folders); k++) {
        char folder[LS_PATH_MAX], path[LS_PATH_MAX], **names;
        int64_t n_names;
        snprintf(folder, sizeof folder, "%s%s", LEASH_SOURCE_DIR, folders[k]);
        assert_int_equal(ls_dir_list(&names, &n_names, folder), LEASH_OK);
        for (int64_t i = 0; i < n_names; i++)
            if (ls_ends_with(names[i], ".c") && strcmp(names[i], "metrics.c") != 0)
                mark_set(is_set, ls_path_join(path, folder, names[i]));
        ls_names_free(names, n_names);
    }
    for (size_t i = 0; i < n; i++) {
        for (int64_t k = 0; k < ls_n_objective_metrics; k++)
            is_set[i] = is_set[i] || strcmp(rows[i].name, ls_objective_metric_rows[k].name) == 0;
        if (!is_set[i])
            fail_msg("metrics.def has '%s', which nothing sets", rows[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_step_is_one_object_in_the_order_of_the_rows),
        cmocka_unit_test(a_value_that_is_not_finite_is_null),
        cmocka_unit_test(values_of_one_row_keep_their_order_and_are_replaced_by_name),
        cmocka_unit_test(numbers_read_back_to_the_same_bits),
        cmocka_unit_test(every_row_has_a_meaning_a_formula_and_a_name_of_its_own),
        cmocka_unit_test(the_document_has_a_line_for_every_row),
        cmocka_unit_test(the_sources_set_every_row_and_no_other_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
