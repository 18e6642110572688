/* What a command needs before it can do anything with a model: device, tokenizer, model. */
#ifndef LS_TRAIN_ASSETS_H
#define LS_TRAIN_ASSETS_H

#include "base/file.h"
#include "data/dataset.h"
#include "formats/model_files.h"
#include "formats/peft.h"
#include "model/model.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"
#include "train/options.h"

/* Where a model comes from, resolved: a folder with config.json, a GGUF file, or a built-in
 * shape. */
typedef struct ls_model_source {
    bool is_builtin;
    /* the folder itself, its final/, or its newest checkpoint; the file; the shape's name */
    char path[LS_PATH_MAX];
    ls_model_files files; /* owned; of a built-in shape none */
    ls_model_config config;
    ls_tokenizer *tokenizer; /* owned */
    ls_chat_template *chat;  /* owned; NULL: none */
    /* An adapter on top: that of a folder, or a new one when adapter_path is "". */
    bool has_adapter;
    char adapter_path[LS_PATH_MAX];
    ls_peft_config adapter;  /* owned */
    ls_model_use frozen_use; /* of the model under an adapter that is trained */
} ls_model_source;

/* model: a model folder, a GGUF file, an adapter folder (which names its model), a run directory,
 * or a built-in name; key: the setting that named it.  The options' own adapter goes with the key
 * "model". Errors: LEASH_USAGE / LEASH_IO / LEASH_FORMAT naming path and key. */
leash_status ls_model_source_open(ls_model_source *out, const char *key, const char *model,
                                  const ls_run_options *options) LEASH_MUST_USE;
void ls_model_source_close(ls_model_source *source);
/* What the model is to have on its hidden states; a language model takes a new score.  Errors:
 * LEASH_USAGE for a model that scores where one that writes is wanted, or another kind of score. */
leash_status ls_model_source_want_head(ls_model_source *source, const char *key,
                                       ls_head_kind head) LEASH_MUST_USE;
/* The same for a model that is used as it is: it must score sequences already. */
leash_status ls_model_source_want_score(const ls_model_source *source,
                                        const char *key) LEASH_MUST_USE;
/* For training: a new adapter, if the options want one and the source has none. */
leash_status ls_model_source_add_adapter(ls_model_source *source,
                                         const ls_run_options *options) LEASH_MUST_USE;
/* Makes the model in the arena and gives it its weights (random by seed for a built-in shape).
 * With an adapter LS_MODEL_TRAINED trains that alone, and source must outlive the model.  On a dry
 * device weights are not touched, and what is there of them is only compared with the model. */
leash_status ls_model_source_make(ls_model **out, const ls_model_source *source, ls_device *dev,
                                  ls_arena *arena, ls_model_use use, int64_t n_leaves,
                                  uint64_t seed) LEASH_MUST_USE;

/* Kernel table and threads of the System section; is_dry takes the null table. */
leash_status ls_device_open(ls_device *dev, const ls_system_options *options,
                            bool is_dry) LEASH_MUST_USE;

#endif
