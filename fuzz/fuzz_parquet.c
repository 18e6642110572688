/* Parquet files: any bytes give rows or an error.  Rows are counted, so that runs of nulls, which
 * cost nothing to claim, do not cost time either. */
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"
#include "formats/parquet/parquet.h"

#define MOST_ROWS 2000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    ls_parquet *file = NULL;
    if (ls_parquet_open_memory(&file, data, n, "fuzz.parquet") != LEASH_OK)
        return 0;
    json_t *row = NULL;
    int64_t n_rows = 0;
    do {
        if (ls_parquet_next(file, &row) != LEASH_OK)
            break;
        LS_ASSERT(!row || json_is_object(row));
        json_decref(row);
    } while (row && ++n_rows < MOST_ROWS);
    LS_ASSERT(n_rows <= ls_parquet_n_rows(file));
    ls_parquet_free(file);
    return 0;
}
