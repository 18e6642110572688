/* Numbers as people and models write them:
 *     1,000   -3   2/3   \frac{2}{3}   $18.00   42 apples   x = 5   10\%
 *
 * What is around the number and dropped: white space, $ and other currency signs, * ` quotes, \( \)
 * \[ \], \boxed{ }, a name of at the most 2 characters before =, a trailing \text{ }, degrees,
 * percent (10% is 10, not 0.1), full stop, comma, and trailing words (a unit), unless a word
 * changes the value (million, dozen, pi ...).
 * Integers of up to 255 digits and fractions are exact; a decimal that is whole (3.0) is an
 * integer. */
#ifndef LS_REWARD_NUMBER_TEXT_H
#define LS_REWARD_NUMBER_TEXT_H

#include "reward/reward.h"

#define LS_NUMBER_BYTES 256 /* longest text that is read as a number */

typedef enum ls_number_form {
    LS_NUMBER_INTEGER,
    LS_NUMBER_FRACTION,
    LS_NUMBER_DECIMAL
} ls_number_form;

typedef struct ls_number {
    ls_number_form form;
    bool is_negative;
    char digits[LS_NUMBER_BYTES]; /* integer: without leading zeros                    */
    int64_t num, den;             /* fraction: reduced, num >= 0, den >= 2             */
    double value;                 /* all forms, with its sign                          */
} ls_number;

/* False when the text is no number. */
bool ls_number_parse(ls_number *out, ls_span text);
/* Exact between integers and fractions; with a decimal on either side |a - gold| <= 1e-6 * max(1,
 * |gold|). */
bool ls_number_equal(const ls_number *a, const ls_number *gold);

#endif
