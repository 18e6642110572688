/* Datasets: in memory, or counted and then streamed; their order; mixtures.
 *
 * Loading runs the feeds of all sources once.  In memory each example lies in one block of the
 * dataset's arena; streaming only counts and measures them. */
#include "data/dataset.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/hash.h"
#include "base/rng.h"
#include "data/feed.h"
#include "data/flow.h"
#include "data/mix.h"

#define MIX_SHIFT 48

typedef struct loading {
    ls_dataset *out;
    const ls_dataset_input *input;
    const char *name; /* path or task, as long as the dataset lives and wherever it is moved */
    int64_t n_read, n_room; /* rows read; examples that `rows` has room for */
    int64_t n_length_room;
    size_t example_bytes; /* of the largest */
    bool streams;
} loading;

/* --- what all examples are --- */

static void count_length(loading *l, const ls_example *e)
{
    ls_dataset *d = l->out;
    if (e->n_tokens >= l->n_length_room) {
        int64_t room = 2 * (int64_t)e->n_tokens + 64;
        d->n_of_length = ls_realloc(d->n_of_length, (size_t)room * sizeof *d->n_of_length);
        memset(d->n_of_length + l->n_length_room, 0,
               (size_t)(room - l->n_length_room) * sizeof *d->n_of_length);
        l->n_length_room = room;
    }
    d->n_of_length[e->n_tokens]++;
    d->n_sequences++;
    d->n_tokens += e->n_tokens;
    d->n_truncated += e->is_truncated;
    for (int32_t i = 0; i < e->n_tokens; i++)
        d->n_trained += e->mask[i];
    if (e->n_tokens > d->max_tokens) {
        d->max_tokens = e->n_tokens;
        d->longest_line = e->line;
    }
    if (e->n_prompt > d->max_prompt) {
        d->max_prompt = e->n_prompt;
        d->longest_prompt_line = e->line;
    }
}

static void hash_example(ls_dataset *d, const ls_example *e)
{
    size_t n = (size_t)e->n_tokens;
    d->hash = ls_hash64_more(d->hash, e->ids, n * sizeof *e->ids);
    d->hash = ls_hash64_more(d->hash, e->mask, n);
    if (e->columns[0]) /* rewards read them */
        d->hash = ls_hash64_more(d->hash, e->columns, strlen(e->columns));
    if (e->label >= 0)
        d->hash = ls_hash64_more(d->hash, &e->label, sizeof e->label);
    if (e->margin != 0)
        d->hash = ls_hash64_more(d->hash, &e->margin, sizeof e->margin);
    if (e->n_steps > 0)
        d->hash = ls_hash64_more(d->hash, e->step_label, (size_t)e->n_steps);
}

static void store(loading *l, const ls_example *e)
{
    ls_dataset *d = l->out;
    if (d->n_rows == l->n_room) {
        l->n_room = l->n_room ? 2 * l->n_room : 64;
        d->rows = ls_realloc(d->rows, ls_mul_size((size_t)l->n_room, sizeof *d->rows));
    }
    ls_example_place(&d->rows[d->n_rows], ls_arena_alloc(&d->arena, ls_example_bytes(e)), e);
}

static void add_example(loading *l, const ls_example *e)
{
    for (const ls_example *s = e; s; s = s->rejected) {
        count_length(l, s);
        hash_example(l->out, s);
    }
    size_t bytes = ls_example_bytes(e);
    l->example_bytes = bytes > l->example_bytes ? bytes : l->example_bytes;
    if (!l->streams)
        store(l, e);
    l->out->n_rows++;
}

/* --- sources --- */

static leash_status read_source(loading *l, const ls_feed_origin *origin, ls_dataset_part *part)
{
    ls_feed feed;
    LS_TRY(ls_feed_open(&feed, l->input, origin));
    leash_status status = LEASH_OK;
    part->first = l->out->n_rows;
    for (;;) {
        LS_TRY_OUT(ls_feed_next(&feed));
        if (feed.is_at_end)
            break;
        l->out->n_dropped += feed.maker.n == 0;
        for (int i = 0; i < feed.maker.n; i++)
            add_example(l, &feed.maker.made[i]);
    }
    l->n_read += feed.n_read;
    part->n_rows = l->out->n_rows - part->first;
out:
    ls_feed_release(&feed);
    return status;
}

static leash_status check_not_empty(const loading *l, const ls_dataset_part *part, const char *name)
{
    if (part->n_rows > 0)
        return LEASH_OK;
    if (l->n_read == 0)
        return ls_fail(LEASH_DATA, "%s: there is no row; expected %s", name,
                       ls_ends_with(name, ".jsonl") ? "one JSON object a line" : "at least one");
    return ls_fail(LEASH_DATA, "%s: all %lld rows were dropped, as they exceed max_length = %lld",
                   name, (long long)l->n_read, (long long)l->input->options->max_length);
}

static void plan_mixture(loading *l)
{
    ls_dataset *d = l->out;
    if (l->input->in_order)
        return; /* n_rows is the number of all */
    double *weights = ls_malloc((size_t)d->n_parts * sizeof *weights);
    for (int64_t i = 0; i < d->n_parts; i++)
        weights[i] = d->n_parts > 1 ? d->sources.items[i].weight : 1;
    d->n_rows = ls_mix_plan(d->parts, weights, d->n_parts);
    ls_free(weights);
    if (d->n_parts == 1 || l->streams)
        return;
    ls_mix mix;
    ls_mix_init(&mix, d->parts, d->n_parts, d->seed);
    d->mix = ls_malloc(ls_mul_size((size_t)d->n_rows, sizeof *d->mix));
    for (int64_t i = 0; i < d->n_rows; i++) {
        int64_t part = ls_mix_next(&mix);
        d->mix[i] = part << MIX_SHIFT | (mix.taken[part] - 1);
    }
    ls_mix_release(&mix);
}

static leash_status read_sources(loading *l, const ls_dataset_text *text)
{
    ls_dataset *d = l->out;
    d->n_parts = d->sources.n > 0 ? d->sources.n : 1;
    d->parts = ls_calloc((size_t)d->n_parts, sizeof *d->parts);
    for (int64_t i = 0; i < d->n_parts; i++) {
        int64_t n_read = l->n_read;
        ls_feed_origin origin = {.text = text,
                                 .files = d->sources.n ? &d->sources.items[i] : NULL,
                                 .task = text || d->sources.n ? NULL : l->name};
        LS_TRY(read_source(l, &origin, &d->parts[i]));
        loading own = *l;
        own.n_read -= n_read;
        LS_TRY(check_not_empty(&own, &d->parts[i],
                               d->n_parts > 1 ? d->sources.items[i].files[0] : l->name));
    }
    plan_mixture(l);
    return LEASH_OK;
}

static leash_status start_flow(const loading *l)
{
    ls_dataset *d = l->out;
    const ls_data_options *o = l->input->options;
    ls_flow_plan plan = {.input = l->input,
                         .sources = &d->sources,
                         .task = d->sources.n ? NULL : l->name,
                         .parts = d->parts,
                         .n_parts = d->n_parts,
                         .n_slots = o->shuffle_dataset ? o->shuffle_buffer_size : 1,
                         .example_bytes = l->example_bytes,
                         .arena = &d->arena};
    return ls_flow_new(&d->flow, &plan);
}

static leash_status load(ls_dataset *d, const char *name, const ls_dataset_text *text,
                         const ls_dataset_input *input)
{
    loading l = {
        .out = d, .input = input, .streams = input->options->streaming && !input->in_order};
    d->use = input->use;
    d->seed = input->seed;
    d->shuffles = input->options->shuffle_dataset && !input->in_order;
    snprintf(d->name, sizeof d->name, "%s", name);
    leash_status status = ls_arena_init(&d->arena, "dataset", 0);
    if (status == LEASH_OK) {
        l.name = ls_arena_strdup(&d->arena, name);
        ls_dataset_text own = {l.name, text ? text->text : NULL, text ? text->n : 0};
        status = read_sources(&l, text ? &own : NULL);
    }
    if (status == LEASH_OK && l.streams)
        status = start_flow(&l);
    if (status != LEASH_OK)
        ls_dataset_release(d);
    return status;
}

leash_status ls_dataset_load_text(ls_dataset *out, const ls_dataset_text *source,
                                  const ls_dataset_input *input)
{
    *out = (ls_dataset){0};
    if (input->options->streaming && !input->in_order)
        return ls_fail(LEASH_USAGE, "%s: streaming reads files", source->name);
    return load(out, source->name, source, input);
}

leash_status ls_dataset_load(ls_dataset *out, const ls_dataset_input *input)
{
    const ls_data_options *o = input->options;
    bool has_file = o->dataset[0], has_task = o->task[0];
    *out = (ls_dataset){0};
    if (has_file == has_task)
        return ls_fail(LEASH_USAGE,
                       has_file ? "both dataset and task are set; expected one of them"
                                : "there is no data: set dataset to a file, or task to a built-in "
                                  "task");
    if (has_task)
        return load(out, o->task, NULL, input);
    if (o->task_args[0] || (strcmp(o->split, "test") == 0 && !ls_dir_exists(o->dataset)))
        return ls_fail(LEASH_USAGE,
                       "dataset_split and task_args belong to tasks, but dataset is a file (%s)",
                       o->dataset);
    LS_TRY(ls_data_sources_find(&out->sources, o->dataset, o->split));
    return load(out, o->dataset, NULL, input);
}

void ls_dataset_release(ls_dataset *dataset)
{
    ls_flow_free(dataset->flow);
    ls_arena_release(&dataset->arena);
    ls_data_sources_release(&dataset->sources);
    ls_free(dataset->rows);
    ls_free(dataset->n_of_length);
    ls_free(dataset->parts);
    ls_free(dataset->mix);
    *dataset = (ls_dataset){0};
}

/* --- order --- */

/* Place k of an epoch of n rows. */
static int64_t shuffled(const ls_dataset *d, uint64_t seed, int64_t epoch, int64_t k, int64_t n)
{
    if (!d->shuffles)
        return k;
    return (int64_t)ls_rng_permute(seed, LS_RNG_SHUFFLE, (uint32_t)epoch, (uint64_t)k, (uint64_t)n);
}

int64_t ls_dataset_order(const ls_dataset *dataset, int64_t draw)
{
    const ls_dataset *d = dataset;
    LS_ASSERT(d->n_rows > 0 && draw >= 0);
    int64_t epoch = draw / d->n_rows, i = draw % d->n_rows;
    if (!d->mix)
        return shuffled(d, d->seed, epoch, i, d->n_rows);
    int64_t p = d->mix[i] >> MIX_SHIFT, rank = d->mix[i] & (((int64_t)1 << MIX_SHIFT) - 1);
    const ls_dataset_part *part = &d->parts[p];
    int64_t n = epoch * part->per_epoch + rank;
    return part->first +
           shuffled(d, d->seed + (uint64_t)p, n / part->n_rows, n % part->n_rows, part->n_rows);
}

leash_status ls_dataset_take(ls_dataset *dataset, int64_t draw, ls_arena *arena,
                             const ls_example **out)
{
    if (dataset->flow)
        return ls_flow_take(dataset->flow, draw, arena, out);
    *out = &dataset->rows[ls_dataset_order(dataset, draw)];
    return LEASH_OK;
}
