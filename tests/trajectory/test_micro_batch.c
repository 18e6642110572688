/* How a run is carried out changes no bit of it: sequences that go through the model at once,
 * recomputation, threads, slots and chunks of the rollout engine.  Runs are compared by weights,
 * moments, metrics (times aside) and completions. */
#include "small_runs.h"
#include "base/rng.h"

typedef struct way {
    int micro; /* sequences at once, a divisor of SMALL_UPDATE */
    int recomputes, threads, slots, chunk;
} way;

static const way usual = {.micro = 4, .recomputes = 0, .threads = 2, .slots = 64, .chunk = 512};

static void run_way(const small_run *run, const way *w, const char *dir)
{
    run_ok("%s --per_device_train_batch_size %d --gradient_accumulation_steps %d "
           "--gradient_checkpointing %s --threads %d "
           "--rollout_slots %d --prefill_chunk %d --overwrite --output_dir %s",
           run->settings, w->micro, SMALL_UPDATE / w->micro, w->recomputes ? "true" : "false",
           w->threads, w->slots, w->chunk, dir);
}

static void check_way(const small_run *run, const way *w)
{
    run_way(run, w, "other");
    print_message(
        "%s: %d sequences at once, recomputation %d, %d threads, %d slots, chunks of %d\n",
        run->name, w->micro, w->recomputes, w->threads, w->slots, w->chunk);
    assert_same_run("usual", "other");
}

/* One setting at a time. */
static void check_each(const small_run *run)
{
    static const int micros[] = {1, 2, 8}, threads[] = {1, 3, 4}, slots[] = {1, 3, 16},
                     chunks[] = {1, 5};
    way w = usual;
    for (size_t i = 0; i < LS_COUNT(micros); i++, w = usual) {
        w.micro = micros[i];
        check_way(run, &w);
    }
    for (size_t i = 0; i < LS_COUNT(threads); i++, w = usual) {
        w.threads = threads[i];
        check_way(run, &w);
    }
    w.recomputes = 1;
    check_way(run, &w);
    if (!ls_starts_with(run->settings, "grpo"))
        return;
    w = usual;
    for (size_t i = 0; i < LS_COUNT(slots); i++, w = usual) {
        w.slots = slots[i];
        check_way(run, &w);
    }
    for (size_t i = 0; i < LS_COUNT(chunks); i++, w = usual) {
        w.chunk = chunks[i];
        check_way(run, &w);
    }
}

static void check_random(const small_run *run, uint32_t which, int n)
{
    for (int i = 0; i < n; i++) {
        ls_rng_name name = {.seed = 7, .prompt = which, .sample = (uint32_t)i};
        int pick[5];
        for (int k = 0; k < 5; k++, name.position++)
            pick[k] = (int)(ls_rng_uniform(&name) * 1024);
        check_way(run, &(way){1 << pick[0] % 4, pick[1] % 2, 1 + pick[2] % 4, 1 + pick[3] % 16,
                              1 + pick[4] % 9});
    }
}

static uint32_t find_run(const char *name)
{
    uint32_t which = 0;
    while (strcmp(small_runs[which].name, name) != 0)
        which++;
    return which;
}

static void check_run(const char *name)
{
    uint32_t which = find_run(name);
    run_way(&small_runs[which], &usual, "usual");
    if (!run_is_quick())
        check_each(&small_runs[which]);
    check_random(&small_runs[which], which, run_count(4, 2));
}

static void sft_does_not_depend_on_how_it_is_carried_out(void **state)
{
    (void)state;
    check_run("sft");
}

static void packed_sft_does_not_depend_on_how_it_is_carried_out(void **state)
{
    (void)state;
    check_run("packed");
}

static void grpo_with_a_reference_does_not_depend_on_how_it_is_carried_out(void **state)
{
    (void)state;
    check_run("grpo");
    assert_true(run_metric("usual", 1, "kl/seq_k1") != 0);
    assert_true(run_metric("usual", 1, "tokens/useful") > 0);
}

static void several_updates_and_passes_do_not_depend_on_how_they_are_carried_out(void **state)
{
    (void)state;
    check_run("off-policy");
    assert_true(run_metric("usual", -1, "updates") == 12);
}

static void dapo_with_refill_does_not_depend_on_how_it_is_carried_out(void **state)
{
    (void)state;
    check_run("dapo");
    assert_true(run_metric("usual", 0, "groups/sampled") > SMALL_UPDATE / 4);
}

static void lora_does_not_depend_on_how_it_is_carried_out(void **state)
{
    (void)state;
    check_run("lora-sft");
    check_run("lora");
    assert_true(run_metric("usual", 0, "kl/seq_k1") == 0);
    assert_true(run_metric("usual", 1, "kl/seq_k1") != 0);
    assert_true(run_metric("usual", 1, "tokens/useful") > 0);
}

static void pairs_do_not_depend_on_how_they_are_carried_out(void **state)
{
    (void)state;
    check_run("dpo");
    assert_true(run_metric("usual", 0, "rewards/margins") == 0);
    assert_true(run_metric("usual", -1, "rewards/margins") > 0);
    check_run("simpo");
    check_run("beta-dpo");
    assert_true(run_metric("usual", 0, "kl_coef") == 0.1);
    assert_true(run_metric("usual", 2, "kl_coef") != 0.1);
    check_run("lora-dpo");
    assert_true(run_metric("usual", 0, "rewards/margins") == 0);
    assert_true(run_metric("usual", -1, "rewards/margins") != 0);
}

/* The scores of the reference are the same from a second model, from the policy before it moved,
 * and in other micro-batches. */
static void precomputed_scores_of_the_reference_change_no_bit(void **state)
{
    (void)state;
    check_run("precomputed");
    run_way(&small_runs[find_run("dpo")], &usual, "other");
    assert_same_run("usual", "other");
}

/* The KL to a reference that was mixed with the policy is smaller than that to the first one. */
static void a_moving_reference_does_not_depend_on_how_it_is_carried_out(void **state)
{
    (void)state;
    check_run("tr-dpo");
    run_ok("dpo --overwrite --output_dir other --gradient_accumulation_steps 2 "
           "--per_device_train_batch_size 4 --max_steps 4 " SMALL_PAIRS);
    assert_true(run_metric("usual", 1, "rewards/margins") ==
                run_metric("other", 1, "rewards/margins"));
    assert_true(run_metric("usual", 2, "rewards/margins") !=
                run_metric("other", 2, "rewards/margins"));
}

static void labels_do_not_depend_on_how_they_are_carried_out(void **state)
{
    (void)state;
    check_run("kto");
    assert_true(run_metric("usual", 0, "baseline") == 0);
    check_run("bco");
    assert_true(run_metric("usual", 0, "baseline") == 0);
    assert_true(run_metric("usual", 1, "baseline") != 0);
}

static void reward_models_do_not_depend_on_how_they_are_carried_out(void **state)
{
    (void)state;
    check_run("reward");
    assert_true(run_metric("usual", 1, "accuracy") >= 0);
    check_run("prm");
    check_run("model-reward");
    assert_true(run_metric("usual", 0, "rewards/model/std") > 0);
}

static void ppo_does_not_depend_on_how_it_is_carried_out(void **state)
{
    (void)state;
    check_run("ppo");
    assert_true(run_metric("usual", -1, "updates") == 16);
    assert_true(run_metric("usual", -1, "loss/value_avg") > 0);
}

static void distillation_does_not_depend_on_how_it_is_carried_out(void **state)
{
    (void)state;
    check_run("distill");
    assert_true(run_metric("usual", 0, "distill/tail") > 0);
    check_run("gkd");
    assert_true(run_metric("usual", 0, "distill/tail") == 0);
}

static void selected_completions_do_not_depend_on_how_they_are_carried_out(void **state)
{
    (void)state;
    check_run("online-dpo");
    check_run("raft");
    assert_true(run_metric("usual", 0, "selection/kept") <= 0.25);
}

static void rloo_with_evaluations_does_not_depend_on_how_it_is_carried_out(void **state)
{
    (void)state;
    check_run("rloo");
    assert_true(run_metric("usual", 1, "eval/problems") == 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sft_does_not_depend_on_how_it_is_carried_out),
        cmocka_unit_test(packed_sft_does_not_depend_on_how_it_is_carried_out),
        cmocka_unit_test(grpo_with_a_reference_does_not_depend_on_how_it_is_carried_out),
        cmocka_unit_test(several_updates_and_passes_do_not_depend_on_how_they_are_carried_out),
        cmocka_unit_test(dapo_with_refill_does_not_depend_on_how_it_is_carried_out),
        cmocka_unit_test(lora_does_not_depend_on_how_it_is_carried_out),
        cmocka_unit_test(pairs_do_not_depend_on_how_they_are_carried_out),
        cmocka_unit_test(precomputed_scores_of_the_reference_change_no_bit),
        cmocka_unit_test(a_moving_reference_does_not_depend_on_how_it_is_carried_out),
        cmocka_unit_test(labels_do_not_depend_on_how_they_are_carried_out),
        cmocka_unit_test(reward_models_do_not_depend_on_how_they_are_carried_out),
        cmocka_unit_test(ppo_does_not_depend_on_how_it_is_carried_out),
        cmocka_unit_test(distillation_does_not_depend_on_how_it_is_carried_out),
        cmocka_unit_test(selected_completions_do_not_depend_on_how_they_are_carried_out),
        cmocka_unit_test(rloo_with_evaluations_does_not_depend_on_how_it_is_carried_out),
    };
    return cmocka_run_group_tests(tests, small_runs_setup, small_runs_teardown);
}
