/* What people see: rows with marks, and totals. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "base/mem.h"
#include "data_options.h"
#include "data/dataset.h"

static const char rows[] = "{\"prompt\": \"1+1=\", \"completion\": \"a\\nb\", \"answer\": 2}\n"
                           "{\"text\": \"\xc3\xa9\xe6\x97\xa5!\"}\n"
                           "{\"prompt\": \"0123456789\", \"completion\": \"0123456789\"}\n";

static ls_tokenizer *byte;
static ls_dataset data;

static int make_data(void **state)
{
    (void)state;
    ls_data_options options = data_options(18);
    options.truncation = "keep_start";
    if (ls_tokenizer_new(&byte, "byte") != LEASH_OK)
        return -1;
    return ls_dataset_load_text(&data, &(ls_dataset_text){"rows.jsonl", rows, strlen(rows)},
                                &(ls_dataset_input){.options = &options, .tokenizer = byte});
}

static int free_data(void **state)
{
    (void)state;
    ls_dataset_release(&data);
    ls_tokenizer_free(byte);
    return 0;
}

static void assert_shown(int64_t first, int64_t count, bool colour, int columns,
                         const char *expected)
{
    ls_str out = LS_STR_INIT;
    ls_show what = {first, count, colour, columns};
    assert_int_equal(ls_dataset_show(&data, byte, &what, &out), LEASH_OK);
    assert_string_equal(out.data, expected);
    ls_str_release(&out);
}

static void trained_tokens_stand_in_marks(void **state)
{
    (void)state;
    assert_shown(0, 2, false, 0,
                 "row 1 (line 1): 8 tokens, 4 of prompt, 4 trained\n"
                 "  1+1=[[a\\nb<|eos|>]]\n"
                 "  answer: 2\n"
                 "row 2 (line 2): 7 tokens, 0 of prompt, 6 trained\n"
                 "  \\xc3[[\\xa9\xe6\x97\xa5!<|eos|>]]\n");
    assert_shown(2, 99, false, 0,
                 "row 3 (line 3): 18 tokens, 10 of prompt, 8 trained, truncated\n"
                 "  0123456789[[01234567]]\n");
    assert_shown(3, 1, false, 0, "");
}

static void colour_takes_the_place_of_marks_and_stops_at_line_ends(void **state)
{
    (void)state;
    assert_shown(2, 1, true, 15,
                 "row 3 (line 3): 18 tokens, 10 of prompt, 8 trained, truncated\n"
                 "  0123456789\x1b[30;42m012\x1b[0m\n"
                 "  \x1b[30;42m34567\x1b[0m\n");
}

static void lines_are_broken_at_the_width(void **state)
{
    (void)state;
    assert_shown(2, 1, false, 13,
                 "row 3 (line 3): 18 tokens, 10 of prompt, 8 trained, truncated\n"
                 "  0123456789\n"
                 "  [[01234567\n"
                 "  ]]\n");
}

static void totals_count_rows_tokens_and_lengths(void **state)
{
    (void)state;
    ls_str out = LS_STR_INIT, expected = LS_STR_INIT;
    ls_dataset_summary(&data, false, &out);
    ls_str_appendf(&expected,
                   "data       rows.jsonl\n"
                   "rows       3 (1 truncated, 0 dropped)\n"
                   "tokens     33, 18 trained (54.5%%)\n"
                   "length     min 7, median 8, p90 18, p99 18, max 18\n"
                   "prompt     max 10\n"
                   "hash       %016llx\n",
                   (unsigned long long)data.hash);
    assert_string_equal(out.data, expected.data);
    ls_str_release(&out);
    ls_str_release(&expected);
}

static void totals_as_json_parse_and_agree(void **state)
{
    (void)state;
    ls_str out = LS_STR_INIT;
    ls_dataset_summary(&data, true, &out);
    json_t *root = json_loads(out.data, JSON_REJECT_DUPLICATES, NULL);
    assert_non_null(root);
    assert_string_equal(json_string_value(json_object_get(root, "name")), "rows.jsonl");
    assert_int_equal(json_integer_value(json_object_get(root, "rows")), 3);
    assert_int_equal(json_integer_value(json_object_get(root, "tokens")), 33);
    assert_int_equal(json_integer_value(json_object_get(root, "trained_tokens")), 18);
    assert_true(json_real_value(json_object_get(root, "trained_share")) == 18.0 / 33.0);
    assert_int_equal(json_integer_value(json_object_get(root, "truncated")), 1);
    assert_int_equal(json_integer_value(json_object_get(root, "dropped")), 0);
    const json_t *length = json_object_get(root, "length");
    assert_int_equal(json_integer_value(json_object_get(length, "p50")), 8);
    assert_int_equal(json_integer_value(json_object_get(length, "max")), 18);
    json_decref(root);
    ls_str_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(trained_tokens_stand_in_marks),
        cmocka_unit_test(colour_takes_the_place_of_marks_and_stops_at_line_ends),
        cmocka_unit_test(lines_are_broken_at_the_width),
        cmocka_unit_test(totals_count_rows_tokens_and_lengths),
        cmocka_unit_test(totals_as_json_parse_and_agree),
    };
    return cmocka_run_group_tests(tests, make_data, free_data);
}
