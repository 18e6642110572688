/* leash_eval: held-out problems, completions, verdicts. */
#include <math.h>

#include "api/session.h"
#include "base/mem.h"
#include "eval/completion_json.h"
#include "eval/evaluate.h"

static void emit_rows(const ls_eval_result *r, const ls_dataset *problems,
                      const ls_tokenizer *tokenizer, const leash_events *events)
{
    ls_str line = LS_STR_INIT, text = LS_STR_INIT;
    for (int64_t i = 0; i < r->rollout.n_completions; i++) {
        const ls_completion *c = &r->rollout.completions[i];
        ls_completion_json completion = {.example = &problems->rows[c->prompt],
                                         .has_answer = true,
                                         .sample = c->sample,
                                         .ids = c->ids,
                                         .n_ids = c->n_tokens};
        double score = r->strict_score[i];
        ls_str_clear(&line);
        ls_completion_json_begin(&line, &completion, tokenizer, &text);
        ls_str_appendf(&line, ", \"correct\": %s}",
                       isnan(score) ? "null"
                       : score > 0  ? "true"
                                    : "false");
        events->on_row(events->user, line.data);
    }
    ls_str_release(&line);
    ls_str_release(&text);
}

static void fill_report(leash_eval_report *out, const ls_eval_result *r)
{
    *out = (leash_eval_report){.n_problems = r->n_problems,
                               .n_samples = r->n_samples,
                               .accuracy = r->strict.value,
                               .accuracy_low = r->strict.low,
                               .accuracy_high = r->strict.high,
                               .accuracy_lenient = r->lenient.value,
                               .accuracy_lenient_low = r->lenient.low,
                               .accuracy_lenient_high = r->lenient.high,
                               .mean_length = r->mean_length,
                               .clipped_ratio = r->clipped_ratio,
                               .no_answer = r->no_answer,
                               .tokens_per_second =
                                   r->seconds > 0 ? (double)r->n_tokens / r->seconds : 0};
}

typedef struct progress {
    const leash_events *events;
} progress;

static void on_progress(void *user, int64_t done, int64_t total, int64_t tokens)
{
    const progress *p = user;
    (void)tokens;
    if (p->events->on_progress)
        p->events->on_progress(p->events->user, 0, 1, "evaluate",
                               total ? (double)done / (double)total : 0);
}

static leash_status load_problems(ls_dataset *out, const leash_settings *s,
                                  const ls_model_source *source)
{
    const ls_run_options *o = &s->options;
    ls_data_options data = o->data;
    if (o->eval.eval_dataset[0]) {
        data.dataset = o->eval.eval_dataset;
        data.task = data.task_args = "";
    }
    if (!data.dataset[0] == !data.task[0])
        return ls_fail(LEASH_USAGE,
                       "give one of --dataset (a file with prompt and answer) and --task");
    if (!ls_config_is_set(s->config, "dataset_num_rows") &&
        (data.task[0] || ls_config_is_set(s->config, "eval_num_rows")))
        data.dataset_num_rows = o->eval.eval_num_rows;
    if (data.task[0] && !ls_config_is_set(s->config, "dataset_split"))
        data.split = "test";
    ls_dataset_input input = {.options = &data,
                              .tokenizer = source->tokenizer,
                              .chat = source->chat,
                              .use = LS_DATA_PROMPTS,
                              .seed = (uint64_t)o->train.seed,
                              .in_order = true};
    return ls_dataset_load(out, &input);
}

static leash_status run(leash_eval_report *report, char **text, char **json,
                        leash_settings *settings, const leash_events *events, ls_session *session)
{
    const ls_run_options *o = &settings->options;
    ls_dataset problems;
    ls_reward_plan rewards;
    LS_TRY(ls_reward_resolve(&rewards, &o->reward));
    LS_TRY(ls_reward_check_accuracy(&rewards));
    LS_TRY(load_problems(&problems, settings, &session->source));
    progress p = {events};
    ls_eval_request request = {.problems = &problems,
                               .tokenizer = session->source.tokenizer,
                               .rewards = &rewards,
                               .sampling = o->sampling,
                               .n_samples = o->eval.eval_samples,
                               .seed = (uint64_t)o->train.seed,
                               .arena = &session->work,
                               .on_progress = on_progress,
                               .user = &p,
                               .should_stop = events->should_stop};
    request.sampling.temperature = o->eval.eval_temperature;
    ls_eval_result result;
    leash_status status =
        ls_session_open_engine(session, settings, ls_eval_max_length(&problems, &o->sampling));
    request.engine = session->engine;
    if (status == LEASH_OK)
        status = ls_evaluate(&result, &request);
    if (status == LEASH_OK) {
        ls_str s = LS_STR_INIT;
        fill_report(report, &result);
        if (text) {
            ls_eval_print(&result, &s);
            *text = ls_str_steal(&s);
        }
        if (json) {
            ls_eval_json(&result, &s);
            *json = ls_str_steal(&s);
        }
        ls_str_release(&s);
        if (events->on_row)
            emit_rows(&result, &problems, session->source.tokenizer, events);
    }
    ls_dataset_release(&problems);
    return status;
}

leash_status leash_eval(leash_eval_report *report, char **text, char **json,
                        leash_settings *settings, const leash_events *events)
{
    static const leash_events none = {0};
    LS_TRY(ls_settings_derive(settings, "eval"));
    if (ls_config_is_set(settings->config, "temperature") &&
        !ls_config_is_set(settings->config, "eval_temperature"))
        return ls_fail(LEASH_USAGE, "temperature belongs to training and generate: set "
                                    "eval_temperature for evaluations");
    ls_session session;
    LS_TRY(ls_session_open(&session, settings));
    leash_status status = run(report, text, json, settings, events ? events : &none, &session);
    ls_session_close(&session);
    return status;
}
