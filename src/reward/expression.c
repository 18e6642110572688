/* Shunting-yard with two small stacks (Dijkstra 1961). */
#include "reward/expression.h"

#include <string.h>
#include "reward/text.h"

/* Products of two such values, and the sum of two products, stay inside int64. */
#define VALUE_MAX (INT64_C(1) << 30)

typedef struct rational {
    int64_t num, den;
} rational;

typedef struct machine {
    rational value[LS_EXPRESSION_DEPTH];
    char op[LS_EXPRESSION_DEPTH]; /* + - * / ( and n for unary minus */
    int64_t n_values, n_ops;
} machine;

static const char too_deep[] = "the expression is too deep";
static const char too_large[] = "a value of the expression is too large";
static const char malformed[] = "the answer is not an expression";

static int precedence(char op)
{
    switch (op) {
    case '+':
    case '-': return 1;
    case '*':
    case '/': return 2;
    case 'n': return 3;
    default: return 0; /* ( */
    }
}

static const char *push(machine *m, rational value)
{
    int64_t a = value.num < 0 ? -value.num : value.num, b = value.den;
    while (b != 0) {
        int64_t rest = a % b;
        a = b;
        b = rest;
    }
    value.num /= a;
    value.den /= a;
    if (value.num > VALUE_MAX || value.num < -VALUE_MAX || value.den > VALUE_MAX)
        return too_large;
    if (m->n_values == LS_EXPRESSION_DEPTH)
        return too_deep;
    m->value[m->n_values++] = value;
    return NULL;
}

/* Applies the operator on top of the stack. */
static const char *reduce(machine *m)
{
    char op = m->op[--m->n_ops];
    if (m->n_values < (op == 'n' ? 1 : 2))
        return malformed;
    rational b = m->value[--m->n_values];
    if (op == 'n')
        return push(m, (rational){-b.num, b.den});
    rational a = m->value[--m->n_values];
    switch (op) {
    case '+': return push(m, (rational){a.num * b.den + b.num * a.den, a.den * b.den});
    case '-': return push(m, (rational){a.num * b.den - b.num * a.den, a.den * b.den});
    case '*': return push(m, (rational){a.num * b.num, a.den * b.den});
    default: break;
    }
    if (b.num == 0)
        return "the expression divides by zero";
    int64_t sign = b.num < 0 ? -1 : 1;
    return push(m, (rational){sign * a.num * b.den, sign * b.num * a.den});
}

static const char *push_op(machine *m, char op)
{
    /* A prefix operator applies to what follows: nothing before it is due yet. */
    while (op != '(' && op != 'n' && m->n_ops > 0 &&
           precedence(m->op[m->n_ops - 1]) >= precedence(op)) {
        const char *reason = reduce(m);
        if (reason)
            return reason;
    }
    if (m->n_ops == LS_EXPRESSION_DEPTH)
        return too_deep;
    m->op[m->n_ops++] = op;
    return NULL;
}

static const char *close_parenthesis(machine *m)
{
    while (m->n_ops > 0 && m->op[m->n_ops - 1] != '(') {
        const char *reason = reduce(m);
        if (reason)
            return reason;
    }
    if (m->n_ops == 0)
        return "a parenthesis is not opened";
    m->n_ops--;
    return NULL;
}

/* The operator at text[*i], '\0' when there is none; moves past it. */
static char take_op(ls_span text, int64_t *i)
{
    static const struct {
        const char *text;
        char op;
    } ops[] = {{"+", '+'},        {"-", '-'},
               {"*", '*'},        {"/", '/'},
               {"(", '('},        {")", ')'},
               {"\xc3\x97", '*'}, {"\xc3\xb7", '/'},
               {"\xc2\xb7", '*'}, {"\xe2\x88\x92", '-'},
               {"\\times", '*'},  {"\\cdot", '*'},
               {"\\div", '/'}};
    for (size_t k = 0; k < LS_COUNT(ops); k++) {
        if (ls_span_starts_with(ls_span_cut(text, *i, text.n), ops[k].text)) {
            *i += (int64_t)strlen(ops[k].text);
            return ops[k].op;
        }
    }
    return '\0';
}

static const char *take_number(machine *m, ls_expression *out, ls_span text, int64_t *i)
{
    int64_t value = 0;
    for (; *i < text.n && ls_is_digit(text.at[*i]); (*i)++) {
        value = value * 10 + (text.at[*i] - '0');
        if (value > VALUE_MAX)
            return too_large;
    }
    if (out->n_literals == LS_EXPRESSION_NUMBERS)
        return "the expression has too many numbers";
    out->literal[out->n_literals++] = value;
    return push(m, (rational){value, 1});
}

/* One token at text[*i].  wants_value says whether a value or an operator has to come. */
static const char *step(machine *m, ls_expression *out, ls_span text, int64_t *i, bool *wants_value)
{
    if (ls_is_digit(text.at[*i])) {
        if (!*wants_value)
            return malformed;
        *wants_value = false;
        return take_number(m, out, text, i);
    }
    char op = take_op(text, i);
    if (op == '\0' || (op == '(' && !*wants_value))
        return malformed;
    if (op == ')')
        return *wants_value ? malformed : close_parenthesis(m);
    if (op == '(')
        return push_op(m, op);
    if (*wants_value && op != '-')
        return malformed;
    const char *reason = push_op(m, *wants_value ? 'n' : op);
    *wants_value = true;
    return reason;
}

const char *ls_expression_evaluate(ls_expression *out, ls_span text)
{
    machine m = {.n_ops = 0};
    bool wants_value = true;
    const char *reason = NULL;
    out->n_literals = 0;
    for (int64_t i = 0; i < text.n && !reason;) {
        if (ls_is_space(text.at[i]))
            i++;
        else
            reason = step(&m, out, text, &i, &wants_value);
    }
    if (!reason && wants_value)
        reason = malformed;
    while (!reason && m.n_ops > 0)
        reason = m.op[m.n_ops - 1] == '(' ? "a parenthesis is not closed" : reduce(&m);
    if (reason)
        return reason;
    LS_ASSERT_EQ(m.n_values, 1);
    out->num = m.value[0].num;
    out->den = m.value[0].den;
    return NULL;
}
