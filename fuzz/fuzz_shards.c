/* model.safetensors.index.json beside two good parts: any bytes give the tensors of the parts or an
 * error, and nothing outside of the folder is opened.
 *
 * Input: the index, which is written into a temporary folder that goes at the end. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include "base/err.h"
#include "formats/st_shards.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static char dir[] = "/tmp/leash_fuzz_shards.XXXXXX";

static void remove_folder(void)
{
    leash_status status = ls_dir_remove(dir);
    (void)status;
}

static void make_parts(void)
{
    static const float values[] = {1, 2, 3, 4};
    static const ls_st_source sources[] = {{"a", values, {4}, 1}, {"b", values, {2, 2}, 2}};
    static bool is_made;
    char path[LS_PATH_MAX];
    if (is_made)
        return;
    LS_ASSERT(mkdtemp(dir));
    LS_ASSERT(ls_st_write(ls_path_join(path, dir, "one.safetensors"), sources, 1) == LEASH_OK);
    LS_ASSERT(ls_st_write(ls_path_join(path, dir, "two.safetensors"), sources + 1, 1) == LEASH_OK);
    is_made = true;
    atexit(remove_folder);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char path[LS_PATH_MAX];
    ls_st_shards shards;
    make_parts();
    FILE *file = fopen(ls_path_join(path, dir, "model.safetensors.index.json"), "wb");
    LS_ASSERT(file && fwrite(data, 1, n, file) == n && fclose(file) == 0);
    if (ls_st_shards_open(&shards, dir) != LEASH_OK)
        return 0;
    LS_ASSERT(shards.n_entries > 0 && shards.n_parts > 0);
    for (int64_t i = 0; i < shards.n_entries; i++)
        LS_ASSERT(ls_st_shards_find(&shards, shards.entries[i].tensor->name) == &shards.entries[i]);
    ls_st_shards_close(&shards);
    return 0;
}
