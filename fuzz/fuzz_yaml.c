/* Configuration files: any bytes set options or give an error, and what was set can be written
 * out. */
#include <stddef.h>
#include <stdint.h>

#include "config/option.h"
#include "data/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    ls_data_options options;
    ls_config *config = ls_config_new();
    ls_config_bind(config, &ls_data_option_table, &options);
    if (ls_config_load_text(config, (const char *)data, n, "fuzz.yaml", LS_FROM_FILE) == LEASH_OK) {
        ls_str text = LS_STR_INIT;
        ls_config_dump_yaml(config, &text);
        ls_str_release(&text);
    }
    ls_config_free(config);
    return 0;
}
