/* Manifests: what they list, and that nothing but an intact one of harmless names is read. */
#include "train_fixture.h"

#include "base/hash.h"
#include "base/mem.h"
#include "train/manifest.h"

static void files_are_listed_with_size_and_hash(void **state)
{
    (void)state;
    char hash[33], want[200];
    assert_ok(ls_dir_make(at("a")));
    write_text(at("b.txt"), "hello");
    write_text(at("a/empty"), "");
    assert_ok(ls_manifest_write(t.root));
    ls_manifest manifest;
    assert_ok(ls_manifest_read(&manifest, t.root));
    assert_int_equal(manifest.n_files, 2);
    assert_string_equal(manifest.files[0].name, "a/empty");
    assert_int_equal(manifest.files[0].size, 0);
    /* XXH3-128 of no bytes. */
    assert_string_equal(manifest.files[0].hash, "99aa06d3014798d86001c324468d497f");
    assert_string_equal(manifest.files[1].name, "b.txt");
    assert_int_equal(manifest.files[1].size, 5);
    ls_hash128_hex(hash, "hello", 5);
    assert_string_equal(manifest.files[1].hash, hash);
    assert_ok(ls_manifest_check(&manifest, t.root));
    ls_manifest_release(&manifest);
    ls_str text = LS_STR_INIT;
    assert_ok(ls_file_read(&text, at("manifest.json")));
    snprintf(want, sizeof want, "\n    \"b.txt\": {\"size\": 5, \"xxh3_128\": \"%s\"}\n  },\n",
             hash);
    assert_non_null(strstr(text.data, want));
    ls_str_release(&text);
}

static void a_difference_is_named(void **state)
{
    (void)state;
    ls_manifest manifest;
    write_text(at("b.txt"), "hello");
    assert_ok(ls_manifest_read(&manifest, t.root));
    write_text(at("b.txt"), "hell");
    assert_int_equal(ls_manifest_check(&manifest, t.root), LEASH_FORMAT);
    assert_error_has("/b.txt: 4 bytes, the manifest says 5");
    write_text(at("b.txt"), "hallo");
    assert_int_equal(ls_manifest_check(&manifest, t.root), LEASH_FORMAT);
    assert_error_has("/b.txt: damaged: its hash is ");
    assert_int_equal(remove(at("b.txt")), 0);
    assert_int_equal(ls_manifest_check(&manifest, t.root), LEASH_FORMAT);
    assert_error_has("/b.txt: missing, the manifest lists it");
    write_text(at("b.txt"), "hello");
    write_text(at("notes.txt"), "not listed");
    assert_ok(ls_manifest_check(&manifest, t.root));
    ls_manifest_release(&manifest);
}

/* Writes a manifest of any body with a right hash of itself. */
static void write_body(const char *body)
{
    char hash[33];
    ls_str text = LS_STR_INIT;
    ls_str_append(&text, body);
    ls_hash128_hex(hash, text.data, text.len);
    ls_str_appendf(&text, "  \"xxh3_128\": \"%s\"\n}\n", hash);
    assert_ok(ls_file_write_synced(at("manifest.json"), text.data, text.len));
    ls_str_release(&text);
}

static void refuses(const char *body, const char *error)
{
    ls_manifest manifest;
    write_body(body);
    assert_int_equal(ls_manifest_read(&manifest, t.root), LEASH_FORMAT);
    assert_error_has(error);
    assert_null(manifest.files);
}

#define ENTRY(name, size)                                        \
    "{\"format\": 1, \"files\": {\"" name "\": {\"size\": " size \
    ", \"xxh3_128\": \"99aa06d3014798d86001c324468d497f\"}},\n"

static void a_well_hashed_manifest_is_still_distrusted(void **state)
{
    (void)state;
    refuses(ENTRY("../../etc/passwd", "1"), "the entry '../../etc/passwd' is malformed");
    refuses(ENTRY("/etc/passwd", "1"), "the entry '/etc/passwd' is malformed");
    refuses(ENTRY("", "1"), "the entry '' is malformed");
    refuses(ENTRY("a", "1.5"), "the entry 'a' is malformed");
    refuses("{\"format\": 1, \"files\": {\"a\": 3},\n", "the entry 'a' is malformed");
    refuses("{\"format\": 2, \"files\": {},\n", "'format' is not 1");
    refuses("{\"format\": 1, \"files\": [],\n", "'files' is missing");
    refuses("{\"format\": 1, \"format\": 1,\n", "no valid JSON");
    refuses("[\n", "no valid JSON");
    ls_str body = LS_STR_INIT;
    ls_str_append(&body, "{\"format\": 1, \"files\": {\"");
    for (int i = 0; i < 5000; i++)
        ls_str_append_char(&body, 'a');
    ls_str_append(&body, "\": {\"size\": 0, \"xxh3_128\": \"\"}},\n");
    refuses(body.data, "is malformed");
    ls_str_release(&body);
}

static void a_missing_or_huge_manifest_is_an_error(void **state)
{
    (void)state;
    ls_manifest manifest;
    assert_int_equal(remove(at("manifest.json")), 0);
    assert_int_equal(ls_manifest_read(&manifest, t.root), LEASH_IO);
    assert_error_has("/manifest.json: no such file");
    size_t n = (1 << 20) + 1;
    char *zeros = ls_calloc(n, 1);
    assert_ok(ls_file_write_synced(at("manifest.json"), zeros, n));
    ls_free(zeros);
    assert_int_equal(ls_manifest_read(&manifest, t.root), LEASH_FORMAT);
    assert_error_has("/manifest.json: 1048577 bytes are too many");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_listed_with_size_and_hash),
        cmocka_unit_test(a_difference_is_named),
        cmocka_unit_test(a_well_hashed_manifest_is_still_distrusted),
        cmocka_unit_test(a_missing_or_huge_manifest_is_an_error),
    };
    return cmocka_run_group_tests(tests, open_fixture, close_fixture);
}
