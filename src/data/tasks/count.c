/* count: "count 3 in 131233:" -> "3", how many times a digit occurs.  Half of the digits asked for
 * are taken from the string, so that "0" is not the answer to most problems. */
#include "data/tasks/strings.h"

static void generate(ls_problem *out, const void *options, uint64_t seed, uint64_t index,
                     uint32_t attempt)
{
    ls_draw draw = ls_draw_start(seed, index, attempt);
    ls_str text = LS_STR_INIT, answer = LS_STR_INIT;
    ls_draw_string(&draw, &text, options, "0123456789");
    bool is_inside = ls_draw_between(&draw, 0, 1) == 0;
    char digit = ls_draw_char(&draw, is_inside ? text.data : "0123456789");
    int n = 0;
    for (size_t i = 0; i < text.len; i++)
        n += text.data[i] == digit;
    ls_str_appendf(&out->prompt, "count %c in %s:", digit, text.data);
    ls_str_appendf(&answer, "%d", n);
    ls_problem_answer(out, answer.data, answer.len);
    ls_str_release(&text);
    ls_str_release(&answer);
}

const ls_task ls_task_count = {
    .name = "count",
    .help = "how many times a digit occurs in a string",
    .table = &ls_length_table,
    .options_size = sizeof(ls_length_options),
    .verifier = "number",
    .alphabet = "0123456789counti:# ",
    .check = ls_length_check,
    .generate = generate,
};
