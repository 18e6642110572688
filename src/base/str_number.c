/* Numbers from text and to text, always with the point as decimal sign, whatever locale the program
 * around us has set. */
#include "base/str.h"

#include <errno.h>
#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/err.h"

static locale_t c_locale;

static void make_c_locale(void)
{
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    LS_ASSERT(c_locale != (locale_t)0);
}

/* Switches this thread to the C locale; the caller switches back with uselocale. */
static locale_t use_c_locale(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_c_locale);
    return uselocale(c_locale);
}

static const char *skip_digits(const char *p)
{
    while (*p >= '0' && *p <= '9')
        p++;
    return p;
}

static const char *skip_sign(const char *p)
{
    return *p == '-' || *p == '+' ? p + 1 : p;
}

bool ls_parse_int64(const char *text, int64_t *out)
{
    const char *digits = skip_sign(text), *end = skip_digits(digits);
    if (end == digits || *end != '\0')
        return false;
    errno = 0;
    long long value = strtoll(text, NULL, 10);
    if (errno == ERANGE)
        return false;
    *out = value;
    return true;
}

/* [sign] digits [. digits] [e [sign] digits], with a digit before or after the point: what strtod
 * takes, less hexadecimal, infinities, NaN and blanks. */
static bool is_decimal_number(const char *text)
{
    const char *p = skip_sign(text), *start = p;
    p = skip_digits(p);
    bool has_digit = p > start;
    if (*p == '.') {
        start = ++p;
        p = skip_digits(p);
        has_digit = has_digit || p > start;
    }
    if (!has_digit)
        return false;
    if (*p == 'e' || *p == 'E') {
        start = skip_sign(p + 1);
        p = skip_digits(start);
        if (p == start)
            return false;
    }
    return *p == '\0';
}

static double read_double(const char *text)
{
    locale_t old = use_c_locale();
    double value = strtod(text, NULL);
    uselocale(old);
    return value;
}

bool ls_parse_double(const char *text, double *out)
{
    if (!is_decimal_number(text))
        return false;
    double value = read_double(text);
    if (!isfinite(value))
        return false;
    *out = value;
    return true;
}

/* --- shortest text --- */

/* Lays out "d.ddde[+-]xx" as people write it: plain for exponents from -4 to 15, else with an
 * exponent. */
static void lay_out(char buffer[32], const char *scientific)
{
    char digits[24];
    int n = 0;
    const char *p = scientific;
    bool is_negative = *p == '-';
    for (p += is_negative; *p != 'e'; p++)
        if (*p != '.')
            digits[n++] = *p;
    int exponent = (int)strtol(p + 1, NULL, 10);
    while (n > 1 && digits[n - 1] == '0')
        n--;
    digits[n] = '\0';

    const char *sign = is_negative ? "-" : "";
    char text[64]; /* the compiler cannot know that 32 are enough */
    if (exponent < -4 || exponent > 15)
        snprintf(text, sizeof text, "%s%c%s%se%c%02d", sign, digits[0], n > 1 ? "." : "",
                 digits + 1, exponent < 0 ? '-' : '+', abs(exponent));
    else if (exponent < 0)
        snprintf(text, sizeof text, "%s0.%.*s%s", sign, -exponent - 1, "000", digits);
    else if (n <= exponent + 1)
        snprintf(text, sizeof text, "%s%s%.*s", sign, digits, exponent + 1 - n, "000000000000000");
    else
        snprintf(text, sizeof text, "%s%.*s.%s", sign, exponent + 1, digits, digits + exponent + 1);
    size_t bytes = strlen(text) + 1;
    LS_ASSERT(bytes <= 32);
    memcpy(buffer, text, bytes);
}

static char *format_not_finite(char buffer[32], double value)
{
    snprintf(buffer, 32, "%s", isnan(value) ? "nan" : value > 0 ? "inf" : "-inf");
    return buffer;
}

/* Any decimal of up to 15 digits survives the way through a double and back, so if a text that
 * short names the value, 15 digits less trailing zeros are it; 17 digits name every double.  For
 * float the numbers are 6 and 9.  Denormal values have fewer digits. */
char *ls_format_double(char buffer[32], double value)
{
    if (!isfinite(value))
        return format_not_finite(buffer, value);
    char text[40];
    locale_t old = use_c_locale();
    for (int n_digits = fabs(value) < DBL_MIN ? 1 : 15; n_digits <= 17; n_digits++) {
        snprintf(text, sizeof text, "%.*e", n_digits - 1, value);
        if (strtod(text, NULL) == value)
            break;
    }
    uselocale(old);
    lay_out(buffer, text);
    return buffer;
}

char *ls_format_float(char buffer[32], float value)
{
    if (!isfinite(value))
        return format_not_finite(buffer, (double)value);
    char text[40];
    locale_t old = use_c_locale();
    for (int n_digits = fabsf(value) < FLT_MIN ? 1 : 6; n_digits <= 9; n_digits++) {
        snprintf(text, sizeof text, "%.*e", n_digits - 1, (double)value);
        if (strtof(text, NULL) == value)
            break;
    }
    uselocale(old);
    lay_out(buffer, text);
    return buffer;
}

/* --- for people --- */

/* value / base^i with the unit of that i, where what is shown stays below base: 1023.97 KiB is
 * shown as 1.0 MiB. */
static char *format_scaled(char buffer[32], double value, double base, const char *const *units,
                           int n_units)
{
    if (!isfinite(value))
        return format_not_finite(buffer, value);
    int i = 0;
    while (i + 1 < n_units && fabs(value) >= (i == 0 ? base - 0.5 : base - 0.05)) {
        value /= base;
        i++;
    }
    if (fabs(value) >= 1e15)
        snprintf(buffer, 32, "%.3e%s", value, units[i]);
    else
        snprintf(buffer, 32, i == 0 ? "%.0f%s" : "%.1f%s", value, units[i]);
    return buffer;
}

char *ls_format_bytes(char buffer[32], double bytes)
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB"};
    return format_scaled(buffer, bytes, 1024.0, units, LS_COUNT(units));
}

char *ls_format_count(char buffer[32], double count)
{
    static const char *const units[] = {"", "K", "M", "B", "T"};
    return format_scaled(buffer, count, 1000.0, units, LS_COUNT(units));
}

char *ls_format_seconds(char buffer[32], double seconds)
{
    if (!isfinite(seconds))
        return format_not_finite(buffer, seconds);
    if (seconds < 0 || seconds >= 1e15) {
        snprintf(buffer, 32, "%.3es", seconds);
        return buffer;
    }
    if (seconds < 0.9995)
        snprintf(buffer, 32, "%.0fms", seconds * 1000.0);
    else if (seconds < 59.95)
        snprintf(buffer, 32, "%.1fs", seconds);
    else {
        int64_t s = (int64_t)(seconds + 0.5), minutes = s / 60, hours = minutes / 60;
        if (hours == 0)
            snprintf(buffer, 32, "%dm %02ds", (int)minutes, (int)(s % 60));
        else if (hours < 24)
            snprintf(buffer, 32, "%dh %02dm", (int)hours, (int)(minutes % 60));
        else
            snprintf(buffer, 32, "%lldd %02dh", (long long)(hours / 24), (int)(hours % 24));
    }
    return buffer;
}
