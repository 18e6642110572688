/* Words that are no key: the key that was probably meant, by spelling or by the name it has in
 * other programs. */
#include "config/state.h"

#include <string.h>
#include "base/mem.h"

#define LISTED_KEYS 8 /* a table this small is listed whole */

/* Names of TRL, verl and OpenRLHF for keys that are spelled differently here, where the meaning
 * is the same. */
static const char *const foreign_names[][2] = {
    {"model_name_or_path", "model"},
    {"model_path", "model"},
    {"ref_model_name_or_path", "ref_model"},
    {"dataset_name", "dataset"},
    {"dataset_path", "dataset"},
    {"reward_funcs", "reward"},
    {"reward_fn", "reward"},
    {"loss_type", "aggregation"},
    {"scale_rewards", "advantage_estimator"},
    {"adv_estimator", "advantage_estimator"},
    {"kl_coef", "beta"},
    {"init_kl_coef", "beta"},
    {"cliprange", "epsilon"},
    {"eps_clip", "epsilon"},
    {"clip_ratio", "epsilon"},
    {"num_ppo_epochs", "num_iterations"},
    {"max_new_tokens", "max_completion_length"},
    {"response_length", "max_completion_length"},
    {"lr", "learning_rate"},
    {"resume_from_checkpoint", "resume"},
};

static const char *own_name(const ls_config *config, const char *key)
{
    for (size_t i = 0; i < LS_COUNT(foreign_names); i++)
        if (strcmp(foreign_names[i][0], key) == 0 && ls_config_find(config, foreign_names[i][1]))
            return foreign_names[i][1];
    return NULL;
}

static const char *nearest_key(const ls_config *config, const char *key)
{
    const char **names = ls_malloc(ls_mul_size(config->n_entries + 1, sizeof *names));
    for (size_t i = 0; i < config->n_entries; i++)
        names[i] = config->entries[i].row->key;
    const char *nearest = ls_nearest_name(key, names, (int64_t)config->n_entries);
    ls_free(names);
    return nearest;
}

/* Appends what helps: " (here it is 'x')", " (did you mean 'x'?)", or the keys.  dashes: "--" or
 * "". */
static void append_hint(const ls_config *config, const char *typed, const char *dashes, ls_str *out)
{
    ls_str key = LS_STR_INIT;
    ls_str_append(&key, typed);
    for (char *c = key.data; *c; c++)
        if (*c == '-')
            *c = '_';
    const char *own = own_name(config, key.data);
    const char *nearest = own ? NULL : nearest_key(config, key.data);
    ls_str_release(&key);
    if (own) {
        ls_str_appendf(out, " (here it is '%s%s')", dashes, own);
    } else if (nearest) {
        ls_str_appendf(out, " (did you mean '%s%s'?)", dashes, nearest);
    } else if (config->n_entries > LISTED_KEYS || config->n_entries == 0) {
        ls_str_append(out, " (--help-all lists all keys)");
    } else {
        for (size_t i = 0; i < config->n_entries; i++)
            ls_str_appendf(out, "%s%s%s", i ? ", " : " (known are ", dashes,
                           config->entries[i].row->key);
        ls_str_append_char(out, ')');
    }
}

leash_status ls_config_fail_key(const ls_config *config, const char *where, const char *key)
{
    ls_str text = LS_STR_INIT;
    ls_append_found(&text, key);
    append_hint(config, key, "", &text);
    leash_status status =
        ls_fail(LEASH_USAGE, "%s%sunknown key %s", where, where[0] ? ": " : "", text.data);
    ls_str_release(&text);
    return status;
}

leash_status ls_config_fail_flag(const ls_config *config, const char *flag)
{
    ls_str hint = LS_STR_INIT;
    append_hint(config, flag + strspn(flag, "-"), "--", &hint);
    leash_status status = ls_fail(LEASH_USAGE, "%s: unknown option%s", flag, hint.data);
    ls_str_release(&hint);
    return status;
}
