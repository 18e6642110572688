/* arithmetic: "37+48=" -> "85", with + - * of two to four operands and the usual precedence.
 *
 * `steps` is the share of completions that work the answer out in columns, from the lowest digit
 * on, before they state it:
 *
 *     37+48=    7+8=15 3+4+1=8            each column: digits, then the carry when there is one
 *               #### 85
 *     52-37=    12-7=5 5-3-1=1            a column that is too small borrows ten, the next one pays
 *               #### 15
 *     37-52=    - 12-7=5 5-3-1=1          a negative result: sign first, then greater - lesser
 *               #### -15
 *     37*48=    37*8=296 37*40=1480 296+1480=1776  one product a digit, then their sum
 *               #### 1776
 *
 * Three and more operands are worked off one by one, products first; a sum that goes on ends
 * in " =VALUE".  The others are the last line alone.  `noise` is the share of
 * completions with a slip: one digit of the last operation is wrong, and so is the answer that
 * follows from it.  The `answer` column is always right, and the test split has no slips. */
#include "data/tasks/strings.h"

#define MOST_OPERANDS 4

typedef struct arithmetic_options {
    int64_t digits, min_digits, operands;
    const char *operators;
    double steps, noise;
} arithmetic_options;

static const ls_option rows[] = {
    {.key = "digits",
     .type = LS_OPT_INT,
     .offset = offsetof(arithmetic_options, digits),
     .def = "2",
     .min = 1,
     .max = 6,
     .help = "Most digits of an operand."},
    {.key = "min_digits",
     .type = LS_OPT_INT,
     .offset = offsetof(arithmetic_options, min_digits),
     .def = "1",
     .min = 1,
     .max = 6,
     .help = "Fewest digits of an operand; numbers of digits are equally likely."},
    {.key = "operands",
     .type = LS_OPT_INT,
     .offset = offsetof(arithmetic_options, operands),
     .def = "2",
     .min = 2,
     .max = MOST_OPERANDS,
     .help = "How many operands a problem has."},
    {.key = "operators",
     .type = LS_OPT_STRING,
     .offset = offsetof(arithmetic_options, operators),
     .def = "+",
     .help = "Operators, some of + - *."},
    {.key = "steps",
     .type = LS_OPT_FLOAT,
     .offset = offsetof(arithmetic_options, steps),
     .def = "0",
     .min = 0,
     .max = 1,
     .help = "Share of completions that work the answer out column by column."},
    {.key = "noise",
     .type = LS_OPT_FLOAT,
     .offset = offsetof(arithmetic_options, noise),
     .def = "0",
     .min = 0,
     .max = 1,
     .help = "Share of training completions with a slip and a wrong answer."},
};
static const ls_option_table table = {"Task", "Sums, differences and products.", rows,
                                      LS_COUNT(rows)};

/* A wrong digit: `delta` (1 to 9, 0 for none) is added to a digit modulo 10; `place` taken modulo
 * the number of digits says which. */
typedef struct slip {
    int64_t place, delta;
} slip;

static const slip no_slip = {0, 0};

static int64_t n_digits(int64_t value)
{
    int64_t n = 1;
    while ((value /= 10) > 0)
        n++;
    return n;
}

static int64_t power_of_ten(int64_t exponent)
{
    int64_t value = 1;
    while (exponent-- > 0)
        value *= 10;
    return value;
}

/* `value` with its digit at `place` changed as the slip says. */
static int64_t slip_digit(int64_t value, int64_t place, int64_t delta)
{
    int64_t unit = power_of_ten(place), digit = value / unit % 10;
    return value + ((digit + delta) % 10 - digit) * unit;
}

/* Writes a + b (or a - b with a >= b) of magnitudes column by column and returns the value that
 * the columns give. */
static int64_t columns(ls_str *out, int64_t a, int64_t b, bool is_minus, slip s)
{
    int64_t n = n_digits(a > b ? a : b), value = 0, carry = 0, unit = 1;
    for (int64_t i = 0; i < n; i++, unit *= 10) {
        int64_t x = a / unit % 10, y = b / unit % 10;
        int64_t lends = is_minus && x < y + carry ? 10 : 0;
        int64_t total = is_minus ? x + lends - y - carry : x + y + carry;
        if (s.delta && s.place % n == i)
            total = slip_digit(total, 0, s.delta);
        char op = is_minus ? '-' : '+';
        ls_str_appendf(out, "%s%d%c%d", i ? " " : "", (int)(x + lends), op, (int)y);
        if (carry)
            ls_str_appendf(out, "%c1", op);
        ls_str_appendf(out, "=%d", (int)total);
        value += total % 10 * unit;
        carry = is_minus ? lends / 10 : total / 10;
    }
    return value + (is_minus ? 0 : carry * unit);
}

/* Writes x op y of a signed x and a y that is not negative, and returns its value. */
static int64_t work_sum(ls_str *out, int64_t x, char op, int64_t y, slip s)
{
    bool is_minus = (op == '-') == (x >= 0); /* of the magnitudes */
    bool is_negative = (op == '-' ? x - y : x + y) < 0;
    int64_t a = x < 0 ? -x : x, b = y;
    if (is_negative)
        ls_str_append(out, "- ");
    int64_t value =
        is_minus && a < b ? columns(out, b, a, true, s) : columns(out, a, b, is_minus, s);
    return is_negative ? -value : value;
}

/* Writes "TEXT=value" with the slip in the value, and returns it. */
static int64_t work_result(ls_str *out, int64_t value, slip s)
{
    if (s.delta)
        value = slip_digit(value, s.place % n_digits(value), s.delta);
    ls_str_appendf(out, "=%lld", (long long)value);
    return value;
}

/* Writes x * y of numbers that are not negative: one product a digit of y, then sums of the
 * products. */
static int64_t work_product(ls_str *out, int64_t x, int64_t y, slip s)
{
    int64_t parts[20], n = 0;
    for (int64_t unit = 1, rest = y; rest > 0; rest /= 10, unit *= 10)
        if (rest % 10)
            parts[n++] = rest % 10 * unit;
    if (n == 0)
        parts[n++] = 0;
    for (int64_t i = 0; i < n; i++) {
        ls_str_appendf(out, "%s%lld*%lld", i ? " " : "", (long long)x, (long long)parts[i]);
        parts[i] = work_result(out, x * parts[i], n == 1 ? s : no_slip);
    }
    int64_t sum = parts[0];
    for (int64_t i = 1; i < n; i++) {
        ls_str_appendf(out, " %lld+%lld", (long long)sum, (long long)parts[i]);
        sum = work_result(out, sum + parts[i], i == n - 1 ? s : no_slip);
    }
    return sum;
}

typedef struct problem {
    int64_t values[MOST_OPERANDS], n_values;
    char operators[MOST_OPERANDS]; /* operators[i] stands before values[i + 1] */
} problem;

/* Writes all operations in order of precedence and returns the value; the slip goes into the last
 * operation. */
static int64_t work(ls_str *out, const problem *p, slip s)
{
    int64_t terms[MOST_OPERANDS] = {p->values[0]}, n_terms = 1, n_left = p->n_values - 1;
    for (int64_t i = 1; i < p->n_values; i++) {
        char op = p->operators[i - 1];
        if (op != '*') {
            terms[n_terms++] = p->values[i];
            continue;
        }
        ls_str_append(out, out->len ? " " : "");
        int64_t *term = &terms[n_terms - 1];
        *term = work_product(out, *term, p->values[i], --n_left ? no_slip : s);
    }
    int64_t sum = terms[0];
    for (int64_t i = 0, at = 1; i < p->n_values - 1; i++) {
        char op = p->operators[i];
        if (op == '*')
            continue;
        ls_str_append(out, out->len ? " " : "");
        sum = work_sum(out, sum, op, terms[at++], --n_left ? no_slip : s);
        if (n_left)
            ls_str_appendf(out, " =%lld", (long long)sum);
    }
    return sum;
}

static void draw_problem(problem *p, const arithmetic_options *o, ls_draw *draw)
{
    p->n_values = o->operands;
    for (int64_t i = 0; i < p->n_values; i++) {
        int64_t n = ls_draw_between(draw, o->min_digits, o->digits);
        int64_t low = n == 1 ? 0 : power_of_ten(n - 1);
        p->values[i] = ls_draw_between(draw, low, power_of_ten(n) - 1);
        if (i)
            p->operators[i - 1] = ls_draw_char(draw, o->operators);
    }
}

static slip draw_slip(const ls_str *prompt, double noise, ls_draw *draw)
{
    bool is_noisy = ls_draw_uniform(draw) < noise;
    slip s = {ls_draw_between(draw, 0, 999999), ls_draw_between(draw, 1, 9)};
    return is_noisy && !ls_task_is_test(prompt->data, prompt->len) ? s : no_slip;
}

static void generate(ls_problem *out, const void *options, uint64_t seed, uint64_t index,
                     uint32_t attempt)
{
    const arithmetic_options *o = options;
    ls_draw draw = ls_draw_start(seed, index, attempt);
    problem p;
    draw_problem(&p, o, &draw);
    for (int64_t i = 0; i < p.n_values; i++) {
        if (i)
            ls_str_append_char(&out->prompt, p.operators[i - 1]);
        ls_str_appendf(&out->prompt, "%lld", (long long)p.values[i]);
    }
    ls_str_append_char(&out->prompt, '=');
    ls_str right = LS_STR_INIT, shown = LS_STR_INIT;
    int64_t answer = work(&right, &p, no_slip);
    int64_t stated = work(&shown, &p, draw_slip(&out->prompt, o->noise, &draw));
    if (ls_draw_uniform(&draw) < o->steps)
        ls_str_appendf(&out->completion, "%s\n", shown.data);
    ls_str_appendf(&out->completion, "#### %lld", (long long)stated);
    ls_str_appendf(&out->answer, "%lld", (long long)answer);
    ls_str_release(&right);
    ls_str_release(&shown);
}

static leash_status check(const void *options)
{
    const arithmetic_options *o = options;
    if (o->min_digits > o->digits)
        return ls_fail(LEASH_USAGE, "min_digits is %lld, which is more than digits (%lld)",
                       (long long)o->min_digits, (long long)o->digits);
    LS_TRY(ls_task_check_operators(o->operators, "+-*"));
    for (const char *p = o->operators; *p; p++)
        if (*p == '*' && o->digits * o->operands > 18)
            return ls_fail(LEASH_USAGE,
                           "with * in operators, digits x operands may be at most 18, found %lld x "
                           "%lld",
                           (long long)o->digits, (long long)o->operands);
    return LEASH_OK;
}

const ls_task ls_task_arithmetic = {
    .name = "arithmetic",
    .help = "sums, differences and products of two to four numbers",
    .table = &table,
    .options_size = sizeof(arithmetic_options),
    .verifier = "number",
    .alphabet = "0123456789+-*=# \n",
    .check = check,
    .generate = generate,
};
