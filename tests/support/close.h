/* cmocka with a comparison of numbers: |a - b| <= tolerance * max(1, |b|).  The reason for a
 * tolerance stands at its use. */
#ifndef LS_TESTS_CLOSE_H
#define LS_TESTS_CLOSE_H

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static inline void close_at(double a, double b, double tolerance, const char *file, int line)
{
    if (fabs(a - b) <= tolerance * fmax(1.0, fabs(b)) || (isnan(a) && isnan(b)))
        return;
    print_error("%s:%d: found %.12g, expected %.12g within %g\n", file, line, a, b, tolerance);
    _fail(file, line);
}

#define assert_close(a, b, tolerance) close_at((a), (b), (tolerance), __FILE__, __LINE__)

#endif
