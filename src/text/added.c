/* A trie of first children and next siblings, with a table for the first byte: nearly every place
 * of a text is passed over by that table alone. */
#include "text/added.h"

#include <string.h>

#include "base/mem.h"
#include "formats/json_brief.h"
#include "text/unicode.h"

#define MOST_TOKENS 1000000
#define MOST_BYTES 1024 /* of one token: bounds the work at a place of the text */

static leash_status read_flag(bool *out, const json_t *entry, const char *key, bool if_absent,
                              const char *content, const char *file)
{
    const json_t *value = json_object_get(entry, key);
    if (value && !json_is_boolean(value))
        return ls_fail(LEASH_FORMAT, "%s: added_tokens: \"%s\": %s must be true or false", file,
                       content, key);
    *out = value ? json_is_true(value) : if_absent;
    return LEASH_OK;
}

static leash_status check_id(const ls_vocab *vocab, const char *content, size_t n, int64_t id,
                             int32_t next, const char *file)
{
    int32_t known = ls_vocab_find(vocab, content, n);
    if (known >= 0 && known != id)
        return ls_fail(LEASH_FORMAT,
                       "%s: added_tokens: \"%s\" has id %lld, but model.vocab gives it %d", file,
                       content, (long long)id, (int)known);
    if (known < 0 && id != next)
        return ls_fail(LEASH_FORMAT,
                       "%s: added_tokens: \"%s\" has id %lld, but its place in the "
                       "file gives %d",
                       file, content, (long long)id, (int)next);
    return LEASH_OK;
}

static leash_status read_token(ls_added_token *token, ls_vocab *vocab, int32_t *next,
                               const json_t *entry, const char *file)
{
    const json_t *text = json_object_get(entry, "content"), *id = json_object_get(entry, "id");
    size_t n = json_string_length(text);
    const char *content = json_string_value(text);
    char found[LS_JSON_BRIEF];
    if (!json_is_integer(id) || !content || n == 0 || n > MOST_BYTES)
        return ls_fail(LEASH_FORMAT,
                       "%s: added_tokens: expected {\"id\": integer, \"content\": text of 1 to %d "
                       "bytes, ...}, found %s",
                       file, MOST_BYTES, ls_json_brief(found, entry));
    LS_TRY(read_flag(&token->is_special, entry, "special", false, content, file));
    LS_TRY(
        read_flag(&token->is_normalized, entry, "normalized", !token->is_special, content, file));
    LS_TRY(read_flag(&token->single_word, entry, "single_word", false, content, file));
    LS_TRY(read_flag(&token->lstrip, entry, "lstrip", false, content, file));
    LS_TRY(read_flag(&token->rstrip, entry, "rstrip", false, content, file));
    LS_TRY(check_id(vocab, content, n, json_integer_value(id), *next, file));
    token->id = (int32_t)json_integer_value(id);
    if (ls_vocab_find(vocab, content, n) >= 0)
        return LEASH_OK;
    ++*next;
    if (!ls_vocab_add(vocab, content, n, token->id))
        return ls_fail(LEASH_FORMAT, "%s: added_tokens: \"%s\": the id %d is another token's", file,
                       content, (int)token->id);
    return LEASH_OK;
}

static leash_status check_twice(const ls_added_tokens *a, const ls_vocab *vocab, const char *file)
{
    leash_status status = LEASH_OK;
    unsigned char *seen = ls_calloc((size_t)vocab->n_ids + 1, 1);
    for (int32_t i = 0; i < a->n && status == LEASH_OK; i++) {
        size_t n;
        int32_t id = a->tokens[i].id;
        if (seen[id])
            status = ls_fail(LEASH_FORMAT, "%s: added_tokens: \"%s\" stands twice", file,
                             ls_vocab_token(vocab, id, &n));
        seen[id] = 1;
    }
    ls_free(seen);
    return status;
}

leash_status ls_added_tokens_read(ls_added_tokens *out, ls_vocab *vocab, const json_t *json,
                                  const char *file)
{
    size_t n = json_array_size(json);
    *out = (ls_added_tokens){0};
    if (json && !json_is_null(json) && !json_is_array(json))
        return ls_fail(LEASH_FORMAT, "%s: added_tokens must be a list", file);
    if (n > MOST_TOKENS)
        return ls_fail(LEASH_FORMAT, "%s: added_tokens has %zu entries, more than %d", file, n,
                       MOST_TOKENS);
    out->tokens = ls_calloc(n + 1, sizeof *out->tokens);
    /* New tokens follow the entries of the vocabulary; with holes among its ids they may meet one
     * that is taken. */
    int32_t next = vocab->n_tokens;
    for (size_t i = 0; i < n; i++) {
        LS_TRY(read_token(&out->tokens[i], vocab, &next, json_array_get(json, i), file));
        out->n++;
    }
    LS_TRY(check_twice(out, vocab, file));
    out->is_special = ls_calloc((size_t)vocab->n_ids + 1, 1);
    for (int32_t i = 0; i < out->n; i++)
        out->is_special[out->tokens[i].id] = out->tokens[i].is_special;
    return LEASH_OK;
}

static int32_t new_node(ls_trie *trie, unsigned char byte)
{
    if (trie->n_nodes == trie->cap) {
        trie->cap = trie->cap ? trie->cap * 2 : 256;
        trie->nodes = ls_realloc(trie->nodes, ls_mul_size((size_t)trie->cap, sizeof *trie->nodes));
    }
    if (trie->n_nodes == 0)
        trie->n_nodes = 1;
    trie->nodes[trie->n_nodes] = (ls_trie_node){.token = -1, .byte = byte};
    return trie->n_nodes++;
}

static int32_t child_of(const ls_trie *trie, int32_t node, unsigned char byte)
{
    int32_t child = trie->nodes[node].child;
    while (child && trie->nodes[child].byte != byte)
        child = trie->nodes[child].sibling;
    return child;
}

void ls_added_tokens_index(ls_added_tokens *a, int32_t i, const char *text, size_t n)
{
    ls_trie *trie = a->tokens[i].is_normalized ? &a->normalized : &a->raw;
    if (n == 0)
        return;
    unsigned char first = (unsigned char)text[0];
    int32_t node = trie->first[first];
    if (!node)
        node = trie->first[first] = new_node(trie, first);
    for (size_t at = 1; at < n; at++) {
        unsigned char byte = (unsigned char)text[at];
        int32_t child = child_of(trie, node, byte);
        if (!child) {
            child = new_node(trie, byte);
            trie->nodes[child].sibling = trie->nodes[node].child;
            trie->nodes[node].child = child;
        }
        node = child;
    }
    if (trie->nodes[node].token < 0)
        trie->nodes[node].token = i;
    trie->n_texts++;
}

void ls_added_tokens_release(ls_added_tokens *a)
{
    ls_free(a->tokens);
    ls_free(a->raw.nodes);
    ls_free(a->normalized.nodes);
    ls_free(a->is_special);
}

void ls_added_walk_init(ls_added_walk *w, const ls_added_tokens *added, const ls_trie *trie,
                        const char *text, size_t n, bool takes_specials)
{
    *w = (ls_added_walk){.added = added,
                         .trie = trie,
                         .text = text,
                         .n = n,
                         .takes_specials = takes_specials,
                         .pending = -1};
}

/* The longest text of the trie at a place; its token's index, -1 for none. */
static int32_t longest_at(const ls_added_walk *w, size_t at, size_t *end)
{
    const ls_trie_node *nodes = w->trie->nodes;
    int32_t found = -1;
    for (int32_t node = w->trie->first[(unsigned char)w->text[at]]; node;) {
        at++;
        if (nodes[node].token >= 0) {
            found = nodes[node].token;
            *end = at;
        }
        if (at == w->n)
            break;
        node = child_of(w->trie, node, (unsigned char)w->text[at]);
    }
    return found;
}

/* Start of the last character before `at` > 0. */
static size_t character_before(const char *text, size_t at)
{
    at--;
    while (at > 0 && ((unsigned char)text[at] & 0xc0) == 0x80)
        at--;
    return at;
}

static bool is_accepted(const ls_added_walk *w, const ls_added_token *token, size_t begin,
                        size_t end)
{
    size_t length;
    if (token->is_special && !w->takes_specials)
        return false;
    if (!token->single_word)
        return true;
    bool touches =
        begin > 0 && ls_class_at(w->text + character_before(w->text, begin), &length) & LS_WORD;
    return !touches && (end == w->n || !(ls_class_at(w->text + end, &length) & LS_WORD));
}

/* A token's place grows over the white space beside it where it says so, to the left not into what
 * is given out already. */
static void strip_around(const ls_added_walk *w, const ls_added_token *token, size_t *begin,
                         size_t *end)
{
    size_t length;
    while (token->lstrip && *begin > w->done) {
        size_t before = character_before(w->text, *begin);
        if (!(ls_class_at(w->text + before, &length) & LS_SPACE))
            break;
        *begin = before;
    }
    while (token->rstrip && *end < w->n && ls_class_at(w->text + *end, &length) & LS_SPACE)
        *end += length;
}

static bool give(ls_added_walk *w, size_t begin, size_t end, int32_t id)
{
    w->begin = begin;
    w->end = end;
    w->id = id;
    w->done = end;
    return true;
}

bool ls_added_walk_next(ls_added_walk *w)
{
    if (w->pending >= 0) {
        int32_t id = w->pending;
        w->pending = -1;
        return give(w, w->done, w->pending_end, id);
    }
    while (w->trie->n_texts && w->at < w->n) {
        size_t begin = w->at, end = 0;
        if (!w->trie->first[(unsigned char)w->text[begin]]) {
            w->at++;
            continue;
        }
        int32_t found = longest_at(w, begin, &end);
        w->at = found >= 0 ? end : begin + 1;
        if (found < 0 || !is_accepted(w, &w->added->tokens[found], begin, end))
            continue;
        const ls_added_token *token = &w->added->tokens[found];
        strip_around(w, token, &begin, &end);
        if (begin <= w->done)
            return give(w, begin, end, token->id);
        w->pending = token->id;
        w->pending_end = end;
        return give(w, w->done, begin, -1);
    }
    if (w->done < w->n)
        return give(w, w->done, w->n, -1);
    return false;
}
