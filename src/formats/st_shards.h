/* The weights of a Hugging Face folder: model.safetensors, or the parts that
 * model.safetensors.index.json names.
 *
 * The index must name plain files beside it, each tensor in the file that has it and in no other.
 * Tensors that the index does not name are passed over with a warning.  Where both a single file
 * and an index exist, the single file counts, as in transformers.  Weights saved as pickles
 * (pytorch_model.bin) are not read; the error tells how to convert them. */
#ifndef LS_FORMATS_ST_SHARDS_H
#define LS_FORMATS_ST_SHARDS_H

#include "formats/safetensors.h"

typedef struct ls_st_part {
    ls_st_file file;
    char *path;
} ls_st_part;

typedef struct ls_st_entry { /* one tensor of the model */
    const ls_st_tensor *tensor;
    const ls_st_part *part;
} ls_st_entry;

typedef struct ls_st_shards {
    char *path; /* of the single file or the index; for messages */
    ls_st_part *parts;
    ls_st_entry *entries; /* sorted by name */
    int64_t n_parts, n_entries;
} ls_st_shards;

/* Whether a folder has a single file, an index or pickled weights. */
bool ls_st_shards_exist(const char *dir);
leash_status ls_st_shards_open(ls_st_shards *shards, const char *dir) LEASH_MUST_USE;
void ls_st_shards_close(ls_st_shards *shards);
const ls_st_entry *ls_st_shards_find(const ls_st_shards *shards, const char *name); /* NULL: none */

#endif
