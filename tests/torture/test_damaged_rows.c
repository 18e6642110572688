/* Damaged data files: JSON Lines, JSON arrays, CSV, gzip and zstd streams, Parquet, and YAML files
 * of settings.  Each is refused with file and line, or row group and column, what was expected and
 * what is there. */
#include <zlib.h>
#include <zstd.h>

#include "damage.h"
#include "data/dataset.h"
#include "data/reader.h"
#include "data_options.h"

static char dir[] = "/tmp/leash_test_damage.XXXXXX";
static ls_tokenizer *tokenizer;

/* --- good files --- */

static const char lines[] = "{\"prompt\": \"1+1=\", \"completion\": \"2\", \"id\": 1}\n"
                            "{\"prompt\": \"2+2=\", \"completion\": \"4\", \"id\": 2}\n"
                            "{\"prompt\": \"3+3=\", \"completion\": \"6\", \"id\": 3}\n";
static const char array[] = "[{\"prompt\": \"1+1=\", \"completion\": \"2\"},\n"
                            " {\"prompt\": \"2+2=\", \"completion\": \"4\"}]\n";
static const char wrapped[] = "{\"data\": [{\"prompt\": \"1+1=\", \"completion\": \"2\"}],\n"
                              " \"version\": 1}\n";
static const char chats[] = "{\"messages\": [{\"role\": \"user\", \"content\": \"1+1=\"},"
                            " {\"role\": \"assistant\", \"content\": \"2\"}]}\n";
static const char csv[] = "prompt,completion\n1+1=,2\n\"2+2=\",\"4\"\n";

static const char *const parquets[] = {"nested_none_v1_plain",      "nested_gzip_v1_plain",
                                       "nested_zstd_v1_plain",      "nested_snappy_v1_dictionary",
                                       "nested_none_v2_dictionary", "delta"};

static void write_gzip(const char *file, const char *text)
{
    unsigned char out[1024];
    z_stream z = {.next_in = (unsigned char *)(uintptr_t)text,
                  .avail_in = (uInt)strlen(text),
                  .next_out = out,
                  .avail_out = sizeof out};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    damage_write(dir, file, (const char *)out, sizeof out - z.avail_out);
    deflateEnd(&z);
}

static void write_zstd(const char *file, const char *text)
{
    char out[1024];
    ZSTD_CCtx *z = ZSTD_createCCtx();
    assert_false(ZSTD_isError(ZSTD_CCtx_setParameter(z, ZSTD_c_checksumFlag, 1)));
    size_t n = ZSTD_compress2(z, out, sizeof out, text, strlen(text));
    assert_false(ZSTD_isError(n));
    damage_write(dir, file, out, n);
    ZSTD_freeCCtx(z);
}

static int make_files(void **state)
{
    (void)state;
    assert_non_null(mkdtemp(dir));
    assert_ok(ls_tokenizer_new(&tokenizer, "byte"));
    damage_write_text(dir, "rows.jsonl", lines);
    damage_write_text(dir, "chats.jsonl", chats);
    damage_write_text(dir, "rows.json", array);
    damage_write_text(dir, "wrapped.json", wrapped);
    damage_write_text(dir, "rows.csv", csv);
    write_gzip("rows.jsonl.gz", lines);
    write_zstd("rows.jsonl.zst", lines);
    damage_write_text(dir, "settings.yaml",
                      "dataset: rows.jsonl\nmax_length: 64\ncolumns: prompt=question\n"
                      "packing: false\n");
    for (size_t i = 0; i < LS_COUNT(parquets); i++) {
        char from[LS_PATH_MAX], file[64];
        snprintf(file, sizeof file, "%s.parquet", parquets[i]);
        damage_copy(dir, file, ls_path_join(from, LEASH_TEST_DATA "/parquet", file));
    }
    return 0;
}

static int remove_files(void **state)
{
    (void)state;
    ls_tokenizer_free(tokenizer);
    return ls_dir_remove(dir) != LEASH_OK;
}

/* --- reading --- */

static leash_status read_dataset(const char *folder, const char *file)
{
    char path[LS_PATH_MAX];
    ls_dataset d;
    ls_chat_template *chat = NULL;
    LS_TRY(ls_chat_template_builtin(&chat, "chatml"));
    ls_data_options options = data_options(1000);
    options.dataset = ls_path_join(path, folder, file);
    ls_dataset_input input = {.options = &options,
                              .tokenizer = tokenizer,
                              .chat = chat,
                              .use = LS_DATA_SEQUENCES,
                              .in_order = true};
    leash_status status = ls_dataset_load(&d, &input);
    if (status == LEASH_OK)
        ls_dataset_release(&d);
    ls_chat_template_free(chat);
    return status;
}

static leash_status read_rows(const char *folder, const char *file)
{
    char path[LS_PATH_MAX];
    ls_reader *reader;
    ls_record record = {0};
    LS_TRY(ls_reader_open(&reader, ls_path_join(path, folder, file)));
    leash_status status;
    do {
        status = ls_reader_next(reader, &record);
        if (status == LEASH_OK)
            json_decref(record.object);
    } while (status == LEASH_OK && record.object);
    ls_reader_free(reader);
    return status;
}

static leash_status read_settings(const char *folder, const char *file)
{
    char path[LS_PATH_MAX];
    ls_data_options options;
    ls_config *config = ls_config_new();
    ls_config_bind(config, &ls_data_option_table, &options);
    leash_status status = ls_config_load_file(config, ls_path_join(path, folder, file));
    ls_config_free(config);
    return status;
}

/* --- damages --- */

#define ROWS "rows.jsonl"
#define CHATS "chats.jsonl"
static const damage line_damages[] = {
    {"file_gone", ROWS, GONE, LEASH_IO, "no such file or directory"},
    {"file_empty", ROWS, CUT(0), LEASH_DATA, "there is no row; expected one JSON object a line"},
    {"file_of_blank_lines", ROWS, WHOLE("\n \r\n\t\n"), LEASH_DATA,
     "there is no row; expected one JSON object a line"},
    {"file_of_a_byte_order_mark", ROWS, WHOLE("\xef\xbb\xbf"), LEASH_DATA,
     "there is no row; expected one JSON object a line"},
    {"file_of_zeros", ROWS, WHOLE("\0\0\0\0\0\0\0\0"), LEASH_FORMAT,
     ":1:1: malformed JSON: invalid token near end of line"},
    {"file_of_utf16", ROWS, WHOLE("\xff\xfe{\0}\0"), LEASH_FORMAT,
     ":1:0: malformed JSON: unable to decode byte 0xff"},
    {"html", ROWS, WHOLE("<!DOCTYPE html>\n"), LEASH_FORMAT,
     ":1:1: malformed JSON: invalid token near '<'"},
    {"last_line_cut", ROWS, CUT(-5), LEASH_FORMAT,
     ":3:42: malformed JSON: ':' expected near end of line"},
    {"line_cut_in_a_string", ROWS, CUT(60), LEASH_FORMAT,
     ":2:13: malformed JSON: premature end of input near '\"2'"},
    {"bad_escape", ROWS, SWAP("2+2=", "2\\+2="), LEASH_FORMAT,
     ":2:15: malformed JSON: invalid escape near '\"2\\+'"},
    {"bad_hex_escape", ROWS, SWAP("2+2=", "2\\x2b2="), LEASH_FORMAT,
     ":2:15: malformed JSON: invalid escape near '\"2\\x'"},
    {"bad_unicode_escape", ROWS, SWAP("2+2=", "\\u00zz"), LEASH_FORMAT,
     ":2:17: malformed JSON: invalid escape near '\"\\u00z'"},
    {"raw_tab_in_a_string", ROWS, SWAP("2+2=", "2\t2"), LEASH_FORMAT,
     ":2:13: malformed JSON: control character 0x9 near '\"2'"},
    {"raw_nul_in_a_string", ROWS,
     SWAP("2+2=", "2\0"
                  "2"),
     LEASH_FORMAT, ":2:13: malformed JSON: control character 0x0 near '\"2'"},
    {"escaped_nul_in_a_prompt", ROWS, SWAP("2+2=", "2\\u00002"), LEASH_DATA,
     ":2: column \"prompt\" contains a NUL character"},
    {"no_utf8", ROWS, SWAP("2+2=", "caf\xe9"), LEASH_FORMAT,
     ":2:15: malformed JSON: unable to decode byte 0xe9 near '\"caf'"},
    {"utf8_too_long", ROWS, SWAP("2+2=", "\xc0\xaf"), LEASH_FORMAT,
     ":2:12: malformed JSON: unable to decode byte 0xc0 near '\"'"},
    {"surrogate_in_utf8", ROWS, SWAP("2+2=", "\xed\xa0\x80"), LEASH_FORMAT,
     ":2:12: malformed JSON: unable to decode byte 0xed near '\"'"},
    {"quotes_of_python", ROWS, SWAP("\"2+2=\"", "'2+2='"), LEASH_FORMAT,
     ":2:12: malformed JSON: invalid token near '''"},
    {"words_of_python", ROWS, SWAP("\"id\": 2", "\"id\": None"), LEASH_FORMAT,
     ":2:48: malformed JSON: invalid token near 'None'"},
    {"number_with_a_zero_before", ROWS, SWAP("\"id\": 2", "\"id\": 02"), LEASH_FORMAT,
     ":2:45: malformed JSON: invalid token near '0'"},
    {"number_too_large", ROWS, SWAP("\"id\": 2", "\"id\": 1e999"), LEASH_FORMAT,
     ":2:49: malformed JSON: real number overflow near '1e999'"},
    {"comma_missing", ROWS, SWAP("\"4\", \"id\"", "\"4\" \"id\""), LEASH_FORMAT,
     ":2:41: malformed JSON: '}' expected near '\"id\"'"},
    {"comma_too_many", ROWS, SWAP("\"id\": 2}", "\"id\": 2,}"), LEASH_FORMAT,
     ":2:47: malformed JSON: string or '}' expected near '}'"},
    {"brace_missing", ROWS, SWAP("\"id\": 2}", "\"id\": 2"), LEASH_FORMAT,
     ":2:45: malformed JSON: '}' expected near end of line"},
    {"brace_too_many", ROWS, SWAP("\"id\": 2}", "\"id\": 2}}"), LEASH_FORMAT,
     ":2:47: malformed JSON: end of line expected near '}'"},
    {"two_objects_in_a_line", ROWS, SWAP("\"id\": 1}\n", "\"id\": 1} "), LEASH_FORMAT,
     ":1:48: malformed JSON: end of line expected near '{'"},
    {"object_over_two_lines", ROWS, SWAP("\"2+2=\", ", "\"2+2=\",\n"), LEASH_FORMAT,
     ":2:18: malformed JSON: string or '}' expected near end of line"},
    {"key_twice", ROWS, SWAP("\"id\": 2", "\"prompt\": \"2\""), LEASH_FORMAT,
     ":2:46: malformed JSON: duplicate object key near '\"prompt\"'"},
    {"line_a_list", ROWS,
     SWAP("{\"prompt\": \"2+2=\", \"completion\": \"4\", \"id\": 2}", "[1, 2]"), LEASH_FORMAT,
     ":2: the line is an array, expected one JSON object a line"},
    {"line_a_text", ROWS,
     SWAP("{\"prompt\": \"2+2=\", \"completion\": \"4\", \"id\": 2}", "\"2+2=4\""), LEASH_FORMAT,
     ":2: the line is a string, expected one JSON object a line"},
    {"line_null", ROWS, SWAP("{\"prompt\": \"2+2=\", \"completion\": \"4\", \"id\": 2}", "null"),
     LEASH_FORMAT, ":2: the line is null, expected one JSON object a line"},
    {"nested_too_deep", ROWS, REPEAT("\"2+2=\"", 3000, "["), LEASH_FORMAT,
     ":2:2059: malformed JSON: maximum parsing depth reached near '['"},
    {"line_huge", ROWS, REPEAT("2+2=", 70 << 20, "1"), LEASH_FORMAT,
     ":2: the line has more than 67108864 bytes (64 MiB), the most that are read"},
    {"prompt_missing", ROWS, SWAP("{\"prompt\": \"2+2=\", ", "{"), LEASH_DATA,
     ":2: no schema for training fits: found \"completion\", \"id\"; expected {\"prompt\", "
     "\"completion\"}, or"},
    {"prompt_a_number", ROWS, SWAP("\"2+2=\"", "4"), LEASH_DATA,
     ":2: column \"prompt\" is a number, expected a string"},
    {"prompt_null", ROWS, SWAP("\"2+2=\"", "null"), LEASH_DATA,
     ":2: no schema for training fits: found \"prompt\" (null), \"completion\", \"id\"; expected "
     "{\"prompt\","},
    {"completion_missing", ROWS, SWAP("\"completion\": \"4\", ", ""), LEASH_DATA,
     ":2: no schema for training fits: found \"prompt\", \"id\"; expected {\"prompt\", "
     "\"completion\"}, or {\"messages\"}, or"},
    {"completion_a_list", ROWS, SWAP("\"4\"", "[\"4\"]"), LEASH_DATA,
     ":2: column \"completion\" is an array, expected a string"},
    {"columns_of_another_task", ROWS, WHOLE("{\"input\": \"a\", \"target\": \"b\"}\n"), LEASH_DATA,
     ":1: no schema for training fits: found \"input\", \"target\"; expected {\"prompt\", "
     "\"completion\"}, or {\"messages\"},"},
    {"messages_a_text", CHATS, WHOLE("{\"messages\": \"hello\"}\n"), LEASH_DATA,
     ":1: column \"messages\" is a string, expected a list of {role, content}"},
    {"messages_empty", CHATS, WHOLE("{\"messages\": []}\n"), LEASH_DATA,
     ":1: column \"messages\": the list of messages is empty"},
    {"message_a_text", CHATS, SWAP("{\"role\": \"user\", \"content\": \"1+1=\"}", "\"1+1=\""),
     LEASH_DATA, ":1: column \"messages\" is an array, expected a list of {role, content}"},
    {"message_without_a_role", CHATS, SWAP("\"role\": \"user\", ", ""), LEASH_DATA,
     ":1: column \"messages\": message 1 has no role"},
    {"message_without_content", CHATS, SWAP(", \"content\": \"1+1=\"", ""), LEASH_DATA,
     ":1: column \"messages\": message 1 has nothing as content, expected a string"},
    {"message_content_a_number", CHATS, SWAP("\"1+1=\"", "2"), LEASH_DATA,
     ":1: column \"messages\": message 1 has a number as content, expected a string"},
    {"message_content_an_image", CHATS, SWAP("\"1+1=\"", "[{\"type\": \"image\", \"url\": \"x\"}]"),
     LEASH_DATA,
     ":1: column \"messages\": message 1 has a part of type \"image\"; only text is read"},
    {"message_content_with_a_nul", CHATS, SWAP("1+1=", "1\\u0000"), LEASH_DATA,
     ":1: column \"messages\": message 1 contains a NUL character"},
};

#define ARRAY "rows.json"
#define WRAPPED "wrapped.json"
static const damage array_damages[] = {
    {"array_not_closed", ARRAY, SWAP("}]", "}"), LEASH_FORMAT,
     ":3:1: malformed JSON: ',' expected"},
    {"array_cut_in_an_element", ARRAY, CUT(50), LEASH_FORMAT,
     ":2:2: malformed JSON: the file ends inside of an element"},
    {"array_with_a_comma_too_many", ARRAY, SWAP("}]", "},]"), LEASH_FORMAT,
     ":2:40: malformed JSON: an element is missing"},
    {"array_with_a_comma_missing", ARRAY, SWAP("},\n", "}\n"), LEASH_FORMAT,
     ":2:2: malformed JSON: ',' expected"},
    {"array_with_two_commas", ARRAY, SWAP("},\n", "},,\n"), LEASH_FORMAT,
     ":1:40: malformed JSON: an element is missing"},
    {"array_with_a_number", ARRAY, SWAP("},\n", "}, 7,\n"), LEASH_FORMAT,
     ":1: the element is a number, expected an object"},
    {"array_with_a_list", ARRAY, SWAP("},\n", "}, [],\n"), LEASH_FORMAT,
     ":1: the element is an array, expected an object"},
    {"array_with_something_behind_it", ARRAY, ADD("{}"), LEASH_FORMAT,
     ":3:1: malformed JSON: end of file expected"},
    {"array_with_a_bad_element", ARRAY, SWAP("\"4\"", "4x"), LEASH_FORMAT,
     ":2:36: malformed JSON: '}' expected near 'x'"},
    {"array_with_a_key_twice", ARRAY, SWAP("\"completion\": \"4\"", "\"prompt\": \"4\""),
     LEASH_FORMAT, ":2:28: malformed JSON: duplicate object key near '\"prompt\"'"},
    {"array_with_no_utf8", ARRAY, SWAP("2+2=", "\xff\xfe"), LEASH_FORMAT,
     ":2:13: malformed JSON: unable to decode byte 0xff near '\"'"},
    {"array_empty", ARRAY, WHOLE("[]"), LEASH_DATA, "there is no row; expected at least one"},
    {"array_nested_too_deep", ARRAY, REPEAT("\"2+2=\"", 3000, "["), LEASH_FORMAT,
     ":2:2: malformed JSON: the file ends inside of an element"},
    {"wrapped_not_closed", WRAPPED, SWAP("1}", "1"), LEASH_FORMAT,
     ":2:2: malformed JSON: the file ends inside of an element"},
    {"wrapped_with_a_member_missing", WRAPPED, SWAP("\"version\": 1", ""), LEASH_FORMAT,
     ":2:2: malformed JSON: a member is missing"},
    {"wrapped_data_an_object", WRAPPED,
     SWAP("[{\"prompt\": \"1+1=\", \"completion\": \"2\"}]", "{\"a\": 1}"), LEASH_FORMAT,
     ":1:18: malformed JSON: string or '}' expected near end of line"},
};

#define CSV "rows.csv"
static const damage table_damages[] = {
    {"table_empty", CSV, CUT(0), LEASH_DATA, "there is no row; expected at least one"},
    {"table_of_a_header", CSV, CUT(18), LEASH_DATA, "there is no row; expected at least one"},
    {"header_with_a_name_twice", CSV, SWAP("prompt,completion", "prompt,prompt"), LEASH_FORMAT,
     ":1: the column \"prompt\" stands twice"},
    {"header_with_an_empty_name", CSV, SWAP("prompt,completion", "prompt,"), LEASH_FORMAT,
     ":1: column 2 of the header has no usable name"},
    {"header_no_utf8", CSV, SWAP("completion", "\xff\xff"), LEASH_FORMAT,
     ":1: column 2 of the header has no usable name"},
    {"header_missing", CSV, SWAP("prompt,completion\n", ""), LEASH_DATA,
     ":2: no schema for training fits: found \"1+1=\", \"2\"; expected {\"prompt\", "
     "\"completion\"}, or {\"messages\"}, or"},
    {"field_too_many", CSV, SWAP("1+1=,2", "1+1=,2,3"), LEASH_FORMAT,
     ":2: 3 fields, the header has 2"},
    {"field_too_few", CSV, SWAP("1+1=,2", "1+1="), LEASH_FORMAT, ":2: 1 fields, the header has 2"},
    {"separator_of_another_kind", CSV, SWAP("1+1=,2", "1+1=;2"), LEASH_FORMAT,
     ":2: 1 fields, the header has 2"},
    {"quote_not_closed", CSV, SWAP("\"4\"", "\"4"), LEASH_FORMAT,
     ":3: a quote is opened and never closed"},
    {"quote_inside_of_a_field", CSV, SWAP("1+1=", "1\"+\"1="), LEASH_FORMAT,
     ":2: a quote inside of an unquoted field; quote the whole field and double the quote"},
    {"text_behind_a_quote", CSV, SWAP("\"2+2=\"", "\"2+2\"="), LEASH_FORMAT,
     ":3: text after a closing quote; write \"\" for a quote inside of a quoted field"},
    {"field_no_utf8", CSV, SWAP("1+1=", "caf\xe9"), LEASH_FORMAT,
     ":2: column \"prompt\" is no UTF-8"},
    {"field_with_a_nul", CSV,
     SWAP("1+1=", "1\0"
                  "1"),
     LEASH_DATA, ":2: column \"prompt\" contains a NUL character"},
};

#define GZ "rows.jsonl.gz"
#define ZST "rows.jsonl.zst"
static const damage stream_damages[] = {
    {"gzip_empty", GZ, CUT(0), LEASH_DATA, "there is no row; expected at least one"},
    {"gzip_cut_in_the_header", GZ, CUT(5), LEASH_FORMAT,
     "the gzip data is cut off; fetch the file again"},
    {"gzip_cut_in_the_data", GZ, CUT(40), LEASH_FORMAT,
     "the gzip data is cut off; fetch the file again"},
    {"gzip_cut_in_the_trailer", GZ, CUT(-2), LEASH_FORMAT,
     "the gzip data is cut off; fetch the file again"},
    {"gzip_checksum_wrong", GZ, POKE_AT(-8, "\0\0\0\0"), LEASH_FORMAT,
     "the gzip data is damaged; fetch the file again"},
    {"gzip_length_wrong", GZ, POKE_AT(-4, "\1\0\0\0"), LEASH_FORMAT,
     "the gzip data is damaged; fetch the file again"},
    {"gzip_method_unknown", GZ, POKE_AT(2, "\7"), LEASH_FORMAT,
     "the gzip data is damaged; fetch the file again"},
    {"gzip_flags_reserved", GZ, POKE_AT(3, "\xe0"), LEASH_FORMAT,
     "the gzip data is damaged; fetch the file again"},
    {"gzip_data_damaged", GZ, POKE_AT(12, "\xff\xff\xff"), LEASH_FORMAT,
     "the gzip data is damaged; fetch the file again"},
    {"gzip_with_something_behind_it", GZ, ADD("more"), LEASH_FORMAT,
     "the gzip data is damaged; fetch the file again"},
    {"gzip_that_is_text", GZ, WHOLE("hello\n"), LEASH_FORMAT,
     ":1:5: malformed JSON: invalid token near 'hello'"},
    {"zstd_cut_in_the_header", ZST, CUT(5), LEASH_FORMAT,
     "the zstd data is cut off; fetch the file again"},
    {"zstd_cut_in_the_data", ZST, CUT(40), LEASH_FORMAT,
     "the zstd data is cut off; fetch the file again"},
    {"zstd_cut_in_the_checksum", ZST, CUT(-1), LEASH_FORMAT,
     "the zstd data is cut off; fetch the file again"},
    {"zstd_checksum_wrong", ZST, POKE_AT(-4, "\0\0\0\0"), LEASH_FORMAT,
     "the zstd data is damaged; fetch the file again"},
    {"zstd_frame_reserved", ZST, POKE_AT(4, "\xff"), LEASH_FORMAT,
     "the zstd data is damaged; fetch the file again"},
    {"zstd_block_of_a_reserved_kind", ZST, POKE_AT(6, "\xff\xff\xff"), LEASH_FORMAT,
     "the zstd data is damaged; fetch the file again"},
    {"zstd_with_something_behind_it", ZST, ADD("more"), LEASH_FORMAT,
     "the zstd data is damaged; fetch the file again"},
    {"zstd_that_is_text", ZST, WHOLE("hello\n"), LEASH_FORMAT,
     ":1:5: malformed JSON: invalid token near 'hello'"},
};

/* A page of version 1 begins: 15 type, 15 bytes unpacked (2), 15 bytes packed (2), 2c, 15 values,
 * 15 encoding, 15 encoding of definition levels, 15 that of repetition levels. */
#define PLAIN "nested_none_v1_plain.parquet"
#define GZIP "nested_gzip_v1_plain.parquet"
#define ZSTD "nested_zstd_v1_plain.parquet"
#define SNAPPY "nested_snappy_v1_dictionary.parquet"
#define DICT "nested_none_v2_dictionary.parquet"
#define DELTA "delta.parquet"
static const damage parquet_damages[] = {
    {"parquet_empty", PLAIN, CUT(0), LEASH_FORMAT, "no Parquet file: it does not begin with PAR1"},
    {"parquet_of_a_magic", PLAIN, CUT(4), LEASH_FORMAT,
     "no Parquet file: it does not begin with PAR1"},
    {"parquet_cut", PLAIN, CUT(-1), LEASH_FORMAT,
     "the Parquet file does not end with PAR1: it is cut off; fetch it again"},
    {"parquet_cut_in_the_middle", PLAIN, CUT(2000), LEASH_FORMAT,
     "the Parquet file does not end with PAR1: it is cut off; fetch it again"},
    {"magic_wrong_at_the_start", PLAIN, POKE_AT(0, "PAR2"), LEASH_FORMAT,
     "no Parquet file: it does not begin with PAR1"},
    {"magic_wrong_at_the_end", PLAIN, POKE_AT(-4, "PAR2"), LEASH_FORMAT,
     "the Parquet file does not end with PAR1: it is cut off; fetch it again"},
    {"magic_of_an_encrypted_footer", PLAIN, POKE_AT(-4, "PARE"), LEASH_UNSUPPORTED,
     "the Parquet file is encrypted"},
    {"footer_length_zero", PLAIN, POKE_AT(-8, "\0\0\0\0"), LEASH_FORMAT,
     "the Parquet footer is damaged: schema, rows or row groups are missing"},
    {"footer_length_huge", PLAIN, POKE_AT(-8, "\xff\xff\xff\x7f"), LEASH_FORMAT,
     "the Parquet footer claims 2147483647 bytes, the file has 4877 (at most 67108864 are read)"},
    {"footer_length_all_ones", PLAIN, POKE_AT(-8, "\xff\xff\xff\xff"), LEASH_FORMAT,
     "the Parquet footer claims 4294967295 bytes, the file has 4877 (at most 67108864 are read)"},
    {"footer_length_too_small", PLAIN, POKE_AT(-8, "\x10\0"), LEASH_FORMAT,
     "the Parquet footer is damaged: schema, rows or row groups are missing"},
    {"footer_of_zeros", PLAIN, POKE_AT(-1416, "\0\0\0\0\0\0\0\0"), LEASH_FORMAT,
     "the Parquet footer is damaged: schema, rows or row groups are missing"},
    {"footer_begins_with_another_type", PLAIN, POKE_AT(-1416, "\x18"), LEASH_FORMAT,
     "the Parquet footer is damaged: schema, rows or row groups are missing"},
    {"schema_list_huge", PLAIN, POKE_AT(-1413, "\xff\xff\xff\xff\x0f"), LEASH_FORMAT,
     "the Parquet footer is damaged: the schema cannot be read"},
    {"column_name_no_utf8", PLAIN, SWAP("\x08messages", "\x08messag\xff\xff"), LEASH_FORMAT,
     "the Parquet footer is damaged: the name of a column is no UTF-8"},
    {"rows_one_more", PLAIN, SWAP("\x16\x50\x19\x1c\x19\xbc", "\x16\x52\x19\x1c\x19\xbc"),
     LEASH_FORMAT, "the Parquet footer is damaged: row groups have fewer rows than the file"},
    {"rows_one_less", PLAIN, SWAP("\x16\x50\x19\x1c\x19\xbc", "\x16\x4e\x19\x1c\x19\xbc"),
     LEASH_FORMAT, "the Parquet footer is damaged: row groups have more rows than the file"},
    {"page_type_unknown", PLAIN, POKE_AT(5, "\x30"), LEASH_FORMAT,
     "row group 1, column id: a page of type 24"},
    {"page_is_an_index", PLAIN, POKE_AT(5, "\2"), LEASH_FORMAT,
     "row group 1, column id: its pages end early, 40 entries are missing"},
    {"page_unpacked_size_huge", PLAIN, POKE_AT(7, "\xfe\x7f"), LEASH_FORMAT,
     "row group 1, column id: has 326 bytes, 8191 are claimed"},
    {"page_packed_size_huge", PLAIN, POKE_AT(10, "\xfe\x7f"), LEASH_FORMAT,
     "row group 1, column id: the header of a page is damaged or its body is cut off"},
    {"page_packed_size_zero", PLAIN, POKE_AT(10, "\x80\0"), LEASH_FORMAT,
     "row group 1, column id: has 0 bytes, 326 are claimed"},
    {"page_size_negative", PLAIN, POKE_AT(10, "\x8b\x05"), LEASH_FORMAT,
     "row group 1, column id: the header of a page is damaged or its body is cut off"},
    {"page_sizes_differ", PLAIN, POKE_AT(7, "\x8e"), LEASH_FORMAT,
     "row group 1, column id: has 326 bytes, 327 are claimed"},
    {"page_of_more_values_than_the_column", PLAIN, POKE_AT(14, "\x60"), LEASH_FORMAT,
     "row group 1, column id: a page with 48 entries, 40 are left in the column"},
    {"page_of_fewer_values_than_the_column", PLAIN, POKE_AT(14, "\x40"), LEASH_FORMAT,
     "row group 1, column id: its pages end early, 8 entries are missing"},
    {"page_of_minus_one_values", PLAIN, POKE_AT(14, "\1"), LEASH_FORMAT,
     "row group 1, column id: a page with -1 entries, 40 are left in the column"},
    {"page_encoding_unknown", PLAIN, POKE_AT(16, "\x30"), LEASH_UNSUPPORTED,
     "row group 1, column id: encoding 24 of a column of type 2 is not read"},
    {"page_encoding_of_another_type", PLAIN, POKE_AT(16, "\x0e"), LEASH_UNSUPPORTED,
     "row group 1, column id: encoding 7 of a column of type 2 is not read"},
    {"page_encoded_with_a_dictionary_that_is_not_there", PLAIN, POKE_AT(16, "\x10"), LEASH_FORMAT,
     "row group 1, column id: a page needs a dictionary and there is none"},
    {"page_levels_bit_packed", PLAIN, POKE_AT(18, "\x08"), LEASH_UNSUPPORTED,
     "row group 1, column id: levels with encoding 4 are not read"},
    {"page_header_of_zeros", PLAIN, POKE_AT(4, "\0\0\0\0\0\0\0\0"), LEASH_FORMAT,
     "row group 1, column id: a page of type -1"},
    {"page_header_of_ones", PLAIN, POKE_AT(4, "\xff\xff\xff\xff\xff\xff\xff\xff"), LEASH_FORMAT,
     "row group 1, column id: the header of a page is damaged or its body is cut off"},
    {"text_length_huge", PLAIN, POKE_AT(444, "\xff\xff\xff\x7f"), LEASH_FORMAT,
     "row group 1, column prompt: the values of a page end early or are damaged"},
    {"gzip_page_damaged", GZIP, POKE_AT(110, "\xff\xff\xff\xff"), LEASH_FORMAT,
     "row group 1, column id: the gzip block is damaged"},
    {"gzip_page_of_another_size", GZIP, POKE_AT(7, "\x90"), LEASH_FORMAT,
     "row group 1, column id: decompresses to 326 bytes, 328 are claimed"},
    {"zstd_page_damaged", ZSTD, POKE_AT(110, "\xff\xff\xff\xff\xff\xff\xff\xff"), LEASH_FORMAT,
     "row group 1, column id: the zstd block is damaged: Data corruption detected"},
    {"zstd_page_of_another_size", ZSTD, POKE_AT(7, "\x90"), LEASH_FORMAT,
     "row group 1, column id: decompresses to 326 bytes, 328 are claimed"},
    {"snappy_page_damaged", SNAPPY, POKE_AT(262, "\xff\xff\xff\xff\xff"), LEASH_FORMAT,
     "row group 1, column id: dictionary indices of 255 bits"},
    {"snappy_page_of_another_size", SNAPPY, POKE_AT(196, "\x50"), LEASH_FORMAT,
     "row group 1, column id: decompresses to 38 bytes, 40 are claimed"},
    {"dictionary_page_gone", DICT, POKE_AT(5, "\2"), LEASH_FORMAT,
     "row group 1, column id: a page needs a dictionary and there is none"},
    {"dictionary_cut", DICT, POKE_AT(10, "\x40"), LEASH_FORMAT,
     "row group 1, column id: the header of a page is damaged or its body is cut off"},
    {"deltas_damaged", DELTA, POKE_AT(66, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
     LEASH_FORMAT, "row group 1, column i32: the deltas of a page are damaged"},
};

#define YAML "settings.yaml"
static const damage setting_damages[] = {
    {"settings_gone", YAML, GONE, LEASH_IO, "no such file or directory"},
    {"settings_a_list", YAML, WHOLE("- dataset\n- rows\n"), LEASH_USAGE,
     ":1:1: expected lines of key: value"},
    {"settings_a_text", YAML, WHOLE("dataset\n"), LEASH_USAGE,
     ":1:1: expected lines of key: value"},
    {"settings_binary", YAML, WHOLE("\0\1\2\3"), LEASH_USAGE,
     ":1:1: expected text in UTF-8, found control characters are not allowed"},
    {"settings_no_utf8", YAML, SWAP("rows", "r\xffws"), LEASH_USAGE,
     ":1:11: expected text in UTF-8, found invalid leading UTF-8 octet"},
    {"settings_with_a_tab", YAML, SWAP("max_length:", "\tmax_length:"), LEASH_USAGE,
     ":2:1: malformed YAML: found a tab character that violates indentation"},
    {"settings_not_closed", YAML, SWAP("rows.jsonl", "[rows.jsonl"), LEASH_USAGE,
     ":2:11: malformed YAML: did not find expected ',' or ']'"},
    {"settings_quote_not_closed", YAML, SWAP("rows.jsonl", "\"rows.jsonl"), LEASH_USAGE,
     ":5:1: malformed YAML: found unexpected end of stream"},
    {"settings_key_twice", YAML, SWAP("packing: false", "max_length: 32"), LEASH_USAGE,
     ":4:1: duplicate key 'max_length', first given in line 2"},
    {"settings_key_unknown", YAML, SWAP("max_length", "max_lenght"), LEASH_USAGE,
     ":2:1: unknown key 'max_lenght' (did you mean 'max_length'?)"},
    {"settings_number_a_text", YAML, SWAP("64", "many"), LEASH_USAGE,
     ":2:13: max_length: expected a whole number, found 'many'"},
    {"settings_number_negative", YAML, SWAP("64", "-64"), LEASH_USAGE,
     ":2:13: max_length: -64 is out of range, allowed are 2 to 16777216"},
    {"settings_number_absurd", YAML, SWAP("64", "99999999999999999999"), LEASH_USAGE,
     ":2:13: max_length: 99999999999999999999 is out of range, allowed are 2 to 16777216"},
    {"settings_number_a_fraction", YAML, SWAP("64", "64.5"), LEASH_USAGE,
     ":2:13: max_length: expected a whole number, found '64.5'"},
    {"settings_switch_a_number", YAML, SWAP("packing: false", "packing: 3"), LEASH_USAGE,
     ":4:10: packing: expected true or false, found '3'"},
    {"settings_value_a_map", YAML, SWAP("64", "{a: 1}"), LEASH_USAGE,
     ":2:13: max_length: expected one value, found a map: keys are flat"},
    {"settings_alias_of_nothing", YAML, SWAP("64", "*other"), LEASH_USAGE,
     ":2:13: max_length: aliases are not allowed (*other): write the value"},
    {"settings_of_two_documents", YAML, ADD("---\nmax_length: 32\n"), LEASH_USAGE,
     ":5:1: expected one document, found a second"},
};

static void refuse(const char *name, leash_status (*read)(const char *, const char *),
                   const damage *rows, size_t n)
{
    refuse_damages(&(damage_kind){name, dir, read, rows, n});
}

static void broken_lines_are_refused(void **state)
{
    (void)state;
    refuse("JSON Lines", read_dataset, line_damages, LS_COUNT(line_damages));
}

static void broken_arrays_are_refused(void **state)
{
    (void)state;
    refuse("JSON arrays", read_dataset, array_damages, LS_COUNT(array_damages));
}

static void broken_tables_are_refused(void **state)
{
    (void)state;
    refuse("CSV", read_dataset, table_damages, LS_COUNT(table_damages));
}

static void broken_streams_are_refused(void **state)
{
    (void)state;
    refuse("gzip and zstd", read_dataset, stream_damages, LS_COUNT(stream_damages));
}

static void broken_parquet_files_are_refused(void **state)
{
    (void)state;
    refuse("Parquet", read_rows, parquet_damages, LS_COUNT(parquet_damages));
}

static void broken_settings_are_refused(void **state)
{
    (void)state;
    refuse("YAML", read_settings, setting_damages, LS_COUNT(setting_damages));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(broken_lines_are_refused),
        cmocka_unit_test(broken_arrays_are_refused),
        cmocka_unit_test(broken_tables_are_refused),
        cmocka_unit_test(broken_streams_are_refused),
        cmocka_unit_test(broken_parquet_files_are_refused),
        cmocka_unit_test(broken_settings_are_refused),
    };
    return cmocka_run_group_tests(tests, make_files, remove_files);
}
