/* The Data section of the configuration. */
#include "data/dataset.h"

static const char *const splits[] = {"train", "test", NULL};
static const char *const loss_choices[] = {"auto", "true", "false", NULL};
static const char *const schema_choices[] = {"auto",
#define LS_SCHEMA_ROW(name, kind, uses, needs, columns, pattern, help) name,
#include "data/schema.def"
#undef LS_SCHEMA_ROW
                                             NULL};
static const char *const truncations[] = {"error", "keep_start", "drop", NULL};

#define FIELD(name) offsetof(ls_data_options, name)

static const ls_option rows[] = {
    {.key = "dataset",
     .type = LS_OPT_PATH,
     .offset = FIELD(dataset),
     .help = "Data: a file (.jsonl, .json, .csv, .tsv, .parquet; also .gz, .zst), a folder, a "
             "pattern, hf:datasets/OWNER/NAME of the hub, or several with commas.",
     .more = "a.jsonl:0.7,b.parquet:0.3 mixes them by weight: in an epoch the scarcest is seen "
             "once, whole. Rows hold {\"text\"}, {\"messages\"}, {\"prompt\", \"completion\"}, "
             "{\"prompt\", \"chosen\", \"rejected\"}, ...; see dataset_schema. Further columns are "
             "kept for rewards. Numbers in \"answer\" keep their digits as written. `leash data "
             "show` prints the rows with trained tokens marked."},
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
     .help = "Split of the task; the two never share a problem. Of a folder: its files train* or "
             "test*."},
    {.key = "dataset_num_rows",
     .type = LS_OPT_INT,
     .offset = FIELD(dataset_num_rows),
     .def = "0",
     .min = 0,
     .max = 1e9,
     .unit = "rows",
     .help = "Rows to take from the start (of each file of a mixture); 0 takes all, or a task's "
             "10000 (train) or 1000 (test)."},
    {.key = "dataset_schema",
     .type = LS_OPT_CHOICE,
     .offset = FIELD(dataset_schema),
     .def = "auto",
     .choices = schema_choices,
     .help = "What a row's columns mean; auto: the first schema that they fit.",
     .more = "gsm8k is {question, answer} with #### before the answer, alpaca {instruction, input, "
             "output}, sharegpt {conversations} of from and value, verl {prompt, reward_model}; "
             "implicit is {chosen, rejected} whose common start is the prompt."},
    {.key = "columns",
     .type = LS_OPT_STRING,
     .offset = FIELD(columns),
     .help = "Names of columns, as role=column,role=column: prompt=question,answer=solution.",
     .more =
         "A member of an object is written with a dot: answer=reward_model.ground_truth. Roles: "
         "text, messages, prompt, completion, chosen, rejected, label, completions, labels, "
         "answer, tools, chat_template_kwargs."},
    {.key = "prompt_template",
     .type = LS_OPT_STRING,
     .offset = FIELD(prompt_template),
     .help = "Prompt made of columns: \"{question}\\nAnswer:\".",
     .more = "{{ and }} are braces; \\n, \\t and \\\\ are newline, tab and backslash."},
    {.key = "system_prompt",
     .type = LS_OPT_STRING,
     .offset = FIELD(system_prompt),
     .help = "System message put before conversations that have none."},
    {.key = "chat_template",
     .type = LS_OPT_STRING,
     .offset = FIELD(chat_template),
     .help = "Chat template instead of the model's: a built-in name (chatml), a file, or a model "
             "folder."},
    {.key = "apply_chat_template",
     .type = LS_OPT_BOOL,
     .offset = FIELD(apply_chat_template),
     .help = "Make a prompt that is a text a user's message, and a completion an assistant's: for "
             "models that were trained on conversations."},
    {.key = "step_separator",
     .type = LS_OPT_STRING,
     .offset = FIELD(step_separator),
     .def = "\\n",
     .help = "Text behind each step of a stepwise row; its last token carries the step's label.",
     .is_advanced = true},
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
     .help = "Train on completions alone; auto: yes for prompt-completion rows, no for text rows "
             "and conversations."},
    {.key = "assistant_only_loss",
     .type = LS_OPT_BOOL,
     .offset = FIELD(assistant_only_loss),
     .help = "Train only on what the assistant says in conversations."},
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
    {.key = "streaming",
     .type = LS_OPT_BOOL,
     .offset = FIELD(streaming),
     .help = "Read the files again in each epoch instead of keeping them in memory.",
     .more =
         "A first pass counts, checks and measures the rows; then memory is that of the shuffle "
         "buffer. Rows are shuffled within the buffer alone, so a file that is sorted by "
         "something should be shuffled beforehand. A resumed run reads from the start of its "
         "epoch."},
    {.key = "shuffle_buffer_size",
     .type = LS_OPT_INT,
     .offset = FIELD(shuffle_buffer_size),
     .def = "1000",
     .min = 1,
     .max = 1e7,
     .unit = "rows",
     .help = "Rows among which streaming draws the next one.",
     .is_advanced = true},
};

const ls_option_table ls_data_option_table = {
    "Data", "What is trained on: a file or a task, and how rows become tokens.", rows,
    LS_COUNT(rows)};
