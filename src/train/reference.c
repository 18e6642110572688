/* Option rows of the Reference section. */
#include "train/reference.h"

#include <stddef.h>

#define ROW(field, option_type, default_text, ...)                                            \
    {                                                                                         \
        .key = #field, .type = option_type, .offset = offsetof(ls_reference_settings, field), \
        .def = default_text, __VA_ARGS__                                                      \
    }

static const ls_option rows[] = {
    ROW(sync_ref_model, LS_OPT_BOOL, "false",
        .help = "Move the reference towards the policy every ref_model_sync_steps updates.",
        .more = "TR-DPO (arXiv:2404.09656).  The logged KL is then that to the moved reference."),
    ROW(ref_model_mixup_alpha, LS_OPT_FLOAT, "0.6", .min = 0, .max = 1, .is_advanced = true,
        .help = "Share of the policy in the reference after sync_ref_model moved it; 1: a copy."),
    ROW(ref_model_sync_steps, LS_OPT_INT, "512", .min = 1, .max = 1e9, .unit = "updates",
        .is_advanced = true, .help = "Updates between two moves of sync_ref_model."),
    ROW(precompute_ref_log_probs, LS_OPT_BOOL, "false",
        .help = "Score the dataset with the reference once, before the first step.",
        .more = "Without ref_model the policy itself does it while it still is the reference: no "
                "second model is held in memory.  A resumed run scores again.  For pairs and "
                "labels in memory; no bit depends on it."),
};
const ls_option_table ls_reference_option_table = {
    "Reference", "The policy that the leash is tied to.", rows, LS_COUNT(rows)};

ls_reference_options ls_reference_settings_resolve(const ls_reference_settings *settings)
{
    ls_reference_options options = LS_REFERENCE_OPTIONS_INIT;
    options.mixup_alpha = settings->ref_model_mixup_alpha;
    options.steps = settings->ref_model_sync_steps;
    if (settings->sync_ref_model)
        options.kind = options.mixup_alpha == 1 ? LS_REFERENCE_COPY : LS_REFERENCE_MIX;
    return options;
}
