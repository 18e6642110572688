/* Sampling, judging and counting of an evaluation. */
#include "eval/evaluate.h"

#include <math.h>
#include <string.h>

#include "reward/example.h"

#define WILSON_Z95 1.959963984540054

/* Samples of one problem, judged. */
typedef struct judged {
    int64_t n, n_strict, n_lenient, n_unparsed, n_classes, correct_class;
    int64_t *count;       /* (n_samples) votes of each class of equal answers        */
    const char **answer;  /* (n_samples) text of each class, into `texts`            */
    ls_verdict *verdicts; /* (n_samples) strict verdicts, backing of answer          */
} judged;

/* What an evaluation takes from its arena, completions left out. */
typedef struct arrays {
    ls_prompt *prompts;                   /* (n_problems)             */
    double *strict_score;                 /* (n_problems * n_samples) */
    double *strict_share, *lenient_share; /* (n_problems)             */
    judged judged;
} arrays;

static arrays take_arrays(const ls_eval_request *r)
{
    size_t n = (size_t)r->problems->n_rows, samples = (size_t)r->n_samples;
    arrays a = {.prompts = ls_arena_alloc(r->arena, n * sizeof *a.prompts),
                .strict_score = ls_arena_alloc(r->arena, n * samples * sizeof *a.strict_score),
                .strict_share = ls_arena_alloc(r->arena, n * sizeof *a.strict_share),
                .lenient_share = ls_arena_alloc(r->arena, n * sizeof *a.lenient_share)};
    a.judged = (judged){.count = ls_arena_alloc(r->arena, samples * sizeof *a.judged.count),
                        .answer = ls_arena_alloc(r->arena, samples * sizeof *a.judged.answer),
                        .verdicts = ls_arena_alloc(r->arena, samples * sizeof *a.judged.verdicts)};
    return a;
}

static leash_status check_request(const ls_eval_request *r)
{
    if (r->n_samples > 1 && r->sampling.temperature <= 0)
        return ls_fail(LEASH_USAGE,
                       "eval_samples = %lld completions of a greedy policy are equal: set "
                       "eval_temperature above 0, or eval_samples to 1",
                       (long long)r->n_samples);
    return LEASH_OK;
}

leash_status ls_eval_measure(const ls_eval_request *r)
{
    LS_TRY(check_request(r));
    (void)take_arrays(r);
    return ls_engine_measure(r->engine, r->arena, r->problems->n_rows * r->n_samples,
                             r->sampling.max_completion_length);
}

int64_t ls_eval_max_length(const ls_dataset *problems, const ls_sampling_options *sampling)
{
    return problems->max_prompt + sampling->max_completion_length;
}

static void vote(judged *j, const ls_verdict *verdict)
{
    if (verdict->route == LS_EXTRACT_COUNT) {
        j->n_unparsed++;
        return;
    }
    int64_t k = 0;
    while (k < j->n_classes && strcmp(j->answer[k], verdict->extracted) != 0)
        k++;
    if (k == j->n_classes) {
        j->answer[k] = verdict->extracted;
        j->count[k] = 0;
        j->n_classes++;
    }
    j->count[k]++;
    if (verdict->kind == LS_VERDICT_OK && j->correct_class < 0)
        j->correct_class = k;
}

/* Judges the samples of problem p; scores go to out->strict_score. */
static void judge_problem(judged *j, ls_eval_result *out, const ls_eval_request *r, int64_t p,
                          ls_str *text)
{
    const ls_example *example = &r->problems->rows[p];
    ls_verdict lenient[LS_REWARDS_MAX], strict[LS_REWARDS_MAX];
    j->n = j->n_strict = j->n_lenient = j->n_unparsed = j->n_classes = 0;
    j->correct_class = -1;
    for (int64_t k = 0; k < r->n_samples; k++) {
        const ls_completion *c = &out->rollout.completions[p * r->n_samples + k];
        ls_reward_columns columns;
        ls_str_clear(text);
        ls_tokenizer_decode(r->tokenizer, c->ids, c->n_tokens, false, text);
        ls_reward_input input = ls_example_reward_input(example, text->data, text->len, &columns);
        double *score = &out->strict_score[p * r->n_samples + k];
        (void)ls_reward_total(strict, r->rewards, &input, LS_STRICT);
        (void)ls_reward_total(lenient, r->rewards, &input, LS_LENIENT);
        ls_verdict_kind kind = strict[r->rewards->main].kind;
        j->verdicts[k] = strict[r->rewards->main];
        *score = kind == LS_VERDICT_CANNOT_JUDGE ? NAN : kind == LS_VERDICT_OK;
        if (isnan(*score)) {
            out->n_cannot_judge++;
            continue;
        }
        j->n++;
        j->n_strict += kind == LS_VERDICT_OK;
        j->n_lenient += lenient[r->rewards->main].kind == LS_VERDICT_OK;
        vote(j, &j->verdicts[k]);
    }
}

static leash_status add_problem(ls_eval_result *out, const judged *j, double *strict,
                                double *lenient)
{
    *strict = *lenient = NAN;
    if (j->n == 0)
        return LEASH_OK;
    *strict = (double)j->n_strict / (double)j->n;
    *lenient = (double)j->n_lenient / (double)j->n;
    out->n_judged += j->n;
    out->no_answer += (double)j->n_unparsed;
    for (int64_t i = 0; i < out->n_k; i++) {
        double majority = NAN;
        if (out->k[i] > j->n)
            continue;
        out->pass_at_k[i] += ls_pass_at_k(j->n, j->n_strict, out->k[i]);
        out->pass_at_k_lenient[i] += ls_pass_at_k(j->n, j->n_lenient, out->k[i]);
        LS_TRY(ls_maj_at_k(&majority, j->count, j->n_classes, j->n_unparsed, j->correct_class,
                           out->k[i]));
        out->maj_at_k[i] += majority;
        out->n_at_k[i]++;
    }
    return LEASH_OK;
}

static ls_interval accuracy_interval(const double *value, int64_t n_problems, int64_t n_samples,
                                     uint64_t seed)
{
    if (n_samples > 1)
        return ls_bootstrap_mean(value, n_problems, 0.95, seed);
    int64_t n = 0, correct = 0;
    for (int64_t p = 0; p < n_problems; p++) {
        n += !isnan(value[p]);
        correct += value[p] > 0;
    }
    return ls_wilson(n, correct, WILSON_Z95);
}

static leash_status sample(ls_eval_result *out, const ls_eval_request *r, ls_prompt *prompts)
{
    int64_t n = r->problems->n_rows;
    for (int64_t i = 0; i < n; i++)
        prompts[i] = (ls_prompt){.ids = r->problems->rows[i].ids,
                                 .n_ids = r->problems->rows[i].n_prompt,
                                 .prompt_id = (uint32_t)i,
                                 .n_samples = (int32_t)r->n_samples};
    const int32_t *stop_ids;
    int32_t n_stop_ids = ls_tokenizer_stop_ids(r->tokenizer, &stop_ids);
    ls_rollout_request request = {.prompts = prompts,
                                  .n_prompts = n,
                                  .sampling = r->sampling,
                                  .seed = r->seed,
                                  .purpose = LS_RNG_EVAL,
                                  .step = r->step,
                                  .stop_ids = stop_ids,
                                  .n_stop_ids = n_stop_ids,
                                  .should_stop = r->should_stop,
                                  .on_progress = r->on_progress,
                                  .user = r->user};
    return ls_engine_run(r->engine, &request, r->arena, &out->rollout);
}

static void summarise_lengths(ls_eval_result *out)
{
    double length = 0, entropy = 0, clipped = 0;
    for (int64_t i = 0; i < out->rollout.n_completions; i++) {
        const ls_completion *c = &out->rollout.completions[i];
        length += c->n_tokens;
        clipped += c->finish == LS_FINISH_LENGTH;
        for (int32_t t = 0; t < c->n_tokens; t++)
            entropy += c->entropy[t];
    }
    double n = (double)out->rollout.n_completions;
    out->mean_length = length / n;
    out->clipped_ratio = clipped / n;
    out->entropy = entropy / length;
    out->n_tokens = out->rollout.n_tokens;
    out->seconds = out->rollout.seconds;
}

leash_status ls_evaluate(ls_eval_result *out, const ls_eval_request *r)
{
    memset(out, 0, sizeof *out);
    int64_t n = r->problems->n_rows, n_samples = r->n_samples;
    LS_TRY(check_request(r));
    out->n_problems = n;
    out->n_samples = n_samples;
    for (int64_t k = 1; k <= n_samples && out->n_k < LS_EVAL_K_MAX; k *= 2)
        out->k[out->n_k++] = k;
    arrays a = take_arrays(r);
    judged *j = &a.judged;
    out->strict_score = a.strict_score;
    LS_TRY(sample(out, r, a.prompts));
    ls_str text = LS_STR_INIT;
    leash_status status = LEASH_OK;
    for (int64_t p = 0; p < n && status == LEASH_OK; p++) {
        judge_problem(j, out, r, p, &text);
        status = add_problem(out, j, &a.strict_share[p], &a.lenient_share[p]);
    }
    ls_str_release(&text);
    LS_TRY(status);
    if (out->n_judged == 0)
        return ls_fail(LEASH_DATA,
                       "%s: none of %lld completions could be judged by %s: rows need an answer "
                       "that it can read",
                       r->problems->name, (long long)out->n_cannot_judge,
                       r->rewards->reward[r->rewards->main]->name);
    for (int64_t i = 0; i < out->n_k; i++) {
        out->pass_at_k[i] /= (double)out->n_at_k[i];
        out->pass_at_k_lenient[i] /= (double)out->n_at_k[i];
        out->maj_at_k[i] /= (double)out->n_at_k[i];
    }
    out->no_answer /= (double)out->n_judged;
    out->strict = accuracy_interval(a.strict_share, n, n_samples, r->seed);
    out->lenient = accuracy_interval(a.lenient_share, n, n_samples, r->seed);
    summarise_lengths(out);
    return LEASH_OK;
}
