/* Tables, JSON arrays and compressed files behind the reader: any bytes give rows or an error.
 *
 * The first byte chooses the name, and so the format; the rest is the file. */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "data/reader.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const names[] = {"fuzz.csv", "fuzz.tsv", "fuzz.json", "fuzz"};
    ls_reader *reader = NULL;
    if (n == 0 || ls_reader_open_memory(&reader, (const char *)data + 1, n - 1,
                                        names[data[0] & 3]) != LEASH_OK)
        return 0;
    for (int64_t last = 0;;) {
        ls_record record;
        if (ls_reader_next(reader, &record) != LEASH_OK || !record.object)
            break;
        LS_ASSERT(json_is_object(record.object) && record.number > last);
        last = record.number;
        json_decref(record.object);
    }
    ls_reader_free(reader);
    return 0;
}
