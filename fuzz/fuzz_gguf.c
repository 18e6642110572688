/* libFuzzer target: any bytes as a GGUF file.  What is accepted is read to its last byte, and its
 * metadata is taken for a model's. */
#include "base/mem.h"
#include "formats/gguf_model.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_value(const ls_gguf *file, const char *key)
{
    ls_gguf_text *texts;
    int64_t *ints, n;
    float *floats;
    if (ls_gguf_get_texts(&texts, &n, file, key) == LEASH_OK)
        ls_free(texts);
    if (ls_gguf_get_ints(&ints, &n, file, key) == LEASH_OK)
        ls_free(ints);
    if (ls_gguf_get_floats(&floats, &n, file, key) == LEASH_OK)
        ls_free(floats);
}

static void read_tensor(const ls_gguf *file, const ls_gguf_tensor *t, size_t size)
{
    LS_ASSERT(ls_gguf_find_tensor(file, t->name) == t);
    if (t->type == NULL || (uint64_t)t->n > 4 * size) /* types of 2 bits and more */
        return;
    float *values = ls_malloc((size_t)t->n * sizeof *values);
    t->type->to_float(values, t->data, t->n);
    ls_free(values);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static ls_model_config config;
    ls_gguf file;
    if (ls_gguf_parse(&file, data, size, "input") != LEASH_OK)
        return 0;
    for (int64_t i = 0; i < file.n_values; i++)
        read_value(&file, file.values[i].key);
    for (int64_t i = 0; i < file.n_tensors; i++)
        read_tensor(&file, &file.tensors[i], size);
    if (ls_gguf_read_config(&config, &file) != LEASH_OK)
        ls_error_clear();
    ls_gguf_close(&file);
    return 0;
}
