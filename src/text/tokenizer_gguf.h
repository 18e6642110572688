/* Tokenizers inside GGUF files: reading one, and the arrays of one for writing.
 *
 * A tokenizer that is read becomes the same pipeline as a tokenizer.json, so it gives the ids of
 * the model's Hugging Face folder and ls_tokenizer_save writes such a folder's files.  Kinds:
 * "gpt2" (byte-level BPE, cut as the file's "pre" says) and "llama" (SentencePiece's BPE, whose
 * merges follow from the scores).  Other kinds are refused by name.  A file whose "pre" is
 * "default" or missing is cut by llama.cpp's guess, with a warning.
 *
 * Control and unknown tokens become special tokens, user-defined ones are found in any text, and
 * ids marked as unused have no token.  Completions end at eos, eot and eom and at control tokens
 * that are known to end turns ("<|im_end|>", "<end_of_turn>", ...), as in llama.cpp.  The chat
 * template goes into tokenizer_config.json as it is. */
#ifndef LS_TEXT_TOKENIZER_GGUF_H
#define LS_TEXT_TOKENIZER_GGUF_H

#include "formats/gguf.h"
#include "text/tokenizer.h"

leash_status ls_tokenizer_load_gguf(ls_tokenizer **out, const ls_gguf *file) LEASH_MUST_USE;

/* Token types of GGUF. */
enum {
    LS_GGUF_NORMAL = 1,
    LS_GGUF_UNKNOWN,
    LS_GGUF_CONTROL,
    LS_GGUF_USER_DEFINED,
    LS_GGUF_UNUSED,
    LS_GGUF_BYTE
};

/* The values of the keys tokenizer.ggml.*. */
typedef struct ls_gguf_tokenizer {
    const char *model, *pre; /* "gpt2" and a name, or "llama" and "default" */
    ls_gguf_text *tokens;    /* n_tokens */
    int32_t *types;          /* n_tokens */
    float *scores;           /* n_tokens; NULL for gpt2 */
    ls_gguf_text *merges;    /* n_merges, "left right"; none for llama */
    int64_t n_tokens, n_merges;
    int32_t bos, eos, unk, pad; /* -1: none */
    bool adds_bos, adds_eos, adds_space_prefix;
    ls_str text; /* that tokens and merges point into */
} ls_gguf_tokenizer;
/* With n_tokens of at least n_rows (the rows of the model's embedding): ids without a token become
 * "[PADn]".  Errors: LEASH_UNSUPPORTED for what GGUF cannot say: other kinds than byte-level BPE
 * and SentencePiece-like BPE, a pre-tokenizer without a name there, merges that do not follow from
 * scores. */
leash_status ls_gguf_tokenizer_make(ls_gguf_tokenizer *out, const ls_tokenizer *t,
                                    int64_t n_rows) LEASH_MUST_USE;
void ls_gguf_tokenizer_release(ls_gguf_tokenizer *g);

#endif
