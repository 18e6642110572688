/* What the tasks about strings of symbols share: a length between two bounds, and the string
 * itself. */
#ifndef LS_DATA_TASKS_STRINGS_H
#define LS_DATA_TASKS_STRINGS_H

#include "base/str.h"
#include "config/option.h"
#include "data/task.h"
#include "data/tasks/draw.h"

typedef struct ls_length_options {
    int64_t length, min_length;
} ls_length_options;

/* The rows for a struct that begins with ls_length_options. */
#define LS_LENGTH_ROWS                                                                       \
    {.key = "length",                                                                        \
     .type = LS_OPT_INT,                                                                     \
     .offset = offsetof(ls_length_options, length),                                          \
     .def = "6",                                                                             \
     .min = 1,                                                                               \
     .max = 64,                                                                              \
     .unit = "symbols",                                                                      \
     .help = "Greatest length of the string."},                                              \
    {                                                                                        \
        .key = "min_length", .type = LS_OPT_INT,                                             \
        .offset = offsetof(ls_length_options, min_length), .def = "2", .min = 1, .max = 64,  \
        .unit = "symbols", .help = "Least length of the string; lengths are equally likely." \
    }

extern const ls_option_table ls_length_table;
leash_status ls_length_check(const void *options);
/* Appends a string of `symbols`, of a drawn length. */
void ls_draw_string(ls_draw *draw, ls_str *out, const ls_length_options *options,
                    const char *symbols);
/* Sets answer and completion: all tasks end in "#### ANSWER", where the verifiers look. */
void ls_problem_answer(ls_problem *out, const char *answer, size_t n);

#endif
