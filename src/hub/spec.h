/* The names hf:[datasets/]OWNER/NAME[@REVISION][/PATH], taken apart and checked. */
#ifndef LS_HUB_SPEC_H
#define LS_HUB_SPEC_H

#include <stdbool.h>
#include "base/err.h"

typedef struct ls_hub_spec {
    bool is_dataset;
    char id[200]; /* OWNER/NAME; NAME alone for the oldest models */
    char revision[256];
    char path[1024]; /* file or folder inside, "": all */
} ls_hub_spec;

/* revision: replaces the one in the text, NULL: none.  Errors: LEASH_USAGE. */
leash_status ls_hub_spec_parse(ls_hub_spec *out, const char *text,
                               const char *revision) LEASH_MUST_USE;
/* A relative path that stays below where it starts: no empty, "." or ".." part, no backslash, no
 * control character, parts of at most 255 bytes. */
bool ls_hub_is_safe_path(const char *path);
/* 40 lower-case hex digits: the name of a commit, which never changes. */
bool ls_hub_is_commit(const char *revision);

#endif
