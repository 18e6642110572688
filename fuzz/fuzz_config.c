/* config.json: any bytes give a config or an error, and what was read can be computed and written.
 *
 * A config that is taken is written again and read: both must be the same model. */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "formats/hf_config.h"
#include "formats/hf_folder.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check(const ls_model_config *c)
{
    LS_ASSERT(c->vocab_size > 0 && c->hidden_size > 0 && c->head_dim > 0);
    LS_ASSERT(c->num_hidden_layers > 0 && c->num_hidden_layers <= LS_MOST_LAYERS);
    LS_ASSERT_EQ(c->num_attention_heads % c->num_key_value_heads, 0);
    LS_ASSERT(ls_model_context(c) > 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static ls_model_config config, again;
    if (ls_hf_read_config_text(&config, (const char *)data, n, "config.json") != LEASH_OK)
        return 0;
    check(&config);
    const ls_family *family;
    LS_ASSERT(ls_family_find(&family, config.family) == LEASH_OK);
    ls_str json = LS_STR_INIT;
    ls_hf_append_config(&json, &config, family, "float32");
    LS_ASSERT(ls_hf_read_config_text(&again, json.data, json.len, "again") == LEASH_OK);
    check(&again);
    LS_ASSERT_EQ(again.vocab_size, config.vocab_size);
    LS_ASSERT_EQ(again.head_dim, config.head_dim);
    for (int64_t l = 0; l < config.num_hidden_layers; l++) /* mlp_only_layers without experts */
        LS_ASSERT_EQ(again.layers[l] & ~LS_LAYER_DENSE, config.layers[l] & ~LS_LAYER_DENSE);
    ls_str_release(&json);
    return 0;
}
