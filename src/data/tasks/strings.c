/* Strings of symbols for the tasks that read one. */
#include "data/tasks/strings.h"

static const ls_option rows[] = {LS_LENGTH_ROWS};

const ls_option_table ls_length_table = {"Task", "Size of the strings.", rows, LS_COUNT(rows)};

leash_status ls_length_check(const void *options)
{
    const ls_length_options *o = options;
    if (o->min_length > o->length)
        return ls_fail(LEASH_USAGE, "min_length is %lld, which is more than length (%lld)",
                       (long long)o->min_length, (long long)o->length);
    return LEASH_OK;
}

void ls_draw_string(ls_draw *draw, ls_str *out, const ls_length_options *options,
                    const char *symbols)
{
    int64_t n = ls_draw_between(draw, options->min_length, options->length);
    for (int64_t i = 0; i < n; i++)
        ls_str_append_char(out, ls_draw_char(draw, symbols));
}

void ls_problem_answer(ls_problem *out, const char *answer, size_t n)
{
    ls_str_append_n(&out->answer, answer, n);
    ls_str_append(&out->completion, "#### ");
    ls_str_append_n(&out->completion, answer, n);
}
