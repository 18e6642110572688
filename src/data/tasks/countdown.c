/* countdown: "3 5 8 -> 19:" -> "3*8-5": reach the target with the numbers, each used at most once,
 * and + - * /.
 *
 * A problem is made backwards: numbers are combined at random into one expression, and its value
 * is the target, so every problem has a solution, and the completion shows it.  All steps on the
 * way are positive integers.  Numbers stand in ascending order, so that a problem of the test
 * split is not in the training split in another order. */
#include "data/tasks/strings.h"

#include <stdio.h>
#include <string.h>

#define MOST_NUMBERS 6
#define MOST_VALUE 1000000

typedef struct countdown_options {
    int64_t numbers, max_number, max_target;
    const char *operators;
} countdown_options;

static const ls_option rows[] = {
    {.key = "numbers",
     .type = LS_OPT_INT,
     .offset = offsetof(countdown_options, numbers),
     .def = "3",
     .min = 2,
     .max = MOST_NUMBERS,
     .help = "How many numbers are given."},
    {.key = "max_number",
     .type = LS_OPT_INT,
     .offset = offsetof(countdown_options, max_number),
     .def = "20",
     .min = 2,
     .max = 999,
     .help = "Numbers are drawn from 1 to this one."},
    {.key = "max_target",
     .type = LS_OPT_INT,
     .offset = offsetof(countdown_options, max_target),
     .def = "100",
     .min = 2,
     .max = MOST_VALUE,
     .help = "Greatest target; the least is 1."},
    {.key = "operators",
     .type = LS_OPT_STRING,
     .offset = offsetof(countdown_options, operators),
     .def = "+-*/",
     .help = "Operators of the solution, some of + - * /."},
};
static const ls_option_table table = {"Task", "Reaching a target with given numbers.", rows,
                                      LS_COUNT(rows)};

/* A number, or two nodes joined by an operator.  `rank` is the operator's: 1 for + -, 2 for * /, 3
 * for a number. */
typedef struct node {
    int64_t value;
    int rank;
    char text[64]; /* at most 6 numbers of 3 digits, 5 operators and 4 pairs of parentheses */
} node;

static leash_status check(const void *options)
{
    const countdown_options *o = options;
    return ls_task_check_operators(o->operators, "+-*/");
}

/* Value of a op b; 0 where it is no positive integer or too large. */
static int64_t apply(char op, int64_t a, int64_t b)
{
    int64_t value = op == '+' ? a + b : op == '-' ? a - b : op == '*' ? a * b : a % b ? 0 : a / b;
    return value > 0 && value <= MOST_VALUE ? value : 0;
}

/* Joins a and b into *out with no more parentheses than needed; false where the value is not
 * allowed. */
static bool join(node *out, const node *a, const node *b, char op)
{
    int64_t value = apply(op, a->value, b->value);
    if (value == 0)
        return false;
    int rank = op == '+' || op == '-' ? 1 : 2;
    bool wrap_left = a->rank < rank;
    bool wrap_right = b->rank < rank || (b->rank == rank && (op == '-' || op == '/'));
    node joined = {.value = value, .rank = rank};
    int n =
        snprintf(joined.text, sizeof joined.text, "%s%s%s%c%s%s%s", wrap_left ? "(" : "", a->text,
                 wrap_left ? ")" : "", op, wrap_right ? "(" : "", b->text, wrap_right ? ")" : "");
    LS_ASSERT(n > 0 && n < (int)sizeof joined.text);
    *out = joined;
    return true;
}

/* Combines random pairs until one node is left; false where a step or the target is not allowed. */
static bool combine(node *nodes, const countdown_options *o, ls_draw *draw)
{
    for (int64_t n = o->numbers; n > 1; n--) {
        int64_t i = ls_draw_between(draw, 0, n - 1), j = ls_draw_between(draw, 0, n - 2);
        j += j >= i;
        char op = ls_draw_char(draw, o->operators);
        bool swap = (op == '-' || op == '/') && nodes[i].value < nodes[j].value;
        node joined;
        if (!join(&joined, &nodes[swap ? j : i], &nodes[swap ? i : j], op))
            return false;
        nodes[i] = joined;
        nodes[j] = nodes[n - 1];
    }
    return nodes[0].value <= o->max_target;
}

static void draw_numbers(int64_t *numbers, const countdown_options *o, ls_draw *draw)
{
    for (int64_t i = 0; i < o->numbers; i++) {
        int64_t value = ls_draw_between(draw, 1, o->max_number), at = i;
        for (; at > 0 && numbers[at - 1] > value; at--)
            numbers[at] = numbers[at - 1];
        numbers[at] = value;
    }
}

static void generate(ls_problem *out, const void *options, uint64_t seed, uint64_t index,
                     uint32_t attempt)
{
    const countdown_options *o = options;
    ls_draw draw = ls_draw_start(seed, index, attempt);
    int64_t numbers[MOST_NUMBERS];
    node nodes[MOST_NUMBERS];
    bool is_made = false;
    /* Large products and uneven divisions are common, so one attempt makes several tries. */
    for (int tries = 0; tries < 64 && !is_made; tries++) {
        draw_numbers(numbers, o, &draw);
        for (int64_t i = 0; i < o->numbers; i++) {
            nodes[i] = (node){.value = numbers[i], .rank = 3};
            snprintf(nodes[i].text, sizeof nodes[i].text, "%d", (int)numbers[i]);
        }
        is_made = combine(nodes, o, &draw);
    }
    if (!is_made)
        return;
    ls_str_append(&out->extra, "\"numbers\": [");
    for (int64_t i = 0; i < o->numbers; i++) {
        ls_str_appendf(&out->prompt, "%d ", (int)numbers[i]);
        ls_str_appendf(&out->extra, "%s%d", i ? ", " : "", (int)numbers[i]);
    }
    ls_str_append(&out->extra, "]");
    ls_str_appendf(&out->prompt, "-> %d:", (int)nodes[0].value);
    ls_str_appendf(&out->completion, "#### %s", nodes[0].text);
    ls_str_appendf(&out->answer, "%d", (int)nodes[0].value);
}

const ls_task ls_task_countdown = {
    .name = "countdown",
    .help = "an expression of given numbers that reaches a target",
    .table = &table,
    .options_size = sizeof(countdown_options),
    .verifier = "countdown",
    .alphabet = "0123456789+-*/()>:# ",
    .check = check,
    .generate = generate,
};
