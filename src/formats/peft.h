/* A PEFT adapter folder: adapter_config.json and adapter_model.safetensors, as peft's
 * save_pretrained writes them and from_pretrained reads them.
 *
 * LoRA on matrices alone: other kinds of adapter, DoRA, biases, embeddings, modules_to_save and
 * whatever else changes the computation is refused by name.  Fields that matter at initialisation
 * or in training alone are passed over, with a warning where a user may count on them. */
#ifndef LS_FORMATS_PEFT_H
#define LS_FORMATS_PEFT_H

#include "model/lora.h"

typedef struct ls_peft_config {
    ls_lora_spec spec;
    char *base_model; /* base_model_name_or_path; owned, "" when the file has none */
} ls_peft_config;

bool ls_peft_is_folder(const char *dir); /* there is an adapter_config.json in it */
/* Errors name file and key. */
leash_status ls_peft_read_config(ls_peft_config *out, const char *dir) LEASH_MUST_USE;
/* The same from the text of adapter_config.json; `path` stands in messages alone. */
leash_status ls_peft_read_config_text(ls_peft_config *out, const char *json, size_t n,
                                      const char *path) LEASH_MUST_USE;
void ls_peft_config_release(ls_peft_config *config);
/* Loads the matrices of model->adapter from DIR/adapter_model.safetensors; missing, unexpected and
 * misshapen tensors are errors with the list, and so are values that are not finite.  Does not
 * pack. */
leash_status ls_peft_load_weights(ls_model *model, const char *dir) LEASH_MUST_USE;
/* Writes both files of model->adapter into an existing directory, each fsynced. */
leash_status ls_peft_save(const ls_model *model, const char *dir) LEASH_MUST_USE;

#endif
