/* Damaged tokenizer.json, tokenizer_config.json, generation_config.json and chat templates.  Each
 * is refused with file and section or line, what was expected and what is there. */
#include "damage.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

static char dir[] = "/tmp/leash_test_damage.XXXXXX";

/* --- good files --- */

static const char bpe[] =
    "{\"version\": \"1.0\", \"truncation\": null, \"padding\": null,\n"
    " \"added_tokens\": [\n"
    "  {\"id\": 6, \"content\": \"<|end|>\", \"special\": true, \"normalized\": false,\n"
    "   \"single_word\": false, \"lstrip\": false, \"rstrip\": false}],\n"
    " \"normalizer\": {\"type\": \"NFC\"},\n"
    " \"pre_tokenizer\": {\"type\": \"Sequence\", \"pretokenizers\": [\n"
    "  {\"type\": \"Digits\", \"individual_digits\": true},\n"
    "  {\"type\": \"Split\", \"pattern\": {\"Regex\": \"\\\\p{L}+|\\\\s+\"},\n"
    "   \"behavior\": \"Isolated\", \"invert\": false},\n"
    "  {\"type\": \"ByteLevel\", \"add_prefix_space\": false, \"use_regex\": false}]},\n"
    " \"post_processor\": {\"type\": \"TemplateProcessing\",\n"
    "  \"single\": [{\"SpecialToken\": {\"id\": \"<|end|>\", \"type_id\": 0}},\n"
    "   {\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}],\n"
    "  \"special_tokens\": {\"<|end|>\": {\"id\": \"<|end|>\", \"ids\": [6],\n"
    "   \"tokens\": [\"<|end|>\"]}}},\n"
    " \"decoder\": {\"type\": \"ByteLevel\"},\n"
    " \"model\": {\"type\": \"BPE\", \"dropout\": null, \"unk_token\": null,\n"
    "  \"continuing_subword_prefix\": null, \"end_of_word_suffix\": null,\n"
    "  \"fuse_unk\": false, \"byte_fallback\": false, \"ignore_merges\": false,\n"
    "  \"vocab\": {\"a\": 0, \"b\": 1, \"c\": 2, \"ab\": 3, \"abc\": 4, \"1\": 5},\n"
    "  \"merges\": [\"a b\", [\"ab\", \"c\"]]}}\n";

static const char unigram[] =
    "{\"version\": \"1.0\", \"added_tokens\": [\n"
    "  {\"id\": 4, \"content\": \"</s>\", \"special\": true}],\n"
    " \"normalizer\": {\"type\": \"Sequence\", \"normalizers\": [{\"type\": \"NFKC\"},\n"
    "  {\"type\": \"Replace\", \"pattern\": {\"Regex\": \" {2,}\"}, \"content\": \" \"}]},\n"
    " \"pre_tokenizer\": {\"type\": \"Metaspace\", \"replacement\": \"_\",\n"
    "  \"prepend_scheme\": \"always\", \"split\": true},\n"
    " \"post_processor\": null, \"decoder\": {\"type\": \"Metaspace\", \"replacement\": \"_\",\n"
    "  \"prepend_scheme\": \"always\", \"split\": true},\n"
    " \"model\": {\"type\": \"Unigram\", \"unk_id\": 0, \"byte_fallback\": false,\n"
    "  \"vocab\": [[\"<unk>\", 0.0], [\"_\", -1.5], [\"a\", -2.5], [\"_a\", -2.0]]}}\n";

static const char config[] = "{\"add_bos_token\": false, \"bos_token\": \"<|end|>\",\n"
                             " \"eos_token\": {\"content\": \"<|end|>\", \"lstrip\": false}}\n";
static const char unigram_config[] = "{\"eos_token\": \"</s>\"}\n";

static const char template[] = "{#- two roles -#}\n"
                               "{%- for message in messages %}\n"
                               "{{- '<' ~ message.role ~ '>' + message['content'] }}\n"
                               "{%- if not loop.last %}{{ '\\n' }}{% endif %}\n"
                               "{%- endfor %}\n"
                               "{%- if add_generation_prompt %}{{ '<assistant>' }}{% endif %}\n";

static void make_folder(const char *name, const char *json, const char *json_config)
{
    char folder[LS_PATH_MAX];
    assert_ok(ls_dir_make(ls_path_join(folder, dir, name)));
    damage_write_text(folder, "tokenizer.json", json);
    damage_write_text(folder, "tokenizer_config.json", json_config);
}

static int make_files(void **state)
{
    (void)state;
    char folder[LS_PATH_MAX];
    ls_tokenizer *t;
    assert_non_null(mkdtemp(dir));
    make_folder("bpe", bpe, config);
    damage_write_text(ls_path_join(folder, dir, "bpe"), "generation_config.json",
                      "{\"eos_token_id\": [6, 5]}\n");
    make_folder("unigram", unigram, unigram_config);
    assert_ok(ls_dir_make(ls_path_join(folder, dir, "char")));
    assert_ok(ls_tokenizer_new(&t, "char:abc \n"));
    assert_ok(ls_tokenizer_save(t, folder));
    ls_tokenizer_free(t);
    assert_ok(ls_dir_make(ls_path_join(folder, dir, "chat")));
    damage_write_text(folder, "chat_template.jinja", template);
    assert_ok(ls_dir_make(ls_path_join(folder, dir, "named")));
    damage_write_text(folder, "tokenizer_config.json",
                      "{\"bos_token\": \"<s>\", \"chat_template\": [\n"
                      " {\"name\": \"default\", \"template\": \"{{ messages }}\"},\n"
                      " {\"name\": \"tool_use\", \"template\": \"{{ tools }}\"}]}\n");
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    return ls_dir_remove(dir) != LEASH_OK;
}

/* --- reading --- */

/* The folder of FOLDER/file. */
static const char *folder_of(char out[LS_PATH_MAX], const char *root, const char *file)
{
    ls_path_join(out, root, file);
    *strrchr(out, '/') = '\0';
    return out;
}

static leash_status read_tokenizer(const char *root, const char *file)
{
    char folder[LS_PATH_MAX];
    ls_tokenizer *t;
    LS_TRY(ls_tokenizer_load(&t, folder_of(folder, root, file)));
    ls_tokenizer_free(t);
    return LEASH_OK;
}

static leash_status read_template(const char *root, const char *file)
{
    char folder[LS_PATH_MAX];
    ls_chat_template *t;
    ls_chat_text text;
    LS_TRY(ls_chat_template_open(&t, folder_of(folder, root, file)));
    json_t *messages = json_loads("[{\"role\": \"user\", \"content\": \"a\"},"
                                  " {\"role\": \"assistant\", \"content\": \"b\"}]",
                                  0, NULL);
    ls_chat_text_init(&text);
    leash_status status = ls_chat_render(
        &text, t, &(ls_chat_request){.messages = messages, .add_generation_prompt = true});
    ls_chat_text_release(&text);
    json_decref(messages);
    ls_chat_template_free(t);
    return status;
}

/* --- damages --- */

#define BPE "bpe/tokenizer.json"
#define UNI "unigram/tokenizer.json"
#define CHAR "char/tokenizer.json"
#define CONFIG "bpe/tokenizer_config.json"
#define GENERATION "bpe/generation_config.json"
#define CHAT "chat/chat_template.jinja"
#define NAMED "named/tokenizer_config.json"

static const damage text_damages[] = {
    {"file_gone", BPE, GONE, LEASH_IO, "no such file or directory"},
    {"file_empty", BPE, CUT(0), LEASH_FORMAT,
     ":1:0: malformed JSON: unexpected token near end of file"},
    {"file_cut_in_the_vocabulary", BPE, CUT(-60), LEASH_FORMAT,
     ":20:39: malformed JSON: premature end of input near '\"ab'"},
    {"file_cut_in_the_added_tokens", BPE, CUT(120), LEASH_FORMAT,
     ":3:45: malformed JSON: unexpected token near end of file"},
    {"last_brace_gone", BPE, CUT(-2), LEASH_FORMAT,
     ":21:33: malformed JSON: '}' expected near end of file"},
    {"a_list", BPE, WHOLE("[]"), LEASH_FORMAT, "expected one JSON object"},
    {"a_pointer_of_git_lfs", BPE, WHOLE("version https://git-lfs.github.com/spec/v1"), LEASH_FORMAT,
     ":1:7: malformed JSON: invalid token near 'version'"},
    {"a_sentencepiece_model", BPE, WHOLE("\n\x0e\n\x05<unk>\x15\0\0\0\0\x18\x02"), LEASH_FORMAT,
     ":2:1: malformed JSON: invalid token near '?'"},
    {"no_utf8", BPE, SWAP("\"abc\"", "\"ab\xff\""), LEASH_FORMAT, "model.vocab[\"ab"},
    {"bad_escape", BPE, SWAP("\"abc\"", "\"ab\\x\""), LEASH_FORMAT,
     ":20:50: malformed JSON: invalid escape near '\"ab\\x'"},
    {"half_a_surrogate", BPE, SWAP("\"abc\"", "\"ab\\ud800\""), LEASH_FORMAT,
     ":20:55: malformed JSON: invalid Unicode '\\uD800' near '\"ab\\ud800\"'"},
    {"a_nul_in_a_token", BPE, SWAP("\"abc\"", "\"ab\\u0000\""), LEASH_FORMAT,
     "model.merges[1] is \"ab\" and \"c\", but \"abc\" is not in model.vocab"},
    {"nested_too_deep", BPE, REPEAT("null", 3000, "["), LEASH_FORMAT,
     ":1:2081: malformed JSON: maximum parsing depth reached near '['"},
    {"two_objects", BPE, ADD("{}"), LEASH_FORMAT,
     ":22:1: malformed JSON: end of file expected near '{'"},
    {"key_twice", BPE, SWAP("\"padding\": null", "\"decoder\": null"), LEASH_FORMAT,
     ":16:10: malformed JSON: duplicate object key near '\"decoder\"'"},
    {"key_unknown", BPE, SWAP("\"padding\"", "\"stuffing\""), LEASH_UNSUPPORTED,
     "the key stuffing is not known"},
};

static const damage model_damages[] = {
    {"version_missing", BPE, SWAP("\"version\": \"1.0\", ", ""), LEASH_UNSUPPORTED,
     "version must be the string \"1.0\""},
    {"version_2", BPE, SWAP("\"1.0\"", "\"2.0\""), LEASH_UNSUPPORTED,
     "version must be the string \"1.0\""},
    {"version_a_number", BPE, SWAP("\"1.0\"", "1.0"), LEASH_UNSUPPORTED,
     "version must be the string \"1.0\""},
    {"model_missing", BPE, SWAP("\"model\": {", "\"padding2\": {"), LEASH_UNSUPPORTED,
     "model.type is \"\"; expected \"BPE\" or \"Unigram\""},
    {"model_a_list", BPE, WHOLE("{\"version\": \"1.0\", \"model\": []}"), LEASH_UNSUPPORTED,
     "model.type is \"\"; expected \"BPE\" or \"Unigram\""},
    {"model_of_words", BPE, SWAP("\"BPE\"", "\"WordPiece\""), LEASH_UNSUPPORTED,
     "model.type is \"WordPiece\"; expected \"BPE\" or \"Unigram\""},
    {"model_type_a_number", BPE, SWAP("\"BPE\"", "1"), LEASH_FORMAT, "model.type must be a text"},
    {"model_key_unknown", BPE, SWAP("\"fuse_unk\"", "\"fuse\""), LEASH_UNSUPPORTED,
     "the key model.fuse is not known"},
    {"dropout_set", BPE, SWAP("\"dropout\": null", "\"dropout\": 0.1"), LEASH_UNSUPPORTED,
     "model.dropout is set, which is not supported"},
    {"prefix_set", BPE,
     SWAP("\"continuing_subword_prefix\": null", "\"continuing_subword_prefix\": \"##\""),
     LEASH_UNSUPPORTED, "model.continuing_subword_prefix is set, which is not supported"},
    {"flag_a_text", BPE, SWAP("\"byte_fallback\": false", "\"byte_fallback\": \"no\""),
     LEASH_FORMAT, "model.byte_fallback must be true or false"},
    {"byte_fallback_without_bytes", BPE,
     SWAP("\"byte_fallback\": false", "\"byte_fallback\": true"), LEASH_UNSUPPORTED,
     "model.byte_fallback with a ByteLevel pre_tokenizer needs the symbols of all bytes, and that "
     "of 0x00 is not in"},
    {"unk_not_in_the_vocabulary", BPE, SWAP("\"unk_token\": null", "\"unk_token\": \"<unk>\""),
     LEASH_FORMAT, "model.unk_token is \"<unk>\", which is not in model.vocab"},
    {"unk_a_number", BPE, SWAP("\"unk_token\": null", "\"unk_token\": 0"), LEASH_FORMAT,
     "model.unk_token must be a token"},
    {"vocab_missing", BPE, SWAP("\"vocab\"", "\"vocal\""), LEASH_FORMAT, "model.vocab is missing"},
    {"vocab_a_list", BPE,
     SWAP("{\"a\": 0, \"b\": 1, \"c\": 2, \"ab\": 3, \"abc\": 4, \"1\": 5}", "[\"a\", \"b\"]"),
     LEASH_FORMAT, "model.vocab[0] is \"a\"; a list has entries [token, score]"},
    {"vocab_of_a_unigram", BPE,
     SWAP("{\"a\": 0, \"b\": 1, \"c\": 2, \"ab\": 3, \"abc\": 4, \"1\": 5}", "[[\"a\", 0.5]]"),
     LEASH_FORMAT, "model.merges[0] is \"a\" and \"b\", but \"b\" is not in model.vocab"},
    {"token_twice", BPE, SWAP("\"c\": 2", "\"a\": 2"), LEASH_FORMAT,
     "model.vocab[\"a\"]: this token or its id 2 stands twice"},
    {"id_twice", BPE, SWAP("\"c\": 2", "\"c\": 1"), LEASH_FORMAT,
     "model.vocab[\"c\"]: this token or its id 1 stands twice"},
    {"id_negative", BPE, SWAP("\"c\": 2", "\"c\": -2"), LEASH_FORMAT,
     "model.vocab[\"c\"]: expected a token id"},
    {"id_a_fraction", BPE, SWAP("\"c\": 2", "\"c\": 2.5"), LEASH_FORMAT,
     "model.vocab[\"c\"]: expected a token id"},
    {"id_a_text", BPE, SWAP("\"c\": 2", "\"c\": \"2\""), LEASH_FORMAT,
     "model.vocab[\"c\"]: expected a token id"},
    {"id_absurd", BPE, SWAP("\"c\": 2", "\"c\": 2000000000"), LEASH_FORMAT,
     "model.vocab[\"c\"]: expected a token id"},
    {"id_beyond_64_bits", BPE, SWAP("\"c\": 2", "\"c\": 99999999999999999999"), LEASH_FORMAT,
     "model.vocab[\"c\"]: expected a token id"},
    {"merges_an_object", BPE, SWAP("[\"a b\", [\"ab\", \"c\"]]", "{\"a\": \"b\"}"), LEASH_FORMAT,
     "model.merges must be a list"},
    {"merge_of_an_unknown_token", BPE, SWAP("\"a b\"", "\"a z\""), LEASH_FORMAT,
     "model.merges[0] is \"a\" and \"z\", but \"z\" is not in model.vocab"},
    {"merge_that_makes_no_token", BPE, SWAP("\"a b\"", "\"b a\""), LEASH_FORMAT,
     "model.merges[0] is \"b\" and \"a\", but \"ba\" is not in model.vocab"},
    {"merge_of_three", BPE, SWAP("\"a b\"", "\"a b c\""), LEASH_FORMAT,
     "model.merges[0] is \"a b c\"; expected two tokens with one space between them"},
    {"merge_without_a_space", BPE, SWAP("\"a b\"", "\"ab\""), LEASH_FORMAT,
     "model.merges[0] is \"ab\"; expected two tokens with one space between them"},
    {"merge_list_of_three", BPE, SWAP("[\"ab\", \"c\"]", "[\"a\", \"b\", \"c\"]"), LEASH_FORMAT,
     "model.merges[1] is [\"a\",\"b\",\"c\"]; expected \"a b\" or [\"a\", \"b\"]"},
    {"merge_list_of_one", BPE, SWAP("[\"ab\", \"c\"]", "[\"ab\"]"), LEASH_FORMAT,
     "model.merges[1] is [\"ab\"]; expected \"a b\" or [\"a\", \"b\"]"},
    {"merge_a_number", BPE, SWAP("\"a b\"", "7"), LEASH_FORMAT,
     "model.merges[0] is 7; expected \"a b\" or [\"a\", \"b\"]"},
    {"unigram_unk_beyond_the_vocabulary", UNI, SWAP("\"unk_id\": 0", "\"unk_id\": 4"), LEASH_FORMAT,
     "model.unk_id must be the place of a token in model.vocab"},
    {"unigram_unk_negative", UNI, SWAP("\"unk_id\": 0", "\"unk_id\": -1"), LEASH_FORMAT,
     "model.unk_id must be the place of a token in model.vocab"},
    {"unigram_score_missing", UNI, SWAP("[\"a\", -2.5]", "[\"a\"]"), LEASH_FORMAT,
     "model.vocab[2] is [\"a\"]; a list has entries [token, score]"},
    {"unigram_score_a_text", UNI, SWAP("[\"a\", -2.5]", "[\"a\", \"-2.5\"]"), LEASH_FORMAT,
     "model.vocab[2] is [\"a\",\"-2.5\"]; a list has entries [token, score]"},
    {"unigram_score_nan", UNI, SWAP("-2.5", "NaN"), LEASH_FORMAT,
     ":10:50: malformed JSON: invalid token near 'NaN'"},
    {"unigram_score_infinite", UNI, SWAP("-2.5", "-1e999"), LEASH_FORMAT,
     ":10:53: malformed JSON: real number overflow near '-1e999'"},
    {"unigram_piece_a_number", UNI, SWAP("[\"a\", -2.5]", "[1, -2.5]"), LEASH_FORMAT,
     "model.vocab[2] is [1,-2.5]; a list has entries [token, score]"},
    {"unigram_piece_twice", UNI, SWAP("[\"a\"", "[\"_\""), LEASH_FORMAT,
     "model.vocab[\"_\"]: this token or its id 2 stands twice"},
    {"unigram_vocab_an_object", UNI,
     SWAP("[[\"<unk>\", 0.0], [\"_\", -1.5], [\"a\", -2.5], [\"_a\", -2.0]]", "{\"a\": 0}"),
     LEASH_FORMAT, "model.vocab must be a list [[token, score], ...]"},
    {"unigram_with_bytes_of_bpe", UNI,
     SWAP("\"Metaspace\", \"replacement\": \"_\",\n  \"prepend_scheme\": \"always\", \"split\": "
          "true}",
          "\"ByteLevel\"}"),
     LEASH_UNSUPPORTED, "model.type \"Unigram\" with a ByteLevel pre_tokenizer is not supported"},
    {"char_vocab_with_a_hole", CHAR, SWAP("\"a\": 0", "\"a\": 9"), LEASH_FORMAT,
     "model.vocab[\"a\"]: expected an id of its own in 0..4"},
    {"char_token_of_two_characters", CHAR, SWAP("\"a\": 0", "\"aa\": 0"), LEASH_UNSUPPORTED,
     "model.vocab has \"aa\"; a char tokenizer has single characters"},
};

static const damage section_damages[] = {
    {"added_tokens_an_object", UNI,
     SWAP("[\n  {\"id\": 4, \"content\": \"</s>\", \"special\": true}]", "{}"), LEASH_FORMAT,
     "added_tokens must be a list"},
    {"added_token_without_an_id", BPE, SWAP("\"id\": 6, ", ""), LEASH_FORMAT,
     "added_tokens: expected {\"id\": integer, \"content\": text of 1 to 1024 bytes, ...}, found"},
    {"added_token_without_a_text", BPE, SWAP("\"content\"", "\"contents\""), LEASH_FORMAT,
     "added_tokens: expected {\"id\": integer, \"content\": text of 1 to 1024 bytes, ...}, found"},
    {"added_token_empty", BPE, SWAP("\"content\": \"<|end|>\"", "\"content\": \"\""), LEASH_FORMAT,
     "added_tokens: expected {\"id\": integer, \"content\": text of 1 to 1024 bytes, ...}, found"},
    {"added_token_of_another_id", BPE, SWAP("\"id\": 6", "\"id\": 7"), LEASH_FORMAT,
     "added_tokens: \"<|end|>\" has id 7, but its place in the file gives 6"},
    {"added_token_of_a_taken_id", BPE, SWAP("\"id\": 6", "\"id\": 2"), LEASH_FORMAT,
     "added_tokens: \"<|end|>\" has id 2, but its place in the file gives 6"},
    {"added_token_negative", BPE, SWAP("\"id\": 6", "\"id\": -6"), LEASH_FORMAT,
     "added_tokens: \"<|end|>\" has id -6, but its place in the file gives 6"},
    {"added_token_id_a_text", BPE, SWAP("\"id\": 6", "\"id\": \"6\""), LEASH_FORMAT,
     "added_tokens: expected {\"id\": integer, \"content\": text of 1 to 1024 bytes, ...}, found"},
    {"added_token_flag_a_number", BPE, SWAP("\"lstrip\": false", "\"lstrip\": 0"), LEASH_FORMAT,
     "added_tokens: \"<|end|>\": lstrip must be true or false"},
    {"added_token_very_long", BPE, REPEAT("<|end|>", 300, "<|e|>"), LEASH_FORMAT,
     "added_tokens: expected {\"id\": integer, \"content\": text of 1 to 1024 bytes, ...}, found"},
    {"normalizer_unknown", BPE, SWAP("\"NFC\"", "\"NFX\""), LEASH_UNSUPPORTED,
     "normalizer: type \"NFX\" is not supported; supported are NFC, NFD, NFKC, NFKD, Lowercase, "
     "Prepend, Replace,"},
    {"normalizer_without_a_type", BPE, SWAP("{\"type\": \"NFC\"}", "{}"), LEASH_FORMAT,
     "normalizer must be an object with a \"type\""},
    {"normalizer_a_text", BPE, SWAP("{\"type\": \"NFC\"}", "\"NFC\""), LEASH_FORMAT,
     "normalizer must be an object with a \"type\""},
    {"normalizer_pattern_broken", UNI, SWAP(" {2,}", "(a"), LEASH_FORMAT,
     "normalizer.normalizers[1].pattern: the regular expression is not valid: missing closing "
     "parenthesis"},
    {"normalizer_content_missing", UNI, SWAP(", \"content\": \" \"", ""), LEASH_FORMAT,
     "normalizer.normalizers[1].content: expected a string"},
    {"normalizer_list_missing", UNI, SWAP("\"normalizers\"", "\"normalizer\""), LEASH_FORMAT,
     "normalizer.normalizers must be a list of objects"},
    {"pre_tokenizer_unknown", BPE, SWAP("\"Digits\"", "\"Numbers\""), LEASH_UNSUPPORTED,
     "pre_tokenizer.pretokenizers[0]: type \"Numbers\" is not supported; supported are ByteLevel, "
     "Split, Digits,"},
    {"pre_tokenizer_key_unknown", BPE, SWAP("individual_digits", "each_digit"), LEASH_UNSUPPORTED,
     "pre_tokenizer.pretokenizers[0] (Digits): the key each_digit is not known"},
    {"pre_tokenizer_flag_a_text", BPE,
     SWAP("\"individual_digits\": true", "\"individual_digits\": \"true\""), LEASH_FORMAT,
     "pre_tokenizer.pretokenizers[0].individual_digits: expected true or false"},
    {"pre_tokenizer_pattern_broken", BPE, SWAP("\\\\p{L}+", "[a"), LEASH_FORMAT,
     "pre_tokenizer.pretokenizers[1].pattern: the regular expression is not valid: missing "
     "terminating ] for"},
    {"pre_tokenizer_property_unknown", BPE, SWAP("\\\\p{L}+", "\\\\p{Foo}"), LEASH_FORMAT,
     "pre_tokenizer.pretokenizers[1].pattern: the regular expression is not valid: unknown "
     "property after \\P or \\p"},
    {"pre_tokenizer_behavior_unknown", BPE, SWAP("\"Isolated\"", "\"Split\""), LEASH_FORMAT,
     "pre_tokenizer.pretokenizers[1].behavior: expected Isolated, Removed, Contiguous, "
     "MergedWithPrevious or"},
    {"pre_tokenizer_pattern_missing", BPE, SWAP("\"Regex\"", "\"Regexp\""), LEASH_FORMAT,
     "pre_tokenizer.pretokenizers[1].pattern: expected {\"String\": text} or {\"Regex\": text}"},
    {"pre_tokenizer_after_bytes", BPE,
     SWAP("\"use_regex\": false}]", "\"use_regex\": false}, {\"type\": \"Whitespace\"}]"),
     LEASH_UNSUPPORTED,
     "pre_tokenizer.pretokenizers[3]: type \"Whitespace\" after ByteLevel is not supported; "
     "ByteLevel must be the"},
    {"metaspace_without_a_sign", UNI,
     SWAP("\"replacement\": \"_\",\n  \"prepend", "\"replacement\": \"\",\n  \"prepend"),
     LEASH_FORMAT, "pre_tokenizer.replacement: expected a character"},
    {"metaspace_scheme_unknown", UNI, SWAP("\"always\"", "\"sometimes\""), LEASH_FORMAT,
     "pre_tokenizer.prepend_scheme: expected never, first or always"},
    {"post_processor_unknown", BPE, SWAP("\"TemplateProcessing\"", "\"RobertaProcessing\""),
     LEASH_UNSUPPORTED,
     "post_processor: type \"RobertaProcessing\" is not supported; supported are "
     "TemplateProcessing, ByteLevel,"},
    {"post_processor_token_unknown", BPE, SWAP("{\"<|end|>\": {\"id\"", "{\"<|ende|>\": {\"id\""),
     LEASH_FORMAT, "post_processor.special_tokens: expected the ids of each token of the template"},
    {"post_processor_id_beyond_the_vocabulary", BPE, SWAP("\"ids\": [6]", "\"ids\": [60]"),
     LEASH_FORMAT, "post_processor.special_tokens: expected up to 8 ids that tokens have"},
    {"post_processor_id_a_text", BPE, SWAP("\"ids\": [6]", "\"ids\": [\"6\"]"), LEASH_FORMAT,
     "post_processor.special_tokens: expected up to 8 ids that tokens have"},
    {"post_processor_of_two_sequences", BPE,
     SWAP("{\"Sequence\": {\"id\": \"A\", \"type_id\": 0}}",
          "{\"Sequence\": {\"id\": \"A\"}}, {\"Sequence\": {\"id\": \"B\"}}"),
     LEASH_FORMAT, "post_processor.single: expected special tokens and one sequence"},
    {"post_processor_single_missing", BPE, SWAP("\"single\"", "\"simple\""), LEASH_UNSUPPORTED,
     "post_processor (TemplateProcessing): the key simple is not known"},
    {"decoder_unknown", BPE,
     SWAP("\"decoder\": {\"type\": \"ByteLevel\"}", "\"decoder\": {\"type\": \"CTC\"}"),
     LEASH_UNSUPPORTED,
     "decoder: type \"CTC\" is not supported; supported are (in this order) Replace, Metaspace, "
     "ByteLevel,"},
    {"decoder_a_list", BPE, SWAP("\"decoder\": {\"type\": \"ByteLevel\"}", "\"decoder\": []"),
     LEASH_FORMAT, "decoder must be an object with a \"type\""},
};

static const damage config_damages[] = {
    {"config_gone", CONFIG, GONE, LEASH_IO, "no such file or directory"},
    {"config_empty", CONFIG, CUT(0), LEASH_FORMAT,
     ":1:0: malformed JSON: unexpected token near end of file"},
    {"config_cut", CONFIG, CUT(40), LEASH_FORMAT,
     ":1:40: malformed JSON: premature end of input near '\"<'"},
    {"config_a_list", CONFIG, WHOLE("[]"), LEASH_FORMAT, "expected one JSON object"},
    {"eos_a_number", CONFIG, SWAP("{\"content\": \"<|end|>\", \"lstrip\": false}", "6"),
     LEASH_FORMAT, "eos_token must name a token: it is 6"},
    {"eos_unknown", CONFIG, SWAP("{\"content\": \"<|end|>\"", "{\"content\": \"<|stop|>\""),
     LEASH_FORMAT, "eos_token is \"<|stop|>\", which is not among the tokens"},
    {"eos_object_without_content", CONFIG, SWAP("\"content\"", "\"text\""), LEASH_FORMAT,
     "eos_token must name a token: it is {\"text\":\"<|end|>\",\"lstrip\":false}"},
    {"eos_missing", "unigram/tokenizer_config.json", SWAP("eos_token", "oes_token"), LEASH_FORMAT,
     "eos_token must name a token: it is missing"},
    {"bos_unknown", "unigram/tokenizer_config.json",
     SWAP("{", "{\"add_bos_token\": true, \"bos_token\": \"<s>\", "), LEASH_FORMAT,
     "bos_token is \"<s>\", which is not among the tokens"},
    {"bos_missing", "unigram/tokenizer_config.json", SWAP("{", "{\"add_bos_token\": true, "),
     LEASH_FORMAT, "bos_token must name a token: it is missing"},
    {"generation_cut", GENERATION, CUT(-3), LEASH_FORMAT,
     ":1:22: malformed JSON: ']' expected near end of file"},
    {"generation_a_list", GENERATION, WHOLE("[6]"), LEASH_FORMAT, "expected one JSON object"},
    {"generation_eos_beyond_the_vocabulary", GENERATION, SWAP("5]", "7]"), LEASH_FORMAT,
     "eos_token_id: expected ids below 7, found 7"},
    {"generation_eos_negative", GENERATION, SWAP("5]", "-1]"), LEASH_FORMAT,
     "eos_token_id: expected ids below 7, found -1"},
    {"generation_eos_a_text", GENERATION, SWAP("5]", "\"<|end|>\"]"), LEASH_FORMAT,
     "eos_token_id: expected ids below 7, found \"<|end|>\""},
    {"generation_eos_alone_a_text", GENERATION, SWAP("[6, 5]", "\"<|end|>\""), LEASH_FORMAT,
     "eos_token_id: expected ids below 7, found \"<|end|>\""},
    {"generation_eos_of_a_hundred", GENERATION, REPEAT("6, ", 100, "6, "), LEASH_FORMAT,
     "eos_token_id has 101 ids, more than 64"},
};

static const damage template_damages[] = {
    {"empty_folder", CHAT, GONE, LEASH_DATA,
     "/chat: the folder has no chat template (chat_template.jinja, or \"chat_template\" in "
     "tokenizer_config.json)"},
    {"no_utf8", CHAT, SWAP("roles", "r\xf6les"), LEASH_FORMAT,
     "the template is not UTF-8 (byte 9)"},
    {"too_large", CHAT, REPEAT("two roles", 30000, "ten bytes "), LEASH_FORMAT,
     "a template of 300214 bytes; at most 262144 are read"},
    {"comment_not_closed", CHAT, SWAP("-#}", "-#"), LEASH_FORMAT,
     ":1:1: the comment has no end (expected '#}')"},
    {"block_not_closed", CHAT, SWAP("{%- endfor %}\n", ""), LEASH_FORMAT,
     ":2:5: 'for' has no 'endfor'"},
    {"statement_not_closed", CHAT, SWAP("messages %}", "messages"), LEASH_FORMAT,
     ":2:1: the tag has no end (expected '%}')"},
    {"output_not_closed", CHAT, SWAP("['content'] }}", "['content']"), LEASH_FORMAT,
     ":3:1: the tag has no end (expected '}}')"},
    {"string_not_closed", CHAT, SWAP("'>'", "'>"), LEASH_FORMAT,
     ":4:28: the character does not belong into a tag"},
    {"bracket_not_closed", CHAT, SWAP("['content']", "['content'"), LEASH_FORMAT,
     ":3:50: another bracket is still open"},
    {"if_not_closed", CHAT, SWAP("{{ '\\n' }}{% endif %}", "{{ '\\n' }}"), LEASH_FORMAT,
     ":5:5: 'endfor' has nothing to end here"},
    {"endif_without_if", CHAT, SWAP("{%- if not loop.last %}", ""), LEASH_FORMAT,
     ":4:14: 'endif' has nothing to end here"},
    {"else_without_if", CHAT, SWAP("{%- endfor %}", "{%- endfor %}{% else %}"), LEASH_FORMAT,
     ":5:17: 'else' has nothing to end here"},
    {"break_outside_of_a_loop", CHAT, SWAP("{%- endfor %}", "{%- endfor %}{% break %}"),
     LEASH_FORMAT, ":5:17: 'break' stands outside of a loop"},
    {"statement_unknown", CHAT, SWAP("{%- for", "{%- foreach"), LEASH_FORMAT,
     ":2:5: the tag 'foreach' is not supported (if, for, set, macro, filter, break, continue, raw "
     "and generation"},
    {"include_of_a_file", CHAT, SWAP("{#- two", "{% include '/etc/passwd' %}{#- two"), LEASH_FORMAT,
     ":1:4: the tag 'include' is not supported (if, for, set, macro, filter, break, continue, raw "
     "and generation"},
    {"import_of_a_module", CHAT, SWAP("{#- two", "{% import 'os' as os %}{#- two"), LEASH_FORMAT,
     ":1:4: the tag 'import' is not supported (if, for, set, macro, filter, break, continue, raw "
     "and generation are)"},
    {"filter_unknown", CHAT, SWAP("message.role", "message.role|shout"), LEASH_FORMAT,
     ":3:24: there is no filter 'shout'"},
    {"test_unknown", CHAT, SWAP("not loop.last", "message is pretty"), LEASH_FORMAT,
     ":4:19: there is no test 'pretty'"},
    {"operator_missing", CHAT, SWAP("'<' ~ message", "'<' message"), LEASH_FORMAT,
     ":3:9: expected '}}', found 'message'"},
    {"operand_missing", CHAT, SWAP("'<' ~", "'<' ~ ~"), LEASH_FORMAT,
     ":3:11: expected an expression, found '~'"},
    {"for_without_in", CHAT, SWAP("message in messages", "message messages"), LEASH_FORMAT,
     ":2:17: expected 'in', found 'messages'"},
    {"set_without_a_value", CHAT, SWAP("{%- if not", "{% set x = %}{%- if not"), LEASH_FORMAT,
     ":4:12: expected an expression, found '%}'"},
    {"nested_too_deep", CHAT, REPEAT("message.role", 500, "("), LEASH_FORMAT,
     ":3:211: brackets nest too deeply"},
    {"function_unknown", CHAT, SWAP("message.role", "system('id')"), LEASH_DATA,
     ":3:11: 'system' is undefined"},
    {"attribute_of_python", CHAT, SWAP("message.role", "message.__class__.__mro__"), LEASH_DATA,
     ":3:28: 'dict object' has no attribute '__class__'"},
    {"key_of_nothing", CHAT, SWAP("message.role", "message.name.first"), LEASH_DATA,
     ":3:23: 'dict object' has no attribute 'name'"},
    {"loop_over_a_number", CHAT, SWAP("in messages", "in 7"), LEASH_DATA,
     ":2:20: a value of type int cannot be iterated"},
    {"text_plus_number", CHAT, SWAP("+ message['content']", "+ 7"), LEASH_DATA,
     ":3:30: '+' is not supported between str and int"},
    {"division_by_zero", CHAT, SWAP("message.role", "(1 / 0)"), LEASH_DATA,
     ":3:14: division by zero"},
    {"number_beyond_64_bits", CHAT, SWAP("message.role", "(9223372036854775807 + 1)"), LEASH_DATA,
     ":3:32: the result does not fit 64 bits"},
    {"loop_with_a_second_for", CHAT,
     SWAP("message in messages", "message in range(100000) for x in range(100000)"), LEASH_FORMAT,
     ":2:34: expected '%}', found 'for'"},
    {"loops_in_loops", CHAT,
     SWAP("{%- if not", "{% for a in range(9999) %}{% for b in range(9999) %}{{ a * b }}{% endfor "
                        "%}{% endfor %}{%- if not"),
     LEASH_DATA, ":4:34: the template does not end within 10000000 steps"},
    {"range_absurd", CHAT, SWAP("in messages", "in range(10 ** 15)"), LEASH_DATA,
     ":2:20: range: more than 100000 numbers"},
    {"text_without_an_end", CHAT, SWAP("message.role", "('x' * 2000000000)"), LEASH_DATA,
     ":3:16: the template does not end within 10000000 steps"},
    {"text_that_doubles", CHAT,
     SWAP("{%- for", "{% set n = namespace(t='xxxxxxxx') %}{% for i in range(60) %}{% set n.t = "
                     "n.t ~ n.t %}{% endfor %}{%- for"),
     LEASH_DATA, ":2:76: the template does not end within 10000000 steps"},
    {"macro_that_calls_itself", CHAT,
     SWAP("{%- for", "{% macro m(x) %}{{ m(x) }}{% endmacro %}{{ m(1) }}{%- for"), LEASH_DATA,
     ":2:20: the template nests too deeply (calls of macros or data)"},
    {"macro_with_too_many_arguments", CHAT,
     SWAP("{%- for", "{% macro m(x) %}{% endmacro %}{{ m(1, 2) }}{%- for"), LEASH_DATA,
     ":2:34: macro 'm' takes 1 arguments, not 2"},
    {"namespace_of_nothing", CHAT, SWAP("{%- if not", "{% set message.role = 'x' %}{%- if not"),
     LEASH_DATA, ":4:15: 'message' is no namespace: its attributes cannot be set"},
    {"raise_exception", CHAT, SWAP("message.role", "raise_exception('roles must alternate')"),
     LEASH_DATA, ":3:11: the template refuses the messages: roles must alternate"},
    {"json_key_no_text", NAMED, SWAP("\"{{ messages }}\"", "7"), LEASH_FORMAT,
     "chat_template[0]: expected \"name\" and \"template\" with texts"},
    {"json_name_missing", NAMED, SWAP("\"name\"", "\"nome\""), LEASH_FORMAT,
     "chat_template[0]: expected \"name\" and \"template\" with texts"},
    {"json_template_a_number", NAMED, WHOLE("{\"chat_template\": 7}"), LEASH_FORMAT,
     "chat_template: expected a text or a list of named ones"},
    {"json_template_broken", NAMED, SWAP("{{ messages }}", "{{ messages"), LEASH_FORMAT,
     ":1:1: the tag has no end (expected '}}')"},
    {"json_cut", NAMED, CUT(-4), LEASH_FORMAT, ":3: '}' expected near end of file"},
    {"json_default_missing", NAMED, SWAP("\"default\"", "\"usual\""), LEASH_USAGE,
     "there is no chat template \"default\"; there are: usual, tool_use"},
};

static void refuse(const char *name, leash_status (*read)(const char *, const char *),
                   const damage *rows, size_t n)
{
    refuse_damages(&(damage_kind){name, dir, read, rows, n});
}

static void tokenizers_that_are_no_json_are_refused(void **state)
{
    (void)state;
    refuse("tokenizer.json: text", read_tokenizer, text_damages, LS_COUNT(text_damages));
}

static void vocabularies_and_merges_that_lie_are_refused(void **state)
{
    (void)state;
    refuse("tokenizer.json: model", read_tokenizer, model_damages, LS_COUNT(model_damages));
}

static void sections_that_are_wrong_or_unknown_are_refused(void **state)
{
    (void)state;
    refuse("tokenizer.json: sections", read_tokenizer, section_damages, LS_COUNT(section_damages));
}

static void configs_that_name_no_token_are_refused(void **state)
{
    (void)state;
    refuse("tokenizer_config.json", read_tokenizer, config_damages, LS_COUNT(config_damages));
}

static void templates_that_are_broken_or_endless_are_refused(void **state)
{
    (void)state;
    refuse("chat templates", read_template, template_damages, LS_COUNT(template_damages));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tokenizers_that_are_no_json_are_refused),
        cmocka_unit_test(vocabularies_and_merges_that_lie_are_refused),
        cmocka_unit_test(sections_that_are_wrong_or_unknown_are_refused),
        cmocka_unit_test(configs_that_name_no_token_are_refused),
        cmocka_unit_test(templates_that_are_broken_or_endless_are_refused),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
