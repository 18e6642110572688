/* A small command: two tables of options with every type, and the claim that an error has
 * exactly this text. */
#ifndef LS_TEST_CONFIG_FIXTURE_H
#define LS_TEST_CONFIG_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include "config/option.h"

typedef struct fixture_options {
    double learning_rate, beta;
    int64_t num_generations, seed;
    bool packing, shuffle;
    const char *model, *task_args, *aggregation, *isa;
} fixture_options;

static const char *const fixture_aggregations[] = {"token-mean", "seq-mean", "seq-sum", NULL};
static const char *const fixture_isas[] = {"", "ref", "avx2", NULL};

#define ROW(field) .key = #field, .offset = offsetof(fixture_options, field)
static const ls_option fixture_train_rows[] = {
    {ROW(learning_rate), .type = LS_OPT_FLOAT, .def = "1e-6", .min = 0, .max = 10,
     .help = "Peak learning rate."},
    {ROW(beta), .type = LS_OPT_FLOAT, .unit = "reward/nat", .help = "Weight of the KL term.",
     .more = "Loss = objective + beta * KL."},
    {ROW(num_generations), .type = LS_OPT_INT, .def = "8", .min = 1, .max = 65536,
     .unit = "completions", .help = "Completions of a prompt."},
    {ROW(packing), .type = LS_OPT_BOOL, .help = "Several sequences in a row."},
    {ROW(shuffle), .type = LS_OPT_BOOL, .def = "true", .help = "Draw rows in a new order."},
    {ROW(aggregation), .type = LS_OPT_CHOICE, .def = "token-mean", .choices = fixture_aggregations,
     .help = "How token losses become one number."},
};
static const ls_option fixture_other_rows[] = {
    {ROW(model), .type = LS_OPT_PATH, .help = "Model folder."},
    {ROW(task_args), .type = LS_OPT_STRING, .help = "Arguments of the task."},
    {ROW(seed), .type = LS_OPT_INT, .def = "42", .help = "Names all randomness."},
    {ROW(isa), .type = LS_OPT_CHOICE, .choices = fixture_isas, .help = "Kernel table.",
     .is_advanced = true},
};
#undef ROW
static const ls_option_table fixture_train_table = {
    "Training", "How the weights move.", fixture_train_rows, LS_COUNT(fixture_train_rows)};
static const ls_option_table fixture_other_table = {"Model", "What is trained.", fixture_other_rows,
                                                    LS_COUNT(fixture_other_rows)};

static inline ls_config *fixture_new(fixture_options *options)
{
    ls_config *config = ls_config_new();
    ls_config_bind(config, &fixture_train_table, options);
    ls_config_bind(config, &fixture_other_table, options);
    return config;
}

static inline leash_status fixture_load(ls_config *config, const char *text)
{
    return ls_config_load_text(config, text, strlen(text), "run.yaml", LS_FROM_FILE);
}

#define assert_usage(call, text)                  \
    do {                                          \
        assert_int_equal(call, LEASH_USAGE);      \
        assert_string_equal(leash_error(), text); \
    } while (0)

#define assert_value(config, key, text)             \
    do {                                            \
        ls_str value_text = LS_STR_INIT;            \
        ls_config_value(config, key, &value_text);  \
        assert_string_equal(value_text.data, text); \
        ls_str_release(&value_text);                \
    } while (0)

#endif
