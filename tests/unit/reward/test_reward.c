/* Several rewards of one completion, and the option rows that choose them. */
#include "close.h"

#include <string.h>
#include "reward/options.h"

static void addends_are_weighted_and_summed(void **state)
{
    (void)state;
    static const ls_reward_part parts[] = {{LS_VERDICT_OK, 1, 2, false},
                                           {LS_VERDICT_WRONG, 0, 5, false},
                                           {LS_VERDICT_OK, 1, 0.5, false}};
    assert_close(ls_reward_combine(parts, 3), 2.5, 0);
}

static void what_cannot_be_judged_is_left_out(void **state)
{
    (void)state;
    static const ls_reward_part parts[] = {{LS_VERDICT_CANNOT_JUDGE, 0, 2, false},
                                           {LS_VERDICT_OK, 1, 1, false}};
    assert_close(ls_reward_combine(parts, 2), 1, 0);
    assert_true(isnan(ls_reward_combine(parts, 1)));
    assert_true(isnan(ls_reward_combine(parts, 0)));
}

static void a_shut_gate_takes_the_score_and_an_open_one_adds_nothing(void **state)
{
    (void)state;
    ls_reward_part parts[] = {{LS_VERDICT_OK, 1, 1, false}, {LS_VERDICT_WRONG, 0, 1, true}};
    assert_close(ls_reward_combine(parts, 2), 0, 0);
    parts[1] = (ls_reward_part){LS_VERDICT_OK, 1, 1, true};
    assert_close(ls_reward_combine(parts, 2), 1, 0);
    parts[1].kind = LS_VERDICT_CANNOT_JUDGE;
    assert_close(ls_reward_combine(parts, 2), 1, 0);
    /* A gate alone judges nothing, and a shut gate does not turn "unscorable" into 0. */
    parts[0].kind = LS_VERDICT_CANNOT_JUDGE;
    parts[1] = (ls_reward_part){LS_VERDICT_WRONG, 0, 1, true};
    assert_true(isnan(ls_reward_combine(parts, 2)));
}

static ls_reward_settings settings_of(const char *reward, const char *weights)
{
    return (ls_reward_settings){.reward = reward,
                                .reward_weights = weights,
                                .answer_extract = "auto",
                                .format_tags = "think,answer",
                                .format_as_gate = true};
}

static void settings_resolve_to_a_plan(void **state)
{
    (void)state;
    ls_reward_plan plan;
    ls_verdict verdicts[LS_REWARDS_MAX];
    ls_reward_settings settings = settings_of("number, format", "2,1");
    assert_int_equal(ls_reward_resolve(&plan, &settings), LEASH_OK);
    assert_int_equal(plan.n, 2);
    assert_true(!plan.is_gate[0] && plan.is_gate[1]);
    ls_reward_input input = {.completion = ls_span_of("<think>a</think><answer>5</answer>"),
                             .gold = ls_span_of("5")};
    assert_close(ls_reward_total(verdicts, &plan, &input, LS_STRICT), 2, 0);
    input.completion = ls_span_of("<answer>5</answer>");
    assert_close(ls_reward_total(verdicts, &plan, &input, LS_STRICT), 0, 0);
    assert_int_equal(verdicts[0].kind, LS_VERDICT_OK);
    assert_int_equal(verdicts[1].kind, LS_VERDICT_WRONG);
    settings.format_as_gate = false;
    assert_int_equal(ls_reward_resolve(&plan, &settings), LEASH_OK);
    assert_close(ls_reward_total(verdicts, &plan, &input, LS_STRICT), 2, 0);
    input.gold = ls_span_of("none");
    settings.reward = "number";
    settings.reward_weights = "";
    assert_int_equal(ls_reward_resolve(&plan, &settings), LEASH_OK);
    assert_true(isnan(ls_reward_total(verdicts, &plan, &input, LS_STRICT)));
}

static void mistakes_are_named(void **state)
{
    (void)state;
    static const struct {
        const char *reward, *weights, *named;
    } cases[] = {{"numbr", "", "number"},
                 {"", "", "no reward"},
                 {"format", "", "format_as_gate"},
                 {"number", "1,2", "reward_weights"},
                 {"number,exact", "1", "2 rewards"},
                 {"number", "much", "much"},
                 {"exact,number,exact", "", "exact is named twice"}};
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        ls_reward_plan plan;
        ls_reward_settings settings = settings_of(cases[i].reward, cases[i].weights);
        assert_int_equal(ls_reward_resolve(&plan, &settings), LEASH_USAGE);
        assert_non_null(strstr(leash_error(), cases[i].named));
    }
    ls_reward_plan plan;
    ls_reward_settings settings = settings_of("number", "");
    settings.answer_extract = "moon";
    assert_int_equal(ls_reward_resolve(&plan, &settings), LEASH_USAGE);
}

static void the_list_the_descriptors_and_the_rows_agree(void **state)
{
    (void)state;
    static const char *const names[] = {
#define LS_REWARD_ROW(symbol, name) name,
#include "reward/rewards.def"
#undef LS_REWARD_ROW
    };
    for (int64_t i = 0; i < ls_n_rewards; i++) {
        assert_string_equal(ls_rewards[i]->name, names[i]);
        assert_ptr_equal(ls_reward_find(names[i]), ls_rewards[i]);
    }
    assert_null(ls_reward_find("no such"));
    for (size_t i = 0; i < ls_reward_option_table.n_rows; i++) {
        const ls_option *row = &ls_reward_option_table.rows[i];
        assert_true(row->offset < sizeof(ls_reward_settings));
        assert_true(row->help && row->def);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addends_are_weighted_and_summed),
        cmocka_unit_test(what_cannot_be_judged_is_left_out),
        cmocka_unit_test(a_shut_gate_takes_the_score_and_an_open_one_adds_nothing),
        cmocka_unit_test(settings_resolve_to_a_plan),
        cmocka_unit_test(mistakes_are_named),
        cmocka_unit_test(the_list_the_descriptors_and_the_rows_agree),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
