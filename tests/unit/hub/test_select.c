/* Which files are wanted. */
#include "hub/select.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "base/str.h"

/* Names with blanks between them; include: the same, "" for none. */
static leash_status choose(ls_str *out, const char *spec_text, const char *include,
                           const char *names)
{
    ls_hub_spec spec;
    ls_hub_listing listing;
    char pattern[256];
    const char *patterns[8];
    int64_t n_patterns = 0;
    ls_hub_listing_init(&listing);
    assert_int_equal(ls_hub_spec_parse(&spec, spec_text, NULL), LEASH_OK);
    for (const char *at = names; *at != '\0'; at += strspn(at, " ")) {
        char name[256];
        size_t n = strcspn(at, " ");
        snprintf(name, sizeof name, "%.*s", (int)n, at);
        ls_hub_listing_add(&listing, name);
        at += n;
    }
    snprintf(pattern, sizeof pattern, "%s", include);
    for (char *at = pattern; *at != '\0';) {
        patterns[n_patterns++] = at;
        at += strcspn(at, " ");
        if (*at == ' ')
            *at++ = '\0';
    }
    leash_status status = ls_hub_select(
        &listing, &(ls_hub_choice){.spec = &spec, .include = patterns, .n_include = n_patterns});
    for (int64_t i = 0; status == LEASH_OK && i < listing.n_files; i++)
        ls_str_appendf(out, "%s%s", i ? " " : "", listing.files[i].name);
    ls_hub_listing_release(&listing);
    return status;
}

static void check(const char *spec, const char *include, const char *names, const char *expected)
{
    ls_str chosen = LS_STR_INIT;
    assert_int_equal(choose(&chosen, spec, include, names), LEASH_OK);
    assert_string_equal(chosen.data, expected);
    ls_str_release(&chosen);
}

static void check_failure(const char *spec, const char *include, const char *names,
                          const char *part)
{
    ls_str chosen = LS_STR_INIT;
    assert_int_equal(choose(&chosen, spec, include, names), LEASH_IO);
    if (strstr(leash_error(), part) == NULL)
        fail_msg("'%s' is not in '%s'", part, leash_error());
    ls_str_release(&chosen);
}

static void a_model_is_configuration_tokenizer_and_safetensors(void **state)
{
    (void)state;
    check("hf:a/b", "",
          ".gitattributes LICENSE README.md config.json flax_model.msgpack generation_config.json "
          "merges.txt model.safetensors onnx/config.json onnx/model.onnx pytorch_model.bin "
          "rust_model.ot tf_model.h5 tokenizer.json tokenizer.model vocab.json chat_template.jinja "
          "modeling.py",
          "LICENSE README.md config.json generation_config.json merges.txt model.safetensors "
          "tokenizer.json tokenizer.model vocab.json chat_template.jinja");
}

static void shards_are_wanted_and_second_copies_are_not(void **state)
{
    (void)state;
    check("hf:a/b", "",
          "config.json consolidated.safetensors model-00001-of-00002.safetensors "
          "model-00002-of-00002.safetensors model.fp16.safetensors model.safetensors.index.json",
          "config.json model-00001-of-00002.safetensors model-00002-of-00002.safetensors "
          "model.safetensors.index.json");
    /* alone they are the weights */
    check("hf:a/b", "", "config.json consolidated.safetensors pytorch_model.bin x.gguf",
          "config.json consolidated.safetensors");
}

static void one_gguf_is_taken_and_several_ask_for_a_choice(void **state)
{
    (void)state;
    check("hf:a/b", "", "README.md x.gguf", "README.md x.gguf");
    check("hf:a/b", "", "config.json model.safetensors x.gguf", "config.json model.safetensors");
    check_failure("hf:a/b", "", "README.md x-Q4_0.gguf x-Q8_0.gguf", "x-Q4_0.gguf, x-Q8_0.gguf");
    check("hf:a/b/x-Q8_0.gguf", "", "README.md x-Q4_0.gguf x-Q8_0.gguf", "x-Q8_0.gguf");
}

static void pickles_alone_are_refused_with_the_reason(void **state)
{
    (void)state;
    check_failure("hf:a/b", "", "config.json pytorch_model.bin tokenizer.json", "pickles");
}

static void a_dataset_is_its_data_files_in_all_folders(void **state)
{
    (void)state;
    check("hf:datasets/a/b", "",
          ".gitattributes README.md main/test.parquet main/train.parquet loader.py x.jsonl.gz "
          "images/1.png y.json a.csv.zst b.tsv c.csv.bz2",
          "README.md main/test.parquet main/train.parquet x.jsonl.gz y.json a.csv.zst b.tsv");
    check_failure("hf:datasets/a/b", "", "images/1.png", "images/1.png");
}

static void a_folder_is_chosen_by_its_path(void **state)
{
    (void)state;
    check("hf:datasets/a/b/main", "", "main/test.parquet mainly.parquet socratic/test.parquet",
          "main/test.parquet");
    check("hf:a/b/fp16", "", "config.json fp16/config.json fp16/model.safetensors fp16/x.py",
          "fp16/config.json fp16/model.safetensors");
    check_failure("hf:datasets/a/b/none", "", "main/test.parquet", "main/test.parquet");
}

static void patterns_replace_the_defaults(void **state)
{
    (void)state;
    check("hf:a/b", "*.bin", "config.json pytorch_model.bin x/y.bin", "pytorch_model.bin x/y.bin");
    check("hf:a/b", "config.json x/", "config.json x/1 x/y/2 z", "config.json x/1 x/y/2");
    check_failure("hf:a/b", "*.txt", "config.json", "--include");
}

static void long_lists_are_cut_in_messages(void **state)
{
    (void)state;
    check_failure("hf:a/b", "*.txt", "a b c d e f g h i j", "g, h and 2 more");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_model_is_configuration_tokenizer_and_safetensors),
        cmocka_unit_test(shards_are_wanted_and_second_copies_are_not),
        cmocka_unit_test(one_gguf_is_taken_and_several_ask_for_a_choice),
        cmocka_unit_test(pickles_alone_are_refused_with_the_reason),
        cmocka_unit_test(a_dataset_is_its_data_files_in_all_folders),
        cmocka_unit_test(a_folder_is_chosen_by_its_path),
        cmocka_unit_test(patterns_replace_the_defaults),
        cmocka_unit_test(long_lists_are_cut_in_messages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
