/* Adapters in GGUF: <name of the matrix>.lora_a (R, in) and .lora_b (out, R), and one alpha.
 *
 * llama.cpp multiplies with alpha / R, R of the pair at hand.  Our scale is any number a pair, so
 * alpha is the first pair's scale * R, and B of a pair that has another is multiplied by what is
 * missing (1 without rank-stabilised scales of several ranks and without alpha_pattern).  Where the
 * file of a model has the rows of a matrix in another order, B has them in that order.
 * Source: ggml-org/llama.cpp, src/llama-adapter.cpp and convert_lora_to_gguf.py. */
#include "formats/gguf_adapter.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include "formats/gguf_model.h"
#include "formats/gguf_write.h"

typedef struct {
    const ls_model *model;
    const ls_gguf_arch *arch;
    ls_gguf_out *tensors; /* A and B in turns, as in the adapter */
    double alpha;
    float *values; /* of the tensor at hand */
} save_work;

static double alpha_of(const ls_lora *pair)
{
    return (double)pair->scale * (double)pair->a->rows;
}

static leash_status name_tensors(save_work *s)
{
    const ls_adapter *adapter = s->model->adapter;
    for (int64_t i = 0; i < adapter->n_weights; i++) {
        const ls_weight *w = &adapter->weights[i], *base = adapter->bases[i / 2];
        ls_gguf_out *t = &s->tensors[i];
        char name[64];
        int64_t expert;
        bool has_name = ls_gguf_name(name, &expert, s->model->family, base->name) && expert < 0;
        int n = has_name ? snprintf(t->name, sizeof t->name, "%s.lora_%c", name, "ab"[i % 2]) : -1;
        if (n < 0 || (size_t)n >= sizeof t->name)
            return ls_fail(LEASH_UNSUPPORTED, "an adapter of '%s' has no name in GGUF files",
                           base->name);
        t->type = ls_quant_find("F32");
        t->rank = 2;
        t->shape[0] = w->rows;
        t->shape[1] = w->cols;
    }
    return LEASH_OK;
}

static const void *bytes_of(void *user, int64_t i)
{
    save_work *s = user;
    const ls_adapter *adapter = s->model->adapter;
    const ls_weight *w = &adapter->weights[i], *base = adapter->bases[i / 2];
    bool is_b = i % 2 == 1;
    int64_t heads = 0;
    ls_row_order order =
        is_b ? ls_gguf_row_order(&heads, s->arch, &s->model->config, s->model->family, base->name)
             : LS_ROWS_AS_THEY_ARE;
    float factor = is_b ? (float)(alpha_of(&adapter->pairs[i / 2]) / s->alpha) : 1.0f;
    s->values = ls_realloc(s->values, ls_mul_size((size_t)(w->rows * w->cols), sizeof(float)));
    for (int64_t r = 0; r < w->rows; r++) {
        float *row = s->values + ls_stored_row(order, heads, w->rows, r) * w->cols;
        for (int64_t j = 0; j < w->cols; j++) {
            row[j] = w->data[r * w->cols + j] * factor;
            if (isfinite(row[j]))
                continue;
            ls_fail(LEASH_FAILED, "%s holds values that are not finite", w->name);
            return NULL;
        }
    }
    return s->values;
}

static leash_status save(save_work *s, const char *path)
{
    const ls_adapter *adapter = s->model->adapter;
    s->alpha = alpha_of(&adapter->pairs[0]);
    if (s->alpha == 0) /* llama.cpp takes 0 for "no scale" */
        return ls_fail(LEASH_UNSUPPORTED, "GGUF cannot say a lora_alpha of 0");
    LS_TRY(name_tensors(s));
    ls_gguf_keys keys;
    ls_gguf_keys_init(&keys);
    ls_gguf_put_text(&keys, "general.architecture", s->arch->name);
    ls_gguf_put_text(&keys, "general.type", "adapter");
    ls_gguf_put_u32(&keys, "general.file_type", 0);
    ls_gguf_put_u32(&keys, "general.quantization_version", 2);
    ls_gguf_put_text(&keys, "adapter.type", "lora");
    ls_gguf_put_f32(&keys, "adapter.lora.alpha", (float)s->alpha);
    leash_status status = ls_gguf_write(path, &keys, s->tensors, adapter->n_weights, bytes_of, s);
    ls_gguf_keys_release(&keys);
    return status;
}

leash_status ls_gguf_save_adapter(const ls_model *model, const char *path)
{
    LS_ASSERT(model->adapter);
    save_work s = {.model = model, .arch = ls_gguf_arch_of(&model->config)};
    if (!s.arch)
        return ls_fail(LEASH_UNSUPPORTED, "models of family '%s' have no GGUF architecture here",
                       model->config.family);
    s.tensors = ls_calloc((size_t)model->adapter->n_weights, sizeof *s.tensors);
    leash_status status = save(&s, path);
    ls_free(s.tensors);
    ls_free(s.values);
    return status;
}
