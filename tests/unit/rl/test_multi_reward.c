/* Several rewards: the published vector, and what the scale of one of them must not do. */
#include "close.h"

#include <string.h>
#include "rl/multi_reward.h"

#define N 4
static const int32_t group[N] = {0, 0, 0, 0};
static const double both[] = {1, .2, 0, .2, 1, .9, 0, .4}, ones[] = {1, 1};

static void compute(double *advantage, const double *score, const double *weight, int64_t n_rewards,
                    double std_epsilon)
{
    double scratch[2 * N];
    ls_group_stats groups[1];
    ls_advantage_options options = {.std_epsilon = std_epsilon};
    ls_reward_batch batch = {.n_seqs = N, .n_groups = 1, .group = group};
    ls_multi_reward rewards = {.n_rewards = n_rewards, .score = score, .weight = weight};
    assert_int_equal(ls_multi_reward_advantage(advantage, ls_advantage_find("grpo"), &options,
                                               &batch, &rewards, groups, scratch),
                     LEASH_OK);
}

static void tv_gdpo_has_its_published_advantages(void **state)
{
    (void)state;
    static const double expected[N] = {0.109208140668, -0.91253583385, 1.35882899673,
                                       -0.555501303547};
    double a[N];
    compute(a, both, ones, 2, 1e-4);
    for (int i = 0; i < N; i++)
        assert_close(a[i], expected[i], 1e-11);
}

static void the_scale_of_a_reward_does_not_matter_and_its_weight_does(void **state)
{
    (void)state;
    static const double weights[] = {1, 3};
    double scaled[2 * N], a[N], b[N], c[N];
    memcpy(scaled, both, sizeof both);
    for (int i = 0; i < N; i++)
        scaled[2 * i] *= 1000;
    compute(a, both, ones, 2, 0);
    compute(b, scaled, ones, 2, 0);
    compute(c, both, weights, 2, 0);
    for (int i = 0; i < N; i++)
        assert_close(b[i], a[i], 1e-12);
    assert_true(fabs(c[0] - a[0]) > 0.1);
}

static void one_reward_alone_is_its_z_score(void **state)
{
    (void)state;
    static const double reward[] = {1, 0, 0, 0}, expected[] = {1.5, -.5, -.5, -.5};
    double a[N];
    compute(a, reward, ones, 1, 0);
    for (int i = 0; i < N; i++)
        assert_close(a[i], expected[i], 1e-12);
}

static void missing_scores_add_nothing_and_equal_ones_teach_nothing(void **state)
{
    (void)state;
    static const double partly[] = {1, NAN, 0, NAN, NAN, NAN, 0, NAN};
    static const double equal[] = {1, .5, 1, .5, 1, .5, 1, .5};
    double a[N];
    compute(a, partly, ones, 2, 0);
    assert_close(a[0], 2 / sqrt(3), 1e-12);
    assert_close(a[1], a[3], 0);
    assert_true(a[2] == 0);
    compute(a, equal, ones, 2, 0);
    for (int i = 0; i < N; i++)
        assert_true(a[i] == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tv_gdpo_has_its_published_advantages),
        cmocka_unit_test(the_scale_of_a_reward_does_not_matter_and_its_weight_does),
        cmocka_unit_test(one_reward_alone_is_its_z_score),
        cmocka_unit_test(missing_scores_add_nothing_and_equal_ones_teach_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
