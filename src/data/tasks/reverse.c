/* reverse: "reverse 3142:" -> "2413".  The smallest task that needs attention to every position. */
#include "data/tasks/strings.h"

typedef struct reverse_options {
    ls_length_options size;
    bool letters;
} reverse_options;

static const ls_option rows[] = {
    LS_LENGTH_ROWS,
    {.key = "letters",
     .type = LS_OPT_BOOL,
     .offset = offsetof(reverse_options, letters),
     .help = "Strings of the letters a to z instead of digits."},
};
static const ls_option_table table = {"Task", "Reversing a string.", rows, LS_COUNT(rows)};

static void generate(ls_problem *out, const void *options, uint64_t seed, uint64_t index,
                     uint32_t attempt)
{
    const reverse_options *o = options;
    ls_draw draw = ls_draw_start(seed, index, attempt);
    ls_str text = LS_STR_INIT, reversed = LS_STR_INIT;
    ls_draw_string(&draw, &text, &o->size,
                   o->letters ? "abcdefghijklmnopqrstuvwxyz" : "0123456789");
    for (size_t i = text.len; i-- > 0;)
        ls_str_append_char(&reversed, text.data[i]);
    ls_str_appendf(&out->prompt, "reverse %s:", text.data);
    ls_problem_answer(out, reversed.data, reversed.len);
    ls_str_release(&text);
    ls_str_release(&reversed);
}

const ls_task ls_task_reverse = {
    .name = "reverse",
    .help = "a string of digits or letters from its end to its start",
    .table = &table,
    .options_size = sizeof(reverse_options),
    .verifier = "exact",
    .alphabet = "0123456789abcdefghijklmnopqrstuvwxyz:# ",
    .check = ls_length_check,
    .generate = generate,
};
