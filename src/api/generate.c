/* leash_generate: prompts in, completions out as JSON rows. */
#include <string.h>

#include "api/session.h"
#include "base/mem.h"
#include "eval/completion_json.h"

/* Rows that are worked on at once fill the engine's slots so many times: enough to keep it busy,
 * few enough that rows come out while others are still to do. */
#define FILLS 4

static void emit(const ls_completion *c, const ls_example *example, const ls_tokenizer *tokenizer,
                 const leash_events *events)
{
    ls_str line = LS_STR_INIT, text = LS_STR_INIT;
    ls_completion_json completion = {
        .example = example, .sample = c->sample, .ids = c->ids, .n_ids = c->n_tokens};
    char number[32];
    double sum = 0;
    for (int32_t t = 0; t < c->n_tokens; t++)
        sum += c->logp[t];
    ls_completion_json_begin(&line, &completion, tokenizer, &text);
    ls_str_appendf(&line,
                   ", \"finish_reason\": \"%s\", \"n_tokens\": %d, \"logp\": %s, \"token_ids\": [",
                   c->finish == LS_FINISH_STOP ? "stop" : "length", c->n_tokens,
                   ls_format_double(number, sum));
    for (int32_t t = 0; t < c->n_tokens; t++)
        ls_str_appendf(&line, "%s%d", t ? ", " : "", c->ids[t]);
    ls_str_append(&line, "], \"logps\": [");
    for (int32_t t = 0; t < c->n_tokens; t++)
        ls_str_appendf(&line, "%s%s", t ? ", " : "", ls_format_double(number, (double)c->logp[t]));
    ls_str_append(&line, "]}");
    if (events->on_row)
        events->on_row(events->user, line.data);
    ls_str_release(&line);
    ls_str_release(&text);
}

static leash_status run_prompts(ls_session *session, const leash_settings *settings,
                                const ls_prompt *prompts, const ls_example *rows, int64_t n,
                                int64_t longest, const leash_events *events)
{
    const ls_run_options *o = &settings->options;
    const int32_t *stop_ids;
    int32_t n_stop_ids = ls_tokenizer_stop_ids(session->source.tokenizer, &stop_ids);
    LS_TRY(ls_session_open_engine(session, settings, longest + o->sampling.max_completion_length));
    ls_rollout_request request = {.sampling = o->sampling,
                                  .seed = (uint64_t)o->train.seed,
                                  .purpose = LS_RNG_SAMPLE,
                                  .stop_ids = stop_ids,
                                  .n_stop_ids = n_stop_ids,
                                  .should_stop = events->should_stop};
    int64_t at_once = FILLS * o->engine.rollout_slots / o->rl.num_generations + 1;
    for (int64_t first = 0; first < n; first += at_once) {
        ls_rollout rollout;
        ls_arena_mark mark = ls_arena_get_mark(&session->work);
        request.prompts = prompts + first;
        request.n_prompts = n - first < at_once ? n - first : at_once;
        LS_TRY(ls_engine_run(session->engine, &request, &session->work, &rollout));
        for (int64_t i = 0; i < rollout.n_completions; i++) {
            const ls_completion *c = &rollout.completions[i];
            emit(c, &rows[first + c->prompt], session->source.tokenizer, events);
        }
        ls_arena_rewind(&session->work, mark);
    }
    return LEASH_OK;
}

static leash_status run_dataset(ls_session *session, const leash_settings *settings,
                                const leash_events *events)
{
    const ls_run_options *o = &settings->options;
    ls_dataset_input input = {.options = &o->data,
                              .tokenizer = session->source.tokenizer,
                              .chat = session->source.chat,
                              .use = LS_DATA_PROMPTS,
                              .seed = (uint64_t)o->train.seed,
                              .in_order = true};
    ls_dataset set;
    LS_TRY(ls_dataset_load(&set, &input));
    ls_prompt *prompts = ls_malloc((size_t)set.n_rows * sizeof *prompts);
    for (int64_t i = 0; i < set.n_rows; i++)
        prompts[i] = (ls_prompt){.ids = set.rows[i].ids,
                                 .n_ids = set.rows[i].n_prompt,
                                 .prompt_id = (uint32_t)i,
                                 .n_samples = (int32_t)o->rl.num_generations};
    leash_status status =
        run_prompts(session, settings, prompts, set.rows, set.n_rows, set.max_prompt, events);
    ls_free(prompts);
    ls_dataset_release(&set);
    return status;
}

static leash_status run_prompt(ls_session *session, const leash_settings *settings,
                               const char *text, const leash_events *events)
{
    int32_t *ids = NULL;
    int64_t n = 0, capacity = 0;
    int32_t bos = ls_tokenizer_bos(session->source.tokenizer);
    if (bos >= 0) {
        ids = ls_malloc(sizeof *ids);
        ids[n++] = bos;
        capacity = 1;
    }
    leash_status status =
        ls_tokenizer_encode(session->source.tokenizer, text, strlen(text), &ids, &n, &capacity);
    ls_prompt prompt = {.ids = ids,
                        .n_ids = (int32_t)n,
                        .n_samples = (int32_t)settings->options.rl.num_generations};
    ls_example row = {.prompt = text, .line = 1};
    if (status == LEASH_OK)
        status = run_prompts(session, settings, &prompt, &row, 1, n, events);
    ls_free(ids);
    return status;
}

leash_status leash_generate(leash_settings *settings, const char *prompt,
                            const leash_events *events)
{
    static const leash_events none = {0};
    const ls_data_options *data = &settings->options.data;
    events = events ? events : &none;
    LS_TRY(ls_settings_derive(settings, "generate"));
    if (!prompt && !data->dataset[0] && !data->task[0])
        return ls_fail(LEASH_USAGE, "nothing to complete: give --prompt TEXT, --dataset a file "
                                    "with prompts, or --task a name");
    ls_session session;
    LS_TRY(ls_session_open(&session, settings));
    leash_status status = prompt ? run_prompt(&session, settings, prompt, events)
                                 : run_dataset(&session, settings, events);
    ls_session_close(&session);
    return status;
}
