/* The tokenizer's arrays as keys of a GGUF file, and the file. */
#include "train/export.h"

#include "formats/gguf_save.h"
#include "text/tokenizer_gguf.h"

static void put_token(ls_gguf_keys *keys, const char *key, int32_t id)
{
    if (id >= 0)
        ls_gguf_put_u32(keys, key, (uint32_t)id);
}

static void put_tokenizer(ls_gguf_keys *keys, const ls_gguf_tokenizer *t)
{
    ls_gguf_put_text(keys, "tokenizer.ggml.model", t->model);
    ls_gguf_put_text(keys, "tokenizer.ggml.pre", t->pre);
    ls_gguf_put_texts(keys, "tokenizer.ggml.tokens", t->tokens, t->n_tokens);
    ls_gguf_put_i32s(keys, "tokenizer.ggml.token_type", t->types, t->n_tokens);
    if (t->scores)
        ls_gguf_put_f32s(keys, "tokenizer.ggml.scores", t->scores, t->n_tokens);
    if (t->n_merges > 0)
        ls_gguf_put_texts(keys, "tokenizer.ggml.merges", t->merges, t->n_merges);
    put_token(keys, "tokenizer.ggml.bos_token_id", t->bos);
    put_token(keys, "tokenizer.ggml.eos_token_id", t->eos);
    put_token(keys, "tokenizer.ggml.unknown_token_id", t->unk);
    put_token(keys, "tokenizer.ggml.padding_token_id", t->pad);
    ls_gguf_put_bool(keys, "tokenizer.ggml.add_bos_token", t->adds_bos);
    ls_gguf_put_bool(keys, "tokenizer.ggml.add_eos_token", t->adds_eos);
    ls_gguf_put_bool(keys, "tokenizer.ggml.add_space_prefix", t->adds_space_prefix);
}

leash_status ls_export_gguf(const ls_model *model, const ls_tokenizer *tokenizer,
                            const char *chat_template, const char *path, const ls_quant_type *type)
{
    ls_gguf_tokenizer t;
    LS_TRY(ls_gguf_tokenizer_make(&t, tokenizer, model->config.vocab_size));
    ls_gguf_keys keys;
    ls_gguf_keys_init(&keys);
    put_tokenizer(&keys, &t);
    if (chat_template)
        ls_gguf_put_text(&keys, "tokenizer.chat_template", chat_template);
    leash_status status = ls_gguf_save(model, path, type, &keys);
    ls_gguf_keys_release(&keys);
    ls_gguf_tokenizer_release(&t);
    return status;
}
