/* The examples of one source from first to last: files, a text in memory, or a task.
 *
 *     LS_TRY(ls_feed_open(&feed, input, &origin));
 *     for (;;) {
 *         LS_TRY(ls_feed_next(&feed));
 *         if (feed.is_at_end)
 *             break;
 *         ... feed.maker.made[0 .. feed.maker.n), until the next call; none for a dropped row
 *     }
 *     ls_feed_release(&feed); */
#ifndef LS_DATA_FEED_H
#define LS_DATA_FEED_H

#include "data/example.h"
#include "data/files.h"
#include "data/reader.h"
#include "data/task.h"

typedef struct ls_feed_origin { /* one of the three; borrowed */
    const ls_data_source *files;
    const ls_dataset_text *text;
    const char *task; /* its name as `file` of examples: borrowed for as long as they live */
} ls_feed_origin;

typedef struct ls_feed {
    ls_dataset_input input;
    ls_feed_origin origin;
    ls_row_rules rules;
    ls_row row;
    ls_maker maker;
    ls_reader *reader;
    int64_t file;         /* that the reader reads          */
    int64_t n_read, most; /* rows, with those that are dropped; most 0: all */
    const ls_task *task;
    void *task_options;
    ls_problem problem;
    bool is_at_end;
} ls_feed;

/* Errors: LEASH_USAGE for settings.  After an error there is nothing to release. */
leash_status ls_feed_open(ls_feed *feed, const ls_dataset_input *input,
                          const ls_feed_origin *origin) LEASH_MUST_USE;
void ls_feed_release(ls_feed *feed);
leash_status ls_feed_next(ls_feed *feed) LEASH_MUST_USE;
/* Back to the first row. */
void ls_feed_rewind(ls_feed *feed);

#endif
