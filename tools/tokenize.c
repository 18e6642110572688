/* Texts to ids and back for tools/check_tokenizers.py, which compares with another library.
 *
 *     tool_tokenize FOLDER FLAGS < texts > results
 *
 * FLAGS are the bits of LS_ENCODE_*.  Texts and results are records of little-endian 32-bit numbers
 * and bytes: a text is its length and its bytes; a result is the number of ids, the ids, the length
 * of the decoded text (with specials) and the text, and the number of ids UINT32_MAX for an error,
 * with its text.  The processor time of loading and of encoding goes to stderr. */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/mem.h"
#include "text/tokenizer.h"

/* Of this process, which has one thread: a busy machine does not lengthen it much. */
static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void put_bytes(const ls_str *text)
{
    uint32_t n = (uint32_t)text->len;
    fwrite(&n, sizeof n, 1, stdout);
    fwrite(text->data, 1, n, stdout);
}

static double answer(const ls_tokenizer *t, unsigned flags, const char *text, size_t n_bytes)
{
    int32_t *ids = NULL;
    int64_t n = 0, cap = 0;
    ls_str out = LS_STR_INIT;
    double start = cpu_seconds();
    leash_status status = ls_tokenizer_encode_as(t, flags, text, n_bytes, &ids, &n, &cap);
    double seconds = cpu_seconds() - start;
    uint32_t n_ids = status == LEASH_OK ? (uint32_t)n : UINT32_MAX;
    fwrite(&n_ids, sizeof n_ids, 1, stdout);
    if (status == LEASH_OK) {
        fwrite(ids, sizeof *ids, (size_t)n, stdout);
        ls_tokenizer_decode(t, ids, n, true, &out);
    } else {
        ls_str_append(&out, leash_error());
    }
    put_bytes(&out);
    ls_str_release(&out);
    ls_free(ids);
    return seconds;
}

int main(int argc, char **argv)
{
    int64_t flags = 0;
    ls_tokenizer *t = NULL;
    if (argc != 3 || !ls_parse_int64(argv[2], &flags)) {
        fprintf(stderr, "usage: tool_tokenize FOLDER FLAGS < texts > results\n");
        return 2;
    }
    double start = cpu_seconds();
    if (ls_tokenizer_load(&t, argv[1]) != LEASH_OK) {
        fprintf(stderr, "%s\n", leash_error());
        return 1;
    }
    double load = cpu_seconds() - start, encode = 0;
    uint32_t n = 0;
    uint64_t total = 0;
    char *text = NULL;
    while (fread(&n, sizeof n, 1, stdin) == 1) {
        text = ls_realloc(text, (size_t)n + 1);
        if (fread(text, 1, n, stdin) != n)
            break;
        encode += answer(t, (unsigned)flags, text, n);
        total += n;
    }
    fprintf(stderr, "load_ms %.2f bytes %" PRIu64 " encode_ms %.2f\n", load * 1e3, total,
            encode * 1e3);
    ls_free(text);
    ls_tokenizer_free(t);
    return 0;
}
