/* Shapes to start from without a model file.  Sizes are counted with the default vocabulary of 256;
 * a tied head adds nothing. */
#include <assert.h>
#include <string.h>
#include "base/str.h"
#include "model/model.h"

typedef struct {
    const char *name;
    ls_model_config config;
} builtin_row;

#define COMMON                                                                                     \
    .family = "llama", .initializer_range = 0.02, .tie_word_embeddings = true, .bos_token_id = -1, \
    .eos_token_id = -1
#define SMALL                                                                          \
    COMMON, .vocab_size = 256, .max_position_embeddings = 2048, .rope_theta = 10000.0, \
            .rms_norm_eps = 1e-5

static const builtin_row rows[] = {
    {"tiny", /* 0.2 M */
     {SMALL, .hidden_size = 64, .intermediate_size = 192, .num_hidden_layers = 4,
      .num_attention_heads = 4, .num_key_value_heads = 2, .head_dim = 16}},
    {"1m", /* 1.0 M */
     {SMALL, .hidden_size = 128, .intermediate_size = 384, .num_hidden_layers = 5,
      .num_attention_heads = 4, .num_key_value_heads = 2, .head_dim = 32}},
    {"15m", /* 14.2 M in the layers: the parameters are in the body, not in a large vocabulary */
     {SMALL, .hidden_size = 384, .intermediate_size = 1024, .num_hidden_layers = 8,
      .num_attention_heads = 6, .num_key_value_heads = 6, .head_dim = 64}},
    {"135m", /* HuggingFaceTB/SmolLM2-135M, vocabulary 49152: 134.5 M */
     {COMMON, .vocab_size = 49152, .max_position_embeddings = 8192, .rope_theta = 100000.0,
      .rms_norm_eps = 1e-5, .hidden_size = 576, .intermediate_size = 1536, .num_hidden_layers = 30,
      .num_attention_heads = 9, .num_key_value_heads = 3, .head_dim = 64}},
};

static const char *const names[] = {"tiny", "1m", "15m", "135m", NULL};
static_assert(LS_COUNT(names) == LS_COUNT(rows) + 1, "one name a row");

const char *const *ls_model_builtin_names(void)
{
    return names;
}

leash_status ls_model_config_builtin(ls_model_config *out, const char *name)
{
    for (size_t i = 0; i < LS_COUNT(rows); i++) {
        if (strcmp(rows[i].name, name) != 0)
            continue;
        *out = rows[i].config;
        return LEASH_OK;
    }
    const char *nearest = ls_nearest_name(name, names, LS_COUNT(rows));
    return ls_fail(LEASH_USAGE, "no built-in model '%s'%s%s%s; there are tiny, 1m, 15m and 135m",
                   name, nearest ? " (did you mean '" : "", nearest ? nearest : "",
                   nearest ? "'?)" : "");
}
