/* Rows of text become rows of tokens with a mask.
 *
 * A dataset is a list of examples.  For training (SFT, pretraining) an example is ids plus a mask
 * of the tokens that are trained (mask[i] = 1: token i is a target; the first token never is).
 * For rollouts it is a prompt and what the verifier needs (answer and other columns).  A preference
 * example is two sequences with one prompt: the chosen one, and behind `rejected` the other.
 * Sources: files in any format of data/reader.h, mixed as data/files.h says, and procedural tasks;
 * all give the same struct.
 *
 * Schemas of a row (TRL's columns, and some more) are in schema.def.  completion_only_loss: unset
 * means true where a row has a prompt, false for texts and conversations.
 *
 * A dataset lies in memory, or with `streaming` its files are read again in every epoch: then a
 * first pass counts and measures the rows, and memory is that of the shuffle buffer.  Either way
 * the draws are a function of seed and draw number:
 *
 *     LS_TRY(ls_dataset_take(d, draw, arena, &example));      draw = 0, 1, 2, ... */
#ifndef LS_DATA_DATASET_H
#define LS_DATA_DATASET_H

#include <stdbool.h>
#include <stdint.h>
#include "base/err.h"
#include "base/mem.h"
#include "config/option.h"
#include "data/files.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

typedef struct ls_example {
    const char *prompt;     /* "" for text rows; of a conversation as the model reads it */
    const char *completion; /* "" for prompt-only rows, the text of text rows */
    const char *answer;     /* gold answer for verifiers, NULL when there is none */
    const char *columns;    /* the whole row as one JSON object, for rewards; "" unless rows are
                               prompts */
    const char *file;       /* borrowed from the dataset */
    int64_t line;           /* 1-based line (row of arrays and Parquet) in the file, or index + 1 of
                               a task */
    const int32_t *ids;     /* prompt + completion (+ eos), n_tokens */
    const uint8_t *mask;    /* n_tokens; 1 = trained target */
    int32_t n_tokens;
    int32_t n_prompt; /* tokens of the prompt, with bos when the tokenizer has one */
    bool is_truncated;
    int8_t label; /* of LS_DATA_LABELS: 1 desirable, 0 undesirable; else -1 */
    /* of LS_DATA_PAIRS, column "margin": by how much the chosen one is better; else 0 */
    float margin;
    /* LS_DATA_PAIRS: this is the chosen one; same prompt, prompt ids and line.  Else NULL. */
    const struct ls_example *rejected;
    /* LS_DATA_STEPS: the token that ends each step (the mask is set there) and whether the step is
     * right. */
    const int32_t *step_end;
    const uint8_t *step_label;
    int32_t n_steps;
} ls_example;

/* What rows are read for.  The schema of each row must serve it. */
typedef enum ls_data_use {
    LS_DATA_SEQUENCES, /* next-token training                           */
    LS_DATA_PROMPTS,   /* rollouts                                      */
    LS_DATA_PAIRS,     /* DPO and its kin, reward models                */
    LS_DATA_LABELS,    /* KTO, BCO; a preference row gives two examples */
    LS_DATA_STEPS,     /* process reward models                         */
    LS_DATA_ANY        /* whatever a row's columns say: for looking at it */
} ls_data_use;

typedef struct ls_dataset_part { /* one source of a mixture */
    int64_t first, n_rows;       /* its rows in memory, its rows */
    int64_t per_epoch;           /* how many are drawn in an epoch */
} ls_dataset_part;

typedef struct ls_dataset {
    ls_arena arena;   /* owns all texts and ids, or the shuffle buffer */
    ls_example *rows; /* NULL while streaming */
    int64_t n_rows;   /* in an epoch of draws; without weights all rows */
    char name[256];   /* path or task name, for messages */
    uint64_t hash;    /* XXH3 over ids and masks, and with prompts over the columns */
    int64_t n_tokens, n_trained;
    int64_t n_dropped, n_truncated;
    int32_t max_tokens, max_prompt;
    int64_t longest_line, longest_prompt_line; /* of the first rows that are so long */
    int64_t *n_of_length;                      /* (max_tokens + 1) sequences of each length */
    int64_t n_sequences;
    ls_data_sources sources; /* names of files */
    ls_data_use use;
    bool shuffles;
    uint64_t seed;
    ls_dataset_part *parts;
    int64_t n_parts;
    /* In memory, (n_rows) of a mixture: part << 48 | its how-manyth draw of the epoch. */
    int64_t *mix;
    struct ls_flow *flow; /* streaming: the readers at work */
} ls_dataset;

/* Options of the Data section; keys are the fields' names, and dataset_split for split. */
typedef struct ls_data_options {
    const char *dataset;              /* files, see data/files.h; "" with a task */
    const char *task;                 /* "arithmetic", ... a row of tasks.def, "" with a file */
    const char *task_args;            /* "key=value,key=value" for the task's own option table */
    const char *split;                /* train | test: of the task, or of a folder's files */
    int64_t dataset_num_rows;         /* 0: all of a file, a default for tasks */
    const char *dataset_schema;       /* auto, or a row of schema.def */
    const char *columns;              /* "role=column,role=column" */
    const char *prompt_template;      /* "{question}\nAnswer:" */
    const char *system_prompt;        /* put before conversations that have none */
    const char *chat_template;        /* "" takes the model's */
    bool apply_chat_template;         /* texts become messages of user and assistant */
    bool assistant_only_loss;         /* of conversations */
    const char *step_separator;       /* behind each step of LS_DATA_STEPS */
    int64_t max_length;               /* tokens of prompt + completion */
    bool packing;                     /* several sequences in a row of max_length tokens */
    const char *completion_only_loss; /* auto | true | false */
    const char *truncation;           /* error | keep_start | drop */
    bool shuffle_dataset;
    bool streaming;
    int64_t shuffle_buffer_size; /* rows */
} ls_data_options;
extern const ls_option_table ls_data_option_table;

/* What a dataset is made with; all borrowed, and with streaming as long as the dataset lives. */
typedef struct ls_dataset_input {
    const ls_data_options *options;
    const ls_tokenizer *tokenizer;
    const ls_chat_template *chat; /* NULL: rows with messages are an error */
    ls_data_use use;
    uint64_t seed; /* of the problems of a task, the order of rows, and mixing */
    bool in_order; /* all rows as they stand, in memory: no shuffling, mixing or streaming */
} ls_dataset_input;

/* Reads, tokenises, masks, checks.  Either a dataset or a task is named, not both.  eos is appended
 * to completions and texts; prompt and completion are tokenised apart and joined as ids, those of
 * conversations as the chat template writes them.  Prompts for rollouts must leave room for a token
 * and are never cut.
 * Errors name file, line and column: malformed files, wrong or missing columns, characters the
 * tokenizer lacks, a row without a trained token, an empty dataset, a row longer than max_length
 * (truncation = error).  After an error there is nothing to release. */
leash_status ls_dataset_load(ls_dataset *out, const ls_dataset_input *input) LEASH_MUST_USE;
/* The same from a file in memory; `name` stands for the path, its ending counts. */
typedef struct ls_dataset_text {
    const char *name, *text;
    size_t n;
} ls_dataset_text;
leash_status ls_dataset_load_text(ls_dataset *out, const ls_dataset_text *source,
                                  const ls_dataset_input *input) LEASH_MUST_USE;
void ls_dataset_release(ls_dataset *dataset);

/* The example of a draw, counted since the start of the run.  It lies in the dataset, or with
 * streaming in the arena.  Draws in ascending order are cheap; others, and the first one of a
 * resumed run, read the files from the start of their epoch.  Errors: a file that has changed or is
 * gone. */
leash_status ls_dataset_take(ls_dataset *dataset, int64_t draw, ls_arena *arena,
                             const ls_example **out) LEASH_MUST_USE;
/* Index of a draw's row in memory: epochs are shuffled by seed and epoch, or in the order of the
 * files. */
int64_t ls_dataset_order(const ls_dataset *dataset, int64_t draw);

/* Rows rendered for people: trained tokens marked, specials visible, counts per row. `colour` uses
 * ANSI, else [[ ]] marks.  Rows come unshuffled; of a stream as it was made to come. */
typedef struct ls_show {
    int64_t first, count; /* from 0 */
    bool colour;
    int columns; /* width, 0: endless */
} ls_show;
leash_status ls_dataset_show(ls_dataset *dataset, const ls_tokenizer *tokenizer,
                             const ls_show *what, ls_str *out) LEASH_MUST_USE;
/* Totals: rows, tokens, trained share, length quantiles, truncated, dropped; as text lines or as
 * one JSON object. */
void ls_dataset_summary(const ls_dataset *dataset, bool json, ls_str *out);

/* Best-fit-decreasing over the given rows: bins of at most max_length tokens; bins in order of
 * their first row so that the order of sequences in a step stays the order drawn.  bin[i] = bin of
 * order[i]. Returns the number of bins. */
int64_t ls_pack(const int32_t *lengths, int64_t n, int32_t max_length, int32_t *bin);

#endif
