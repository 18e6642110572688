/* Option rows of the Adapter section. */
#include "train/adapter.h"

#include <string.h>

#define ROW(field, option_type, default_text, ...)                                         \
    {                                                                                      \
        .key = #field, .type = option_type, .offset = offsetof(ls_adapter_options, field), \
        .def = default_text, __VA_ARGS__                                                   \
    }

static const char *const ways[] = {"packed", "stored", NULL};

static const ls_option rows[] = {
    ROW(use_peft, LS_OPT_BOOL, "false",
        .help = "Train low-rank matrices (LoRA) beside a frozen model instead of the model."),
    ROW(lora_r, LS_OPT_INT, "16", .min = 1, .max = 4096, .help = "Rank of the matrices."),
    ROW(lora_alpha, LS_OPT_FLOAT, "32", .min = 1e-6, .max = 1e6,
        .help = "Scale of their product: times lora_alpha / lora_r."),
    ROW(lora_dropout, LS_OPT_FLOAT, "0", .min = 0, .max = 1,
        .help = "Must be 0: rollout and training then compute the same.",
        .more = "TRL's default is 0.05.  Dropout would make the policy that is trained another one "
                "than the policy that sampled.",
        .is_advanced = true),
    ROW(lora_target_modules, LS_OPT_STRING, "all-linear",
        .help = "Which matrices: all-linear, names with commas (q_proj,v_proj), or a regular "
                "expression for whole names.",
        .more = "A name matches the end of a module's name.  all-linear is every matrix inside of "
                "the layers; empty is PEFT's choice, q_proj,v_proj.  (TRL leaves the choice to "
                "PEFT; adapting all matrices learns better at the same rank.)"),
    ROW(use_rslora, LS_OPT_BOOL, "false",
        .help = "Rank-stabilised scale: lora_alpha / sqrt(lora_r).", .is_advanced = true),
    ROW(adapter, LS_OPT_PATH, "",
        .help = "Adapter folder (PEFT layout, or a run that trained one) that is applied to the "
                "model; training continues it.",
        .more = "The reference policy is then the model without it."),
    ROW(frozen_weights, LS_OPT_CHOICE, "packed", .choices = ways,
        .help = "How models that are not trained are kept: packed (4 bytes a weight, fastest) or "
                "stored (the file's type: 2 bytes for BF16; slower).",
        .more = "No bit depends on it: stored weights are made floats for each use, block by "
                "block.  That costs little for the long batches of training and most of the time "
                "for the short ones of sampling."),
};
const ls_option_table ls_adapter_option_table = {
    "Adapter", "Training a few low-rank matrices beside a frozen model.", rows, LS_COUNT(rows)};

leash_status ls_adapter_options_check(const ls_adapter_options *o)
{
    if (o->lora_dropout != 0)
        return ls_fail(LEASH_USAGE,
                       "lora_dropout = %g: dropout would train another policy than the one that "
                       "samples; set it to 0",
                       o->lora_dropout);
    return LEASH_OK;
}

leash_status ls_adapter_check_given(const ls_config *config, const char *adapter)
{
    static const char *const keys[] = {"lora_r", "lora_alpha", "lora_target_modules", "use_rslora"};
    for (size_t i = 0; i < LS_COUNT(keys); i++)
        if (ls_config_is_set(config, keys[i]))
            return ls_fail(LEASH_USAGE,
                           "%s: %s brings its own (adapter_config.json): leave the key out",
                           keys[i], adapter);
    return LEASH_OK;
}

leash_status ls_adapter_make_spec(ls_lora_spec *out, const ls_adapter_options *o)
{
    *out = (ls_lora_spec){.r = o->lora_r, .lora_alpha = o->lora_alpha, .use_rslora = o->use_rslora};
    leash_status status =
        ls_lora_spec_set_targets(out, o->lora_target_modules, "lora_target_modules");
    if (status != LEASH_OK)
        ls_lora_spec_release(out);
    return status;
}

ls_model_use ls_adapter_frozen_use(const ls_adapter_options *o)
{
    return strcmp(o->frozen_weights, "stored") == 0 ? LS_MODEL_STORED : LS_MODEL_PACKED;
}
