/* sort: "sort 3142:" -> "1234", digits in ascending order. */
#include "data/tasks/strings.h"

#include <string.h>

static void generate(ls_problem *out, const void *options, uint64_t seed, uint64_t index,
                     uint32_t attempt)
{
    ls_draw draw = ls_draw_start(seed, index, attempt);
    ls_str text = LS_STR_INIT, sorted = LS_STR_INIT;
    ls_draw_string(&draw, &text, options, "0123456789");
    for (char digit = '0'; digit <= '9'; digit++)
        for (const char *p = text.data; (p = strchr(p, digit)); p++)
            ls_str_append_char(&sorted, digit);
    ls_str_appendf(&out->prompt, "sort %s:", text.data);
    ls_problem_answer(out, sorted.data, sorted.len);
    ls_str_release(&text);
    ls_str_release(&sorted);
}

const ls_task ls_task_sort = {
    .name = "sort",
    .help = "the digits of a string in ascending order",
    .table = &ls_length_table,
    .options_size = sizeof(ls_length_options),
    .verifier = "exact",
    .alphabet = "0123456789sort:# ",
    .check = ls_length_check,
    .generate = generate,
};
