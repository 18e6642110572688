/* The row's columns as a reward's input. */
#include "reward/example.h"

#include <jansson.h>
#include <string.h>

static int64_t read_numbers(const char *columns, int64_t *numbers)
{
    int64_t n = 0;
    json_t *row = json_loads(columns, 0, NULL), *item;
    size_t i;
    json_array_foreach(json_object_get(row, "numbers"), i, item)
    {
        if (json_is_integer(item) && n < LS_REWARD_NUMBERS_MAX)
            numbers[n++] = json_integer_value(item);
    }
    json_decref(row);
    return n;
}

ls_reward_input ls_example_reward_input(const ls_example *example, const char *completion, size_t n,
                                        ls_reward_columns *columns)
{
    ls_reward_input input = {.prompt = ls_span_of(example->prompt),
                             .completion = {.at = completion, .n = (int64_t)n},
                             .gold = ls_span_of(example->answer)};
    if (example->columns && strstr(example->columns, "\"numbers\"")) {
        input.n_numbers = read_numbers(example->columns, columns->numbers);
        input.numbers = columns->numbers;
    }
    return input;
}
