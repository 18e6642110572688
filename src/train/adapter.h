/* Settings of an adapter: whether one is trained, and how the frozen model under it is kept. */
#ifndef LS_TRAIN_ADAPTER_H
#define LS_TRAIN_ADAPTER_H

#include "config/option.h"
#include "model/lora.h"

typedef struct ls_adapter_options {
    bool use_peft;
    int64_t lora_r;
    double lora_alpha, lora_dropout;
    const char *lora_target_modules;
    bool use_rslora;
    const char *adapter;        /* folder of an adapter that is continued or applied; "": none */
    const char *frozen_weights; /* packed, stored */
} ls_adapter_options;

extern const ls_option_table ls_adapter_option_table;

/* Errors: LEASH_USAGE naming the key. */
leash_status ls_adapter_options_check(const ls_adapter_options *options) LEASH_MUST_USE;
/* With a given adapter, keys that it brings itself must not be set.  Errors: LEASH_USAGE. */
leash_status ls_adapter_check_given(const ls_config *config, const char *adapter) LEASH_MUST_USE;
/* What a new adapter is; release with ls_lora_spec_release. */
leash_status ls_adapter_make_spec(ls_lora_spec *out,
                                  const ls_adapter_options *options) LEASH_MUST_USE;
/* LS_MODEL_PACKED or LS_MODEL_STORED. */
ls_model_use ls_adapter_frozen_use(const ls_adapter_options *options);

#endif
