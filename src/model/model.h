/* A decoder: configuration, weights, one forward.
 *
 * A family is a weight table and a forward function (src/model/family/x.c, one row in
 * families.def).  Loading, saving, initialisation, decay, memory plan and checkpoints walk the
 * weight table; no index encodes meaning.
 *
 * Buffers of a trained model: all weights lie in one float buffer `data` of n_params; gradients
 * (one buffer per leaf) and the optimiser's moments use the same offsets.  A tied head shares the
 * embedding's data but has its own gradient range (its sums run in another order), which
 * ls_model_fold_grads adds to the embedding's.
 *
 * A frozen model has no gradient buffers, and may keep one copy of each matrix (see ls_model_use);
 * low-rank matrices beside it (model/lora.h) are then what is trained.  `trained` is the table of
 * what the optimiser moves, whichever it is; offsets, gradients and moments are those of that
 * table. */
#ifndef LS_MODEL_MODEL_H
#define LS_MODEL_MODEL_H

#include "base/mem.h"
#include "model/config.h"
#include "ops/ops.h"

/* How weights are kept.  The two uses with one copy are for models that are run, and for the frozen
 * model under an adapter. */
typedef enum ls_model_use {
    LS_MODEL_FROZEN,  /* row-major and packed, not trained */
    LS_MODEL_TRAINED, /* the same, with gradients */
    LS_MODEL_PACKED,  /* matrices packed alone (the embedding row-major, for lookups) */
    LS_MODEL_STORED   /* matrices in the file's type, those of F32 packed */
} ls_model_use;

struct ls_model;
struct ls_decoder_design;
typedef struct ls_family {
    const char *name, *architecture, *help; /* model_type and class name in config.json */
    /* The class names of models that score begin with it; NULL: as `architecture` does. */
    const char *score_class;
    /* The defaults of the family's class in transformers, for keys that a file leaves out. */
    void (*defaults)(ls_model_config *config);
    /* What follows from the keys, the bits of `layers` above all; NULL: nothing. */
    void (*complete)(ls_model_config *config);
    const ls_config_key *keys;
    size_t n_keys;
    /* Some files leave it out of the names of their tensors ("transformer."); NULL: none. */
    const char *optional_prefix;
    const struct ls_decoder_design *design; /* decoder.h */
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
    float *data; /* (n_params); NULL: one copy of each weight */
    ls_model_use use;
    ls_weight *trained; /* n_trained of them, in one buffer of n_trained_params floats */
    int64_t n_trained, n_trained_params;
    float *trained_data;
    struct ls_adapter *adapter; /* low-rank matrices; NULL: none */
    bool skips_adapter;         /* the forward leaves them out: the model underneath */
    float **grads;              /* n_leaves buffers of n_grads floats */
    int64_t n_leaves;
    int64_t n_grads;               /* n_trained_params, plus vocab*hidden for a tied head */
    ls_weight *embedding, *head;   /* head == &tied_head when tied; NULL with a score */
    ls_weight *score, *score_bias; /* of a model that scores instead; NULL: none    */
    bool has_new_head;             /* the files had another: this one was drawn     */
    ls_weight tied_head;
    void *layers; /* the family's own array */
    /* config.json of the folder that it was loaded from, so that saving keeps what it says; NULL:
     * none */
    const char *config_text;
    ls_rope_table rope, local_rope; /* local: of sliding layers, the same tables or others */
} ls_model;

/* Built-in shapes: "tiny" (about 0.2 M), "1m", "15m", "135m" (SmolLM2's shape). vocab_size and max
 * positions are set by the caller afterwards.  Errors: LEASH_USAGE with the list and the nearest
 * name. */
leash_status ls_model_config_builtin(ls_model_config *out, const char *name) LEASH_MUST_USE;
const char *const *ls_model_builtin_names(void); /* NULL-terminated */

/* Allocates from the arena (a dry one measures); weights are undefined until initialised or loaded.
 * n_leaves: gradient buffers. */
leash_status ls_model_new(ls_model **out, const ls_model_config *config, ls_device *dev,
                          ls_arena *arena, ls_model_use use, int64_t n_leaves) LEASH_MUST_USE;
/* A frozen model that keeps each matrix in the type that the callback names for it (NULL or F32: in
 * float, packed). */
typedef const ls_quant_type *ls_weight_type_fn(void *user, const ls_weight *w);
leash_status ls_model_new_stored(ls_model **out, const ls_model_config *config, ls_device *dev,
                                 ls_arena *arena, ls_weight_type_fn *type_of,
                                 void *user) LEASH_MUST_USE;
/* Gives a weight its values, rows x cols elements of a stored type one row after the other, in
 * whatever way the model keeps it.  A weight kept in the file's type takes no other.  Models of two
 * copies are packed by ls_model_pack afterwards. */
void ls_model_put_weight(ls_model *model, ls_weight *w, const ls_quant_type *type,
                         const void *bytes);
/* Gradient buffers for the table of trained weights, whose offsets are set. */
void ls_model_take_grads(ls_model *model, int64_t n_leaves);
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
/* The same for the score alone, of a model whose files have another head. */
void ls_model_init_score(ls_model *model, uint64_t seed);
/* XXH3-64 of all weights, those of an adapter last; a model of one copy has another than one of
 * two. */
uint64_t ls_model_hash(const ls_model *model);

const ls_family *const *ls_families(size_t *n);
/* Sets what follows from the fields that were read: sizes that have their usual value when they are
 * 0 (num_key_value_heads, head_dim, intermediate_size), the bits of layers. */
void ls_model_config_complete(ls_model_config *config, const ls_family *family);
/* Errors: LEASH_UNSUPPORTED with the list and the nearest name. */
leash_status ls_family_find(const ls_family **out, const char *name) LEASH_MUST_USE;

#endif
