/* Text to ids and back, without files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/mem.h"
#include "base/rng.h"
#include "text/tokenizer.h"

typedef struct ids {
    int32_t *at;
    int64_t n, cap;
} ids;

static ls_tokenizer *make(const char *kind)
{
    ls_tokenizer *t = NULL;
    assert_int_equal(ls_tokenizer_new(&t, kind), LEASH_OK);
    return t;
}

static void encode(ids *out, const ls_tokenizer *t, const char *text, size_t n)
{
    assert_int_equal(ls_tokenizer_encode(t, text, n, &out->at, &out->n, &out->cap), LEASH_OK);
}

static void assert_round_trip(const ls_tokenizer *t, const char *text, size_t n)
{
    ids got = {0};
    ls_str back = LS_STR_INIT;
    encode(&got, t, text, n);
    ls_tokenizer_decode(t, got.at, got.n, false, &back);
    assert_int_equal(back.len, n);
    assert_memory_equal(back.data, text, n);
    ls_str_release(&back);
    ls_free(got.at);
}

static void byte_ids_are_the_byte_values(void **state)
{
    (void)state;
    ls_tokenizer *t = make("byte");
    char all[256];
    for (int i = 0; i < 256; i++)
        all[i] = (char)i;
    ids got = {0};
    encode(&got, t, all, 256);
    assert_int_equal(got.n, 256);
    for (int i = 0; i < 256; i++)
        assert_int_equal(got.at[i], i);
    assert_round_trip(t, all, 256);
    assert_int_equal(ls_tokenizer_vocab_size(t), 257);
    assert_int_equal(ls_tokenizer_eos(t), 256);
    assert_int_equal(ls_tokenizer_bos(t), -1);
    ls_free(got.at);
    ls_tokenizer_free(t);
}

static void random_bytes_round_trip(void **state)
{
    (void)state;
    ls_tokenizer *t = make("byte");
    for (uint32_t i = 0; i < 200; i++) {
        char text[64];
        ls_rng_name name = {.seed = 7, .purpose = LS_RNG_TEST, .step = i};
        size_t n = (size_t)ls_rng_below(&name, sizeof text);
        for (size_t j = 0; j < n; j++) {
            name.position++;
            text[j] = (char)ls_rng_below(&name, 256);
        }
        assert_round_trip(t, text, n);
    }
    ls_tokenizer_free(t);
}

static void char_ids_follow_the_alphabet(void **state)
{
    (void)state;
    ls_tokenizer *t = make("char:b\xc3\xa9"
                           "a\xf0\x9f\x98\x80\n");
    const char *text = "ab\xf0\x9f\x98\x80\n\xc3\xa9";
    const int32_t expected[] = {2, 0, 3, 4, 1};
    ids got = {0};
    encode(&got, t, text, strlen(text));
    assert_int_equal(got.n, 5);
    assert_memory_equal(got.at, expected, sizeof expected);
    assert_round_trip(t, text, strlen(text));
    assert_int_equal(ls_tokenizer_eos(t), 5);
    assert_int_equal(ls_tokenizer_vocab_size(t), 6);
    ls_free(got.at);
    ls_tokenizer_free(t);
}

static void encode_appends_and_a_failure_keeps_what_was_there(void **state)
{
    (void)state;
    ls_tokenizer *t = make("char:ab");
    ids got = {0};
    encode(&got, t, "ab", 2);
    encode(&got, t, "", 0);
    assert_int_equal(ls_tokenizer_encode(t, "bx", 2, &got.at, &got.n, &got.cap), LEASH_DATA);
    assert_int_equal(got.n, 2);
    encode(&got, t, "b", 1);
    const int32_t expected[] = {0, 1, 1};
    assert_int_equal(got.n, 3);
    assert_memory_equal(got.at, expected, sizeof expected);
    ls_free(got.at);
    ls_tokenizer_free(t);
}

static void unknown_characters_are_named_with_their_offset(void **state)
{
    (void)state;
    ls_tokenizer *t = make("char:ab");
    ids got = {0};
    assert_int_equal(ls_tokenizer_encode(t, "ab\xc3\xa9", 4, &got.at, &got.n, &got.cap),
                     LEASH_DATA);
    assert_string_equal(leash_error(), "character \"\xc3\xa9\" (U+00E9) at byte offset 2 is not "
                                       "among the 2 characters of the tokenizer");
    assert_int_equal(ls_tokenizer_encode(t, "a\xff", 2, &got.at, &got.n, &got.cap), LEASH_DATA);
    assert_string_equal(leash_error(), "byte 0xff at byte offset 1 is no UTF-8");
    ls_free(got.at);
    ls_tokenizer_free(t);
}

static void text_never_becomes_a_special(void **state)
{
    (void)state;
    ls_tokenizer *t = make("byte");
    ids got = {0};
    encode(&got, t, "<|eos|>", 7);
    assert_int_equal(got.n, 7);
    for (int i = 0; i < 7; i++)
        assert_false(ls_tokenizer_is_special(t, got.at[i]));
    ls_free(got.at);
    ls_tokenizer_free(t);
}

static void decode_shows_specials_only_when_asked(void **state)
{
    (void)state;
    ls_tokenizer *t = make("char:ab");
    const int32_t with_eos[] = {0, 2, 1, -1, 99, 2};
    ls_str text = LS_STR_INIT;
    ls_tokenizer_decode(t, with_eos, 6, false, &text);
    assert_string_equal(text.data, "ab");
    ls_str_clear(&text);
    ls_tokenizer_decode(t, with_eos, 6, true, &text);
    assert_string_equal(text.data, "a<|eos|>b<|eos|>");
    ls_str_release(&text);
    ls_tokenizer_free(t);
}

static void pieces_can_be_shown(void **state)
{
    (void)state;
    ls_tokenizer *t = make("byte");
    assert_string_equal(ls_tokenizer_piece(t, 'a'), "a");
    assert_string_equal(ls_tokenizer_piece(t, '\n'), "<0x0A>");
    assert_string_equal(ls_tokenizer_piece(t, 0), "<0x00>");
    assert_string_equal(ls_tokenizer_piece(t, 0xe9), "<0xE9>");
    assert_string_equal(ls_tokenizer_piece(t, 256), "<|eos|>");
    assert_string_equal(ls_tokenizer_piece(t, 257), "");
    assert_string_equal(ls_tokenizer_piece(t, -1), "");
    assert_true(ls_tokenizer_is_special(t, 256));
    assert_false(ls_tokenizer_is_special(t, 255));
    assert_false(ls_tokenizer_is_special(t, 257));
    ls_str text = LS_STR_INIT;
    ls_tokenizer_describe(t, &text);
    assert_string_equal(text.data, "byte, 257 tokens");
    ls_str_release(&text);
    ls_tokenizer_free(t);
    t = make("char:\xc3\xa9\n");
    assert_string_equal(ls_tokenizer_piece(t, 0), "\xc3\xa9");
    assert_string_equal(ls_tokenizer_piece(t, 1), "<0x0A>");
    ls_tokenizer_free(t);
}

static void bad_kinds_are_refused_with_the_reason(void **state)
{
    (void)state;
    static const struct {
        const char *kind, *text;
    } cases[] = {
        {"bytes",
         "there is no tokenizer \"bytes\"; expected one of: byte (256 ids, one a byte; any "
         "text), char (char:ALPHABET, one id a character of the alphabet)"},
        {"byte:x", "tokenizer \"byte:x\": the byte tokenizer takes nothing after its name"},
        {"char", "tokenizer \"char\": the alphabet is empty; write char:ALPHABET, for example "
                 "char:0123456789+="},
        {"char:aba", "tokenizer \"char\": the alphabet has \"a\" (U+0061) more than once"},
        {"char:a\xff", "tokenizer \"char\": byte 1 of the alphabet (0xff) is no UTF-8"},
    };
    for (size_t i = 0; i < LS_COUNT(cases); i++) {
        ls_tokenizer *t = NULL;
        assert_int_equal(ls_tokenizer_new(&t, cases[i].kind), LEASH_USAGE);
        assert_null(t);
        assert_string_equal(leash_error(), cases[i].text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(byte_ids_are_the_byte_values),
        cmocka_unit_test(random_bytes_round_trip),
        cmocka_unit_test(char_ids_follow_the_alphabet),
        cmocka_unit_test(encode_appends_and_a_failure_keeps_what_was_there),
        cmocka_unit_test(unknown_characters_are_named_with_their_offset),
        cmocka_unit_test(text_never_becomes_a_special),
        cmocka_unit_test(decode_shows_specials_only_when_asked),
        cmocka_unit_test(pieces_can_be_shown),
        cmocka_unit_test(bad_kinds_are_refused_with_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
