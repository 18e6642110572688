/* One door to a model on disk: a Hugging Face folder or a GGUF file.
 *
 *     ls_model_files files;
 *     LS_TRY(ls_model_files_open(&files, path));
 *     ls_model_new(&model, &files.config, dev, arena, use, n_leaves);
 *     status = ls_model_files_load(model, &files);
 *     ls_model_files_close(&files);
 *
 * Opening reads the config and the headers of the weights and checks both; the weights themselves
 * are mapped and read by _load alone.  A folder without weights opens too: config and tokenizer may
 * be all that is wanted. */
#ifndef LS_FORMATS_MODEL_FILES_H
#define LS_FORMATS_MODEL_FILES_H

#include "formats/gguf_model.h"
#include "formats/st_shards.h"

typedef struct ls_model_files {
    char *path; /* the folder or the file */
    ls_model_config config;
    bool is_gguf;
    ls_gguf gguf; /* where is_gguf, also for the tokenizer */
    const ls_gguf_arch *arch;
    ls_st_shards shards; /* otherwise; empty when the folder has no weights */
} ls_model_files;

/* A file that begins as GGUF files do, or has their ending. */
bool ls_path_is_gguf(const char *path);
leash_status ls_model_files_open(ls_model_files *files, const char *path) LEASH_MUST_USE;
void ls_model_files_close(ls_model_files *files);
/* Finds a weight; false when the files do not have it. */
bool ls_model_files_find(ls_stored *out, const ls_model_files *files, const ls_weight *w);
/* Loads every weight of the model's table, except a score where the files' model does not have one
 * (model->has_new_head: ls_model_init_score draws it); missing, unexpected and misshapen tensors
 * are errors with the list.  A tied model passes over a stored head (with a warning when it
 * differs).  Does not pack.  On a null device the tables are compared, if there are weights, and
 * nothing is read. */
leash_status ls_model_files_load(ls_model *model, const ls_model_files *files) LEASH_MUST_USE;
/* A frozen model that keeps each matrix in the type of its tensor; no weight is read. */
leash_status ls_model_files_new_stored(ls_model **out, const ls_model_config *config,
                                       ls_device *dev, ls_arena *arena,
                                       const ls_model_files *files) LEASH_MUST_USE;

#endif
