/* Aggregations: published losses and gradients over one batch, and what is counted. */
#include "close.h"

#include "common_vector.h"

typedef struct aggregation_case {
    const char *name;
    double loss;
    double gradients[10];
} aggregation_case;

static void every_aggregation_has_its_published_loss_and_gradients(void **state)
{
    (void)state;
    static const aggregation_case cases[] = {
        {"token-mean",
         -0.0286658694291,
         {0, -0.142684414, 0, 0, 0.0552585459, 0.05, 0.05, 0.05, 0.05, 0.202759998}},
        {"seq-mean",
         0.312069500173,
         {0, -0.118903678, 0, 0, 0.0690731824, 0.03125, 0.03125, 0.03125, 0.03125, 0.506899996}},
        {"seq-sum",
         -0.0716646735727,
         {0, -0.356711034, 0, 0, 0.138146365, 0.125, 0.125, 0.125, 0.125, 0.506899996}},
        {"fixed-length",
         -0.00895808419659,
         {0, -0.0445888793, 0, 0, 0.0172682956, 0.015625, 0.015625, 0.015625, 0.015625,
          0.0633624995}},
    };
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.epsilon_high = 0.28;
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        common_result r = common_run("ppo-clip", cases[i].name, &options, common_advantage);
        assert_close(r.metrics.loss, cases[i].loss, FLOAT_INPUT);
        for (int t = 0; t < 10; t++)
            assert_close((double)r.dlogp[t], cases[i].gradients[t], FLOAT_INPUT);
    }
    options.epsilon_high = -1;
    assert_close(common_run("ppo-clip", "token-mean", &options, common_advantage).metrics.loss,
                 -0.00466586942909, FLOAT_INPUT);
}

static void kl_is_aggregated_with_the_same_weights(void **state)
{
    (void)state;
    static const double gradients[10] = {0.0013187198, -0.142489331, 0.000725076976, -0.00139943523,
                                         0.0548378622, 0.0503806503, 0.0495793163,   0.05,
                                         0.0503806503, 0.20513372};
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.epsilon_high = 0.28;
    options.beta = 0.04;
    common_result r = common_run("ppo-clip", "token-mean", &options, common_advantage);
    assert_close(r.metrics.loss, -0.0267989679765, FLOAT_INPUT);
    for (int t = 0; t < 10; t++)
        assert_close((double)r.dlogp[t], gradients[t], FLOAT_INPUT);
}

static void other_advantages_have_their_published_losses(void **state)
{
    (void)state;
    float a[10];
    ls_objective_options options = LS_OBJECTIVE_OPTIONS_INIT;
    options.epsilon_high = 0.28;
    for (int t = 0; t < 10; t++)
        a[t] = t < 3 ? 0.75f : -0.25f;
    assert_close(common_run("ppo-clip", "fixed-length", &options, a).metrics.loss, -0.0044790420983,
                 FLOAT_INPUT);
    options.beta = 0.04;
    for (int t = 0; t < 10; t++)
        a[t] = t < 3 ? 1.49999700001f : -0.499999000002f;
    assert_close(common_run("ppo-clip", "token-mean", &options, a).metrics.loss, -0.0267989106449,
                 FLOAT_INPUT);
}

static void masked_sequences_count_and_dropped_ones_do_not(void **state)
{
    (void)state;
    static const uint8_t mask[] = {1, 1, 1, 1, 1, 1, 0, 1, 1, 1};
    static const uint8_t flags[] = {0, LS_SEQ_MASKED, 0, LS_SEQ_DROPPED};
    float w[10];
    ls_aggregation_totals totals;
    ls_aggregation_input input = {
        .n_seqs = 4, .seq_start = common_start, .mask = mask, .flags = flags};
    assert_int_equal(ls_aggregation_weights(w, &totals, ls_aggregation_find("seq-mean"), &input),
                     LEASH_OK);
    assert_int_equal(totals.n_seqs, 3);
    assert_int_equal(totals.n_tokens, 6);
    assert_int_equal(totals.n_empty, 1);
    assert_close(totals.normaliser, 3, 0);
    for (int t = 0; t < 10; t++) {
        double expected = t < 3 || (t >= 5 && t < 9 && t != 6) ? 1.0 / 9 : 0;
        assert_true(w[t] == (float)expected);
    }
    assert_int_equal(ls_aggregation_weights(w, &totals, ls_aggregation_find("token-mean"), &input),
                     LEASH_OK);
    assert_true(w[0] == (float)(1.0 / 6) && w[3] == 0 && w[6] == 0 && w[9] == 0);
}

static void weights_do_not_depend_on_where_the_view_begins(void **state)
{
    (void)state;
    static const int64_t moved[] = {100, 103, 105, 109, 110};
    for (int64_t i = 0; i < ls_n_aggregations; i++) {
        float a[10], b[10];
        ls_aggregation_totals totals;
        ls_aggregation_input x = {.n_seqs = 4, .seq_start = common_start, .fixed_length = 8};
        ls_aggregation_input y = {.n_seqs = 4, .seq_start = moved, .fixed_length = 8};
        assert_int_equal(ls_aggregation_weights(a, &totals, &ls_aggregations[i], &x), LEASH_OK);
        assert_int_equal(ls_aggregation_weights(b, &totals, &ls_aggregations[i], &y), LEASH_OK);
        assert_memory_equal(a, b, sizeof a);
    }
}

static void a_step_without_trained_tokens_says_so(void **state)
{
    (void)state;
    static const uint8_t flags[] = {LS_SEQ_DROPPED, LS_SEQ_DROPPED, LS_SEQ_DROPPED, LS_SEQ_DROPPED};
    for (int64_t i = 0; i < ls_n_aggregations; i++) {
        float w[10];
        ls_aggregation_totals totals;
        ls_aggregation_input input = {
            .n_seqs = 4, .seq_start = common_start, .flags = flags, .fixed_length = 8};
        assert_int_equal(ls_aggregation_weights(w, &totals, &ls_aggregations[i], &input), LEASH_OK);
        assert_int_equal(totals.n_tokens, 0);
        for (int t = 0; t < 10; t++)
            assert_true(w[t] == 0);
    }
}

static void fixed_length_needs_a_length(void **state)
{
    (void)state;
    float w[10];
    ls_aggregation_totals totals;
    ls_aggregation_input input = {.n_seqs = 4, .seq_start = common_start};
    assert_int_equal(
        ls_aggregation_weights(w, &totals, ls_aggregation_find("fixed-length"), &input),
        LEASH_USAGE);
    assert_null(ls_aggregation_find("no such"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_aggregation_has_its_published_loss_and_gradients),
        cmocka_unit_test(kl_is_aggregated_with_the_same_weights),
        cmocka_unit_test(other_advantages_have_their_published_losses),
        cmocka_unit_test(masked_sequences_count_and_dropped_ones_do_not),
        cmocka_unit_test(weights_do_not_depend_on_where_the_view_begins),
        cmocka_unit_test(a_step_without_trained_tokens_says_so),
        cmocka_unit_test(fixed_length_needs_a_length),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
