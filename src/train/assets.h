/* What a command needs before it can do anything with a model: device, tokenizer, model. */
#ifndef LS_TRAIN_ASSETS_H
#define LS_TRAIN_ASSETS_H

#include "base/file.h"
#include "data/dataset.h"
#include "model/model.h"
#include "text/tokenizer.h"
#include "train/options.h"

/* Where a model comes from, resolved: a folder with config.json, or a built-in shape. */
typedef struct ls_model_source {
    bool is_builtin;
    /* the folder itself, its final/, or its newest checkpoint; the shape's name */
    char path[LS_PATH_MAX];
    ls_model_config config;
    ls_tokenizer *tokenizer; /* owned */
} ls_model_source;

/* model: a model folder, a run directory, or a built-in name; key: the setting that named it.
 * Errors: LEASH_USAGE / LEASH_IO / LEASH_FORMAT naming path and key. */
leash_status ls_model_source_open(ls_model_source *out, const char *key, const char *model,
                                  const ls_run_options *options) LEASH_MUST_USE;
void ls_model_source_close(ls_model_source *source);
/* Makes the model in the arena and gives it its weights (random by seed for a built-in shape).  On
 * a dry device weights are not touched. */
leash_status ls_model_source_make(ls_model **out, const ls_model_source *source, ls_device *dev,
                                  ls_arena *arena, ls_model_use use, int64_t n_leaves,
                                  uint64_t seed) LEASH_MUST_USE;

/* Kernel table and threads of the System section; is_dry takes the null table. */
leash_status ls_device_open(ls_device *dev, const ls_system_options *options,
                            bool is_dry) LEASH_MUST_USE;

#endif
