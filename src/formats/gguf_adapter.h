/* An adapter as a GGUF file that llama.cpp loads beside its model (--lora). */
#ifndef LS_FORMATS_GGUF_ADAPTER_H
#define LS_FORMATS_GGUF_ADAPTER_H

#include "model/lora.h"

/* Writes model->adapter in F32.  Errors: LEASH_UNSUPPORTED for a family or a module that GGUF has
 * no name for, LEASH_IO, LEASH_FAILED for values that are not finite. */
leash_status ls_gguf_save_adapter(const ls_model *model, const char *path) LEASH_MUST_USE;

#endif
