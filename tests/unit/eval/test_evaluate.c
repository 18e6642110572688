/* Counting of an evaluation, with a verdict that depends on the completion, so that problems differ
 * in how many of their samples are judged. */
#include "rollout_fixture.h"
#include "data_options.h"

#include <math.h>
#include <stdlib.h>
#include "base/file.h"
#include "eval/evaluate.h"

#define PROBLEMS 6
#define SAMPLES 8

typedef struct setting {
    model_fixture f;
    ls_arena engine, results;
    ls_tokenizer *tokenizer;
    ls_dataset problems;
    ls_reward_plan rewards;
    ls_eval_request request;
} setting;

/* Right, wrong or, in half of the cases, not to be judged, by the first character; which is also
 * the answer. */
static void judge_first_character(ls_verdict *verdict, const ls_reward_options *options,
                                  const ls_reward_input *input, ls_strictness strictness)
{
    (void)options;
    (void)strictness;
    char first = input->completion.n > 0 ? input->completion.at[0] : 'a';
    ls_verdict_kind kind = first % 4 == 0   ? LS_VERDICT_OK
                           : first % 4 == 1 ? LS_VERDICT_WRONG
                                            : LS_VERDICT_CANNOT_JUDGE;
    *verdict = (ls_verdict){.kind = kind,
                            .score = kind == LS_VERDICT_OK,
                            .route = LS_EXTRACT_WHOLE,
                            .extracted = {first}};
}

static void judge_nothing(ls_verdict *verdict, const ls_reward_options *options,
                          const ls_reward_input *input, ls_strictness strictness)
{
    (void)options;
    (void)input;
    (void)strictness;
    *verdict = (ls_verdict){.kind = LS_VERDICT_CANNOT_JUDGE, .route = LS_EXTRACT_COUNT};
}

static const ls_reward first_character = {.name = "first", .judge = judge_first_character};
static const ls_reward nothing = {.name = "nothing", .judge = judge_nothing};

static void open_setting(setting *s, const ls_reward *reward)
{
    static const char rows[] = "{\"prompt\": \"ab\"}\n{\"prompt\": \"cd\"}\n{\"prompt\": \"ef\"}\n"
                               "{\"prompt\": \"gh\"}\n{\"prompt\": \"ij\"}\n{\"prompt\": \"kl\"}\n";
    static const ls_dataset_text source = {"six.jsonl", rows, sizeof rows - 1};
    const ls_data_options data = data_options(64);
    static const ls_engine_options options = {.rollout_slots = 16, .prefill_chunk = 16};
    memset(s, 0, sizeof *s);
    rollout_model_open(&s->f, fastest_table(), 1, LS_MODEL_FROZEN);
    assert_ok(ls_arena_init(&s->engine, "engine", 0));
    assert_ok(ls_arena_init(&s->results, "results", 0));
    assert_ok(ls_tokenizer_new(&s->tokenizer, "char:abcdefghijklmnopqrstuvwxyz0123456789+-="));
    assert_int_equal(ls_tokenizer_vocab_size(s->tokenizer), FIXTURE_VOCAB);
    ls_dataset_input input = {
        .options = &data, .tokenizer = s->tokenizer, .use = LS_DATA_PROMPTS, .in_order = true};
    assert_ok(ls_dataset_load_text(&s->problems, &source, &input));
    s->rewards = (ls_reward_plan){.n = 1, .reward = {reward}, .weight = {1}};
    s->request =
        (ls_eval_request){.problems = &s->problems,
                          .tokenizer = s->tokenizer,
                          .rewards = &s->rewards,
                          .sampling = {.temperature = 8, .top_p = 1, .max_completion_length = 4},
                          .n_samples = SAMPLES,
                          .seed = 3,
                          .arena = &s->results};
    assert_ok(ls_engine_new(&s->request.engine, s->f.model, &s->engine, &options,
                            ls_eval_max_length(&s->problems, &s->request.sampling)));
}

static void close_setting(setting *s)
{
    ls_dataset_release(&s->problems);
    ls_tokenizer_free(s->tokenizer);
    ls_arena_release(&s->results);
    ls_arena_release(&s->engine);
    fixture_close(&s->f);
}

/* Of the samples of a problem: judged, and right. */
static void count_samples(const ls_eval_result *r, int64_t problem, int64_t *n, int64_t *c)
{
    *n = *c = 0;
    for (int64_t k = 0; k < SAMPLES; k++) {
        double score = r->strict_score[problem * SAMPLES + k];
        *n += !isnan(score);
        *c += score == 1;
    }
}

static void pass_at_k_is_the_mean_over_problems_with_k_judged_samples(void **state)
{
    (void)state;
    setting s;
    ls_eval_result r;
    open_setting(&s, &first_character);
    assert_ok(ls_evaluate(&r, &s.request));
    assert_int_equal(r.n_judged + r.n_cannot_judge, PROBLEMS * SAMPLES);
    assert_int_equal(r.n_k, 4);
    int64_t n_mixed = 0;
    for (int64_t i = 0; i < r.n_k; i++) {
        int64_t k = (int64_t)1 << i, n_problems = 0, n, c;
        double sum = 0;
        for (int64_t p = 0; p < PROBLEMS; p++) {
            count_samples(&r, p, &n, &c);
            if (n < k)
                continue;
            sum += ls_pass_at_k(n, c, k);
            n_problems++;
        }
        assert_int_equal(r.k[i], k);
        assert_int_equal(r.n_at_k[i], n_problems);
        if (n_problems > 0)
            assert_true(r.pass_at_k[i] == sum / (double)n_problems);
        else
            assert_true(isnan(r.pass_at_k[i]));
        n_mixed += n_problems > 0 && n_problems < PROBLEMS;
    }
    assert_true(n_mixed > 0); /* else the claim is empty */
    close_setting(&s);
}

/* Gives the tokenizer of a setting the ends of a generation_config.json. */
static void add_ends(setting *s, const char *generation)
{
    char dir[] = "/tmp/leash-ends-XXXXXX", path[LS_PATH_MAX];
    assert_non_null(mkdtemp(dir));
    assert_ok(ls_tokenizer_save(s->tokenizer, dir));
    assert_ok(ls_file_write_atomic(ls_path_join(path, dir, "generation_config.json"), generation,
                                   strlen(generation)));
    ls_tokenizer_free(s->tokenizer);
    assert_ok(ls_tokenizer_load(&s->tokenizer, dir));
    assert_ok(ls_dir_remove(dir));
    s->request.tokenizer = s->tokenizer;
}

static void a_completion_ends_at_any_of_the_tokenizers_ends(void **state)
{
    (void)state;
    setting s;
    ls_eval_result r;
    open_setting(&s, &first_character);
    add_ends(&s, "{\"eos_token_id\": [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]}");
    assert_ok(ls_evaluate(&r, &s.request));
    int64_t n_other = 0;
    for (int64_t i = 0; i < r.rollout.n_completions; i++) {
        const ls_completion *c = &r.rollout.completions[i];
        for (int32_t t = 0; t + 1 < c->n_tokens; t++)
            assert_true(c->ids[t] > 9 && c->ids[t] != ls_tokenizer_eos(s.tokenizer));
        int32_t last = c->ids[c->n_tokens - 1];
        bool is_end = last <= 9 || last == ls_tokenizer_eos(s.tokenizer);
        assert_int_equal(c->finish, is_end ? LS_FINISH_STOP : LS_FINISH_LENGTH);
        n_other += last <= 9;
    }
    assert_true(n_other > 0); /* else the claim is empty */
    close_setting(&s);
}

static void an_evaluation_that_judges_nothing_is_an_error(void **state)
{
    (void)state;
    setting s;
    ls_eval_result r;
    open_setting(&s, &nothing);
    assert_int_equal(ls_evaluate(&r, &s.request), LEASH_DATA);
    assert_string_equal(leash_error(),
                        "six.jsonl: none of 48 completions could be judged by nothing: rows need "
                        "an answer that it can read");
    close_setting(&s);
}

static void equal_samples_are_refused_before_and_at_the_evaluation(void **state)
{
    (void)state;
    setting s;
    ls_eval_result r;
    open_setting(&s, &first_character);
    s.request.sampling.temperature = 0;
    assert_int_equal(ls_evaluate(&r, &s.request), LEASH_USAGE);
    assert_int_equal(ls_eval_measure(&s.request), LEASH_USAGE);
    s.request.n_samples = 1;
    assert_ok(ls_eval_measure(&s.request));
    assert_ok(ls_evaluate(&r, &s.request));
    close_setting(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pass_at_k_is_the_mean_over_problems_with_k_judged_samples),
        cmocka_unit_test(a_completion_ends_at_any_of_the_tokenizers_ends),
        cmocka_unit_test(an_evaluation_that_judges_nothing_is_an_error),
        cmocka_unit_test(equal_samples_are_refused_before_and_at_the_evaluation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
