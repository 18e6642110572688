/* A Hugging Face model folder: config.json, generation_config.json, model.safetensors (tokenizer
 * files are text/'s). */
#ifndef LS_FORMATS_HF_FOLDER_H
#define LS_FORMATS_HF_FOLDER_H

#include "model/model.h"

/* Reads DIR/config.json.  Errors name file and key; unknown model_type lists the families. */
leash_status ls_hf_read_config(ls_model_config *out, const char *dir) LEASH_MUST_USE;
/* The same from the text of the file; `path` stands in messages alone. */
leash_status ls_hf_read_config_text(ls_model_config *out, const char *json, size_t n,
                                    const char *path) LEASH_MUST_USE;
/* Loads every weight of the model's table from DIR (see ls_model_files_load).  Does not pack. */
leash_status ls_hf_load_weights(ls_model *model, const char *dir) LEASH_MUST_USE;
/* A frozen model that keeps each matrix in the type of its tensor in DIR; no weight is read. */
leash_status ls_hf_new_stored(ls_model **out, const ls_model_config *config, ls_device *dev,
                              ls_arena *arena, const char *dir) LEASH_MUST_USE;
/* Writes the files into an existing directory, each fsynced.  A model that was loaded from a folder
 * keeps its config.json byte for byte, but for what is no longer true (dtype, vocab_size,
 * tie_word_embeddings) and auto_map, which names code to run.  generation_config.json says no more
 * than the config; that of a source is the tokenizer's, which writes it back. */
leash_status ls_hf_save(const ls_model *model, const char *dir) LEASH_MUST_USE;
/* The same with weights rounded to a type: F32, F16 or BF16. */
leash_status ls_hf_save_as(const ls_model *model, const char *dir,
                           const ls_quant_type *type) LEASH_MUST_USE;
/* Whether the files of the family store the weight as (in,out): GPT-2's. */
bool ls_hf_is_transposed(const ls_family *family, const ls_weight *w);

#endif
