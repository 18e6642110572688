/* Where the hub is, who asks, and where files go: read from the environment as huggingface_hub
 * reads it. */
#ifndef LS_HUB_SITE_H
#define LS_HUB_SITE_H

#include <stdbool.h>
#include "base/err.h"
#include "base/file.h"

typedef struct ls_hub_site {
    char endpoint[1024];     /* HF_ENDPOINT without a slash at its end, or https://huggingface.co */
    char cache[LS_PATH_MAX]; /* HF_HUB_CACHE, HF_HOME/hub or ~/.cache/huggingface/hub */
    char token[512];         /* HF_TOKEN, or the file HF_TOKEN_PATH or HF_HOME/token; "": none */
    bool is_offline;         /* HF_HUB_OFFLINE or TRANSFORMERS_OFFLINE */
} ls_hub_site;

/* Errors: LEASH_USAGE for values that cannot be, never showing a token. */
leash_status ls_hub_site_read(ls_hub_site *out) LEASH_MUST_USE;

#endif
