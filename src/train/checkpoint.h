/* Checkpoints: checkpoints/step-N/, whole or absent.
 *
 *     config.json generation_config.json model.safetensors tokenizer.json tokenizer_config.json
 *     (with an adapter: adapter_config.json adapter_model.safetensors in place of the first three)
 *     README.md                         how the model was trained
 *     leash_state/state.json            step, updates, draws, counters, identities
 *     leash_state/optimizer.safetensors m.<weight>, v.<weight> of what is trained
 *     leash_state/reference.safetensors <weight> of a reference that moves
 *     leash_state/critic.safetensors    <weight> of a critic
 *     leash_state/critic_optimizer.safetensors  m.<weight>, v.<weight> of it
 *     manifest.json                     every file with size and XXH3-128; written last
 *
 * Saving: everything into checkpoints/.step-N.tmp.<pid>, each file fsynced, manifest, fsync of the
 * directory, rename, fsync of the parent; only then are older ones beyond `keep` removed.  "Latest"
 * is derived: the newest step whose manifest verifies; damaged ones are reported and passed over.
 * Left-over temporary folders are removed when a run directory is opened for writing. */
#ifndef LS_TRAIN_CHECKPOINT_H
#define LS_TRAIN_CHECKPOINT_H

#include "base/file.h"
#include "model/model.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"
#include "train/optimizer.h"
#include "train/state.h"

/* What a checkpoint holds besides the model and its moments; members are NULL where there is none.
 * */
typedef struct ls_checkpoint_beside {
    ls_model *reference, *critic;
    ls_optimizer *critic_optimizer;
    const char *card; /* text of README.md */
} ls_checkpoint_beside;

/* The run's line files are fsynced first, so that the lengths in the state hold.  A step that is
 * there already is replaced at once.  beside NULL: nothing; chat NULL: none.  keep >=
 * 1.  Errors: LEASH_IO for a full disk and the like; what was there before is then untouched. */
leash_status ls_checkpoint_save(const char *run_dir, const ls_train_state *state,
                                const ls_model *model, const ls_optimizer *optimizer,
                                const ls_checkpoint_beside *beside, const ls_tokenizer *tokenizer,
                                const ls_chat_template *chat, int64_t keep) LEASH_MUST_USE;
/* The path of the newest whole checkpoint; LEASH_DATA when there is none (with what was found and
 * why it was refused). */
leash_status ls_checkpoint_latest(char path[LS_PATH_MAX], const char *run_dir) LEASH_MUST_USE;
/* Folders named as checkpoints, whole or not. */
leash_status ls_checkpoint_count(int64_t *n, const char *run_dir) LEASH_MUST_USE;
/* Verifies the manifest: every file's size and hash.  Errors name the file: "…/model.safetensors:
 * 1000 bytes, the manifest says 2000". */
leash_status ls_checkpoint_verify(const char *checkpoint) LEASH_MUST_USE;
/* Verifies, then loads into an existing model and optimizer of the same shape; does not pack.
 * Damage and another shape are found before anything is changed. */
leash_status ls_checkpoint_load(const char *checkpoint, ls_train_state *state, ls_model *model,
                                ls_optimizer *optimizer,
                                const ls_checkpoint_beside *beside) LEASH_MUST_USE;
/* Makes RUN/final a whole copy of a checkpoint (hard links where the file system has them), in
 * place of the one before, at once. */
leash_status ls_checkpoint_publish(const char *run_dir, const char *checkpoint) LEASH_MUST_USE;
/* Removes temporary folders of writers that died. */
leash_status ls_checkpoint_clean(const char *run_dir) LEASH_MUST_USE;
/* Removes all checkpoints and final/; files that are no part of them stay. */
leash_status ls_checkpoint_remove_all(const char *run_dir) LEASH_MUST_USE;

#endif
