/* config.json of a Hugging Face folder, from and to ls_model_config by the family's table of keys.
 * Reading is declared in hf_folder.h. */
#ifndef LS_FORMATS_HF_CONFIG_H
#define LS_FORMATS_HF_CONFIG_H

#include "base/str.h"
#include "model/model.h"

/* Appends the whole JSON object, in the spelling of transformers 4, which version 5 reads too.
 * dtype: of the weights beside it, "float32". */
void ls_hf_append_config(ls_str *json, const ls_model_config *config, const ls_family *family,
                         const char *dtype);

/* Appends the class that config.json names: the family's, or that of its models that score. */
void ls_hf_append_class(ls_str *out, const ls_model_config *config, const ls_family *family);
/* Appends both JSON objects of labels, with transformers' names. */
void ls_hf_append_labels(ls_str *id2label, ls_str *label2id, int64_t num_labels);

/* Names of activations and of rotary scalings as files spell them; the first of a kind is the one
 * that is written. */
typedef struct ls_hf_word {
    const char *name;
    int value;
} ls_hf_word;
extern const ls_hf_word ls_hf_activations[], ls_hf_rope_types[]; /* ends with a NULL name */

/* Numbers of a scaling by key. */
typedef struct ls_hf_rope_key {
    const char *name;
    size_t offset; /* of the double in ls_rope_scaling */
} ls_hf_rope_key;
extern const ls_hf_rope_key ls_hf_rope_keys[]; /* ends with a NULL name */

#endif
