/* The Data section as tests begin with it: no source, rows of at most `max_length` tokens. */
#ifndef LS_TESTS_DATA_OPTIONS_H
#define LS_TESTS_DATA_OPTIONS_H

#include "data/dataset.h"

static inline ls_data_options data_options(int64_t max_length)
{
    return (ls_data_options){.dataset = "",
                             .task = "",
                             .task_args = "",
                             .split = "train",
                             .dataset_schema = "auto",
                             .columns = "",
                             .prompt_template = "",
                             .system_prompt = "",
                             .chat_template = "",
                             .step_separator = "\\n",
                             .max_length = max_length,
                             .completion_only_loss = "auto",
                             .truncation = "error",
                             .shuffle_buffer_size = 1000};
}

#endif
