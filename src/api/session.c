/* Opening a model to run it. */
#include "api/session.h"

#include <string.h>

static leash_status open_all(ls_session *s, const leash_settings *settings, bool may_score)
{
    const ls_run_options *o = &settings->options;
    if (!o->model.model[0])
        return ls_fail(LEASH_USAGE, "no model: give --model a folder or a run directory");
    LS_TRY(ls_arena_init(&s->run, "run", 0));
    LS_TRY(ls_arena_init(&s->work, "work", 0));
    LS_TRY(ls_device_open(&s->dev, &o->system, false));
    LS_TRY(ls_model_source_open(&s->source, "model", o->model.model, o));
    if (!may_score || s->source.config.head != LS_HEAD_SCORE)
        LS_TRY(ls_model_source_want_head(&s->source, "model", LS_HEAD_TOKENS));
    return ls_model_source_make(&s->model, &s->source, &s->dev, &s->run,
                                ls_adapter_frozen_use(&o->adapter), 1, (uint64_t)o->train.seed);
}

static leash_status open_session(ls_session *s, const leash_settings *settings, bool may_score)
{
    memset(s, 0, sizeof *s);
    leash_status status = open_all(s, settings, may_score);
    if (status != LEASH_OK)
        ls_session_close(s);
    return status;
}

leash_status ls_session_open(ls_session *s, const leash_settings *settings)
{
    return open_session(s, settings, false);
}

leash_status ls_session_open_judge(ls_session *s, const leash_settings *settings)
{
    return open_session(s, settings, true);
}

leash_status ls_session_open_engine(ls_session *s, const leash_settings *settings,
                                    int64_t max_length)
{
    int64_t limit = ls_model_context(&s->source.config);
    if (max_length > limit)
        return ls_fail(LEASH_USAGE,
                       "prompts and completions of up to %lld tokens do not fit the model's "
                       "context of %lld: lower "
                       "max_completion_length",
                       (long long)max_length, (long long)limit);
    return ls_engine_new(&s->engine, s->model, &s->run, &settings->options.engine, max_length);
}

void ls_session_close(ls_session *s)
{
    ls_model_source_close(&s->source);
    ls_device_release(&s->dev);
    ls_arena_release(&s->work);
    ls_arena_release(&s->run);
}
