/* Damaged weights: safetensors files by themselves, in a model folder, and the parts of an index.
 * Each damage is refused with file, tensor, what was expected and what is there. */
#include "damage.h"
#include "damage_model.h"
#include "formats/hf_folder.h"
#include "model_fixture.h"

static char dir[] = "/tmp/leash_test_damage.XXXXXX";
static char folders[3][LS_PATH_MAX];
static const char *const names[] = {"plain", "model", "parts"};
static model_fixture f;

/* --- good files --- */

static const float values[] = {1, 2, 3, 4, 5, 6};
static const ls_st_source three[] = {
    {"a", values, {2, 3}, 2},
    {"b", values, {4}, 1},
    {"c", values, {1, 2}, 2},
};

static void make_model(const char *folder)
{
    ls_model_config config;
    assert_ok(ls_model_config_builtin(&config, "tiny"));
    config.vocab_size = 31;
    config.hidden_size = 24;
    config.intermediate_size = 40;
    config.num_hidden_layers = 2;
    config.num_attention_heads = config.num_key_value_heads = 3;
    config.head_dim = 8;
    config.max_position_embeddings = 16;
    fixture_open(&f, &config, &ls_kernels_ref, 1, LS_MODEL_FROZEN, 0);
    assert_ok(ls_hf_save(f.model, folder));
}

static void make_parts(const char *folder)
{
    char path[LS_PATH_MAX];
    assert_ok(ls_st_write(ls_path_join(path, folder, "one.safetensors"), three, 2));
    assert_ok(ls_st_write(ls_path_join(path, folder, "two.safetensors"), three + 2, 1));
    damage_write_text(folder, "model.safetensors.index.json",
                      "{\"metadata\": {\"total_size\": 48},\n"
                      " \"weight_map\": {\"a\": \"one.safetensors\", \"b\": \"one.safetensors\",\n"
                      "  \"c\": \"two.safetensors\"}}\n");
}

static int make_files(void **state)
{
    (void)state;
    char path[LS_PATH_MAX];
    assert_non_null(mkdtemp(dir));
    for (int i = 0; i < 3; i++)
        assert_ok(ls_dir_make(ls_path_join(folders[i], dir, names[i])));
    assert_ok(ls_st_write(ls_path_join(path, folders[0], "three.safetensors"), three, 3));
    make_model(folders[1]);
    make_parts(folders[2]);
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    fixture_close(&f);
    return ls_dir_remove(dir) != LEASH_OK;
}

/* --- the file format --- */

static leash_status read_file(const char *folder, const char *name)
{
    char path[LS_PATH_MAX];
    ls_st_file file;
    LS_TRY(ls_st_open(&file, ls_path_join(path, folder, name)));
    ls_st_close(&file);
    return LEASH_OK;
}

#define FILE "three.safetensors"
static const damage file_damages[] = {
    {"empty_file", FILE, CUT(0), LEASH_FORMAT, "0 bytes are no safetensors file"},
    {"shorter_than_its_length_word", FILE, CUT(7), LEASH_FORMAT, "7 bytes are no safetensors file"},
    {"only_a_length_word", FILE, CUT(8), LEASH_FORMAT,
     "header of 200 bytes in a file of 8 (at most 100000000); the file is cut short or no "
     "safetensors file"},
    {"cut_in_the_header", FILE, CUT(60), LEASH_FORMAT,
     "header of 200 bytes in a file of 60 (at most 100000000); the file is cut short or no "
     "safetensors file"},
    {"cut_in_the_data", FILE, CUT(-1), LEASH_FORMAT,
     "tensor 'c' lies at bytes 40 to 48 of 47 bytes of data; the file may be cut short"},
    {"all_data_gone", FILE, CUT(-48), LEASH_FORMAT,
     "tensor 'a' lies at bytes 0 to 24 of 0 bytes of data; the file may be cut short"},
    {"a_byte_too_many", FILE, ADD("x"), LEASH_FORMAT,
     "49 bytes of data, but the tensors end at 48"},
    {"header_length_zero", FILE, POKE_AT(0, "\0\0"), LEASH_FORMAT,
     "header is no valid JSON: '[' or '{' expected near end of file at byte 0"},
    {"header_length_huge", FILE, POKE_AT(7, "\x7f"), LEASH_FORMAT,
     "header of 9151314442816848072 bytes in a file of 256 (at most 100000000); the file is cut "
     "short or no"},
    {"header_length_all_ones", FILE, POKE_AT(0, "\xff\xff\xff\xff\xff\xff\xff\xff"), LEASH_FORMAT,
     "header of 18446744073709551615 bytes in a file of 256 (at most 100000000); the file is cut "
     "short or no"},
    {"header_length_over_the_limit", FILE, POKE_AT(0, "\0\0\0\x10"), LEASH_FORMAT,
     "header of 268435456 bytes in a file of 256 (at most 100000000); the file is cut short or no "
     "safetensors file"},
    {"header_is_a_pickle", FILE, WHOLE("\x80\x02}q\x00X\x05\x00\x00\x00hello"), LEASH_FORMAT,
     "header of 1504133810815616 bytes in a file of 15 (at most 100000000); the file is cut short "
     "or no safetensors"},
    {"header_is_html", FILE, WHOLE("<!DOCTYPE html><title>404</title>"), LEASH_FORMAT,
     "header of 5789751444030890300 bytes in a file of 33 (at most 100000000); the file is cut "
     "short or no"},
    {"header_is_no_json", FILE, SWAP("{\"__", "[\"__"), LEASH_FORMAT,
     "header is no valid JSON: ']' expected near ':' at byte 16"},
    {"header_is_a_list", FILE, WHOLE("\2\0\0\0\0\0\0\0[]"), LEASH_FORMAT,
     "header is no JSON object"},
    {"header_is_null", FILE, WHOLE("\4\0\0\0\0\0\0\0null"), LEASH_FORMAT,
     "header is no valid JSON: '[' or '{' expected near 'null' at byte 4"},
    {"header_is_nested_too_deep", FILE, SWAP("[2,3]", "[[[[[2]]]]]"), LEASH_FORMAT,
     "header nested deeper than 4"},
    {"header_is_no_utf8", FILE, SWAP("\"a\"", "\"\xff\""), LEASH_FORMAT,
     "header is no valid JSON: unable to decode byte 0xff near '\"' at byte 33"},
    {"header_has_a_bad_escape", FILE, SWAP("\"a\"", "\"\\q\""), LEASH_FORMAT,
     "header is no valid JSON: invalid escape near '\"\\q' at byte 35"},
    {"header_has_a_nul_in_a_name", FILE, SWAP("\"a\"", "\"\\u0000\""), LEASH_FORMAT,
     "header is no valid JSON: NUL byte in object key not supported near '\"\\u0000\"' at byte 40"},
    {"header_ends_early", FILE, SWAP("]}}", "]}"), LEASH_FORMAT,
     "header is no valid JSON: '}' expected near end of file at byte 199"},
    {"header_has_a_nul_behind_it", FILE, SWAP("]}}", "]}}\0"), LEASH_FORMAT,
     "header is no valid JSON: end of file expected near end of file at byte 201"},
    {"header_has_two_values", FILE, SWAP("]}}", "]}}{}"), LEASH_FORMAT,
     "header is no valid JSON: end of file expected near '{' at byte 201"},
    {"name_twice", FILE, SWAP("\"b\"", "\"a\""), LEASH_FORMAT,
     "header is no valid JSON: duplicate object key near '\"a\"' at byte 91"},
    {"name_too_long", FILE, REPEAT("__metadata__", 5000, "n"), LEASH_FORMAT,
     "tensor name over 4096 bytes: "
     "'nnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnnn...'"},
    {"metadata_no_object", FILE, SWAP("{\"format\":\"pt\"}", "[1]"), LEASH_FORMAT,
     "__metadata__ is no object"},
    {"metadata_with_a_number", FILE, SWAP("\"pt\"", "7"), LEASH_FORMAT,
     "__metadata__ 'format' is no string"},
    {"entry_no_object", FILE,
     SWAP("{\"dtype\":\"F32\",\"shape\":[4],\"data_offsets\":[24,40]}", "4"), LEASH_FORMAT,
     "entry 'b' is no object with dtype, shape and data_offsets"},
    {"dtype_unknown", FILE, SWAP("F32", "F33"), LEASH_FORMAT,
     "tensor 'a' has the unknown dtype 'F33'"},
    {"dtype_in_small_letters", FILE, SWAP("F32", "f32"), LEASH_FORMAT,
     "tensor 'a' has the unknown dtype 'f32'"},
    {"dtype_missing", FILE, SWAP("\"dtype\":\"F32\",", ""), LEASH_FORMAT,
     "tensor 'a': dtype is missing, expected a name such as F32"},
    {"dtype_a_number", FILE, SWAP("\"F32\"", "32"), LEASH_FORMAT,
     "tensor 'a': dtype is 32, expected a name such as F32"},
    {"dtype_of_another_width", FILE, SWAP("F32", "F16"), LEASH_FORMAT,
     "tensor 'a' has 6 elements of F16 but 24 bytes"},
    {"shape_missing", FILE, SWAP("\"shape\":[4],", ""), LEASH_FORMAT,
     "tensor 'b': shape is missing, expected a list of sizes"},
    {"shape_no_list", FILE, SWAP("[4]", "4"), LEASH_FORMAT,
     "tensor 'b': shape is 4, expected a list of sizes"},
    {"shape_negative", FILE, SWAP("[4]", "[-4]"), LEASH_FORMAT,
     "negative number at byte 116 of the header; shapes and offsets are 0 or more"},
    {"shape_a_fraction", FILE, SWAP("[4]", "[4.0]"), LEASH_FORMAT,
     "tensor 'b': shape[0] is 4.0, expected a size"},
    {"shape_a_text", FILE, SWAP("[4]", "[\"4\"]"), LEASH_FORMAT,
     "tensor 'b': shape[0] is \"4\", expected a size"},
    {"shape_of_nine_dimensions", FILE, SWAP("[4]", "[1,1,1,1,1,1,1,1,4]"), LEASH_FORMAT,
     "tensor 'b' has 9 dimensions, at most 8 are supported"},
    {"shape_product_overflows", FILE, SWAP("[4]", "[4611686018427387904,4]"), LEASH_FORMAT,
     "tensor 'b': the product of its shape overflows"},
    {"shape_beyond_64_bits", FILE, SWAP("[4]", "[99999999999999999999]"), LEASH_FORMAT,
     "header is no valid JSON: too big integer near '99999999999999999999' at byte 136"},
    {"shape_smaller_than_its_bytes", FILE, SWAP("[4]", "[3]"), LEASH_FORMAT,
     "tensor 'b' has 3 elements of F32 but 16 bytes"},
    {"shape_larger_than_its_bytes", FILE, SWAP("[4]", "[5]"), LEASH_FORMAT,
     "tensor 'b' has 5 elements of F32 but 16 bytes"},
    {"shape_zero_with_bytes", FILE, SWAP("[4]", "[0]"), LEASH_FORMAT,
     "tensor 'b' has 0 elements of F32 but 16 bytes"},
    {"offsets_missing", FILE, SWAP(",\"data_offsets\":[24,40]", ""), LEASH_FORMAT,
     "tensor 'b': data_offsets is missing, expected two integers"},
    {"offsets_of_three_numbers", FILE, SWAP("[24,40]", "[24,40,48]"), LEASH_FORMAT,
     "tensor 'b': data_offsets is [24,40,48], expected two integers"},
    {"offsets_no_numbers", FILE, SWAP("[24,40]", "[\"24\",\"40\"]"), LEASH_FORMAT,
     "tensor 'b': data_offsets is [\"24\",\"40\"], expected two integers"},
    {"offsets_backwards", FILE, SWAP("[24,40]", "[40,24]"), LEASH_FORMAT,
     "tensor 'b' lies at bytes 40 to 24 of 48 bytes of data; the file may be cut short"},
    {"offsets_negative", FILE, SWAP("[24,40]", "[-24,40]"), LEASH_FORMAT,
     "negative number at byte 135 of the header; shapes and offsets are 0 or more"},
    {"offsets_beyond_the_file", FILE, SWAP("[40,48]", "[40,1048]"), LEASH_FORMAT,
     "tensor 'c' lies at bytes 40 to 1048 of 48 bytes of data; the file may be cut short"},
    {"offsets_overlap", FILE, SWAP("[24,40]", "[20,36]"), LEASH_FORMAT,
     "tensor 'b' begins at byte 20 of the data, inside of another that ends at 24"},
    {"offsets_of_another_tensor", FILE, SWAP("[24,40]", "[0,16]"), LEASH_FORMAT,
     "tensor 'a' begins at byte 0 of the data, inside of another that ends at 16"},
    {"offsets_leave_a_hole", FILE,
     SWAP("[2,3],\"data_offsets\":[0,24]", "[5],\"data_offsets\":[0,20]"), LEASH_FORMAT,
     "tensor 'b' begins at byte 24 of the data, after a hole from 20"},
    {"offsets_leave_an_end", FILE,
     SWAP("[1,2],\"data_offsets\":[40,48]", "[1],\"data_offsets\":[40,44]"), LEASH_FORMAT,
     "48 bytes of data, but the tensors end at 44"},
};

static void damaged_files_are_refused(void **state)
{
    (void)state;
    refuse_damages(&(damage_kind){.name = "safetensors",
                                  .dir = folders[0],
                                  .read = read_file,
                                  .rows = file_damages,
                                  .n = LS_COUNT(file_damages)});
}

/* --- weights in a folder --- */

static leash_status read_model(const char *folder, const char *file)
{
    (void)file;
    ls_model_files files;
    LS_TRY(ls_model_files_open(&files, folder));
    leash_status status = damage_load_model(&files, &f.dev);
    ls_model_files_close(&files);
    return status;
}

#define MODEL "model.safetensors"
#define CONFIG "config.json"
#define Q0 "model.layers.0.self_attn.q_proj.weight"
static const damage model_damages[] = {
    {"weights_gone", MODEL, GONE, LEASH_IO,
     ": has no model.safetensors and no model.safetensors.index.json"},
    {"config_gone", CONFIG, GONE, LEASH_IO, "no such file or directory"},
    {"tensor_of_another_name", MODEL, SWAP(Q0, "model.layers.0.self_attn.qq_proj.weight"),
     LEASH_FORMAT,
     " does not fit the model of its config.json; missing model.layers.0.self_attn.q_proj.weight; "
     "unexpected"},
    {"tensor_of_a_layer_too_many", MODEL, SWAP(Q0, "model.layers.2.self_attn.q_proj.weight"),
     LEASH_FORMAT,
     " does not fit the model of its config.json; missing model.layers.0.self_attn.q_proj.weight; "
     "unexpected"},
    {"tensor_unexpected", MODEL, SWAP(Q0, "score.weight"), LEASH_FORMAT,
     " does not fit the model of its config.json; missing model.layers.0.self_attn.q_proj.weight; "
     "unexpected"},
    {"norm_missing", MODEL, SWAP("\"model.norm.weight\"", "\"model.norm.scale\""), LEASH_FORMAT,
     " does not fit the model of its config.json; missing model.norm.weight; unexpected "
     "model.norm.scale"},
    {"embedding_missing", MODEL, SWAP("\"model.embed_tokens.weight\"", "\"model.embed.weight\""),
     LEASH_FORMAT,
     " does not fit the model of its config.json; missing model.embed_tokens.weight; unexpected "
     "model.embed.weight"},
    {"matrix_transposed", MODEL, SWAP("[31,24]", "[24,31]"), LEASH_FORMAT,
     " does not fit the model of its config.json; of another shape model.embed_tokens.weight "
     "[24,31] instead of"},
    {"matrix_flat", MODEL, SWAP("[31,24]", "[744]"), LEASH_FORMAT,
     " does not fit the model of its config.json; of another shape model.embed_tokens.weight [744] "
     "instead of"},
    {"matrix_of_three_dimensions", MODEL, SWAP("[31,24]", "[1,31,24]"), LEASH_FORMAT,
     " does not fit the model of its config.json; of another shape model.embed_tokens.weight "
     "[1,31,24] instead of"},
    {"matrix_of_integers", MODEL, SWAP("\"F32\",\"shape\":[31,24]", "\"I32\",\"shape\":[31,24]"),
     LEASH_UNSUPPORTED,
     "tensor 'model.embed_tokens.weight' is stored as I32, which is not read; expected F32, F16, "
     "BF16 or, in a GGUF"},
    {"vector_a_matrix", MODEL, SWAP("[24]", "[1,24]"), LEASH_FORMAT,
     " does not fit the model of its config.json; of another shape "
     "model.layers.0.input_layernorm.weight [1,24]"},
    {"vocab_size_larger", CONFIG, SWAP("\"vocab_size\": 31", "\"vocab_size\": 32"), LEASH_FORMAT,
     "/model.safetensors does not fit the model of its config.json; of another shape "
     "model.embed_tokens.weight"},
    {"vocab_size_absurd", CONFIG, SWAP("\"vocab_size\": 31", "\"vocab_size\": 3000000000"),
     LEASH_FORMAT, "model: vocab_size is 3000000000, expected 1 to 2147483647"},
    {"hidden_size_larger", CONFIG, SWAP("\"hidden_size\": 24", "\"hidden_size\": 32"), LEASH_FORMAT,
     "/model.safetensors does not fit the model of its config.json; of another shape "
     "model.embed_tokens.weight"},
    {"intermediate_size_smaller", CONFIG,
     SWAP("\"intermediate_size\": 40", "\"intermediate_size\": 39"), LEASH_FORMAT,
     "/model.safetensors does not fit the model of its config.json; of another shape"},
    {"one_layer_more", CONFIG, SWAP("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"),
     LEASH_FORMAT,
     "/model.safetensors does not fit the model of its config.json; missing "
     "model.layers.2.input_layernorm.weight,"},
    {"one_layer_less", CONFIG, SWAP("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1"),
     LEASH_FORMAT, "/model.safetensors does not fit the model of its config.json; unexpected"},
    {"fewer_kv_heads", CONFIG, SWAP("\"num_key_value_heads\": 3", "\"num_key_value_heads\": 1"),
     LEASH_FORMAT,
     "/model.safetensors does not fit the model of its config.json; of another shape"},
    {"head_dim_of_another_size", CONFIG, SWAP("\"head_dim\": 8", "\"head_dim\": 6"), LEASH_FORMAT,
     "/model.safetensors does not fit the model of its config.json; of another shape"},
    {"biases_that_are_not_there", CONFIG,
     SWAP("\"attention_bias\": false", "\"attention_bias\": true"), LEASH_FORMAT,
     "/model.safetensors does not fit the model of its config.json; missing "
     "model.layers.0.self_attn.q_proj.bias,"},
    {"head_untied_that_is_not_there", CONFIG,
     SWAP("\"tie_word_embeddings\": true", "\"tie_word_embeddings\": false"), LEASH_FORMAT,
     "/model.safetensors does not fit the model of its config.json; missing lm_head.weight"},
};

static void weights_that_do_not_fit_are_refused(void **state)
{
    (void)state;
    refuse_damages(&(damage_kind){.name = "model folders",
                                  .dir = folders[1],
                                  .read = read_model,
                                  .rows = model_damages,
                                  .n = LS_COUNT(model_damages)});
}

/* --- an index --- */

static leash_status read_parts(const char *folder, const char *file)
{
    (void)file;
    ls_st_shards shards;
    LS_TRY(ls_st_shards_open(&shards, folder));
    ls_st_shards_close(&shards);
    return LEASH_OK;
}

#define INDEX "model.safetensors.index.json"
static const damage part_damages[] = {
    {"index_gone", INDEX, GONE, LEASH_IO, "/model.safetensors: no such file or directory"},
    {"index_empty", INDEX, CUT(0), LEASH_FORMAT, "line 1: '[' or '{' expected near end of file"},
    {"index_cut", INDEX, CUT(-3), LEASH_FORMAT, "line 3: '}' expected near end of file"},
    {"index_a_list", INDEX, WHOLE("[]"), LEASH_FORMAT,
     "has no weight_map: it is missing, expected an object {tensor: file}"},
    {"map_missing", INDEX, SWAP("weight_map", "weights"), LEASH_FORMAT,
     "has no weight_map: it is missing, expected an object {tensor: file}"},
    {"map_empty", INDEX, WHOLE("{\"weight_map\": {}}"), LEASH_FORMAT,
     "has no weight_map: it is {}, expected an object {tensor: file}"},
    {"map_a_list", INDEX, WHOLE("{\"weight_map\": [\"one.safetensors\"]}"), LEASH_FORMAT,
     "has no weight_map: it is [\"one.safetensors\"], expected an object {tensor: file}"},
    {"map_names_a_tensor_twice", INDEX, SWAP("\"b\"", "\"a\""), LEASH_FORMAT,
     "line 2: duplicate object key near '\"a\"'"},
    {"file_a_number", INDEX, SWAP("\"two.safetensors\"", "2"), LEASH_FORMAT,
     "weight_map gives 'c' no plain file name beside the index: it is 2"},
    {"file_without_a_name", INDEX, SWAP("two.safetensors", ""), LEASH_FORMAT,
     "weight_map gives 'c' no plain file name beside the index: it is \"\""},
    {"file_in_the_parent", INDEX, SWAP("two.safetensors", "../two.safetensors"), LEASH_FORMAT,
     "weight_map gives 'c' no plain file name beside the index: it is \"../two.safetensors\""},
    {"file_with_a_whole_path", INDEX, SWAP("two.safetensors", "/etc/passwd"), LEASH_FORMAT,
     "weight_map gives 'c' no plain file name beside the index: it is \"/etc/passwd\""},
    {"file_hidden", INDEX, SWAP("two.safetensors", ".two.safetensors"), LEASH_FORMAT,
     "weight_map gives 'c' no plain file name beside the index: it is \".two.safetensors\""},
    {"file_missing", INDEX, SWAP("two.safetensors", "three.safetensors"), LEASH_IO,
     "/three.safetensors: no such file or directory"},
    {"file_that_is_no_safetensors", INDEX, SWAP("two.safetensors", "model.safetensors.index.json"),
     LEASH_FORMAT,
     "header of 7017841271895827067 bytes in a file of 137 (at most 100000000); the file is cut "
     "short or no"},
    {"tensor_in_another_part", INDEX, SWAP("\"b\": \"one", "\"b\": \"two"), LEASH_FORMAT,
     "tensor 'b' is in one.safetensors, but weight_map names two.safetensors for it"},
    {"tensor_in_no_part", INDEX, SWAP("\"c\"", "\"d\""), LEASH_FORMAT,
     "tensor 'd' is not in two.safetensors, which weight_map names"},
    {"part_gone", "two.safetensors", GONE, LEASH_IO, "no such file or directory"},
    {"part_cut", "two.safetensors", CUT(-1), LEASH_FORMAT,
     "two.safetensors: tensor 'c' lies at bytes 0 to 8 of 7 bytes of data; the file may be cut "
     "short"},
    {"part_with_a_tensor_of_another", "two.safetensors", SWAP("\"c\"", "\"b\""), LEASH_FORMAT,
     "/model.safetensors.index.json: tensor 'b' is in two.safetensors, but weight_map names "
     "one.safetensors for it"},
};

static void indexes_that_lie_are_refused(void **state)
{
    (void)state;
    refuse_damages(&(damage_kind){.name = "indexes of shards",
                                  .dir = folders[2],
                                  .read = read_parts,
                                  .rows = part_damages,
                                  .n = LS_COUNT(part_damages)});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(damaged_files_are_refused),
        cmocka_unit_test(weights_that_do_not_fit_are_refused),
        cmocka_unit_test(indexes_that_lie_are_refused),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
