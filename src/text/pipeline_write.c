/* Writing tokenizer.json: the bytes that were read, or what a GGUF file gave. */
#include "base/mem.h"
#include "text/pipeline.h"

static void put_text(ls_str *out, const ls_vocab *v, int32_t id)
{
    size_t n = 0;
    const char *text = ls_vocab_token(v, id, &n);
    ls_str_append_json(out, text, n);
}

static void put_vocab(const ls_pipeline *p, ls_str *out)
{
    const ls_vocab *v = &p->bpe.vocab;
    const char *before = "";
    ls_str_append(out, "\"vocab\":{");
    for (int32_t id = 0; id < p->n_model_ids; id++) {
        if (v->places[id].length < 0)
            continue;
        ls_str_append(out, before);
        put_text(out, v, id);
        ls_str_appendf(out, ":%d", (int)id);
        before = ",\n";
    }
    ls_str_append(out, "},\n");
}

static void put_merges(const ls_vocab *v, ls_str *out)
{
    const ls_merge **merges = ls_vocab_merges_by_rank(v);
    const char *before = "";
    ls_str_append(out, "\"merges\":[");
    for (int64_t i = 0; i < v->n_merges; i++) {
        if (!merges[i]) /* its pair has a later rank */
            continue;
        ls_str_appendf(out, "%s[", before);
        put_text(out, v, (int32_t)(merges[i]->pair >> 32));
        ls_str_append(out, ",");
        put_text(out, v, (int32_t)(uint32_t)merges[i]->pair);
        ls_str_append(out, "]");
        before = ",\n";
    }
    ls_str_append(out, "]");
    ls_free(merges);
}

void ls_pipeline_write_json(const ls_pipeline *p, ls_str *out)
{
    if (p->json.len) {
        ls_str_append_n(out, p->json.data, p->json.len);
        return;
    }
    ls_str_append_n(out, p->json_head.data, p->json_head.len);
    put_vocab(p, out);
    put_merges(&p->bpe.vocab, out);
    ls_str_append(out, "}}\n");
}
