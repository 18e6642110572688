/* Settings of the reference policy: whether it moves, and whether its log-probabilities are made
 * once.  What a run does with them is in train/reference_model.c. */
#ifndef LS_TRAIN_REFERENCE_H
#define LS_TRAIN_REFERENCE_H

#include "config/option.h"
#include "rl/reference.h"

typedef struct ls_reference_settings {
    bool sync_ref_model;
    double ref_model_mixup_alpha;
    int64_t ref_model_sync_steps;
    bool precompute_ref_log_probs;
} ls_reference_settings;

extern const ls_option_table ls_reference_option_table;

/* When and how the reference moves. */
ls_reference_options ls_reference_settings_resolve(const ls_reference_settings *settings);

#endif
