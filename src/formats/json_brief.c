/* Values of any size and depth in a short line. */
#include "formats/json_brief.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *ls_json_brief(char out[LS_JSON_BRIEF], const json_t *value)
{
    if (!value) {
        snprintf(out, LS_JSON_BRIEF, "missing");
        return out;
    }
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_ENSURE_ASCII);
    const char *shown = text ? text : "a value that is nested too deep";
    bool is_long = strlen(shown) >= LS_JSON_BRIEF;
    snprintf(out, LS_JSON_BRIEF, "%.*s%s", is_long ? LS_JSON_BRIEF - 4 : LS_JSON_BRIEF - 1, shown,
             is_long ? "..." : "");
    free(text); /* jansson's */
    return out;
}
