/* Losses of reward models: pairs, rankings, steps. */
#include "close.h"

#include <string.h>
#include "rl/objective.h"

/* Scores are floats. */
#define FLOAT_INPUT 2e-7

static const int64_t start[] = {0, 1, 2, 3, 4, 5, 6};

typedef struct result {
    float dvalue[6], dlogp[6];
    ls_objective_metrics m;
} result;

static result run(const ls_objective *objective, const ls_objective_options *o,
                  const leash_streams *given, const float *value)
{
    static const float weight[6] = {1.0f / 6, 1.0f / 6, 1.0f / 6, 1.0f / 6, 1.0f / 6, 1.0f / 6};
    result r;
    leash_streams streams = *given;
    streams.seq_start = start;
    streams.n_tokens = streams.n_seqs;
    if (!streams.weight)
        streams.weight = weight;
    leash_scores scores = {.logp = value, .value = value};
    leash_seeds seeds = {.dlogp = r.dlogp, .dvalue = r.dvalue};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(objective, o, &streams, &scores, &seeds, &sums);
    r.m = ls_objective_finish(&sums, o);
    return r;
}

static const float scores[6] = {1.2f, 0.4f, -0.3f, 0.5f, 2.0f, 2.0f}; /* chosen, rejected, ... */

static void bradley_terry_has_its_published_loss_and_gradients(void **state)
{
    (void)state;
    static const double gradients[] = {-0.103341839624, -0.229991493709, -0.166666666667};
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    leash_streams streams = {.n_seqs = 6};
    result r = run(&ls_objective_reward, &o, &streams, scores);
    assert_close(r.m.loss, 0.745116170819, FLOAT_INPUT);
    for (int i = 0; i < 3; i++) {
        assert_close((double)r.dvalue[2 * i], gradients[i], FLOAT_INPUT);
        assert_close((double)r.dvalue[2 * i + 1], -gradients[i], FLOAT_INPUT);
    }
    assert_close(r.m.score_accuracy, 1.5 / 3, 1e-12); /* a tie is half */
    assert_close(r.m.score_margin, (0.8 - 0.8 + 0) / 3, FLOAT_INPUT);
    assert_close(r.m.score_min, -0.3, FLOAT_INPUT);
    assert_close(r.m.score_max, 2, 0);
    assert_close(r.m.score_mean, 5.8 / 6, FLOAT_INPUT);
}

static void margins_and_centring_have_their_published_losses(void **state)
{
    (void)state;
    static const float margin[6] = {0, 0, 1.0f / 3, 0, 1, 0};
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    leash_streams streams = {.n_seqs = 6, .margin = margin};
    assert_close(run(&ls_objective_reward, &o, &streams, scores).m.loss, 1.03226995436,
                 FLOAT_INPUT);
    streams.margin = NULL;
    o.center_rewards_coefficient = 0.01;
    result r = run(&ls_objective_reward, &o, &streams, scores);
    assert_close(r.m.loss, 0.807116170819, FLOAT_INPUT);
    assert_close((double)r.dvalue[4], -0.166666666667 + 2 * 0.01 * 4 / 3, FLOAT_INPUT);
    o.center_rewards_coefficient = -1;
    assert_int_equal(ls_objective_check(&ls_objective_reward, &o), LEASH_USAGE);
}

static void a_constant_on_every_score_changes_nothing(void **state)
{
    (void)state;
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    leash_streams streams = {.n_seqs = 6};
    float moved[6];
    for (int i = 0; i < 6; i++)
        moved[i] = scores[i] + 4;
    result a = run(&ls_objective_reward, &o, &streams, scores);
    result b = run(&ls_objective_reward, &o, &streams, moved);
    assert_close(a.m.loss, b.m.loss, 1e-6); /* floats near 6 */
}

static void the_score_is_read_at_the_last_trained_token(void **state)
{
    (void)state;
    static const int64_t two[] = {0, 4, 6};
    static const float value[6] = {9, 9, 1.2f, NAN, 9, 0.4f};
    static const float weight[6] = {0, 0.5f, 0.5f, 0, 0, 0.5f};
    float dvalue[6], dlogp[6];
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    leash_streams streams = {.n_tokens = 6, .n_seqs = 2, .seq_start = two, .weight = weight};
    leash_scores read = {.logp = value, .value = value};
    leash_seeds seeds = {.dlogp = dlogp, .dvalue = dvalue};
    ls_objective_sums sums;
    ls_objective_sums_init(&sums);
    ls_objective_run(&ls_objective_reward, &o, &streams, &read, &seeds, &sums);
    assert_close(sums.policy_loss, 0.371100665948, FLOAT_INPUT);
    for (int t = 0; t < 6; t++)
        assert_true((dvalue[t] != 0) == (t == 2 || t == 5));
}

static void rankings_have_their_published_losses(void **state)
{
    (void)state;
    static const float ranked[3] = {1.0f, 0.2f, -0.4f}, third[3] = {1.0f / 3, 1.0f / 3, 1.0f / 3};
    static const int32_t group[3] = {0, 0, 0};
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    leash_streams streams = {.n_seqs = 3, .n_groups = 1, .group = group, .weight = third};
    result r = run(&ls_objective_reward_ranked, &o, &streams, ranked);
    assert_close(r.m.loss, 0.343002008784, FLOAT_INPUT);
    assert_close(r.m.score_accuracy, 1, 0);
    assert_close(run(&ls_objective_reward_listwise, &o, &streams, ranked).m.loss, 0.965716812408,
                 FLOAT_INPUT);
}

static void a_ranking_of_two_is_bradley_terry(void **state)
{
    (void)state;
    static const int32_t group[6] = {0, 0, 1, 1, 2, 2};
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    leash_streams streams = {.n_seqs = 6, .n_groups = 3, .group = group};
    result pairs = run(&ls_objective_reward, &o, &streams, scores);
    const ls_objective *lists[] = {&ls_objective_reward_ranked, &ls_objective_reward_listwise};
    for (int k = 0; k < 2; k++) {
        result r = run(lists[k], &o, &streams, scores);
        assert_close(r.m.loss, pairs.m.loss, 1e-12);
        for (int i = 0; i < 6; i++)
            assert_close((double)r.dvalue[i], (double)pairs.dvalue[i], 1e-7); /* float seeds */
    }
}

static void a_win_rate_of_four_fifths_is_a_difference_of_log_4(void **state)
{
    (void)state;
    static const float label[2] = {0.8f, 0}, half[2] = {0.5f, 0.5f};
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    leash_streams streams = {.n_seqs = 2, .label = label, .weight = half};
    const float value[2] = {(float)log(4), 0};
    assert_close((double)run(&ls_objective_reward, &o, &streams, value).dvalue[0], 0, 1e-7);
}

static void step_labels_are_a_binary_cross_entropy(void **state)
{
    (void)state;
    static const float value[3] = {2, -1, 0.5f}, label[3] = {1, 0, 0.375f};
    static const float weight[3] = {0.5f, 0.5f, 0};
    ls_objective_options o = LS_OBJECTIVE_OPTIONS_INIT;
    leash_streams streams = {.n_seqs = 3, .step_label = label, .weight = weight};
    result r = run(&ls_objective_reward_steps, &o, &streams, value);
    assert_close(r.m.loss, (log1p(exp(-2)) + log1p(exp(-1))) / 2, 1e-12);
    assert_close((double)r.dvalue[0], -0.5 / (1 + exp(2)), 1e-8);
    assert_true(r.dvalue[2] == 0);
    assert_close(r.m.step_accuracy, 1, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bradley_terry_has_its_published_loss_and_gradients),
        cmocka_unit_test(margins_and_centring_have_their_published_losses),
        cmocka_unit_test(a_constant_on_every_score_changes_nothing),
        cmocka_unit_test(the_score_is_read_at_the_last_trained_token),
        cmocka_unit_test(rankings_have_their_published_losses),
        cmocka_unit_test(a_ranking_of_two_is_bradley_terry),
        cmocka_unit_test(a_win_rate_of_four_fifths_is_a_difference_of_log_4),
        cmocka_unit_test(step_labels_are_a_binary_cross_entropy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
