/* A model and its tokenizer as one file for other programs. */
#ifndef LS_TRAIN_EXPORT_H
#define LS_TRAIN_EXPORT_H

#include "model/model.h"
#include "text/tokenizer.h"

/* Writes a GGUF file for llama.cpp and its relatives, whole or not at all.  The model has float
 * weights (LS_MODEL_FROZEN or LS_MODEL_TRAINED).  type: F32, F16, BF16, Q8_0, Q4_0 or Q4_1.
 * chat_template: Jinja text that goes along, NULL: none.  Errors: LEASH_UNSUPPORTED naming what
 * GGUF cannot say of the model or the tokenizer, LEASH_IO, LEASH_FAILED for weights that are not
 * finite. */
leash_status ls_export_gguf(const ls_model *model, const ls_tokenizer *tokenizer,
                            const char *chat_template, const char *path,
                            const ls_quant_type *type) LEASH_MUST_USE;

#endif
