/* state.json: every field comes back, and nothing else is taken. */
#include "close.h"

#include <float.h>
#include <string.h>
#include "train/state.h"

static const ls_train_state sample = {.step = 20,
                                      .updates = 40,
                                      .draws = INT64_MAX,
                                      .tokens = 123456789012,
                                      .episodes = 5,
                                      .idle_steps = 6,
                                      .beta = 0.1,
                                      .entropy_coef = 0.25,
                                      .reward_n = 3,
                                      .reward_mean = -0.5,
                                      .reward_squares = 1.5,
                                      .gap_n = 9,
                                      .gap_mean = 2.5,
                                      .gap_std = 0.5,
                                      .config_hash = UINT64_MAX,
                                      .data_hash = 1,
                                      .reference_hash = 0x0123456789abcdef,
                                      .metrics_bytes = 7,
                                      .completions_bytes = 8};

static void text_is_one_line_a_field(void **state)
{
    (void)state;
    ls_str json = LS_STR_INIT;
    ls_train_state_json(&sample, &json);
    assert_string_equal(json.data, "{\n"
                                   "  \"format\": 1,\n"
                                   "  \"step\": 20,\n"
                                   "  \"updates\": 40,\n"
                                   "  \"draws\": 9223372036854775807,\n"
                                   "  \"tokens\": 123456789012,\n"
                                   "  \"episodes\": 5,\n"
                                   "  \"idle_steps\": 6,\n"
                                   "  \"beta\": 0.1,\n"
                                   "  \"entropy_coef\": 0.25,\n"
                                   "  \"reward_n\": 3,\n"
                                   "  \"reward_mean\": -0.5,\n"
                                   "  \"reward_squares\": 1.5,\n"
                                   "  \"gap_n\": 9,\n"
                                   "  \"gap_mean\": 2.5,\n"
                                   "  \"gap_std\": 0.5,\n"
                                   "  \"config_hash\": \"ffffffffffffffff\",\n"
                                   "  \"data_hash\": \"0000000000000001\",\n"
                                   "  \"reference_hash\": \"0123456789abcdef\",\n"
                                   "  \"metrics_bytes\": 7,\n"
                                   "  \"completions_bytes\": 8\n"
                                   "}\n");
    ls_str_release(&json);
}

static void every_bit_of_every_field_comes_back(void **state)
{
    (void)state;
    for (size_t at = 0; at < sizeof sample; at += 8)
        for (int bit = 0; bit < 64; bit++) {
            ls_train_state one = sample, back;
            unsigned char *bytes = (unsigned char *)&one + at;
            bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
            if (!isfinite(one.beta) || !isfinite(one.entropy_coef) || !isfinite(one.reward_n) ||
                !isfinite(one.reward_mean) || !isfinite(one.reward_squares) ||
                !isfinite(one.gap_mean) || !isfinite(one.gap_std))
                continue;
            ls_str json = LS_STR_INIT;
            ls_train_state_json(&one, &json);
            assert_int_equal(ls_train_state_parse(&back, json.data, json.len, "x"), LEASH_OK);
            assert_memory_equal(&back, &one, sizeof one);
            ls_str_release(&json);
        }
}

static void small_and_whole_reals_come_back(void **state)
{
    (void)state;
    static const double values[] = {0, 3, -2.5, DBL_MIN, DBL_TRUE_MIN, DBL_MAX, 1.0 / 3, 1e22};
    for (size_t i = 0; i < LS_COUNT(values); i++) {
        ls_train_state one = sample, back;
        ls_str json = LS_STR_INIT;
        one.beta = values[i];
        ls_train_state_json(&one, &json);
        assert_int_equal(ls_train_state_parse(&back, json.data, json.len, "x"), LEASH_OK);
        assert_memory_equal(&back.beta, &values[i], sizeof values[i]);
        ls_str_release(&json);
    }
}

/* The sample's text with one part replaced is refused with `error`, and the output is left
 * alone. */
static void refuses(const char *part, const char *replacement, const char *error)
{
    ls_str json = LS_STR_INIT, changed = LS_STR_INIT;
    ls_train_state_json(&sample, &json);
    char *at = strstr(json.data, part);
    assert_non_null(at);
    ls_str_append_n(&changed, json.data, (size_t)(at - json.data));
    ls_str_append(&changed, replacement);
    ls_str_append(&changed, at + strlen(part));
    ls_train_state out = {.step = 77};
    assert_int_equal(ls_train_state_parse(&out, changed.data, changed.len, "state.json"),
                     LEASH_FORMAT);
    if (!strstr(leash_error(), error))
        fail_msg("\"%s\" has no \"%s\"", leash_error(), error);
    assert_int_equal(out.step, 77);
    ls_str_release(&json);
    ls_str_release(&changed);
}

static void other_texts_are_refused_by_name(void **state)
{
    (void)state;
    refuses("  \"draws\": 9223372036854775807,\n", "", "state.json: 'draws' is missing");
    refuses("\"step\": 20", "\"step\": 20.0", "state.json: 'step' is not a whole number");
    refuses("\"step\": 20", "\"step\": \"20\"", "state.json: 'step' is not a whole number");
    refuses("\"beta\": 0.1", "\"beta\": null", "state.json: 'beta' is not a number");
    refuses("\"ffffffffffffffff\"", "\"fffffffffffffff\"", "'config_hash' is not a hash");
    refuses("\"ffffffffffffffff\"", "\"FFFFFFFFFFFFFFFF\"", "'config_hash' is not a hash");
    refuses("\"ffffffffffffffff\"", "18446744073709551615", "state.json:17: no valid JSON");
    refuses("\"format\": 1", "\"format\": 2", "state.json: 'format' is not 1");
    refuses("\"step\": 20,", "\"step\": 20, \"epoch\": 1,", "state.json: 21 keys, expected 20");
    refuses("\"step\": 20,", "\"step\": 20, \"step\": 21,", "state.json:3: no valid JSON");
    refuses("9223372036854775807", "9223372036854775808", "state.json:5: no valid JSON");
    refuses("{\n", "[{\n", "no valid JSON");
    refuses("}\n", "", "no valid JSON");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_one_line_a_field),
        cmocka_unit_test(every_bit_of_every_field_comes_back),
        cmocka_unit_test(small_and_whole_reals_come_back),
        cmocka_unit_test(other_texts_are_refused_by_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
