/* A loaded model with an engine, for the commands that only run it. */
#ifndef LS_API_SESSION_H
#define LS_API_SESSION_H

#include "api/settings.h"
#include "train/assets.h"

typedef struct ls_session {
    ls_device dev;
    ls_arena run, work; /* lifetime of the session; of one piece of work */
    ls_model_source source;
    ls_model *model;
    ls_engine *engine; /* after ls_session_open_engine */
} ls_session;

/* A model that writes text. */
leash_status ls_session_open(ls_session *session, const leash_settings *settings) LEASH_MUST_USE;
/* The same, or a reward model, which has a score in place of a head. */
leash_status ls_session_open_judge(ls_session *session,
                                   const leash_settings *settings) LEASH_MUST_USE;
leash_status ls_session_open_engine(ls_session *session, const leash_settings *settings,
                                    int64_t max_length) LEASH_MUST_USE;
void ls_session_close(ls_session *session);

#endif
