/* Arithmetic as in Python: + - * / // % ** on numbers, + on texts and lists, * of them with a
 * number. */
#include "text/jinja/value.h"

#include <math.h>
#include <string.h>

static leash_status overflow(const ls_jrun *run)
{
    return ls_jfail(run, "the result does not fit 64 bits");
}

static leash_status fail_types(const ls_jrun *run, int op, ls_jval a, ls_jval b)
{
    char name[3] = {(char)op};
    if (a.type == LS_J_UNDEFINED || b.type == LS_J_UNDEFINED)
        return ls_jfail(run, "%s", a.type == LS_J_UNDEFINED ? a.text.at : b.text.at);
    if (op == '%' && a.type == LS_J_STRING)
        return ls_jfail(run, "formatting with %% is not supported");
    if (op == 'd' || op == 'p')
        memcpy(name, op == 'd' ? "//" : "**", 3);
    return ls_jfail(run, "'%s' is not supported between %s and %s", name, ls_jtype_name(a),
                    ls_jtype_name(b));
}

static leash_status integer_power(ls_jrun *run, int64_t base, int64_t exponent, ls_jval *out)
{
    int64_t result = 1;
    if (exponent < 0) {
        if (base == 0)
            return ls_jfail(run, "division by zero");
        *out = ls_jfloat(pow((double)base, (double)exponent));
        return LEASH_OK;
    }
    for (; exponent; exponent >>= 1) {
        if (exponent & 1 && __builtin_mul_overflow(result, base, &result))
            return overflow(run);
        if (exponent > 1 && __builtin_mul_overflow(base, base, &base))
            return overflow(run);
    }
    *out = ls_jint(result);
    return LEASH_OK;
}

static leash_status integers(ls_jrun *run, int op, int64_t a, int64_t b, ls_jval *out)
{
    int64_t r = 0;
    bool is_over = false;
    if ((op == '/' || op == 'd' || op == '%') && b == 0)
        return ls_jfail(run, "division by zero");
    switch (op) {
    case '+': is_over = __builtin_add_overflow(a, b, &r); break;
    case '-': is_over = __builtin_sub_overflow(a, b, &r); break;
    case '*': is_over = __builtin_mul_overflow(a, b, &r); break;
    case '/': *out = ls_jfloat((double)a / (double)b); return LEASH_OK;
    case 'p': return integer_power(run, a, b, out);
    default:
        if (b == -1) { /* the one quotient that can overflow */
            is_over = op == 'd' && __builtin_sub_overflow((int64_t)0, a, &r);
        } else {
            int64_t rest = a % b;
            bool is_below = rest != 0 && (rest < 0) != (b < 0);
            r = op == 'd' ? a / b - is_below : rest + (is_below ? b : 0);
        }
    }
    if (is_over)
        return overflow(run);
    *out = ls_jint(r);
    return LEASH_OK;
}

static leash_status numbers(ls_jrun *run, int op, double a, double b, ls_jval *out)
{
    double rest;
    if ((op == '/' || op == 'd' || op == '%') && b == 0)
        return ls_jfail(run, "division by zero");
    switch (op) {
    case '+': *out = ls_jfloat(a + b); break;
    case '-': *out = ls_jfloat(a - b); break;
    case '*': *out = ls_jfloat(a * b); break;
    case '/': *out = ls_jfloat(a / b); break;
    case 'p':
        if ((a < 0 && b != floor(b)) || (a == 0 && b < 0))
            return ls_jfail(run, "the power is no real number");
        *out = ls_jfloat(pow(a, b));
        break;
    case 'd': *out = ls_jfloat(floor(a / b)); break;
    default:
        rest = fmod(a, b);
        *out = ls_jfloat(rest != 0 && (rest < 0) != (b < 0) ? rest + b : rest);
    }
    return LEASH_OK;
}

static leash_status concatenate(ls_jrun *run, ls_jval a, ls_jval b, ls_jval *out)
{
    if (a.type == LS_J_STRING) {
        ls_jbuf buf = {0};
        LS_TRY(ls_jput(run, &buf, a.text.at, a.text.n));
        LS_TRY(ls_jput(run, &buf, b.text.at, b.text.n));
        *out = ls_jof(&buf);
        return LEASH_OK;
    }
    LS_TRY(ls_jcharge(run, (size_t)(a.list->n + b.list->n)));
    *out = ls_jlist_new(run, a.type, a.list->n + b.list->n);
    for (int64_t i = 0; i < a.list->n + b.list->n; i++)
        LS_TRY(ls_jlist_add(run, out->list,
                            i < a.list->n ? a.list->items[i] : b.list->items[i - a.list->n]));
    return LEASH_OK;
}

static leash_status repeat(ls_jrun *run, ls_jval v, int64_t times, ls_jval *out)
{
    ls_jbuf buf = {0};
    if (v.type == LS_J_STRING) {
        for (int64_t i = 0; i < times && v.text.n; i++)
            LS_TRY(ls_jput(run, &buf, v.text.at, v.text.n));
        *out = ls_jof(&buf);
        return LEASH_OK;
    }
    *out = ls_jlist_new(run, v.type, 0);
    for (int64_t i = 0; i < times && v.list->n; i++)
        for (int64_t j = 0; j < v.list->n; j++)
            LS_TRY(ls_jlist_add(run, out->list, v.list->items[j]));
    return LEASH_OK;
}

static bool is_sequence(ls_jval v)
{
    return v.type == LS_J_STRING || v.type == LS_J_LIST || v.type == LS_J_TUPLE;
}

leash_status ls_jarithmetic(ls_jrun *run, int op, ls_jval a, ls_jval b, ls_jval *out)
{
    int64_t i, j;
    if (ls_jis_integer(a, &i) && ls_jis_integer(b, &j))
        return integers(run, op, i, j, out);
    if (ls_jis_number(a) && ls_jis_number(b))
        return numbers(run, op, ls_jnumber(a), ls_jnumber(b), out);
    if (op == '+' && a.type == b.type && is_sequence(a))
        return concatenate(run, a, b, out);
    if (op == '*' && is_sequence(a) && ls_jis_integer(b, &j))
        return repeat(run, a, j, out);
    if (op == '*' && is_sequence(b) && ls_jis_integer(a, &i))
        return repeat(run, b, i, out);
    return fail_types(run, op, a, b);
}
