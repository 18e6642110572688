/* The names of pre-tokenizers that GGUF files use ("tokenizer.ggml.pre"), and what each is in
 * tokenizer.json: llama.cpp knows them by name alone.  Private to src/text. */
#ifndef LS_TEXT_GGUF_PRE_H
#define LS_TEXT_GGUF_PRE_H

#include <stdbool.h>
#include <stddef.h>

#include "text/pipeline.h"

typedef struct ls_gguf_pre {
    const char *name;              /* that is written */
    const char *others;            /* with spaces between, "" for none */
    const char *pre_tokenizer;     /* as JSON */
    const char *normalizer;        /* as JSON */
    bool ignores_merges, adds_bos; /* adds_bos: where the file does not say */
} ls_gguf_pre;

/* By one of its names; NULL when it is not known.  "default", and files without a name, have a row
 * of their own, which is a guess. */
const ls_gguf_pre *ls_gguf_pre_find(const char *name, size_t n);
/* The row that cuts like a pipeline, NULL when none does. */
leash_status ls_gguf_pre_match(const ls_gguf_pre **out, const ls_pipeline *p) LEASH_MUST_USE;

#endif
