/* Scaled rotation in GGUF files.  For gguf_*.c alone. */
#ifndef LS_FORMATS_GGUF_ROPE_H
#define LS_FORMATS_GGUF_ROPE_H

#include "formats/gguf_model.h"
#include "formats/gguf_write.h"

/* Sizes are read already. */
leash_status ls_gguf_read_rope(ls_model_config *c, const ls_gguf *file,
                               const ls_gguf_arch *arch) LEASH_MUST_USE;
leash_status ls_gguf_put_rope(ls_gguf_keys *keys, const ls_model_config *c,
                              const ls_gguf_arch *arch) LEASH_MUST_USE;

/* Factors of frequencies as tensors: their number (0 to 2), length, names and values. */
typedef struct ls_gguf_factors {
    int64_t n_tensors, n;
    const char *names[2];
    float values[2][LS_MOST_ROPE_FACTORS];
} ls_gguf_factors;
void ls_gguf_rope_factors(ls_gguf_factors *out, const ls_model_config *c);

#endif
