/* What stands behind leash_settings: a configuration bound to the options of a run. */
#ifndef LS_API_SETTINGS_H
#define LS_API_SETTINGS_H

#include "base/str.h"
#include "leash/leash.h"
#include "train/options.h"

struct leash_settings {
    ls_config *config;
    ls_run_options options;
    ls_str yaml;
};

/* Values that follow from others: the task's verifier as reward, the run's directory, and for
 * "generate" one completion of a prompt.  Called before work begins. */
leash_status ls_settings_derive(leash_settings *settings, const char *command) LEASH_MUST_USE;

#endif
