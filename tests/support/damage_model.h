/* For tests of damaged models: loading as a user's command would, weights and all. */
#ifndef LS_TESTS_DAMAGE_MODEL_H
#define LS_TESTS_DAMAGE_MODEL_H

#include "formats/model_files.h"

static inline leash_status damage_load_model(const ls_model_files *files, ls_device *dev)
{
    ls_model *model;
    ls_arena arena;
    LS_TRY(ls_arena_init(&arena, "model", 0));
    leash_status status = ls_model_new(&model, &files->config, dev, &arena, LS_MODEL_FROZEN, 0);
    if (status == LEASH_OK)
        status = ls_model_files_load(model, files);
    ls_arena_release(&arena);
    return status;
}

#endif
