/* leash_score: log-probabilities of the trained tokens of dataset rows, or a reward model's scores.
 * */
#include <string.h>

#include "api/session.h"
#include "base/mem.h"
#include "train/sequences.h"

/* Rows that go through the model at once. */
#define SCORE_ROWS 64

static void append_logps(ls_str *line, const ls_sequences *s, int64_t i)
{
    char number[32];
    double sum = 0;
    int64_t first = s->target_start[i], end = s->target_start[i + 1];
    const int32_t *ids = s->ids + s->start[i];
    ls_str_append(line, ", \"token_ids\": [");
    for (int64_t t = first; t < end; t++)
        ls_str_appendf(line, "%s%d", t > first ? ", " : "", ids[s->target_pos[t]]);
    ls_str_append(line, "], \"logps\": [");
    for (int64_t t = first; t < end; t++) {
        ls_str_appendf(line, "%s%s", t > first ? ", " : "",
                       ls_format_double(number, (double)s->logp[t]));
        sum += (double)s->logp[t];
    }
    ls_str_appendf(line, "], \"sum\": %s", ls_format_double(number, sum));
    ls_str_appendf(line, ", \"mean\": %s}",
                   ls_format_double(number, end > first ? sum / (double)(end - first) : 0));
}

static void emit(const ls_sequences *s, int64_t i, const ls_example *example,
                 const leash_events *events)
{
    ls_str line = LS_STR_INIT;
    char number[32];
    ls_str_appendf(&line, "{\"row\": %lld, \"prompt\": ", (long long)example->line);
    ls_str_append_json(&line, example->prompt, strlen(example->prompt));
    ls_str_append(&line, ", \"completion\": ");
    ls_str_append_json(&line, example->completion, strlen(example->completion));
    if (s->reads_own_row)
        ls_str_appendf(&line, ", \"score\": %s}",
                       ls_format_double(number, (double)s->logp[s->target_start[i]]));
    else
        append_logps(&line, s, i);
    if (events->on_row)
        events->on_row(events->user, line.data);
    ls_str_release(&line);
}

static void add_row(ls_sequences *s, const ls_model *model, const ls_example *e)
{
    int64_t n = e->n_prompt;
    if (model->score)
        (void)ls_sequences_add_scored(s, &model->config, e->ids, n, e->ids + n, e->n_tokens - n);
    else
        (void)ls_sequences_add(s, e->ids, e->n_tokens, e->mask);
}

/* One number a target into s->logp: a log-probability, or the score. */
static void run_model(ls_session *session, const leash_settings *settings, ls_sequences *s)
{
    int64_t chunk = settings->options.train.per_device_train_batch_size;
    if (s->reads_own_row)
        ls_sequences_value(session->model, &session->work, s, chunk, s->logp);
    else
        ls_sequences_score(session->model, &session->work, s,
                           settings->options.sampling.temperature, chunk, s->logp, NULL);
}

static leash_status score_rows(ls_session *session, const leash_settings *settings,
                               const ls_dataset *set, const leash_events *events)
{
    ls_sequences s;
    ls_sequences_init(&s, &session->run, SCORE_ROWS, (int64_t)SCORE_ROWS * set->max_tokens);
    s.reads_own_row = session->model->score != NULL;
    for (int64_t first = 0; first < set->n_rows; first += SCORE_ROWS) {
        int64_t end = first + SCORE_ROWS < set->n_rows ? first + SCORE_ROWS : set->n_rows;
        ls_sequences_clear(&s);
        for (int64_t i = first; i < end; i++)
            add_row(&s, session->model, &set->rows[i]);
        run_model(session, settings, &s);
        int64_t bad = ls_first_not_finite(s.logp, s.n_targets);
        if (bad >= 0)
            return ls_fail(LEASH_NUMERIC, "%s:%lld: a log-probability or score is not finite",
                           set->name,
                           (long long)set->rows[first + ls_sequences_of_target(&s, bad)].line);
        for (int64_t i = first; i < end; i++)
            emit(&s, i - first, &set->rows[i], events);
        if (events->should_stop && events->should_stop())
            return ls_fail(LEASH_INTERRUPTED, "stopped after %lld of %lld rows", (long long)end,
                           (long long)set->n_rows);
    }
    return LEASH_OK;
}

leash_status leash_score(leash_settings *settings, const leash_events *events)
{
    static const leash_events none = {0};
    events = events ? events : &none;
    const ls_run_options *o = &settings->options;
    LS_TRY(ls_settings_derive(settings, "score"));
    if (!o->data.dataset[0] == !o->data.task[0])
        return ls_fail(
            LEASH_USAGE,
            "give one of --dataset (a file with prompt and completion, or text) and --task");
    if (o->sampling.temperature <= 0)
        return ls_fail(LEASH_USAGE, "temperature = 0 has no log-probabilities: give more than 0");
    ls_session session;
    ls_dataset set;
    LS_TRY(ls_session_open_judge(&session, settings));
    ls_dataset_input input = {.options = &o->data,
                              .tokenizer = session.source.tokenizer,
                              .chat = session.source.chat,
                              .use = LS_DATA_SEQUENCES,
                              .seed = (uint64_t)o->train.seed,
                              .in_order = true};
    leash_status status = ls_dataset_load(&set, &input);
    if (status == LEASH_OK) {
        if (set.max_tokens > ls_model_context(&session.source.config))
            status = ls_fail(
                LEASH_DATA, "%s: the longest row has %d tokens, the model's context is %lld",
                set.name, (int)set.max_tokens, (long long)ls_model_context(&session.source.config));
        else
            status = score_rows(&session, settings, &set, events);
        ls_dataset_release(&set);
    }
    ls_session_close(&session);
    return status;
}
