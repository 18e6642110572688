/* Readers and tasks in a row, each record through schema and tokens. */
#include "data/feed.h"

#include <string.h>

#define TASK_ROWS_TRAIN 10000
#define TASK_ROWS_TEST 1000

static leash_status open_task(ls_feed *feed)
{
    const ls_data_options *o = feed->input.options;
    LS_TRY(ls_task_find(&feed->task, o->task));
    LS_TRY(ls_task_parse_args(&feed->task_options, feed->task, o->task_args));
    if (feed->most == 0)
        feed->most = strcmp(o->split, "test") == 0 ? TASK_ROWS_TEST : TASK_ROWS_TRAIN;
    return LEASH_OK;
}

leash_status ls_feed_open(ls_feed *feed, const ls_dataset_input *input,
                          const ls_feed_origin *origin)
{
    *feed = (ls_feed){.input = *input, .origin = *origin, .most = input->options->dataset_num_rows};
    ls_row_init(&feed->row);
    ls_problem_init(&feed->problem);
    leash_status status = ls_maker_init(&feed->maker, &feed->input);
    if (status == LEASH_OK)
        status = ls_row_rules_init(&feed->rules, input->options, input->use);
    if (status == LEASH_OK && origin->task)
        status = open_task(feed);
    if (status != LEASH_OK)
        ls_feed_release(feed);
    return status;
}

void ls_feed_release(ls_feed *feed)
{
    ls_reader_free(feed->reader);
    ls_row_rules_release(&feed->rules);
    ls_row_release(&feed->row);
    ls_maker_release(&feed->maker);
    ls_problem_release(&feed->problem);
    ls_free(feed->task_options);
}

void ls_feed_rewind(ls_feed *feed)
{
    ls_reader_free(feed->reader);
    feed->reader = NULL;
    feed->file = feed->n_read = 0;
    feed->is_at_end = false;
}

/* --- tasks --- */

/* The row as one object: what a file of such problems would hold. */
static void write_columns(ls_row *row, const ls_problem *problem)
{
    static const char *const keys[] = {"prompt", "completion", "answer"};
    const ls_str *from[] = {&problem->prompt, &problem->completion, &problem->answer};
    for (int i = 0; i < 3; i++) {
        ls_str_appendf(&row->columns, "%s\"%s\": ", i ? ", " : "{", keys[i]);
        ls_str_append_json(&row->columns, from[i]->data, from[i]->len);
    }
    ls_str_appendf(&row->columns, "%s%s}", problem->extra.len ? ", " : "", problem->extra.data);
}

static leash_status next_problem(ls_feed *feed)
{
    ls_record record = {.number = feed->n_read + 1};
    ls_row *row = &feed->row;
    LS_TRY(ls_task_problem(&feed->problem, feed->task, feed->task_options,
                           strcmp(feed->input.options->split, "test") == 0, feed->input.seed,
                           (uint64_t)feed->n_read));
    ls_row_clear(row);
    write_columns(row, &feed->problem);
    record.text = row->columns.data;
    record.n = row->columns.len;
    record.object = json_loadb(record.text, record.n, 0, NULL);
    LS_ASSERT(record.object != NULL);
    ls_str columns = row->columns; /* the row is cleared while its text is read */
    ls_str_init(&row->columns);
    leash_status status = ls_row_read(row, &feed->rules, &record, feed->origin.task);
    ls_str_release(&columns);
    json_decref(record.object);
    return status;
}

/* --- files --- */

static const char *file_name(const ls_feed *feed)
{
    return feed->origin.text ? feed->origin.text->name : feed->origin.files->files[feed->file];
}

/* Moves to the next file; false after the last one. */
static leash_status next_reader(ls_feed *feed, bool *has_reader)
{
    const ls_dataset_text *text = feed->origin.text;
    int64_t n_files = text ? 1 : feed->origin.files->n_files;
    if (feed->reader) {
        ls_reader_free(feed->reader);
        feed->reader = NULL;
        feed->file++;
    }
    *has_reader = feed->file < n_files;
    if (!*has_reader)
        return LEASH_OK;
    return text ? ls_reader_open_memory(&feed->reader, text->text, text->n, text->name)
                : ls_reader_open(&feed->reader, file_name(feed));
}

static leash_status next_record(ls_feed *feed)
{
    ls_record record = {0};
    for (;;) {
        if (feed->reader) {
            LS_TRY(ls_reader_next(feed->reader, &record));
            if (record.object)
                break;
        }
        bool has_reader;
        LS_TRY(next_reader(feed, &has_reader));
        if (!has_reader) {
            feed->is_at_end = true;
            return LEASH_OK;
        }
    }
    leash_status status = ls_row_read(&feed->row, &feed->rules, &record, file_name(feed));
    json_decref(record.object);
    return status;
}

leash_status ls_feed_next(ls_feed *feed)
{
    feed->maker.n = 0;
    if (feed->most > 0 && feed->n_read >= feed->most)
        feed->is_at_end = true;
    if (feed->is_at_end)
        return LEASH_OK;
    LS_TRY(feed->task ? next_problem(feed) : next_record(feed));
    if (feed->is_at_end)
        return LEASH_OK;
    feed->n_read++;
    return ls_maker_make(&feed->maker, &feed->row);
}
