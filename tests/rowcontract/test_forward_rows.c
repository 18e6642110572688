/* The row contract of the whole forward of every family: a token's log-probability has one value,
 * bit for bit, however it is computed.
 *
 * The value of reference comes from the training forward (recording, scalar kernels, one thread),
 * one sequence at a time.  Then every table and 1 to 4 threads compute the same tokens in random
 * company:
 *   packed    several whole sequences in random order, as training and scoring do;
 *   cached    a rollout engine in small: sequences advance in random order by random chunks (often
 *             one token) over KV pages, some
 *             start as forks of another sequence of their group: full pages shared, the partial
 *               page copied with whatever the other
 *             has written behind it. */
#include "model_fixture.h"
#include "base/rng.h"
#include "tiny_models.h"

enum {
    GROUPS = 6,
    SAMPLES = 4,
    SEQUENCES = GROUPS * SAMPLES,
    MOST_LENGTH = 96,
    MOST_PAGES = MOST_LENGTH / LS_KV_PAGE,
    MOST_ROWS = SEQUENCES * MOST_LENGTH
};

static ls_model_config config; /* of the family at hand */
static const float temperature = 0.9f;

typedef struct {
    int32_t ids[MOST_LENGTH];
    int64_t n, n_prompt; /* the first n_prompt ids are the group's */
    float logp[MOST_LENGTH], entropy[MOST_LENGTH];
} sample;

static sample samples[SEQUENCES];
static uint32_t draws;

static int64_t below(int64_t n)
{
    ls_rng_name name = {.seed = 11, .purpose = LS_RNG_TEST, .position = draws++};
    return (int64_t)ls_rng_below(&name, (uint64_t)n);
}

static void shuffle(int32_t *order, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        order[i] = (int32_t)i;
    for (int64_t i = n - 1; i > 0; i--) {
        int64_t j = below(i + 1);
        int32_t old = order[i];
        order[i] = order[j];
        order[j] = old;
    }
}

static void make_samples(void)
{
    for (int g = 0; g < GROUPS; g++) {
        int64_t n_prompt = 1 + below(MOST_LENGTH / 2);
        for (int i = 0; i < SAMPLES; i++) {
            sample *s = &samples[g * SAMPLES + i];
            s->n_prompt = n_prompt;
            s->n = n_prompt + 1 + below(MOST_LENGTH - n_prompt);
            for (int64_t t = 0; t < s->n; t++)
                s->ids[t] = t < n_prompt && i > 0 ? samples[g * SAMPLES].ids[t]
                                                  : (int32_t)below(config.vocab_size);
        }
    }
}

static void compute_reference(void)
{
    model_fixture f;
    float seeds[MOST_LENGTH] = {0};
    fixture_open(&f, &config, &ls_kernels_ref, 1, LS_MODEL_TRAINED, 1);
    for (int i = 0; i < SEQUENCES; i++) {
        sequence s = {samples[i].ids, samples[i].n};
        run_pass(&f, &s, 1, samples[i].logp, samples[i].entropy, seeds, NULL,
                 (pass_options){.temperature = temperature});
    }
    fixture_close(&f);
}

static void assert_same_scores(const float *logp, const float *entropy, const sample *s, int64_t at,
                               int64_t n)
{
    if (memcmp(logp, s->logp + at, (size_t)n * sizeof *logp) != 0 ||
        memcmp(entropy, s->entropy + at, (size_t)n * sizeof *entropy) != 0)
        fail_msg("sequence %d of %lld tokens: scores differ at positions %lld to %lld",
                 (int)(s - samples), (long long)s->n, (long long)at, (long long)(at + n - 1));
}

/* A random subset of the sequences in random order, recorded or not; returns the tokens
 * compared. */
static int64_t check_packed(model_fixture *f)
{
    int32_t order[SEQUENCES];
    sequence sequences[SEQUENCES];
    static float logp[MOST_ROWS], entropy[MOST_ROWS], seeds[MOST_ROWS];
    shuffle(order, SEQUENCES);
    int64_t n = 1 + below(SEQUENCES), at = 0;
    for (int64_t i = 0; i < n; i++)
        sequences[i] = (sequence){samples[order[i]].ids, samples[order[i]].n};
    run_pass(f, sequences, n, logp, entropy, below(2) ? seeds : NULL, NULL,
             (pass_options){.temperature = temperature, .recomputes_blocks = below(2) == 1});
    for (int64_t i = 0; i < n; i++) {
        assert_same_scores(logp + at, entropy + at, &samples[order[i]], 0, sequences[i].n - 1);
        at += sequences[i].n - 1;
    }
    return at;
}

typedef struct { /* one sequence in the small engine */
    int64_t done;
    float *pages[MOST_PAGES];
    bool waits; /* for the first of its group, to fork from it */
} cursor;

static cursor cursors[SEQUENCES];

static float *take_page(model_fixture *f)
{
    return ls_arena_zalloc(&f->pass, (size_t)ls_model_page_floats(f->model) * sizeof(float));
}

/* Takes over the prompt of `from`, which may have gone on: the copied page then ends with keys of
 * other tokens. */
static void fork_cursor(model_fixture *f, cursor *to, const cursor *from, int64_t n_prompt)
{
    int64_t full = n_prompt / LS_KV_PAGE;
    for (int64_t p = 0; p < full; p++)
        to->pages[p] = from->pages[p];
    if (n_prompt % LS_KV_PAGE != 0) {
        to->pages[full] = take_page(f);
        memcpy(to->pages[full], from->pages[full],
               (size_t)ls_model_page_floats(f->model) * sizeof(float));
    }
    to->done = n_prompt;
    to->waits = false;
}

typedef struct { /* one call of the engine */
    int32_t ids[MOST_ROWS], pos[MOST_ROWS], rows[MOST_ROWS], targets[MOST_ROWS];
    ls_batch_seq seqs[SEQUENCES];
    int32_t owners[SEQUENCES];
    int64_t n_rows, n_seqs, n_targets;
} engine_call;

static void add_chunk(model_fixture *f, engine_call *c, int32_t owner, int64_t n)
{
    sample *s = &samples[owner];
    cursor *at = &cursors[owner];
    for (int64_t i = 0; i < n; i++) {
        int64_t pos = at->done + i;
        if (at->pages[pos / LS_KV_PAGE] == NULL)
            at->pages[pos / LS_KV_PAGE] = take_page(f);
        c->ids[c->n_rows + i] = s->ids[pos];
        c->pos[c->n_rows + i] = (int32_t)pos;
        c->rows[c->n_targets] = (int32_t)(c->n_rows + i);
        c->targets[c->n_targets++] = s->ids[pos + 1];
    }
    c->owners[c->n_seqs] = owner;
    c->seqs[c->n_seqs++] =
        (ls_batch_seq){.row0 = c->n_rows, .n_rows = n, .pos0 = at->done, .pages = at->pages};
    c->n_rows += n;
}

/* Forks who can, then gives a random part of the unfinished sequences a chunk each.  False: all are
 * done. */
static bool plan_call(model_fixture *f, engine_call *c)
{
    int32_t order[SEQUENCES];
    bool is_unfinished = false;
    c->n_rows = c->n_seqs = c->n_targets = 0;
    shuffle(order, SEQUENCES);
    for (int i = 0; i < SEQUENCES; i++) {
        int32_t owner = order[i];
        cursor *at = &cursors[owner], *first = &cursors[owner / SAMPLES * SAMPLES];
        int64_t n_prompt = samples[owner].n_prompt, left = samples[owner].n - 1 - at->done;
        if (at->waits && first->done >= n_prompt && below(3) == 0)
            fork_cursor(f, at, first, n_prompt);
        else if (!at->waits && left > 0 && below(4) > 0)
            add_chunk(f, c, owner, below(3) > 0 ? 1 : 1 + below(left));
        is_unfinished |= at->waits || left > 0;
    }
    return is_unfinished;
}

static int64_t run_call(model_fixture *f, const engine_call *c)
{
    static float logp[MOST_ROWS], entropy[MOST_ROWS];
    ls_batch batch = {
        .ids = c->ids, .pos = c->pos, .n_rows = c->n_rows, .seqs = c->seqs, .n_seqs = c->n_seqs};
    ls_tape tape;
    ls_tape_init(&tape, &f->dev, &f->run, false); /* the pages live in the pass arena */
    ls_arena_mark mark = ls_arena_get_mark(&f->run);
    ls_head_job job = {.hidden = ls_model_forward(f->model, &tape, &batch),
                       .weight = f->model->head,
                       .rows = c->rows,
                       .targets = c->targets,
                       .n = c->n_targets,
                       .temperature = temperature,
                       .logp = logp,
                       .entropy = entropy};
    ls_op_head_score(&tape, &job);
    ls_arena_rewind(&f->run, mark);
    for (int64_t i = 0; i < c->n_seqs; i++) {
        const ls_batch_seq *seq = &c->seqs[i];
        assert_same_scores(logp + seq->row0, entropy + seq->row0, &samples[c->owners[i]], seq->pos0,
                           seq->n_rows);
        cursors[c->owners[i]].done += seq->n_rows;
    }
    return c->n_targets;
}

/* All sequences from nothing to their ends; returns the tokens compared. */
static int64_t check_cached(model_fixture *f)
{
    static engine_call call;
    int64_t n_tokens = 0;
    ls_arena_mark mark = ls_arena_get_mark(&f->pass);
    for (int i = 0; i < SEQUENCES; i++) {
        /* Forks need a position left to compute behind the prompt. */
        bool can_wait = i % SAMPLES != 0 && samples[i].n_prompt < samples[i].n - 1 &&
                        samples[i].n_prompt < samples[i / SAMPLES * SAMPLES].n - 1;
        cursors[i] = (cursor){.waits = can_wait && below(3) > 0};
    }
    while (plan_call(f, &call))
        n_tokens += run_call(f, &call);
    ls_arena_rewind(&f->pass, mark);
    return n_tokens;
}

/* Compares in all tables, with 1 to 4 threads (step apart); returns the tokens compared. */
static int64_t check_family(int rounds, int step)
{
    const ls_kernels *tables[3];
    int n_tables = ls_kernels_available(tables);
    int64_t n_tokens = 0;
    make_samples();
    compute_reference();
    for (int t = 0; t < n_tables; t++)
        for (int threads = 1; threads <= 4; threads += step) {
            model_fixture f;
            fixture_open(&f, &config, tables[t], threads, LS_MODEL_TRAINED, 1);
            for (int i = 0; i < (tables[t] == &ls_kernels_ref ? 1 : rounds); i++)
                n_tokens += check_packed(&f) + check_cached(&f);
            fixture_close(&f);
        }
    return n_tokens;
}

static void every_token_has_one_value_in_every_family(void **state)
{
    (void)state;
    size_t n;
    int64_t total = 0;
    const ls_family *const *families = ls_families(&n);
    for (size_t i = 0; i < n; i++) {
        config = tiny_config(families[i], MOST_LENGTH);
        bool is_llama = strcmp(families[i]->name, "llama") == 0;
        int64_t n_tokens = is_llama ? check_family(5, 1) : check_family(1, 3);
        print_message("%s: %lld tokens\n", families[i]->name, (long long)n_tokens);
        total += n_tokens;
    }
    print_message("%lld tokens compared, all bits equal\n", (long long)total);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_token_has_one_value_in_every_family)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
