/* leash_inspect: what a model's files say, without reading a weight. */
#include <stdio.h>
#include <string.h>

#include "api/session.h"
#include "base/mem.h"

/* One tensor, from whichever kind of file. */
typedef struct tensor_row {
    const char *name, *type;
    const int64_t *shape;
    int32_t rank;
    size_t bytes;
} tensor_row;

static int64_t count_tensors(const ls_model_files *files)
{
    return files->is_gguf ? files->gguf.n_tensors : files->shards.n_entries;
}

static tensor_row tensor_at(const ls_model_files *files, int64_t i)
{
    if (files->is_gguf) {
        const ls_gguf_tensor *t = &files->gguf.tensors[i];
        return (tensor_row){t->name, t->type_name, t->shape, t->rank, t->n_bytes};
    }
    const ls_st_tensor *t = files->shards.entries[i].tensor;
    return (tensor_row){t->name, t->dtype, t->shape, t->rank, t->n_bytes};
}

static void append_shape(ls_str *out, const tensor_row *t, const char *separator)
{
    for (int32_t d = 0; d < t->rank; d++)
        ls_str_appendf(out, "%s%lld", d ? separator : "", (long long)t->shape[d]);
}

/* --- totals --- */

#define MOST_TYPES 40

typedef struct type_total {
    const char *name;
    int64_t n_tensors, n_values;
    double bytes;
} type_total;

static int64_t total_types(type_total totals[MOST_TYPES], const ls_model_files *files)
{
    int64_t n = 0;
    for (int64_t i = 0; i < count_tensors(files); i++) {
        tensor_row t = tensor_at(files, i);
        int64_t k = 0, values = 1;
        while (k < n && strcmp(totals[k].name, t.type) != 0)
            k++;
        if (k == MOST_TYPES)
            continue;
        if (k == n)
            totals[n++] = (type_total){.name = t.type};
        for (int32_t d = 0; d < t.rank; d++)
            values *= t.shape[d];
        totals[k].n_tensors++;
        totals[k].n_values += values;
        totals[k].bytes += (double)t.bytes;
    }
    return n;
}

/* --- GGUF values --- */

static const char *const kind_names[] = {"u8",   "i8",     "u16",   "i16", "u32", "i32", "f32",
                                         "bool", "string", "array", "u64", "i64", "f64"};

/* The value as JSON; of a list its length alone, unless it is short. */
static void append_value(ls_str *out, const ls_gguf *file, const ls_gguf_value *v)
{
    char number[32];
    int64_t i = 0;
    double x = 0;
    bool b = false;
    ls_gguf_text text;
    if (v->is_array)
        ls_str_appendf(out, "\"%lld x %s\"", (long long)v->n, kind_names[v->kind]);
    else if (v->kind == LS_GGUF_STRING && ls_gguf_get_text(&text, file, v->key) == LEASH_OK)
        ls_str_append_json(out, text.data, text.n);
    else if (v->kind == LS_GGUF_BOOL && ls_gguf_get_bool(&b, file, v->key) == LEASH_OK)
        ls_str_append(out, b ? "true" : "false");
    else if ((v->kind == LS_GGUF_F32 || v->kind == LS_GGUF_F64) &&
             ls_gguf_get_float(&x, file, v->key) == LEASH_OK)
        ls_str_append(out, ls_format_double(number, x));
    else if (ls_gguf_get_int(&i, file, v->key) == LEASH_OK)
        ls_str_appendf(out, "%lld", (long long)i);
    else
        ls_str_append(out, "null");
}

/* --- text --- */

static void text_model(ls_str *out, const ls_model_source *s, const ls_model *model)
{
    const ls_model_config *c = &s->config;
    ls_str_appendf(out, "%s\n\n", s->path);
    ls_str_appendf(out,
                   "model        %s: %lld layers, width %lld, ffn %lld, %lld heads, %lld kv "
                   "heads of %lld\n",
                   c->family, (long long)c->num_hidden_layers, (long long)c->hidden_size,
                   (long long)c->intermediate_size, (long long)c->num_attention_heads,
                   (long long)c->num_key_value_heads, (long long)c->head_dim);
    ls_str_appendf(out, "parameters   %.2f M%s; context %lld tokens\n",
                   1e-6 * (double)model->n_params,
                   c->head != LS_HEAD_TOKENS ? ", a score in place of the head"
                   : c->tie_word_embeddings  ? ", the head is the embedding"
                                             : "",
                   (long long)ls_model_context(c));
    if (s->has_adapter)
        ls_str_appendf(out, "adapter      %s: r %lld, alpha %g, %.2f M parameters\n",
                       s->adapter_path, (long long)s->adapter.spec.r, s->adapter.spec.lora_alpha,
                       1e-6 * (double)model->adapter->n_params);
    ls_str_append(out, "tokenizer    ");
    ls_tokenizer_describe(s->tokenizer, out);
    const int32_t *ids;
    int32_t n = ls_tokenizer_stop_ids(s->tokenizer, &ids), bos = ls_tokenizer_bos(s->tokenizer);
    if (bos >= 0)
        ls_str_appendf(out, "; begins with %s (%d)", ls_tokenizer_piece(s->tokenizer, bos), bos);
    for (int32_t i = 0; i < n; i++)
        ls_str_appendf(out, "%s%s (%d)", i ? ", " : "; ends with ",
                       ls_tokenizer_piece(s->tokenizer, ids[i]), ids[i]);
    ls_str_append(out, "\n");
}

static void text_template(ls_str *out, const ls_chat_template *chat)
{
    if (!chat) {
        ls_str_append(out, "template     none: --chat_template names one\n");
        return;
    }
    ls_chat_traits traits;
    size_t n;
    const char *text = ls_chat_template_text(chat, &n);
    ls_chat_template_traits(&traits, chat);
    ls_str_appendf(out, "template     %zu bytes%s%s%s\n", n,
                   traits.takes_system ? ", system messages" : "",
                   traits.takes_tools ? ", tools" : "",
                   traits.has_generation ? ", marks what the assistant says" : "");
    for (const char *line = text; line < text + n;) {
        const char *end = memchr(line, '\n', (size_t)(text + n - line));
        end = end ? end : text + n;
        ls_str_append(out, "    ");
        ls_str_append_visible(out, line, (size_t)(end - line));
        ls_str_append_char(out, '\n');
        line = end + 1;
    }
}

static void text_tensors(ls_str *out, const ls_model_files *files)
{
    type_total totals[MOST_TYPES];
    char size[32];
    int64_t n = total_types(totals, files), n_tensors = count_tensors(files);
    ls_str_appendf(out, "\n%lld tensors\n", (long long)n_tensors);
    for (int64_t k = 0; k < n; k++)
        ls_str_appendf(out, "  %5lld of %-8s %10.2f M values %12s\n",
                       (long long)totals[k].n_tensors, totals[k].name,
                       1e-6 * (double)totals[k].n_values, ls_format_bytes(size, totals[k].bytes));
    ls_str_append(out, "\n");
    for (int64_t i = 0; i < n_tensors; i++) {
        tensor_row t = tensor_at(files, i);
        ls_str shape = LS_STR_INIT;
        append_shape(&shape, &t, " x ");
        ls_str_appendf(out, "  %-52s %-6s %s\n", t.name, t.type, shape.data);
        ls_str_release(&shape);
    }
}

static void text_metadata(ls_str *out, const ls_gguf *file)
{
    ls_str_appendf(out, "\n%lld values (GGUF %u):\n", (long long)file->n_values, file->version);
    for (int64_t i = 0; i < file->n_values; i++) {
        const ls_gguf_value *v = &file->values[i];
        if (strcmp(v->key, "tokenizer.chat_template") == 0)
            continue; /* shown above */
        ls_str_appendf(out, "  %-44s ", v->key);
        append_value(out, file, v);
        ls_str_append(out, "\n");
    }
}

/* --- JSON --- */

static void json_text(ls_str *out, const char *key, const char *text, size_t n)
{
    ls_str_appendf(out, "\"%s\": ", key);
    ls_str_append_json(out, text, n);
}

static void json_model(ls_str *out, const ls_model_source *s, const ls_model *model)
{
    const ls_model_config *c = &s->config;
    ls_str_append(out, "{");
    json_text(out, "path", s->path, strlen(s->path));
    ls_str_append(out, ", ");
    json_text(out, "model_type", c->family, strlen(c->family));
    ls_str_appendf(out,
                   ", \"parameters\": %lld, \"num_hidden_layers\": %lld, \"hidden_size\": %lld, "
                   "\"intermediate_size\": %lld, \"num_attention_heads\": %lld, "
                   "\"num_key_value_heads\": %lld, \"head_dim\": %lld, \"vocab_size\": %lld, "
                   "\"context\": %lld, \"tie_word_embeddings\": %s",
                   (long long)model->n_params, (long long)c->num_hidden_layers,
                   (long long)c->hidden_size, (long long)c->intermediate_size,
                   (long long)c->num_attention_heads, (long long)c->num_key_value_heads,
                   (long long)c->head_dim, (long long)c->vocab_size, (long long)ls_model_context(c),
                   c->tie_word_embeddings ? "true" : "false");
    if (s->has_adapter) {
        ls_str_append(out, ", \"adapter\": {");
        json_text(out, "path", s->adapter_path, strlen(s->adapter_path));
        ls_str_appendf(out, ", \"r\": %lld, \"parameters\": %lld}", (long long)s->adapter.spec.r,
                       (long long)model->adapter->n_params);
    }
    const int32_t *ids;
    int32_t n = ls_tokenizer_stop_ids(s->tokenizer, &ids);
    ls_str_appendf(out, ", \"tokenizer\": {\"size\": %d, \"bos\": %d, \"stop_ids\": [",
                   ls_tokenizer_vocab_size(s->tokenizer), ls_tokenizer_bos(s->tokenizer));
    for (int32_t i = 0; i < n; i++)
        ls_str_appendf(out, "%s%d", i ? ", " : "", ids[i]);
    ls_str_append(out, "]}");
    size_t n_text;
    const char *text = s->chat ? ls_chat_template_text(s->chat, &n_text) : NULL;
    ls_str_append(out, ", ");
    if (text)
        json_text(out, "chat_template", text, n_text);
    else
        ls_str_append(out, "\"chat_template\": null");
}

static void json_files(ls_str *out, const ls_model_files *files)
{
    ls_str_append(out, ", \"tensors\": [");
    for (int64_t i = 0; i < count_tensors(files); i++) {
        tensor_row t = tensor_at(files, i);
        ls_str_append(out, i ? ", {" : "{");
        json_text(out, "name", t.name, strlen(t.name));
        ls_str_appendf(out, ", \"dtype\": \"%s\", \"shape\": [", t.type);
        append_shape(out, &t, ", ");
        ls_str_appendf(out, "], \"bytes\": %zu}", t.bytes);
    }
    ls_str_append(out, "]");
    if (files->is_gguf) {
        ls_str_append(out, ", \"metadata\": {");
        for (int64_t i = 0; i < files->gguf.n_values; i++) {
            const ls_gguf_value *v = &files->gguf.values[i];
            ls_str_append(out, i ? ", " : "");
            ls_str_append_json(out, v->key, strlen(v->key));
            ls_str_append(out, ": ");
            append_value(out, &files->gguf, v);
        }
        ls_str_append(out, "}");
    }
    ls_str_append(out, "}");
}

leash_status leash_inspect(char **text, char **json, leash_settings *settings)
{
    const ls_run_options *o = &settings->options;
    ls_session s;
    ls_str out = LS_STR_INIT;
    memset(&s, 0, sizeof s);
    leash_status status;
    if (!o->model.model[0])
        status =
            ls_fail(LEASH_USAGE, "no model: give --model a folder, a GGUF file or a run directory");
    else
        status = ls_arena_init_dry(&s.run, "run");
    if (status == LEASH_OK)
        status = ls_device_open(&s.dev, &o->system, true);
    if (status == LEASH_OK)
        status = ls_model_source_open(&s.source, "model", o->model.model, o);
    /* Dry: the tables of the files are compared with the model, nothing is loaded. */
    if (status == LEASH_OK)
        status = ls_model_source_make(&s.model, &s.source, &s.dev, &s.run, LS_MODEL_PACKED, 1, 0);
    if (status == LEASH_OK && text) {
        text_model(&out, &s.source, s.model);
        text_template(&out, s.source.chat);
        if (!s.source.is_builtin)
            text_tensors(&out, &s.source.files);
        if (s.source.files.is_gguf)
            text_metadata(&out, &s.source.files.gguf);
        *text = ls_strdup(out.data);
    }
    if (status == LEASH_OK && json) {
        ls_str_clear(&out);
        json_model(&out, &s.source, s.model);
        json_files(&out, &s.source.files);
        *json = ls_strdup(out.data);
    }
    ls_str_release(&out);
    ls_session_close(&s);
    return status;
}
