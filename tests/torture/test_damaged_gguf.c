/* Damaged GGUF files: layout, metadata, tensors, the parts of a split file and tokenizers.  Each is
 * refused with file, key or tensor, what was expected and what is there. */
#include "damage.h"
#include "damage_model.h"
#include "formats/gguf_save.h"
#include "model_fixture.h"
#include "text/tokenizer_gguf.h"

static char dir[] = "/tmp/leash_test_damage.XXXXXX";
static model_fixture f;

/* --- good files --- */

#define N_TOKENS 5
static const ls_gguf_text bpe_tokens[N_TOKENS] = {
    {"a", 1}, {"b", 1}, {"ab", 2}, {"c", 1}, {"<|end|>", 7}};
static const ls_gguf_text spm_tokens[N_TOKENS] = {{"<unk>", 5},
                                                  {"<s>", 3},
                                                  {"</s>", 4},
                                                  {"a", 1},
                                                  {"\xe2\x96\x81"
                                                   "a",
                                                   4}};

static void put_tokenizer(ls_gguf_keys *keys, const char *model)
{
    static const int32_t bpe_types[N_TOKENS] = {1, 1, 1, 1, 3};
    static const int32_t spm_types[N_TOKENS] = {2, 3, 3, 1, 1};
    static const float scores[N_TOKENS] = {0, 0, 0, -1, -2};
    static const ls_gguf_text merges[] = {{"a b", 3}};
    bool is_bpe = strcmp(model, "gpt2") == 0;
    ls_gguf_put_text(keys, "tokenizer.ggml.model", model);
    ls_gguf_put_texts(keys, "tokenizer.ggml.tokens", is_bpe ? bpe_tokens : spm_tokens, N_TOKENS);
    ls_gguf_put_i32s(keys, "tokenizer.ggml.token_type", is_bpe ? bpe_types : spm_types, N_TOKENS);
    ls_gguf_put_u32(keys, "tokenizer.ggml.eos_token_id", is_bpe ? 4 : 2);
    ls_gguf_put_bool(keys, "tokenizer.ggml.add_bos_token", false);
    if (is_bpe) {
        ls_gguf_put_text(keys, "tokenizer.ggml.pre", "gpt-2");
        ls_gguf_put_texts(keys, "tokenizer.ggml.merges", merges, 1);
    } else {
        ls_gguf_put_f32s(keys, "tokenizer.ggml.scores", scores, N_TOKENS);
    }
}

static void make_model(const char *file, const char *tokenizer, const char *type)
{
    char path[LS_PATH_MAX];
    ls_gguf_keys keys;
    ls_gguf_keys_init(&keys);
    put_tokenizer(&keys, tokenizer);
    assert_ok(ls_gguf_save(f.model, ls_path_join(path, dir, file), ls_quant_find(type), &keys));
    ls_gguf_keys_release(&keys);
}

static const void *ones(void *user, int64_t i)
{
    static const float values[32] = {1};
    (void)user;
    (void)i;
    return values;
}

static void make_part(uint32_t no)
{
    char path[LS_PATH_MAX], file[64];
    ls_gguf_out tensor = {.type = ls_quant_find("F32"), .shape = {2, 16}, .rank = 2};
    ls_gguf_keys keys;
    ls_gguf_keys_init(&keys);
    ls_gguf_put_u32(&keys, "split.no", no);
    ls_gguf_put_u32(&keys, "split.count", 2);
    ls_gguf_put_u32(&keys, "split.tensors.count", 2);
    snprintf(tensor.name, sizeof tensor.name, "tensor.%u", no);
    snprintf(file, sizeof file, "split-%05u-of-00002.gguf", no + 1);
    assert_ok(ls_gguf_write(ls_path_join(path, dir, file), &keys, &tensor, 1, ones, NULL));
    ls_gguf_keys_release(&keys);
}

static int make_files(void **state)
{
    (void)state;
    ls_model_config config;
    assert_non_null(mkdtemp(dir));
    assert_ok(ls_model_config_builtin(&config, "tiny"));
    config.vocab_size = N_TOKENS;
    config.hidden_size = 32;
    config.intermediate_size = 64;
    config.num_hidden_layers = 1;
    config.num_attention_heads = 4;
    config.num_key_value_heads = 2;
    config.head_dim = 8;
    config.max_position_embeddings = 16;
    fixture_open(&f, &config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    make_model("bpe.gguf", "gpt2", "F32");
    make_model("spm.gguf", "llama", "Q8_0");
    make_part(0);
    make_part(1);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    fixture_close(&f);
    return ls_dir_remove(dir) != LEASH_OK;
}

/* --- reading --- */

static leash_status read_model(const char *folder, const char *file)
{
    char path[LS_PATH_MAX];
    ls_model_files files;
    ls_tokenizer *tokenizer = NULL;
    LS_TRY(ls_model_files_open(&files, ls_path_join(path, folder, file)));
    leash_status status = damage_load_model(&files, &f.dev);
    if (status == LEASH_OK)
        status = ls_tokenizer_load_gguf(&tokenizer, &files.gguf);
    ls_tokenizer_free(tokenizer);
    ls_model_files_close(&files);
    return status;
}

static leash_status read_split(const char *folder, const char *file)
{
    char path[LS_PATH_MAX];
    ls_gguf gguf;
    (void)file;
    LS_TRY(ls_gguf_open(&gguf, ls_path_join(path, folder, "split-00001-of-00002.gguf")));
    ls_gguf_close(&gguf);
    return LEASH_OK;
}

/* --- damages --- */

#define BPE "bpe.gguf"
#define SPM "spm.gguf"
#define ONE "split-00001-of-00002.gguf"
#define TWO "split-00002-of-00002.gguf"
/* What follows a key: its type and a value of 4 bytes. */
#define U32 "\4\0\0\0"
#define I32 "\5\0\0\0"
#define F32 "\6\0\0\0"
#define TEXT "\x8\0\0\0"
#define MINUS_1 "\xff\xff\xff\xff"
#define HUGE64 "\xff\xff\xff\xff\xff\xff\xff\x7f"

static const damage layout_damages[] = {
    {"empty_file", BPE, CUT(0), LEASH_FORMAT,
     "ends at byte 0 inside of the magic \"GGUF\"; the file is cut short or damaged"},
    {"magic_cut", BPE, CUT(3), LEASH_FORMAT,
     "ends at byte 3 inside of the magic \"GGUF\"; the file is cut short or damaged"},
    {"magic_of_another_format", BPE, POKE_AT(0, "GGML"), LEASH_FORMAT,
     "is no GGUF file (it begins with 47 47 4d 4c)"},
    {"magic_of_zip", BPE, POKE_AT(0, "PK\3\4"), LEASH_FORMAT,
     "is no GGUF file (it begins with 50 4b 03 04)"},
    {"version_cut", BPE, CUT(6), LEASH_FORMAT,
     "ends at byte 6 inside of the version; the file is cut short or damaged"},
    {"version_1", BPE, POKE_AT(4, "\1"), LEASH_UNSUPPORTED,
     "GGUF version 1; versions 2 and 3 are read"},
    {"version_4", BPE, POKE_AT(4, "\4"), LEASH_UNSUPPORTED,
     "GGUF version 4; versions 2 and 3 are read"},
    {"big_endian", BPE, POKE_AT(4, "\0\0\0\3"), LEASH_UNSUPPORTED,
     "was written for a big-endian machine; convert it to little-endian"},
    {"tensor_count_huge", BPE, POKE_AT(8, HUGE64), LEASH_FORMAT,
     "the number of tensors is 9223372036854775807, in a file of 39616 bytes (at most 65536)"},
    {"tensor_count_negative", BPE, POKE_AT(8, MINUS_1 MINUS_1), LEASH_FORMAT,
     "the number of tensors is -1, in a file of 39616 bytes (at most 65536)"},
    {"tensor_count_one_too_many", BPE, POKE_AT(8, "\x0c"), LEASH_FORMAT,
     "byte 1705: a tensor's name is empty, over 63 bytes or no text: ''"},
    {"tensor_count_one_too_few", BPE, POKE_AT(8, "\x0a"), LEASH_FORMAT,
     "tensor 'token_embd.weight' is missing or no matrix"},
    {"key_count_huge", BPE, POKE_AT(16, HUGE64), LEASH_FORMAT,
     "the number of keys is 9223372036854775807, in a file of 39616 bytes (at most 65536)"},
    {"key_count_too_many", BPE, POKE_AT(16, "\x7f"), LEASH_FORMAT,
     "byte 1102: a key of 4503599627370496 bytes, but only 38514 are left; the file is cut short "
     "or damaged"},
    {"key_count_too_few", BPE, POKE_AT(16, "\x3"), LEASH_FORMAT,
     "tensor 'general.quantization_version' has the unknown type 4"},
    {"key_length_huge", BPE, POKE_AT(24, HUGE64), LEASH_FORMAT,
     "byte 32: a key of 9223372036854775807 bytes, but only 39584 are left; the file is cut short "
     "or damaged"},
    {"key_length_zero", BPE, POKE_AT(24, "\0"), LEASH_FORMAT,
     "byte 32: a key is empty, over 65535 bytes or no text: ''"},
    {"key_with_a_nul", BPE, SWAP("general.type", "general\0type"), LEASH_FORMAT,
     "byte 77: a key is empty, over 65535 bytes or no text: 'general'"},
    {"key_no_utf8", BPE, SWAP("general.type", "general\xfftype"), LEASH_FORMAT,
     "byte 77: a key is empty, over 65535 bytes or no text: 'general"},
    {"key_twice", BPE,
     SWAP("\x1c\0\0\0\0\0\0\0llama.attention.value_length",
          "\x1a\0\0\0\0\0\0\0llama.attention.key_length"),
     LEASH_FORMAT, "key 'llama.attention.key_length' stands there twice"},
    {"value_type_unknown", BPE, POKE("llama.block_count", 0, "\x0d"), LEASH_FORMAT,
     "key 'llama.block_count' has the unknown type 13"},
    {"value_type_negative", BPE, POKE("llama.block_count", 0, MINUS_1), LEASH_FORMAT,
     "key 'llama.block_count' has the unknown type -1"},
    {"text_length_huge", BPE, POKE("general.architecture", 4, HUGE64), LEASH_FORMAT,
     "byte 64: a string of 9223372036854775807 bytes, but only 39552 are left; the file is cut "
     "short or damaged"},
    {"text_longer_than_it_is", BPE, POKE("general.architecture", 4, "\x20"), LEASH_FORMAT,
     "byte 104: a key of 7237122972975104000 bytes, but only 39512 are left; the file is cut "
     "short or damaged"},
    {"list_length_huge", BPE, POKE("tokenizer.ggml.tokens", 8, HUGE64), LEASH_FORMAT,
     "key 'tokenizer.ggml.tokens': a list of 9223372036854775807 values, but 38859 bytes are "
     "left (at most 4194304"},
    {"list_length_one_too_many", BPE, POKE("tokenizer.ggml.tokens", 8, "\6"), LEASH_FORMAT,
     "byte 850: a key of 21474836489 bytes, but only 38766 are left; the file is cut short or "
     "damaged"},
    {"list_of_lists", BPE, POKE("tokenizer.ggml.tokens", 4, "\x9"), LEASH_FORMAT,
     "key 'tokenizer.ggml.tokens' is a list of lists"},
    {"list_of_an_unknown_type", BPE, POKE("tokenizer.ggml.tokens", 4, "\x1f"), LEASH_FORMAT,
     "key 'tokenizer.ggml.tokens' has the unknown type 31"},
    {"boolean_of_two", BPE, POKE("tokenizer.ggml.add_bos_token", 4, "\2"), LEASH_FORMAT,
     "key 'tokenizer.ggml.add_bos_token': 2 is neither true nor false"},
    {"cut_in_the_keys", BPE, CUT(200), LEASH_FORMAT,
     "the number of tensors is 11, in a file of 200 bytes (at most 65536)"},
    {"cut_in_the_tensors", BPE, CUT(1400), LEASH_FORMAT,
     "ends at byte 1400 inside of a tensor's sizes; the file is cut short or damaged"},
    {"cut_in_the_data", BPE, CUT(-1), LEASH_FORMAT,
     "tensor 'token_embd.weight' needs 640 bytes from 38976 on, but the file ends at 39615; it "
     "is cut short"},
    {"cut_before_the_data", BPE, CUT(4096), LEASH_FORMAT,
     "tensor 'blk.0.attn_output.weight' needs 4096 bytes from 3904 on, but the file ends at "
     "4096; it is cut short"},
};

static const damage tensor_damages[] = {
    {"name_empty", BPE, SWAP("\x11\0\0\0\0\0\0\0token_embd.weight", "\0\0\0\0\0\0\0\0"),
     LEASH_FORMAT, "byte 1648: a tensor's name is empty, over 63 bytes or no text: ''"},
    {"name_too_long", BPE, POKE("\x11\0\0\0\0\0\0\0token_embd", -18, "\x70"), LEASH_FORMAT,
     "byte 1648: a tensor's name is empty, over 63 bytes or no text: 'token_embd.weight?'"},
    {"name_with_a_nul", BPE, SWAP("token_embd.weight", "token_embd\0weight"), LEASH_FORMAT,
     "byte 1648: a tensor's name is empty, over 63 bytes or no text: 'token_embd'"},
    {"name_twice", BPE, SWAP("blk.0.attn_k.weight", "blk.0.attn_v.weight"), LEASH_FORMAT,
     "tensor 'blk.0.attn_v.weight' stands there twice"},
    {"rank_of_five", BPE, POKE("token_embd.weight", 0, "\5"), LEASH_FORMAT,
     "tensor 'token_embd.weight' has 5 dimensions, at most 4 are possible"},
    {"rank_huge", BPE, POKE("token_embd.weight", 0, MINUS_1), LEASH_FORMAT,
     "tensor 'token_embd.weight' has 4294967295 dimensions, at most 4 are possible"},
    {"rank_of_one", BPE, POKE("token_embd.weight", 0, "\1"), LEASH_FORMAT,
     "tensor 'token_embd.weight' has the unknown type 5"},
    {"size_negative", BPE, POKE("token_embd.weight", 4, MINUS_1 MINUS_1), LEASH_FORMAT,
     "tensor 'token_embd.weight': size 0 is -1"},
    {"size_huge", BPE, POKE("token_embd.weight", 4, HUGE64), LEASH_FORMAT,
     "tensor 'token_embd.weight': the product of its sizes overflows"},
    {"size_zero", BPE, POKE("token_embd.weight", 4, "\0"), LEASH_FORMAT,
     " does not fit the model of its metadata; of another shape token_embd.weight [5,0] instead of "
     "[5,32]"},
    {"size_larger", BPE, POKE("token_embd.weight", 12, "\6"), LEASH_FORMAT,
     "tensor 'token_embd.weight' needs 768 bytes from 38976 on, but the file ends at 39616; it is "
     "cut short"},
    {"sizes_turned", BPE, POKE("token_embd.weight", 4, "\5\0\0\0\0\0\0\0\x20"), LEASH_FORMAT,
     " does not fit the model of its metadata; of another shape token_embd.weight [32,5] instead "
     "of [32,32]"},
    {"type_unknown", BPE, POKE("token_embd.weight", 20, "\x63"), LEASH_FORMAT,
     "tensor 'token_embd.weight' has the unknown type 99"},
    {"type_removed", BPE, POKE("token_embd.weight", 20, "\x04"), LEASH_FORMAT,
     "tensor 'token_embd.weight' has the unknown type 4"},
    {"type_negative", BPE, POKE("token_embd.weight", 20, MINUS_1), LEASH_FORMAT,
     "tensor 'token_embd.weight' has the unknown type -1"},
    {"type_smaller", BPE, POKE("output_norm.weight", 12, "\1"), LEASH_FORMAT,
     "tensor 'token_embd.weight' has offset 37248, expected 37184"},
    {"type_that_cannot_be_computed", BPE, POKE("output_norm.weight", 12, "\x1a"), LEASH_UNSUPPORTED,
     "tensor 'output_norm.weight' is stored as I32, which is not read; expected F32, F16, BF16 or, "
     "in a GGUF file,"},
    {"type_with_larger_blocks_than_rows", BPE, POKE("token_embd.weight", 20, "\x0c"), LEASH_FORMAT,
     "tensor 'token_embd.weight': rows of 32 are no whole blocks of Q4_K (256)"},
    {"offset_huge", BPE, POKE("token_embd.weight", 24, HUGE64), LEASH_FORMAT,
     "tensor 'token_embd.weight' has offset 9223372036854775807, expected 37248"},
    {"offset_beyond_the_file", BPE, POKE("token_embd.weight", 26, "\x7f"), LEASH_FORMAT,
     "tensor 'token_embd.weight' has offset 8360320, expected 37248"},
    {"offset_not_aligned", BPE, POKE("token_embd.weight", 24, "\1"), LEASH_FORMAT,
     "tensor 'token_embd.weight' has offset 37121, expected 37248"},
    {"offset_of_the_first", BPE, POKE("output_norm.weight", 16, "\0\0\0\0\0\0\0\0"), LEASH_FORMAT,
     "tensor 'output_norm.weight' has offset 0, expected 37120"},
    {"tensor_missing", BPE, SWAP("blk.0.attn_q.weight", "blk.0.attn_z.weight"), LEASH_FORMAT,
     " does not fit the model of its metadata; missing model.layers.0.self_attn.q_proj.weight; "
     "unexpected"},
    {"tensor_of_a_layer_too_many", BPE, SWAP("blk.0.attn_q.weight", "blk.1.attn_q.weight"),
     LEASH_FORMAT,
     " does not fit the model of its metadata; missing model.layers.0.self_attn.q_proj.weight; "
     "unexpected"},
    {"embedding_missing", BPE, SWAP("token_embd.weight", "token_embt.weight"), LEASH_FORMAT,
     "tensor 'token_embd.weight' is missing or no matrix"},
    {"quantised_vector_type_unknown", SPM, POKE("blk.0.attn_q.weight", 20, "\x7f"), LEASH_FORMAT,
     "tensor 'blk.0.attn_q.weight' has the unknown type 127"},
};

static const damage key_damages[] = {
    {"architecture_missing", BPE, SWAP("general.architecture", "general.architecturo"),
     LEASH_UNSUPPORTED,
     "general.architecture is ''; known: llama, smollm3, granite, qwen2, qwen3, qwen3moe, gemma, "
     "gemma2, gemma3,"},
    {"architecture_unknown", BPE, POKE("general.architecture", 12, "bloom"), LEASH_UNSUPPORTED,
     "general.architecture is 'bloom'; known: llama, smollm3, granite, qwen2, qwen3, qwen3moe, "
     "gemma, gemma2,"},
    {"architecture_a_number", BPE,
     SWAP("general.architecture" TEXT, "general.architecture\x0a\0\0\0"), LEASH_FORMAT,
     "byte 72: a key of 13612586462316 bytes, but only 39544 are left; the file is cut short or "
     "damaged"},
    {"type_of_an_adapter", BPE, POKE("general.type", 12, "adapt"), LEASH_UNSUPPORTED,
     "general.type is 'adapt', expected a 'model'"},
    {"width_missing", BPE, SWAP("llama.embedding_length", "llama.embedding_lenght"), LEASH_FORMAT,
     "key 'llama.embedding_length' is missing"},
    {"layers_missing", BPE, SWAP("llama.block_count", "llama.block_coumt"), LEASH_FORMAT,
     "key 'llama.block_count' is missing"},
    {"heads_missing", BPE, SWAP("llama.attention.head_count\4", "llama.attention.head_coumt\4"),
     LEASH_FORMAT, "key 'llama.attention.head_count' is missing"},
    {"layers_a_float", BPE, POKE("llama.block_count", 0, "\6"), LEASH_FORMAT,
     "key 'llama.block_count' is f32, expected an integer"},
    {"layers_zero", BPE, POKE("llama.block_count", 4, "\0"), LEASH_FORMAT,
     "0 layers of 4 heads and width 32; expected 1 to 512 layers"},
    {"layers_one_too_many", BPE, POKE("llama.block_count", 4, "\2"), LEASH_FORMAT,
     " does not fit the model of its metadata; missing model.layers.1.input_layernorm.weight,"},
    {"layers_absurd", BPE, POKE("llama.block_count", 4, MINUS_1), LEASH_FORMAT,
     "4294967295 layers of 4 heads and width 32; expected 1 to 512 layers"},
    {"layers_negative", BPE, POKE("llama.block_count", 0, I32 MINUS_1), LEASH_FORMAT,
     "-1 layers of 4 heads and width 32; expected 1 to 512 layers"},
    {"width_larger", BPE, POKE("llama.embedding_length", 4, "\x40"), LEASH_FORMAT,
     " does not fit the model of its metadata; of another shape token_embd.weight [5,32] instead "
     "of [5,64],"},
    {"width_absurd", BPE, POKE("llama.embedding_length", 4, MINUS_1), LEASH_FORMAT,
     "model: hidden_size is 4294967295, expected 1 to 1048576"},
    {"width_zero", BPE, POKE("llama.embedding_length", 4, "\0"), LEASH_FORMAT,
     "1 layers of 4 heads and width 0; expected 1 to 512 layers"},
    {"heads_zero", BPE, POKE("llama.attention.head_count", 4, "\0"), LEASH_FORMAT,
     "1 layers of 0 heads and width 32; expected 1 to 512 layers"},
    {"kv_heads_no_divisor", BPE, POKE("llama.attention.head_count_kv", 4, "\3"), LEASH_FORMAT,
     "model: num_attention_heads 4 is no multiple of num_key_value_heads 3"},
    {"kv_heads_more", BPE, POKE("llama.attention.head_count_kv", 4, "\4"), LEASH_FORMAT,
     " does not fit the model of its metadata; of another shape blk.0.attn_k.weight [16,32] "
     "instead of [32,32],"},
    {"head_size_of_values_differs", BPE, POKE("llama.attention.value_length", 4, "\7"),
     LEASH_UNSUPPORTED, "key 'llama.attention.value_length' is 7, but keys have 8"},
    {"head_size_absurd", BPE, POKE("llama.attention.key_length", 6, "\1"), LEASH_UNSUPPORTED,
     "key 'llama.attention.value_length' is 8, but keys have 65544"},
    {"ffn_smaller", BPE, POKE("llama.feed_forward_length", 4, "\x20"), LEASH_FORMAT,
     " does not fit the model of its metadata; of another shape blk.0.ffn_gate.weight [64,32] "
     "instead of [32,32],"},
    {"ffn_missing", BPE, SWAP("llama.feed_forward_length", "llama.feed_forward_lenght"),
     LEASH_FORMAT, "model: intermediate_size is 0, expected 1 to 4194304"},
    {"context_absurd", BPE, POKE("llama.context_length", 4, MINUS_1), LEASH_FORMAT,
     "model: max_position_embeddings is 4294967295, expected 1 to 16777216"},
    {"eps_negative", BPE, POKE("llama.attention.layer_norm_rms_epsilon", 4, "\0\0\x80\xbf"),
     LEASH_FORMAT, "model: rms_norm_eps is -1, expected 0 or more"},
    {"eps_nan", BPE, POKE("llama.attention.layer_norm_rms_epsilon", 4, "\0\0\xc0\x7f"),
     LEASH_FORMAT, "key 'llama.attention.layer_norm_rms_epsilon' is nan"},
    {"eps_infinite", BPE, POKE("llama.attention.layer_norm_rms_epsilon", 4, "\0\0\x80\x7f"),
     LEASH_FORMAT, "key 'llama.attention.layer_norm_rms_epsilon' is inf"},
    {"eps_an_integer", BPE, POKE("llama.attention.layer_norm_rms_epsilon", 0, "\4"), LEASH_FORMAT,
     "key 'llama.attention.layer_norm_rms_epsilon' is u32, expected a float"},
    {"rope_base_zero", BPE, POKE("llama.rope.freq_base", 4, "\0\0\0\0"), LEASH_FORMAT,
     "model: rope_theta is 0, expected a number above 1"},
    {"rope_base_nan", BPE, POKE("llama.rope.freq_base", 4, "\0\0\xc0\x7f"), LEASH_FORMAT,
     "key 'llama.rope.freq_base' is nan"},
    {"rope_part_larger_than_a_head", BPE, POKE("llama.rope.dimension_count", 4, "\x40"),
     LEASH_FORMAT, "model: partial_rotary_factor is 8, expected 0 to 1"},
    {"rope_part_odd", BPE, POKE("llama.rope.dimension_count", 4, "\x7"), LEASH_FORMAT,
     "model: rotary positions need an even part of a head; head_dim 8 and partial_rotary_factor "
     "0.875 give 7"},
};

static const damage tokenizer_damages[] = {
    {"model_missing", BPE, SWAP("tokenizer.ggml.model", "tokenizer.ggml.modle"), LEASH_UNSUPPORTED,
     "tokenizer.ggml.model is \"\"; supported are gpt2 and llama"},
    {"model_unknown", BPE, POKE("tokenizer.ggml.model", 12, "bert"), LEASH_UNSUPPORTED,
     "tokenizer.ggml.model is \"bert\"; supported are gpt2 and llama"},
    {"pre_unknown", BPE, POKE("tokenizer.ggml.pre", 12, "zzz-9"), LEASH_UNSUPPORTED,
     "tokenizer.ggml.pre is \"zzz-9\", a pre-tokenizer that is not known here; take the model's "
     "Hugging Face folder"},
    {"tokens_missing", BPE, SWAP("tokenizer.ggml.tokens", "tokenizer.ggml.tokans"), LEASH_FORMAT,
     "tokenizer.ggml.tokens: expected a list of texts"},
    {"token_twice", BPE, SWAP("\1\0\0\0\0\0\0\0c", "\1\0\0\0\0\0\0\0b"), LEASH_FORMAT,
     "tokenizer.ggml.tokens[3] \"b\" stands twice"},
    {"token_no_utf8", BPE, SWAP("\1\0\0\0\0\0\0\0c", "\1\0\0\0\0\0\0\0\xff"), LEASH_FORMAT,
     "tokenizer.ggml.tokens[3] is no UTF-8"},
    {"types_one_too_few", BPE,
     SWAP("tokenizer.ggml.token_type\x9\0\0\0\5\0\0\0\5\0\0\0\0\0\0\0\1\0\0\0",
          "tokenizer.ggml.token_type\x9\0\0\0\5\0\0\0\4\0\0\0\0\0\0\0"),
     LEASH_FORMAT, "tokenizer.ggml.token_type has 4 values for 5 tokens"},
    {"types_of_floats", BPE, POKE("tokenizer.ggml.token_type", 4, "\6"), LEASH_FORMAT,
     "key 'tokenizer.ggml.token_type' is a list of f32, expected a list of integers"},
    {"merge_of_an_unknown_token", BPE, SWAP("a b", "a z"), LEASH_FORMAT,
     "tokenizer.ggml.merges[0] is \"a z\"; expected two tokens that make one"},
    {"merge_without_a_space", BPE, SWAP("a b", "a_b"), LEASH_FORMAT,
     "tokenizer.ggml.merges[0] is \"a_b\"; expected two tokens that make one"},
    {"merge_to_no_token", BPE, SWAP("a b", "b a"), LEASH_FORMAT,
     "tokenizer.ggml.merges[0] is \"b a\"; expected two tokens that make one"},
    {"merges_of_integers", BPE, POKE("tokenizer.ggml.merges", 4, "\4"), LEASH_FORMAT,
     "byte 1062: a tensor's name of 1396714435422191616 bytes, but only 38554 are left; the file "
     "is cut short or"},
    {"eos_beyond_the_tokens", BPE, POKE("tokenizer.ggml.eos_token_id", 4, "\x9"), LEASH_FORMAT,
     "tokenizer.ggml.eos_token_id names no token; expected an id below 5"},
    {"eos_a_float", BPE, POKE("tokenizer.ggml.eos_token_id", 0, "\6"), LEASH_FORMAT,
     "key 'tokenizer.ggml.eos_token_id' is f32, expected an integer"},
    {"eos_missing", BPE, SWAP("tokenizer.ggml.eos_token_id", "tokenizer.ggml.eos_token_ix"),
     LEASH_FORMAT, "tokenizer.ggml.eos_token_id names no token; expected an id below 5"},
    {"spm_scores_missing", SPM, SWAP("tokenizer.ggml.scores", "tokenizer.ggml.scoren"),
     LEASH_FORMAT, "tokenizer.ggml.scores has 0 values for 5 tokens"},
    {"spm_scores_one_too_few", SPM,
     SWAP("tokenizer.ggml.scores\x9\0\0\0\6\0\0\0\5\0\0\0\0\0\0\0\0\0\0\0",
          "tokenizer.ggml.scores\x9\0\0\0\6\0\0\0\4\0\0\0\0\0\0\0"),
     LEASH_FORMAT, "tokenizer.ggml.scores has 4 values for 5 tokens"},
    {"spm_eos_beyond_the_tokens", SPM, POKE("tokenizer.ggml.eos_token_id", 4, "\x9"), LEASH_FORMAT,
     "tokenizer.ggml.eos_token_id names no token; expected an id below 5"},
};

static const damage split_damages[] = {
    {"second_part_gone", TWO, GONE, LEASH_IO, "no such file or directory"},
    {"second_part_cut", TWO, CUT(-40), LEASH_FORMAT,
     "tensor 'tensor.1' needs 128 bytes from 160 on, but the file ends at 248; it is cut short"},
    {"second_part_is_the_first", TWO, POKE("split.no", 4, "\0"), LEASH_FORMAT,
     "says that it is part 1 of 2, expected 2 of 2"},
    {"second_part_of_three", TWO, POKE("split.count", 4, "\3"), LEASH_FORMAT,
     "says that it is part 2 of 3, expected 2 of 2"},
    {"second_part_has_the_tensor_of_the_first", TWO, SWAP("tensor.1", "tensor.0"), LEASH_FORMAT,
     "/split-00001-of-00002.gguf: tensor 'tensor.0' stands there twice"},
    {"first_part_says_nothing_of_a_split", ONE, SWAP("split.count", "splat.count"), LEASH_FORMAT,
     "says that it is part 1 of 1, expected 1 of 2"},
    {"tensors_counted_wrong", ONE, POKE("split.tensors.count", 4, "\3"), LEASH_FORMAT,
     "key 'split.tensors.count' is 3, but the parts have 2"},
};

static void refuse(const char *name, const damage *rows, size_t n)
{
    refuse_damages(&(damage_kind){name, dir, read_model, rows, n});
}

static void layouts_that_are_broken_are_refused(void **state)
{
    (void)state;
    refuse("GGUF: layout", layout_damages, LS_COUNT(layout_damages));
}

static void tensors_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    refuse("GGUF: tensors", tensor_damages, LS_COUNT(tensor_damages));
}

static void keys_that_make_no_sense_are_refused(void **state)
{
    (void)state;
    refuse("GGUF: keys", key_damages, LS_COUNT(key_damages));
}

static void tokenizers_that_are_broken_are_refused(void **state)
{
    (void)state;
    refuse("GGUF: tokenizers", tokenizer_damages, LS_COUNT(tokenizer_damages));
}

static void parts_that_do_not_belong_together_are_refused(void **state)
{
    (void)state;
    refuse_damages(&(damage_kind){"GGUF: split files", dir, read_split, split_damages,
                                  LS_COUNT(split_damages)});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(layouts_that_are_broken_are_refused),
        cmocka_unit_test(tensors_that_do_not_fit_are_refused),
        cmocka_unit_test(keys_that_make_no_sense_are_refused),
        cmocka_unit_test(tokenizers_that_are_broken_are_refused),
        cmocka_unit_test(parts_that_do_not_belong_together_are_refused),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
