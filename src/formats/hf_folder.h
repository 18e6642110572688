/* A Hugging Face model folder: config.json, generation_config.json, model.safetensors (tokenizer
 * files are text/'s). */
#ifndef LS_FORMATS_HF_FOLDER_H
#define LS_FORMATS_HF_FOLDER_H

#include "model/model.h"

/* Reads DIR/config.json.  Errors name file and key; unknown model_type lists the families. */
leash_status ls_hf_read_config(ls_model_config *out, const char *dir) LEASH_MUST_USE;
/* Loads every weight of the model's table from DIR/model.safetensors; missing, unexpected or
 * misshapen tensors are errors with the list.  A tied model ignores a stored lm_head.weight (with a
 * warning when it differs).  Does not pack. */
leash_status ls_hf_load_weights(ls_model *model, const char *dir) LEASH_MUST_USE;
/* Writes the files into an existing directory, each fsynced. */
leash_status ls_hf_save(const ls_model *model, const char *dir) LEASH_MUST_USE;

#endif
