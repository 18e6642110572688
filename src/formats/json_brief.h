/* JSON values in messages: what was found where something else was expected. */
#ifndef LS_FORMATS_JSON_BRIEF_H
#define LS_FORMATS_JSON_BRIEF_H

#include <jansson.h>

#define LS_JSON_BRIEF 64

/* The value as JSON in ASCII, cut with "..." where it is long; "missing" for NULL.  Returns out. */
const char *ls_json_brief(char out[LS_JSON_BRIEF], const json_t *value);

#endif
