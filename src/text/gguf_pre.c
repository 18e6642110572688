/* One row for each way to cut.  Names and patterns are those of llama.cpp (src/llama-vocab.cpp);
 * its normalizers are none, so the one of the models that go by the name stands here. */
#include "text/gguf_pre.h"

#include <string.h>

#include "base/mem.h"

#define BYTE_LEVEL(regex)                                                       \
    "{\"type\":\"ByteLevel\",\"add_prefix_space\":false,\"trim_offsets\":true," \
    "\"use_regex\":" regex "}"
#define SPLIT(pattern)                                      \
    "{\"type\":\"Split\",\"pattern\":{\"Regex\":\"" pattern \
    "\"},\"behavior\":\"Isolated\",\"invert\":false}"
#define SEQUENCE(steps) "{\"type\":\"Sequence\",\"pretokenizers\":[" steps "]}"
#define SPLITS(steps) SEQUENCE(steps "," BYTE_LEVEL("false"))

#define GPT2                                                                       \
    "'s|'t|'re|'ve|'m|'ll|'d| ?\\\\p{L}+| ?\\\\p{N}+| ?[^\\\\s\\\\p{L}\\\\p{N}]+|" \
    "\\\\s+(?!\\\\S)|\\\\s+"
#define CONTRACTIONS "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
#define CL100K(letter, digits, symbol)                                             \
    CONTRACTIONS "|[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?" letter "+|" digits "| ?" symbol \
                 "+[\\\\r\\\\n]*|\\\\s*[\\\\r\\\\n]+|\\\\s+(?!\\\\S)|\\\\s+"
#define LETTER "\\\\p{L}"
#define SYMBOL "[^\\\\s\\\\p{L}\\\\p{N}]"
#define LLAMA3 CL100K(LETTER, "\\\\p{N}{1,3}", SYMBOL)
#define QWEN2 CL100K(LETTER, "\\\\p{N}", SYMBOL)
#define QWEN35 CL100K("[\\\\p{L}\\\\p{M}]", "\\\\p{N}", "[^\\\\s\\\\p{L}\\\\p{M}\\\\p{N}]")
#define FIRST "[^\\\\r\\\\n\\\\p{L}\\\\p{N}]?"
#define UPPER "[\\\\p{Lu}\\\\p{Lt}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define LOWER "[\\\\p{Ll}\\\\p{Lm}\\\\p{Lo}\\\\p{M}]"
#define O200K(contractions, digits)                                                              \
    FIRST UPPER "*" LOWER "+" contractions "|" FIRST UPPER "+" LOWER "*" contractions "|" digits \
                "| ?[^\\\\s\\\\p{L}\\\\p{N}]+[\\\\r\\\\n/]*|\\\\s*[\\\\r\\\\n]+|"                \
                "\\\\s+(?!\\\\S)|\\\\s+"
#define DEEPSEEK                                                                  \
    "[!\\\"#$%&'()*+,\\\\-./:;<=>?@\\\\[\\\\\\\\\\\\]^_`{|}~][A-Za-z]+|"          \
    "[^\\r\\n\\\\p{L}\\\\p{P}\\\\p{S}]?[\\\\p{L}\\\\p{M}]+| ?[\\\\p{P}\\\\p{S}]+" \
    "[\\r\\n]*|\\\\s*[\\r\\n]+|\\\\s+(?!\\\\S)|\\\\s+"

#define NONE "null"
#define NFC "{\"type\":\"NFC\"}"

static const ls_gguf_pre rows[] = {
    {"llama-bpe", "llama3 llama-v3 falcon3 pixtral", SPLITS(SPLIT(LLAMA3)), NONE, true, true},
    {"dbrx", "smaug-bpe glm4 chatglm-bpe", SPLITS(SPLIT(LLAMA3)), NONE, false, false},
    {"qwen2", "deepseek-r1-qwen megrez", SPLITS(SPLIT(QWEN2)), NFC, false, false},
    {"stablelm2", "", SPLITS(SPLIT(QWEN2)), NONE, false, false},
    {"qwen35", "", SPLITS(SPLIT(QWEN35)), NFC, false, false},
    {"smollm", "starcoder refact command-r codeshell exaone",
     SEQUENCE("{\"type\":\"Digits\",\"individual_digits\":true}," BYTE_LEVEL("true")), NONE, false,
     false},
    {"gpt-2", "phi-2 mpt olmo jais trillion", BYTE_LEVEL("true"), NONE, false, false},
    {"tekken", "", SPLITS(SPLIT(O200K("", "\\\\p{N}"))), NONE, true, true},
    {"gpt-4o", "", SPLITS(SPLIT(O200K(CONTRACTIONS "?", "\\\\p{N}{1,3}"))), NONE, false, false},
    {"llama4", "", SPLITS(SPLIT(O200K(CONTRACTIONS "?", "\\\\p{N}{1,3}"))), NONE, true, true},
    {"deepseek-v3", "",
     SPLITS(SPLIT("\\\\p{N}{1,3}") "," SPLIT("[一-龥぀-ゟ゠-ヿ]+") "," SPLIT(DEEPSEEK)), NONE,
     false, false},
    {"default", "",
     SPLITS(SPLIT("[\\\\p{P}\\\\$\\\\+<=>\\\\^~\\\\|]+") "," SPLIT(GPT2) "," SPLIT(
         "\\\\p{N}+") "," SPLIT("[0-9][0-9][0-9]")),
     NONE, false, false},
};

static bool has_name(const char *names, const char *name, size_t n)
{
    for (const char *at = names;; at++) {
        size_t length = strcspn(at, " ");
        if (length == n && memcmp(at, name, n) == 0)
            return true;
        at += length;
        if (!*at)
            return false;
    }
}

const ls_gguf_pre *ls_gguf_pre_find(const char *name, size_t n)
{
    for (size_t i = 0; n && i < LS_COUNT(rows); i++)
        if (has_name(rows[i].name, name, n) || has_name(rows[i].others, name, n))
            return &rows[i];
    return NULL;
}

static bool is_same_str(const ls_str *a, const ls_str *b)
{
    return a->len == b->len && memcmp(a->data, b->data, a->len) == 0;
}

static bool is_same_cut(const ls_cut_step *a, const ls_cut_step *b)
{
    return a->type == b->type && a->behavior == b->behavior && a->inverts == b->inverts &&
           a->match == b->match && is_same_str(&a->literal, &b->literal) &&
           a->classes == b->classes && a->prepend == b->prepend && a->splits == b->splits &&
           a->adds_space == b->adds_space;
}

static bool cuts_alike(const ls_pretokenizer *a, const ls_pretokenizer *b)
{
    bool is_same = a->n_steps == b->n_steps;
    for (int i = 0; is_same && i < a->n_steps; i++)
        is_same = is_same_cut(&a->steps[i], &b->steps[i]);
    return is_same;
}

static leash_status matches(bool *out, const ls_gguf_pre *row, const ls_pipeline *p)
{
    ls_pretokenizer pretokenizer = {0};
    bool has_nfc = strcmp(row->normalizer, NFC) == 0;
    bool is_normal = has_nfc ? p->normalizer.n_steps == 1 &&
                                   p->normalizer.steps[0].type == LS_NORMAL_FORM &&
                                   p->normalizer.steps[0].form == LS_NFC
                             : p->normalizer.n_steps == 0;
    json_t *json = json_loads(row->pre_tokenizer, 0, NULL);
    leash_status status = ls_pretokenizer_read(&pretokenizer, json, row->name);
    *out = status == LEASH_OK && is_normal && row->ignores_merges == p->bpe.ignores_merges &&
           cuts_alike(&pretokenizer, &p->pretokenizer);
    ls_pretokenizer_release(&pretokenizer);
    json_decref(json);
    return status;
}

leash_status ls_gguf_pre_match(const ls_gguf_pre **out, const ls_pipeline *p)
{
    *out = NULL;
    for (size_t i = 0; !*out && i < LS_COUNT(rows); i++) {
        bool is_match;
        LS_TRY(matches(&is_match, &rows[i], p));
        if (is_match && strcmp(rows[i].name, "default") != 0)
            *out = &rows[i];
    }
    return LEASH_OK;
}
