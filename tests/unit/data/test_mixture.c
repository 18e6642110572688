/* Which files a setting means, mixtures by weight, and streaming against memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "data/dataset.h"
#include "data/mix.h"
#include "data_options.h"

static char root[] = "/tmp/leash-mixture-XXXXXX";
static ls_tokenizer *byte;
static ls_arena arena;

static const char *at(const char *name)
{
    static char paths[4][LS_PATH_MAX];
    static int next;
    return ls_path_join(paths[next++ % 4], root, name);
}

static void write(const char *name, const char *text)
{
    assert_int_equal(ls_file_write_atomic(at(name), text, strlen(text)), LEASH_OK);
}

/* Rows {"text": "<letter><index>"}. */
static void write_rows(const char *name, char letter, int n)
{
    ls_str text = LS_STR_INIT;
    for (int i = 0; i < n; i++)
        ls_str_appendf(&text, "{\"text\": \"%c%03d\"}\n", letter, i);
    write(name, text.data);
    ls_str_release(&text);
}

static leash_status load(ls_dataset *d, const ls_data_options *options)
{
    ls_dataset_input input = {.options = options, .tokenizer = byte, .seed = 3};
    return ls_dataset_load(d, &input);
}

static void must_load(ls_dataset *d, const ls_data_options *options)
{
    if (load(d, options) != LEASH_OK)
        fail_msg("%s", leash_error());
}

static const char *take(ls_dataset *d, int64_t draw)
{
    const ls_example *e;
    if (ls_dataset_take(d, draw, &arena, &e) != LEASH_OK)
        fail_msg("%s", leash_error());
    return e->completion;
}

static ls_str spec(const char *a, const char *b)
{
    ls_str s = LS_STR_INIT;
    ls_str_appendf(&s, "%s/%s,%s/%s", root, a, root, b);
    return s;
}

static void assert_files(const char *dataset, const char *split, const char *const *expected)
{
    ls_data_sources sources;
    if (ls_data_sources_find(&sources, dataset, split) != LEASH_OK)
        fail_msg("%s", leash_error());
    int64_t n = 0;
    for (int64_t i = 0; i < sources.n; i++)
        for (int64_t k = 0; k < sources.items[i].n_files; k++, n++) {
            assert_non_null(expected[n]);
            assert_true(ls_ends_with(sources.items[i].files[k], expected[n]));
        }
    assert_null(expected[n]);
    ls_data_sources_release(&sources);
}

static void folders_patterns_and_lists_name_files(void **state)
{
    (void)state;
    assert_int_equal(ls_dir_make(at("set/data")), LEASH_OK);
    write("set/README.md", "");
    write("set/dataset_infos.json", "{}");
    write("set/data/train-1.jsonl", "");
    write("set/data/train-0.jsonl.gz", "");
    write("set/data/test-0.csv", "");
    assert_int_equal(ls_dir_make(at("plain")), LEASH_OK);
    write("plain/b.parquet", "");
    write("plain/a.jsonl", "");
    write("plain/odd,name:0.5.jsonl", "");
    assert_files(at("set"), "train", (const char *[]){"train-0.jsonl.gz", "train-1.jsonl", NULL});
    assert_files(at("set"), "test", (const char *[]){"test-0.csv", NULL});
    assert_files(at("plain"), "train",
                 (const char *[]){"a.jsonl", "b.parquet", "odd,name:0.5.jsonl", NULL});
    assert_files(at("set/data/train-*"), "train",
                 (const char *[]){"train-0.jsonl.gz", "train-1.jsonl", NULL});
    assert_files(at("plain/odd,name:0.5.jsonl"), "train",
                 (const char *[]){"odd,name:0.5.jsonl", NULL});
    ls_str both = spec("plain/a.jsonl", "set/data/test-0.csv");
    assert_files(both.data, "train", (const char *[]){"a.jsonl", "test-0.csv", NULL});
    ls_str_append(&both, ":0.5");
    ls_data_sources sources;
    assert_int_equal(ls_data_sources_find(&sources, both.data, "train"), LEASH_USAGE);
    assert_string_equal(leash_error(),
                        "dataset: 1 of 2 items have a weight; give one to each, or to none");
    ls_str_release(&both);
    assert_int_equal(ls_data_sources_find(&sources, "a.jsonl:x", "train"), LEASH_USAGE);
    assert_int_equal(ls_data_sources_find(&sources, "a.jsonl:-1", "train"), LEASH_USAGE);
    assert_int_equal(ls_data_sources_find(&sources, "a.jsonl,,b", "train"), LEASH_USAGE);
    assert_int_equal(ls_data_sources_find(&sources, at("none*"), "train"), LEASH_IO);
    assert_int_equal(ls_dir_make(at("bare")), LEASH_OK);
    assert_int_equal(ls_data_sources_find(&sources, at("bare"), "train"), LEASH_IO);
}

static void files_without_weights_come_one_after_the_other(void **state)
{
    (void)state;
    write_rows("a.jsonl", 'a', 3);
    write("b.csv", "text\nb000\nb001\n");
    ls_str both = spec("a.jsonl", "b.csv");
    ls_data_options options = data_options(64);
    options.dataset = both.data;
    ls_dataset d;
    must_load(&d, &options);
    static const char *const expected[] = {"a000", "a001", "a002", "b000", "b001"};
    assert_int_equal(d.n_rows, 5);
    for (int i = 0; i < 10; i++)
        assert_string_equal(take(&d, i), expected[i % 5]);
    assert_true(ls_ends_with(d.rows[3].file, "b.csv"));
    assert_int_equal(d.rows[3].line, 2);
    ls_dataset_release(&d);
    options.dataset_num_rows = 4;
    must_load(&d, &options);
    assert_int_equal(d.n_rows, 4);
    ls_dataset_release(&d);
    ls_str_release(&both);
}

static void a_mixture_keeps_its_weights_and_uses_all_rows_in_turn(void **state)
{
    (void)state;
    write_rows("a.jsonl", 'a', 30);
    write_rows("b.jsonl", 'b', 100);
    ls_str both = LS_STR_INIT;
    ls_str_appendf(&both, "%s:3,%s:1", at("a.jsonl"), at("b.jsonl"));
    ls_data_options options = data_options(64);
    options.dataset = both.data;
    options.shuffle_dataset = true;
    ls_dataset d;
    must_load(&d, &options);
    assert_int_equal(d.n_rows, 40); /* 30 of a, all of them, and 10 of b */
    int seen_b[100] = {0};
    for (int epoch = 0; epoch < 10; epoch++) {
        int seen_a[30] = {0}, n_b = 0;
        for (int i = 0; i < 40; i++) {
            const char *text = take(&d, epoch * 40 + i);
            int index = (int)strtol(text + 1, NULL, 10);
            if (text[0] == 'a')
                assert_int_equal(seen_a[index]++, 0);
            else
                n_b++, seen_b[index]++;
        }
        assert_int_equal(n_b, 10);
    }
    for (int i = 0; i < 100; i++) /* ten epochs of ten: each once */
        assert_int_equal(seen_b[i], 1);
    ls_dataset_release(&d);
    ls_str_release(&both);
}

static void a_mixture_is_a_function_of_its_seed(void **state)
{
    (void)state;
    ls_dataset_part parts[] = {{.n_rows = 50}, {.n_rows = 20}, {.n_rows = 30}};
    static const double weights[] = {0.5, 0.2, 0.3};
    assert_int_equal(ls_mix_plan(parts, weights, 3), 100);
    ls_mix a, b, c;
    ls_mix_init(&a, parts, 3, 1);
    ls_mix_init(&b, parts, 3, 1);
    ls_mix_init(&c, parts, 3, 2);
    int n[3] = {0}, n_other = 0;
    for (int i = 0; i < 100; i++) {
        int64_t part = ls_mix_next(&a);
        n[part]++;
        assert_int_equal(part, ls_mix_next(&b));
        n_other += part != ls_mix_next(&c);
    }
    assert_int_equal(n[0], 50);
    assert_int_equal(n[1], 20);
    assert_int_equal(n[2], 30);
    assert_true(n_other > 30);
    ls_mix_release(&a);
    ls_mix_release(&b);
    ls_mix_release(&c);
}

/* --- streaming --- */

static ls_data_options streaming(const char *path, int64_t buffer)
{
    ls_data_options options = data_options(64);
    options.dataset = path;
    options.streaming = true;
    options.shuffle_dataset = buffer > 0;
    options.shuffle_buffer_size = buffer > 0 ? buffer : 1;
    return options;
}

static void a_stream_in_file_order_is_the_dataset_in_memory(void **state)
{
    (void)state;
    write_rows("s.jsonl", 's', 23);
    ls_data_options options = streaming(at("s.jsonl"), 0), memory = options;
    memory.streaming = false;
    ls_dataset a, b;
    must_load(&a, &options);
    must_load(&b, &memory);
    assert_null(a.rows);
    assert_int_equal(a.hash, b.hash);
    assert_int_equal(a.n_rows, b.n_rows);
    assert_int_equal(a.n_tokens, b.n_tokens);
    assert_int_equal(a.max_tokens, b.max_tokens);
    for (int i = 0; i < 60; i++)
        assert_string_equal(take(&a, i), take(&b, i));
    ls_dataset_release(&a);
    ls_dataset_release(&b);
}

static void a_stream_gives_every_row_once_an_epoch_in_another_order(void **state)
{
    (void)state;
    write_rows("s.jsonl", 's', 50);
    ls_data_options options = streaming(at("s.jsonl"), 8);
    ls_dataset d;
    must_load(&d, &options);
    char order[2][50];
    for (int epoch = 0; epoch < 2; epoch++) {
        int seen[50] = {0};
        for (int i = 0; i < 50; i++) {
            int index = (int)strtol(take(&d, epoch * 50 + i) + 1, NULL, 10);
            assert_int_equal(seen[index]++, 0);
            assert_true(index <= i + 7); /* no further than the buffer sees */
            order[epoch][i] = (char)index;
        }
    }
    assert_memory_not_equal(order[0], order[1], 50);
    ls_dataset_release(&d);
}

static void a_stream_resumes_at_any_draw(void **state)
{
    (void)state;
    write_rows("a.jsonl", 'a', 17);
    write_rows("b.jsonl", 'b', 40);
    ls_str both = LS_STR_INIT;
    ls_str_appendf(&both, "%s:0.6,%s:0.4", at("a.jsonl"), at("b.jsonl"));
    ls_data_options options = streaming(both.data, 5);
    ls_dataset d, again;
    must_load(&d, &options);
    char drawn[130][8];
    for (int i = 0; i < 130; i++) {
        strncpy(drawn[i], take(&d, i), sizeof drawn[i] - 1);
        drawn[i][sizeof drawn[i] - 1] = 0;
    }
    static const int starts[] = {0, 1, 27, 28, 29, 57, 100, 129, 3};
    for (size_t s = 0; s < LS_COUNT(starts); s++) {
        must_load(&again, &options);
        assert_string_equal(take(&again, starts[s]), drawn[starts[s]]);
        assert_string_equal(take(&again, starts[s]), drawn[starts[s]]); /* once more */
        ls_dataset_release(&again);
        assert_string_equal(take(&d, starts[s]), drawn[starts[s]]); /* backwards */
    }
    ls_dataset_release(&d);
    ls_str_release(&both);
}

static void the_memory_of_a_stream_does_not_depend_on_the_file(void **state)
{
    (void)state;
    size_t peak[2], heap[2];
    for (int k = 0; k < 2; k++) {
        ls_str text = LS_STR_INIT;
        for (int i = 0; i < (k ? 20 : 1) * 2000; i++)
            ls_str_appendf(&text, "{\"text\": \"row %04d of a file with some text\"}\n", i % 2000);
        write("m.jsonl", text.data);
        ls_str_release(&text);
        ls_data_options options = streaming(at("m.jsonl"), 100);
        ls_dataset d;
        must_load(&d, &options);
        ls_arena_rewind(&arena, 0);
        uint64_t events = 0;
        for (int i = 0; i < 3000; i++) { /* into the second epoch of the small one */
            if (i == 2500)
                events = ls_memory_events();
            (void)take(&d, i);
            ls_arena_rewind(&arena, 0);
        }
        heap[k] = (size_t)(ls_memory_events() - events);
        peak[k] = d.arena.peak;
        ls_dataset_release(&d);
    }
    assert_int_equal(peak[0], peak[1]);
    assert_int_equal(heap[0], 0); /* a row costs no allocation of ours */
    assert_int_equal(heap[1], 0);
}

static void a_file_that_changes_under_a_stream_is_an_error(void **state)
{
    (void)state;
    write_rows("c.jsonl", 'c', 10);
    ls_data_options options = streaming(at("c.jsonl"), 2);
    ls_dataset d;
    must_load(&d, &options);
    write_rows("c.jsonl", 'c', 6);
    const ls_example *e;
    leash_status status = LEASH_OK;
    for (int i = 0; i < 10 && status == LEASH_OK; i++)
        status = ls_dataset_take(&d, i, &arena, &e);
    assert_int_equal(status, LEASH_DATA);
    assert_non_null(
        strstr(leash_error(), "has changed since it was measured: 6 rows instead of 10"));
    ls_dataset_release(&d);
}

static void pairs_and_labels_stream_too(void **state)
{
    (void)state;
    write("p.jsonl", "{\"prompt\": \"q\", \"chosen\": \"good\", \"rejected\": \"b\"}\n"
                     "{\"prompt\": \"r\", \"chosen\": \"c\", \"rejected\": \"bad\"}\n");
    ls_data_options options = streaming(at("p.jsonl"), 0);
    ls_dataset_input input = {.options = &options, .tokenizer = byte, .use = LS_DATA_PAIRS};
    ls_dataset d;
    const ls_example *e;
    assert_int_equal(ls_dataset_load(&d, &input), LEASH_OK);
    assert_int_equal(ls_dataset_take(&d, 1, &arena, &e), LEASH_OK);
    assert_string_equal(e->completion, "c");
    assert_string_equal(e->rejected->completion, "bad");
    assert_int_equal(e->rejected->n_tokens, 5);
    ls_dataset_release(&d);
    input.use = LS_DATA_LABELS;
    assert_int_equal(ls_dataset_load(&d, &input), LEASH_OK);
    assert_int_equal(d.n_rows, 4);
    static const char *const texts[] = {"good", "b", "c", "bad"};
    for (int i = 0; i < 8; i++) {
        assert_int_equal(ls_dataset_take(&d, i, &arena, &e), LEASH_OK);
        assert_string_equal(e->completion, texts[i % 4]);
        assert_int_equal(e->label, i % 2 == 0);
    }
    ls_dataset_release(&d);
}

static int open_all(void **state)
{
    (void)state;
    if (!mkdtemp(root) || ls_arena_init(&arena, "test", 0) != LEASH_OK)
        return -1;
    return ls_tokenizer_new(&byte, "byte") == LEASH_OK ? 0 : -1;
}

static int close_all(void **state)
{
    (void)state;
    ls_tokenizer_free(byte);
    ls_arena_release(&arena);
    return ls_dir_remove(root) == LEASH_OK ? 0 : -1;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(folders_patterns_and_lists_name_files),
        cmocka_unit_test(files_without_weights_come_one_after_the_other),
        cmocka_unit_test(a_mixture_keeps_its_weights_and_uses_all_rows_in_turn),
        cmocka_unit_test(a_mixture_is_a_function_of_its_seed),
        cmocka_unit_test(a_stream_in_file_order_is_the_dataset_in_memory),
        cmocka_unit_test(a_stream_gives_every_row_once_an_epoch_in_another_order),
        cmocka_unit_test(a_stream_resumes_at_any_draw),
        cmocka_unit_test(the_memory_of_a_stream_does_not_depend_on_the_file),
        cmocka_unit_test(a_file_that_changes_under_a_stream_is_an_error),
        cmocka_unit_test(pairs_and_labels_stream_too),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
