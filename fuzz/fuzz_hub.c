/* What the hub answers and what users name of it: any bytes as a listing give files that stay below
 * the cache's folder, or an error; any text as hf:OWNER/NAME gives its parts, or an error. */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/err.h"
#include "base/str.h"
#include "hub/list.h"
#include "hub/spec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void check_listing(const char *text, size_t n)
{
    ls_hub_listing listing;
    ls_hub_listing_init(&listing);
    if (ls_hub_listing_parse(&listing, text, n) == LEASH_OK) {
        LS_ASSERT(ls_hub_is_commit(listing.commit));
        for (int64_t i = 0; i < listing.n_files; i++)
            LS_ASSERT(ls_hub_is_safe_path(listing.files[i].name) && listing.files[i].size >= -1);
    }
    ls_hub_listing_release(&listing);
}

static void check_spec(const char *text)
{
    ls_hub_spec spec;
    if (ls_hub_spec_parse(&spec, text, NULL) != LEASH_OK)
        return;
    LS_ASSERT(spec.id[0] != '\0' && strlen(spec.id) < sizeof spec.id);
    LS_ASSERT(spec.path[0] == '\0' || ls_hub_is_safe_path(spec.path));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    ls_str text = LS_STR_INIT;
    ls_str_append_n(&text, (const char *)data, n);
    check_listing(text.data, text.len);
    check_spec(text.data);
    ls_str_release(&text);
    return 0;
}
