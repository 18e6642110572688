/* Stored number types against the gguf package (tests/golden/quant/generate.py): bit for bit both
 * ways; where the package has a NaN, so has ours. */
#include <math.h>
#include <stdio.h>
#include <string.h>
#include "close.h"
#include "base/mem.h"
#include "formats/safetensors.h"
#include "kernels/quant.h"

#define FIXTURE LEASH_TEST_DATA "/quant/blocks.safetensors"

static const ls_st_tensor *find(const ls_st_file *file, const char *what, const char *type,
                                const char *kind)
{
    char name[64];
    snprintf(name, sizeof name, "%s.%s.%s", what, type, kind);
    return ls_st_find(file, name);
}

static void check_read(const ls_st_file *file, const ls_quant_type *type)
{
    const ls_st_tensor *in = find(file, "read", type->name, "bytes");
    const ls_st_tensor *expected = find(file, "read", type->name, "floats");
    if (in == NULL)
        return;
    assert_int_equal(in->n_bytes, ls_quant_bytes(type, expected->n));
    /* One byte off any alignment. */
    unsigned char *bytes = ls_malloc(in->n_bytes + 1);
    float *out = ls_malloc((size_t)expected->n * sizeof *out);
    memcpy(bytes + 1, in->data, in->n_bytes);
    type->to_float(out, bytes + 1, expected->n);
    for (int64_t i = 0; i < expected->n; i++) {
        float want;
        memcpy(&want, expected->data + 4 * i, sizeof want);
        if (memcmp(&want, &out[i], sizeof want) != 0 && !(isnan(want) && isnan(out[i])))
            fail_msg("%s, element %lld of block %lld: %a instead of %a", type->name,
                     (long long)(i % type->block_n), (long long)(i / type->block_n), (double)out[i],
                     (double)want);
    }
    ls_free(out);
    ls_free(bytes);
}

static void check_write(const ls_st_file *file, const ls_quant_type *type)
{
    const ls_st_tensor *in = find(file, "write", type->name, "floats");
    const ls_st_tensor *expected = find(file, "write", type->name, "bytes");
    if (in == NULL)
        return;
    float *values = ls_malloc(in->n_bytes);
    unsigned char *out = ls_malloc(expected->n_bytes);
    memcpy(values, in->data, in->n_bytes);
    type->from_float(out, values, in->n);
    for (size_t i = 0; i < expected->n_bytes; i++)
        if (out[i] != expected->data[i])
            fail_msg("%s, byte %zu of block %zu: %02x instead of %02x", type->name,
                     i % (size_t)type->block_bytes, i / (size_t)type->block_bytes, out[i],
                     expected->data[i]);
    ls_free(out);
    ls_free(values);
}

static void blocks_read_and_write_as_the_reference_does(void **state)
{
    (void)state;
    ls_st_file file;
    assert_int_equal(ls_st_open(&file, FIXTURE), LEASH_OK);
    size_t n;
    int n_read = 0, n_written = 0;
    const ls_quant_type *types = ls_quant_types(&n);
    for (size_t i = 0; i < n; i++) {
        n_read += find(&file, "read", types[i].name, "bytes") != NULL;
        n_written += find(&file, "write", types[i].name, "bytes") != NULL;
        check_read(&file, &types[i]);
        check_write(&file, &types[i]);
    }
    assert_int_equal(n_read, 13);
    assert_int_equal(n_written, 5);
    ls_st_close(&file);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(blocks_read_and_write_as_the_reference_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
