/* adapter_config.json: any bytes give a specification or an error, and one that is taken chooses
 * modules of a model or is refused by it. */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "formats/peft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* On a device that computes nothing: tables alone. */
static void attach(const ls_lora_spec *spec)
{
    ls_model_config config;
    ls_device dev;
    ls_arena arena;
    ls_model *model;
    LS_ASSERT(ls_model_config_builtin(&config, "tiny") == LEASH_OK);
    LS_ASSERT(ls_device_init(&dev, &ls_kernels_null, 1) == LEASH_OK);
    LS_ASSERT(ls_arena_init(&arena, "model", 0) == LEASH_OK);
    LS_ASSERT(ls_model_new(&model, &config, &dev, &arena, LS_MODEL_FROZEN, 0) == LEASH_OK);
    if (ls_lora_attach(model, spec, "adapter_config.json", 0) == LEASH_OK)
        LS_ASSERT(model->adapter && model->adapter->n_weights > 0);
    ls_arena_release(&arena);
    ls_device_release(&dev);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    ls_peft_config config;
    if (ls_peft_read_config_text(&config, (const char *)data, n, "adapter_config.json") != LEASH_OK)
        return 0;
    LS_ASSERT(config.spec.r > 0);
    if (config.spec.r <= 64)
        attach(&config.spec);
    ls_peft_config_release(&config);
    return 0;
}
