/* JSON Lines as datasets: any bytes give rows or an error, and what was read can be shown.
 *
 * The first byte chooses the tokenizer and the options, the rest is the file. */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "data/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static ls_tokenizer *tokenizers[2];

static void make_tokenizers(void)
{
    if (tokenizers[0])
        return;
    LS_ASSERT(ls_tokenizer_new(&tokenizers[0], "byte") == LEASH_OK);
    LS_ASSERT(ls_tokenizer_new(&tokenizers[1], "char:0123456789+-*=# abcd\n") == LEASH_OK);
}

static void check(const ls_dataset *d, const ls_tokenizer *tokenizer, bool prompts_only)
{
    LS_ASSERT(d->n_rows > 0);
    int64_t n_trained = 0;
    for (int64_t i = 0; i < d->n_rows; i++) {
        const ls_example *row = &d->rows[i];
        LS_ASSERT(row->n_tokens > 0 && row->mask[0] == 0 && row->n_prompt <= row->n_tokens);
        for (int32_t t = 0; t < row->n_tokens; t++) {
            LS_ASSERT(row->ids[t] >= 0 && row->ids[t] < ls_tokenizer_vocab_size(tokenizer));
            n_trained += row->mask[t];
        }
    }
    LS_ASSERT_EQ(n_trained, d->n_trained);
    LS_ASSERT(prompts_only ? n_trained == 0 : n_trained >= d->n_rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const truncations[] = {"error", "keep_start", "drop", "drop"};
    static const char *const losses[] = {"auto", "true", "false", "auto"};
    if (n == 0)
        return 0;
    make_tokenizers();
    const ls_tokenizer *tokenizer = tokenizers[data[0] & 1];
    bool prompts_only = data[0] & 2;
    ls_data_options options = {.dataset = "",
                               .task = "",
                               .task_args = "",
                               .split = "train",
                               .dataset_schema = "auto",
                               .columns = "",
                               .prompt_template = "",
                               .system_prompt = "",
                               .chat_template = "",
                               .step_separator = "\n",
                               .max_length = data[0] & 4 ? 8 : 1024,
                               .truncation = truncations[data[0] >> 3 & 3],
                               .completion_only_loss = losses[data[0] >> 5 & 3]};
    ls_dataset_input input = {.options = &options,
                              .tokenizer = tokenizer,
                              .use = prompts_only ? LS_DATA_PROMPTS : LS_DATA_SEQUENCES};
    ls_dataset d;
    ls_dataset_text text = {"fuzz.jsonl", (const char *)data + 1, n - 1};
    if (ls_dataset_load_text(&d, &text, &input) != LEASH_OK)
        return 0;
    check(&d, tokenizer, prompts_only);
    ls_str shown = LS_STR_INIT;
    ls_show what = {0, 3, data[0] & 128, 40};
    LS_ASSERT(ls_dataset_show(&d, tokenizer, &what, &shown) == LEASH_OK);
    ls_dataset_summary(&d, true, &shown);
    ls_str_release(&shown);
    ls_dataset_release(&d);
    return 0;
}
