/* LoRA: low-rank matrices beside those of a model, which stay as they are.
 *
 *     y = x W^T + scale (x A^T) B^T,   A (R,in), B (out,R),
 *     scale = alpha / r  or  alpha / sqrt(r)
 *
 * What is adapted is said in PEFT's words (ls_lora_spec); ls_lora_attach looks the matrices up,
 * makes A and B, and, where they are trained, makes them the model's table of trained weights with
 * gradients of their own.  Everything that walks `model->trained` (optimiser, clipping, moments)
 * then sees the adapter alone.  A is U(-1/sqrt(in), 1/sqrt(in)), B is zero, as PEFT starts them.
 *
 *     ls_lora_spec spec = {.r = 16, .lora_alpha = 32};
 *     LS_TRY(ls_lora_spec_set_targets(&spec, "q_proj,v_proj", "lora_target_modules"));
 *     LS_TRY(ls_lora_attach(model, &spec, "lora_target_modules", n_leaves));
 *     ls_lora_init_weights(model, seed);
 *     ls_model_pack(model);
 *
 * ls_lora_underneath gives the model without its adapter, which is how a run has a reference policy
 * at no memory.  The head and the embedding take no adapter.
 * Source: arXiv:2106.09685, 2312.03732 (rank-stabilised scale); peft, src/peft/tuners/lora. */
#ifndef LS_MODEL_LORA_H
#define LS_MODEL_LORA_H

#include "model/model.h"

/* Which modules, as PEFT reads such a field: a list matches names and ends of names ("q_proj",
 * "self_attn.q_proj"), a pattern the whole name; is_all takes every matrix but the head. */
typedef struct ls_module_set {
    char **names; /* (n_names) owned */
    int64_t n_names;
    char *pattern; /* owned, NULL: none; a regular expression */
    bool is_all;
} ls_module_set;

typedef struct ls_module_value { /* an entry of rank_pattern or alpha_pattern */
    char *key;                   /* owned; a regular expression for the end of a name */
    double value;
} ls_module_value;

typedef struct ls_lora_spec { /* names and meaning of adapter_config.json */
    int64_t r;
    double lora_alpha;
    bool use_rslora;
    ls_module_set target_modules, exclude_modules;
    ls_module_value *rank_pattern, *alpha_pattern; /* owned; the first match counts */
    int64_t n_rank_pattern, n_alpha_pattern;
    int64_t *layers; /* layers_to_transform, owned */
    int64_t n_layers;
    char *layers_pattern; /* owned, NULL: the part of a name before the number */
} ls_lora_spec;

/* "all-linear", names separated by commas, or, with any other character than letters, digits, '_',
 * '.' and '-' in it, a regular expression; "" gives PEFT's choice, q_proj and v_proj.  `key` stands
 * in errors. */
leash_status ls_lora_spec_set_targets(ls_lora_spec *spec, const char *text,
                                      const char *key) LEASH_MUST_USE;
void ls_lora_spec_release(ls_lora_spec *spec);

typedef struct ls_lora_choice {
    ls_weight *weight;
    int64_t r;
    double alpha;
} ls_lora_choice;
/* The matrices that are adapted, in the order of the table, into an array that the caller frees
 * with ls_free.  Errors: LEASH_USAGE or LEASH_FORMAT naming `where`, for an entry that matches
 * nothing, a module that takes no adapter, a pattern that does not compile. */
leash_status ls_lora_choose(ls_lora_choice **out, int64_t *n, const ls_model *model,
                            const ls_lora_spec *spec, const char *where) LEASH_MUST_USE;

typedef struct ls_adapter {
    ls_weight *weights; /* A and B of each pair in turn, named as in PEFT's file */
    int64_t n_weights, n_params;
    ls_lora *pairs; /* (n_weights / 2), each pointed to by its matrix */
    ls_weight **bases;
    float *data;              /* (n_params) */
    const ls_lora_spec *spec; /* borrowed */
    const char *base_model;   /* borrowed; where the model underneath came from, "" */
} ls_adapter;

/* Makes the adapter in the model's arena; n_leaves 0: it is not trained.  The model must not be a
 * trained one, and have none yet.  The adapter's weights are undefined until initialised or loaded;
 * spec must outlive the model. */
leash_status ls_lora_attach(ls_model *model, const ls_lora_spec *spec, const char *where,
                            int64_t n_leaves) LEASH_MUST_USE;
void ls_lora_init_weights(ls_model *model, uint64_t seed);
/* The model underneath as a model of its own, in the same arena: it shares everything with `model`
 * and leaves the adapter out. */
ls_model *ls_lora_underneath(const ls_model *model);
/* W += scale B A in float, rounded once an element, for models with row-major data (FROZEN); then
 * packs.  The adapter's pairs are taken off. */
void ls_lora_merge(ls_model *model);

#endif
