/* Which files of a repository are wanted.
 *
 * Without patterns:  of a model, in its own folder: configurations, tokenizers, chat templates,
 * safetensors (not a second copy of them under another name), or the one GGUF file when there is no
 * safetensors; of a dataset, in all folders: JSON Lines, JSON, CSV, TSV and Parquet, plain or in
 * gzip or zstd.  README.md and LICENSE belong to both.  Never pickles (.bin, .pt, .pth, .ckpt,
 * .pkl), which run code where they are loaded; leash loads none even if a pattern brought them. */
#ifndef LS_HUB_SELECT_H
#define LS_HUB_SELECT_H

#include "hub/list.h"
#include "hub/spec.h"

typedef struct ls_hub_choice {
    const ls_hub_spec *spec;
    const char *const *include; /* patterns of fnmatch(3) over whole names; '*' matches '/' too */
    int64_t n_include;
} ls_hub_choice;

/* Removes the others.  Errors: LEASH_IO when nothing is left, or several GGUF files leave a choice,
 * with names that would do. */
leash_status ls_hub_select(ls_hub_listing *listing, const ls_hub_choice *choice) LEASH_MUST_USE;

#endif
