/* A model as a GGUF file that llama.cpp and the gguf package read.
 *
 * Matrices take the type asked for; vectors, norms, routers and tables of positions stay F32, and
 * rows that are no whole number of blocks become F16, as the reference's converter does it. */
#ifndef LS_FORMATS_GGUF_SAVE_H
#define LS_FORMATS_GGUF_SAVE_H

#include "formats/gguf_model.h"
#include "formats/gguf_write.h"

/* Keys of the architecture and general ones, type that of the matrices.  Errors: LEASH_UNSUPPORTED
 * naming what GGUF cannot say. */
leash_status ls_gguf_put_config(ls_gguf_keys *keys, const ls_model_config *config,
                                const ls_quant_type *type) LEASH_MUST_USE;
/* Writes the file with `keys` behind those of the config: the tokenizer's.  type: F32, F16, BF16,
 * Q8_0, Q4_0 or Q4_1.  Errors: LEASH_UNSUPPORTED, LEASH_IO; LEASH_FAILED for weights that are not
 * finite. */
leash_status ls_gguf_save(const ls_model *model, const char *path, const ls_quant_type *type,
                          const ls_gguf_keys *keys) LEASH_MUST_USE;

#endif
