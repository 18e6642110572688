/* libFuzzer target: any bytes as a safetensors file.  What is accepted is read to its last byte. */
#include "base/mem.h"
#include "formats/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    ls_st_file file;
    if (ls_st_parse(&file, data, size, "input") != LEASH_OK)
        return 0;
    for (int64_t i = 0; i < file.n_tensors; i++) {
        const ls_st_tensor *t = &file.tensors[i];
        LS_ASSERT(ls_st_find(&file, t->name) == t);
        if ((uint64_t)t->n > size) /* sub-byte types; floats take at least two bytes each */
            continue;
        float *values = ls_malloc((size_t)t->n * sizeof *values);
        if (ls_st_to_float(values, t, "input") != LEASH_OK)
            ls_error_clear();
        ls_free(values);
    }
    ls_st_close(&file);
    return 0;
}
