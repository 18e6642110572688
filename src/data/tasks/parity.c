/* parity: "parity 10110:" -> "odd", whether the number of ones is odd.  Every symbol decides, so
 * guesses are right half of the time and partial knowledge is worth nothing: a task where
 * exploration shows. */
#include "data/tasks/strings.h"

#include <string.h>

static void generate(ls_problem *out, const void *options, uint64_t seed, uint64_t index,
                     uint32_t attempt)
{
    ls_draw draw = ls_draw_start(seed, index, attempt);
    ls_str text = LS_STR_INIT;
    ls_draw_string(&draw, &text, options, "01");
    int n_ones = 0;
    for (size_t i = 0; i < text.len; i++)
        n_ones += text.data[i] == '1';
    const char *answer = n_ones % 2 ? "odd" : "even";
    ls_str_appendf(&out->prompt, "parity %s:", text.data);
    ls_problem_answer(out, answer, strlen(answer));
    ls_str_release(&text);
}

const ls_task ls_task_parity = {
    .name = "parity",
    .help = "whether a string of bits has an odd number of ones",
    .table = &ls_length_table,
    .options_size = sizeof(ls_length_options),
    .verifier = "exact",
    .alphabet = "01parityevnod:# ",
    .check = ls_length_check,
    .generate = generate,
};
