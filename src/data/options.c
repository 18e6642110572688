/* The Data section of the configuration. */
#include "data/dataset.h"

static const char *const splits[] = {"train", "test", NULL};
static const char *const loss_choices[] = {"auto", "true", "false", NULL};
static const char *const truncations[] = {"error", "keep_start", "drop", NULL};

#define FIELD(name) offsetof(ls_data_options, name)

static const ls_option rows[] = {
    {.key = "dataset",
     .type = LS_OPT_PATH,
     .offset = FIELD(dataset),
     .help = "JSON Lines file with one object a line: {\"text\"}, {\"prompt\", \"completion\"} or "
             "{\"prompt\", \"answer\"}.",
     .more = "Further columns are kept for rewards. Numbers in \"answer\" keep their digits as "
             "written. `leash data show` prints the rows with trained tokens marked."},
    {.key = "task",
     .type = LS_OPT_STRING,
     .offset = FIELD(task),
     .help = "Built-in procedural task that takes the place of a dataset."},
    {.key = "task_args",
     .type = LS_OPT_STRING,
     .offset = FIELD(task_args),
     .help = "Arguments of the task, as key=value,key=value."},
    {.key = "dataset_split",
     .type = LS_OPT_CHOICE,
     .offset = FIELD(split),
     .def = "train",
     .choices = splits,
     .help = "Split of the task; the two never share a problem."},
    {.key = "dataset_num_rows",
     .type = LS_OPT_INT,
     .offset = FIELD(dataset_num_rows),
     .def = "0",
     .min = 0,
     .max = 1e9,
     .unit = "rows",
     .help = "Rows to take from the start; 0 takes the whole file, or a task's 10000 (train) or "
             "1000 (test)."},
    {.key = "max_length",
     .type = LS_OPT_INT,
     .offset = FIELD(max_length),
     .def = "1024",
     .min = 2,
     .max = 1 << 24,
     .unit = "tokens",
     .help = "Most tokens of prompt and completion together."},
    {.key = "packing",
     .type = LS_OPT_BOOL,
     .offset = FIELD(packing),
     .help =
         "Put several sequences into one row of max_length tokens; they do not see each other."},
    {.key = "completion_only_loss",
     .type = LS_OPT_CHOICE,
     .offset = FIELD(completion_only_loss),
     .def = "auto",
     .choices = loss_choices,
     .help = "Train on completions alone; auto: yes for prompt-completion rows, no for text rows."},
    {.key = "truncation",
     .type = LS_OPT_CHOICE,
     .offset = FIELD(truncation),
     .def = "error",
     .choices = truncations,
     .help = "What happens to a row of more than max_length tokens.",
     .more = "error stops with the line of the row; keep_start cuts the end of the completion off; "
             "drop leaves the row out. Both are counted. Prompts of rollouts are never cut. TRL "
             "cuts without asking (its keep_start)."},
    {.key = "shuffle_dataset",
     .type = LS_OPT_BOOL,
     .offset = FIELD(shuffle_dataset),
     .def = "true",
     .help = "Draw rows in a new order each epoch, given by the seed; else in file order."},
};

const ls_option_table ls_data_option_table = {
    "Data", "What is trained on: a file or a task, and how rows become tokens.", rows,
    LS_COUNT(rows)};
