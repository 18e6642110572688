/* What a GGUF file says as a model: its architecture's family, its config, the names of weights.
 *
 * The table of architectures stands in gguf_model.c.  Names need no table by family: a family's
 * design (model/decoder.h) tells the role of each weight, and a role has the same name in all GGUF
 * files. */
#ifndef LS_FORMATS_GGUF_MODEL_H
#define LS_FORMATS_GGUF_MODEL_H

#include "formats/gguf.h"
#include "formats/stored.h"

typedef struct ls_gguf_arch {
    const char *name;   /* general.architecture */
    const char *family; /* model_type */
    bool is_in_pairs;   /* rows of q and k stand in pairs: files of Llama and its relatives */
} ls_gguf_arch;

/* Errors: LEASH_UNSUPPORTED with the list, LEASH_FORMAT when the file names none. */
leash_status ls_gguf_find_arch(const ls_gguf_arch **out, const ls_gguf *file) LEASH_MUST_USE;
/* The architecture that a model is written as; NULL: GGUF has none for it. */
const ls_gguf_arch *ls_gguf_arch_of(const ls_model_config *config);
/* Errors name file and key. */
leash_status ls_gguf_read_config(ls_model_config *out, const ls_gguf *file) LEASH_MUST_USE;

/* query_pre_attn_scalar of Gemma, which no key says: the length of a head, but for the 27B models
 * (known by their number of layers), whose scalar is hidden_size / num_attention_heads. */
int64_t ls_gguf_gemma_scalar(const ls_model_config *config);

/* GGUF's name of a weight, "blk.3.attn_q.weight"; false when it has none.  Experts of a layer lie
 * in one tensor, *expert tells which part is meant (-1: all). */
bool ls_gguf_name(char out[64], int64_t *expert, const ls_family *family, const char *name);
/* How the rows of a weight stand in a file of the architecture. */
ls_row_order ls_gguf_row_order(int64_t *heads, const ls_gguf_arch *arch,
                               const ls_model_config *config, const ls_family *family,
                               const char *name);
/* What was added to a weight when it was stored. */
float ls_gguf_added(const ls_family *family, const char *name);

/* Finds a weight of the model in the file; false when it is not there.  *tensor is where. */
bool ls_gguf_find_weight(ls_stored *out, const ls_gguf_tensor **tensor, const ls_gguf *file,
                         const ls_gguf_arch *arch, const ls_model_config *config,
                         const ls_weight *w);
/* Tensors that a model does not need: frequencies of rotation, which are in the config. */
bool ls_gguf_is_ignored(const char *name);

#endif
