/* Arithmetic over whole numbers, evaluated exactly: + - * / and parentheses, unary minus, also
 * written with the signs U+00D7 U+00F7 U+00B7 U+2212 and the LaTeX words \times \div \cdot.
 *
 * No recursion and no allocation: at most LS_EXPRESSION_DEPTH pending operators, values up to 2^30
 * in numerator and denominator. */
#ifndef LS_REWARD_EXPRESSION_H
#define LS_REWARD_EXPRESSION_H

#include "reward/reward.h"

#define LS_EXPRESSION_DEPTH 64
#define LS_EXPRESSION_NUMBERS 64

typedef struct ls_expression {
    int64_t num, den;                       /* value, reduced, den >= 1          */
    int64_t literal[LS_EXPRESSION_NUMBERS]; /* the numbers written, in order     */
    int64_t n_literals;
} ls_expression;

/* NULL when it was evaluated, else why not. */
const char *ls_expression_evaluate(ls_expression *out, ls_span text);

#endif
