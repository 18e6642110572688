/* leash tokenize: text to ids and back, by a model's tokenizer. */
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "base/file.h"
#include "base/mem.h"
#include "cli/cli.h"
#include "formats/gguf.h"
#include "text/chat_template.h"
#include "text/tokenizer_gguf.h"

typedef struct job {
    const char *model, *file, *column, *messages;
    bool wants_json, decodes, takes_specials, adds_affixes, adds_prompt;
    ls_tokenizer *tokenizer;
    ls_chat_template *chat; /* only with --messages */
} job;

/* The tokenizer: a folder, a GGUF file, or "byte" and "char:ALPHABET" */

static leash_status open_gguf(job *j)
{
    ls_gguf file;
    ls_gguf_text template = {NULL, 0};
    LS_TRY(ls_gguf_open(&file, j->model));
    leash_status status = ls_tokenizer_load_gguf(&j->tokenizer, &file);
    if (status == LEASH_OK && j->messages)
        status = ls_gguf_get_text(&template, &file, "tokenizer.chat_template");
    if (status == LEASH_OK && template.data)
        status = ls_chat_template_parse(&j->chat, template.data, template.n, j->model);
    ls_gguf_close(&file);
    return status;
}

static leash_status open_tokenizer(job *j)
{
    if (!j->model)
        return ls_fail(LEASH_USAGE,
                       "leash tokenize needs --model: a model folder, a GGUF file, byte "
                       "or char:ALPHABET");
    if (ls_dir_exists(j->model)) {
        LS_TRY(ls_tokenizer_load(&j->tokenizer, j->model));
        if (j->messages)
            LS_TRY(ls_chat_template_load(&j->chat, j->model));
    } else if (ls_ends_with(j->model, ".gguf")) {
        LS_TRY(open_gguf(j));
    } else {
        LS_TRY(ls_tokenizer_new(&j->tokenizer, j->model));
    }
    if (!j->messages)
        return LEASH_OK;
    if (!j->chat)
        return ls_fail(LEASH_DATA, "%s has no chat template for --messages", j->model);
    ls_chat_template_set_specials_of(j->chat, j->tokenizer);
    return LEASH_OK;
}

/* Output */

static void print_ids(const job *j, const int32_t *ids, int64_t n)
{
    ls_str line = LS_STR_INIT;
    ls_str_append(&line, j->wants_json ? "{\"ids\": [" : "");
    for (int64_t i = 0; i < n; i++)
        ls_str_appendf(&line, "%s%d", i ? j->wants_json ? ", " : " " : "", (int)ids[i]);
    if (j->wants_json) {
        ls_str_append(&line, "], \"tokens\": [");
        for (int64_t i = 0; i < n; i++) {
            const char *piece = ls_tokenizer_piece(j->tokenizer, ids[i]);
            ls_str_append(&line, i ? ", " : "");
            ls_str_append_json(&line, piece, strlen(piece));
        }
        ls_str_append(&line, "]}");
    }
    ls_print("%s\n", line.data);
    ls_str_release(&line);
}

static void print_text(const job *j, const ls_str *text)
{
    ls_str line = LS_STR_INIT;
    if (j->wants_json) {
        ls_str_append(&line, "{\"text\": ");
        ls_str_append_json(&line, text->data, text->len);
        ls_str_append(&line, "}\n");
    } else {
        ls_str_append_n(&line, text->data, text->len);
        ls_str_append_char(&line, '\n');
    }
    ls_print_bytes(line.data, line.len);
    ls_str_release(&line);
}

/* Work */

static leash_status encode(const job *j, const char *text, size_t n_bytes)
{
    int32_t *ids = NULL;
    int64_t n = 0, cap = 0;
    unsigned flags =
        (j->takes_specials ? LS_ENCODE_SPECIALS : 0u) | (j->adds_affixes ? LS_ENCODE_AFFIXES : 0u);
    leash_status status =
        ls_tokenizer_encode_as(j->tokenizer, flags, text, n_bytes, &ids, &n, &cap);
    if (status == LEASH_OK)
        print_ids(j, ids, n);
    ls_free(ids);
    return status;
}

/* Numbers with spaces or commas between them, in brackets or not. */
static leash_status decode(const job *j, const char *text, size_t n_bytes)
{
    ls_str word = LS_STR_INIT, out = LS_STR_INIT;
    int32_t *ids = ls_calloc(n_bytes / 2 + 1, sizeof *ids);
    int64_t n = 0, id;
    leash_status status = LEASH_OK;
    for (size_t at = 0; at < n_bytes && status == LEASH_OK;) {
        size_t begin = at;
        while (at < n_bytes && !memchr(" ,[]\t\r\n", text[at], 8))
            at++;
        if (at == begin) {
            at++;
            continue;
        }
        ls_str_clear(&word);
        ls_str_append_n(&word, text + begin, at - begin);
        if (!ls_parse_int64(word.data, &id) || id < 0 ||
            id >= ls_tokenizer_vocab_size(j->tokenizer))
            status = ls_fail(LEASH_DATA, "--decode: expected ids from 0 to %d, found \"%s\"",
                             (int)ls_tokenizer_vocab_size(j->tokenizer) - 1, word.data);
        else
            ids[n++] = (int32_t)id;
    }
    if (status == LEASH_OK) {
        ls_tokenizer_decode(j->tokenizer, ids, n, j->takes_specials, &out);
        print_text(j, &out);
    }
    ls_free(ids);
    ls_str_release(&word);
    ls_str_release(&out);
    return status;
}

static leash_status work(const job *j, const char *text, size_t n_bytes)
{
    return j->decodes ? decode(j, text, n_bytes) : encode(j, text, n_bytes);
}

static leash_status work_on_messages(const job *j, const json_t *messages)
{
    ls_chat_tokens tokens;
    ls_chat_request request = {.messages = messages, .add_generation_prompt = j->adds_prompt};
    ls_chat_tokens_init(&tokens);
    leash_status status =
        ls_chat_encode(&tokens, j->chat, j->tokenizer, &request, LS_CHAT_TRAIN_NONE);
    if (status == LEASH_OK)
        print_ids(j, tokens.ids, tokens.n);
    ls_chat_tokens_release(&tokens);
    return status;
}

static leash_status work_on_row(const job *j, const json_t *row)
{
    const json_t *value = json_object_get(row, j->column);
    if (!value)
        return ls_fail(LEASH_DATA, "there is no column \"%s\" (see --column)", j->column);
    if (j->decodes && json_is_array(value)) {
        char *text = json_dumps(value, 0);
        leash_status status = text ? decode(j, text, strlen(text))
                                   : ls_fail(LEASH_DATA, "column \"%s\" is no list", j->column);
        free(text); /* jansson's */
        return status;
    }
    if (!json_is_string(value) || j->decodes)
        return ls_fail(LEASH_DATA, "column \"%s\" is not %s", j->column,
                       j->decodes ? "a list of ids" : "a text");
    return work(j, json_string_value(value), json_string_length(value));
}

static leash_status work_on_line(const job *j, const char *text, size_t n)
{
    json_error_t error;
    json_t *row = json_loadb(text, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    leash_status status =
        row ? work_on_row(j, row) : ls_fail(LEASH_FORMAT, "malformed JSON: %s", error.text);
    json_decref(row);
    return status;
}

static leash_status work_on_jsonl(const job *j, const char *path)
{
    ls_str text = LS_STR_INIT;
    leash_status status = ls_file_read(&text, path);
    int64_t line = 0;
    for (size_t at = 0; status == LEASH_OK && at < text.len;) {
        const char *end = memchr(text.data + at, '\n', text.len - at);
        size_t n = end ? (size_t)(end - text.data) - at : text.len - at;
        line++;
        if (n && strspn(text.data + at, " \t\r") < n)
            status = work_on_line(j, text.data + at, n);
        if (status != LEASH_OK)
            status = ls_fail_in(status, "%s:%lld", path, (long long)line);
        at += n + 1;
    }
    ls_str_release(&text);
    return status;
}

static leash_status work_on_stdin(const job *j)
{
    ls_str text = LS_STR_INIT;
    char part[65536];
    size_t n;
    while ((n = fread(part, 1, sizeof part, stdin)) > 0)
        ls_str_append_n(&text, part, n);
    leash_status status = ferror(stdin) ? ls_fail(LEASH_IO, "cannot read the standard input")
                                        : work(j, text.data, text.len);
    ls_str_release(&text);
    return status;
}

/* --messages: the JSON itself, or a file of it. */
static leash_status work_on_conversation(const job *j)
{
    ls_str text = LS_STR_INIT;
    leash_status status = LEASH_OK;
    json_error_t error;
    if (j->messages[0] == '[')
        ls_str_append(&text, j->messages);
    else
        status = ls_file_read(&text, j->messages);
    if (status == LEASH_OK) {
        json_t *messages = json_loadb(text.data, text.len, JSON_REJECT_DUPLICATES, &error);
        status = json_is_array(messages)
                     ? work_on_messages(j, messages)
                     : ls_fail(LEASH_FORMAT,
                               "--messages: expected a JSON list of {\"role\", \"content\"}, or a "
                               "file that has one");
        json_decref(messages);
    }
    ls_str_release(&text);
    return status;
}

static leash_status run(const job *j, int n_texts, char **texts)
{
    if (j->messages)
        return work_on_conversation(j);
    if (j->file)
        return work_on_jsonl(j, j->file);
    if (n_texts == 0)
        return work_on_stdin(j);
    if (j->decodes) { /* one list over all arguments */
        ls_str all = LS_STR_INIT;
        for (int i = 0; i < n_texts; i++)
            ls_str_appendf(&all, "%s ", texts[i]);
        leash_status status = decode(j, all.data, all.len);
        ls_str_release(&all);
        return status;
    }
    for (int i = 0; i < n_texts; i++)
        LS_TRY(work(j, texts[i], strlen(texts[i])));
    return LEASH_OK;
}

static leash_status parse(job *j, int *argc, char **argv)
{
    *j = (job){.wants_json = ls_cli_take_flag(argc, argv, "--json"),
               .decodes = ls_cli_take_flag(argc, argv, "--decode"),
               .takes_specials = ls_cli_take_flag(argc, argv, "--specials"),
               .adds_affixes = ls_cli_take_flag(argc, argv, "--affixes"),
               .adds_prompt = ls_cli_take_flag(argc, argv, "--generation-prompt")};
    LS_TRY(ls_cli_take_value(&j->model, argc, argv, "--model"));
    LS_TRY(ls_cli_take_value(&j->file, argc, argv, "--file"));
    LS_TRY(ls_cli_take_value(&j->column, argc, argv, "--column"));
    LS_TRY(ls_cli_take_value(&j->messages, argc, argv, "--messages"));
    if (!j->column)
        j->column = j->decodes ? "ids" : "text";
    if (j->messages && (j->file || j->decodes))
        return ls_fail(LEASH_USAGE, "--messages goes with neither --file nor --decode");
    return LEASH_OK;
}

leash_status ls_cmd_tokenize(const ls_command *self, int argc, char **argv)
{
    job j;
    bool is_done = false;
    leash_status status = parse(&j, &argc, argv);
    if (status == LEASH_OK)
        status = ls_cli_check_flags(&is_done, self, argc, argv);
    if (status == LEASH_OK && !is_done && (j.file || j.messages) && argc > 0)
        status = ls_cli_no_arguments(self, argc, (const char *const *)argv);
    if (status == LEASH_OK && !is_done)
        status = open_tokenizer(&j);
    if (status == LEASH_OK && !is_done)
        status = run(&j, argc, argv);
    ls_tokenizer_free(j.tokenizer);
    ls_chat_template_free(j.chat);
    return status;
}
