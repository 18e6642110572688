/* A decoder: configuration, weights, one forward.
 *
 * A family is a weight table and a forward function (src/model/family/x.c, one row in
 * families.def).  Loading, saving, initialisation, decay, memory plan and checkpoints walk the
 * weight table; no index encodes meaning.
 *
 * Buffers: all weights lie in one float buffer `data` of n_params; gradients (one buffer per leaf)
 * and the optimiser's moments use the same offsets.  A tied head shares the embedding's data but
 * has its own gradient range (its sums run in another order), which ls_model_fold_grads adds to the
 * embedding's.  A model without trainable weights (a reference) has no gradient buffers. */
#ifndef LS_MODEL_MODEL_H
#define LS_MODEL_MODEL_H

#include "base/mem.h"
#include "ops/ops.h"

typedef struct ls_model_config { /* names and meaning of a Hugging Face config.json */
    char family[32];             /* model_type: "llama" */
    int64_t vocab_size, hidden_size, intermediate_size, num_hidden_layers;
    int64_t num_attention_heads, num_key_value_heads, head_dim;
    int64_t max_position_embeddings;
    double rope_theta, rms_norm_eps, initializer_range;
    bool tie_word_embeddings;
    int32_t bos_token_id, eos_token_id; /* -1: none */
} ls_model_config;

struct ls_model;
typedef struct ls_family {
    const char *name, *architecture, *help; /* model_type and class name in config.json */
    /* Fills model->weights through ls_model_add_weight and keeps what forward needs in
     * model->layers. */
    void (*declare)(struct ls_model *model);
    /* hidden (N,C) after the final norm. */
    ls_tensor *(*forward)(struct ls_model *model, ls_tape *tape, const ls_batch *batch);
    /* impossible shapes, with the key named */
    leash_status (*check)(const ls_model_config *config);
} ls_family;

typedef struct ls_model {
    ls_model_config config;
    const ls_family *family;
    ls_device *dev;
    ls_arena *arena;    /* run lifetime: owns everything below */
    ls_weight *weights; /* in file order; the tied head is not in it */
    int64_t n_weights, n_params;
    float *data;   /* (n_params) */
    float **grads; /* n_leaves buffers of n_grads floats */
    int64_t n_leaves;
    int64_t n_grads;             /* n_params, plus vocab*hidden for a tied head */
    ls_weight *embedding, *head; /* head == &tied_head when tied */
    ls_weight tied_head;
    void *layers; /* the family's own array */
    ls_rope_table rope;
} ls_model;

/* Built-in shapes: "tiny" (about 0.2 M), "1m", "15m", "135m" (SmolLM2's shape). vocab_size and max
 * positions are set by the caller afterwards.  Errors: LEASH_USAGE with the list and the nearest
 * name. */
leash_status ls_model_config_builtin(ls_model_config *out, const char *name) LEASH_MUST_USE;
const char *const *ls_model_builtin_names(void); /* NULL-terminated */

typedef enum ls_model_use { LS_MODEL_FROZEN, LS_MODEL_TRAINED } ls_model_use;
/* Allocates from the arena (a dry one measures); weights are undefined until initialised or loaded.
 * n_leaves: gradient buffers. */
leash_status ls_model_new(ls_model **out, const ls_model_config *config, ls_device *dev,
                          ls_arena *arena, ls_model_use use, int64_t n_leaves) LEASH_MUST_USE;
/* Refreshes the packed layouts after any change of data. */
void ls_model_pack(ls_model *model);
void ls_model_zero_grads(ls_model *model);
/* Points every weight's grad at leaf's buffer. */
void ls_model_use_leaf(ls_model *model, int64_t leaf);
/* In every leaf adds the tied head's range to the embedding's, then adds the leaves in a fixed
 * binary tree (0+1, 2+3, then 0+2, ...) into leaf 0.  When the leaves of one model are spread over
 * ranks in runs of a power of two, each rank folds its own and the ranks' n_params gradients are
 * then added in the same tree, with the bits of one model that holds all leaves. */
void ls_model_fold_grads(ls_model *model);
ls_tensor *ls_model_forward(ls_model *model, ls_tape *tape, const ls_batch *batch);
/* Longest sequence that the model and the kernels take. */
int64_t ls_model_context(const ls_model_config *config);
/* Floats of one KV page over all layers. */
int64_t ls_model_page_floats(const ls_model *model);
ls_weight *ls_model_find_weight(ls_model *model, const char *name); /* NULL: none */
/* For families: declares a weight; data is assigned when all are known.  Matrices start as
 * normal(0, initializer_range) unless the family changes init_std; a weight of one row that is not
 * decayed is a gain and starts as ones. */
ls_weight *ls_model_add_weight(ls_model *model, int64_t rows, int64_t cols, bool is_decayed,
                               const char *format, ...) LS_PRINTF(5, 6);

/* Normal values by name (seed, LS_RNG_INIT, weight index, element / 2): see ls_weight.init_std.
 * Does not pack. */
void ls_model_init_weights(ls_model *model, uint64_t seed);
/* XXH3-64 of all weights. */
uint64_t ls_model_hash(const ls_model *model);

const ls_family *const *ls_families(size_t *n);
/* Errors: LEASH_UNSUPPORTED with the list and the nearest name. */
leash_status ls_family_find(const ls_family **out, const char *name) LEASH_MUST_USE;

#endif
