/* Held-out evaluation inside of a run. */
#include "train/run.h"

#include <string.h>

#include "base/clock.h"

static void report_progress(void *user, int64_t done, int64_t total, int64_t tokens)
{
    ls_run *run = user;
    (void)tokens;
    if (run->hooks.on_progress)
        run->hooks.on_progress(run->hooks.user, run, "evaluate",
                               total ? (double)done / (double)total : 0);
}

static ls_eval_request make_request(ls_run *run)
{
    const ls_run_options *o = run->o;
    ls_eval_request request = {.engine = run->engine,
                               .problems = &run->held_out,
                               .tokenizer = run->source.tokenizer,
                               .rewards = &run->rewards,
                               .sampling = o->sampling,
                               .n_samples = o->eval.eval_samples,
                               .seed = (uint64_t)o->train.seed,
                               .step = (uint32_t)run->state.step,
                               .arena = &run->arena[LS_ROLE_STEP],
                               .on_progress = report_progress,
                               .user = run};
    request.sampling.temperature = o->eval.eval_temperature;
    return request;
}

leash_status ls_run_measure_evaluation(ls_run *run)
{
    ls_eval_request request = make_request(run);
    ls_arena_mark mark = ls_arena_get_mark(request.arena);
    LS_TRY(ls_eval_measure(&request));
    ls_arena_rewind(request.arena, mark);
    return LEASH_OK;
}

leash_status ls_run_evaluate(ls_run *run, ls_metrics *m)
{
    ls_arena *step = &run->arena[LS_ROLE_STEP];
    ls_arena_mark mark = ls_arena_get_mark(step);
    double started = ls_clock_seconds();
    ls_eval_request request = make_request(run);
    ls_eval_result r;
    leash_status status = ls_evaluate(&r, &request);
    ls_arena_rewind(step, mark);
    LS_TRY(status);
    ls_metrics_set(m, "eval/accuracy", r.strict.value);
    ls_metrics_set(m, "eval/accuracy_low", r.strict.low);
    ls_metrics_set(m, "eval/accuracy_high", r.strict.high);
    ls_metrics_set(m, "eval/accuracy_lenient", r.lenient.value);
    ls_metrics_set(m, "eval/mean_length", r.mean_length);
    ls_metrics_set(m, "eval/clipped_ratio", r.clipped_ratio);
    ls_metrics_set(m, "eval/entropy", r.entropy);
    ls_metrics_set(m, "eval/problems", (double)r.n_problems);
    if (r.n_k > 1) {
        ls_metrics_setf(m, r.pass_at_k[r.n_k - 1], "eval/pass@%lld", (long long)r.k[r.n_k - 1]);
        ls_metrics_setf(m, r.maj_at_k[r.n_k - 1], "eval/maj@%lld", (long long)r.k[r.n_k - 1]);
    }
    ls_metrics_set(m, "time/eval_s", ls_clock_seconds() - started);
    if (r.seconds > 0)
        ls_metrics_set(m, "tokens_per_second/eval", (double)r.n_tokens / r.seconds);
    return LEASH_OK;
}
