/* UTF-8 against the definition: all scalar values there and back, everything else refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "text/utf8.h"

static void every_scalar_value_reads_back_from_its_bytes(void **state)
{
    (void)state;
    for (uint32_t c = 0; c <= 0x10ffff; c++) {
        char bytes[5];
        uint32_t back = 0;
        size_t n = ls_utf8_put(bytes, c);
        bool is_surrogate = c >= 0xd800 && c <= 0xdfff;
        size_t got = ls_utf8_next(&back, bytes, n);
        if (got != (is_surrogate ? 0 : n) || (got && back != c))
            fail_msg("U+%04X: %zu bytes, read %zu", c, n, got);
    }
}

static void malformed_bytes_are_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {"\x80",
                                      "\xbf",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xe0\x80\x80",
                                      "\xf0\x80\x80\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff",
                                      "\xc3",
                                      "\xe2\x82",
                                      "\xe2\x28\xa1",
                                      "\xed\xa0\x80"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint32_t c;
        if (ls_utf8_next(&c, bad[i], strlen(bad[i])) != 0)
            fail_msg("case %zu is accepted", i);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scalar_value_reads_back_from_its_bytes),
        cmocka_unit_test(malformed_bytes_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
