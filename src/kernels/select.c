/* Which table runs: what the processor and the operating system have, LEASH_ISA, and the device
 * that holds the choice. */
#include "kernels/kernels.h"

#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "kernels/cpu/cpu.h"

bool ls_cpu_has_any(void)
{
    return true;
}

/* __builtin_cpu_supports asks CPUID and, for the wide registers, whether the operating system
 * saves them (XGETBV). */
bool ls_cpu_has_avx2(void)
{
    __builtin_cpu_init();
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

bool ls_cpu_has_avx512(void)
{
    return ls_cpu_has_avx2() && __builtin_cpu_supports("avx512f") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

/* Slowest first; null is chosen by name alone. */
static const ls_kernels *const tables[] = {&ls_kernels_null, &ls_kernels_ref, &ls_kernels_avx2,
                                           &ls_kernels_avx512};

int ls_kernels_available(const ls_kernels *out[3])
{
    int n = 0;
    for (size_t i = 0; i < LS_COUNT(tables); i++)
        if (!tables[i]->is_null && tables[i]->is_supported())
            out[n++] = tables[i];
    return n;
}

leash_status ls_kernels_select(const ls_kernels **out, const char *isa)
{
    bool is_asked = isa && isa[0];
    if (!is_asked)
        isa = getenv("LEASH_ISA");
    if (!isa || !isa[0]) {
        const ls_kernels *found[3];
        *out = found[ls_kernels_available(found) - 1];
        return LEASH_OK;
    }
    for (size_t i = 0; i < LS_COUNT(tables); i++) {
        if (strcmp(tables[i]->name, isa) != 0)
            continue;
        if (!tables[i]->is_supported())
            return ls_fail(LEASH_UNSUPPORTED,
                           "instruction set %s: this processor or its operating system lacks it; "
                           "leave %s unset to take the best there is",
                           isa, is_asked ? "the option" : "LEASH_ISA");
        *out = tables[i];
        return LEASH_OK;
    }
    return ls_fail(LEASH_USAGE,
                   "%s: unknown instruction set \"%s\"; one of ref, avx2, avx512, null expected",
                   is_asked ? "instruction set" : "LEASH_ISA", isa);
}

leash_status ls_device_init(ls_device *dev, const ls_kernels *k, int n_threads)
{
    *dev = (ls_device){.k = k};
    if (k->is_null)
        return LEASH_OK;
    if (n_threads == 0)
        n_threads = ls_cpu_count();
    if (n_threads > 1)
        LS_TRY(ls_pool_new(&dev->pool, n_threads));
    dev->scratch_bytes = ls_mul_size((size_t)ls_pool_size(dev->pool), LS_CPU_SCRATCH_BYTES) + 64;
    dev->scratch = ls_malloc(dev->scratch_bytes);
    return LEASH_OK;
}

void ls_device_release(ls_device *dev)
{
    ls_pool_free(dev->pool);
    ls_free(dev->scratch);
    *dev = (ls_device){0};
}
